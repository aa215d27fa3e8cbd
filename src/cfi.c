/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The small machine that makes rules out of call frame instructions.
 *
 * Formats: Linux Standard Base, "Exception Frames"; DWARF 5, section 6.4.
 * The tables belong to code that is running: they are believed.
 */
#include "cfi.h"

#ifdef REG_SP

struct cie {
	uint64_t code_align;
	int64_t data_align;
	uint8_t pointers; /* encoding of addresses in its FDEs */
	int has_length;   /* augmentation 'z' */
	const uint8_t *program, *end;
};

/* LEB128, and how many of its bits were given. */
static uint64_t leb(struct mh_cursor *c, unsigned *bits)
{
	uint64_t n = 0;
	uint8_t byte;

	*bits = 0;
	do {
		byte = *c->p++;
		if (*bits < 64)
			n |= (uint64_t)(byte & 127) << *bits;
		*bits += 7;
	} while (byte & 128);
	return n;
}

static uint64_t uleb(struct mh_cursor *c)
{
	unsigned bits;

	return leb(c, &bits);
}

static int64_t sleb(struct mh_cursor *c)
{
	unsigned bits;
	uint64_t n = leb(c, &bits);

	/* the highest bit that was given is the sign */
	if (bits < 64 && n >> (bits - 1) & 1)
		n |= ~UINT64_C(0) << bits;
	return (int64_t)n;
}

uintptr_t mh_cfi_pointer(struct mh_cursor *c, uint8_t encoding)
{
	uintptr_t base = (encoding & PE_APPLICATION) == PE_PCREL ? (uintptr_t)c->p : 0;

	switch (encoding & PE_FORMAT) {
	case PE_ABSPTR:
		return base + READ(c, uintptr_t);
	case PE_UDATA2:
		return base + READ(c, uint16_t);
	case PE_UDATA4:
		return base + READ(c, uint32_t);
	case PE_SDATA2:
		return base + (uintptr_t)READ(c, int16_t);
	case PE_SDATA4:
		return base + (uintptr_t)READ(c, int32_t);
	case PE_UDATA8:
	case PE_SDATA8:
		return base + (uintptr_t)READ(c, uint64_t);
	}
	c->bad = 1;
	return 0;
}

/* What the letters of an augmentation bring along; 'S': a signal's frame. */
static void augmentation(struct mh_cursor *c, const char *letters, struct cie *cie)
{
	cie->pointers = PE_ABSPTR;
	cie->has_length = *letters == 'z';
	if (cie->has_length)
		uleb(c);
	else if (*letters)
		c->bad = 1;
	for (letters += cie->has_length; *letters && !c->bad; letters++) {
		if (*letters == 'R')
			cie->pointers = *c->p++;
		else if (*letters == 'L')
			c->p++;
		else if (*letters == 'P')
			mh_cfi_pointer(c, *c->p++ & PE_FORMAT);
		else
			c->bad = 1;
	}
}

static int read_cie(const uint8_t *at, struct cie *cie)
{
	struct mh_cursor c = { .p = at };
	uint32_t length = READ(&c, uint32_t), id;
	uint8_t version;
	const char *letters;

	cie->end = c.p + length;
	id = READ(&c, uint32_t);
	version = *c.p++;
	letters = (const char *)c.p;
	c.p += strlen(letters) + 1;
	if (length == UINT32_MAX || id != 0 || (version != 1 && version != 3))
		return -1;
	cie->code_align = uleb(&c);
	cie->data_align = sleb(&c);
	if ((version == 1 ? *c.p++ : uleb(&c)) != REG_RA)
		return -1;
	augmentation(&c, letters, cie);
	cie->program = c.p;
	return c.bad ? -1 : 0;
}

static void set(struct mh_rules *r, uint64_t reg, enum mh_saved how, int64_t offset)
{
	struct mh_rule rule = { how, offset };

	if (reg == REG_FP)
		r->fp = rule;
	else if (reg == REG_RA)
		r->ra = rule;
}

static void restore(struct mh_rules *r, uint64_t reg, const struct mh_rules *first)
{
	if (reg == REG_FP)
		r->fp = first->fp;
	else if (reg == REG_RA)
		r->ra = first->ra;
}

static void skip_block(struct mh_cursor *c)
{
	uint64_t n = uleb(c);

	c->p += n;
}

/* DW_CFA_def_cfa and its kin. */
static void define_cfa(struct mh_cursor *c, uint8_t op, struct mh_rules *r, int64_t align)
{
	r->cfa_unknown = 0;
	if (op == 0x0c || op == 0x0d || op == 0x12)
		r->cfa_register = uleb(c);
	if (op == 0x0c || op == 0x0e)
		r->cfa_offset = (int64_t)uleb(c);
	if (op == 0x12 || op == 0x13)
		r->cfa_offset = sleb(c) * align;
}

