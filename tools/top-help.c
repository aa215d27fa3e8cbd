/* SPDX-License-Identifier: BSD-2-Clause */
/* What memhook top says about itself; lines short enough for 40 columns. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <curses.h>

#include "top-table.h"
#include "top.h"

static const char *const lines[] = {
	"Moving",
	"  Up Down PgUp PgDn Home End, j k g G",
	"  Enter       show the chosen process;",
	"              fold or unfold a group",
	"  Left Right  fold, unfold",
	"  f           fold or unfold all groups",
	"  t           tree, or owners alone",
	"  Esc q       back (Esc: clears a filter",
	"  Backspace   first); Q ends at once",
	"",
	"What is shown",
	"  /           only names that contain..",
	"  < >         sort by the next column",
	"  r           the other way round",
	"  Space       pause, go on",
	"  + -         look more, less often",
	"  z           CHANGE counts from now",
	"",
	"Sort an owners' table by",
	"  n name    l live     b blocks",
	"  p peak    a allocs   s alloc/s",
	"  y bytes/s c change",
	"and the processes by",
	"  p pid     c command  y by",
	"  u uptime  o owners   l live",
	"  b blocks  a alloc/s  s RSS",
	"",
	"Columns",
	"  LIVE, BLOCKS  held now",
	"  PEAK     most ever held; of a group",
	"           the sum of its owners' peaks",
	"  ALLOCS   allocations since the start",
	"  /s       in a second, since the last",
	"           look",
	"  CHANGE   of LIVE since z",
	"  HISTORY  LIVE at the last looks, from",
	"           the least to the greatest",
	"",
	"Sizes are in units of 1024 (K M G),",
	"counts in units of 1000.",
	"db/ is the group of db/cache, db/log;",
	"its numbers are their sums, and those of",
	"an owner db. A filter hides rows and",
	"does not change numbers.",
	"consistent: nothing moved while we read",
	"not exact: it was forked beside threads",
};

#define LINES_OF_HELP (sizeof(lines) / sizeof(*lines))

void help_draw(struct top *t)
{
	size_t page = LINES > 2 ? (size_t)LINES - 2 : 1, i;

	if (t->help_first + page > LINES_OF_HELP)
		t->help_first = LINES_OF_HELP > page ? LINES_OF_HELP - page : 0;
	erase();
	table_line(0, A_BOLD, "memhook top: keys", "Up Down scroll, any other key closes");
	for (i = 0; i < page && t->help_first + i < LINES_OF_HELP; i++) {
		const char *text = lines[t->help_first + i];

		table_line((int)i + 1, *text != ' ' ? A_BOLD : 0, text, "");
	}
	refresh();
}
