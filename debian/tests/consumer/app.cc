/* SPDX-License-Identifier: BSD-2-Clause */
/* A user in C++: operator new, and what libstdc++ asks for itself. */
#include <cstdio>
#include <memhook.h>
#include <string>

int main(int argc, char **)
{
	memhook_owner mine = memhook_owner_create("app");
	struct memhook_stats s = {};
	std::string *volatile text;

	s.size = sizeof(s);
	{
		MEMHOOK_SCOPE(mine);
		text = new std::string(1000 + argc, 'x');
	}
	memhook_stats(mine, &s);
	std::printf("memhook_active() = %d, %llu blocks\n", memhook_active(),
		    (unsigned long long)s.live_blocks);
	delete text;
	return memhook_active() != 1 || s.live_blocks != 2;
}
