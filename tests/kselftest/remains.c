// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * remains: is there anything left of messages in the machine's memory?
 *
 *   remains NODE
 *
 * Sends small and large messages that are full of a word that nobody else has, wipes its own
 * memory, and looks for the word in all memory of the kernel. Prints a line and waits
 * for one on its input after each step:
 *
 *   withhold	the card shall keep back completions from now on
 *   release	messages are in flight, and were found in memory: that they can be found;
 *		the card shall answer
 *   end	the messages are over, the file is closed; the driver shall be unloaded
 *
 * Exit status 1 if there is something left then.
 */
#include <elf.h>
#include <pthread.h>
#include <sys/random.h>

#include "common.h"

enum { PATIENCE = 120, CHUNK = MEBI };

static uint64_t mask, masked;	/* The word is never in memory as it is. */

static void die(const char *what)
{
	printf("remains: %s: %s\n", what, strerror(errno));
	exit(1);
}

struct caller {
	pthread_t id;
	int fd;
	struct request *req;
};

static void *call(void *arg)
{
	struct caller *c = arg;
	unsigned char answer[4096];
	int err;

	err = request_send(c->fd, &c->req->hdr, answer, sizeof(answer), NULL, NULL);
	if (err) {
		errno = err;
		die("message");
	}
	return NULL;
}

/* A message, in memory of its own that the kernel does not move. Returns its words. */
static unsigned long begin(struct caller *c, int fd, uint32_t size)
{
	uint64_t i, *p, words = (size - sizeof(c->req->hdr)) / sizeof(*p);

	c->fd = fd;
	c->req = mmap(NULL, MEBI, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
	if (c->req == MAP_FAILED)
		die("mmap");
	madvise(c->req, MEBI, MADV_NOHUGEPAGE);
	request_init(c->req, PCIEHSM_OP_PING);
	c->req->hdr.length = htole32(size);
	p = (uint64_t *)c->req->body;
	for (i = 0; i < words; i++)
		p[i] = masked ^ mask;
	if (pthread_create(&c->id, NULL, call, c))
		die("thread");
	return words;
}

/* How often is the word in what the kernel can see of the machine's memory? */
static unsigned long scan(void)
{
	static uint64_t chunk[CHUNK / sizeof(uint64_t)];
	int fd = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
	unsigned long found = 0;
	Elf64_Phdr ph;
	Elf64_Ehdr eh;
	uint64_t at;
	ssize_t n;
	int i;

	if (fd < 0 || pread(fd, &eh, sizeof(eh), 0) != sizeof(eh))
		die("/proc/kcore");
	for (i = 0; i < eh.e_phnum; i++) {
		if (pread(fd, &ph, sizeof(ph), eh.e_phoff + i * sizeof(ph)) != sizeof(ph))
			die("/proc/kcore");
		/* Memory, as opposed to what is mapped elsewhere: it has an address of its own. */
		if (ph.p_type != PT_LOAD || ph.p_paddr == (Elf64_Addr)-1 || !ph.p_paddr)
			continue;
		for (at = 0; at < ph.p_filesz; at += n) {
			size_t want = ph.p_filesz - at < CHUNK ? ph.p_filesz - at : CHUNK;

			n = pread(fd, chunk, want, ph.p_offset + at);
			if (n <= 0)
				die("reading /proc/kcore");
			for (size_t w = 0; w < n / sizeof(*chunk); w++)
				found += (chunk[w] ^ mask) == masked;
		}
	}
	explicit_bzero(chunk, sizeof(chunk));
	close(fd);
	return found;
}

static void step(const char *name)
{
	char line[16];

	puts(name);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		exit(1);
}

int main(int argc, char **argv)
{
	/* In the slot's own memory, and in pages that are taken for it */
	static const uint32_t sizes[] = { 512, 3000, 100000, 1000000 };
	enum { N = sizeof(sizes) / sizeof(sizes[0]) };
	struct caller callers[N];
	unsigned long found, own = 0;
	double begun;
	int fd, i;

	if (argc != 2)
		return 2;
	if (getrandom(&mask, sizeof(mask), 0) != sizeof(mask) ||
	    getrandom(&masked, sizeof(masked), 0) != sizeof(masked))
		die("getrandom");
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die(argv[1]);
	if (ping(fd))
		die("ping");
	step("withhold");
	for (i = 0; i < N; i++)
		own += begin(&callers[i], fd, sizes[i]);
	/* More than our own: what the driver has */
	for (begun = now(), found = 0; found <= own; found = scan()) {
		if (now() - begun > PATIENCE) {
			printf("remains: found %lu times in flight, %lu are our own\n", found,
			       own);
			return 1;
		}
	}
	step("release");
	for (i = 0; i < N; i++) {
		pthread_join(callers[i].id, NULL);
		explicit_bzero(callers[i].req, MEBI);
	}
	close(fd);
	step("end");
	found = scan();
	printf("found %lu times in the end\n", found);
	return found != 0;
}
