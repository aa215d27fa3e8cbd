/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The unwind rule of a call site, read once from .eh_frame and remembered in
 * eight bytes.  Only rules of the form "register + constant" are taken, which
 * is what compilers write for C and C++; all others are "lost".
 */
#include "frame.h"

#include "cfi.h"

#ifdef REG_SP

#define WORD ((int)sizeof(void *))

/*
 * The table of .eh_frame_hdr: pairs of an address and its FDE, both relative
 * to the header, sorted.  The last one that begins at or below pc.
 */
static const uint8_t *find_fde(const uint8_t *hdr, uintptr_t pc)
{
	struct mh_cursor c = { .p = hdr + 4 };
	const int32_t (*table)[2];
	size_t low = 0, high, middle;

	if (hdr[0] != 1 || hdr[2] != PE_UDATA4 || hdr[3] != (PE_DATAREL | PE_SDATA4))
		return NULL;
	mh_cfi_pointer(&c, hdr[1] & PE_FORMAT);
	high = READ(&c, uint32_t);
	table = (const int32_t (*)[2])c.p;
	if (c.bad || !high || pc < (uintptr_t)hdr + (uintptr_t)(intptr_t)table[0][0])
		return NULL;
	while (high - low > 1) {
		middle = low + (high - low) / 2;
		if (pc < (uintptr_t)hdr + (uintptr_t)(intptr_t)table[middle][0])
			high = middle;
		else
			low = middle;
	}
	return hdr + table[low][1];
}

static int fits(const struct mh_rules *r)
{
	if (r->cfa_unknown || r->cfa_offset < WORD || r->cfa_offset % WORD ||
	    r->cfa_offset > MH_FRAME_MAX || r->ra.how != AT_OFFSET ||
	    r->ra.offset != -WORD)
		return 0;
	if (r->fp.how == AT_OFFSET &&
	    (r->fp.offset >= 0 || r->fp.offset < INT16_MIN))
		return 0;
	return r->cfa_register == REG_SP || r->cfa_register == REG_FP;
}

struct mh_step mh_frame_rule(const void *caller, const struct dl_find_object *found)
{
	struct mh_step step = { .kind = MH_STEP_LOST };
	/* One back: a call may be the last instruction of a function. */
	uintptr_t pc = (uintptr_t)caller - 1;
	const uint8_t *hdr = found->dlfo_eh_frame, *fde;
	struct mh_rules rules;

	fde = hdr ? find_fde(hdr, pc) : NULL;
	if (!fde || mh_cfi_rules(fde, pc, &rules) || !fits(&rules))
		return step;
	step.kind = rules.cfa_register == REG_SP ? MH_STEP_SP : MH_STEP_FP;
	step.cfa_offset = (int32_t)rules.cfa_offset;
	step.fp_offset = rules.fp.how == AT_OFFSET ? (int16_t)rules.fp.offset : 0;
	step.fp_lost = rules.fp.how == NOWHERE;
	return step;
}

#else /* another processor: callers are charged as they are */

struct mh_step mh_frame_rule(const void *caller, const struct dl_find_object *found)
{
	(void)caller;
	(void)found;
	return (struct mh_step){ .kind = MH_STEP_LOST };
}

#endif
