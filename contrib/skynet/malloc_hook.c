/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * skynet over libmemhook: takes the place of skynet-src/malloc_hook.c in an
 * unmodified skynet tree.  doc/SKYNET.md shows the lines of its Makefile.
 *
 * Each service is an owner called by its address, ":0000000a".  Whoever
 * allocates is asked for by skynet_current_handle(); a block is credited to
 * the service that allocated it, whoever frees it.  Nothing is allocated here
 * that is not freed before the function returns.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>

#include <memhook.h>

#include "malloc_hook.h"
#include "skynet.h"
#include "skynet_handle.h"
#include "skynet_server.h"

/* --- which owner is a service? -------------------------------------------- */

/* Threads without a service: skynet counts them from here, the last is main. */
#define FIRST_THREAD 0xfffffff0u
#define THREADS 16
/* skynet counts handles up: so many services may be alive without a conflict. */
#define SERVICES 16384

/*
 * What memhook_owner_create() said, to be read without a lock.  A cache: of
 * two handles with one slot the last one has it.  An exited service stays in
 * its slot with its retired owner, so that what its last message allocates
 * makes no new one.
 */
struct slot {
	_Atomic uint32_t sequence; /* odd while somebody writes */
	_Atomic uint32_t handle;
	_Atomic uint64_t owner;
};

static struct slot slots[SERVICES + THREADS];

static struct slot *slot_of(uint32_t handle)
{
	return &slots[handle < FIRST_THREAD ? handle % SERVICES :
					      SERVICES + handle % THREADS];
}

static int is_known(uint32_t handle, memhook_owner *owner)
{
	struct slot *s = slot_of(handle);
	/* acquire: pairs with the last store of put() */
	uint32_t before = atomic_load_explicit(&s->sequence, memory_order_acquire);
	uint32_t whose = atomic_load_explicit(&s->handle, memory_order_relaxed);

	*owner = atomic_load_explicit(&s->owner, memory_order_relaxed);
	atomic_thread_fence(memory_order_acquire); /* with the fence of put() */
	return whose == handle && before % 2 == 0 &&
	       before == atomic_load_explicit(&s->sequence, memory_order_relaxed);
}

/* Lets it be when another thread writes there: nothing depends on it. */
static void put(struct slot *s, uint32_t handle, memhook_owner owner)
{
	uint32_t was = atomic_load_explicit(&s->sequence, memory_order_relaxed);

	if (was % 2 != 0 ||
	    !atomic_compare_exchange_strong_explicit(&s->sequence, &was, was + 1,
						     memory_order_acquire,
						     memory_order_relaxed))
		return;
	/* release: who sees one of these two sees that the sequence is odd */
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&s->handle, handle, memory_order_relaxed);
	atomic_store_explicit(&s->owner, owner, memory_order_relaxed);
	atomic_store_explicit(&s->sequence, was + 2, memory_order_release);
}

/* The owner with this address, a new one when the last has been retired. */
static memhook_owner look_up(uint32_t handle)
{
	int saved = errno; /* a malloc that succeeds leaves it alone */
	memhook_owner owner;
	char name[16];

	snprintf(name, sizeof(name), ":%08x", (unsigned)handle);
	owner = memhook_owner_create(name);
	put(slot_of(handle), handle, owner);
	errno = saved;
	return owner;
}

/*
 * The resolver: runs in every malloc outside of memhook's own scopes, also
 * while skynet holds the lock of its handles.  It must not ask for that.
 */
static memhook_owner owner_now(void *unused)
{
	uint32_t handle = skynet_current_handle();
	memhook_owner owner;

	(void)unused;
	if (handle == 0) /* a worker before its first message */
		return MEMHOOK_NOBODY;
	return is_known(handle, &owner) ? owner : look_up(handle);
}

__attribute__((constructor)) static void start(void)
{
	memhook_set_resolver(owner_now, NULL);
}

/* --- services come and go ------------------------------------------------- */

/*
 * Linked with -Wl,--wrap=skynet_handle_register,--wrap=skynet_handle_retire
 * all calls of these two come here, under names that ld has chosen.  Without
 * it nobody calls them, and exits are noticed by the next dump.
 */
uint32_t __real_skynet_handle_register(struct skynet_context *) __attribute__((weak));
int __real_skynet_handle_retire(uint32_t handle) __attribute__((weak));
uint32_t __wrap_skynet_handle_register(struct skynet_context *context);
int __wrap_skynet_handle_retire(uint32_t handle);

