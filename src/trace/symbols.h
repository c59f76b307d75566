/* SPDX-License-Identifier: MIT */
/*
 * From addresses of this process to functions, files and lines.
 *
 * One address becomes one or more logical frames, as functions inlined there are expanded. Every
 * distinct logical frame has an address of its own to be known by: the leaf-most has the looked-up
 * address; the functions around it have made-up addresses with the topmost bit set, the same ones
 * each time.
 *
 * Ownership: an object and its strings live until trace_symbols_free(). One thread at a time, any
 * plain thread (deep C stacks: no goroutine). Allocates, opens files, and may take milliseconds
 * when it meets an object for the first time; afterwards an address costs one look-up in a hash
 * table.
 */
#ifndef WEFT_TRACE_SYMBOLS_H
#define WEFT_TRACE_SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct trace_frame {
    uint64_t pc;      /* never 0 */
    const char *func; /* never empty */
    const char *file; /* never empty; the path of the object where the source is not known */
    uint32_t line;    /* never 0 */
} trace_frame;

typedef struct trace_symbols trace_symbols;
struct trace_module;
struct trace_modules;

/* NULL if there is no memory. */
trace_symbols *trace_symbols_new(void);
void trace_symbols_free(trace_symbols *symbols);

/*
 * Writes the frames of pc, leaf first, to out, and returns their number: 1 … max (max ≥ 1; what
 * exceeds it is dropped). pc is a return address, and the call before it is meant, unless exact.
 * Never fails: what is not known has a name like OBJECT+0xOFFSET or 0xADDRESS, and "(no memory)"
 * where memory was refused. symbols may be NULL then.
 */
unsigned trace_symbols_resolve(trace_symbols *symbols, uintptr_t pc, bool exact, trace_frame *out,
                               unsigned max);

/*
 * Forgets what libraries that were unloaded, or replaced by others at the same addresses, have left
 * behind. Between generations, as an address may have another name afterwards. Cheap when nothing
 * was loaded or unloaded.
 */
void trace_symbols_refresh(trace_symbols *symbols);

/* The objects that are mapped now; NULL for NULL. Valid until the next call with these symbols. */
const struct trace_modules *trace_symbols_modules(trace_symbols *symbols);

/*
 * For the addresses of another process: instead of those that are mapped here, objects are the ones
 * that are added, before the first look-up. The record is copied. False: no memory.
 */
bool trace_symbols_add_module(trace_symbols *symbols, const struct trace_module *module);

#endif
