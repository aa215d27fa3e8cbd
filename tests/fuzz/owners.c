/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an actor can do with owners, and the steps by letter, so that inputs
 * can be read and written by people; other bytes stand for letters, too, by
 * their share of `letters`.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "model.h"

unsigned long model_forks, model_retired;

static struct model_owner *some_owner(struct model_actor *a)
{
	unsigned i = model_byte(&a->in);

	/* now and then one that was retired: it is charged no more */
	return i < 250 ? a->name[i % MODEL_NAMES] : &a->row[model_byte(&a->in) % MODEL_ROWS];
}

static void check_scope(struct model_actor *a)
{
	if (memhook_current() != a->scope[a->depth].said)
		model_fail("the scope is %#llx, not %#llx",
			   (unsigned long long)memhook_current(),
			   (unsigned long long)a->scope[a->depth].said);
}

/* Retired owners charge nobody, but for who is inside already. */
static struct model_scope scope_of(struct model_owner *o, struct model_owner *inside)
{
	struct model_scope nobody = { MEMHOOK_NOBODY, NULL };
	struct model_scope s = { o->handle, o };

	return !o->used || (o->retired && o != inside) ? nobody : s;
}

static void do_enter(struct model_actor *a)
{
	struct model_owner *o = some_owner(a), *inside = a->scope[a->depth].effective;
	memhook_owner previous;

	if (a->depth == MODEL_DEPTH || !o->used)
		return;
	previous = memhook_enter(o->handle);
	if (previous != a->scope[a->depth].said)
		model_fail("enter returned another than the scope");
	a->left[++a->depth] = previous;
	a->scope[a->depth] = scope_of(o, inside);
	check_scope(a);
}

static void do_leave(struct model_actor *a)
{
	struct model_owner *inside = a->scope[a->depth].effective, *back;

	if (!a->depth)
		return;
	memhook_leave(a->left[a->depth]);
	back = a->scope[--a->depth].effective;
	if (back)
		a->scope[a->depth] = scope_of(back, inside);
	check_scope(a);
}

static void do_retire(struct model_actor *a)
{
	unsigned i = model_byte(&a->in) % MODEL_NAMES;
	struct model_owner *next = model_owner_new(a);

	if (!next)
		return; /* all rows still hold blocks */
	if (memhook_owner_create(next->name) != next->handle)
		model_fail("%s is found under another handle", next->name);
	if (memhook_owner_retire(a->name[i]->handle))
		model_fail("%s cannot be retired: %s", a->name[i]->name, strerror(errno));
	a->name[i]->retired = 1;
	a->name[i] = next;
	__atomic_fetch_add(&model_retired, 1, __ATOMIC_RELAXED);
}

static void do_transfer(struct model_actor *a)
{
	struct model_block *b = model_any(a);
	struct model_owner *to = some_owner(a);
	int rc;

	if (!b->p || !to->used)
		return;
	rc = memhook_transfer(b->p, to->handle);
	if (rc != (to->retired ? -1 : 0) || (rc && errno != ESRCH))
		model_fail("transfer to %s returns %d: %s", to->name, rc, strerror(errno));
	if (rc)
		return;
	model_count(to, b->size);
	model_uncount(b->owner, b->size);
	b->owner = to;
}

static void told(memhook_owner owner, uint64_t live, void *arg)
{
	struct model_owner *o = arg;

	if (owner != o->handle || live < 1000)
		model_fail("told that %#llx holds %llu", (unsigned long long)owner,
			   (unsigned long long)live);
}

static void do_limit(struct model_actor *a)
{
	struct model_owner *o = some_owner(a);
	size_t n = model_word(&a->in);
	int rc, refused;

	if (!o->used)
		return;
	rc = memhook_limit(o->handle, n % 4 == 1 ? 1000 : 0, n % 4 ? 1000 + n : 0, told, o);
	refused = o->retired;
	if (rc && errno == ENOMEM && model_fault && model_fault())
		return;
	if (rc != (refused ? -1 : 0) || (rc && errno != ESRCH))
		model_fail("limit of %s returns %d: %s", o->name, rc, strerror(errno));
	if (!rc)
		o->hard = n % 4 ? 1000 + n : 0;
}

