// SPDX-License-Identifier: BSD-2-Clause
// C++ containers, whose allocations come from libstdc++ and from templates in
// the program alike.
//
//     containers strings|nodes THREADS N      prints the nanoseconds of the work

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace {

// Words in maps, texts put together from them, all of it dropped again.
void strings()
{
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

struct shape {
	virtual ~shape() = default;
	virtual int area() const = 0;
};

struct square : shape {
	explicit square(int s) : side(s) {}
	int area() const override { return side * side; }
	int side;
};

struct circle : shape {
	explicit circle(int r) : name("a circle with a name of its own"), radius(r) {}
	int area() const override { return 3 * radius * radius; }
	std::string name;
	int radius;
};

// Containers that take a node for each element; objects behind pointers; what
// is put in at one end and taken out at the other.
void nodes()
{
	std::set<int> seen;
	std::unordered_map<int, std::shared_ptr<shape>> shapes;
	std::list<std::unique_ptr<shape>> waiting;
	std::deque<std::function<int()>> todo;
	long sum = 0;

	for (int i = 0; i < 5000; i++) {
		int k = i * 7919 % 4001;
		std::shared_ptr<shape> s;

		if (k % 2)
			s = std::make_shared<square>(k);
		else
			s = std::make_shared<circle>(k);
		seen.insert(k);
		shapes[k % 1000] = s;
		waiting.push_back(std::make_unique<square>(k));
		todo.emplace_back([s, i, k] { return s->area() + i + k; });
		if (waiting.size() > 100)
			waiting.pop_front();
		if (todo.size() > 200) {
			sum += todo.front()();
			todo.pop_front();
		}
	}
	if (!sum || seen.empty())
		std::abort();
}

} // namespace

int main(int argc, char **argv)
{
	void (*work)() = nullptr;

	if (argc == 4 && !std::strcmp(argv[1], "strings"))
		work = strings;
	if (argc == 4 && !std::strcmp(argv[1], "nodes"))
		work = nodes;
	if (!work) {
		std::fputs("usage: containers strings|nodes THREADS N\n", stderr);
		return 2;
	}
	long n = std::atol(argv[3]);
	auto often = [work, n] {
		for (long i = 0; i < n; i++)
			work();
	};
	std::vector<std::thread> others;
	auto start = std::chrono::steady_clock::now();
	for (int i = 1; i < std::atoi(argv[2]); i++)
		others.emplace_back(often);
	often();
	for (auto &other : others)
		other.join();
	std::chrono::nanoseconds took = std::chrono::steady_clock::now() - start;
	std::printf("%lld\n", static_cast<long long>(took.count()));
}
