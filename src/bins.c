/* SPDX-License-Identifier: BSD-2-Clause */
#include "bins.h"

#define AT(n) MH_BIN_AT(n)

/* The four classes of the doubling that begins with b, from bin n on. */
#define DOUBLING(b, n)                                                                 \
	[(b) / 16 + 1 ... (b) * 5 / 64] = AT(n),                                       \
	[(b) * 5 / 64 + 1 ... (b) * 6 / 64] = AT((n) + 1),                             \
	[(b) * 6 / 64 + 1 ... (b) * 7 / 64] = AT((n) + 2),                             \
	[(b) * 7 / 64 + 1 ... (b) / 8] = AT((n) + 3)

const uint16_t mh_bin_at[MH_HELD_MAX / 16 + 1] = {
	[1] = AT(0), [2] = AT(1), [3] = AT(2), [4] = AT(3),
	[5] = AT(4), [6] = AT(5), [7] = AT(6), [8] = AT(7),
	DOUBLING(128, 8), DOUBLING(256, 12), DOUBLING(512, 16), DOUBLING(1024, 20),
	DOUBLING(2048, 24), DOUBLING(4096, 28), DOUBLING(8192, 32), DOUBLING(16384, 36),
};

#define FOUR(n) AT(n), AT((n) + 1), AT((n) + 2), AT((n) + 3)

const uint16_t mh_bin_start[MH_BINS] = {
	FOUR(0), FOUR(4), FOUR(8), FOUR(12), FOUR(16),
	FOUR(20), FOUR(24), FOUR(28), FOUR(32), FOUR(36),
};