/* Where a register was saved, by an instruction of one byte. */
static void save(struct mh_cursor *c, uint8_t op, struct mh_rules *r, const struct cie *cie,
		 const struct mh_rules *first)
{
	uint64_t reg = uleb(c);

	if (op == 0x05) /* offset_extended */
		set(r, reg, AT_OFFSET, (int64_t)uleb(c) * cie->data_align);
	else if (op == 0x11) /* offset_extended_sf */
		set(r, reg, AT_OFFSET, sleb(c) * cie->data_align);
	else if (op == 0x06) /* restore_extended */
		restore(r, reg, first);
	else if (op == 0x08) /* same_value */
		set(r, reg, KEPT, 0);
	else /* undefined, register, val_offset, val_offset_sf, expressions */
		set(r, reg, NOWHERE, 0);
	if (op == 0x09 || op == 0x14)
		uleb(c);
	else if (op == 0x15)
		sleb(c);
	else if (op == 0x10 || op == 0x16)
		skip_block(c);
}

#define STATES 8

struct machine {
	struct mh_rules now, first, stack[STATES];
	unsigned depth;
	uintptr_t at; /* rules hold from here */
};

static void remember(struct machine *m, struct mh_cursor *c)
{
	if (m->depth == STATES)
		c->bad = 1;
	else
		m->stack[m->depth++] = m->now;
}

static void recall(struct machine *m, struct mh_cursor *c)
{
	if (m->depth == 0)
		c->bad = 1;
	else
		m->now = m->stack[--m->depth];
}

static void advance(struct machine *m, struct mh_cursor *c, uint8_t op, const struct cie *cie)
{
	uint64_t by;

	if (op == 0x01) {
		m->at = mh_cfi_pointer(c, cie->pointers);
		return;
	}
	by = op == 0x02 ? READ(c, uint8_t) : op == 0x03 ? READ(c, uint16_t)
							: READ(c, uint32_t);
	m->at += (uintptr_t)(by * cie->code_align);
}

static void extended(struct machine *m, struct mh_cursor *c, uint8_t op,
		     const struct cie *cie)
{
	switch (op) {
	case 0x00: /* nop */
		break;
	case 0x01: case 0x02: case 0x03: case 0x04: /* set_loc, advance_loc1, 2, 4 */
		advance(m, c, op, cie);
		break;
	case 0x0a:
		remember(m, c);
		break;
	case 0x0b:
		recall(m, c);
		break;
	case 0x0c: case 0x0d: case 0x0e: case 0x12: case 0x13:
		define_cfa(c, op, &m->now, cie->data_align);
		break;
	case 0x0f: /* def_cfa_expression */
		skip_block(c);
		m->now.cfa_unknown = 1;
		break;
	case 0x2e: /* GNU_args_size */
		uleb(c);
		break;
	case 0x05: case 0x06: case 0x07: case 0x08: case 0x09: case 0x10: case 0x11:
	case 0x14: case 0x15: case 0x16:
		save(c, op, &m->now, cie, &m->first);
		break;
	default:
		c->bad = 1;
	}
}

/* Run instructions until those that hold beyond pc. */
static int execute(struct machine *m, const uint8_t *from, const uint8_t *end,
		   const struct cie *cie, uintptr_t pc)
{
	struct mh_cursor c = { .p = from };

	while (c.p < end && !c.bad && m->at <= pc) {
		uint8_t op = *c.p++;
		uint64_t low = op & 0x3f;

		if (op >> 6 == 1)
			m->at += (uintptr_t)(low * cie->code_align);
		else if (op >> 6 == 2)
			set(&m->now, low, AT_OFFSET, (int64_t)uleb(&c) * cie->data_align);
		else if (op >> 6 == 3)
			restore(&m->now, low, &m->first);
		else
			extended(m, &c, op, cie);
	}
	return c.bad ? -1 : 0;
}

int mh_cfi_rules(const uint8_t *fde, uintptr_t pc, struct mh_rules *rules)
{
	struct mh_cursor c = { .p = fde };
	uint32_t length = READ(&c, uint32_t);
	const uint8_t *end = c.p + length, *id = c.p;
	struct machine m = { .at = 0 };
	struct cie cie;
	uintptr_t start, size;

	if (length == UINT32_MAX || read_cie(id - READ(&c, uint32_t), &cie))
		return -1;
	start = mh_cfi_pointer(&c, cie.pointers);
	size = mh_cfi_pointer(&c, cie.pointers & PE_FORMAT);
	if (c.bad || pc < start || pc - start >= size)
		return -1;
	if (cie.has_length)
		skip_block(&c);
	if (execute(&m, cie.program, cie.end, &cie, UINTPTR_MAX))
		return -1;
	m.first = m.now;
	m.at = start;
	if (execute(&m, c.p, end, &cie, pc))
		return -1;
	*rules = m.now;
	return 0;
}

#endif
