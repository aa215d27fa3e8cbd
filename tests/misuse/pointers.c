/* SPDX-License-Identifier: BSD-2-Clause */
/* Pointers that no malloc gave. */
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "misuse.h"

static char *foreign(void)
{
	static _Alignas(64) char memory[256];

	return memory + 64;
}

static enum outcome of_static(size_t size)
{
	(void)size;
	free(foreign());
	return WENT_ON;
}

static enum outcome of_stack(size_t size)
{
	_Alignas(64) char memory[256] = "";

	(void)size;
	p = memory + 64;
	if (((uintptr_t)p & 4095) < 16)
		p += 64;
	free(p);
	return WENT_ON;
}

static enum outcome of_thread_local(size_t size)
{
	static __thread _Alignas(64) char memory[256];

	(void)size;
	p = memory + 128;
	free(p);
	return WENT_ON;
}

static enum outcome of_literal(size_t size)
{
	static _Alignas(16) const char literal[64] = "0123456789abcdef0123456789abcdef";

	(void)size;
	p = (char *)literal + 16;
	free(p);
	return WENT_ON;
}

static enum outcome of_code(size_t size)
{
	(void)size;
	p = (char *)(((uintptr_t)&of_code + 31) & ~(uintptr_t)15);
	free(p);
	return WENT_ON;
}

static enum outcome of_number(size_t size)
{
	(void)size;
	p = (char *)1;
	free(p);
	return WENT_ON;
}

static enum outcome of_small_address(size_t size)
{
	(void)size;
	p = (char *)64;
	free(p);
	return WENT_ON;
}

static enum outcome of_map_failed(size_t size)
{
	(void)size;
	p = MAP_FAILED;
	free(p);
	return WENT_ON;
}

static enum outcome of_mapping(size_t size)
{
	(void)size;
	p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	free(p);
	return WENT_ON;
}

static enum outcome in_mapping(size_t size)
{
	(void)size;
	p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	free(p + 4096 + 64);
	return WENT_ON;
}

static enum outcome of_unmapped(size_t size)
{
	(void)size;
	p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(p, 65536);
	free(p + 4096);
	return WENT_ON;
}

static enum outcome in_unmapped(size_t size)
{
	(void)size;
	p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(p, 65536);
	free(p + 4096 + 64);
	return WENT_ON;
}

/* What a pointer is after its high bits were lost, or others came in. */
static enum outcome of_broken_pointer(size_t size)
{
	(void)size;
	p = malloc(100);
	free((char *)((uintptr_t)p ^ (uintptr_t)1 << (8 * sizeof(p) - 2)));
	return WENT_ON;
}

static enum outcome realloc_of_static(size_t size)
{
	(void)size;
	q = realloc(foreign(), 100);
	return WENT_ON;
}

static enum outcome size_of_static(size_t size)
{
	(void)size;
	return malloc_usable_size(foreign()) == 1 ? REFUSED : WENT_ON;
}

const struct misuse pointers[] = {
	{ "free-of-static", of_static, 0 },
	{ "free-of-stack", of_stack, 0 },
	{ "free-of-thread-local", of_thread_local, 0 },
	{ "free-of-literal", of_literal, 0 },
	{ "free-of-code", of_code, 0 },
	{ "free-of-number", of_number, 0 },
	{ "free-of-small-address", of_small_address, 0 },
	{ "free-of-map-failed", of_map_failed, 0 },
	{ "free-of-mapping", of_mapping, 0 },
	{ "free-in-mapping", in_mapping, 0 },
	{ "free-of-unmapped", of_unmapped, 0 },
	{ "free-in-unmapped", in_unmapped, 0 },
	{ "free-of-broken-pointer", of_broken_pointer, 0 },
	{ "realloc-of-static", realloc_of_static, 0 },
	{ "size-of-static", size_of_static, 0 },
	{ NULL, NULL, 0 },
};
