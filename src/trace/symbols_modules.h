/* SPDX-License-Identifier: MIT */
/*
 * The objects that the loader has mapped: the program, its libraries, the kernel's vdso; and what
 * is known about each.
 *
 * A file on disk is trusted only if it has the program headers and the build id of the loaded
 * object; else the object's own dynamic symbols are read from memory. A list can also describe
 * another process, which may have died: then there are files only.
 */
#ifndef WEFT_TRACE_SYMBOLS_MODULES_H
#define WEFT_TRACE_SYMBOLS_MODULES_H

#include "trace/symbols_dwarf.h"
#include "trace/symbols_elf.h"

typedef struct trace_module {
    uintptr_t bias;      /* address in memory less address in the object */
    uintptr_t low, high; /* its range in memory */
    char *path;          /* as shown; owned */
    bool program;        /* the program itself, which has another path to open it by */
    bool foreign;        /* of another process: there is no image to be read */
    bool seen;           /* by the scan in progress */
    bool opened;         /* the following have been looked for; each may be NULL */
    trace_build_id id;
    uint64_t headers;   /* trace_elf_hash_headers() */
    trace_elf *elf;     /* the object */
    trace_elf *symbols; /* its separate debug file, where that has more symbols */
    trace_dwarf *dwarf;
} trace_module;

/* Zero-initialised. */
typedef struct trace_modules {
    trace_module **at; /* by address */
    size_t count, capacity;
    unsigned long long loads, unloads; /* the loader's counters at the last complete scan */
    bool dropped;                      /* an object has gone since trace_modules_dropped() */
    bool foreign;                      /* they were added, not found */
} trace_modules;

void trace_modules_fini(trace_modules *modules);

/* Brings the list up to date if the loader has loaded or unloaded anything. Returns true if it has.
 */
bool trace_modules_update(trace_modules *modules);

/* Adds an object of another process; bias, range, path, id and headers are copied. False: no
 * memory.
 */
bool trace_modules_add(trace_modules *modules, const trace_module *module);

/* The object around addr, with its files opened; NULL if there is none. Valid until the next
 * update. */
trace_module *trace_modules_find(trace_modules *modules, uintptr_t addr);

#endif
