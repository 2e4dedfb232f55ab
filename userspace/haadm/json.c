// SPDX-License-Identifier: LGPL-2.1-or-later
/* Small things about JSON output: json-c answers memory shortage with NULL, we with an end. */
#include <err.h>
#include <stdlib.h>

#include "haadm.h"

static void add(struct json_object *to, const char *name, struct json_object *value)
{
	if (!to || json_object_object_add(to, name, value))
		errx(ST_FAILED, "out of memory");
}

void put_text(struct json_object *to, const char *name, const char *text)
{
	add(to, name, text ? json_object_new_string(text) : NULL);
}

void put_number(struct json_object *to, const char *name, int64_t number)
{
	add(to, name, json_object_new_int64(number));
}

void put_number_if(struct json_object *to, const char *name, bool known, int64_t number)
{
	if (known)
		put_number(to, name, number);
	else
		put_text(to, name, NULL);
}

void put_bool(struct json_object *to, const char *name, bool value)
{
	add(to, name, json_object_new_boolean(value));
}

void put_print(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object,
					    JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}
