/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * contrib/skynet/malloc_hook.c in a small host: services are owners, exited
 * ones are retired, Lua is counted, and what the console asks is answered.
 * Built twice: WRAPPED as doc/SKYNET.md says, and without ld's --wrap.
 */
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "malloc_hook.h"
#include "services.h"

#define MAIN_THREAD 0xffffffffu

/* An exit is seen at once, or by the next look at all owners. */
static void leave(uint32_t handle)
{
	skynet_handle_retire(handle);
#ifndef WRAPPED
	dump_c_mem();
	what_was_logged();
#endif
}

START_TEST(a_service_is_an_owner)
{
	uint32_t one = launch(), two = launch();
	void *p = allocate_in(one, 100), *q = allocate_in(two, 50);
	char name[16];

	snprintf(name, sizeof(name), ":%08x", one);
	ck_assert_str_eq(stats_of(owner_of(p)).name, name);
	ck_holds(owner_of(p), 100, 1);
	ck_holds(owner_of(q), 50, 1);
	service_dispatch(one);
	ck_assert_uint_eq(malloc_current_memory(), 100);
	free(q); /* a message that the other one sent */
	service_dispatch(two);
	ck_assert_uint_eq(malloc_current_memory(), 0);
	q = skynet_strdup("text");
	ck_assert_uint_eq(malloc_current_memory(), 5);
	free(q);
	q = skynet_strndup("text", 2);
	ck_assert_str_eq(q, "te");
	ck_assert_uint_eq(malloc_current_memory(), 3);
	free(q);
	ck_assert_int_eq(skynet_asprintf((char **)&q, "%s %d", "text", 12345), 10);
	ck_assert_str_eq(q, "text 12345");
	ck_assert_uint_gt(malloc_current_memory(), 0);
	free(q);
	ck_assert_uint_eq(malloc_current_memory(), 0);
	free(p);
}
END_TEST

START_TEST(threads_without_a_service)
{
	void *p = allocate_in(0, 10), *q = allocate_in(MAIN_THREAD, 20);

	ck_assert_uint_eq(owner_of(p), MEMHOOK_NOBODY);
	ck_assert_str_eq(stats_of(owner_of(q)).name, ":ffffffff");
	dump_c_mem(); /* they have no handle to be found, and are not gone */
	ck_assert_uint_eq(stats_of(owner_of(q)).state, MEMHOOK_STATE_ACTIVE);
	skynet_handle_retire(MAIN_THREAD); /* `kill :ffffffff` */
	ck_assert_uint_eq(stats_of(owner_of(q)).state, MEMHOOK_STATE_ACTIVE);
	free(p);
	free(q);
}
END_TEST

START_TEST(an_exited_service_is_retired)
{
	uint32_t handle = launch();
	void *p = allocate_in(handle, 100), *late;
	memhook_owner owner = owner_of(p);
	char text[64];

	leave(handle);
	ck_assert_uint_eq(stats_of(owner).state, MEMHOOK_STATE_RETIRED);
	ck_holds(owner, 100, 1);
	dump_c_mem();
	snprintf(text, sizeof(text), ":%08x (exited): 100 bytes in 1 blocks", handle);
	ck_assert_ptr_nonnull(strstr(what_was_logged(), text));
	skynet_handle_retire(handle); /* `kill` of the dead */
#ifdef WRAPPED
	/* The rest of its last message. */
	late = allocate_in(handle, 7);
	ck_assert_uint_eq(owner_of(late), MEMHOOK_NOBODY);
	free(late);
#else
	(void)late;
#endif
	ck_holds(owner, 100, 1);
	free(p);
}
END_TEST

START_TEST(a_handle_used_again_is_a_new_owner)
{
	uint32_t first, again;
	memhook_owner old, new;
	void *p, *q;

	service_count_from(1000);
	first = launch();
	p = allocate_in(first, 100);
	old = owner_of(p);
	leave(first);
	service_count_from(1000);
	again = launch();
	ck_assert_uint_eq(again, first);
	q = allocate_in(again, 50);
	new = owner_of(q);
	ck_assert_uint_ne(old, new);
	ck_assert_str_eq(stats_of(old).name, stats_of(new).name);
	ck_holds(old, 100, 1);
	ck_holds(new, 50, 1);
	free(p);
	ck_holds(new, 50, 1);
	free(q);
}
END_TEST

/* As service_snlua.c has it: the state's own function around skynet_lalloc. */
static void *lalloc(void *ud, void *ptr, size_t osize, size_t nsize)
{
	(void)ud;
	return skynet_lalloc(ptr, osize, nsize);
}

