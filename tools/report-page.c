/* SPDX-License-Identifier: BSD-2-Clause */
#include "report-page.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

/* Made by tools/page/assemble.sh; the data take the place of the mark. */
__asm__(".pushsection .rodata\n"
	".globl report_page\n"
	".type report_page, %object\n"
	"report_page:\n"
	".incbin \"" MH_PAGE "\"\n"
	".size report_page, . - report_page\n"
	".globl report_page_end\n"
	"report_page_end:\n"
	".byte 0\n"
	".popsection");
extern const char report_page[], report_page_end[];

static const char mark[] = "@DATA@";

static int write_all(int fd, const char *text, size_t size)
{
	while (size) {
		ssize_t n = write(fd, text, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? errno : EIO;
		text += n;
		size -= (size_t)n;
	}
	return 0;
}

/*
 * Names are anybody's text.  "<" stands in JSON's strings only, and written
 * like this it neither ends the script element nor begins a comment in it.
 */
static int write_data(int fd, const char *text)
{
	int error = 0;

	while (*text && !error) {
		size_t n = strcspn(text, "<");

		error = write_all(fd, text, n);
		text += n;
		if (*text && !error) {
			error = write_all(fd, "\\u003c", 6);
			text++;
		}
	}
	return error;
}

int report_page_write(int fd, json_object *data)
{
	size_t size = (size_t)(report_page_end - report_page);
	const char *at = memmem(report_page, size, mark, strlen(mark));
	const char *text = json_object_to_json_string_ext(data,
			JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	int error;

	if (!at || !text)
		out_of_memory();
	error = write_all(fd, report_page, (size_t)(at - report_page));
	if (!error)
		error = write_data(fd, text);
	at += strlen(mark);
	return error ? error : write_all(fd, at, (size_t)(report_page_end - at));
}
