/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A module that knows only its project's names for malloc and free.  How to
 * build and run it: main.c.
 */
#include "inc_malloc.h"

char *make_text(void);

char *make_text(void)
{
	char *text = inc_malloc(12);

	return text ? strcpy(text, "hello, heap") : NULL;
}
