/* SPDX-License-Identifier: BSD-2-Clause */
/* The terminal of memhook top: taken, and given back whatever happens. */
#ifndef TOP_TERMINAL_H
#define TOP_TERMINAL_H

#include <stdint.h>

/* Numbers of colour pairs; attributes do without them where there are none. */
enum { COLOUR_GROWN = 1, COLOUR_SHRUNK, COLOUR_ALARM, COLOUR_QUIET };

struct terminal {
	int colours; /* it has some, and NO_COLOR is unset */
	int unicode; /* it can show block characters */
};

/* 0, or -1 after a complaint. */
int terminal_start(struct terminal *t);
void terminal_stop(void);

/* Until a key, a signal, or so many milliseconds.  -1: it is time to go. */
int terminal_wait(uint64_t ms);

/* After terminal_stop(): die of the signal that ended us, if one did. */
void terminal_die(void);

/* The attributes of a colour pair. */
int terminal_colour(const struct terminal *t, int pair);

#endif /* TOP_TERMINAL_H */
