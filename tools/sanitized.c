/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs that bring a malloc which cannot be replaced: the sanitizers', valgrind's. */
#include "sanitized.h"

#include <gelf.h>
#include <libelf.h>
#include <string.h>

#include "tool.h"

static const struct sanitizer {
	const char *symbol, *name;
} sanitizers[] = {
	{ "__asan_init", "AddressSanitizer" },
	{ "__hwasan_init", "HWAddressSanitizer" },
	{ "__lsan_init", "LeakSanitizer" },
	{ "__msan_init", "MemorySanitizer" },
	{ "__tsan_init", "ThreadSanitizer" },
};

/* What the program asks the loader for, or offers: its dynamic symbols. */
static const char *by_symbols(Elf *elf, Elf_Scn *section, const GElf_Shdr *header)
{
	Elf_Data *data = elf_getdata(section, NULL);
	size_t i, k, n = header->sh_entsize ? header->sh_size / header->sh_entsize : 0;
	const char *name;
	GElf_Sym symbol;

	for (i = 0; data && i < n; i++) {
		if (!gelf_getsym(data, (int)i, &symbol))
			continue;
		name = elf_strptr(elf, header->sh_link, symbol.st_name);
		for (k = 0; name && k < sizeof(sanitizers) / sizeof(*sanitizers); k++)
			if (strcmp(name, sanitizers[k].symbol) == 0)
				return sanitizers[k].name;
	}
	return NULL;
}

static const char *sanitizer_of(int fd)
{
	const char *name = NULL;
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	while (elf && !name && (section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, &header) && header.sh_type == SHT_DYNSYM)
			name = by_symbols(elf, section, &header);
	elf_end(elf);
	return name;
}

int sanitized(const char *path, int fd)
{
	const char *name = sanitizer_of(fd);

	if (!name)
		return 0;
	complain("%s was built with %s, which brings a malloc of its own and allows no"
		 " other: run a build without it", path, name);
	return 1;
}

int is_valgrind(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	if (strcmp(name, "valgrind") && strcmp(name, "valgrind.bin"))
		return 0;
	complain("valgrind puts a malloc of its own in the hook's place, and nothing would"
		 " be counted: run valgrind alone, or preload the library yourself and give"
		 " valgrind --soname-synonyms=somalloc=nouserintercepts");
	return 1;
}
