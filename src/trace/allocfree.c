/* SPDX-License-Identifier: MIT */
/*
 * The AllocFree experiment (number 1): spans, objects and stacks of a host's heap.
 *
 * An event has its address as a number of units from the heap's base, which makes small numbers.
 * The units are in a batch of the experiment. Go's tracer writes that batch once, when tracing
 * begins; here every generation has it, so that a stream which is started later, or a window of
 * generations, can be understood alone. What exists is reported once, as in Go.
 *
 * Types are a table of the generation like strings: numbered in a section, written at its end.
 */
#include "trace/allocfree.h"

#include "base/fatal.h"
#include "trace/emit.h"
#include "trace/tracer.h"

#include <string.h>

enum { ALLOC_FREE = 1 };            /* the experiment */
enum { BATCH_TYPES, BATCH_LAYOUT }; /* first byte of its batches */

/* Key of a type; the name follows. */
typedef struct type_key {
    uint64_t address, bytes, pointer_bytes;
    char name[WIRE_STRING_MAX];
} type_key;

#define TYPE_KEY_FIXED offsetof(type_key, name)

static bool is_reported(const weft_tracer *tracer)
{
    return tracer->heap.page_size != 0 && tracer->format >= 23;
}

bool weft_trace_heap_reported(const weft_trace_section *s)
{
    return is_reported(s->tracer);
}

/* ---- Batches ---- */

static void write_layout(weft_tracer *tracer, uint64_t n)
{
    const weft_trace_heap *heap = &tracer->heap;
    trace_writer writer;
    trace_writer_start_experiment(&writer, tracer, n, ALLOC_FREE, BATCH_LAYOUT);
    trace_buffer *buffer = trace_writer_reserve(&writer, 4 * WIRE_VARINT_MAX);
    if (!buffer)
        return;
    uint8_t *at = buffer->at;
    at = wire_varint_encode(at, heap->base);
    at = wire_varint_encode(at, heap->page_size);
    at = wire_varint_encode(at, heap->object_align);
    at = wire_varint_encode(at, heap->stack_min);
    buffer->at = at;
    trace_writer_finish(&writer);
}

void trace_allocfree_open(weft_trace_section *s, weft_trace_context self, bool first)
{
    const weft_trace_host *host = &s->tracer->host;
    if (!is_reported(s->tracer))
        return;
    write_layout(s->tracer, s->generation);
    if (first && host->heap_snapshot)
        host->heap_snapshot(host->context, s, self);
}

static void write_type(trace_writer *writer, const trace_map_entry *entry)
{
    const type_key *key = (const void *)entry->key;
    size_t name_size = entry->size - TYPE_KEY_FIXED;
    trace_buffer *buffer = trace_writer_reserve(writer, 5 * WIRE_VARINT_MAX + name_size);
    if (!buffer)
        return;
    uint8_t *at = buffer->at;
    at = wire_varint_encode(at, entry->id);
    at = wire_varint_encode(at, key->address);
    at = wire_varint_encode(at, key->bytes);
    at = wire_varint_encode(at, key->pointer_bytes);
    at = wire_varint_encode(at, name_size);
    memcpy(at, key->name, name_size);
    buffer->at = at + name_size;
}

void trace_allocfree_dump(weft_tracer *tracer, uint64_t n)
{
    trace_map *types = &trace_slot_of(tracer, n)->types;
    trace_writer writer;
    trace_writer_start_experiment(&writer, tracer, n, ALLOC_FREE, BATCH_TYPES);
    trace_map_cursor cursor;
    trace_map_start(types, &cursor);
    for (const trace_map_entry *entry; (entry = trace_map_next(&cursor));)
        write_type(&writer, entry);
    trace_writer_finish(&writer);
    trace_map_reset(types);
}

/* ---- Events ---- */

