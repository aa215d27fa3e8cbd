/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How to give a library with allocator functions of its own to an owner, with
 * SQLite: everything that it allocates is charged to "sqlite", whoever calls
 * it, and nothing that the host allocates itself.
 *
 *     cc sqlite-host.c $(pkg-config --cflags --libs memhook sqlite3) && ./a.out
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include <memhook.h>

/*
 * The adapter.  SQLite hands no pointer to these functions, so the owner is
 * found here.  Growing enters its scope as well: the block keeps its owner
 * without that, but a hard limit is for what is asked for in the scope.
 */
static memhook_owner sqlite;

static void *sqlite_malloc(int size)
{
	MEMHOOK_SCOPE(sqlite);
	return malloc((size_t)size);
}

static void *sqlite_realloc(void *block, int size)
{
	MEMHOOK_SCOPE(sqlite);
	return realloc(block, (size_t)size);
}

/* The cookie knows the owner: no scope. */
static void sqlite_free(void *block)
{
	free(block);
}

/* What was asked for, to the byte: the hook's malloc_usable_size(3). */
static int sqlite_size(void *block)
{
	return (int)malloc_usable_size(block);
}

static int sqlite_round_up(int size)
{
	return (size + 7) & ~7;
}

static int sqlite_init(void *name)
{
	sqlite = memhook_owner_create(name);
	return SQLITE_OK;
}

static void sqlite_end(void *name)
{
	(void)name;
}

static int charge_sqlite_to(char *name)
{
	struct sqlite3_mem_methods methods = {
		.xMalloc = sqlite_malloc,
		.xFree = sqlite_free,
		.xRealloc = sqlite_realloc,
		.xSize = sqlite_size,
		.xRoundup = sqlite_round_up,
		.xInit = sqlite_init,
		.xShutdown = sqlite_end,
		.pAppData = name,
	};

	return sqlite3_config(SQLITE_CONFIG_MALLOC, &methods); /* before anything else */
}

/* The host. */
static uint64_t held_by(memhook_owner owner)
{
	struct memhook_stats stats = { .size = sizeof(stats) };

	return memhook_stats(owner, &stats) ? 0 : stats.live_bytes;
}

/* SQLite counts, too: by xSize, so that both must say the same. */
static int tell(const char *when)
{
	uint64_t counted = (uint64_t)sqlite3_memory_used();

	if (!memhook_active())
		printf("%s: not counted\n", when);
	else if (held_by(sqlite) == counted)
		printf("%s: the owner holds %s\n", when,
		       counted ? "just what SQLite counts" : "nothing");
	else
		printf("%s: the owner holds %llu bytes, SQLite counts %llu\n", when,
		       (unsigned long long)held_by(sqlite), (unsigned long long)counted);
	return memhook_active() && held_by(sqlite) != counted;
}

static int query(sqlite3 *db, const char *sql)
{
	char *said = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &said) == SQLITE_OK)
		return 0;
	fprintf(stderr, "%s\n", said);
	sqlite3_free(said);
	return 1;
}

static int use(sqlite3 *db)
{
	return query(db, "CREATE TABLE t (id INTEGER PRIMARY KEY, text)") ||
	       query(db, "WITH RECURSIVE n(i) AS "
			 "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
			 "INSERT INTO t SELECT i, hex(randomblob(50)) FROM n") ||
	       query(db, "CREATE INDEX by_text ON t (text)");
}

int main(void)
{
	memhook_owner host = memhook_owner_create("host");
	sqlite3 *db = NULL;
	char *copy, *own;
	int failed;

	if (charge_sqlite_to("sqlite") != SQLITE_OK || sqlite3_initialize() != SQLITE_OK)
		return 1;
	memhook_owner previous = memhook_enter(host); /* changes nothing for SQLite */
	failed = sqlite3_open(":memory:", &db) != SQLITE_OK || use(db);
	copy = sqlite3_mprintf("%d", 1000);
	own = strdup("the host's own"); /* 15 bytes */
	memhook_leave(previous);

	failed |= tell("open");
	if (memhook_active()) {
		failed |= held_by(sqlite) < 500000 || held_by(host) != 15;
		printf("the host itself holds %llu bytes\n",
		       (unsigned long long)held_by(host));
	}
	free(own);
	sqlite3_free(copy);
	sqlite3_close(db);
	sqlite3_shutdown();
	failed |= tell("closed") || held_by(sqlite) != 0;
	return failed;
}