/* A handle that is used again is another service. */
uint32_t __wrap_skynet_handle_register(struct skynet_context *context)
{
	uint32_t handle = __real_skynet_handle_register(context);

	look_up(handle);
	return handle;
}

int __wrap_skynet_handle_retire(uint32_t handle)
{
	int rc = __real_skynet_handle_retire(handle);
	memhook_owner owner;

	if (handle != 0 && handle < FIRST_THREAD)
		memhook_owner_retire(is_known(handle, &owner) ? owner : look_up(handle));
	return rc;
}

static int is_address(const struct memhook_stats *s, uint32_t *handle)
{
	if (s->kind != MEMHOOK_KIND_NAMED || s->name[0] != ':' ||
	    strspn(s->name + 1, "0123456789abcdef") != 8 || s->name[9])
		return 0;
	*handle = (uint32_t)strtoul(s->name + 1, NULL, 16);
	return 1;
}

/*
 * Without --wrap all exits are found here.  Then the handle must be looked up
 * when it is seen again: it may be another service's by now.
 */
static int retire_if_gone(const struct memhook_stats *s, void *unused)
{
	struct skynet_context *context;
	uint32_t handle;

	(void)unused;
	if (s->state != MEMHOOK_STATE_ACTIVE || !is_address(s, &handle) ||
	    handle >= FIRST_THREAD)
		return 0;
	context = skynet_handle_grab(handle);
	if (context) {
		skynet_context_release(context);
		return 0;
	}
	memhook_owner_retire(s->owner);
	put(slot_of(handle), 0, MEMHOOK_NOBODY);
	return 0;
}

/* --- all owners at one moment --------------------------------------------- */

struct list {
	struct memhook_stats *row;
	size_t used, room;
};

static int append(const struct memhook_stats *s, void *arg)
{
	struct list *list = arg;

	if (list->used++ < list->room)
		list->row[list->used - 1] = *s;
	return 0;
}

/*
 * All of them, and how many; NULL and 0 when there is no memory for that.  In
 * Lua's memory where there is a Lua: it may throw later.  Called from a service: no lock of skynet's is held.
 */
static struct memhook_stats *read_owners(lua_State *L, size_t *n)
{
	struct list list = { NULL, 0, 64 };
	size_t size;

	memhook_each(retire_if_gone, NULL);
	for (;;) {
		size = list.room * sizeof(*list.row);
		list.row = L ? lua_newuserdatauv(L, size, 0) : malloc(size);
		list.used = 0;
		if (!list.row)
			break;
		memhook_each(append, &list);
		if (list.used <= list.room)
			break;
		list.room = list.used + 64;
		if (L)
			lua_pop(L, 1);
		else
			free(list.row);
	}
	*n = list.used;
	return list.row;
}

/* Not as if it were true: 0 bytes of an empty table. */
static int is_counted(void)
{
	if (memhook_active())
		return 1;
	skynet_error(NULL, "memory is not counted: libmemhook is not this process's "
			   "malloc, or was built without jemalloc");
	return 0;
}

/* --- what skynet asks ----------------------------------------------------- */

size_t malloc_used_memory(void)
{
	struct memhook_stats s = { .size = sizeof(s) };

	if (!memhook_active()) /* libc knows its own */
		return mallinfo2().uordblks;
	return memhook_totals(&s) == 0 ? s.live_bytes : 0;
}

size_t malloc_memory_block(void)
{
	struct memhook_stats s = { .size = sizeof(s) };

	return is_counted() && memhook_totals(&s) == 0 ? s.live_blocks : 0;
}

size_t malloc_current_memory(void)
{
	struct memhook_stats s = { .size = sizeof(s) };

	return memhook_stats(owner_now(NULL), &s) == 0 ? s.live_bytes : 0;
}

void skynet_debug_memory(const char *info)
{
	fprintf(stderr, "[:%08x] %s: %zu bytes\n", (unsigned)skynet_current_handle(), info,
		malloc_current_memory());
}

/* skynet_error() allocates: first everything is read, then it is told. */
void dump_c_mem(void)
{
	unsigned long long bytes = 0, blocks = 0;
	struct memhook_stats *rows, *s;
	size_t n;

	if (!is_counted())
		return;
	rows = read_owners(NULL, &n);
	for (s = rows; s < rows + n; s++) {
		skynet_error(NULL, "%s%s: %llu bytes in %llu blocks, peak %llu", s->name,
			     s->state == MEMHOOK_STATE_RETIRED ? " (exited)" : "",
			     (unsigned long long)s->live_bytes,
			     (unsigned long long)s->live_blocks,
			     (unsigned long long)s->peak_bytes);
		bytes += s->live_bytes;
		blocks += s->live_blocks;
	}
	if (rows)
		skynet_error(NULL, "total: %llu bytes in %llu blocks", bytes, blocks);
	else
		skynet_error(NULL, "there is no memory for the list");
	free(rows);
}

