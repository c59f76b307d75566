/* SPDX-License-Identifier: MIT */
/*
 * The host's heap and collector.
 *
 * Begin, end and the mark "active" of a collection use up one number each of a counter of their
 * own, which orders them across streams. It needs no atomic step: it changes with the world stopped
 * or held only (INV-11), which also keeps the phase from changing while a generation does.
 *
 * Active events: a reader that meets the end of a range must have seen its beginning. The collector
 * is told active here, sweeps and assists with the status of their P or G (emit.c, census.c).
 */
#include "trace/collector.h"

#include "trace/emit.h"
#include "trace/tracer.h"

static void prologue(weft_trace_section *s, weft_trace_context c)
{
    trace_prologue(s, c, WEFT_TRACE_G_RUNNING, WEFT_TRACE_P_RUNNING);
}

static uint64_t next_gc_seq(const weft_trace_section *s)
{
    return ++s->tracer->gc_seq;
}

void trace_collector_open(weft_trace_section *s, weft_trace_context self, bool first)
{
    const weft_trace_host *host = &s->tracer->host;
    if (first)
        s->tracer->gc_seq = 0;
    if (host->gc_marking && host->gc_marking(host->context)) {
        prologue(s, self);
        EMIT_ORDERED(s, NULL, GC_ACTIVE, .gc_seq = next_gc_seq(s));
    }
    if (host->heap_goal)
        weft_trace_heap_goal(s, self, host->heap_goal(host->context));
}

void weft_trace_heap_alloc(weft_trace_section *s, weft_trace_context c, uint64_t bytes)
{
    prologue(s, c);
    EMIT(s, HEAP_ALLOC, .heapalloc_value = bytes);
}

void weft_trace_heap_goal(weft_trace_section *s, weft_trace_context c, uint64_t bytes)
{
    prologue(s, c);
    EMIT(s, HEAP_GOAL, .heapgoal_value = bytes);
}

void weft_trace_gc_begin(weft_trace_section *s, weft_trace_context c, uint64_t stack)
{
    prologue(s, c);
    EMIT_ORDERED(s, NULL, GC_BEGIN, .gc_seq = next_gc_seq(s), .stack = stack);
}

void weft_trace_gc_end(weft_trace_section *s, weft_trace_context c)
{
    prologue(s, c);
    EMIT_ORDERED(s, NULL, GC_END, .gc_seq = next_gc_seq(s));
}

void weft_trace_sweep_begin(weft_trace_section *s, weft_trace_context c, uint64_t stack)
{
    prologue(s, c);
    EMIT(s, GC_SWEEP_BEGIN, .stack = stack);
}

void weft_trace_sweep_end(weft_trace_section *s, weft_trace_context c, uint64_t swept,
                          uint64_t reclaimed)
{
    prologue(s, c);
    EMIT(s, GC_SWEEP_END, .swept_value = swept, .reclaimed_value = reclaimed);
}

void weft_trace_assist_begin(weft_trace_section *s, weft_trace_context c, uint64_t stack)
{
    prologue(s, c);
    EMIT(s, GC_MARK_ASSIST_BEGIN, .stack = stack);
}

void weft_trace_assist_end(weft_trace_section *s, weft_trace_context c)
{
    prologue(s, c);
    EMIT(s, GC_MARK_ASSIST_END);
}
