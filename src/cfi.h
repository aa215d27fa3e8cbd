/* SPDX-License-Identifier: BSD-2-Clause */
/* Call frame information: the rules in force at an address. */
#ifndef MH_CFI_H
#define MH_CFI_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* DWARF's numbers of the registers that are followed.  None: not supported. */
#if defined(__x86_64__)
#define REG_FP 6
#define REG_SP 7
#define REG_RA 16
#elif defined(__i386__)
#define REG_SP 4
#define REG_FP 5
#define REG_RA 8
#endif

/* DW_EH_PE_*: how a pointer is encoded. */
enum mh_pe {
	PE_ABSPTR = 0x00, PE_UDATA2 = 0x02, PE_UDATA4 = 0x03, PE_UDATA8 = 0x04,
	PE_SDATA2 = 0x0a, PE_SDATA4 = 0x0b, PE_SDATA8 = 0x0c,
	PE_PCREL = 0x10, PE_DATAREL = 0x30, PE_APPLICATION = 0x70, PE_FORMAT = 0x0f
};

struct mh_cursor {
	const uint8_t *p;
	int bad; /* something that we do not read */
};

enum mh_saved { KEPT, AT_OFFSET, NOWHERE };

struct mh_rule {
	enum mh_saved how;
	int64_t offset; /* from the CFA */
};

struct mh_rules {
	uint64_t cfa_register;
	int64_t cfa_offset;
	int cfa_unknown;
	struct mh_rule fp, ra;
};

#define READ(c, type) \
	({ type n_; memcpy(&n_, (c)->p, sizeof(n_)); (c)->p += sizeof(n_); n_; })

/* A pointer in `encoding`, without what it is relative to, but for its own place. */
uintptr_t mh_cfi_pointer(struct mh_cursor *c, uint8_t encoding);

/* The rules of this FDE at pc: 0, or -1. */
int mh_cfi_rules(const uint8_t *fde, uintptr_t pc, struct mh_rules *rules);

#endif /* MH_CFI_H */
