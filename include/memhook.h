/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file memhook.h
 * Know who owns every byte of a running process.
 *
 * Link with `pkg-config --cflags --libs memhook`, or preload with
 * memhook(1).  Everything here exists in both builds of the library: in the
 * passthrough (--without-jemalloc) nothing is counted and each function
 * returns the answer documented under "Passthrough".
 *
 * Thread-safety: every function may be called from any thread at any time
 * unless its text says otherwise.  None is async-signal-safe unless its text
 * says so.  None changes errno on success.
 */
#ifndef MEMHOOK_H
#define MEMHOOK_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/** Version of this header.  memhook_version() gives that of the library. */
#define MEMHOOK_VERSION "0.1.0"

/** Longest owner name in bytes, its terminating NUL included. */
#define MEMHOOK_NAME_MAX 96

/**
 * Who a block is charged to: a row and its generation in one number.  A
 * handle that outlived its owner is recognised and charges nobody.
 */
typedef uint64_t memhook_owner;

/** The owner of every block that nobody claimed.  Shown like any other. */
#define MEMHOOK_NOBODY ((memhook_owner)0)
/** Gathers the bytes of owners that found the table full. */
#define MEMHOOK_OVERFLOW ((memhook_owner)1)
/** "No scope": what memhook_enter() returns on a thread that had none. */
#define MEMHOOK_AUTO (~(memhook_owner)0)

/** How an owner came to be. */
enum memhook_kind {
	MEMHOOK_KIND_NONE = 0,	   /**< nobody and overflow */
	MEMHOOK_KIND_NAMED = 1,	   /**< made by memhook_owner_create() */
	MEMHOOK_KIND_LIBRARY = 2,  /**< a shared object, found by caller */
	MEMHOOK_KIND_THREAD = 3,   /**< a thread, by its name */
	MEMHOOK_KIND_SITE = 4	   /**< a call of malloc: object + offset */
};

/** What an owner is doing. */
enum memhook_state {
	MEMHOOK_STATE_FREE = 0,	   /**< no owner (never reported) */
	MEMHOOK_STATE_ACTIVE = 1,
	MEMHOOK_STATE_RETIRED = 2  /**< retired; may still hold blocks */
};

/**
 * The numbers of one owner, or of the process.  Bytes are those the program
 * asked for (not what the allocator set aside, and without our cookies).
 * live = alloc - free, never negative.  A realloc counts as one allocation
 * of the new size and one free of the old.
 */
struct memhook_stats {
	size_t size;		/**< set to sizeof(struct memhook_stats) before the call */
	memhook_owner owner;	/**< its handle; MEMHOOK_AUTO in totals */
	uint32_t kind;		/**< enum memhook_kind */
	uint32_t state;		/**< enum memhook_state */
	uint64_t live_bytes;	/**< allocated and not yet freed */
	uint64_t live_blocks;
	/** Most live_bytes seen, to threads x 64 KiB; never below live_bytes. */
	uint64_t peak_bytes;
	uint64_t alloc_bytes;	/**< sum of all sizes ever requested */
	uint64_t alloc_calls;
	uint64_t free_bytes;
	uint64_t free_calls;
	char name[MEMHOOK_NAME_MAX];
};

/** How a block was allocated. */
enum memhook_alloc_kind {
	MEMHOOK_MALLOC = 0,	/**< malloc, calloc, realloc, memalign, strdup ... */
	MEMHOOK_NEW = 1,	/**< operator new */
	MEMHOOK_NEW_ARRAY = 2	/**< operator new[] */
};

/** What memhook_inspect() found in front of a pointer. */
enum memhook_block_state {
	MEMHOOK_BLOCK_FOREIGN = 0,  /**< not a block of ours, or cookie overwritten */
	MEMHOOK_BLOCK_LIVE = 1,
	MEMHOOK_BLOCK_FREED = 2	    /**< freed, memory not yet used again */
};

