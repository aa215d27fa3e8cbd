/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See-through libraries: those that allocate on behalf of whoever calls them.
 * By library an owner is the first frame outside of them.
 */
#include <string.h>

#include "object.h"

#define DEFAULT "libc,ld-linux,ld,libstdc++,libglib-2.0"

static char list[512];

static int item_is(const char *item, size_t n, const char *word)
{
	return strlen(word) == n && memcmp(item, word, n) == 0;
}

static void append(const char *text, size_t n)
{
	size_t used = strlen(list);

	if (used + n + 2 > sizeof(list))
		return;
	if (used)
		list[used++] = ',';
	memcpy(list + used, text, n);
	list[used + n] = '\0';
}

/* "default" stands for the list that is used without one, "none" for nothing. */
void mh_through_set(const char *text)
{
	if (!text)
		text = "default";
	list[0] = '\0';
	while (*text) {
		size_t n = strcspn(text, ",");

		if (item_is(text, n, "default"))
			append(DEFAULT, strlen(DEFAULT));
		else if (n && !item_is(text, n, "none"))
			append(text, n);
		text += n + (text[n] == ',');
	}
}

int mh_through_is_empty(void)
{
	return !list[0];
}

/* "libc" is libc.so.6 and libc-2.31.so, and not libcrypto.so.3. */
int mh_through_has(const char *name)
{
	const char *item = list;

	while (*item) {
		size_t n = strcspn(item, ",");

		if (strncmp(name, item, n) == 0 && (!name[n] || strchr(".-", name[n])))
			return 1;
		item += n + (item[n] == ',');
	}
	return 0;
}
