/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The redirect header at work: built with the hook the block has a cookie,
 * built without it the same source runs on libc.
 *
 *     cc main.c incrementer.c $(pkg-config --cflags --libs memhook) && ./a.out
 */
#include <stdio.h>

#include <memhook.h>

#include "inc_malloc.h"

char *make_text(void);

int main(void)
{
	char *text = make_text();
	void *volatile block = text;

	if (!text)
		return 1;
	memhook_dump(block);
	inc_free(text);
	memhook_dump(block);
	return 0;
}