/** One block, as its cookie tells. */
struct memhook_block {
	size_t size;		/**< set to sizeof(struct memhook_block) before the call */
	uint32_t state;		/**< enum memhook_block_state */
	uint32_t kind;		/**< enum memhook_alloc_kind */
	memhook_owner owner;	/**< handle of the owner it is charged to */
	size_t requested;	/**< bytes the program asked for */
	size_t alignment;	/**< alignment asked for, at least 16 */
	const void *cookie;	/**< address of its 16-byte cookie */
};

/** Formats of memhook_report(). */
enum memhook_format { MEMHOOK_TEXT = 0, MEMHOOK_JSON = 1 };

/**
 * Is the hook this process's malloc?
 * @return 1 when it is; 0 when another allocator's malloc was bound first.
 * Passthrough: 0.  Since: 0.1.0
 */
int memhook_active(void);

/** @return the library's version, a static string.  Since: 0.1.0 */
const char *memhook_version(void);

/**
 * Find or create the owner called `name`.
 *
 * "db/cache" is a child of "db" to those who add up; no owner "db" need
 * exist.  The name is copied.  It is 1 to 95 bytes long and has no control
 * character.  A retired owner's name makes a new owner.
 *
 * @return the handle.  On a bad name MEMHOOK_NOBODY with errno EINVAL; when
 * the table (65,536 owners, 8,192 of a 32-bit program) is full MEMHOOK_OVERFLOW
 * with errno ENOSPC: both may be used, the bytes are counted there.
 * Passthrough: MEMHOOK_NOBODY, errno ENOSYS.  Since: 0.1.0
 */
memhook_owner memhook_owner_create(const char *name);

/**
 * Declare that nothing more will be charged to this owner.  It stays listed
 * as retired while it holds blocks; then its row may serve a new owner.
 * Threads inside its scope go on charging it until they leave.
 * @return 0, or -1 with errno EINVAL (nobody, overflow, an owner that was
 * not created by name) or ESRCH
 * (stale or retired already).  Passthrough: -1, ENOSYS.  Since: 0.1.0
 */
int memhook_owner_retire(memhook_owner owner);

/**
 * From here on this thread's allocations are charged to `owner`.
 * A stale or retired handle charges nobody.  Inherited by fork().
 * @return what was in force, for memhook_leave().
 * Passthrough: MEMHOOK_AUTO.  Since: 0.1.0
 */
memhook_owner memhook_enter(memhook_owner owner);

/** Return to `previous`, the value memhook_enter() gave.  Since: 0.1.0 */
void memhook_leave(memhook_owner previous);

/**
 * @return the owner of this thread's scope, MEMHOOK_AUTO when in none.
 * Passthrough: MEMHOOK_AUTO.  Since: 0.1.0
 */
memhook_owner memhook_current(void);

/**
 * Charge a live block to another owner.  The caller must hold the block as
 * for realloc: no other thread frees or transfers it meanwhile.
 * @return 0, or -1 with errno EINVAL (not a live block of ours) or ESRCH
 * (stale or retired owner).  NULL is accepted and does nothing.
 * Passthrough: -1, ENOSYS.  Since: 0.1.0
 */
int memhook_transfer(void *block, memhook_owner to);

/**
 * Ask `resolve(arg)` for the owner of each allocation made outside a scope.
 * For hosts that know "the current service" already.  It runs on the
 * allocating thread and must be quick; what it allocates itself is charged
 * to nobody.  MEMHOOK_AUTO leaves the answer to the automatic kind.  It must
 * not throw.  NULL removes it; a call on another thread
 * may still be under way when this returns.
 * Passthrough: does nothing.  Since: 0.1.0
 */
void memhook_set_resolver(memhook_owner (*resolve)(void *arg), void *arg);

/**
 * The numbers of one owner.  Set `stats->size` first; no more than that is
 * written.
 * @return 0, or -1 with errno EINVAL (size too small) or ESRCH (no such
 * owner).  Passthrough: -1, ENOSYS.  Since: 0.1.0
 */
int memhook_stats(memhook_owner owner, struct memhook_stats *stats);

