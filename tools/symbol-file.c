/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding the file of an object, and its separate debug information.  The
 * paths are the other process's: only regular files are opened, and nothing
 * is believed to belong to the object that does not prove it.
 */
#include "symbols.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILE_LIMIT (INT64_C(4) << 30)
#define DEBUG_FOLDER "/usr/lib/debug"

/*
 * Symbolic links are usual for libraries, and in another root they stay in
 * it, where the kernel can see to that (5.6).
 */
static int open_path(int at, const char *path, uint64_t resolve)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC,
				.resolve = resolve | RESOLVE_NO_MAGICLINKS };
	int fd = (int)syscall(SYS_openat2, at, path, &how, sizeof(how));

	if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
		return fd;
	if (resolve & RESOLVE_IN_ROOT)
		path += strspn(path, "/");
	return openat(at, path, O_PATH | O_CLOEXEC);
}

/* O_PATH first: it neither blocks at a FIFO nor moves a device. */
static int open_regular(int at, const char *path, uint64_t resolve)
{
	int fd = open_path(at, path, resolve), readable = -1;
	char link[40];
	struct stat st;

	if (fd < 0)
		return -1;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= FILE_LIMIT)
		readable = open(link, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	close(fd);
	return readable;
}

static int has_build_id(int fd, const void *wanted, size_t size)
{
	Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	const void *id = NULL;
	ssize_t n = elf ? dwelf_elf_gnu_build_id(elf, &id) : -1;
	int same = size ? n == (ssize_t)size && memcmp(id, wanted, size) == 0 : n <= 0;

	elf_end(elf);
	return same;
}

/* Without a build-id: nobody touched the file since the process began. */
static int is_older(int fd, uint64_t started_ms)
{
	struct stat st;

	return fstat(fd, &st) == 0 &&
	       (uint64_t)st.st_ctim.tv_sec * 1000 +
			       (uint64_t)st.st_ctim.tv_nsec / 1000000 < started_ms;
}

static int is_object(const struct symbol_file *f, int fd)
{
	const struct mh_object *o = f->object;

	if (o->build_id_size > sizeof(o->build_id))
		return 0;
	return has_build_id(fd, o->build_id, o->build_id_size) &&
	       (o->build_id_size || is_older(fd, f->place->started_ms));
}

