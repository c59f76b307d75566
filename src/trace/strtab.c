/* SPDX-License-Identifier: MIT */
#include "trace/buffer.h"
#include "trace/tables.h"
#include "trace/tracer.h"

#include <string.h>

#define SAME(symbol, wire)                                                                         \
    _Static_assert((int)WEFT_TRACE_##symbol == (int)WIRE_##wire, "reason " #symbol)
SAME(STOP_UNSPECIFIED, STOP_UNSPECIFIED);
SAME(STOP_GOSCHED, STOP_YIELD);
SAME(STOP_PREEMPTED, STOP_PREEMPTED);
SAME(STOP_COUNT, STOP_LIMIT);
SAME(BLOCK_UNSPECIFIED, BLOCK_UNSPECIFIED);
SAME(BLOCK_FOREVER, BLOCK_FOREVER);
SAME(BLOCK_NETWORK, BLOCK_NETWORK);
SAME(BLOCK_SELECT, BLOCK_SELECT);
SAME(BLOCK_COND, BLOCK_COND_WAIT);
SAME(BLOCK_SYNC, BLOCK_SYNC);
SAME(BLOCK_CHAN_SEND, BLOCK_CHAN_SEND);
SAME(BLOCK_CHAN_RECV, BLOCK_CHAN_RECEIVE);
SAME(BLOCK_GC_ASSIST, BLOCK_GC_MARK_ASSIST);
SAME(BLOCK_GC_SWEEP, BLOCK_GC_SWEEP);
SAME(BLOCK_SYSTEM, BLOCK_SYSTEM_GOROUTINE);
SAME(BLOCK_PREEMPTED, BLOCK_PREEMPTED);
SAME(BLOCK_DEBUG_CALL, BLOCK_DEBUG_CALL);
SAME(BLOCK_GC_END, BLOCK_GC_END);
SAME(BLOCK_SLEEP, BLOCK_SLEEP);
SAME(BLOCK_WEAK_TO_STRONG, BLOCK_GC_WEAK_TO_STRONG);
SAME(BLOCK_SYNCTEST, BLOCK_SYNCTEST);
SAME(BLOCK_COUNT, BLOCK_LIMIT);
SAME(STW_UNKNOWN, STW_UNKNOWN);
SAME(STW_GC_MARK_TERMINATION, STW_GC_MARK_TERMINATION);
SAME(STW_GC_SWEEP_TERMINATION, STW_GC_SWEEP_TERMINATION);
SAME(STW_HEAP_DUMP, STW_WRITE_HEAP_DUMP);
SAME(STW_GOROUTINE_PROFILE, STW_GOROUTINE_PROFILE);
SAME(STW_GOROUTINE_PROFILE_CLEANUP, STW_GOROUTINE_PROFILE_CLEANUP);
SAME(STW_ALL_STACKS, STW_ALL_STACKS);
SAME(STW_READ_MEM_STATS, STW_READ_MEM_STATS);
SAME(STW_ALL_THREADS_SYSCALL, STW_ALL_THREADS_SYSCALL);
SAME(STW_GOMAXPROCS, STW_PROCS);
SAME(STW_START_TRACE, STW_START_TRACE);
SAME(STW_STOP_TRACE, STW_STOP_TRACE);
_Static_assert((int)WEFT_TRACE_STW_COUNT <= (int)WIRE_STW_LIMIT, "every public reason has a text");

uint64_t trace_string(weft_tracer *tracer, uint64_t n, const char *text, size_t size)
{
    if (size == 0)
        return 0;
    /* Cut before hashing: else the same cut text would be entered twice under two hashes. */
    if (size > WIRE_STRING_MAX)
        size = WIRE_STRING_MAX;
    const trace_map_entry *entry =
        trace_map_intern(&trace_slot_of(tracer, n)->strings, base_hash(text, size), text, size);
    if (!entry) {
        trace_generation_give_up(tracer, n);
        return 0;
    }
    return entry->id;
}

uint64_t trace_string_name(weft_tracer *tracer, uint64_t n, const char *name)
{
    size_t size = name ? strlen(name) : 0;
    size_t cut = size > WIRE_STRING_MAX ? size - WIRE_STRING_MAX : 0;
    return trace_string(tracer, n, name + cut, size - cut);
}

static void write_string(trace_writer *writer, uint64_t id, const void *text, size_t size)
{
    trace_buffer *buffer = trace_writer_reserve(writer, 2 + 2 * WIRE_VARINT_MAX + size);
    if (!buffer)
        return;
    *buffer->at++ = WIRE_EV_STRING;
    buffer->at = wire_varint_encode(buffer->at, id);
    buffer->at = wire_varint_encode(buffer->at, size);
    memcpy(buffer->at, text, size);
    buffer->at += size;
}

static void write_texts(trace_writer *writer, uint64_t first, const char *const *texts,
                        unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        write_string(writer, first + i, texts[i], strlen(texts[i]));
}

void trace_strings_dump(weft_tracer *tracer, uint64_t n)
{
    trace_map *map = &trace_slot_of(tracer, n)->strings;
    trace_writer writer;
    trace_writer_start(&writer, tracer, n, WIRE_EV_STRINGS);
    write_texts(&writer, TRACE_STRING_STOP, wire_stop_texts, WIRE_STOP_LIMIT);
    write_texts(&writer, TRACE_STRING_BLOCK, wire_block_texts, WIRE_BLOCK_LIMIT);
    write_texts(&writer, TRACE_STRING_STW, wire_stw_texts, WIRE_STW_LIMIT);
    trace_map_cursor cursor;
    trace_map_start(map, &cursor);
    for (const trace_map_entry *entry; (entry = trace_map_next(&cursor));)
        write_string(&writer, entry->id, entry->key, entry->size);
    trace_writer_finish(&writer);
    trace_generation_reaches(tracer, n, WIRE_FLIGHT_COMPLETE);
    trace_map_reset(map);
}
