/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer's way into the whole API: `make fuzz-api`.  The library is part of
 * the program, so that libFuzzer sees which of its branches are taken; its own
 * allocations, and those of the model's threads, are charged to nobody.
 */
#include "model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int ready;

	if (!ready)
		model_init();
	ready = 1;
	model_input(data, size);
	return 0;
}
