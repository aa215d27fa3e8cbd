/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two Lua states, each with an owner of its own: by memhook_lalloc and a
 * scope around each call into it.
 *
 *     cc lua-host.c $(pkg-config --cflags --libs memhook lua5.4) && ./a.out
 */
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

static int start(struct script *s)
{
	s->owner = memhook_owner_create(s->name);
	MEMHOOK_SCOPE(s->owner);
	s->state = lua_newstate(memhook_lalloc, NULL);
	if (!s->state)
		return 1;
	luaL_openlibs(s->state);
	if (luaL_dostring(s->state, s->code) == LUA_OK)
		return 0;
	fprintf(stderr, "%s\n", lua_tostring(s->state, -1));
	return 1;
}

static uint64_t live(const struct script *s)
{
	struct memhook_stats stats = { .size = sizeof(stats) };

	return memhook_stats(s->owner, &stats) ? 0 : stats.live_bytes;
}

int main(void)
{
	struct script scripts[] = {
		{ .name = "lua/small", .code = "t = 1" },
		{ .name = "lua/large",
		  .code = "t = {} for i = 1, 10000 do t[i] = 'row ' .. i end" },
	};
	int i, failed = 0;

	for (i = 0; i < 2; i++)
		failed |= start(&scripts[i]);
	if (!memhook_active())
		puts("the hook is not at work: nothing is counted");
	for (i = 0; i < 2; i++)
		printf("%s holds %llu bytes; Lua itself says %d KiB\n", scripts[i].name,
		       (unsigned long long)live(&scripts[i]),
		       lua_gc(scripts[i].state, LUA_GCCOUNT));
	if (memhook_active())
		failed |= live(&scripts[1]) < live(&scripts[0]) + 100000;
	for (i = 0; i < 2; i++) {
		lua_close(scripts[i].state);
		failed |= live(&scripts[i]) != 0;
	}
	return failed;
}
