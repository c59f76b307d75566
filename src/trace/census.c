/* SPDX-License-Identifier: MIT */
/*
 * Design. Go's tracer stops each goroutine for a moment to note its state and stack (step 3 of the
 * protocol's advance). Here nothing is stopped: the host shows what it sees, which may be wrong by
 * the time it is looked at, and a note is used only if its G has no status in n after the last
 * section of n has closed. Each event about a G, and each event that it emits, is preceded by its
 * status. So a G without status had no event in n; and as every change of state is made in the
 * section that describes it (INV-6), its state was the same all through n, and the note is right.
 * The stack of such a G was not running either, and is right for the same reason.
 *
 * Invariants.
 *  INV-9   trace_ready_next(n) for each record that exists, dead ones included: nobody can be in
 *          n+1 before the switch, which comes later. Records that appear afterwards are new and
 *          have no marks.
 *  INV-17  A state of Running is never written from here. A note may say so for a G that ran when
 *          it was taken. Then either it ran on a P until the barrier, which wrote its status
 *          (advance.c), or it stopped running before, with an event. A transition into Running
 *          (INV-7) has no safepoint before its event: its P was not passed by the barrier in
 *          between. So no note that says Running is left over; one that is would be the host's
 *          fault.
 *
 * Cost. What a visit costs is the wait for memory: each record and each stack lies on pages of its
 * own. So each is visited once, when the note is made, and the host asks ahead for what comes next
 * (trace_host.c). Whether the G has a status later on says its stamp, one of an array of the
 * tracer's, where the owner of the G puts the generation's number beside the mark. The statuses
 * need no clock either: nothing is told by when, at the end of its generation, a G is said to have
 * done nothing.
 *
 * Corners. A record may get a new identity between the note and its use: the note carries its own
 * copy of the id, and the former G has a status in n, as it died in n. A record is never freed
 * while the tracer lives.
 */
#include "trace/census.h"

#include "base/fatal.h"
#include "base/pages.h"
#include "base/torture.h"
#include "trace/emit.h"
#include "trace/tables.h"
#include "trace/tracer.h"

#include <string.h>

struct trace_note {
    weft_trace_g *g;
    uint64_t id;
    uint64_t m_tid;
    uint64_t stack;
    uint32_t index;
    uint8_t status;
    bool in_assist;
};

typedef struct census {
    weft_tracer *tracer;
    uint64_t n;
} census;

static bool notes_grow(weft_tracer *tracer)
{
    size_t room = tracer->notes_room ? tracer->notes_room * 2 : 1024;
    struct trace_note *notes =
        torture_refuse("trace notes") ? NULL : base_pages_alloc(room * sizeof *notes);
    if (!notes)
        return false;
    if (tracer->notes_count)
        memcpy(notes, tracer->notes, tracer->notes_count * sizeof *notes);
    size_t count = tracer->notes_count;
    trace_census_free(tracer);
    tracer->notes = notes;
    tracer->notes_room = room;
    tracer->notes_count = count;
    return true;
}

static void note_g(void *arg, const weft_trace_g_view *view)
{
    const census *c = arg;
    weft_tracer *tracer = c->tracer;
    trace_marks marks = trace_marks_g(view->g);
    trace_ready_next(marks, c->n);
    if (view->status == WEFT_TRACE_G_DEAD || trace_was_traced(marks, c->n))
        return;
    if (tracer->notes_count == tracer->notes_room && !notes_grow(tracer)) {
        /* A G without its status would break the trace: the whole generation goes. */
        trace_generation_give_up(tracer, c->n);
        return;
    }
    uint64_t stack = view->pcs ? trace_stack_intern(tracer, c->n, view->pcs, view->depth) : 0;
    tracer->notes[tracer->notes_count++] = (struct trace_note){.g = view->g,
                                                               .id = view->id,
                                                               .m_tid = view->m_tid,
                                                               .stack = stack,
                                                               .index = view->g->index,
                                                               .status = (uint8_t)view->status,
                                                               .in_assist = view->g->in_assist};
}

void trace_census_take(weft_tracer *tracer, uint64_t n)
{
    census c = {tracer, n};
    tracer->notes_count = 0;
    torture_point("trace census");
    tracer->host.each_g(tracer->host.context, tracer->format >= 23, note_g, &c);
}

/* Right behind the event before. */
static void write_note(weft_trace_section *s, const struct trace_note *note)
{
    uint64_t time = 0;
    uint64_t m = note->status == WEFT_TRACE_G_SYSCALL ? note->m_tid : WIRE_NO_ID;
    debug_invariant(
        note->status != WEFT_TRACE_G_RUNNING,
        "trace: the host showed goroutine %llu as running, but no P runs it and it has no event",
        (unsigned long long)note->id);
    if (note->status == WEFT_TRACE_G_RUNNING)
        return;
    if (note->stack)
        EMIT_AT_ONCE(s, &time, GO_STATUS_STACK, .g = note->id, .m = m, .gstatus = note->status,
                     .stack = note->stack);
    else
        EMIT_AT_ONCE(s, &time, GO_STATUS, .g = note->id, .m = m, .gstatus = note->status);
    if (note->in_assist)
        EMIT_AT_ONCE(s, &time, GC_MARK_ASSIST_ACTIVE, .g = note->id);
}

static bool has_status(const weft_tracer *tracer, const struct trace_note *note, uint64_t n)
{
    if (note->index == 0 || note->index >= TRACE_STAMPS || !tracer->stamps)
        return trace_was_traced(trace_marks_g(note->g), n);
    return atomic_load_relaxed(&tracer->stamps[2 * (size_t)note->index + n % 2]) == n;
}

void trace_census_write(weft_tracer *tracer, uint64_t n)
{
    trace_writer writer;
    trace_writer_start(&writer, tracer, n, 0);
    for (size_t i = 0; i < tracer->notes_count; i++) {
        const struct trace_note *note = &tracer->notes[i];
        if (!has_status(tracer, note, n))
            write_note(&writer.section, note);
    }
    trace_writer_finish(&writer);
    tracer->notes_count = 0;
}

void trace_census_prepare(weft_tracer *tracer)
{
    if (!tracer->stamps && !torture_refuse("trace stamps"))
        tracer->stamps = base_pages_alloc(2 * TRACE_STAMPS * sizeof *tracer->stamps);
}

void trace_census_free_stamps(weft_tracer *tracer)
{
    if (tracer->stamps)
        base_pages_free(tracer->stamps, 2 * TRACE_STAMPS * sizeof *tracer->stamps);
    tracer->stamps = NULL;
}

void trace_census_free(weft_tracer *tracer)
{
    if (tracer->notes)
        base_pages_free(tracer->notes, tracer->notes_room * sizeof *tracer->notes);
    tracer->notes = NULL;
    tracer->notes_room = tracer->notes_count = 0;
}
