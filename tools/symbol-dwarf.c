/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address -> function, file, line.
 *
 * libdw's own dwarf_getscopes() walks a compilation unit again for each
 * address.  We do it once per unit, keep where its functions lie, and walk
 * within the one function that has the address.
 */
#include "symbols.h"

#include <dwarf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEEPEST 64 /* namespaces in each other, inlined functions in each other */

/* libstdc++'s, as elfutils' own tools use it; C has no header for it. */
char *__cxa_demangle(const char *name, char *buf, size_t *size, int *status);

static void copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from ? from : "");
}

static int is_mangled(const char *name)
{
	return strncmp(name, "_Z", 2) == 0;
}

static void copy_demangled(char *to, size_t size, const char *name)
{
	char *readable = NULL, *clone;
	int status;

	/* Without the test, "f" would become "float". */
	if (name && is_mangled(name))
		readable = __cxa_demangle(name, NULL, NULL, &status);
	copy(to, size, readable ? readable : name);
	free(readable);
	/* " [clone .cold]": how it was compiled */
	clone = strstr(to, " [clone ");
	if (clone)
		*clone = '\0';
}

static void add_span(struct symbol_spans *s, Dwarf_Addr low, Dwarf_Addr high,
		     Dwarf_Off die)
{
	if (low >= high)
		return;
	if (s->n == s->room) {
		size_t room = s->room ? 2 * s->room : 64;
		void *v = reallocarray(s->v, room, sizeof(*s->v));

		if (!v)
			return;
		s->v = v;
		s->room = room;
	}
	s->v[s->n++] = (struct symbol_span){ low, high, die };
}

static void add_die(struct symbol_spans *s, Dwarf_Die *die)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t at = 0;

	while ((at = dwarf_ranges(die, at, &base, &low, &high)) > 0)
		add_span(s, low, high, dwarf_dieoffset(die));
}

static int by_low(const void *a, const void *b)
{
	const struct symbol_span *x = a, *y = b;

	return (x->low > y->low) - (x->low < y->low);
}

static void sort_spans(struct symbol_spans *s)
{
	if (s->n)
		qsort(s->v, s->n, sizeof(*s->v), by_low);
}

/* The last one that begins at or before pc, if it reaches so far. */
static const struct symbol_span *span_at(const struct symbol_spans *s, Dwarf_Addr pc)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->v[middle].low <= pc)
			low = middle + 1;
		else
			high = middle;
	}
	return low && pc < s->v[low - 1].high ? &s->v[low - 1] : NULL;
}

/* Functions that have code.  gcc puts them below the unit, clang where they
 * were declared. */
static void collect(struct symbol_spans *s, Dwarf_Die *parent, unsigned depth)
{
	Dwarf_Die die;

	if (depth > DEEPEST || dwarf_child(parent, &die))
		return;
	do {
		switch (dwarf_tag(&die)) {
		case DW_TAG_subprogram:
			add_die(s, &die);
			break;
		case DW_TAG_namespace:
		case DW_TAG_module:
		case DW_TAG_class_type:
		case DW_TAG_structure_type:
			collect(s, &die, depth + 1);
		}
	} while (dwarf_siblingof(&die, &die) == 0);
}

static struct symbol_unit *unit_of(struct symbol_file *f, Dwarf_Die *cu)
{
	Dwarf_Off offset = dwarf_dieoffset(cu);
	struct symbol_unit *u, **link;

	for (link = &f->units; (u = *link); link = &u->next) {
		if (u->offset == offset) {
			*link = u->next;
			break;
		}
	}
	if (!u) {
		u = calloc(1, sizeof(*u));
		if (!u)
			return NULL;
		u->offset = offset;
		collect(&u->functions, cu, 0);
		sort_spans(&u->functions);
	}
	u->next = f->units;
	f->units = u;
	return u;
}

/* clang leaves .debug_aranges out, which libdw finds units by. */
static Dwarf_Die *search_units(struct symbol_file *f, Dwarf_Addr address,
			       Dwarf_Addr *bias, Dwarf_Die *found)
{
	Dwarf *dwarf = dwfl_module_getdwarf(f->module, bias);
	const struct symbol_span *span;
	Dwarf_Die *cu = NULL;

	if (!dwarf)
		return NULL;
	if (!f->have_cus) {
		while ((cu = dwfl_module_nextcu(f->module, cu, bias)))
			add_die(&f->cus, cu);
		sort_spans(&f->cus);
		f->have_cus = 1;
	}
	span = span_at(&f->cus, address - *bias);
	return span ? dwarf_offdie(dwarf, span->die, found) : NULL;
}

/* The function at pc, then what was inlined into it there; how many. */
static unsigned find_frames(struct symbol_file *f, Dwarf_Die *cu, Dwarf_Addr pc,
			    Dwarf_Die *frames)
{
	const struct symbol_unit *u = unit_of(f, cu);
	const struct symbol_span *span = u ? span_at(&u->functions, pc) : NULL;
	Dwarf_Addr bias;
	Dwarf *dwarf = dwfl_module_getdwarf(f->module, &bias);
	Dwarf_Die block, die;
	unsigned n = 1;
	int more;

	if (!span || !dwarf_offdie(dwarf, span->die, &frames[0]))
		return 0;
	block = frames[0];
	for (more = dwarf_child(&block, &die); more == 0;) {
		int tag = dwarf_tag(&die);

		if ((tag != DW_TAG_inlined_subroutine && tag != DW_TAG_lexical_block) ||
		    dwarf_haspc(&die, pc) <= 0) {
			more = dwarf_siblingof(&die, &die);
			continue;
		}
		if (tag == DW_TAG_inlined_subroutine && n < DEEPEST)
			frames[n++] = die;
		block = die;
		more = dwarf_child(&block, &die);
	}
	return n;
}

