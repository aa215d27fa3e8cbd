// SPDX-License-Identifier: BSD-2-Clause
// memhook.hpp, as C++11 and as C++17, in both builds of the library: what is
// charged to whom, on which thread, and what is left behind by an exception.
// Plain checks: it says what failed.
#include <memhook.hpp>

#include <cstdint>
#include <cstdio>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

static int failures;

#define CHECK(what)                                                           \
	do {                                                                  \
		if (!(what)) {                                                \
			std::printf("%s:%d: %s\n", __FILE__, __LINE__, #what); \
			failures++;                                           \
		}                                                             \
	} while (0)

template <class T> using vector = std::vector<T, memhook::allocator<T>>;
template <class T> using list = std::list<T, memhook::allocator<T>>;

static struct memhook_stats stats_of(memhook_owner owner)
{
	struct memhook_stats s {};

	s.size = sizeof(s);
	CHECK(::memhook_stats(owner, &s) == 0);
	return s;
}

// In the passthrough nothing is counted; the rest must hold there, too.
static bool holds(memhook_owner owner, std::uint64_t bytes, std::uint64_t blocks)
{
	if (!memhook_active())
		return true;

	struct memhook_stats s = stats_of(owner);

	return s.live_bytes == bytes && s.live_blocks == blocks;
}

static std::uint64_t calls(memhook_owner owner)
{
	return memhook_active() ? stats_of(owner).alloc_calls : 0;
}

static bool outside() { return memhook_current() == MEMHOOK_AUTO; }

static void scopes()
{
	memhook_owner a = memhook_owner_create("hpp/a"), b = memhook_owner_create("hpp/b");
	void *in_a, *in_b = nullptr, *in_a_again; // no new expression: clang takes it away

	{
		memhook::scope outer(a);
		in_a = ::operator new(100);
		try {
			memhook::scope inner(b);
			in_b = ::operator new(50);
			throw 1;
		} catch (int) {
		}
		in_a_again = ::operator new(7);
	}
	CHECK(outside());
	CHECK(holds(a, 107, 2));
	CHECK(holds(b, 50, 1));
	::operator delete(in_a);
	::operator delete(in_b);
	::operator delete(in_a_again);
	CHECK(holds(a, 0, 0) && holds(b, 0, 0));
	static_assert(!std::is_copy_constructible<memhook::scope>::value, "");
	static_assert(!std::is_convertible<memhook_owner, memhook::scope>::value, "");
}

static void containers()
{
	memhook_owner o = memhook_owner_create("hpp/containers");
	memhook::allocator<int> alloc(o);

	{
		vector<int> v(alloc);
		v.resize(1000);
		CHECK(holds(o, 1000 * sizeof(int), 1));
		vector<int> copy(v);
		CHECK(copy.get_allocator().owner() == o);
		CHECK(holds(o, 2000 * sizeof(int), 2));
	}
	CHECK(holds(o, 0, 0));
	{
		// Rebound to the containers' own types.
		using pair = std::pair<const int, int>;
		std::map<int, int, std::less<int>, memhook::allocator<pair>> m(alloc);
		list<int> l(alloc);
		std::basic_string<char, std::char_traits<char>, memhook::allocator<char>> s(
			1000, 'x', alloc);
		auto shared = std::allocate_shared<int>(alloc, 7);

		for (int i = 0; i < 100; i++) {
			m[i] = i;
			l.push_back(i);
		}
		CHECK(!memhook_active() || stats_of(o).live_blocks == 202);
		CHECK(m[99] == 99 && l.back() == 99 && *shared == 7);
	}
	CHECK(holds(o, 0, 0));
}

// Not charged to the scope around it; the scope is in force again after it.
static void an_allocator_within_a_scope()
{
	memhook_owner mine = memhook_owner_create("hpp/mine");
	memhook_owner around = memhook_owner_create("hpp/around");
	vector<char> v{memhook::allocator<char>(mine)};

	{
		memhook::scope in(around);
		v.resize(100);
		CHECK(memhook_current() == (memhook_active() ? around : MEMHOOK_AUTO));
	}
	CHECK(holds(mine, 100, 1) && holds(around, 0, 0));
}

static void any_thread_may_free()
{
	memhook_owner o = memhook_owner_create("hpp/threads");
	vector<char> v{memhook::allocator<char>(o)};

	v.resize(12345);
	std::thread([&v] { vector<char>(std::move(v)); }).join();
	CHECK(holds(o, 0, 0));
}

static void retired_owners()
{
	memhook_owner o = memhook_owner_create("hpp/retired");
	list<int> l{memhook::allocator<int>(o)};

	l.push_back(1);
	CHECK(memhook_owner_retire(o) == (memhook_active() ? 0 : -1));
	l.push_back(2); // charged to nobody
	CHECK(!memhook_active() || stats_of(o).live_blocks == 1);
	l.clear();
	CHECK(holds(o, 0, 0));
}

struct alignas(128) wide {
	char bytes[128];
};

template <class T> static bool is_aligned(const T *p)
{
	return reinterpret_cast<std::uintptr_t>(p) % alignof(T) == 0;
}

static void over_aligned()
{
	memhook_owner o = memhook_owner_create("hpp/wide");

	{
		list<wide> l{memhook::allocator<wide>(o)};
		vector<wide> v{memhook::allocator<wide>(o)};

		for (int i = 1; i < 20; i++) {
			l.emplace_back();
			v.resize(static_cast<std::size_t>(i));
			CHECK(is_aligned(&l.back()) && is_aligned(v.data()));
		}
		CHECK(!memhook_active() || stats_of(o).live_blocks == 20);
	}
	CHECK(holds(o, 0, 0));
}

template <class Error, class F> static bool throws(F f)
{
	try {
		f();
	} catch (const Error &) {
		return true;
	}
	return false;
}

static int handled;

static void give_up_at_three()
{
	if (++handled == 3)
		std::set_new_handler(nullptr);
}

template <class T> static void out_of_memory_for(memhook_owner o)
{
	memhook::allocator<T> alloc(o);
	volatile std::size_t most = std::numeric_limits<std::size_t>::max();
	// A third of what 32 bits can address may be had, not two.
	std::size_t much = most / sizeof(T) / 3 * (sizeof(most) > 4 ? 1 : 2);

	if (sizeof(T) > 1)
		CHECK(throws<std::bad_array_new_length>(
			[&] { (void)alloc.allocate(most / sizeof(T) + 1); }));
	CHECK(throws<std::bad_alloc>([&] { (void)alloc.allocate(much); }));
	CHECK(outside());
	handled = 0;
	std::set_new_handler(give_up_at_three);
	CHECK(throws<std::bad_alloc>([&] { (void)alloc.allocate(much); }));
	CHECK(handled == 3 && outside());
}

static void limits()
{
	memhook_owner o = memhook_owner_create("hpp/limited");

	if (memhook_limit(o, 0, 1000, nullptr, nullptr) != 0) {
		CHECK(!memhook_active());
		return;
	}
	{
		list<wide> l{memhook::allocator<wide>(o)};
		vector<char> v{memhook::allocator<char>(o)};

		v.resize(500);
		CHECK(throws<std::bad_alloc>([&] { v.resize(600); }));
		l.emplace_back();
		CHECK(throws<std::bad_alloc>([&] {
			for (;;)
				l.emplace_back();
		}));
		CHECK(v.size() == 500 && outside());
		CHECK(stats_of(o).live_bytes <= 1000);
	}
	CHECK(holds(o, 0, 0));
}

struct thrower {
	static int left;
	thrower()
	{
		if (--left == 0)
			throw 1;
	}
};
int thrower::left;

static void exceptions()
{
	memhook_owner first = memhook_owner_create("hpp/what the first throw makes");
	memhook_owner o = memhook_owner_create("hpp/exceptions");

	out_of_memory_for<char>(first);
	out_of_memory_for<char>(o);
	out_of_memory_for<int>(o);
	out_of_memory_for<wide>(o);
	CHECK(holds(o, 0, 0));

	std::uint64_t before = calls(o);

	thrower::left = 50;
	CHECK(throws<int>([&] {
		list<thrower> l{memhook::allocator<thrower>(o)};

		for (;;)
			l.emplace_back();
	}));
	CHECK(outside());
	CHECK(!memhook_active() || calls(o) == before + 50);
	CHECK(holds(o, 0, 0));
}

// Each keeps its owner for what is to come; blocks keep the one they have.
static void moves_and_swaps()
{
	memhook_owner a = memhook_owner_create("hpp/left");
	memhook_owner b = memhook_owner_create("hpp/right");

	{
		vector<char> left{memhook::allocator<char>(a)};
		vector<char> right{memhook::allocator<char>(b)};

		left.resize(100);
		right.resize(2000);
		const char *was = left.data();

		left.swap(right);
		CHECK(right.data() == was);
		CHECK(left.get_allocator().owner() == a);
		CHECK(holds(a, 100, 1) && holds(b, 2000, 1));
		left = std::move(right);
		CHECK(left.data() == was);
		CHECK(left.get_allocator().owner() == a);
		CHECK(holds(a, 100, 1) && holds(b, 0, 0));
		right = left;
		CHECK(right.get_allocator().owner() == b);
		CHECK(holds(a, 100, 1) && holds(b, 100, 1));
	}
	{
		list<int> left{memhook::allocator<int>(a)};
		list<int> right{memhook::allocator<int>(b)};

		right.assign(10, 7);
		left.splice(left.end(), right);
		CHECK(left.size() == 10);
		CHECK(!memhook_active() || stats_of(b).live_blocks == 10);
		left.push_back(1);
		CHECK(!memhook_active() || stats_of(a).live_blocks == 1);
	}
	CHECK(holds(a, 0, 0) && holds(b, 0, 0));
}

// [allocator.requirements], as far as it can be said in one program.
static void requirements()
{
	using of_int = memhook::allocator<int>;
	using of_char = memhook::allocator<char>;
	using traits = std::allocator_traits<of_int>;
	of_int a(MEMHOOK_NOBODY), b(MEMHOOK_OVERFLOW), copy(a);
	of_char other(b), back(a);

	static_assert(std::is_same<traits::rebind_alloc<char>, of_char>::value, "");
	static_assert(traits::is_always_equal::value, "");
	static_assert(!traits::propagate_on_container_copy_assignment::value, "");
	static_assert(!traits::propagate_on_container_move_assignment::value, "");
	static_assert(!traits::propagate_on_container_swap::value, "");
	static_assert(std::is_nothrow_copy_constructible<of_int>::value, "");
	static_assert(std::is_nothrow_move_constructible<of_int>::value, "");
	static_assert(std::is_nothrow_move_assignable<vector<int>>::value, "");
	static_assert(!std::is_default_constructible<of_int>::value, "");
	static_assert(!std::is_convertible<memhook_owner, of_int>::value, "");
	CHECK(a == copy && !(a != copy) && a == b && a == other && of_int(back) == a);
	CHECK(other.owner() == b.owner() && of_int(other).owner() == b.owner());
	CHECK(traits::select_on_container_copy_construction(b).owner() == b.owner());
	a.deallocate(b.allocate(10), 10);
}

#ifdef MEMHOOK_PMR
static void resources()
{
	memhook_owner a = memhook_owner_create("hpp/resource");
	memhook_owner b = memhook_owner_create("hpp/resource two");
	memhook::resource one(a), two(b);

#ifdef __cpp_rtti
	CHECK(one == two);
#endif
	CHECK(one == one && one.owner() == a);
	CHECK(one != *std::pmr::new_delete_resource());
	{
		std::pmr::vector<std::pmr::string> v(&one);

		v.emplace_back(1000, 'x');
		CHECK(v.back().get_allocator().resource() == &one);
		CHECK(holds(a, 1001 + sizeof(std::pmr::string), 2));

		std::pmr::monotonic_buffer_resource buffer(&two);
		std::pmr::list<wide> l(&buffer);

		l.emplace_back();
		CHECK(is_aligned(&l.back()));
		CHECK(!memhook_active() || stats_of(b).live_blocks > 0);
		std::thread([&v] { v.clear(), v.shrink_to_fit(); }).join();
		CHECK(holds(a, 0, 0));
	}
	CHECK(holds(b, 0, 0));

	void *p = one.allocate(10, 4096);
	CHECK(reinterpret_cast<std::uintptr_t>(p) % 4096 == 0);
	CHECK(holds(a, 10, 1));
	two.deallocate(p, 10, 4096);
	CHECK(holds(a, 0, 0));
	// With 32 bits, PTRDIFF_MAX itself may be had of the C library.
	volatile std::size_t too_much = std::size_t{PTRDIFF_MAX} + (sizeof(void *) < 8);
	volatile std::size_t no_power = 48;
	CHECK(throws<std::bad_alloc>([&] { (void)one.allocate(too_much, 8); }));
	CHECK(throws<std::bad_alloc>([&] { (void)one.allocate(too_much, 64); }));
	CHECK(throws<std::bad_alloc>([&] { (void)one.allocate(10, no_power); }));
	CHECK(outside());
}
#endif

int main()
{
	scopes();
	containers();
	an_allocator_within_a_scope();
	any_thread_may_free();
	retired_owners();
	over_aligned();
	exceptions();
	limits();
	moves_and_swaps();
	requirements();
#ifdef MEMHOOK_PMR
	resources();
#endif
	std::printf("%d failures\n", failures);
	return failures != 0;
}
