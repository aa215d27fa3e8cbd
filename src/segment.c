/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * This process's area of the segment: found in what `memhook run` hands
 * down, or in a segment of our own, or in private memory when there can be
 * neither.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "account.h"
#include "debugger.h"
#include "process.h"
#include "ranges.h"
#include "segment-file.h"
#include "slot.h"

/* Where the address space is limited: one chunk, 16 x 2.5 MiB. */
#define FEW_SHARDS MH_CHUNK
/* Owners where it is narrow, and what is not. */
#define FEW_OWNERS 4096
#define ROOMY ((rlim_t)1 << 30)

static int segment_fd = -1;
static dev_t segment_dev;
static ino_t segment_ino;
static struct mh_slot *my_slot; /* NULL: the area is private */
static uint64_t my_offset;      /* of the area in the file */

_Atomic uint64_t mh_shards_open[MH_SHARD_WORDS];
_Atomic(char *) mh_chunks[MH_CHUNKS];

/* The program may have closed our descriptor, and opened something else. */
static int fd_is_ours(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == segment_dev &&
	       st.st_ino == segment_ino;
}

static int map_run(int fd)
{
	struct mh_run head;
	struct stat st;
	void *p;

	if (fstat(fd, &st) || pread(fd, &head, sizeof(head), 0) != sizeof(head) ||
	    head.magic != MH_RUN_MAGIC || head.version != MH_SEGMENT_VERSION ||
	    head.byte_order != MH_BYTE_ORDER || head.word_bits != sizeof(long) * 8 ||
	    head.areas_stride < mh_area_stride() || head.slots_offset > 65536 ||
	    head.areas_max == 0 || head.areas_max > 65536 ||
	    head.areas_offset < head.slots_offset +
				     head.areas_max * sizeof(struct mh_slot) ||
	    (uint64_t)st.st_size <
		    head.areas_offset + head.areas_max * head.areas_stride)
		return -1;
	p = mmap(NULL, (size_t)head.areas_offset, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		 0);
	if (p == MAP_FAILED)
		return -1;
	segment_dev = st.st_dev;
	segment_ino = st.st_ino;
	segment_fd = fd;
	mh_run = p;
	return 0;
}

/* Known to be the segment: out of exec's way, unless the next one needs it. */
static void keep_to_ourselves(void)
{
	int high;

	if (mh_settings.follow)
		return;
	high = fcntl(segment_fd, F_DUPFD_CLOEXEC, segment_fd + 1);
	if (high < 0)
		return;
	close(segment_fd);
	segment_fd = high;
}

/*
 * Map a part of the file.  The program may have closed our descriptor: a
 * shared mapping can be mapped again without it, by mremap from size 0, but
 * only from where it begins; what lies before the part is unmapped again.
 */
static char *map_part(uint64_t offset, size_t size)
{
	char *p;

	if (fd_is_ours(segment_fd)) {
		p = mmap(NULL, size, PROT_NONE, MAP_SHARED | MAP_NORESERVE, segment_fd,
			 (off_t)offset);
		return p == MAP_FAILED ? NULL : p;
	}
	p = mremap(mh_run, 0, (size_t)offset + size, MREMAP_MAYMOVE);
	if (p == MAP_FAILED)
		return NULL;
	munmap(p, (size_t)offset);
	mprotect(p + offset, size, PROT_NONE);
	return p + offset;
}

/* The same of this process's area, be it in the file or private. */
static char *map_own(uint64_t offset, size_t size)
{
	char *p;

	if (my_slot)
		return map_part(my_offset + offset, size);
	p = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		 0);
	if (p == MAP_FAILED)
		return NULL;
	mh_range_add(p, size, MH_RANGE_OWN);
	return p;
}

/* The counterpart: what is in the file is in no range. */
static void unmap_own(void *p, size_t size)
{
	mh_range_remove(p, size);
	munmap(p, size);
}

/* A used area is emptied, which gives its memory back, too. */
static void empty_area(const struct mh_area *layout)
{
	char *p;

	/* qemu-user passes over the advice below, and says that it took it */
	if (fd_is_ours(segment_fd) &&
	    fallocate(segment_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)my_offset, (off_t)layout->area_size) == 0)
		return;
	p = map_own(0, layout->area_size);
	if (!p)
		return;
	madvise(p, layout->area_size, MADV_REMOVE);
	unmap_own(p, layout->area_size);
}