/*
 * Services by their number, as the console wants them; exited ones, and
 * owners that are no service, by name.
 */
static void push_key(lua_State *L, const struct memhook_stats *s)
{
	uint32_t handle;

	if (s->state == MEMHOOK_STATE_RETIRED)
		lua_pushfstring(L, "%s exited", s->name);
	else if (is_address(s, &handle))
		lua_pushinteger(L, (lua_Integer)handle);
	else
		lua_pushstring(L, s->name);
}

int dump_mem_lua(lua_State *L)
{
	struct memhook_stats *row;
	size_t n, i;

	lua_newtable(L);
	if (!is_counted())
		return 1;
	row = read_owners(L, &n);
	for (i = 0; i < n; i++) {
		push_key(L, &row[i]);
		lua_pushvalue(L, -1);
		lua_rawget(L, -4); /* several may have exited with one address */
		lua_pushinteger(L, (lua_Integer)row[i].live_bytes + lua_tointeger(L, -1));
		lua_replace(L, -2);
		lua_rawset(L, -4);
	}
	lua_pop(L, 1);
	return 1;
}

/* --- what jemalloc would be asked ----------------------------------------- */

/* libmemhook's jemalloc is private.  It answers malloc_info(3) and no more. */
void memory_info_dump(const char *opts)
{
	(void)opts; /* letters for jemalloc's report */
	fflush(stderr);
	if (memhook_report(STDERR_FILENO, MEMHOOK_TEXT))
		is_counted(); /* says why not */
	malloc_info(0, stderr);
}

static int no_control(const char *name)
{
	skynet_error(NULL, "%s: libmemhook's jemalloc is private, it has no such control",
		     name);
	return errno = ENOENT;
}

/* <allocated size="123"/> in what malloc_info() writes. */
static int statistic(const char *name, size_t *value)
{
	char text[1024] = "", element[64], *at;
	FILE *stream = fmemopen(text, sizeof(text), "w");

	if (!stream)
		return -1;
	malloc_info(0, stream);
	fclose(stream);
	snprintf(element, sizeof(element), "<%s size=\"", name);
	at = strstr(text, element);
	if (at)
		*value = strtoull(at + strlen(element), NULL, 10);
	return at ? 0 : -1;
}

/* An error is no number: -1 in Lua. */
size_t mallctl_int64(const char *name, size_t *newval)
{
	size_t value;

	if (strcmp(name, "epoch") == 0) /* statistics are read when asked for */
		return 1;
	if (!newval && memhook_active() && strncmp(name, "stats.", 6) == 0 &&
	    statistic(name + 6, &value) == 0)
		return value;
	no_control(name);
	return (size_t)-1;
}

int mallctl_opt(const char *name, int *newval)
{
	(void)newval;
	no_control(name);
	return -1;
}

bool mallctl_bool(const char *name, bool *newval)
{
	(void)newval;
	no_control(name);
	return false;
}

int mallctl_cmd(const char *name)
{
	return no_control(name);
}

/* --- blocks --------------------------------------------------------------- */

/*
 * In some trees skynet_malloc.h makes these other names of libc's.  The last
 * three are weak: not every tree declares them, and one may have its own.
 */
#ifndef skynet_strdup
char *skynet_strdup(const char *str)
{
	return strdup(str);
}
#endif

#ifndef skynet_strndup
__attribute__((weak)) char *skynet_strndup(const char *str, size_t size)
{
	return strndup(str, size);
}
#endif

#ifndef skynet_vasprintf
__attribute__((weak)) int skynet_vasprintf(char **strp, const char *fmt, va_list args)
{
	return vasprintf(strp, fmt, args);
}
#endif

#ifndef skynet_asprintf
__attribute__((weak)) int skynet_asprintf(char **strp, const char *fmt, ...)
{
	va_list args;
	int length;

	va_start(args, fmt);
	length = vasprintf(strp, fmt, args);
	va_end(args);
	return length;
}
#endif

/* A Lua block is like any other: counted, and any free() takes it. */
void *skynet_lalloc(void *ptr, size_t osize, size_t nsize)
{
	return memhook_lalloc(NULL, ptr, osize, nsize);
}