static lua_State *start_lua(uint32_t handle)
{
	lua_State *L;

	service_dispatch(handle);
	L = lua_newstate(lalloc, NULL);
	ck_assert_ptr_nonnull(L);
	luaL_openlibs(L);
	return L;
}

START_TEST(lua_is_counted)
{
	lua_State *L = start_lua(launch());

	ck_assert_int_eq(luaL_dostring(L, "t = {} for i = 1, 10000 do t[i] = {} end"),
			 LUA_OK);
	ck_assert_uint_eq(malloc_current_memory(),
			  (size_t)lua_gc(L, LUA_GCCOUNT) * 1024 +
				  (size_t)lua_gc(L, LUA_GCCOUNTB));
	lua_close(L);
	ck_assert_uint_eq(malloc_current_memory(), 0);
}
END_TEST

#define MANY 100

/* What debug_console.lua does with memory.info() for `cmem`. */
static const char cmem[] =
	"local sum, out = 0, {}\n"
	"for k, v in pairs(info()) do\n"
	"  k = math.type(k) and string.format(':%08x', k) or k\n"
	"  assert(math.type(v) == 'integer' and not out[k])\n"
	"  out[k], sum = v, sum + v\n"
	"end\n"
	"return out, sum\n";

static lua_Integer shown(lua_State *L, uint32_t handle, const char *more)
{
	char key[32];

	snprintf(key, sizeof(key), ":%08x%s", handle, more);
	if (lua_getfield(L, -2, key) != LUA_TNUMBER)
		ck_abort_msg("no %s", key);
	return lua_tointeger(L, -1);
}

START_TEST(the_console_s_cmem)
{
	uint32_t console, live, gone, many, i;
	void *p, *q[2], *of_many[MANY];
	lua_State *L;

	service_count_from(2000);
	console = launch();
	live = launch();
	p = allocate_in(live, 12345);
	for (i = 0; i < 2; i++) { /* one address, two services, both gone */
		service_count_from(3000);
		gone = launch();
		q[i] = allocate_in(gone, 1000);
		leave(gone);
	}
	for (i = 0; i < MANY; i++) { /* more than the list has room for at first */
		many = launch();
		of_many[i] = allocate_in(many, 500 + i);
	}
	L = start_lua(console);
	lua_register(L, "info", dump_mem_lua);
	if (luaL_loadstring(L, cmem) || lua_pcall(L, 0, 2, 0))
		ck_abort_msg("%s", lua_tostring(L, -1));
	ck_assert_int_eq(shown(L, live, ""), 12345);
	lua_pop(L, 1);
	ck_assert_int_eq(shown(L, gone, " exited"), 2000);
	lua_pop(L, 1);
	ck_assert_int_eq(shown(L, many, ""), 500 + MANY - 1);
	lua_pop(L, 1);
	ck_assert_int_gt(shown(L, console, ""), 10000);
	lua_pop(L, 1);
	ck_assert_int_ge(lua_tointeger(L, -1), 14345 + MANY * 500);
	lua_close(L);
	service_dispatch(0);
	free(p);
	free(q[0]);
	free(q[1]);
	for (i = 0; i < MANY; i++)
		free(of_many[i]);
}
END_TEST

static int add(const struct memhook_stats *s, void *sum)
{
	*(uint64_t *)sum += s->live_bytes;
	return 0;
}

START_TEST(the_console_s_mem_and_jmem)
{
	static const char *const names[] = { "stats.allocated", "stats.active",
					     "stats.resident", "stats.mapped" };
	size_t one = 1, n, last = 1, bytes = malloc_used_memory(),
	       blocks = malloc_memory_block(), i;
	uint64_t sum = 0;
	void *p = allocate_in(launch(), 1000000);

	ck_assert_uint_ge(malloc_used_memory(), bytes + 1000000);
	ck_assert_uint_gt(malloc_memory_block(), blocks);
	memhook_each(add, &sum);
	ck_assert_uint_eq(malloc_used_memory(), sum);

	ck_assert_uint_eq(mallctl_int64("epoch", &one), 1);
	for (i = 0; i < 4; i++, last = n) {
		n = mallctl_int64(names[i], NULL);
		ck_assert_uint_ne(n, SIZE_MAX);
		ck_assert_uint_ge(n, last); /* each holds the one before */
	}
	ck_assert_uint_ge(mallctl_int64("stats.allocated", NULL), malloc_used_memory());
	ck_assert_uint_ne(mallctl_int64("stats.retained", NULL), SIZE_MAX);
	ck_assert_str_eq(what_was_logged(), "");
	free(p);
}
END_TEST

