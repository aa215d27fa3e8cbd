/* SPDX-License-Identifier: BSD-2-Clause */
/* A plug-in in C.  How to build and run it: host.c. */
#include <stdlib.h>

void *plugin_start(void);
char *plugin_greeting(void);
void plugin_stop(void *state);

void *plugin_start(void)
{
	return calloc(100, 10);
}

char *plugin_greeting(void)
{
	return calloc(1, 100);
}

void plugin_stop(void *state)
{
	free(state);
}
