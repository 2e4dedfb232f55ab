// SPDX-License-Identifier: LGPL-2.1-or-later
/* Small things about JSON output: json-c answers memory shortage with NULL, we with an end. */
#include <err.h>
#include <stdlib.h>

#include "haadm.h"

static void add(struct json_object *to, const char *name, struct json_object *value)
{
	if (!to)
		json_object_put(value);
	else if (json_object_object_add(to, name, value))
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

struct json_object *put_list(struct json_object *to, const char *name)
{
	struct json_object *list = to ? json_object_new_array() : NULL;

	if (list)
		add(to, name, list);
	return list;
}

void put_text_item(struct json_object *to, const char *name, const char *text)
{
	struct json_object *list;

	if (!to)
		return;
	if (!json_object_object_get_ex(to, name, &list))
		list = put_list(to, name);
	if (json_object_array_add(list, json_object_new_string(text)))
		errx(ST_FAILED, "out of memory");
}

struct json_object *put_item(struct json_object *list)
{
	struct json_object *item = list ? json_object_new_object() : NULL;

	if (item && json_object_array_add(list, item))
		errx(ST_FAILED, "out of memory");
	return item;
}

void put_print(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object,
					    JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}
