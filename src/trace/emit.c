/* SPDX-License-Identifier: MIT */
/*
 * Design. An event is its tag, the time since the one before, and its arguments. Statuses come
 * first, in the same section: that of the resource which the event acts on, then the M's own P,
 * then its G (section 5 of the protocol). They describe the moment before the event. So each
 * function below says which two statuses its event implies.
 */
#include "trace/emit.h"

#include "base/clock.h"
#include "base/fatal.h"
#include "trace/buffer.h"
#include "trace/census.h"
#include "trace/tables.h"
#include "trace/tracer.h"

#define G_RUNNABLE  WEFT_TRACE_G_RUNNABLE
#define G_RUNNING   WEFT_TRACE_G_RUNNING
#define G_SYSCALL   WEFT_TRACE_G_SYSCALL
#define G_WAITING   WEFT_TRACE_G_WAITING
#define P_RUNNING   WEFT_TRACE_P_RUNNING
#define P_IDLE      WEFT_TRACE_P_IDLE
#define P_SYSCALL   WEFT_TRACE_P_SYSCALL
#define P_ABANDONED WEFT_TRACE_P_ABANDONED

_Static_assert(G_RUNNABLE == (int)WIRE_G_RUNNABLE && G_RUNNING == (int)WIRE_G_RUNNING &&
                   G_SYSCALL == (int)WIRE_G_SYSCALL && G_WAITING == (int)WIRE_G_WAITING &&
                   P_RUNNING == (int)WIRE_P_RUNNING && P_IDLE == (int)WIRE_P_IDLE &&
                   P_SYSCALL == (int)WIRE_P_SYSCALL && P_ABANDONED == (int)WIRE_P_SYSCALL_ABANDONED,
               "the host's status numbers are those of the format");

/* now: the clock; after: the event's time exceeds it. Returns the event's time. */
static inline __attribute__((always_inline)) uint64_t write_event(weft_trace_section *s,
                                                                  uint64_t now, uint64_t after,
                                                                  uint8_t tag, unsigned count,
                                                                  const uint64_t *args)
{
    weft_trace_m *m = s->m;
    trace_buffer *buffer = m->buffer[s->generation % 2];
    if (unlikely(!buffer || buffer->end - buffer->at < TRACE_EVENT_ROOM)) {
        buffer = trace_buffer_refill(s->tracer, m, s->generation);
        if (!buffer)
            return after;
    }
    uint64_t last = m->last_time;
    if (unlikely(after < last))
        after = last;
    if (unlikely(now <= after))
        now = after + 1;
    uint8_t *at = buffer->at;
    *at++ = tag;
    at = wire_varint_encode(at, now - last);
    for (unsigned i = 0; i < count; i++)
        at = wire_varint_encode(at, args[i]);
    m->last_time = now;
    compiler_barrier(); /* whoever finds the new position, after a crash, finds the event */
    buffer->at = at;
    return now;
}

void trace_emit(weft_trace_section *s, uint8_t tag, unsigned count, const uint64_t *args)
{
    write_event(s, base_clock_now_loose(), 0, tag, count, args);
}

void trace_emit_about(weft_trace_section *s, uint64_t *time, uint8_t tag, unsigned count,
                      const uint64_t *args)
{
    *time = write_event(s, base_clock_now_loose(), *time, tag, count, args);
}

void trace_emit_at_once(weft_trace_section *s, uint64_t *time, uint8_t tag, unsigned count,
                        const uint64_t *args)
{
    *time = write_event(s, 0, *time, tag, count, args);
}

void trace_emit_ordered(weft_trace_section *s, uint64_t *time, uint8_t tag, unsigned count,
                        const uint64_t *args)
{
    uint64_t now = write_event(s, base_clock_now(), time ? *time : 0, tag, count, args);
    if (time)
        *time = now;
}

void trace_status_p(weft_trace_section *s, weft_trace_p *p, uint64_t status)
{
    if (!trace_acquire_status(trace_marks_p(p), s->generation))
        return;
    EMIT(s, PROC_STATUS, .p = p->id, .pstatus = status);
    if (p->in_sweep)
        EMIT(s, GC_SWEEP_ACTIVE, .p = p->id);
}

void trace_status_g(weft_trace_section *s, weft_trace_g *g, uint64_t m_tid, uint64_t status)
{
    if (!trace_acquire_status(trace_marks_g(g), s->generation))
        return;
    trace_census_stamp(s->tracer, g, s->generation);
    uint64_t m = status == G_RUNNING || status == G_SYSCALL ? m_tid : WIRE_NO_ID;
    EMIT(s, GO_STATUS, .g = g->id, .m = m, .gstatus = status);
    if (g->in_assist)
        EMIT(s, GC_MARK_ASSIST_ACTIVE, .g = g->id);
}

