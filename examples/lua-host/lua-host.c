/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lua states with an owner each: memhook_lalloc charges what a state
 * allocates to the owner that its `ud` points to, on whatever thread and in
 * whatever scope the host calls it.  Memory that cannot be had is an error of
 * the script, not the end of the host.
 *
 *     cc lua-host.c $(pkg-config --cflags --libs memhook lua5.4) && ./a.out
 */
#include <stdint.h>
#include <stdio.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <memhook.h>

struct script {
	const char *name, *code;
	memhook_owner owner;
	lua_State *state;
};

/* For scripts: buffer(bytes). */
static int buffer(lua_State *L)
{
	lua_Integer size = luaL_checkinteger(L, 1);

	if ((lua_Unsigned)size > PTRDIFF_MAX)
		size = PTRDIFF_MAX; /* a size_t may have 32 bits */
	lua_newuserdatauv(L, (size_t)size, 0);
	return 1;
}

static int start(struct script *s)
{
	s->owner = memhook_owner_create(s->name);
	s->state = lua_newstate(memhook_lalloc, &s->owner);
	if (!s->state)
		return 1;
	luaL_openlibs(s->state);
	lua_register(s->state, "buffer", buffer);
	if (luaL_dostring(s->state, s->code) != LUA_OK)
		printf("%s: %s\n", s->name, lua_tostring(s->state, -1));
	lua_settop(s->state, 0);
	return 0;
}

static uint64_t live(const struct script *s)
{
	struct memhook_stats stats = { .size = sizeof(stats) };

	return memhook_stats(s->owner, &stats) ? 0 : stats.live_bytes;
}

/* Lua counts, too: every byte that it has asked for. */
static int tell(const struct script *s)
{
	uint64_t counted = (uint64_t)lua_gc(s->state, LUA_GCCOUNT) * 1024 +
			   (uint64_t)lua_gc(s->state, LUA_GCCOUNTB);

	if (!memhook_active())
		printf("%s is not counted\n", s->name);
	else if (live(s) == counted)
		printf("%s holds just what Lua counts\n", s->name);
	else
		printf("%s holds %llu bytes, Lua counts %llu\n", s->name,
		       (unsigned long long)live(s), (unsigned long long)counted);
	return memhook_active() && live(s) != counted;
}

int main(void)
{
	struct script scripts[] = {
		{ .name = "lua/small", .code = "t = 1" },
		{ .name = "lua/large",
		  .code = "t = {} for i = 1, 10000 do t[i] = 'row ' .. i end" },
		{ .name = "lua/greedy", .code = "b = buffer(1 << 62)" },
	};
	int i, failed = 0;

	if (!memhook_active())
		puts("the hook is not at work");
	for (i = 0; i < 3; i++)
		if (start(&scripts[i]))
			return 1;
	for (i = 0; i < 3; i++)
		failed |= tell(&scripts[i]);
	if (memhook_active())
		failed |= live(&scripts[1]) < live(&scripts[0]) + 100000;
	for (i = 0; i < 3; i++) {
		lua_close(scripts[i].state);
		failed |= live(&scripts[i]) != 0;
	}
	puts(failed ? "WRONG" : "closed, and nothing is left");
	return failed;
}
