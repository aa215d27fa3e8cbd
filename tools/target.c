/* SPDX-License-Identifier: BSD-2-Clause */
#include "target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "sanitized.h"
#include "tool.h"

#define CANNOT_INVOKE 126
#define NOT_FOUND 127

static int is_program(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return 0;
	if (!S_ISREG(st.st_mode) || access(path, X_OK)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EACCES;
		return 0;
	}
	return 1;
}

static int not_found(const char *command, int error)
{
	complain("%s: %s", command, strerror(error));
	return error == ENOENT || error == ENOTDIR ? NOT_FOUND : CANNOT_INVOKE;
}

int target_find(const char *command, char *path, size_t size)
{
	const char *list = getenv("PATH"), *end;
	int error = ENOENT;

	if (strchr(command, '/')) {
		if (strlen(command) >= size || !is_program(command))
			return not_found(command, errno);
		strcpy(path, command);
		return 0;
	}
	if (!list)
		list = "/usr/local/bin:/usr/bin:/bin";
	for (; *command; list = end + 1) {
		size_t n;

		end = strchrnul(list, ':');
		n = (size_t)(end - list);
		if (n + strlen(command) + 3 <= size) {
			memcpy(path, list, n);
			strcpy(path + n, n ? "/" : "./");
			strcat(path, command);
			if (is_program(path))
				return 0;
			if (errno == EACCES)
				error = EACCES;
		}
		if (!*end)
			break;
	}
	return not_found(command, error);
}

/* The interpreter of "#!interpreter argument", into the buffer itself. */
static char *interpreter(char *text)
{
	char *start = text + 2 + strspn(text + 2, " \t");

	start[strcspn(start, "\n")] = '\0';
	return start;
}

static int is_script(const char *path, char *text, int follow)
{
	char *program = interpreter(text);

	if (strncmp(text, "#!", 2) || follow)
		return 0;
	/* env only starts another program: name that one. */
	if (strncmp(program, "/usr/bin/env ", 13) == 0)
		program += 13;
	complain("%s is a script: hook its interpreter (memhook run -- %s %s ...),"
		 " or everything it starts (memhook run --follow)", path, program, path);
	return CANNOT_INVOKE;
}

static int is_privileged(const char *path)
{
	struct stat st;
	int gains;

	if (stat(path, &st))
		return 0;
	gains = ((st.st_mode & S_ISUID) && st.st_uid != getuid()) ||
		((st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP) &&
		 st.st_gid != getgid()) ||
		(getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0);
	if (!gains)
		return 0;
	complain("%s runs with other rights than yours (setuid, setgid or"
		 " capabilities), and the loader lets nobody preload into it: run it"
		 " as the user it becomes, or link it with -lmemhook", path);
	return CANNOT_INVOKE;
}

static int wrong_machine(const char *path, const ElfW(Ehdr) * h)
{
	ElfW(Ehdr) own = { 0 };
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), differs = 0;

	if (fd >= 0) {
		if (pread(fd, &own, sizeof(own), 0) == sizeof(own))
			differs = own.e_machine != h->e_machine ||
				  own.e_ident[EI_CLASS] != h->e_ident[EI_CLASS];
		close(fd);
	}
	if (!differs)
		return 0;
	complain("%s is a program of another architecture: use the memhook of that"
		 " architecture", path);
	return CANNOT_INVOKE;
}

static int bad_loader(const char *path, const char *loader)
{
	if (!loader) {
		complain("%s is linked statically: nothing can be preloaded into it;"
			 " link it with `pkg-config --static --libs memhook`", path);
		return CANNOT_INVOKE;
	}
	if (!strstr(loader, "/ld-musl"))
		return 0;
	complain("%s uses musl, not glibc: the hook cannot be loaded into it", path);
	return CANNOT_INVOKE;
}

/* The loader's name (PT_INTERP) decides. */
static int check_loader(const char *path, int fd, const ElfW(Ehdr) * h)
{
	char loader[PATH_MAX] = "";
	ElfW(Phdr) p;
	int i;

	for (i = 0; i < h->e_phnum; i++) {
		if (pread(fd, &p, sizeof(p), (off_t)(h->e_phoff + i * sizeof(p))) !=
		    sizeof(p))
			break;
		if (p.p_type != PT_INTERP)
			continue;
		if (p.p_filesz < sizeof(loader) &&
		    pread(fd, loader, p.p_filesz, (off_t)p.p_offset) < 0)
			loader[0] = '\0';
		return bad_loader(path, loader);
	}
	return bad_loader(path, NULL);
}

int target_check(const char *path, int follow)
{
	union {
		char text[256];
		ElfW(Ehdr) h;
	} start = { .text = "" };
	int fd, rc;

	rc = is_privileged(path);
	if (rc)
		return rc;
	if (is_valgrind(path))
		return CANNOT_INVOKE;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0; /* executable but not readable: exec will tell */
	if (pread(fd, &start, sizeof(start) - 1, 0) >= (ssize_t)sizeof(start.h) &&
	    memcmp(start.text, ELFMAG, SELFMAG) == 0)
		rc = wrong_machine(path, &start.h) || check_loader(path, fd, &start.h) ||
				     sanitized(path, fd)
			     ? CANNOT_INVOKE : 0;
	else
		rc = is_script(path, start.text, follow);
	close(fd);
	return rc;
}
