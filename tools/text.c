/* SPDX-License-Identifier: BSD-2-Clause */
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct text text_bytes(uint64_t n)
{
	static const char *const units[] = { "B",   "KiB", "MiB", "GiB",
					     "TiB", "PiB", "EiB" };
	unsigned u = 0, shift = 0;
	struct text t;

	while (n >> shift >= 1024 && u < 6) {
		u++;
		shift += 10;
	}
	if (!u)
		snprintf(t.s, sizeof(t.s), "%" PRIu64 " B", n);
	else
		snprintf(t.s, sizeof(t.s), "%" PRIu64 ".%u %s", n >> shift,
			 (unsigned)((n >> (shift - 10) & 1023) * 10 / 1024), units[u]);
	return t;
}

/* "67.1 M": millions and so on, not the powers of 1024 that bytes have. */
static struct text rounded(uint64_t n)
{
	static const char units[] = " kMGTPE";
	uint64_t unit = 1;
	struct text t;
	unsigned u = 0;

	while (n / unit >= 1000 && u < 6) {
		unit *= 1000;
		u++;
	}
	snprintf(t.s, sizeof(t.s), "%" PRIu64 ".%u %c", n / unit,
		 (unsigned)(n % unit / (unit / 10)), units[u]);
	return t;
}

struct text text_count(uint64_t n, size_t width)
{
	char plain[24];
	struct text t;
	size_t i, k = 0, length;

	length = (size_t)snprintf(plain, sizeof(plain), "%" PRIu64, n);
	for (i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0)
			t.s[k++] = ',';
		t.s[k++] = plain[i];
	}
	t.s[k] = '\0';
	return k > width && n >= 1000 ? rounded(n) : t;
}

static struct text with_sign(int64_t n, struct text t)
{
	if (n) {
		memmove(t.s + 1, t.s, sizeof(t.s) - 1);
		t.s[0] = n < 0 ? '-' : '+';
	}
	return t;
}

static uint64_t absolute(int64_t n)
{
	return n < 0 ? -(uint64_t)n : (uint64_t)n;
}

struct text text_bytes_change(int64_t n)
{
	return with_sign(n, text_bytes(absolute(n)));
}

struct text text_count_change(int64_t n, size_t width)
{
	return with_sign(n, text_count(absolute(n), width - 1));
}

struct text text_seconds(uint64_t ms)
{
	uint64_t s = ms / 1000;
	struct text t;

	if (s < 10)
		snprintf(t.s, sizeof(t.s), "%" PRIu64 ".%u s", s,
			 (unsigned)(ms / 100 % 10));
	else if (s < 600)
		snprintf(t.s, sizeof(t.s), "%" PRIu64 " s", s);
	else if (s < 36000)
		snprintf(t.s, sizeof(t.s), "%" PRIu64 " min", s / 60);
	else if (s < 864000)
		snprintf(t.s, sizeof(t.s), "%" PRIu64 " h", s / 3600);
	else
		snprintf(t.s, sizeof(t.s), "%" PRIu64 " d", s / 86400);
	return t;
}

/* Bytes of the character at s that may be shown, 0 for none. */
static size_t printable(const unsigned char *s)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2, i;

	if (n == 1)
		return s[0] >= ' ' && s[0] != 127;
	if (s[0] < 0xc2 || s[0] > 0xf4 || (s[0] == 0xc2 && s[1] < 0xa0))
		return 0;
	for (i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* Longer than need be, a half of UTF-16's pairs, beyond the last character. */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90))
		return 0;
	return n;
}

static size_t step(const char *s)
{
	size_t n = printable((const unsigned char *)s);

	return n ? n : 1;
}

static char *copy(char *to, const char *s, size_t columns)
{
	for (; columns && *s; columns--) {
		size_t n = printable((const unsigned char *)s);

		if (n)
			memcpy(to, s, n);
		else
			*to = '?';
		to += n ? n : 1;
		s += step(s);
	}
	return to;
}

size_t text_cut(char *to, const char *name, size_t width)
{
	size_t columns = 0, tail = width / 2, skip;
	const char *s;

	for (s = name; *s; s += step(s))
		columns++;
	if (columns <= width) {
		*copy(to, name, columns) = '\0';
		return columns;
	}
	to = copy(to, name, width - tail - 2);
	*to++ = '.';
	*to++ = '.';
	for (s = name, skip = columns - tail; skip; skip--)
		s += step(s);
	*copy(to, s, tail) = '\0';
	return width;
}

void text_name(char *to, const char *name, size_t width)
{
	size_t columns = text_cut(to, name, width), length = strlen(to);

	memset(to + length, ' ', width - columns);
	to[length + width - columns] = '\0';
}

void text_utf8(char *to, const char *name)
{
	for (; *name; name += step(name)) {
		size_t n = printable((const unsigned char *)name);

		if (n || (unsigned char)*name < 0x80) {
			memcpy(to, name, n ? n : 1);
			to += n ? n : 1;
		} else {
			memcpy(to, "\xef\xbf\xbd", 3);
			to += 3;
		}
	}
	*to = '\0';
}