/**
 * The sums over all owners.  Exact when no thread is inside malloc or free.
 * @return 0, or -1 with errno EINVAL.  Passthrough: -1, ENOSYS.  Since: 0.1.0
 */
int memhook_totals(struct memhook_stats *stats);

/**
 * Call `fn` for each owner that still holds blocks, or is active and was
 * created by name or has allocated, in order of their rows, until it returns
 * something else than 0.  Nobody is always among them.
 * @return what the last call of `fn` returned.  Passthrough: 0, no call.
 * Since: 0.1.0
 */
int memhook_each(int (*fn)(const struct memhook_stats *, void *), void *arg);

/**
 * Called back when an owner's live bytes reach its soft limit: with its
 * handle, its live bytes and the argument that memhook_limit() was given.
 */
typedef void (*memhook_limit_fn)(memhook_owner owner, uint64_t live_bytes, void *arg);

/**
 * Set the limits of an owner made by memhook_owner_create(), in bytes
 * requested; 0 is no limit.  Another call replaces both, 0 and 0 remove them.
 * They end with the owner.
 *
 * soft: `fn(owner, live, arg)` runs once per crossing, on the thread whose
 * allocation made live bytes reach `soft`, when that is counted.  It is armed
 * again when they fall below seven eighths of `soft`; after a smaller fall it
 * may or may not be.  It may allocate and call everything here; what its
 * thread allocates meanwhile runs no callback.  It must not longjmp out.  A
 * C++ exception passes through where the caller of malloc lets it, as
 * operator new does; the block is leaked.  It is not run within an allocation
 * of libc's or the loader's own: then the next one runs it.
 *
 * hard: an allocation made inside the owner's explicit scope (memhook_enter)
 * that would make live bytes exceed `hard` is refused, as if memory had run
 * out: NULL and ENOMEM, new handlers and std::bad_alloc, the old block of a
 * realloc intact.  Not one byte more, whatever the number of threads.  Never
 * refused are allocations that libc or the loader make for themselves (by
 * caller: also what getline or asprintf hand out), those charged in another
 * way (a resolver, realloc outside the scope, memhook_transfer), and what
 * asks for no more than it had.  All of them are counted.
 *
 * An allocation that is under way on another thread while the limits are set
 * may escape them, and a callback be under way when they have been replaced.
 * While an owner has limits, allocating in its scope is slower.
 *
 * @return 0, or -1 with errno EINVAL (not an owner by name; soft without fn;
 * soft greater than hard), ESRCH (stale or retired), ENOMEM, or ENOTSUP (hard
 * in a static program, where libc cannot be told from the rest).
 * Passthrough: -1, ENOSYS.  Since: 0.1.0
 */
int memhook_limit(memhook_owner owner, uint64_t soft, uint64_t hard, memhook_limit_fn fn,
		  void *arg);

/**
 * Functions called at each allocation and free of the process; either may be
 * NULL.  `bytes` are those requested, `caller` is the return address of the
 * call.
 */
struct memhook_observer {
	size_t size;		/**< set to sizeof(struct memhook_observer) */
	/** The block is counted and not yet handed out. */
	void (*on_alloc)(void *block, size_t bytes, memhook_owner owner,
			 const void *caller, void *arg);
	/** The block is still allocated, with all that is in it. */
	void (*on_free)(void *block, size_t bytes, memhook_owner owner,
			const void *caller, void *arg);
	void *arg;
};

/**
 * Call these functions from now on; the structure is copied.  For tracing and
 * for tests, as glibc's __malloc_hook once was, but for all threads at once.
 * Observers (8 at most) are called in no particular order, on the thread that
 * allocates or frees, outside any lock of this library.  A realloc is told as
 * a free of the old block and an allocation of the new; when it fails, of the
 * same.  memhook_transfer() is not told.
 *
 * What an observer allocates or frees is counted and not told, to it or to
 * another.  It must not longjmp out.  A C++ exception passes through where the
 * caller lets it, as operator new does: the block of on_alloc is leaked, that
 * of on_free stays allocated, observers to come are not called.
 *
 * A call under way on another thread may not be told.  Forked children have
 * their parent's observers.  While there is one every malloc and free is
 * slower; with none, no instruction is spent on them.
 *
 * @return 0, or -1 with errno EINVAL (size too small, no function), EEXIST
 * (the same functions and argument), ENOSPC.
 * Passthrough: -1, ENOSYS.  Since: 0.1.0
 */
