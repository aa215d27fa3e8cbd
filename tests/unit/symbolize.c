/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tool's side of naming call sites: what is asked and what is known
 * already, short names, and a child that does its worst.  The parts that read
 * object files are replaced by ones that do what an object's path says.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common.h"
#include "symbolize.h"
#include "symbols.h"

/* --- in the child: what the path says --- */

struct symbol_file *symbol_file_open(const struct symbol_place *place,
				     const struct mh_object *object)
{
	struct symbol_file *f = calloc(1, sizeof(*f));

	f->place = place;
	f->object = object;
	return f;
}

void symbol_file_close(struct symbol_file *f)
{
	free(f);
}

static int answers_at(void)
{
	struct stat st;
	int fd;

	for (fd = 3; fd < 100; fd++)
		if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode))
			return fd;
	return -1;
}

/* The sizes of an answer, far too large, again and again. */
static void flood(void)
{
	static unsigned char junk[65536];
	int fd = answers_at(), i;

	memset(junk, 0xff, sizeof(junk));
	for (i = 0; i < 1000; i++)
		if (write(fd, junk, sizeof(junk)) < 0)
			_exit(3);
}

static unsigned open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 3; /* ".", "..", and dir itself */
}

static int is_confined(void)
{
	struct rlimit core, size, cpu;

	return getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0 &&
	       getrlimit(RLIMIT_FSIZE, &size) == 0 && size.rlim_max == 0 &&
	       getrlimit(RLIMIT_CPU, &cpu) == 0 && cpu.rlim_max != RLIM_INFINITY &&
	       !getenv("DEBUGINFOD_URLS");
}

void symbol_lookup(struct symbol_file *f, uint64_t address, struct symbol_answer *a)
{
	const char *path = f->object->path;

	memset(a, 0, sizeof(*a));
	if (strncmp(path, "/abort", 6) == 0)
		abort();
	if (strcmp(path, "/exit") == 0)
		_exit(0);
	if (strcmp(path, "/flood") == 0)
		flood();
	if (strcmp(path, "/nothing") == 0)
		return;
	strcpy(a->function, is_confined() ? "confined" : "free");
	strcpy(a->file, path);
	a->line = strcmp(path, "/files") == 0 ? open_files()
		  : strcmp(path, "/pid") == 0 ? (uint32_t)getpid() : (uint32_t)address;
}

/* --- a snapshot with one site in each of these objects --- */

#define MOST 16

static struct mh_object objects[MOST];
static struct mh_owner table[MOST];
static struct memhook_stats owners[MOST];

static struct mh_snapshot snapshot_of(const char *const *paths)
{
	struct mh_snapshot s = { .table = table, .objects = objects, .owners = owners,
				 .time_unix_ms = 5000, .uptime_ms = 1000 };
	uint32_t i;

	for (i = 0; paths[i]; i++) {
		memset(&objects[i], 0, sizeof(objects[i]));
		strcpy(objects[i].path, paths[i]);
		table[i].where = MH_WHERE(i, 41 + i);
		owners[i] = (struct memhook_stats){ .owner = i,
						    .kind = MEMHOOK_KIND_SITE };
	}
	s.table_rows = s.object_count = i;
	s.owner_count = i;
	return s;
}

static const char *file_of(const struct mh_snapshot *s, uint32_t row)
{
	const struct mh_symbol *symbol = mh_owner_symbol(s, &owners[row]);

	return symbol ? symbol->file : NULL;
}

START_TEST(each_site_is_asked_for)
{
	static const char *const paths[] = { "/a", "/nothing", "/b", NULL };
	struct mh_snapshot s = snapshot_of(paths);
	const struct mh_symbol *symbol;

	symbolize_snapshot(&s, 0, 0);
	symbol = mh_owner_symbol(&s, &owners[2]);
	ck_assert_ptr_nonnull(symbol);
	ck_assert_str_eq(symbol->function, "confined");
	ck_assert_str_eq(symbol->file, "/b");
	ck_assert_uint_eq(symbol->line, 42); /* one before the return address */
	ck_assert_str_eq(symbol->label, "confined (b:42)");
	ck_assert_str_eq(file_of(&s, 0), "/a");
	ck_assert_ptr_null(mh_owner_symbol(&s, &owners[1]));
}
END_TEST

START_TEST(only_sites_that_are_shown)
{
	static const char *const paths[] = { "/a", "/b", "/c", "/d", NULL };
	struct mh_snapshot s = snapshot_of(paths);

	owners[1].kind = MEMHOOK_KIND_LIBRARY;
	table[2].where = MH_WHERE(77, 5); /* no such object */
	s.owner_count = 3;
	symbolize_snapshot(&s, 0, 0);
	ck_assert_str_eq(file_of(&s, 0), "/a");
	ck_assert_ptr_null(s.symbols[1].label);
	ck_assert_ptr_null(s.symbols[2].label);
	ck_assert_ptr_null(s.symbols[3].label);
}
END_TEST

