/* SPDX-License-Identifier: MIT */
/*
 * Design. A stack is interned as raw program counters, which is all that an event pays for; what
 * functions, files and lines they are is found out when the generation is dumped, on the drainer,
 * and remembered across generations. In front of the generation's table each M has a small
 * direct-mapped cache: a stack seen before costs one sum and one comparison, and no line that
 * another M writes. The place there is a sum of rotations, two cycles for each frame, where the
 * table's hash waits for a multiplication of each pair; the comparison decides anyway.
 *
 * The cache holds pointers into the table of one generation. It is emptied at the first stack of
 * another, and used in sections only, so it never points into a table that was reset: that happens
 * after the last section of it closed.
 */
#include "base/pages.h"
#include "base/torture.h"
#include "trace/buffer.h"
#include "trace/symbols.h"
#include "trace/tables.h"
#include "trace/tracer.h"

#include <string.h>

enum { CACHE_BITS = 8 };

struct trace_stack_cache {
    uint64_t generation;
    const trace_map_entry *at[1 << CACHE_BITS];
};

struct trace_stack_cache *trace_stack_cache_new(void)
{
    if (torture_refuse("trace stack cache"))
        return NULL;
    return base_pages_alloc(sizeof(struct trace_stack_cache));
}

void trace_stack_cache_free(struct trace_stack_cache *cache)
{
    if (cache)
        base_pages_free(cache, sizeof *cache);
}

static inline unsigned cache_index(const uintptr_t *pcs, unsigned depth)
{
    uint64_t sum = depth;
    for (unsigned i = 0; i < depth; i++)
        sum = (sum << 11 | sum >> 53) + pcs[i];
    return (unsigned)((sum * 0x9e3779b97f4a7c15u) >> (64 - CACHE_BITS)); /* Knuth's golden ratio */
}

/* In line: most stacks are short, and a call costs as much as comparing one. */
static inline bool same_frames(const trace_map_entry *entry, const uintptr_t *pcs, unsigned depth)
{
    if (!entry || entry->size != depth * sizeof *pcs)
        return false;
    unsigned i = 0;
    while (i < depth && entry->key[i] == pcs[i])
        i++;
    return i == depth;
}

static unsigned depth_limit(unsigned depth)
{
    return depth < WEFT_TRACE_MAX_FRAMES ? depth : WEFT_TRACE_MAX_FRAMES;
}

uint64_t trace_stack_intern(weft_tracer *tracer, uint64_t n, const uintptr_t *pcs, unsigned depth)
{
    size_t size = depth_limit(depth) * sizeof *pcs;
    if (!size)
        return 0;
    const trace_map_entry *entry =
        trace_map_intern(&trace_slot_of(tracer, n)->stacks, base_hash(pcs, size), pcs, size);
    return entry ? entry->id : 0;
}

uint64_t weft_trace_stack(weft_trace_section *s, const uintptr_t *pcs, unsigned depth)
{
    struct trace_stack_cache *cache = s->m->cache;
    depth = depth_limit(depth);
    if (!depth)
        return 0;
    if (unlikely(!cache))
        return trace_stack_intern(s->tracer, s->generation, pcs, depth);
    if (unlikely(cache->generation != s->generation)) {
        memset(cache, 0, sizeof *cache);
        cache->generation = s->generation;
    }
    unsigned i = cache_index(pcs, depth);
    const trace_map_entry *entry = cache->at[i];
    if (likely(same_frames(entry, pcs, depth)))
        return entry->id;
    size_t size = depth * sizeof *pcs;
    entry = trace_map_intern(&trace_slot_of(s->tracer, s->generation)->stacks, base_hash(pcs, size),
                             pcs, size);
    if (!entry)
        return 0;
    cache->at[i] = entry;
    return entry->id;
}

/* All logical frames of a stack, leaf first. The leaf's address is exact, the others are return
 * addresses. */
static unsigned resolve(struct trace_symbols *symbols, const trace_map_entry *entry,
                        trace_frame *frames)
{
    unsigned depth = entry->size / sizeof(uintptr_t), count = 0;
    for (unsigned i = 0; i < depth && count < WIRE_FRAMES_MAX; i++)
        count += trace_symbols_resolve(symbols, (uintptr_t)entry->key[i], i == 0, frames + count,
                                       WIRE_FRAMES_MAX - count);
    return count;
}

static void write_stack(weft_tracer *tracer, trace_writer *writer, const trace_map_entry *entry)
{
    uint64_t n = writer->section.generation;
    trace_frame frames[WIRE_FRAMES_MAX];
    unsigned count = resolve(tracer->symbols, entry, frames);
    trace_buffer *buffer =
        trace_writer_reserve(writer, 1 + WIRE_VARINT_MAX * (2 + 4 * (size_t)count) + 1);
    if (!buffer)
        return;
    uint8_t *at = buffer->at;
    *at++ = WIRE_EV_STACK;
    at = wire_varint_encode(at, entry->id);
    at = wire_varint_encode(at, count);
    for (unsigned i = 0; i < count; i++) {
        at = wire_varint_encode(at, frames[i].pc);
        at = wire_varint_encode(at, trace_string_name(tracer, n, frames[i].func));
        at = wire_varint_encode(at, trace_string_name(tracer, n, frames[i].file));
        at = wire_varint_encode(at, frames[i].line);
    }
    buffer->at = at;
}

void trace_list_modules(weft_tracer *tracer)
{
    const struct trace_modules *modules = trace_symbols_modules(tracer->symbols);
    if (tracer->arena.flight && modules)
        trace_flight_list_modules(tracer->arena.flight, modules);
}

void trace_stacks_dump(weft_tracer *tracer, uint64_t n)
{
    trace_map *map = &trace_slot_of(tracer, n)->stacks;
    trace_writer writer;
    trace_symbols_refresh(tracer->symbols);
    trace_list_modules(tracer);
    trace_writer_start(&writer, tracer, n, WIRE_EV_STACKS);
    trace_map_cursor cursor;
    trace_map_start(map, &cursor);
    for (const trace_map_entry *entry; (entry = trace_map_next(&cursor));)
        write_stack(tracer, &writer, entry);
    trace_writer_finish(&writer);
    trace_generation_reaches(tracer, n, WIRE_FLIGHT_STACKED);
    trace_map_reset(map);
}
