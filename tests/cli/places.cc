// SPDX-License-Identifier: BSD-2-Clause
/*
 * Call sites of all kinds that C++ knows.  symbols.sh looks for their lines by
 * "NAME", so each stands on one line.
 */
#include <string>
#include <vector>

#include "places.h"
#include "include/c++/box.h" // which symbols.sh makes: it counts as the system's

#define NOINLINE __attribute__((noinline))

// A symbol that does not say how far it reaches.
__asm__(".text\n.globl unsized\nunsized:\n");

namespace app
{
namespace
{
NOINLINE void hidden(int)
{
	PLACE("anonymous");
}
} // namespace

template <class T> struct shelf {
	NOINLINE void fill(const std::vector<T> &)
	{
		PLACE("template");
	}
	NOINLINE shelf &operator<<(const T &)
	{
		PLACE("operator");
		return *this;
	}
};

static inline __attribute__((always_inline)) void helper(const std::string &)
{
	PLACE("inlined");
}

NOINLINE void outer()
{
	helper("x");
	std_box<int>::allocate("header"); // "header"
}

NOINLINE void lambda()
{
	auto f = [](int) NOINLINE { PLACE("lambda"); };

	f(1);
}

struct base {
	virtual ~base() = default;
	virtual void show(int) const = 0;
};
struct derived : base {
	NOINLINE void show(int) const override
	{
		PLACE("virtual");
	}
};
} // namespace app

extern "C" NOINLINE void plain_c(void)
{
	PLACE("plain");
}

// The call is the last instruction: its return address is another function's.
NOINLINE static void leave(void)
{
	last_place("noreturn");
}

extern "C" void all_places()
{
	app::derived d;
	app::base *b = &d;

	app::hidden(1);
	app::shelf<std::string>().fill({});
	app::shelf<int>() << 1;
	app::outer();
	app::lambda();
	b->show(1);
	plain_c();
	leave();
}

#ifdef PROGRAM
int main()
{
	all_places();
}
#endif
