// SPDX-License-Identifier: BSD-2-Clause
// A plug-in in C++.  How to build and run it: host.c.
#include <cstdlib>
#include <string>
#include <vector>

extern "C" void *plugin_start()
{
	return new std::vector<std::string>(10, std::string(200, 'x'));
}

extern "C" char *plugin_greeting()
{
	return static_cast<char *>(std::calloc(1, 100));
}

extern "C" void plugin_stop(void *state)
{
	delete static_cast<std::vector<std::string> *>(state);
}
