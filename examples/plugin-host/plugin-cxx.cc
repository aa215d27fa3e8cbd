// SPDX-License-Identifier: BSD-2-Clause
#include <string>
#include <vector>

extern "C" void *plugin_start()
{
	return new std::vector<std::string>(10, std::string(200, 'x'));
}

extern "C" void plugin_stop(void *state)
{
	delete static_cast<std::vector<std::string> *>(state);
}
