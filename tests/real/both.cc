// SPDX-License-Identifier: BSD-2-Clause
// Linked with the hook and with jemalloc: who came first wins, all of it.
#include <cstdio>
#include <map>
#include <memory>
#include <string>

#include <memhook.h>

int main()
{
	std::map<std::string, std::unique_ptr<int>> m;
	int sum = 0;

	for (int i = 0; i < 100; i++)
		m[std::to_string(i)] = std::make_unique<int>(i);
	for (auto &e : m)
		sum += *e.second;
	std::printf("active %d, sum %d\n", memhook_active(), sum);
}
