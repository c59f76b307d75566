/* SPDX-License-Identifier: MIT */
/*
 * The one way in which a timed event is written, with a checked argument list for each, made from
 * the table of events:
 *
 *     EMIT(section, GO_DESTROY);
 *     EMIT_ABOUT(section, &g->time, GO_START, .g = id, .g_seq = seq);
 *
 * Times. What an event follows from must have an earlier time, strictly (`tracer-protocol.md` 3.4
 * and ordering.md Q1 say why), on whatever thread that was written. The cheap read of the counter
 * does not give that: the processor may carry it out before the load through which the thread
 * learns that it owns a G. (The read that waits for earlier loads costs twice as much.) So a G and
 * a P carry the time of the latest event about them, from owner to owner, and the next one exceeds
 * it: EMIT          the event follows from others of its own stream only EMIT_ABOUT    it follows
 * from what the record's former owner wrote; *time is read and set EMIT_AT_ONCE  the same, right
 * behind an event of the same stream: no read of the clock at all EMIT_ORDERED  it follows from
 * something that no record tells: the dear read; rare events only
 *
 * Stack and string ids are computed before: nothing may come between taking the buffer and storing
 * its position.
 */
#ifndef WEFT_TRACE_EMIT_H
#define WEFT_TRACE_EMIT_H

#include "trace/status.h"
#include "wire/events.h"

#include <weft/trace_host.h>

/* struct emit_GO_START { uint64_t g; uint64_t g_seq; } and so on, in the order of the wire. */
#define WIRE_ARG(name, kind) uint64_t name;
#define WIRE_EVENT(id, symbol, name, since, shape, args)                                           \
    struct emit_##symbol {                                                                         \
        args                                                                                       \
    };
#include "wire/events.def"

/* Write one event with `count` arguments. time: of the G or P that it is about. */
void trace_emit(weft_trace_section *section, uint8_t tag, unsigned count, const uint64_t *args);
void trace_emit_about(weft_trace_section *section, uint64_t *time, uint8_t tag, unsigned count,
                      const uint64_t *args);
void trace_emit_at_once(weft_trace_section *section, uint64_t *time, uint8_t tag, unsigned count,
                        const uint64_t *args);
void trace_emit_ordered(weft_trace_section *section, uint64_t *time, uint8_t tag, unsigned count,
                        const uint64_t *args);

#define EMIT_ARGS(symbol, ...)                                                                     \
    WIRE_EV_##symbol, WIRE_ARGC_##symbol, (const uint64_t *)(const void *)&(struct emit_##symbol)  \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define EMIT(section, symbol, ...) trace_emit((section), EMIT_ARGS(symbol, __VA_ARGS__))
#define EMIT_ABOUT(section, time, symbol, ...)                                                     \
    trace_emit_about((section), (time), EMIT_ARGS(symbol, __VA_ARGS__))
#define EMIT_AT_ONCE(section, time, symbol, ...)                                                   \
    trace_emit_at_once((section), (time), EMIT_ARGS(symbol, __VA_ARGS__))
/* time: NULL where it is about neither a G nor a P. */
#define EMIT_ORDERED(section, time, symbol, ...)                                                   \
    trace_emit_ordered((section), (time), EMIT_ARGS(symbol, __VA_ARGS__))

/* The statuses of the M's own P and G where they are missing in this generation; trace_prologue()
 * looks first. */
void trace_prologue_slow(weft_trace_section *section, weft_trace_context c, uint64_t g_status,
                         uint64_t p_status);

/*
 * The statuses of the M's own P and G, written where they are missing in this generation, before an
 * event for which they are given. Either may be absent.
 */
static inline void trace_prologue(weft_trace_section *s, weft_trace_context c, uint64_t g_status,
                                  uint64_t p_status)
{
    uint64_t n = s->generation;
    bool p_known = !c.p || trace_was_traced(trace_marks_p(c.p), n);
    bool g_known = !c.g || trace_was_traced(trace_marks_g(c.g), n);
    if (unlikely(!p_known || !g_known))
        trace_prologue_slow(s, c, g_status, p_status);
}

/* Statuses, if they are missing in this generation. m_tid: the thread of a G that is running or in
 * a system call. */
void trace_status_p(weft_trace_section *section, weft_trace_p *p, uint64_t status);
void trace_status_g(weft_trace_section *section, weft_trace_g *g, uint64_t m_tid, uint64_t status);

#endif