void trace_prologue_slow(weft_trace_section *s, weft_trace_context c, uint64_t g_status,
                         uint64_t p_status)
{
    if (c.p)
        trace_status_p(s, c.p, p_status);
    if (c.g)
        trace_status_g(s, c.g, s->m->tid, g_status);
}

/* A creation event stands for the status. */
static inline void set_created(const weft_trace_section *s, weft_trace_g *g)
{
    trace_set_traced(trace_marks_g(g), s->generation);
    trace_census_stamp(s->tracer, g, s->generation);
}

static inline uint64_t next_seq_g(const weft_trace_section *s, weft_trace_g *g)
{
    return trace_next_seq(trace_marks_g(g), s->generation);
}

static inline uint64_t next_seq_p(const weft_trace_section *s, weft_trace_p *p)
{
    return trace_next_seq(trace_marks_p(p), s->generation);
}

/* Format 22 lacks three events; what they say is then said with others. */
static inline bool has_since_23(const weft_trace_section *s)
{
    return s->tracer->format >= 23;
}

/* ---- Ps ---- */

void weft_trace_procs_change(weft_trace_section *s, weft_trace_context c, uint32_t procs,
                             uint64_t stack)
{
    trace_prologue(s, c, G_RUNNING, P_RUNNING);
    EMIT_ORDERED(s, NULL, PROCS_CHANGE, .procs_value = procs, .stack = stack);
}

void weft_trace_proc_start(weft_trace_section *s, weft_trace_context c)
{
    trace_prologue(s, c, G_SYSCALL, P_IDLE);
    EMIT_ABOUT(s, &c.p->time, PROC_START, .p = c.p->id, .p_seq = next_seq_p(s, c.p));
}

void weft_trace_proc_stop(weft_trace_section *s, weft_trace_context c)
{
    trace_prologue(s, c, G_SYSCALL, P_RUNNING);
    EMIT_ABOUT(s, &c.p->time, PROC_STOP);
}

void weft_trace_proc_steal(weft_trace_section *s, weft_trace_context c, bool own_syscall,
                           weft_trace_p *victim, uint64_t m_tid)
{
    trace_status_p(s, victim, P_ABANDONED);
    if (own_syscall)
        trace_prologue(s, c, G_SYSCALL, P_ABANDONED);
    else
        trace_prologue(s, c, G_RUNNING, P_RUNNING);
    EMIT_ABOUT(s, &victim->time, PROC_STEAL, .p = victim->id, .p_seq = next_seq_p(s, victim),
               .m = m_tid);
}

/* ---- Gs ---- */

static inline void emit_start(weft_trace_section *s, weft_trace_g *g)
{
    EMIT_ABOUT(s, &g->time, GO_START, .g = g->id, .g_seq = next_seq_g(s, g));
}

/* GoCreateBlocked for a format without it: the new G runs for a moment and blocks. */
static void block_new(weft_trace_section *s, weft_trace_context c, weft_trace_g *g)
{
    if (c.g)
        EMIT_ABOUT(s, &c.g->time, GO_STOP,
                   .reason_string = trace_string_stop(WEFT_TRACE_STOP_UNSPECIFIED));
    emit_start(s, g);
    EMIT_ABOUT(s, &g->time, GO_BLOCK,
               .reason_string = trace_string_block(WEFT_TRACE_BLOCK_UNSPECIFIED));
    if (c.g)
        emit_start(s, c.g);
}

void weft_trace_go_create(weft_trace_section *s, weft_trace_context c, weft_trace_g *g,
                          uintptr_t entry, bool blocked, uint64_t stack)
{
    uint64_t entry_stack = weft_trace_stack(s, &entry, 1);
    trace_prologue(s, c, G_RUNNING, P_RUNNING);
    set_created(s, g);
    if (blocked && has_since_23(s)) {
        EMIT_ABOUT(s, &g->time, GO_CREATE_BLOCKED, .new_g = g->id, .new_stack = entry_stack,
                   .stack = stack);
        return;
    }
    EMIT_ABOUT(s, &g->time, GO_CREATE, .new_g = g->id, .new_stack = entry_stack, .stack = stack);
    if (blocked)
        block_new(s, c, g);
}

void weft_trace_go_create_syscall(weft_trace_section *s, weft_trace_g *g)
{
    set_created(s, g);
    EMIT(s, GO_CREATE_SYSCALL, .new_g = g->id);
}

void weft_trace_go_destroy_syscall(weft_trace_section *s, weft_trace_g *g)
{
    trace_status_g(s, g, s->m->tid, G_SYSCALL);
    EMIT(s, GO_DESTROY_SYSCALL);
}

void weft_trace_go_start(weft_trace_section *s, weft_trace_context c)
{
    trace_prologue(s, c, G_RUNNABLE, P_RUNNING);
    emit_start(s, c.g);
}

