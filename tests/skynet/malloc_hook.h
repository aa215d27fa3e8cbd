/* SPDX-License-Identifier: BSD-2-Clause */
/* What skynet calls, as its header of this name declares it. */
#ifndef MALLOC_HOOK_H
#define MALLOC_HOOK_H

#include <stdbool.h>
#include <stddef.h>

#include <lua.h>

size_t malloc_used_memory(void);
size_t malloc_memory_block(void);
void memory_info_dump(const char *opts);
size_t mallctl_int64(const char *name, size_t *newval);
int mallctl_opt(const char *name, int *newval);
bool mallctl_bool(const char *name, bool *newval);
int mallctl_cmd(const char *name);
void dump_c_mem(void);
int dump_mem_lua(lua_State *L);
size_t malloc_current_memory(void);

#endif
