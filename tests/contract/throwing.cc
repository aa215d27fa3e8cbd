// SPDX-License-Identifier: BSD-2-Clause
// Limits and observers in C++: new under a hard limit, callbacks that throw.
// Plain checks: it says what failed.
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <memhook.h>

static int failures;

#define CHECK(what)                                                           \
	do {                                                                  \
		if (!(what)) {                                                \
			std::printf("%s:%d: %s\n", __FILE__, __LINE__, #what); \
			failures++;                                           \
		}                                                             \
	} while (0)

static volatile std::size_t hundred = 100;

static struct memhook_stats stats_of(memhook_owner owner)
{
	struct memhook_stats s{};

	s.size = sizeof(s);
	CHECK(memhook_stats(owner, &s) == 0);
	return s;
}

template <class E, class F> static bool throws(F f)
{
	try {
		f();
	} catch (const E &) {
		return true;
	}
	return false;
}

static void *saved;
static volatile int handled;

static void free_something()
{
	handled++;
	if (handled == 2) {
		::operator delete(saved);
		std::set_new_handler(nullptr);
	}
}

static void hard_limit()
{
	memhook_owner o = memhook_owner_create("cxx/hard");
	const std::size_t n = hundred;
	const std::align_val_t align{64};
	std::vector<std::string> v;
	void *p, *q[4];
	bool threw[5];

	CHECK(memhook_limit(o, 0, 1000, nullptr, nullptr) == 0);
	{
		MEMHOOK_SCOPE(o);
		p = ::operator new(1000);
		threw[0] = throws<std::bad_alloc>(
			[&] { ::operator delete(::operator new(n)); });
		threw[1] = throws<std::bad_alloc>(
			[&] { ::operator delete[](::operator new[](n)); });
		threw[2] = throws<std::bad_alloc>(
			[&] { ::operator delete(::operator new(n, align), align); });
		q[0] = ::operator new(n, std::nothrow);
		q[1] = ::operator new[](n, std::nothrow);
		q[2] = ::operator new(n, align, std::nothrow);
	}
	CHECK(threw[0] && threw[1] && threw[2]);
	CHECK(!q[0] && !q[1] && !q[2]);
	CHECK(stats_of(o).live_bytes >= 1000);
	// What the loader kept, looking for libstdc++.
	const std::uint64_t loaders = stats_of(o).live_bytes - 1000;

	// Called until it helps, as when memory is out.
	saved = p;
	handled = 0;
	std::set_new_handler(free_something);
	{
		MEMHOOK_SCOPE(o);
		p = ::operator new(n);
	}
	std::set_new_handler(nullptr);
	CHECK(handled == 2 && p);
	::operator delete(p);

	// A container keeps what it has.
	{
		MEMHOOK_SCOPE(o);
		threw[3] = throws<std::bad_alloc>([&] {
			for (;;)
				v.push_back(std::string(50, 'x'));
		});
	}
	CHECK(threw[3] && !v.empty() && v.back() == std::string(50, 'x'));
	CHECK(stats_of(o).live_bytes <= 1000);
	v.clear();
	v.shrink_to_fit();
	CHECK(stats_of(o).live_bytes == loaders);
}

static volatile int calls;
static memhook_owner watched;

static void throw_something(memhook_owner, std::uint64_t, void *)
{
	calls++;
	throw std::runtime_error("soft limit");
}

// It passes through new, and the thread is told of the next crossing.
static void soft_limit_throws()
{
	memhook_owner o = memhook_owner_create("cxx/soft");

	// In a static program the unwinder allocates when it is first used.
	CHECK(throws<std::runtime_error>([] { throw std::runtime_error("first"); }));
	CHECK(memhook_limit(o, 100, 0, throw_something, nullptr) == 0);
	for (int i = 1; i <= 3; i++) {
		memhook_owner was = memhook_enter(o);
		bool threw = throws<std::runtime_error>(
			[&] { ::operator delete(::operator new(hundred)); });

		memhook_leave(was);
		CHECK(threw && calls == i);
		// What was thrown out of is leaked, so it stays above: armed again
		CHECK(stats_of(o).live_bytes == 100 * (std::uint64_t)i);
		CHECK(memhook_limit(o, 100, 0, throw_something, nullptr) == 0);
	}
	CHECK(memhook_limit(o, 0, 0, nullptr, nullptr) == 0);
}

static bool throwing;

static void on_event(void *, std::size_t, memhook_owner owner, const void *, void *)
{
	if (owner != watched)
		return;
	calls++;
	std::free(std::malloc(10));
	if (throwing)
		throw std::runtime_error("observer");
}

static void observers_throw()
{
	struct memhook_observer o = { sizeof(o), on_event, nullptr, nullptr };
	memhook_owner was;
	void *p;
	bool threw;

	watched = memhook_owner_create("cxx/observed");
	CHECK(memhook_observe(&o) == 0);
	calls = 0;
	throwing = true;
	for (int i = 1; i <= 3; i++) { // the guard is not left set
		was = memhook_enter(watched);
		threw = throws<std::runtime_error>(
			[&] { ::operator delete(::operator new(hundred)); });
		memhook_leave(was);
		CHECK(threw && calls == i);
	}
	throwing = false;
	was = memhook_enter(watched);
	p = ::operator new(hundred);
	memhook_leave(was);
	CHECK(calls == 4);
	CHECK(memhook_unobserve(&o) == 0); // nobody is inside
	::operator delete(p);
	CHECK(stats_of(watched).live_bytes == 300); // leaked by the throws
	CHECK(calls == 4);
}

// A limit of memory that an emulator does not keep would be the machine's.
static const int unlimited = 77;

// In a process of its own: all memory there is goes into blocks of this size.
static int exhaust(std::size_t size)
{
	struct rlimit limit;
	void *all;

	getrlimit(RLIMIT_AS, &limit);
	limit.rlim_cur = std::size_t{ 1 } << 30;
	setrlimit(RLIMIT_AS, &limit);
	all = mmap(nullptr, limit.rlim_cur, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (all != MAP_FAILED)
		return unlimited;
	try {
		for (;;)
			if (!::operator new(size))
				return 1; // it throws, or there is one
	} catch (const std::bad_alloc &) {
		return ::operator new(size, std::nothrow) != nullptr;
	}
}

// Each level has a way of its own to new.
static void memory_runs_out(const char *self)
{
	static const char *const levels[] = { "MEMHOOK_CHECK=off", "MEMHOOK_CHECK=on",
					      "MEMHOOK_CHECK=strict" };
	static const char *const sizes[] = { "1000", "100000" };
	const char *path = std::getenv("LD_LIBRARY_PATH");
	const std::string libraries = std::string("LD_LIBRARY_PATH=") + (path ? path : "");

	for (const char *level : levels)
		for (const char *size : sizes) {
			const char *args[] = { self, size, nullptr };
			const char *env[] = { level, libraries.c_str(), nullptr };
			int status = -1;
			pid_t pid;

			CHECK(posix_spawn(&pid, self, nullptr, nullptr,
					  const_cast<char **>(args),
					  const_cast<char **>(env)) == 0);
			CHECK(waitpid(pid, &status, 0) == pid);
			if (WIFEXITED(status) && WEXITSTATUS(status) == unlimited) {
				std::puts("not tried: memory that runs out: "
					  "RLIMIT_AS limits nothing here");
				return;
			}
			if (status)
				std::printf("%s, %s bytes: status %#x\n", level, size,
					    static_cast<unsigned>(status));
			CHECK(status == 0);
		}
}

int main(int argc, char **argv)
{
	if (argc > 1) // by memory_runs_out(): it starts nothing
		return exhaust(std::strtoul(argv[1], nullptr, 10));
	CHECK(memhook_active() == 1);
#ifdef STATIC
	// libc cannot be told from the program: hard limits are refused.
	memhook_owner o = memhook_owner_create("cxx/static");

	CHECK(memhook_limit(o, 0, 1000, nullptr, nullptr) == -1 && errno == ENOTSUP);
	(void)hard_limit;
#else
	hard_limit();
#endif
	soft_limit_throws();
	observers_throw();
	memory_runs_out("/proc/self/exe");
	std::printf("%d failures\n", failures);
	return failures != 0;
}
