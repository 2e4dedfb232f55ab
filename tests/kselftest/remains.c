// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * remains: is there anything left of messages in the machine's memory?
 *
 *   remains NODE
 *
 * Sends small and large messages that are full of a word that nobody else has, has the card
 * answer with random numbers, by ioctl and by io_uring, wipes its own memory, and looks for
 * the word and for the numbers in all memory of the kernel. Prints a line and waits for
 * one on its input after each step:
 *
 *   withhold	the card shall keep back completions from now on
 *   release	messages are in flight, and were found in memory: that they can be found;
 *		the card shall answer
 *   end	the messages are over, the answers were found in memory of ours and wiped
 *		there, the file is closed; the driver shall be unloaded
 *
 * Exit status 1 if there is something left then.
 */
#include <elf.h>
#include <pthread.h>
#include <sys/random.h>

#include "ring.h"

enum { PATIENCE = 120, CHUNK = MEBI, WORDS = 16 };

/* What is looked for is never in memory as it is, but for where it comes from. */
static uint64_t mask, masked[WORDS];
static unsigned int words;
static bool likely[1 << 16];	/* by the last bits: most of memory is none of it */

static void look_for(uint64_t word)
{
	masked[words++] = word ^ mask;
	likely[(word ^ mask) % (1 << 16)] = true;
}

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
	uint64_t i, *p, n = (size - sizeof(c->req->hdr)) / sizeof(*p);

	c->fd = fd;
	c->req = mmap(NULL, MEBI, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
	if (c->req == MAP_FAILED)
		die("mmap");
	madvise(c->req, MEBI, MADV_NOHUGEPAGE);
	request_init(c->req, PCIEHSM_OP_PING);
	c->req->hdr.length = htole32(size);
	p = (uint64_t *)c->req->body;
	for (i = 0; i < n; i++)
		p[i] = masked[0] ^ mask;
	if (pthread_create(&c->id, NULL, call, c))
		die("thread");
	return n;
}

/* An answer of random numbers, of which the first and the last are looked for from now on. */
static void fetch(int fd, struct ring *ring, unsigned char *answer, uint32_t len)
{
	static struct request req;
	uint32_t room = len + 1024, rv = 0;
	unsigned char *data = answer + sizeof(struct pciehsm_msg) + sizeof(struct pciehsm_field);
	uint64_t outcome, word;
	int err, at[] = { 0, len - sizeof(word) };

	request_init(&req, PCIEHSM_OP_RANDOM);
	request_add_u32(&req, PCIEHSM_F_LEN, len);
	if (ring) {
		struct pciehsm_uring_cmd cmd = {
			.in = (uintptr_t)&req, .in_len = le32toh(req.hdr.length),
			.out = (uintptr_t)answer, .out_len = room,
		};

		err = ring_one(ring, fd, PCIEHSM_URING_MSG, &cmd, &outcome);
		err = err < 0 ? -err : 0;
		rv = le32toh(((struct pciehsm_msg *)answer)->rv);
	} else {
		err = request_send(fd, &req.hdr, answer, room, &rv, NULL);
	}
	if (err || rv) {
		errno = err ? err : EPROTO;
		die("random numbers");
	}
	for (int i = 0; i < 2; i++) {
		memcpy(&word, data + at[i], sizeof(word));
		look_for(word);
	}
}

/*
 * How often is each of the words in what the kernel can see of the machine's memory?
 * Returns the sum.
 */
static unsigned long scan(unsigned long times[WORDS])
{
	static uint64_t chunk[CHUNK / sizeof(uint64_t)];
	int fd = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
	unsigned long found = 0;
	Elf64_Phdr ph;
	uint64_t x;
	unsigned int k;
	Elf64_Ehdr eh;
	uint64_t at;
	ssize_t n;
	int i;

	memset(times, 0, WORDS * sizeof(*times));
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
			for (size_t w = 0; w < n / sizeof(*chunk); w++) {
				x = chunk[w] ^ mask;
				if (!likely[x % (1 << 16)])
					continue;
				for (k = 0; k < words; k++) {
					times[k] += x == masked[k];
					found += x == masked[k];
				}
			}
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
	/* Copied, and written by the card where it is to be */
	static const uint32_t lengths[] = { 64, 3000, 60000 };
	unsigned long found, own = 0, times[WORDS];
	unsigned char *answers, *next;
	struct caller callers[N];
	struct ring ring;
	double begun;
	int fd, i;

	if (argc != 2)
		return 2;
	if (getrandom(&mask, sizeof(mask), 0) != sizeof(mask) ||
	    getrandom(masked, sizeof(*masked), 0) != sizeof(*masked))
		die("getrandom");
	look_for(masked[0] ^ mask);
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die(argv[1]);
	if (ping(fd))
		die("ping");
	step("withhold");
	for (i = 0; i < N; i++)
		own += begin(&callers[i], fd, sizes[i]);
	/* More than our own: what the driver has */
	for (begun = now(), found = 0; found <= own; found = scan(times)) {
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
	answers = mmap(NULL, MEBI, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
	if (answers == MAP_FAILED)
		die("mmap");
	madvise(answers, MEBI, MADV_NOHUGEPAGE);
	if (ring_open(&ring, 4, RING_FLAGS))
		die("io_uring");
	for (next = answers, i = 0; i < 6; i++, next += 16 * 4096)
		fetch(fd, i % 2 ? &ring : NULL, next, lengths[i / 2]);
	scan(times);
	for (i = 1; i < (int)words; i++) {
		if (!times[i]) {
			printf("remains: answer %d can not be found in memory of ours\n", i);
			return 1;
		}
	}
	explicit_bzero(answers, MEBI);
	ring_close(&ring);
	close(fd);
	step("end");
	found = scan(times);
	printf("found %lu times in the end\n", found);
	return found != 0;
}
