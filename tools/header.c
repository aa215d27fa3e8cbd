/* SPDX-License-Identifier: BSD-2-Clause */
/* memhook header PREFIX: a redirect header for a project's own names. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "tool.h"

static void usage(FILE *to)
{
	fputs("Usage: memhook header PREFIX\n"
	      "Print a C header that maps PREFIXmalloc, PREFIXfree ... to malloc,\n"
	      "free ...: one source then builds with -lmemhook and without it.\n\n"
	      "    memhook header inc_ > inc_malloc.h\n", to);
}

static int is_identifier(const char *s)
{
	if (!isalpha((unsigned char)*s) && *s != '_')
		return 0;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && *s != '_')
			return 0;
	return 1;
}

static void print_guard(const char *format, const char *prefix)
{
	char guard[128];
	size_t i;

	for (i = 0; i < sizeof(guard) - 1 && prefix[i]; i++)
		guard[i] = (char)toupper((unsigned char)prefix[i]);
	guard[i] = '\0';
	printf(format, guard, guard);
}

static void print_header(const char *p)
{
	static const char *const names[] = { "malloc",	      "calloc",
					     "realloc",	      "free",
					     "memalign",      "aligned_alloc",
					     "posix_memalign", "strdup" };
	size_t i;

	printf("/*\n * Made by: memhook header %s\n"
	       " * Counted when linked with -lmemhook, libc's own otherwise.\n */\n", p);
	print_guard("#ifndef %sMALLOC_H\n#define %sMALLOC_H\n\n", p);
	fputs("#include <malloc.h>\n#include <stdlib.h>\n#include <string.h>\n\n", stdout);
	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		printf("#define %s%s %s\n", p, names[i], names[i]);
	printf("\n/* The Lua allocator (lua_Alloc) over realloc and free. */\n"
	       "static inline void *%slalloc(void *ud, void *ptr, size_t osize,"
	       " size_t nsize)\n"
	       "{\n\t(void)ud;\n\t(void)osize;\n"
	       "\tif (nsize == 0) {\n\t\tfree(ptr);\n\t\treturn NULL;\n\t}\n"
	       "\treturn realloc(ptr, nsize);\n}\n\n", p);
	print_guard("#endif /* %sMALLOC_H */\n", p);
}

int header_main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		usage(stdout);
		return close_stdout();
	}
	if (argc != 2 || argv[1][0] == '-') {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (!is_identifier(argv[1]) || strlen(argv[1]) > 64) {
		complain("'%s' is no prefix of a C identifier of up to 64 letters",
			 argv[1]);
		return EXIT_USAGE;
	}
	print_header(argv[1]);
	return close_stdout();
}