/* What is refused changes nothing.  (bad_alloc, in a scope, is charged to it.) */
static void do_bad(struct model_actor *a)
{
	void *p = (void *)4711;
	struct model_block *b = model_any(a);
	unsigned how = model_byte(&a->in) % 8;
	volatile size_t most = SIZE_MAX - model_byte(&a->in), align = 24;

	errno = 0;
	if ((how == 0 && malloc(most)) || (how == 1 && calloc(most / 2, 3)) ||
	    (how == 2 && b->p && b->kind == MEMHOOK_MALLOC && realloc(b->p, most)) ||
	    (how == 3 && b->p && reallocarray(b->p, most / 2, 4)) ||
	    (how == 4 && aligned_alloc(64, most)) || (how == 5 && pvalloc(most)) ||
	    (how == 6 && !a->depth && model_has_new && model_new(model_byte(&a->in), most, 16)))
		model_fail("%zu bytes are no block (%u)", most, how);
	if (how == 7 && (posix_memalign(&p, align, 8) != EINVAL || p != (void *)4711 ||
			 posix_memalign(&p, 64, most) != ENOMEM || p != (void *)4711 ||
			 aligned_alloc(align, 8)))
		model_fail("an alignment of 24 is none, and *memptr stays");
	if (memhook_transfer((void *)(uintptr_t)(most & ~(size_t)15), MEMHOOK_NOBODY) == 0)
		model_fail("what is no block was given to somebody");
}

static void do_trim(struct model_actor *a)
{
	if (model_byte(&a->in) % 8 == 0)
		malloc_trim(0);
}

/* In the child everything is as it was, when nobody else is acting. */
static void child(struct model_actor *a)
{
	struct memhook_stats s = { .size = sizeof(s) };
	unsigned i;

	alarm(60);
	/* pages of threads that run are not copied at one instant: a block may
	 * be in a mail, and in the hands of who took it, or freed already */
	model_no_mail = !a->alone;
	if (a->alone)
		model_check();
	for (i = 0; i < 50; i++)
		model_step(a);
	for (i = 0; i < MODEL_BLOCKS; i++)
		model_drop(a, &a->block[i]);
	if (a->alone)
		model_check();
	if (memhook_totals(&s) || s.live_bytes >> 40)
		model_fail("a child holds %llu bytes", (unsigned long long)s.live_bytes);
	_exit(0);
}

static void do_fork(struct model_actor *a)
{
	static __thread int is_child;
	int status;
	pid_t pid;

	if (is_child || model_byte(&a->in) % 16)
		return;
#ifdef SANITIZED
	if (!a->alone)
		return; /* the sanitizers' malloc may be locked, and stay so */
#endif
	pid = fork();
	if (pid == 0) {
		is_child = 1;
		child(a);
	}
	if (pid < 0 && model_fault && model_fault())
		return;
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		model_fail("a forked child ended with status %#x", status);
	__atomic_fetch_add(&model_forks, 1, __ATOMIC_RELAXED);
}

static const struct {
	char letter;
	void (*act)(struct model_actor *);
} actions[] = {
	{ 'm', model_malloc },	{ 'c', model_calloc },	  { 'a', model_aligned },
	{ 'n', model_new_one }, { 'd', model_copy },	  { 'r', model_realloc },
	{ 'f', model_free },	{ 'z', model_realloc_to_nothing },
	{ 'i', model_inspect }, { 'h', model_hand_over }, { 'e', do_enter },
	{ 'l', do_leave },	{ 'x', do_retire },	  { 't', do_transfer },
	{ 'L', do_limit },	{ 'b', do_bad },	  { 'T', do_trim },
	{ 'F', do_fork },
};

static const char letters[] = "mmmmmmmmmmmmmmmmmmmmmmmmccccccccaaaaaaaaannnnnnnnnnnnnnnn"
			      "dddrrrrrrrrrrrrrrrrrrrrffffffffffffffffffffffffffffffffff"
			      "fffffffffffzziiiiiihhhhhhhhhhhhhhhhhhhheeeeeeeeeeeeeeee"
			      "lllllllllllllllltttttttttttxL";
static const char rare[] = "xLbTF";

void model_step(struct model_actor *a)
{
	unsigned byte = model_byte(&a->in);
	char letter = (char)byte;
	size_t i;

	/* what comes at random is seldom one of these */
	if (!a->in.data)
		letter = letters[byte % (sizeof(letters) - 1)];
	if (!a->in.data && byte == 255)
		letter = rare[model_byte(&a->in) % (sizeof(rare) - 1)];
	for (i = 0; i < sizeof(actions) / sizeof(*actions); i++)
		if (actions[i].letter == letter)
			break;
	if (i == sizeof(actions) / sizeof(*actions))
		i = byte % i;
	actions[i].act(a);
	a->steps++;
}
