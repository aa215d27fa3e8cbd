/* SPDX-License-Identifier: BSD-2-Clause */
#include "oom.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Version 1 and 2 of cgroups name the file differently, and the line alike. */
#define FILE_1 "memory.oom_control"
#define FILE_2 "memory.events"

/* Is `word` in the comma-separated list? */
static int listed(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (; list; list = strchr(list, ',')) {
		list += *list == ',';
		if (strncmp(list, word, n) == 0 && (!list[n] || list[n] == ','))
			return 1;
	}
	return 0;
}

/*
 * "4:memory:/path" is version 1, "0::/path" version 2; where both are there,
 * memory is a matter of the first.
 */
static int find_cgroup(FILE *f, char *group, int *version)
{
	char line[PATH_MAX + 64], *controllers, *path;

	*version = 0;
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		controllers = strchr(line, ':');
		path = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!path || path[1] != '/' || strlen(path + 1) >= PATH_MAX)
			continue;
		*path++ = '\0';
		controllers++;
		if (listed(controllers, "memory"))
			*version = 1;
		else if (*controllers || *version)
			continue;
		else
			*version = 2;
		strcpy(group, path);
		if (*version == 1)
			break;
	}
	return *version ? 0 : -1;
}

/* Blanks and backslashes are written as three octal digits. */
static void decode(char *s)
{
	char *to = s;

	for (; *s; s++, to++) {
		*to = *s;
		if (s[0] != '\\' || !s[1] || !s[2] || !s[3])
			continue;
		*to = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + s[3] - '0');
		s += 3;
	}
	*to = '\0';
}

/* "ID PARENT MAJOR:MINOR ROOT POINT OPTIONS ... - TYPE SOURCE OPTIONS" */
static int parse_mount(char *line, int version, char **root, char **point)
{
	char *save, *word, *rest = strstr(line, " - ");
	int i;

	if (!rest)
		return -1;
	*rest = '\0';
	strtok_r(line, " ", &save);
	for (i = 1, word = line; word && i < 5; i++) {
		word = strtok_r(NULL, " ", &save);
		if (i == 3)
			*root = word;
	}
	*point = word;
	if (!word)
		return -1;
	decode(*root);
	decode(*point);
	word = strtok_r(rest + 3, " \n", &save);
	if (!word || strcmp(word, version == 1 ? "cgroup" : "cgroup2"))
		return -1;
	if (version == 2)
		return 0;
	strtok_r(NULL, " \n", &save);
	word = strtok_r(NULL, " \n", &save);
	return word && listed(word, "memory") ? 0 : -1;
}

/* The part of the cgroup's path below the mount's root, or NULL. */
static const char *below_root(const char *group, const char *root)
{
	size_t n = strcmp(root, "/") ? strlen(root) : 0;

	if (strncmp(group, root, n) || (group[n] && group[n] != '/') ||
	    strncmp(group, "/..", 3) == 0)
		return NULL;
	return strcmp(group + n, "/") ? group + n : "";
}

int oom_find(FILE *cgroup, FILE *mountinfo, char path[PATH_MAX], size_t *below)
{
	char group[PATH_MAX], line[2 * PATH_MAX], *root, *point;
	const char *rest;
	int version;

	if (find_cgroup(cgroup, group, &version))
		return -1;
	while (fgets(line, sizeof(line), mountinfo)) {
		if (parse_mount(line, version, &root, &point))
			continue;
		rest = below_root(group, root);
		if (!rest)
			continue;
		*below = strlen(point);
		if (snprintf(path, PATH_MAX, "%s%s/%s", point, rest,
			     version == 1 ? FILE_1 : FILE_2) < PATH_MAX)
			return 0;
	}
	return -1;
}

/* Version 2: the nearest folder upwards whose memory is counted. */
static int open_counter(char *path, size_t below)
{
	int fd;

	for (;;) {
		char *file = strrchr(path, '/'), *folder;

		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0 || file <= path + below)
			return fd;
		*file = '\0';
		folder = strrchr(path, '/');
		if (!folder)
			return -1;
		memmove(folder + 1, file + 1, strlen(file + 1) + 1);
	}
}

static int read_counter(int fd, uint64_t *count)
{
	char text[512], *line;
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return -1;
	text[n] = '\0';
	line = strstr(text, "oom_kill ");
	if (!line)
		return -1;
	*count = strtoull(line + strlen("oom_kill "), NULL, 10);
	return 0;
}

void oom_init(struct oom *o)
{
	o->fd = -1;
	o->file[0] = '\0';
	o->before = 0;
}

static int find(int pid, char *path, size_t *below)
{
	FILE *cgroup, *mounts;
	int rc = -1;

	snprintf(path, PATH_MAX, "/proc/%d/cgroup", pid);
	cgroup = fopen(path, "re");
	mounts = fopen("/proc/self/mountinfo", "re");
	if (cgroup && mounts)
		rc = oom_find(cgroup, mounts, path, below);
	if (cgroup)
		fclose(cgroup);
	if (mounts)
		fclose(mounts);
	return rc;
}

void oom_follow(struct oom *o, int pid)
{
	char path[PATH_MAX];
	uint64_t before;
	size_t below;
	int fd;

	/* In version 1 the dying seem to be at the top: it was there, or never is. */
	if (find(pid, path, &below) ||
	    (o->file[0] && strrchr(path, '/') == path + below))
		return;
	fd = open_counter(path, below);
	if (fd < 0)
		return;
	if (strcmp(path, o->file) == 0 || read_counter(fd, &before)) {
		close(fd);
		return;
	}
	if (o->fd >= 0)
		close(o->fd);
	o->fd = fd;
	o->before = before;
	strcpy(o->file, path);
}

uint64_t oom_kills(const struct oom *o)
{
	uint64_t now;

	if (o->fd < 0 || read_counter(o->fd, &now) || now < o->before)
		return 0;
	return now - o->before;
}