int memhook_observe(const struct memhook_observer *observer);

/**
 * Take away the observer with these functions and argument.  When this
 * returns 0 no call of them is under way on another thread, nor will there be
 * one: what they use may be freed, their library unloaded.  It waits for calls
 * under way: do not hold a lock that an observer takes.
 * @return 0, or -1 with errno EINVAL (as above), ENOENT (no such observer) or
 * EDEADLK (called from inside an observer).
 * Passthrough: -1, ENOSYS.  Since: 0.1.0
 */
int memhook_unobserve(const struct memhook_observer *observer);

/**
 * Say what is known of the block at `ptr`, whatever `ptr` is: it is never
 * read when its memory cannot be.
 * @return 0 (see block->state), or -1 with errno EINVAL (size too small).
 * Passthrough: -1, ENOSYS.  Since: 0.1.0
 */
int memhook_inspect(const void *ptr, struct memhook_block *block);

/**
 * Print the block's cookie on standard output, in two lines, with write(2).
 * Never crashes, whatever pointer it gets.
 * Passthrough: prints "not use jemalloc".  Since: 0.1.0
 */
void memhook_dump(const void *ptr);

/**
 * Write the owner table to a descriptor without allocating.  May be used in
 * a crash handler of a thread that has allocated before: it takes no lock and
 * calls only async-signal-safe functions.  (On a thread's first use of the
 * library it is given its counters, which is not async-signal-safe.)
 * `format` is MEMHOOK_TEXT or MEMHOOK_JSON.
 * @return 0, or -1 with errno EINVAL (format), ENOMEM or write(2)'s.
 * Passthrough: -1, ENOSYS.  Since: 0.1.0
 */
int memhook_report(int fd, int format);

/**
 * The Lua allocator (lua_Alloc) over realloc and free.
 *
 * `ud` of lua_newstate() points to a memhook_owner: what the state allocates
 * is charged to the handle found there at each call, whatever scope the
 * thread is in.  With NULL it is charged like any other allocation.  A block
 * that grows or shrinks keeps its owner, as with realloc; a free is credited
 * to it.
 *
 * NULL, which Lua reports as LUA_ERRMEM ("not enough memory"), when memory or
 * the owner's hard limit has run out.  Never when a block shrinks: then the
 * old block is returned, since Lua relies on it.
 * Passthrough: the same over libc, `ud` is not used.  Since: 0.1.0
 */
void *memhook_lalloc(void *ud, void *ptr, size_t osize, size_t nsize);

/** strdup(3) over this library's malloc.  Since: 0.1.0 */
char *memhook_strdup(const char *s);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

/* The scope macro: charges what the enclosing braces allocate. */
static inline void memhook_leave_scope_(const memhook_owner *previous)
{
	memhook_leave(*previous);
}

#define MEMHOOK_CAT2_(a, b) a##b
#define MEMHOOK_CAT_(a, b) MEMHOOK_CAT2_(a, b)

/**
 * Charge everything this thread allocates until the end of the enclosing
 * block, also when it is left by return, break or an exception:
 *
 *     { MEMHOOK_SCOPE(db); rows = load(); }
 *
 * GCC and Clang.  Since: 0.1.0
 */
#define MEMHOOK_SCOPE(owner)                                                  \
	__attribute__((cleanup(memhook_leave_scope_), unused))                \
	const memhook_owner MEMHOOK_CAT_(memhook_scope_, __LINE__) =          \
		memhook_enter(owner)

#ifdef __cplusplus
}
#endif

#endif /* MEMHOOK_H */
