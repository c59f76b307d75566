/* SPDX-License-Identifier: MIT */
/*
 * Functions, files and lines from DWARF, with inlined functions expanded. Through elfutils' libdw,
 * or, in builds without it (WEFT_WITH_LIBDW off), never anything.
 */
#ifndef WEFT_TRACE_SYMBOLS_DWARF_H
#define WEFT_TRACE_SYMBOLS_DWARF_H

#include <stdint.h>

typedef struct trace_dwarf trace_dwarf;

/* Strings live as long as the trace_dwarf. */
typedef struct trace_source {
    const char *func; /* NULL: unknown */
    const char *file; /* NULL: unknown */
    uint32_t line;    /* 0: unknown */
} trace_source;

/* NULL if the file has no debug information that can be read, or there is no memory. */
trace_dwarf *trace_dwarf_open(const char *path);
void trace_dwarf_free(trace_dwarf *dwarf);

/*
 * What stands at addr (an address of the object), leaf first; at most max of them, dropping the
 * outermost. 0 if nothing is known. dwarf may be NULL. After memory was refused inside libdw it
 * knows nothing for good.
 */
unsigned trace_dwarf_expand(trace_dwarf *dwarf, uint64_t addr, trace_source *out, unsigned max);

#endif
