// SPDX-License-Identifier: BSD-2-Clause
// The 20 operators new and delete.  Plain checks: it says what failed.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include <memhook.h>

static int failures;

#define CHECK(what)                                                           \
	do {                                                                  \
		if (!(what)) {                                                \
			std::printf("%s:%d: %s\n", __FILE__, __LINE__, #what); \
			failures++;                                           \
		}                                                             \
	} while (0)

// gcc takes away pairs that it can see through.
static volatile std::size_t hundred = 100;
static const std::size_t too_much = PTRDIFF_MAX - 100;

static memhook_owner owner;

static bool holds(std::uint64_t bytes, std::uint64_t blocks)
{
	struct memhook_stats s{};

	s.size = sizeof(s);
	return ::memhook_stats(owner, &s) == 0 && s.live_bytes == bytes &&
	       s.live_blocks == blocks;
}

#ifdef STATIC
// libstdc++'s own operators: before gcc 13 over-aligned sizes are rounded up.
static const std::uint64_t aligned_size = _GLIBCXX_RELEASE < 13 ? 256 : 100;
#else
static const std::uint64_t aligned_size = 100;

static std::uint32_t kind_of(const void *p)
{
	struct memhook_block b{};

	b.size = sizeof(b);
	memhook_inspect(p, &b);
	return b.state == MEMHOOK_BLOCK_LIVE ? b.kind : 99;
}
#endif

static void all_forms()
{
	const std::align_val_t align{256};
	const std::size_t n = hundred;
	void *p[8];

	owner = memhook_owner_create("cxx");
	{
		MEMHOOK_SCOPE(owner);
		p[0] = ::operator new(n);
		p[1] = ::operator new[](n);
		p[2] = ::operator new(n, std::nothrow);
		p[3] = ::operator new[](n, std::nothrow);
		p[4] = ::operator new(n, align);
		p[5] = ::operator new[](n, align);
		p[6] = ::operator new(n, align, std::nothrow);
		p[7] = ::operator new[](n, align, std::nothrow);
	}
	CHECK(holds(4 * 100 + 4 * aligned_size, 8));
	for (int i = 0; i < 8; i++) {
#ifndef STATIC
		CHECK(kind_of(p[i]) == (i % 2 ? MEMHOOK_NEW_ARRAY : MEMHOOK_NEW));
#endif
		CHECK(reinterpret_cast<std::uintptr_t>(p[i]) % (i < 4 ? 16 : 256) == 0);
	}
	::operator delete(p[0]);
	::operator delete[](p[1]);
	::operator delete(p[2], std::nothrow);
	::operator delete[](p[3], std::nothrow);
	::operator delete(p[4], align);
	::operator delete[](p[5], align);
	::operator delete(p[6], align, std::nothrow);
	::operator delete[](p[7], align, std::nothrow);
	CHECK(holds(0, 0));
	{
		MEMHOOK_SCOPE(owner);
		p[0] = ::operator new(n);
		p[1] = ::operator new[](n);
		p[2] = ::operator new(n, align);
		p[3] = ::operator new[](n, align);
	}
	::operator delete(p[0], n);
	::operator delete[](p[1], n);
	::operator delete(p[2], n, align);
	::operator delete[](p[3], n, align);
	::operator delete(nullptr);
	::operator delete[](nullptr);
	CHECK(holds(0, 0));
}

static int handled;

static void give_up_at_three()
{
	if (++handled == 3)
		std::set_new_handler(nullptr);
}

static void throw_at_once()
{
	handled++;
	throw std::bad_alloc();
}

template <class F> static bool throws(F f)
{
	try {
		f();
	} catch (const std::bad_alloc &) {
		return true;
	}
	return false;
}

static void out_of_memory()
{
	volatile std::size_t n = too_much;
	const std::align_val_t align{64};

	std::set_new_handler(nullptr);
	CHECK(throws([&] { ::operator delete(::operator new(n)); }));
	CHECK(throws([&] { ::operator delete[](::operator new[](n)); }));
	CHECK(throws([&] { ::operator delete(::operator new(n, align), align); }));
	CHECK(throws([&] { ::operator delete[](::operator new[](n, align), align); }));
	CHECK(::operator new(n, std::nothrow) == nullptr);
	CHECK(::operator new[](n, std::nothrow) == nullptr);
	CHECK(::operator new(n, align, std::nothrow) == nullptr);
	CHECK(::operator new[](n, align, std::nothrow) == nullptr);

	std::set_new_handler(give_up_at_three);
	handled = 0;
	CHECK(throws([&] { ::operator delete(::operator new(n)); }));
	CHECK(handled == 3);

	// A handler that throws: nothrow forms answer NULL all the same.
	std::set_new_handler(throw_at_once);
	handled = 0;
	CHECK(::operator new(n, std::nothrow) == nullptr);
	CHECK(::operator new[](n, std::nothrow) == nullptr);
	CHECK(::operator new(n, align, std::nothrow) == nullptr);
	CHECK(handled >= 3);
	CHECK(throws([&] { ::operator delete(::operator new(n)); }));
	std::set_new_handler(nullptr);
}

static void containers()
{
	std::vector<std::string> v;

	owner = memhook_owner_create("cxx/containers");
	{
		MEMHOOK_SCOPE(owner);
		for (int i = 0; i < 1000; i++)
			v.push_back(std::string(100, 'x'));
	}
	CHECK(!holds(0, 0));
	v.clear();
	v.shrink_to_fit();
	CHECK(holds(0, 0));
}

int main()
{
	CHECK(memhook_active() == 1);
	all_forms();
	out_of_memory();
	containers();
	std::printf("%d failures\n", failures);
	return failures != 0;
}