static int keep_if(int fd, int wanted)
{
	if (fd >= 0 && !wanted) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Where the loader found it; a program that was replaced, as it still runs. */
static int open_object(const struct symbol_file *f)
{
	const struct symbol_place *p = f->place;
	const char *path = f->object->path;
	char exe[40];
	int fd;

	if (*path == '/')
		fd = open_regular(p->root, path, RESOLVE_IN_ROOT);
	else
		fd = open_regular(p->cwd, path, 0);
	fd = keep_if(fd, is_object(f, fd));
	if (fd >= 0 || p->exe < 0 || !f->object->build_id_size)
		return fd;
	snprintf(exe, sizeof(exe), "/proc/self/fd/%d", p->exe);
	fd = open(exe, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return keep_if(fd, is_object(f, fd));
}

static uint32_t checksum(int fd)
{
	unsigned char buf[65536];
	static uint32_t table[256];
	uint32_t crc = UINT32_MAX, i, bit;
	off_t at = 0;
	ssize_t n;

	for (i = 0; i < 256; i++)
		for (table[i] = i, bit = 0; bit < 8; bit++)
			table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320 : 0);
	for (; (n = pread(fd, buf, sizeof(buf), at)) > 0; at += n)
		for (i = 0; i < (uint32_t)n; i++)
			crc = table[(crc ^ buf[i]) & 255] ^ crc >> 8;
	return ~crc;
}

/* A debug file must have the object's build-id; if there is none, the sum. */
static int belongs(const struct symbol_file *f, int fd, GElf_Word crc)
{
	const struct mh_object *o = f->object;

	if (fd < 0)
		return 0;
	return o->build_id_size ? has_build_id(fd, o->build_id, o->build_id_size)
				: checksum(fd) == crc;
}

/* In the process's root, else in ours: debug packages may be in either. */
static int open_debug(struct symbol_file *f, GElf_Word crc)
{
	int fd = open_regular(f->place->root, f->debug_path, RESOLVE_IN_ROOT);

	fd = keep_if(fd, belongs(f, fd, crc));
	if (fd >= 0)
		return fd;
	fd = open_regular(AT_FDCWD, f->debug_path, 0);
	return keep_if(fd, belongs(f, fd, crc));
}

static int by_build_id(struct symbol_file *f)
{
	const struct mh_object *o = f->object;
	char hex[2 * sizeof(o->build_id) + 1];
	uint32_t i;

	if (o->build_id_size < 2)
		return -1;
	for (i = 0; i < o->build_id_size; i++)
		snprintf(hex + 2 * i, 3, "%02x", o->build_id[i]);
	snprintf(f->debug_path, sizeof(f->debug_path),
		 DEBUG_FOLDER "/.build-id/%.2s/%s.debug", hex, hex + 2);
	return open_debug(f, 0);
}

/* gdb's three places: beside the object, in .debug, and in the tree of its own. */
static int by_debuglink(struct symbol_file *f, const char *name, GElf_Word crc)
{
	static const char *const forms[] = { "%.*s/%s", "%.*s/.debug/%s",
					     DEBUG_FOLDER "%.*s/%s" };
	const char *path = f->object->path, *slash = strrchr(path, '/');
	size_t i;
	int fd = -1;

	if (*path != '/' || strchr(name, '/'))
		return -1;
	for (i = 0; i < sizeof(forms) / sizeof(*forms) && fd < 0; i++) {
		if (snprintf(f->debug_path, sizeof(f->debug_path), forms[i],
			     (int)(slash - path), path, name) < PATH_MAX)
			fd = open_debug(f, crc);
	}
	return fd;
}

/* dwz(1) moves what several debug files share into one more. */
static int find_shared(struct symbol_file *f, const char *name)
{
	char *slash = strrchr(f->debug_path, '/'), path[2 * PATH_MAX];
	GElf_Addr bias;
	Dwarf *dwarf = dwfl_module_getdwarf(f->module, &bias);
	const void *id;
	ssize_t size;
	int fd;

	size = dwarf ? dwelf_dwarf_gnu_debugaltlink(dwarf, &name, &id) : -1;
	if (size <= 0)
		return -1;
	snprintf(path, sizeof(path), "%.*s%s",
		 *name == '/' || !slash ? 0 : (int)(slash + 1 - f->debug_path),
		 f->debug_path, name);
	fd = open_regular(f->place->root, path, RESOLVE_IN_ROOT);
	fd = keep_if(fd, has_build_id(fd, id, (size_t)size));
	if (fd < 0)
		fd = open_regular(AT_FDCWD, path, 0);
	return keep_if(fd, has_build_id(fd, id, (size_t)size));
}

/*
 * In place of libdwfl's own, which may ask debuginfod.  The file that dwz
 * made comes as a link without a checksum.
 */
static int find_debuginfo(Dwfl_Module *module, void **userdata, const char *module_name,
			  Dwarf_Addr base, const char *file_name, const char *link,
			  GElf_Word crc, char **found)
{
	struct symbol_file *f = *userdata;
	int fd;

	(void)module, (void)module_name, (void)base, (void)file_name, (void)found;
	if (link && !crc)
		return find_shared(f, link);
	fd = by_build_id(f);
	return fd < 0 && link ? by_debuglink(f, link, crc) : fd;
}

static int is_loadable(int fd)
{
	Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	GElf_Ehdr header;
	int yes = elf && gelf_getehdr(elf, &header) &&
		  (header.e_type == ET_DYN || header.e_type == ET_EXEC);

	elf_end(elf);
	return yes;
}

/* Takes over fd. */
static int load(struct symbol_file *f, int fd)
{
	static const Dwfl_Callbacks callbacks = {
		.find_debuginfo = find_debuginfo,
		.section_address = dwfl_offline_section_address,
	};
	void **userdata;

	f->dwfl = dwfl_begin(&callbacks);
	if (!f->dwfl || !is_loadable(fd)) {
		close(fd);
		return -1;
	}
	f->module = dwfl_report_elf(f->dwfl, "object", f->object->path, fd, 0, true);
	if (!f->module) {
		close(fd);
		return -1;
	}
	dwfl_report_end(f->dwfl, NULL, NULL);
	dwfl_module_info(f->module, &userdata, NULL, NULL, NULL, NULL, NULL, NULL);
	*userdata = f;
	return dwfl_module_getelf(f->module, &f->bias) ? 0 : -1;
}

struct symbol_file *symbol_file_open(const struct symbol_place *place,
				     const struct mh_object *object)
{
	struct symbol_file *f = calloc(1, sizeof(*f));
	int fd;

	if (!f)
		return NULL;
	elf_version(EV_CURRENT);
	f->place = place;
	f->object = object;
	fd = open_object(f);
	if (fd >= 0 && load(f, fd) == 0)
		return f;
	symbol_file_close(f);
	return NULL;
}

void symbol_file_close(struct symbol_file *f)
{
	if (!f)
		return;
	symbol_forget(f);
	if (f->dwfl)
		dwfl_end(f->dwfl);
	free(f);
}