/* The line is the child's number: another child would give another. */
START_TEST(what_is_known_is_not_asked_again)
{
	static const char *const paths[] = { "/pid", NULL };
	struct mh_snapshot s = snapshot_of(paths);
	uint32_t line;

	symbolize_snapshot(&s, 0, 0);
	line = mh_owner_symbol(&s, &owners[0])->line;
	free(s.symbols);
	symbolize_snapshot(&s, 0, 0);
	ck_assert_uint_eq(mh_owner_symbol(&s, &owners[0])->line, line);
	/* Another build of it is another object, and so in another process. */
	objects[0].build_id_size = 1;
	symbolize_snapshot(&s, 0, 0);
	ck_assert_uint_ne(mh_owner_symbol(&s, &owners[0])->line, line);
	line = mh_owner_symbol(&s, &owners[0])->line;
	s.uptime_ms = 900;
	symbolize_snapshot(&s, 0, 0);
	ck_assert_uint_ne(mh_owner_symbol(&s, &owners[0])->line, line);
}
END_TEST

START_TEST(a_child_that_dies_costs_one_object)
{
	static const char *const paths[] = { "/a", "/abort", "/b", "/exit", "/c",
					     "/d", "/e", "/f",	  NULL };
	struct mh_snapshot s = snapshot_of(paths);
	uint32_t i;

	for (i = 5; i < 8; i++)
		table[i].where = MH_WHERE(1, 200 + i);

	symbolize_snapshot(&s, 0, 0);
	ck_assert_str_eq(file_of(&s, 0), "/a");
	ck_assert_ptr_null(file_of(&s, 1));
	ck_assert_str_eq(file_of(&s, 2), "/b");
	ck_assert_ptr_null(file_of(&s, 3));
	ck_assert_str_eq(file_of(&s, 4), "/c");
}
END_TEST

START_TEST(children_that_die_are_given_up)
{
	static const char *const paths[] = { "/a",	"/abort1", "/abort2", "/abort3",
					     "/abort4", "/b",	   NULL };
	struct mh_snapshot s = snapshot_of(paths);

	symbolize_snapshot(&s, 0, 0);
	ck_assert_str_eq(file_of(&s, 0), "/a");
	ck_assert_ptr_null(file_of(&s, 5));
}
END_TEST

START_TEST(a_child_that_lies_is_not_believed)
{
	static const char *const paths[] = { "/a", "/flood", "/b", NULL };
	struct mh_snapshot s = snapshot_of(paths);

	symbolize_snapshot(&s, 0, 0);
	ck_assert_str_eq(file_of(&s, 0), "/a");
	ck_assert_ptr_null(file_of(&s, 1));
	ck_assert_str_eq(file_of(&s, 2), "/b");
}
END_TEST

START_TEST(a_child_has_little)
{
	static const char *const paths[] = { "/files", NULL };
	struct mh_snapshot s = snapshot_of(paths);
	int i, fds[20];

	setenv("DEBUGINFOD_URLS", "http://127.0.0.1:1", 1);
	for (i = 0; i < 20; i++)
		fds[i] = open("/dev/null", O_RDONLY);
	symbolize_snapshot(&s, getpid(), 0);
	ck_assert_str_eq(mh_owner_symbol(&s, &owners[0])->function, "confined");
	/* 0, 1, 2; the process's root, folder and file; the pipe; /dev/null */
	ck_assert_uint_le(mh_owner_symbol(&s, &owners[0])->line, 8);
	for (i = 0; i < 20; i++)
		close(fds[i]);
}
END_TEST

