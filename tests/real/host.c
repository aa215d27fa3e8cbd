/* SPDX-License-Identifier: BSD-2-Clause */
/* A C host: libstdc++ comes with the plug-in, out of the global scope. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	int turn;

	for (turn = 0; argc > 1 && turn < 3; turn++) {
		void *h = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
		int (*work)(int);
		char *(*text)(void);
		char *s;

		if (!h) {
			fprintf(stderr, "%s\n", dlerror());
			return 1;
		}
		work = (int (*)(int))dlsym(h, "work");
		text = (char *(*)(void))dlsym(h, "text");
		s = text();
		printf("%d %s\n", work(1000), s);
		free(s);
		dlclose(h);
	}
	return 0;
}
