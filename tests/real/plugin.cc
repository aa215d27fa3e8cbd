// SPDX-License-Identifier: BSD-2-Clause
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>

extern "C" int work(int n)
{
	std::map<std::string, std::unique_ptr<int>> m;
	int sum = 0;

	for (int i = 0; i < n; i++)
		m[std::string(30, 'a') + std::to_string(i)] = std::make_unique<int>(i);
	for (auto &e : m)
		sum += *e.second;
	try {
		volatile std::size_t huge = static_cast<std::size_t>(-1) / 4;

		delete[] new char[huge];
	} catch (const std::bad_alloc &) {
		sum++;
	}
	return sum;
}

extern "C" char *text()
{
	return strdup("made here, freed there");
}
