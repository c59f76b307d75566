/* SPDX-License-Identifier: MIT */
/*
 * The stack table and the string table of a generation (INV-12: what an event refers to is in the
 * tables of its own generation). Ids are made in a section of it, or by the advancer before the
 * dump; the drainer dumps stacks first, which adds their names to the strings, and strings last.
 */
#ifndef WEFT_TRACE_TABLES_H
#define WEFT_TRACE_TABLES_H

#include "wire/reasons.h"

#include <weft/trace_host.h>

#include <stddef.h>

/*
 * The texts that the format knows have the same ids in every generation, so that writing a reason
 * needs no lookup: stop reasons from 1 on, block reasons behind them, then why the world stops.
 */
enum {
    TRACE_STRING_STOP = 1,
    TRACE_STRING_BLOCK = TRACE_STRING_STOP + WIRE_STOP_LIMIT,
    TRACE_STRING_STW = TRACE_STRING_BLOCK + WIRE_BLOCK_LIMIT,
    TRACE_STRING_FREE = TRACE_STRING_STW + WIRE_STW_LIMIT
};

static inline uint64_t trace_string_stop(weft_trace_stop_reason reason)
{
    return TRACE_STRING_STOP + (uint64_t)reason;
}

static inline uint64_t trace_string_block(weft_trace_block_reason reason)
{
    return TRACE_STRING_BLOCK + (uint64_t)reason;
}

static inline uint64_t trace_string_stw(weft_trace_stw_reason reason)
{
    return TRACE_STRING_STW + (uint64_t)reason;
}

/* The id of the first WIRE_STRING_MAX bytes of a text; 0 for the empty one. When memory is refused
 * the generation is given up, and the id means nothing. */
uint64_t trace_string(weft_tracer *tracer, uint64_t n, const char *text, size_t size);

/* The same for a function or file name, of which the last bytes are kept. */
uint64_t trace_string_name(weft_tracer *tracer, uint64_t n, const char *name);

void trace_strings_dump(weft_tracer *tracer, uint64_t n);

/* The id of a stack for the advancer, which has no section in n. */
uint64_t trace_stack_intern(weft_tracer *tracer, uint64_t n, const uintptr_t *pcs, unsigned depth);

void trace_stacks_dump(weft_tracer *tracer, uint64_t n);

/* What the addresses in stacks mean, for readers of a flight file. */
void trace_list_modules(weft_tracer *tracer);

/* An M's cache in front of the stack table. NULL when memory is refused. */
struct trace_stack_cache *trace_stack_cache_new(void);
void trace_stack_cache_free(struct trace_stack_cache *cache);

#endif
