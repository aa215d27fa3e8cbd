// SPDX-License-Identifier: BSD-2-Clause
// C++ containers, whose allocations come from libstdc++ and from templates in
// the program alike.
//
//     containers strings 1|2        prints the nanoseconds of the work itself

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace {

// Words in maps, texts put together from them, all of it dropped again.
void strings()
{
	for (int round = 0; round < 25; round++) {
		std::map<std::string, std::vector<std::string>> index;

		for (int i = 0; i < 8000; i++) {
			std::string key = "the key of a word, number " + std::to_string(i % 2000);

			index[key].push_back("which stands on page " + std::to_string(i));
			key.append(" and some more");
		}
		std::string all;
		for (const auto &entry : index)
			all += entry.first + ": " + entry.second.back() + "\n";
		if (all.size() < 1000)
			std::abort();
	}
}

} // namespace

int main(int argc, char **argv)
{
	if (argc != 3 || std::strcmp(argv[1], "strings")) {
		std::fputs("usage: containers strings 1|2\n", stderr);
		return 2;
	}
	auto start = std::chrono::steady_clock::now();
	if (std::atoi(argv[2]) == 2) {
		std::thread second(strings);
		strings();
		second.join();
	} else {
		strings();
	}
	std::chrono::nanoseconds took = std::chrono::steady_clock::now() - start;
	std::printf("%lld\n", static_cast<long long>(took.count()));
}