START_TEST(controls_that_are_not_there)
{
	size_t value = 1;
	bool on = true;
	int opt = 1;

	errno = 0;
	ck_assert_uint_eq(mallctl_int64("arenas.narenas", NULL), SIZE_MAX);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_uint_eq(mallctl_int64("stats.", NULL), SIZE_MAX);
	ck_assert_uint_eq(mallctl_int64("stats.alloc", NULL), SIZE_MAX);
	ck_assert_uint_eq(mallctl_int64("stats.allocated", &value), SIZE_MAX);
	what_was_logged();
	ck_assert_int_eq(mallctl_opt("background_thread", &opt), -1);
	ck_assert(!mallctl_bool("prof.active", &on));
	ck_assert_int_eq(mallctl_cmd("prof.dump"), ENOENT);
	ck_assert_str_eq(what_was_logged(),
			 "background_thread: libmemhook's jemalloc is private, it has no "
			 "such control\n"
			 "prof.active: libmemhook's jemalloc is private, it has no such "
			 "control\n"
			 "prof.dump: libmemhook's jemalloc is private, it has no such "
			 "control\n");
}
END_TEST

static const char *on_stderr(void (*say)(const char *), const char *arg)
{
	static char text[65536];
	FILE *f = tmpfile();
	int saved = dup(2);
	ssize_t n;

	fflush(stderr);
	dup2(fileno(f), 2);
	say(arg);
	fflush(stderr);
	dup2(saved, 2);
	close(saved);
	n = pread(fileno(f), text, sizeof(text) - 1, 0);
	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	fclose(f);
	return text;
}

START_TEST(what_goes_to_standard_error)
{
	uint32_t handle = launch();
	void *p = allocate_in(handle, 1000);
	unsigned said = 0, bytes = 0;
	char address[16];
	const char *text;

	service_dispatch(handle);
	text = on_stderr(skynet_debug_memory, "here"); /* allocates a stream */
	service_dispatch(0);
	ck_assert_int_eq(sscanf(text, "[:%x] here: %u bytes\n", &said, &bytes), 2);
	ck_assert_uint_eq(said, handle);
	ck_assert_uint_ge(bytes, 1000);
	ck_assert_uint_lt(bytes, 10000);
	snprintf(address, sizeof(address), ":%08x", handle);
	text = on_stderr(memory_info_dump, "mdal");
	ck_assert_ptr_nonnull(strstr(text, address));
	ck_assert_ptr_nonnull(strstr(text, "<allocated size="));
	free(p);
}
END_TEST

/* The library built without jemalloc: the same answers would be untrue. */
START_TEST(the_passthrough_says_so)
{
	static const char said[] = "memory is not counted: ";
	lua_State *L = start_lua(launch());

	ck_assert_uint_gt(malloc_used_memory(), 10000); /* libc knows */
	ck_assert_uint_eq(malloc_memory_block(), 0);
	ck_assert_int_eq(strncmp(what_was_logged(), said, strlen(said)), 0);
	dump_c_mem();
	ck_assert_int_eq(strncmp(what_was_logged(), said, strlen(said)), 0);
	ck_assert_int_eq(dump_mem_lua(L), 1);
	ck_assert(lua_istable(L, -1));
	lua_pushnil(L);
	ck_assert_int_eq(lua_next(L, -2), 0);
	ck_assert_uint_eq(mallctl_int64("stats.allocated", NULL), SIZE_MAX);
	ck_assert_uint_eq(malloc_current_memory(), 0);
	ck_assert_ptr_nonnull(strstr(on_stderr(memory_info_dump, NULL), "<malloc version"));
	lua_close(L);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("skynet");
	const char *mode = getenv("MEMHOOK_MODE");

	host_start();
	if (mode && strcmp(mode, "passthrough") == 0) {
		tcase_add_test(c, the_passthrough_says_so);
		return run_case(c);
	}
	tcase_add_test(c, a_service_is_an_owner);
	tcase_add_test(c, threads_without_a_service);
	tcase_add_test(c, an_exited_service_is_retired);
	tcase_add_test(c, a_handle_used_again_is_a_new_owner);
	tcase_add_test(c, lua_is_counted);
	tcase_add_test(c, the_console_s_cmem);
	tcase_add_test(c, the_console_s_mem_and_jmem);
	tcase_add_test(c, controls_that_are_not_there);
	tcase_add_test(c, what_goes_to_standard_error);
	add_crowds(c);
	return run_case(c);
}