/* False: not to be written. Otherwise the statuses have been. */
static bool begin(weft_trace_section *s, weft_trace_context c)
{
    if (!is_reported(s->tracer))
        return false;
    trace_prologue(s, c, WEFT_TRACE_G_RUNNING, WEFT_TRACE_P_RUNNING);
    return true;
}

static uint64_t span_id(const weft_trace_section *s, uintptr_t address)
{
    return (address - s->tracer->heap.base) / s->tracer->heap.page_size;
}

static uint64_t object_id(const weft_trace_section *s, uintptr_t address)
{
    return (address - s->tracer->heap.base) / s->tracer->heap.object_align;
}

static uint64_t stack_id(const weft_trace_section *s, uintptr_t address)
{
    return (address - s->tracer->heap.base) / s->tracer->heap.stack_min;
}

void weft_trace_heap_span(weft_trace_section *s, weft_trace_context c, int what, uintptr_t address,
                          uint64_t pages, uint64_t span_class)
{
    uint64_t kindclass = span_class == WEFT_TRACE_SPAN_OTHER ? 1 : span_class << 1;
    if (!begin(s, c))
        return;
    if (what == WEFT_TRACE_HEAP_EXISTS)
        EMIT(s, SPAN, .id = span_id(s, address), .npages_value = pages, .kindclass = kindclass);
    else
        EMIT(s, SPAN_ALLOC, .id = span_id(s, address), .npages_value = pages,
             .kindclass = kindclass);
}

void weft_trace_heap_span_free(weft_trace_section *s, weft_trace_context c, uintptr_t address)
{
    if (begin(s, c))
        EMIT(s, SPAN_FREE, .id = span_id(s, address));
}

uint64_t weft_trace_heap_type(weft_trace_section *s, uintptr_t address, uint64_t bytes,
                              uint64_t pointer_bytes, const char *name, size_t name_size)
{
    type_key key;
    if (!is_reported(s->tracer))
        return 0;
    if (name_size > sizeof key.name)
        name_size = sizeof key.name;
    key.address = address;
    key.bytes = bytes;
    key.pointer_bytes = pointer_bytes;
    memcpy(key.name, name, name_size);
    size_t size = TYPE_KEY_FIXED + name_size;
    const trace_map_entry *entry = trace_map_intern(&trace_slot_of(s->tracer, s->generation)->types,
                                                    base_hash(&key, size), &key, size);
    return entry ? entry->id : 0;
}

void weft_trace_heap_object(weft_trace_section *s, weft_trace_context c, int what,
                            uintptr_t address, uint64_t type)
{
    if (!begin(s, c))
        return;
    if (what == WEFT_TRACE_HEAP_EXISTS)
        EMIT(s, HEAP_OBJECT, .id = object_id(s, address), .type = type);
    else
        EMIT(s, HEAP_OBJECT_ALLOC, .id = object_id(s, address), .type = type);
}

void weft_trace_heap_object_free(weft_trace_section *s, weft_trace_context c, uintptr_t address)
{
    if (begin(s, c))
        EMIT(s, HEAP_OBJECT_FREE, .id = object_id(s, address));
}

/* log2 + 1 of a power of two: the bit length. */
static uint64_t order_of(size_t bytes)
{
    return bytes ? 64 - (uint64_t)__builtin_clzll(bytes) : 0;
}

void weft_trace_heap_stack(weft_trace_section *s, weft_trace_context c, int what, uintptr_t address,
                           size_t bytes)
{
    if (!begin(s, c))
        return;
    if (what == WEFT_TRACE_HEAP_EXISTS)
        EMIT(s, GOROUTINE_STACK, .id = stack_id(s, address), .order = order_of(bytes));
    else
        EMIT(s, GOROUTINE_STACK_ALLOC, .id = stack_id(s, address), .order = order_of(bytes));
}

void weft_trace_heap_stack_free(weft_trace_section *s, weft_trace_context c, uintptr_t address)
{
    if (begin(s, c))
        EMIT(s, GOROUTINE_STACK_FREE, .id = stack_id(s, address));
}
