/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of symbolize.c share.  Object files are as hostile as the
 * process whose they are, and libdw was not written against enemies.  So a
 * child process opens and reads them: as the process's user, with limits; if
 * it dies of a file, that file's symbols are missing and nothing else.
 *
 *     symbolize.c     which sites to ask for, what is known already
 *     symbol-child.c  the child: asking it, and what it may not do
 *     symbol-file.c   (in the child) an object's file and its debug file
 *     symbol-dwarf.c  (in the child) address -> function, file, line
 *     symbol-label.c  a symbol in a narrow column
 */
#ifndef SYMBOLS_H
#define SYMBOLS_H

#include <elfutils/libdwfl.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "report.h"

/* Where an address lies.  Empty strings: not known. */
struct symbol_answer {
	char function[2048];
	char file[1024];
	uint32_t line;
	uint64_t function_offset; /* of the return address; 0 when there is a line */
};

/* --- asking (symbol-child.c) --- */

struct symbol_job {
	const struct mh_object *object;
	uint64_t address; /* in the object's own terms, one before the return */
	void *site;       /* the caller's */
};

struct symbol_target {
	int pid;             /* 0: it has ended */
	uint64_t started_ms; /* unix; a later file is not the one it loaded */
	int progress;
};

/*
 * Jobs come sorted by object, since a file is opened once.  Each that is
 * answered is handed to `take`, with the job that it belongs to.
 */
void symbol_ask(const struct symbol_target *t, const struct symbol_job *jobs, size_t n,
		void (*take)(const struct symbol_job *, const struct symbol_answer *));

/* --- files (symbol-file.c) --- */

/* Where the process's paths begin; -1: not to be had. */
struct symbol_place {
	int root, cwd, exe; /* opened with O_PATH */
	uint64_t started_ms;
};

struct symbol_spans {
	struct symbol_span {
		Dwarf_Addr low, high;
		Dwarf_Off die;
	} *v;
	size_t n, room;
};

struct symbol_unit {
	struct symbol_unit *next;
	Dwarf_Off offset;
	struct symbol_spans functions;
};

struct symbol_file {
	const struct symbol_place *place;
	const struct mh_object *object;
	Dwfl *dwfl;
	Dwfl_Module *module;
	GElf_Addr bias;
	char debug_path[PATH_MAX]; /* of the separate debug file */
	struct symbol_spans cus;   /* for debug information without .debug_aranges */
	int have_cus;
	struct symbol_unit *units; /* looked at so far, the last one first */
};

/* The file of an object, proved to be the one that was loaded; or NULL. */
struct symbol_file *symbol_file_open(const struct symbol_place *place,
				     const struct mh_object *object);
void symbol_file_close(struct symbol_file *f);

/* --- addresses (symbol-dwarf.c) --- */

void symbol_lookup(struct symbol_file *f, uint64_t address, struct symbol_answer *a);
void symbol_forget(struct symbol_file *f); /* the tables that lookups made */

/* --- labels (symbol-label.c) --- */

/*
 * A C++ name without return type, parameters and template arguments: what
 * people call it.  Never longer than the name.
 */
void symbol_short_name(const char *function, char *shortened);

/*
 * "function (file.c:12)", "function+0x1 (libx.so.1)", as much of it as goes
 * into MH_NAME_WIDTH columns; allocated, or NULL.
 */
char *symbol_label(const struct symbol_answer *a, const char *object_path);

#endif /* SYMBOLS_H */