void weft_trace_go_start_at_once(weft_trace_section *s, weft_trace_context c)
{
    weft_trace_g *g = c.g;
    trace_prologue(s, c, G_RUNNABLE, P_RUNNING);
    EMIT_AT_ONCE(s, &g->time, GO_START, .g = g->id, .g_seq = next_seq_g(s, g));
}

void weft_trace_go_stop(weft_trace_section *s, weft_trace_context c, weft_trace_stop_reason reason,
                        uint64_t stack)
{
    trace_prologue(s, c, G_RUNNING, P_RUNNING);
    EMIT_ABOUT(s, &c.g->time, GO_STOP, .reason_string = trace_string_stop(reason), .stack = stack);
}

void weft_trace_go_block(weft_trace_section *s, weft_trace_context c,
                         weft_trace_block_reason reason, uint64_t stack)
{
    trace_prologue(s, c, G_RUNNING, P_RUNNING);
    EMIT_ABOUT(s, &c.g->time, GO_BLOCK, .reason_string = trace_string_block(reason),
               .stack = stack);
}

void weft_trace_go_destroy(weft_trace_section *s, weft_trace_context c)
{
    trace_prologue(s, c, G_RUNNING, P_RUNNING);
    EMIT(s, GO_DESTROY);
}

void weft_trace_go_unblock(weft_trace_section *s, weft_trace_context c, weft_trace_g *g,
                           uint64_t stack)
{
    trace_status_g(s, g, WIRE_NO_ID, G_WAITING);
    trace_prologue(s, c, G_RUNNING, P_RUNNING);
    EMIT_ABOUT(s, &g->time, GO_UNBLOCK, .g = g->id, .g_seq = next_seq_g(s, g), .stack = stack);
}

/* GoSwitch for a format without it: g is made ready, the current G gives way, g starts. */
static void switch_in_steps(weft_trace_section *s, weft_trace_g *from, weft_trace_g *g,
                            bool destroy)
{
    EMIT_ABOUT(s, &g->time, GO_UNBLOCK, .g = g->id, .g_seq = next_seq_g(s, g));
    if (destroy)
        EMIT(s, GO_DESTROY);
    else
        EMIT_ABOUT(s, &from->time, GO_BLOCK,
                   .reason_string = trace_string_block(WEFT_TRACE_BLOCK_UNSPECIFIED));
    emit_start(s, g);
}

void weft_trace_go_switch(weft_trace_section *s, weft_trace_context c, weft_trace_g *g,
                          bool destroy)
{
    trace_status_g(s, g, WIRE_NO_ID, G_WAITING);
    trace_prologue(s, c, G_RUNNING, P_RUNNING);
    if (!has_since_23(s))
        switch_in_steps(s, c.g, g, destroy);
    else if (destroy)
        EMIT_ABOUT(s, &g->time, GO_SWITCH_DESTROY, .g = g->id, .g_seq = next_seq_g(s, g));
    else
        EMIT_ABOUT(s, &g->time, GO_SWITCH, .g = g->id, .g_seq = next_seq_g(s, g));
    c.g->time = g->time; /* it waits from that event on */
}

void weft_trace_syscall_begin(weft_trace_section *s, weft_trace_context c, uint64_t stack)
{
    trace_prologue(s, c, G_RUNNING, P_RUNNING);
    /* The P's number: the ProcSteal that may follow comes from another stream. */
    EMIT_ABOUT(s, &c.p->time, GO_SYSCALL_BEGIN, .p_seq = next_seq_p(s, c.p), .stack = stack);
}

void weft_trace_syscall_end(weft_trace_section *s, weft_trace_context c)
{
    trace_prologue(s, c, G_SYSCALL, P_SYSCALL);
    EMIT(s, GO_SYSCALL_END);
}

void weft_trace_syscall_end_blocked(weft_trace_section *s, weft_trace_context c)
{
    trace_prologue(s, c, G_SYSCALL, P_RUNNING);
    EMIT_ORDERED(s, &c.g->time, GO_SYSCALL_END_BLOCKED); /* behind the ProcSteal of its former P */
}

/* ---- Ranges ---- */

void weft_trace_stw_begin(weft_trace_section *s, weft_trace_context c, weft_trace_stw_reason reason,
                          uint64_t stack)
{
    trace_prologue(s, c, G_RUNNING, P_RUNNING);
    EMIT_ORDERED(s, NULL, STW_BEGIN, .kind_string = trace_string_stw(reason), .stack = stack);
}

void weft_trace_stw_end(weft_trace_section *s, weft_trace_context c)
{
    trace_prologue(s, c, G_RUNNING, P_RUNNING);
    EMIT_ORDERED(s, NULL, STW_END);
}

void weft_trace_g_renew(weft_trace_g *g)
{
    atomic_store_relaxed(&g->seq[0], 0);
    atomic_store_relaxed(&g->seq[1], 0);
}
