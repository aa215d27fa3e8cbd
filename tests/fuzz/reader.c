/* SPDX-License-Identifier: BSD-2-Clause */
/* libFuzzer's way into the reader and the renderers: `make fuzz`. */
#include <fcntl.h>
#include <sys/mman.h>

#include "image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int segment = -1, null = -1;

	if (segment < 0) {
		segment = memfd_create("fuzz", MFD_CLOEXEC);
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	}
	if (image_expand(segment, data, size) == 0)
		read_everything(segment, null);
	return 0;
}
