/* SPDX-License-Identifier: MIT */
/*
 * The dump of goroutines.
 *
 * It is printed by a plain thread (after a fatal error crash.c's): names of functions need more
 * stack than a goroutine has, and locks that the failing goroutine holds are none of its business.
 * The other threads run on meanwhile, so what is printed about goroutines that run is a guess; it
 * reads nothing that could fault (weft_trace_walk).
 */
#include "sched/dump.h"

#include "base/clock.h"
#include "sched/goroutine.h"
#include "sched/trace_hooks.h"
#include "trace/symbols.h"
#include "weft/time.h"
#include "wire/reasons.h"

enum { DUMPED = 64, DUMP_FRAMES = 32 };

static const char *state_name(const struct g *g)
{
    switch (atomic_load_relaxed(&g->status)) {
    case G_RUNNABLE:
        return "runnable";
    case G_RUNNING:
        return "running";
    case G_SYSCALL:
        return "out in user code";
    case G_WAITING:
        if (atomic_load_relaxed(&g->coro) &&
            atomic_load_relaxed(&g->wait_reason) == WEFT_TRACE_BLOCK_UNSPECIFIED)
            return "coroutine, suspended";
        return wire_block_texts[atomic_load_relaxed(&g->wait_reason)];
    default:
        return "dead";
    }
}

/* "chan receive, 1234 ms": some milliseconds too long, or too short, if the monitor was busy. */
static void print_head(const struct g *g, const char *remark)
{
    unsigned long id = (unsigned long)atomic_load_relaxed(&g->trace.id);
    int64_t time = (int64_t)base_clock_now() - atomic_load_relaxed(&g->wait_since);
    if (atomic_load_relaxed(&g->status) != G_WAITING || time < 0)
        base_print("goroutine %lu [%s]%s:", id, state_name(g), remark);
    else if (time < 10 * WEFT_SECOND)
        base_print("goroutine %lu [%s, %ld ms]%s:", id, state_name(g),
                   (long)(time / WEFT_MILLISECOND), remark);
    else
        base_print("goroutine %lu [%s, %ld s]%s:", id, state_name(g), (long)(time / WEFT_SECOND),
                   remark);
}

static void print_frame(const trace_frame *frame)
{
    base_print("    %s", frame->func);
    base_print("        %s:%u", frame->file, frame->line);
}

static void print_goroutine(trace_symbols *symbols, const struct g *g, bool current)
{
    uintptr_t pcs[DUMP_FRAMES];
    unsigned depth = hook_walk(g, pcs, DUMP_FRAMES);
    print_head(g, current ? " (the one that failed)" : "");
    for (unsigned i = 0; i < depth; i++) {
        trace_frame frames[8];
        unsigned n = trace_symbols_resolve(symbols, pcs[i], i == 0, frames, 8);
        for (unsigned k = 0; k < n; k++)
            print_frame(&frames[k]);
    }
}

static bool is_listed(const struct g *g, enum dump_which which)
{
    uint32_t status = atomic_load_relaxed(&g->status);
    if (atomic_load_relaxed(&g->system) || status == G_DEAD)
        return false;
    return which != DUMP_WAITING || status == G_WAITING;
}

void dump_goroutines(const struct g *current, enum dump_which which)
{
    trace_symbols *symbols = trace_symbols_new();
    unsigned limit = which == DUMP_SOME ? DUMPED : UINT32_MAX, printed = 0, left_out = 0;
    if (current)
        print_goroutine(symbols, current, true);
    for (const struct g *g = goroutines_first(); g; g = g->all_next) {
        if (g == current || !is_listed(g, which))
            continue;
        if (printed < limit)
            print_goroutine(symbols, g, false);
        if (printed++ >= limit)
            left_out++;
    }
    if (left_out)
        base_print("… and %u more goroutines", left_out);
    trace_symbols_free(symbols);
}

void dump_leaks(void)
{
    unsigned count = 0;
    for (const struct g *g = goroutines_first(); g; g = g->all_next)
        count += is_listed(g, DUMP_WAITING);
    if (count == 0)
        return;
    base_warn("the main goroutine has returned while %u still %s:", count,
              count == 1 ? "waits" : "wait");
    dump_goroutines(NULL, DUMP_WAITING);
}
