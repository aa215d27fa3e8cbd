/* SPDX-License-Identifier: BSD-2-Clause */
/* A user of the library: is malloc ours, and is a block charged as it should? */
#include <memhook.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
	struct memhook_stats s = { .size = sizeof(s) };
	memhook_owner mine = memhook_owner_create("app");
	memhook_owner previous = memhook_enter(mine);
	void *volatile block = malloc(1000);

	memhook_leave(previous);
	memhook_stats(mine, &s);
	free(block);
	printf("memhook_active() = %d, %llu bytes\n", memhook_active(),
	       (unsigned long long)s.live_bytes);
	return memhook_active() != 1 || s.live_bytes != 1000;
}
