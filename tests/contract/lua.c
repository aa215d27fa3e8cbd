/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Debian's Lua over memhook_lalloc: Lua counts every byte that it asks for,
 * and its owner holds just as many; running out of memory is LUA_ERRMEM.
 */
#include <pthread.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "../common.h"

/* What the state has asked for and not given back, by its own account. */
static uint64_t counted(lua_State *L)
{
	return (uint64_t)lua_gc(L, LUA_GCCOUNT) * 1024 + lua_gc(L, LUA_GCCOUNTB);
}

static lua_State *start(memhook_owner *owner)
{
	lua_State *L = lua_newstate(memhook_lalloc, owner);

	ck_assert_ptr_nonnull(L);
	luaL_openlibs(L);
	return L;
}

static void run(lua_State *L, const char *code)
{
	if (luaL_dostring(L, code) != LUA_OK)
		ck_abort_msg("%s", lua_tostring(L, -1));
}

/* A host's own function: buffer(bytes). */
static int buffer(lua_State *L)
{
	lua_Integer size = luaL_checkinteger(L, 1);

	if ((lua_Unsigned)size > PTRDIFF_MAX)
		size = PTRDIFF_MAX; /* a size_t may have 32 bits */
	lua_newuserdatauv(L, (size_t)size, 0);
	return 1;
}

static const char grow[] = "t = t or {} "
			   "for i = 1, 20000 do t[#t + 1] = 'row ' .. #t end";
static const char shrink[] = "t = nil collectgarbage() collectgarbage()";

START_TEST(an_owner_holds_what_lua_counts)
{
	memhook_owner o = fresh_owner("lua"), other = fresh_owner("host"), was;
	uint64_t small;
	lua_State *L;

	/* Lua's blocks go to its owner, whatever scope the host is in. */
	was = memhook_enter(other);
	L = start(&o);
	memhook_leave(was);
	ck_holds(other, 0, 0);
	ck_assert_uint_eq(stats_of(o).live_bytes, counted(L));
	small = counted(L);
	run(L, grow);
	ck_assert_uint_gt(counted(L), small + 500000);
	ck_assert_uint_eq(stats_of(o).live_bytes, counted(L));
	run(L, shrink);
	ck_assert_uint_lt(counted(L), small + 100000);
	ck_assert_uint_eq(stats_of(o).live_bytes, counted(L));
	lua_close(L);
	ck_holds(o, 0, 0);
}
END_TEST

START_TEST(states_do_not_mix)
{
	memhook_owner o[2] = { fresh_owner("lua/0"), fresh_owner("lua/1") };
	lua_State *L[2] = { start(&o[0]), start(&o[1]) };
	uint64_t before = counted(L[1]);

	run(L[0], grow);
	ck_assert_uint_eq(stats_of(o[1]).live_bytes, before);
	ck_assert_uint_eq(stats_of(o[0]).live_bytes, counted(L[0]));
	lua_close(L[0]);
	ck_holds(o[0], 0, 0);
	ck_assert_uint_eq(stats_of(o[1]).live_bytes, before);
	lua_close(L[1]);
	ck_holds(o[1], 0, 0);
}
END_TEST

static void *run_and_close(void *L)
{
	run(L, grow);
	lua_close(L);
	return NULL;
}

START_TEST(a_state_that_changes_threads)
{
	memhook_owner o = fresh_owner("lua moving");
	lua_State *L = start(&o);
	pthread_t thread;

	run(L, grow);
	ck_assert_int_eq(pthread_create(&thread, NULL, run_and_close, L), 0);
	pthread_join(thread, NULL);
	ck_holds(o, 0, 0);
}
END_TEST

START_TEST(what_is_refused_is_a_lua_error)
{
	memhook_owner o = fresh_owner("lua greedy");
	lua_State *L = start(&o);
	const char *said;

	lua_register(L, "buffer", buffer);
	ck_assert_int_eq(luaL_loadstring(L, "return buffer(1 << 62)"), LUA_OK);
	ck_assert_int_eq(lua_pcall(L, 0, 1, 0), LUA_ERRMEM);
	said = lua_tostring(L, -1);
	ck_assert_str_eq(said, "not enough memory");
	lua_pop(L, 1);
	run(L, grow); /* it lives on */
	run(L, "assert(not pcall(buffer, 1 << 62))");
	ck_assert_uint_eq(stats_of(o).live_bytes, counted(L));
	lua_close(L);
	ck_holds(o, 0, 0);
}
END_TEST

/* The owner's hard limit is the script's memory. */
START_TEST(a_limit_is_a_lua_error)
{
	memhook_owner o = fresh_owner("lua limited");
	lua_State *L = start(&o);

	ck_assert_int_eq(memhook_limit(o, 0, 200000, NULL, NULL), 0);
	ck_assert_int_eq(luaL_loadstring(L, grow), LUA_OK);
	ck_assert_int_eq(lua_pcall(L, 0, 0, 0), LUA_ERRMEM);
	ck_assert_str_eq(lua_tostring(L, -1), "not enough memory");
	lua_settop(L, 0);
	ck_assert_uint_le(stats_of(o).live_bytes, 200000);
	ck_assert_uint_eq(stats_of(o).live_bytes, counted(L));
	run(L, shrink); /* at the limit, too */
	run(L, "return ('x'):rep(1000)");
	ck_assert_uint_lt(counted(L), 100000);
	lua_close(L);
	ck_holds(o, 0, 0);

	/* Not even a state. */
	ck_assert_int_eq(memhook_limit(o, 0, 1000, NULL, NULL), 0);
	ck_assert_ptr_null(lua_newstate(memhook_lalloc, &o));
	ck_holds(o, 0, 0);
}
END_TEST

START_TEST(the_handle_is_read_at_each_call)
{
	memhook_owner o = fresh_owner("lua first"), second = fresh_owner("lua second");
	memhook_owner first = o;
	lua_State *L = start(&o);
	uint64_t blocks = stats_of(first).live_blocks;

	lua_gc(L, LUA_GCSTOP);
	o = second;
	run(L, grow);
	ck_assert_uint_gt(stats_of(second).live_bytes, 500000);
	ck_assert_uint_eq(stats_of(first).live_blocks, blocks); /* they may grow */
	ck_assert_uint_eq(stats_of(first).live_bytes + stats_of(second).live_bytes,
			  counted(L));
	lua_close(L);
	ck_holds(first, 0, 0);
	ck_holds(second, 0, 0);
}
END_TEST

int main(void)
{
	TCase *c = tcase_create("lua");

	tcase_add_test(c, an_owner_holds_what_lua_counts);
	tcase_add_test(c, states_do_not_mix);
	tcase_add_test(c, a_state_that_changes_threads);
	tcase_add_test(c, what_is_refused_is_a_lua_error);
	tcase_add_test(c, a_limit_is_a_lua_error);
	tcase_add_test(c, the_handle_is_read_at_each_call);
	return run_case(c);
}
