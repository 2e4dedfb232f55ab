// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * conformance MODULE SLOT|first CODES EXPLAINED
 *
 * Runs the whole test on a token whose PINs are in the environment (USER_PIN, SO_PIN) and
 * prints KTAP, a case per chapter. CODES says what each function may answer. EXPLAINED names a file of differences: lines of a
 * pattern of assertions' names (as for file names), a colon and the reason. A failed
 * assertion that no line explains fails, and so does a line that explains nothing.
 */
#include "conformance.h"

#include <dlfcn.h>
#include <fnmatch.h>
#include <stdarg.h>

CK_FUNCTION_LIST *p11, *given;
CK_FUNCTION_LIST_3_0 *p11_3_0;
CK_FUNCTION_LIST_3_2 *p11_3_2;
CK_SLOT_ID slot;
const char *user_pin, *so_pin;

struct explanation {
	char			*pattern;
	unsigned int		used;
	struct explanation	*next;
};

static struct explanation *explanations;
static unsigned int assertions, failed, explained, total, total_explained;

static const struct {
	const char	*name;
	void		(*run)(void);
} chapters[] = {
	{ "general",		chapter_general },
	{ "handles",		chapter_handles },
	{ "arguments",		chapter_arguments },
	{ "sessions",		chapter_sessions },
	{ "objects",		chapter_objects },
	{ "attributes",		chapter_attributes },
	{ "mechanisms",		chapter_mechanisms },
	{ "operations",		chapter_operations },
	{ "keys",		chapter_keys },
	{ "messages",		chapter_messages },
	{ "functions",		chapter_functions },
};

static const char *chapter;

static void read_explanations(const char *path)
{
	FILE *f = fopen(path, "r");
	struct explanation *e, **tail = &explanations;
	char line[512], *reason;

	if (!f) {
		perror(path);
		exit(2);
	}
	while (fgets(line, sizeof(line), f)) {
		if (line[0] == '#' || line[0] == '\n')
			continue;
		reason = strstr(line, ": ");
		if (!reason || strlen(reason) < 8) {
			fprintf(stderr, "%s: no reason: %s", path, line);
			exit(2);
		}
		*reason = '\0';
		e = calloc(1, sizeof(*e));
		e->pattern = strdup(line);
		*tail = e;
		tail = &e->next;
	}
	fclose(f);
}

static bool is_explained(const char *name)
{
	struct explanation *e;

	for (e = explanations; e; e = e->next)
		if (!fnmatch(e->pattern, name, 0)) {
			e->used++;
			return true;
		}
	return false;
}

static bool assertion(bool good, CK_RV rv, const char *format, va_list args)
{
	char name[256];
	int at = snprintf(name, sizeof(name), "%s/", chapter);

	assertions++;
	if (good)
		return true;
	vsnprintf(name + at, sizeof(name) - (size_t)at, format, args);
	if (is_explained(name)) {
		explained++;
	} else {
		failed++;
		printf("# failed: %s: 0x%lx\n", name, rv);
		fflush(stdout);
	}
	return false;
}

bool result(CK_RV rv, const CK_RV *allowed, size_t n, const char *name, ...)
{
	va_list args;
	bool good = false;
	size_t i;

	for (i = 0; i < n; i++)
		good |= rv == allowed[i];
	va_start(args, name);
	assertion(good, rv, name, args);
	va_end(args);
	return good;
}

bool holds(bool good, const char *name, ...)
{
	va_list args;

	va_start(args, name);
	assertion(good, 0, name, args);
	va_end(args);
	return good;
}

bool harmful(const char *format, ...)
{
	char name[256];
	int at = snprintf(name, sizeof(name), "%s/", chapter);
	va_list args;

	va_start(args, format);
	vsnprintf(name + at, sizeof(name) - (size_t)at, format, args);
	va_end(args);
	if (!is_explained(name))
		return false;
	explained++;
	return true;
}

void need(CK_RV rv, const char *what)
{
	if (rv == CKR_OK)
		return;
	printf("Bail out! %s: 0x%lx\n", what, rv);
	exit(2);
}

static void load(const char *path)
{
	void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	CK_VERSION v3_0 = { 3, 0 }, v3_2 = { 3, 2 };
	CK_C_GetFunctionList get_list;
	CK_C_GetInterface get_interface;
	CK_INTERFACE *interface;

	if (!module) {
		fprintf(stderr, "%s\n", dlerror());
		exit(2);
	}
	get_list = (CK_C_GetFunctionList)dlsym(module, "C_GetFunctionList");
	get_interface = (CK_C_GetInterface)dlsym(module, "C_GetInterface");
	if (!get_list || get_list(&given) != CKR_OK) {
		fprintf(stderr, "%s: no function list\n", path);
		exit(2);
	}
	p11 = given;
	if (!get_interface)
		return;
	if (get_interface((CK_UTF8CHAR *)"PKCS 11", &v3_0, &interface, 0) == CKR_OK)
		p11_3_0 = interface->pFunctionList;
	if (get_interface((CK_UTF8CHAR *)"PKCS 11", &v3_2, &interface, 0) == CKR_OK)
		p11_3_2 = interface->pFunctionList;
}

static void find_slot(const char *which)
{
	CK_SLOT_ID list[64];
	CK_ULONG n = COUNT(list);

	need(p11->C_Initialize(NULL), "C_Initialize");
	need(p11->C_GetSlotList(CK_TRUE, list, &n), "C_GetSlotList");
	if (!n)
		need(CKR_TOKEN_NOT_PRESENT, "a token");
	slot = strcmp(which, "first") ? strtoul(which, NULL, 0) : list[0];
	need(p11->C_Finalize(NULL), "C_Finalize");
}

static bool end_chapter(unsigned int number)
{
	bool bad = failed || !assertions;

	printf("%s %u - %s: %u assertions, %u differences explained\n", bad ? "not ok" : "ok",
	       number, chapter, assertions, explained);
	fflush(stdout);
	total += assertions;
	total_explained += explained;
	return bad;
}

int main(int argc, char **argv)
{
	unsigned int i;
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
	bool bad = false;
	struct explanation *e;

	if (argc != 5) {
		fprintf(stderr, "usage: %s MODULE SLOT|first CODES EXPLAINED\n", argv[0]);
		return 2;
	}
	user_pin = getenv("USER_PIN");
	so_pin = getenv("SO_PIN");
	if (!user_pin || !so_pin) {
		fprintf(stderr, "USER_PIN and SO_PIN are not set\n");
		return 2;
	}
	load(argv[1]);
	codes_watch();
	read_explanations(argv[4]);
	find_slot(argv[2]);

	printf("1..%zu\n", COUNT(chapters) + 2);
	for (i = 0; i < COUNT(chapters); i++) {
		assertions = 0;
		failed = 0;
		explained = 0;
		chapter = chapters[i].name;
		if (i)
			need(p11->C_Initialize(&args), "C_Initialize");
		chapters[i].run();
		if (i)
			need(p11->C_Finalize(NULL), "C_Finalize");
		bad |= end_chapter(i + 1);
	}
	assertions = 0;
	failed = 0;
	explained = 0;
	chapter = "codes";
	codes_check(argv[3]);
	bad |= end_chapter(++i);
	failed = 0;
	for (e = explanations; e; e = e->next)
		if (!e->used) {
			printf("# explains nothing any more: %s\n", e->pattern);
			failed++;
		}
	printf("%s %u - explanations: %u assertions in all, %u differences explained\n",
	       failed ? "not ok" : "ok", i + 1, total, total_explained);
	return bad || failed ? 1 : 0;
}
