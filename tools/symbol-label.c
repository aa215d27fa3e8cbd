/* SPDX-License-Identifier: BSD-2-Clause */
/* A symbol in a narrow column. */
#include "symbols.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPERATOR "operator"
#define ANONYMOUS "(anonymous namespace)::"

/* Behind the bracket that closes the one at s; the end if there is none. */
static const char *skip_brackets(const char *s)
{
	unsigned depth = 0;

	for (; *s; s++) {
		if (strncmp(s, "->", 2) == 0)
			s++; /* decltype of something */
		else if (strchr("(<[{", *s))
			depth++;
		else if (strchr(")>]}", *s) && --depth == 0)
			return s + 1;
		if (!*s)
			break;
	}
	return s;
}

static int starts(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

/* Does what was written so far end in the word "operator"? */
static int after_operator(const char *begin, const char *end)
{
	size_t n = strlen(OPERATOR);

	return (size_t)(end - begin) >= n && strncmp(end - n, OPERATOR, n) == 0 &&
	       ((size_t)(end - begin) == n ||
		(!isalnum((unsigned char)end[-n - 1]) && end[-n - 1] != '_'));
}

/* The rest of an operator's name: "()", "<<", " new[]", " std::string". */
static const char *copy_operator(const char *s, char **out)
{
	if (starts(s, "()")) {
		*(*out)++ = *s++;
		*(*out)++ = *s++;
		return s;
	}
	if (*s == ' ') {
		while (*s && *s != '(')
			*(*out)++ = *s++;
		return s;
	}
	while (*s && strchr("<>=!~+-*/%^&|,[]", *s))
		*(*out)++ = *s++;
	return s;
}

/* "{lambda(int)#1}" without the parameters. */
static const char *copy_braces(const char *s, char **out)
{
	while (*s && *s != '}') {
		if (*s == '(' || *s == '<')
			s = skip_brackets(s);
		else
			*(*out)++ = *s++;
	}
	if (*s)
		*(*out)++ = *s++;
	return s;
}

/* Behind parameters: a name inside of the function may follow. */
static const char *after_parameters(const char *s)
{
	static const char *const words[] = { " const", " volatile", " &&", " &" };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (starts(s, words[i]))
			s += strlen(words[i]);
	return starts(s, "::") ? s : "";
}

void symbol_short_name(const char *function, char *shortened)
{
	const char *s = function;
	char *out = shortened;

	while (*s) {
		if (starts(s, ANONYMOUS)) {
			s += strlen(ANONYMOUS);
		} else if (after_operator(shortened, out) && !isalnum((unsigned char)*s)) {
			s = copy_operator(s, &out);
		} else if (*s == '{') {
			s = copy_braces(s, &out);
		} else if (*s == '<') {
			s = skip_brackets(s);
		} else if (*s == '[') {
			s = skip_brackets(s); /* [abi:cxx11] */
		} else if (*s == '(') {
			s = after_parameters(skip_brackets(s));
		} else if (*s == ' ') {
			if (s[1] != '<' && s[1] != '[')
				out = shortened; /* that was the type */
			s++;
		} else {
			*out++ = *s++;
		}
	}
	*out = '\0';
	if (out == shortened)
		strcpy(shortened, function);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

char *symbol_label(const struct symbol_answer *a, const char *object_path)
{
	char name[sizeof(a->function)], *label = NULL;
	int n;

	symbol_short_name(a->function, name);
	if (a->line)
		n = asprintf(&label, "%s (%s:%u)",
			     *name ? name : base_name(object_path), base_name(a->file),
			     a->line);
	else
		n = asprintf(&label, "%s+0x%llx (%s)", name,
			     (unsigned long long)a->function_offset,
			     base_name(object_path));
	return n < 0 ? NULL : label;
}
