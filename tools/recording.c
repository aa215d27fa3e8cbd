/* SPDX-License-Identifier: BSD-2-Clause */
/* The writer of recordings; recording-read.c reads them. */
#include "recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "delta.h"
#include "line.h"
#include "tool.h"

/* A reader that lost a line has lost no more than those up to the next whole one. */
#define WHOLE_EVERY 60

/* What a writer that died has left: its half line ends here. */
static int end_line(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char last = '\n';

	if (size > 0 && pread(fd, &last, 1, size - 1) < 0)
		return errno;
	return last == '\n' ? 0 : line_write(fd, "\n", 1);
}

static int prepare(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	if (flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
		return EWOULDBLOCK;
	return end_line(fd);
}

int recording_open(struct recording *rec, const char *path)
{
	int error, flags = O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY;

	*rec = (struct recording){ .fd = open(path, O_RDWR | flags, 0666) };
	if (rec->fd < 0) /* not even a pipe is always ours to read */
		rec->fd = open(path, O_WRONLY | flags, 0666);
	error = rec->fd < 0 ? errno : prepare(rec->fd);
	if (!error)
		return 0;
	if (error == EWOULDBLOCK)
		complain("%s: another memhook record writes to it", path);
	else
		complain("cannot write %s: %s", path, strerror(error));
	recording_close(rec);
	return -1;
}

int recording_is_due(const struct recording *rec)
{
	return !rec->last || rec->lines >= WHOLE_EVERY;
}

static void put(json_object *o, const char *key, json_object *value)
{
	if (!value || json_object_object_add(o, key, value))
		out_of_memory();
}

/* What to do to the line before it, which is told by its time. */
static int write_delta(struct recording *rec, json_object *now)
{
	json_object *patch = delta_between(rec->last, now);
	json_object *delta = json_object_new_object();
	json_object *since = json_object_object_get(rec->last, "time_unix_ms");
	const char *text;
	char *line;
	int error;

	put(delta, "schema", json_object_new_string("memhook-delta/1"));
	put(delta, "pid", json_object_get(json_object_object_get(now, "pid")));
	put(delta, "since_unix_ms", json_object_get(since));
	json_object_object_foreach(patch, key, value)
		json_object_object_add(delta, key, json_object_get(value));
	text = json_object_to_json_string_ext(delta, JSON_C_TO_STRING_PLAIN |
						     JSON_C_TO_STRING_NOSLASHESCAPE);
	if (!text || asprintf(&line, "%s\n", text) < 0)
		out_of_memory();
	error = line_write(rec->fd, line, strlen(line));
	free(line);
	json_object_put(delta);
	json_object_put(patch);
	return error;
}

static json_object *parse(const char *line)
{
	json_object *o = json_tokener_parse(line), *keyed = NULL;

	if (json_object_is_type(o, json_type_object))
		keyed = delta_keyed(o);
	json_object_put(o);
	return keyed;
}

/* Whole reports know call sites by name; the lines after them do not. */
static void forget_names(json_object *report)
{
	static const char *const names[] = { "function", "function_offset", "file", "line" };
	json_object *owners = json_object_object_get(report, "owners");
	size_t i;

	if (!owners)
		return;
	json_object_object_foreach(owners, id, owner) {
		(void)id;
		for (i = 0; i < sizeof(names) / sizeof(*names); i++)
			json_object_object_del(owner, names[i]);
	}
}

int recording_write(struct recording *rec, const char *line)
{
	json_object *now = parse(line);
	int error, whole;

	whole = !now || recording_is_due(rec) || json_object_object_get(now, "exit");
	error = whole ? line_write(rec->fd, line, strlen(line)) : write_delta(rec, now);
	if (now && whole)
		forget_names(now);
	json_object_put(rec->last);
	rec->last = now;
	rec->lines = whole ? 1 : rec->lines + 1;
	if (error) { /* nobody can say what is there */
		json_object_put(rec->last);
		rec->last = NULL;
	}
	return error;
}

void recording_close(struct recording *rec)
{
	json_object_put(rec->last);
	rec->last = NULL;
	if (rec->fd >= 0)
		close(rec->fd);
	rec->fd = -1;
}
