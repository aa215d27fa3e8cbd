/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>

void *plugin_start(void);
void plugin_stop(void *state);

void *plugin_start(void)
{
	return calloc(100, 10);
}

void plugin_stop(void *state)
{
	free(state);
}