/*
 * Its whole name?  gcc has none of a static function, and libc's sources call
 * strdup "__GI___strdup" there.
 */
static int name_of(Dwarf_Die *die, char *to, size_t size)
{
	Dwarf_Attribute a;
	const char *name = NULL;

	if (dwarf_attr_integrate(die, DW_AT_linkage_name, &a) ||
	    dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &a))
		name = dwarf_formstring(&a);
	if (name && is_mangled(name)) {
		copy_demangled(to, size, name);
		return 1;
	}
	if (dwarf_attr_integrate(die, DW_AT_name, &a))
		name = dwarf_formstring(&a);
	copy(to, size, name);
	return 0;
}

/*
 * The symbol must say that it reaches so far: in a stripped file the nearest
 * one before a static function is another function's.
 */
static const char *symbol_at(struct symbol_file *f, GElf_Addr address, GElf_Off *offset)
{
	GElf_Sym symbol;
	const char *name = dwfl_module_addrinfo(f->module, address, offset, &symbol,
						NULL, NULL, NULL);

	return name && *offset < symbol.st_size ? name : NULL;
}

static void called_at(Dwarf_Die *cu, Dwarf_Die *inlined, struct symbol_answer *a)
{
	Dwarf_Word file = 0, line = 0;
	Dwarf_Attribute attr;
	Dwarf_Files *files;
	size_t n;

	a->file[0] = '\0';
	dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attr), &file);
	dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attr), &line);
	if (dwarf_getsrcfiles(cu, &files, &n) == 0 && file < n)
		copy(a->file, sizeof(a->file), dwarf_filesrc(files, file, NULL, NULL));
	a->line = (uint32_t)line;
}

static int is_system_header(const char *file)
{
	return strstr(file, "/include/c++/") || strncmp(file, "/usr/include/", 13) == 0;
}

/* libc's own sources wrap some of these in inlined functions of the same name. */
static int is_allocator(const char *name)
{
	static const char *const names[] = { "malloc", "calloc", "realloc", "free",
					     "strdup", "strndup" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(name, names[i]) == 0)
			return 1;
	return 0;
}

/*
 * The innermost function, with the line that is called from.  Inlined ones
 * from the system's headers are passed over: that some std::allocator called
 * operator new is true of every container, and tells nothing.
 */
static void choose(struct symbol_file *f, GElf_Addr address, Dwarf_Die *cu,
		   Dwarf_Die *frames, unsigned n, struct symbol_answer *a)
{
	const char *symbol;
	GElf_Off offset;
	unsigned i = n - 1;
	int whole;

	while (whole = name_of(&frames[i], a->function, sizeof(a->function)),
	       i > 0 && (is_system_header(a->file) || is_allocator(a->function)))
		called_at(cu, &frames[i--], a);
	if (whole || i > 0)
		return;
	/* Of C++ the symbol tells the namespaces; of C it may be "f.part.0". */
	symbol = symbol_at(f, address, &offset);
	if (symbol && is_mangled(symbol))
		copy_demangled(a->function, sizeof(a->function), symbol);
}

static void from_dwarf(struct symbol_file *f, GElf_Addr address, struct symbol_answer *a)
{
	Dwarf_Die frames[DEEPEST], found, *cu;
	Dwarf_Line *line;
	Dwarf_Addr bias;
	int number = 0;
	unsigned n;

	cu = dwfl_module_addrdie(f->module, address, &bias);
	if (!cu)
		cu = search_units(f, address, &bias, &found);
	if (!cu)
		return;
	line = dwarf_getsrc_die(cu, address - bias);
	if (line && dwarf_lineno(line, &number) == 0)
		copy(a->file, sizeof(a->file), dwarf_linesrc(line, NULL, NULL));
	a->line = (uint32_t)number;
	n = find_frames(f, cu, address - bias, frames);
	if (n)
		choose(f, address, cu, frames, n, a);
}

static void from_symbols(struct symbol_file *f, GElf_Addr address,
			 struct symbol_answer *a)
{
	GElf_Off offset = 0;
	const char *name = symbol_at(f, address, &offset);

	if (!name)
		return;
	copy_demangled(a->function, sizeof(a->function), name);
	a->function_offset = offset + 1; /* that of the return address again */
}

/* A return address into Thumb code is odd; one back of it the next line begins. */
static GElf_Addr thumb(const struct symbol_file *f, GElf_Addr address)
{
	GElf_Addr bias;
	GElf_Ehdr header;
	Elf *elf = dwfl_module_getelf(f->module, &bias);

	return elf && gelf_getehdr(elf, &header) && header.e_machine == EM_ARM &&
	       address % 2 == 0;
}

void symbol_lookup(struct symbol_file *f, uint64_t address, struct symbol_answer *a)
{
	GElf_Addr at = address - thumb(f, address) + f->bias;

	memset(a, 0, sizeof(*a));
	from_dwarf(f, at, a);
	if (!a->file[0])
		a->line = 0;
	if (!a->function[0])
		from_symbols(f, at, a);
}

void symbol_forget(struct symbol_file *f)
{
	struct symbol_unit *u;

	while ((u = f->units)) {
		f->units = u->next;
		free(u->functions.v);
		free(u);
	}
	free(f->cus.v);
	memset(&f->cus, 0, sizeof(f->cus));
	f->have_cus = 0;
}
