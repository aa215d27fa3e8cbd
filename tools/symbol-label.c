/* SPDX-License-Identifier: BSD-2-Clause */
/* A symbol in a narrow column. */
#include "symbols.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPERATOR "operator"
#define ANONYMOUS "(anonymous namespace)::"
#define CALL "}::operator()" /* that a lambda is called goes without saying */
#define FILE_WIDTH 14

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
	const char *s = function, *next;
	char *out = shortened;

	while (*s) {
		if (after_operator(shortened, out) &&
		    (next = copy_operator(s, &out)) != s) {
			s = next;
		} else if (starts(s, ANONYMOUS)) {
			s += strlen(ANONYMOUS);
		} else if (starts(s, "__cxx11::")) {
			s += strlen("__cxx11::");
		} else if (*s == '{') {
			s = copy_braces(s, &out);
		} else if (*s == '<' || *s == '[') { /* [abi:cxx11] */
			s = skip_brackets(s);
		} else if (*s == '(') {
			s = skip_brackets(s);
			if (out > shortened) /* else it was decltype(..) */
				s = after_parameters(s);
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

/* The name without its outermost scope, or NULL: "a::b::c" -> "b::c". */
static const char *inner_scope(const char *name)
{
	unsigned depth = 0;

	for (; *name; name++) {
		depth += *name == '{';
		depth -= *name == '}' && depth;
		if (!depth && starts(name, "::") && name[2])
			return name + 2;
	}
	return NULL;
}

/* In so many columns: first the scopes go, then the end. */
static void put_name(char *to, const char *name, size_t room)
{
	const char *inner;

	while (strlen(name) > room && (inner = inner_scope(name)) &&
	       !starts(inner, OPERATOR))
		name = inner;
	if (strlen(name) <= room || room < 2)
		sprintf(to, "%.*s", (int)room, name);
	else
		sprintf(to, "%.*s..", (int)room - 2, name);
}

static void put_place(char *to, size_t size, const struct symbol_answer *a)
{
	const char *file = base_name(a->file);
	int cut = strlen(file) > FILE_WIDTH;

	snprintf(to, size, " (%.*s%s:%u)", cut ? FILE_WIDTH - 2 : FILE_WIDTH, file,
		 cut ? ".." : "", a->line);
}

static void put_offset(char *to, size_t size, const struct symbol_answer *a,
		       size_t name_size, const char *object)
{
	int n = snprintf(to, size, "+0x%llx", (unsigned long long)a->function_offset);

	if (name_size + (size_t)n + strlen(object) + 3 <= MH_NAME_WIDTH)
		snprintf(to + n, size - (size_t)n, " (%.*s)", MH_NAME_WIDTH, object);
}

char *symbol_label(const struct symbol_answer *a, const char *object_path)
{
	char name[sizeof(a->function)], place[64], label[MH_NAME_WIDTH + 1];
	const char *object = base_name(object_path);
	size_t n;

	symbol_short_name(a->function, name);
	n = strlen(name);
	if (n > sizeof(CALL) && strcmp(name + n - strlen(CALL), CALL) == 0)
		name[n - strlen("::operator()")] = '\0';
	if (a->line)
		put_place(place, sizeof(place), a);
	else
		put_offset(place, sizeof(place), a, strlen(name), object);
	put_name(label, *name ? name : object, MH_NAME_WIDTH - strlen(place));
	return strdup(strcat(label, place));
}