/*
 * Sizes to try, the largest first.  A child keeps its parent's rows: they are
 * in its cookies.  Under a limit of the address space only few shards are
 * mapped; threads that find none share shard 0.
 */
static unsigned candidates(struct mh_area *to)
{
	struct rlimit as = { RLIM_INFINITY, RLIM_INFINITY };
	unsigned n = 0;

	getrlimit(RLIMIT_AS, &as);
	if (mh_area) {
		mh_area_layout(&to[n++], mh_area->owners_max, mh_area->shards_max);
		if (mh_area->shards_max > FEW_SHARDS)
			mh_area_layout(&to[n++], mh_area->owners_max, FEW_SHARDS);
		return n;
	}
	if (as.rlim_cur == RLIM_INFINITY)
		mh_area_layout(&to[n++], MH_OWNERS_MAX, MH_SHARDS_MAX);
	if (as.rlim_cur >= ROOMY)
		mh_area_layout(&to[n++], MH_OWNERS_MAX, FEW_SHARDS);
	mh_area_layout(&to[n++], FEW_OWNERS, FEW_SHARDS);
	return n;
}

/*
 * The tables; shards are mapped when they are used.  What is mapped counts
 * against the program's limits, mlockall() fills it, and a core dump reads it
 * (debugger.c has what it is to read).
 */
static struct mh_area *open_area(const struct mh_area *layout)
{
	struct mh_area *area = (struct mh_area *)map_own(0, layout->shards_offset);

	if (!area)
		return NULL;
	madvise(area, layout->shards_offset, MADV_DONTDUMP);
	madvise(area, layout->shards_offset, MADV_NOHUGEPAGE);
	if (mprotect(area, layout->shards_offset, PROT_READ | PROT_WRITE)) {
		unmap_own(area, layout->shards_offset);
		return NULL;
	}
	*area = *layout;
	area->magic = MH_AREA_MAGIC;
	area->version = MH_SEGMENT_VERSION;
	area->by = mh_settings.by;
	area->pid = getpid();
	area->ppid = getppid();
	area->start_unix_ms = mh_unix_ms();
	memcpy(area->command, mh_program, sizeof(area->command));
	memcpy(area->file, mh_program_file, sizeof(area->file));
	area->cookie_size = 16;
	atomic_store(&area->owners_used, MH_FIRST_OWNER);
	atomic_store(&area->shard_taken[0], 1); /* shard 0 is everybody's */
	return area;
}

static void name_rows(struct mh_area *area)
{
	struct mh_owner *o = mh_owners(area);

	memcpy(o[MH_NOBODY].name, "nobody", 7);
	memcpy(o[MH_OVERFLOW].name, "overflow", 9);
	atomic_store(&o[MH_OVERFLOW].generation, 0);
	atomic_store(&o[MH_NOBODY].state, MEMHOOK_STATE_ACTIVE);
	atomic_store(&o[MH_OVERFLOW].state, MEMHOOK_STATE_ACTIVE);
}

static struct mh_area *shared_area(const struct mh_area *layout)
{
	uint64_t namespace = mh_pid_namespace();
	struct mh_area *area;
	int used_before;
	uint32_t i;

	i = mh_slot_take(namespace, &used_before);
	if (i == UINT32_MAX)
		return NULL;
	my_slot = &mh_slots()[i];
	my_offset = mh_run->areas_offset + i * mh_run->areas_stride;
	if (used_before)
		empty_area(layout);
	area = open_area(layout);
	if (!area) {
		atomic_store(&my_slot->state, MH_SLOT_FREE);
		my_slot = NULL;
		return NULL;
	}
	my_slot->pid = getpid();
	my_slot->ppid = getppid();
	my_slot->pid_namespace = namespace;
	my_slot->start_unix_ms = mh_unix_ms();
	return area;
}

static struct mh_area *new_area(void)
{
	struct mh_area layout[3] = { 0 }, *area = NULL;
	unsigned i, n = candidates(layout);

	for (i = 0; i < n && mh_run && !area; i++)
		area = shared_area(&layout[i]);
	for (i = 0; i < n && !area; i++)
		area = open_area(&layout[i]);
	return area;
}

struct mh_area *mh_segment_claim(void)
{
	struct mh_area *area, *had = mh_area;