static const struct {
	const char *function, *shortened;
} names[] = {
	{ "main", "main" },
	{ "app::load(int)", "app::load" },
	{ "app::(anonymous namespace)::hidden(int)", "app::hidden" },
	{ "void std::vector<int, std::allocator<int> >::_M_realloc_insert<int const&>"
	  "(__gnu_cxx::__normal_iterator<int*, std::vector<int> >, int const&)",
	  "std::vector::_M_realloc_insert" },
	{ "std::__cxx11::basic_string<char>::_M_construct(unsigned long, char)",
	  "std::basic_string::_M_construct" },
	{ "app::shelf<int>::operator<<(int const&)", "app::shelf::operator<<" },
	{ "std::ostream& app::operator<< <int>(std::ostream&, int)",
	  "app::operator<<" },
	{ "a::operator()(int) const", "a::operator()" },
	{ "a::operator->() const", "a::operator->" },
	{ "a::operator[](int)", "a::operator[]" },
	{ "a::operator<(a const&)", "a::operator<" },
	{ "operator new(unsigned long)", "operator new" },
	{ "a::operator std::string() const", "a::operator std::string" },
	{ "my_operator<int>(int)", "my_operator" },
	{ "app::lambda()::{lambda(int)#1}::operator()(int) const",
	  "app::lambda::{lambda#1}::operator()" },
	{ "f() const::{lambda()#2}::operator()() const", "f::{lambda#2}::operator()" },
	{ "std::enable_if<true, int>::type g<int>(int)", "g" },
	{ "decltype (a->b) h<int>(int)", "h" },
	{ "f[abi:cxx11](int)", "f" },
	{ "core::ptr::drop_in_place<alloc::vec::Vec<u8>>", "core::ptr::drop_in_place" },
	/* what no compiler makes */
	{ "", "" },
	{ "(", "(" },
	{ "<<<<", "<<<<" },
	{ "a<b", "a" },
	{ "a)>}b", "a)>}b" },
	{ "{", "{" },
	{ "operator", "operator" },
	{ "operator(", "operator" },
	{ "a->", "a->" },
	{ "  ", "  " },
};

START_TEST(short_names)
{
	char shortened[256];

	symbol_short_name(names[_i].function, shortened);
	ck_assert_str_eq(shortened, names[_i].shortened);
}
END_TEST

static const struct {
	const char *function, *file;
	unsigned line, offset;
	const char *object, *label;
} labels[] = {
	{ "load(int)", "/src/a.cc", 7, 0, "/lib/b.so", "load (a.cc:7)" },
	{ "", "/src/a.cc", 7, 0, "/lib/b.so", "b.so (a.cc:7)" },
	{ "deep::down::in::the::salty::sea(int)", "", 0, 1, "x",
	  "down::in::the::salty::sea+0x1" },
	{ "load", "", 0, 26, "/lib/b.so.1", "load+0x1a (b.so.1)" },
	{ "deep::down::in::the::sea(int)", "s.cc", 10, 0, "x",
	  "down::in::the::sea (s.cc:10)" },
	{ "deep::down::in::the::sea(int)", "", 0, 1, "x",
	  "deep::down::in::the::sea+0x1" },
	{ "a_name_that_is_long_enough(int)", "file.cc", 10, 0, "x",
	  "a_name_that_is.. (file.cc:10)" },
	{ "f()", "a_file_of_a_long_name.cc", 10, 0, "x", "f (a_file_of_a_..:10)" },
	{ "a_name_that_is_long_enough()", "a_file_of_a_long_name.cc", UINT32_MAX, 0, "x",
	  "a (a_file_of_a_..:4294967295)" },
	{ "a_name_that_is_long_enough()", "a_file_of_a_long_name.cc", 123456789, 0, "x",
	  ".. (a_file_of_a_..:123456789)" },
	{ "f", "", 0, 26, "/lib/library-of-a-long-name.so", "f+0x1a" },
	{ "app::of_a_long_name::operator()(int)", "file.cc", 10, 0, "x",
	  "of_a_long_name.. (file.cc:10)" },
	{ "app::f()::{lambda()#1}::operator()() const", "a.cc", 1, 0, "x",
	  "app::f::{lambda#1} (a.cc:1)" },
};

START_TEST(names_in_a_column)
{
	struct symbol_answer a = { .line = labels[_i].line,
				   .function_offset = labels[_i].offset };
	char *label;

	strcpy(a.function, labels[_i].function);
	strcpy(a.file, labels[_i].file);
	label = symbol_label(&a, labels[_i].object);
	ck_assert_uint_le(strlen(label), MH_NAME_WIDTH);
	ck_assert_str_eq(label, labels[_i].label);
	free(label);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("symbolize");

	tcase_add_test(c, each_site_is_asked_for);
	tcase_add_test(c, only_sites_that_are_shown);
	tcase_add_test(c, what_is_known_is_not_asked_again);
	tcase_add_test(c, a_child_that_dies_costs_one_object);
	tcase_add_test(c, children_that_die_are_given_up);
	tcase_add_test(c, a_child_that_lies_is_not_believed);
	tcase_add_test(c, a_child_has_little);
	tcase_add_loop_test(c, short_names, 0, sizeof(names) / sizeof(*names));
	tcase_add_loop_test(c, names_in_a_column, 0, sizeof(labels) / sizeof(*labels));
	return run_case(c);
}
