/* SPDX-License-Identifier: BSD-2-Clause */
#include "top-text.h"

#include <stdio.h>
#include <string.h>
#include <wctype.h>

#define BARS 8

/* Three digits, and a fourth one rather than a unit more. */
static void scaled(char to[CELL], double n, double base, const char *units)
{
	while (n >= base * 0.9995 && units[1]) {
		n /= base;
		units++;
	}
	if (n < 9.995)
		snprintf(to, CELL, "%.2f%c", n, *units);
	else if (n < 99.95)
		snprintf(to, CELL, "%.1f%c", n, *units);
	else
		snprintf(to, CELL, "%.0f%c", n, *units);
}

void cell_bytes(char to[CELL], uint64_t n)
{
	if (n < 1024)
		snprintf(to, CELL, "%uB", (unsigned)n);
	else
		scaled(to, (double)n / 1024, 1024, "KMGTPE");
}

void cell_change(char to[CELL], int64_t n)
{
	char size[CELL];

	if (!n) {
		strcpy(to, "0");
		return;
	}
	/* As unsigned, for -INT64_MIN is no number. */
	cell_bytes(size, n < 0 ? -(uint64_t)n : (uint64_t)n);
	snprintf(to, CELL, "%c%.22s", n < 0 ? '-' : '+', size);
}

void cell_count(char to[CELL], uint64_t n)
{
	if (n < 1000000)
		snprintf(to, CELL, "%u", (unsigned)n);
	else
		scaled(to, (double)n / 1e6, 1000, "MGTPE");
}

void cell_rate(char to[CELL], double n)
{
	if (n < 0.05)
		strcpy(to, "0");
	else if (n < 9.95)
		snprintf(to, CELL, "%.1f", n);
	else
		cell_count(to, n < 1e19 ? (uint64_t)(n + 0.5) : UINT64_MAX);
}

void cell_byte_rate(char to[CELL], double n)
{
	if (n < 0.5)
		strcpy(to, "0");
	else
		cell_bytes(to, n < 1e19 ? (uint64_t)(n + 0.5) : UINT64_MAX);
}

void cell_time(char to[CELL], uint64_t ms)
{
	unsigned long long s = ms / 1000;

	if (s < 60)
		snprintf(to, CELL, "%llus", s);
	else if (s < 3600)
		snprintf(to, CELL, "%llu:%02llu", s / 60, s % 60);
	else if (s < 86400)
		snprintf(to, CELL, "%llu:%02llu:%02llu", s / 3600, s / 60 % 60, s % 60);
	else
		snprintf(to, CELL, "%llud %02llu:%02llu", s / 86400, s / 3600 % 24,
			 s / 60 % 60);
}

/* One character of a name: as it may be shown.  Bytes it took. */
static size_t next_character(const char *p, size_t left, wchar_t *c)
{
	mbstate_t state = { 0 };
	size_t n = mbrtowc(c, p, left, &state);

	if (n == 0 || n > left) {
		*c = L'?';
		return 1;
	}
	if (!iswprint((wint_t)*c) || wcwidth(*c) < 1)
		*c = L'?';
	return n;
}

static size_t width_of(const wchar_t *c, size_t n)
{
	size_t width = 0;

	while (n--)
		width += (size_t)wcwidth(*c++);
	return width;
}

/* Characters of c that fit `columns`, from the front or from the back. */
static size_t fitting(const wchar_t *c, size_t n, size_t columns, int from_back)
{
	size_t used = 0, i;

	for (i = 0; i < n; i++) {
		used += (size_t)wcwidth(from_back ? c[n - 1 - i] : c[i]);
		if (used > columns)
			break;
	}
	return i;
}

void cell_name(wchar_t *to, size_t columns, const char *name, size_t size)
{
	wchar_t all[128];
	size_t n = 0, at = 0, used, head, tail;

	while (at < size && n < sizeof(all) / sizeof(*all))
		at += next_character(name + at, size - at, &all[n++]);
	head = n;
	used = width_of(all, n);
	tail = 0;
	if (used > columns) {
		/* The end tells similar names apart: it gets the greater half. */
		size_t dots = columns > 4 ? 2 : 0;

		head = fitting(all, n, (columns - dots) / 2, 0);
		used = width_of(all, head) + dots;
		tail = fitting(all, n, columns - used, 1);
		used += width_of(all + n - tail, tail);
		wmemcpy(to, all, head);
		wmemset(to + head, L'.', dots);
		wmemcpy(to + head + dots, all + n - tail, tail);
		to += head + dots + tail;
	} else {
		wmemcpy(to, all, n);
		to += n;
	}
	for (; used < columns; used++)
		*to++ = L' ';
	*to = L'\0';
}

void cell_spark(wchar_t *to, size_t columns, const struct top_history *h, int unicode)
{
	const wchar_t *bars = unicode ? L"▁▂▃▄▅▆▇█" : L"_.-:=+*#";
	uint32_t size = h ? history_size(h) : 0, i;
	uint64_t low = UINT64_MAX, high = 0, span;

	if (size > columns)
		size = (uint32_t)columns;
	for (i = 0; i < size; i++) {
		uint64_t live = history_at(h, history_size(h) - size + i);

		low = live < low ? live : low;
		high = live > high ? live : high;
	}
	span = high - low;
	if (span < high / 16)
		span = high / 16;
	wmemset(to, L' ', columns - size);
	to += columns - size;
	for (i = 0; i < size; i++) {
		uint64_t above = history_at(h, history_size(h) - size + i) - low;

		*to++ = bars[span ? (unsigned)((double)above * (BARS - 1) /
					       (double)span + 0.5) : 0];
	}
	*to = L'\0';
}