	my_slot = NULL;
	area = new_area();
	if (!area)
		return NULL;
	mh_area = area;
	mh_ranges_show(area);
	name_rows(area);
	mh_dump_area(had);
	if (mh_shard_open(0))
		return NULL;
	/* Readers may come.  A forked child fills in its parent's sums first. */
	if (my_slot && !had)
		atomic_store(&my_slot->state, MH_SLOT_LIVE);
	return area;
}

/*
 * A child does not inherit what is in the file: see map_chunk().  To read its
 * parent's counters it maps them again, maybe elsewhere.
 */
int mh_segment_inherit_shards(int to_be_read)
{
	size_t size = MH_CHUNK * mh_area->shard_stride;
	int failed = 0;
	unsigned c;

	for (c = 0; c < MH_CHUNKS && my_slot; c++) {
		char *chunk = NULL;

		if (!atomic_load(&mh_chunks[c]))
			continue;
		if (to_be_read && !failed)
			chunk = map_own(mh_area->shards_offset + c * size, size);
		if (chunk && mprotect(chunk, size, PROT_READ)) {
			unmap_own(chunk, size);
			chunk = NULL;
		}
		failed |= to_be_read && !chunk;
		atomic_store(&mh_chunks[c], chunk);
	}
	return failed ? -1 : 0;
}

/* First of all the largest part, to make room for the child's own. */
void mh_segment_drop_shards(struct mh_area *parents)
{
	size_t size = MH_CHUNK * parents->shard_stride;
	unsigned c;

	for (c = 0; c < MH_CHUNKS; c++) {
		char *chunk = atomic_load(&mh_chunks[c]);

		if (chunk)
			unmap_own(chunk, size);
		atomic_store(&mh_chunks[c], NULL);
	}
	memset((void *)mh_shards_open, 0, sizeof(mh_shards_open));
}

void mh_segment_drop(struct mh_area *parents)
{
	unmap_own(parents, parents->shards_offset);
	if (my_slot)
		atomic_store(&my_slot->state, MH_SLOT_LIVE);
}

int mh_segment_open(void)
{
	int fd = mh_segment_handed();

	if (fd >= 0 && map_run(fd) == 0) {
		mh_settings.by_run = 1;
		keep_to_ourselves();
	} else {
		fd = mh_segment_file(0);
		if (fd >= 0 && map_run(fd))
			close(fd);
	}
	if (!mh_segment_claim())
		return -1;
	if (my_slot && mh_settings.by_run)
		mh_slot_close_predecessors(my_slot);
	return 0;
}

/* A child of vfork or _Fork may come here with its parent's slot. */
void mh_segment_goodbye(void)
{
	if (my_slot && my_slot->pid == getpid())
		atomic_store(&my_slot->state, MH_SLOT_EXITED);
}

/*
 * Two threads may map the same chunk: one of them keeps it.  Fork passes over
 * it: 64 threads' shards are 130 mappings, since their first pages are dumped
 * and the others are not, and a child wants none of them but for a look.
 */
static int map_chunk(uint32_t c)
{
	size_t size = MH_CHUNK * mh_area->shard_stride;
	char *none = NULL, *chunk;

	if (atomic_load(&mh_chunks[c]))
		return 0;
	chunk = map_own(mh_area->shards_offset + c * size, size);
	if (!chunk)
		return -1;
	madvise(chunk, size, MADV_DONTDUMP);
	madvise(chunk, size, MADV_NOHUGEPAGE);
	if (my_slot)
		madvise(chunk, size, MADV_DONTFORK);
	if (!atomic_compare_exchange_strong(&mh_chunks[c], &none, chunk))
		unmap_own(chunk, size);
	return 0;
}

int mh_shard_open(uint32_t shard)
{
	_Atomic uint64_t *word = &mh_shards_open[shard / 64];
	uint64_t bit = UINT64_C(1) << (shard % 64);
	uint32_t used;

	if (atomic_load(word) & bit)
		return 0;
	if (map_chunk(shard / MH_CHUNK) ||
	    mprotect(mh_shard(shard), mh_area->shard_stride, PROT_READ | PROT_WRITE))
		return -1;
	/*
	 * Whoever sees the bit may read the shard: pairs with
	 * mh_shard_is_open(), and in another way with mh_dump_rows().
	 */
	atomic_fetch_or(word, bit);
	mh_dump_shard(shard);
	used = atomic_load(&mh_area->shards_used);
	while (used <= shard &&
	       !atomic_compare_exchange_weak(&mh_area->shards_used, &used, shard + 1))
		;
	return 0;
}
