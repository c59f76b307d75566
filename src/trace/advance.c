/* SPDX-License-Identifier: MIT */
/*
 * Design. Start, advance and stop run one after the other on one thread, the drainer, which is also
 * the only one that reads what was written. That replaces the protocol's advanceSema, shutdownSema
 * and doneSema, the mark `shutdown`, the counters readerGen and flushedGen, and the hand-shake of
 * advancer and reader: INV-3, INV-18, INV-19 and INV-20 hold because the steps stand below one
 * another. What is left to be proven is what happens between this thread and the others.
 *
 * A generation n ends like this. Nothing is held but where it says so:
 *   census    every G becomes ready for n+1; the states of those without status are noted
 *   hold      the world is held; the drainer gets a P
 *   barrier   every live P and the G on it get their status, which makes them ready as well
 *   dead Ps   become ready
 *   switch    the generation becomes n+1, or 0
 *   opening   clock data and the number of Ps open n+1; release
 *   flush     wait until no section of n is open; queue all buffers of n
 *   tables    CPU samples, statuses of idle Gs, stacks, strings
 *   deliver   n is sealed and goes to the subscribers
 *
 * Invariants.
 *  INV-9   Everything is ready for n+1 before the switch. Were a live P reset after it, the P could
 *          have written its status in n+1 already, and the reset would make it write another, or
 *          start its numbers again.
 *  INV-10  Barrier, dead Ps and switch are in one hold of the world: between two holds the procs
 *          count could change, and a P that dies after the dead ones were visited but before the
 *          live ones were is readied by neither.
 *  INV-11  The hold also keeps stop-the-world pairs within one generation.
 *  INV-12  Tables of n are dumped after the last section of n has closed: strings after stacks,
 *          which name functions.
 *  INV-17  Running is written by the M itself or for it on its own stream, never from a threadless
 *          batch: the barrier writes the P's and G's status on the stream of the M that is held at
 *          its safepoint.
 *  INV-15  see section.c: `enabled` is raised before the generation is published and lowered after
 *          the flush.
 *
 * Rejected. Writing the statuses of running Gs from the census: a reader does not bind a G to a
 * thread by them. A reset of all marks when a trace starts: it would hide a missing reset, and it
 * has to visit every G with the world stopped.
 */
#include "trace/advance.h"

#include "base/clock.h"
#include "base/fatal.h"
#include "base/fence.h"
#include "base/torture.h"
#include "trace/allocfree.h"
#include "trace/census.h"
#include "trace/collector.h"
#include "trace/emit.h"
#include "trace/enroll.h"
#include "trace/subscriber.h"
#include "trace/tables.h"
#include "trace/tracer.h"

#include <stdlib.h>
#include <string.h>

#define NS_PER_SECOND 1000000000u

/* Clock data of generation n, which is delivered first. */
static void write_sync(weft_tracer *tracer, uint64_t n, trace_queue *queue)
{
    bool snapshot = tracer->format >= 25;
    trace_writer writer;
    trace_writer_start(&writer, tracer, n, snapshot ? WIRE_EV_SYNC : 0);
    trace_buffer *buffer = trace_writer_reserve(&writer, 2 + 6 * WIRE_VARINT_MAX);
    if (!buffer)
        return;
    uint8_t *at = buffer->at;
    *at++ = WIRE_EV_FREQUENCY;
    at = wire_varint_encode(at, NS_PER_SECOND);
    if (snapshot) {
        base_clock_snapshot snap;
        base_clock_snap(&snap);
        uint64_t start = writer.m.last_time;
        *at++ = WIRE_EV_CLOCK_SNAPSHOT;
        at = wire_varint_encode(at, snap.now > start ? snap.now - start : 1);
        at = wire_varint_encode(at, snap.mono);
        at = wire_varint_encode(at, snap.wall_sec);
        at = wire_varint_encode(at, snap.wall_nsec);
    }
    buffer->at = at;
    trace_buffer_seal(tracer, n, buffer);
    trace_queue_push(queue, buffer);
}

static weft_trace_section own_section(weft_tracer *tracer)
{
    weft_trace_section section;
    bool open = weft_trace_enter(tracer, tracer->m, &section);
    invariant(open, "trace: generation %llu but no section",
              (unsigned long long)tracer->generation);
    return section;
}

/* The first timed events of a generation: the statuses of the drainer's own P and G, the number of
 * Ps, and what a collector has to say. */
static void open_generation(weft_tracer *tracer, weft_trace_context self, bool first)
{
    weft_trace_section section = own_section(tracer);
    trace_slot *slot = trace_slot_of(tracer, section.generation);
    slot->began = base_clock_now();
    write_sync(tracer, section.generation, &slot->opening);
    if (self.p && self.g) {
        weft_trace_procs_change(&section, self, tracer->host.proc_count(tracer->host.context), 0);
        if (first)
            weft_trace_stw_begin(&section, self, WEFT_TRACE_STW_START_TRACE, 0);
        trace_collector_open(&section, self, first);
        trace_allocfree_open(&section, self, first);
    }
    weft_trace_leave(&section);
}

/* ---- Start ---- */

static void wipe_p(void *arg, weft_trace_p *p)
{
    (void)arg;
    trace_marks_wipe(trace_marks_p(p));
}

static void wipe_view(void *arg, const weft_trace_p_view *view)
{
    wipe_p(arg, view->p);
}

static void wipe_g(void *arg, const weft_trace_g_view *view)
{
    (void)arg;
    trace_marks_wipe(trace_marks_g(view->g));
}

/*
 * After a fork the marks are those of a generation that never ended here. Tracing is off: nobody
 * else uses them. Gs are visited without the hold and Ps within, as when a generation ends.
 */
static void wipe_marks_g(weft_tracer *tracer)
{
    if (tracer->wipe_marks)
        tracer->host.each_g(tracer->host.context, false, wipe_g, NULL);
}

static void wipe_marks_p(weft_tracer *tracer, weft_trace_context self)
{
    const weft_trace_host *host = &tracer->host;
    if (!tracer->wipe_marks)
        return;
    trace_marks_wipe(trace_marks_p(self.p));
    host->each_p(host->context, wipe_view, NULL);
    host->each_dead_p(host->context, wipe_p, NULL);
    tracer->wipe_marks = false;
}

/* Before n is published. Its slot has been emptied: what it held belonged to n-2. */
static void prepare_generation(weft_tracer *tracer, uint64_t n)
{
    trace_slot *slot = trace_slot_of(tracer, n);
    slot->stacks.generation = slot->strings.generation = slot->types.generation = n;
    if (tracer->arena.flight)
        trace_flight_open_generation(tracer->arena.flight, n);
}

int trace_begin(weft_tracer *tracer)
{
    const weft_trace_host *host = &tracer->host;
    weft_trace_context self = {0};
    uint64_t first = trace_next_generation(tracer->last_generation);
    wipe_marks_g(tracer);
    trace_census_prepare(tracer);
    if (tracer->arena.flight)
        trace_flight_begin(tracer->arena.flight, tracer->format);
    trace_list_modules(tracer);
    prepare_generation(tracer, first);
    host->world_hold(host->context);
    int rc = host->attach(host->context, &self);
    if (rc < 0)
        goto release;
    wipe_marks_p(tracer, self);
    torture_point("trace start: before the world stops");
    host->world_stop(host->context);
    /* Relaxed: world_start orders it before whatever the other Ms do next (INV-15). */
    trace_set_enabled(tracer, 1);
    torture_point("trace start: enabled, no generation");
    fence_store(&tracer->generation, first);
    open_generation(tracer, self, true);
    torture_point("trace start: world stopped");
    weft_trace_section section = own_section(tracer);
    weft_trace_stw_end(&section, self);
    weft_trace_leave(&section);
    host->world_start(host->context);
    host->detach(host->context);
release:
    host->world_release(host->context);
    return rc;
}

/* ---- The end of a generation ---- */

typedef struct barrier {
    weft_tracer *tracer;
    uint64_t n;
    bool stop;
} barrier;

/* The P's M is held outside of any section; meanwhile its stream is ours. n cannot change: that is
 * our own doing. */
static void write_held(const barrier *b, const weft_trace_p_view *view)
{
    weft_trace_m *m = view->m;
    invariant(!atomic_load_relaxed(&m->writing),
              "trace: thread %lu is at a safepoint within a section", (unsigned long)m->tid);
    fence_store(&m->writing, 1);
    m->generation = b->n;
    weft_trace_section section = {.tracer = b->tracer, .m = m, .generation = b->n};
    trace_prologue_slow(&section, (weft_trace_context){view->p, view->g}, WEFT_TRACE_G_RUNNING,
                        WEFT_TRACE_P_RUNNING);
    weft_trace_leave(&section);
}

static void write_idle(const barrier *b, weft_trace_p *p)
{
    weft_trace_section section = own_section(b->tracer);
    trace_status_p(&section, p, WEFT_TRACE_P_IDLE);
    weft_trace_leave(&section);
}

static void barrier_p(void *arg, const weft_trace_p_view *view)
{
    const barrier *b = arg;
    torture_point("trace barrier: at a P");
    if (view->m)
        write_held(b, view);
    else
        write_idle(b, view->p);
}

static void barrier_dead_p(void *arg, weft_trace_p *p)
{
    const barrier *b = arg;
    trace_ready_dead_proc(p, b->n, b->stop);
}

/* For each subscriber that begins anew with this generation, what it has lost. */
static void write_losses(weft_tracer *tracer, weft_trace_section *section, weft_trace_context self)
{
    static const char category[] = "weft.loss";
    char text[TRACE_LOSS_TEXT];
    for (trace_subscriber *sub = tracer->subscribers; sub; sub = sub->next)
        if (sub->kind->announce(sub, text) && self.g)
            weft_trace_log(section, self, 0, category, sizeof category - 1, text, strlen(text), 0);
}

/* World held, drainer attached: all Ps, live and dead, become ready for what comes after n. */
static void pass_procs(weft_tracer *tracer, weft_trace_context self, bool stop)
{
    const weft_trace_host *host = &tracer->host;
    weft_trace_section section = own_section(tracer);
    barrier b = {tracer, section.generation, stop};
    trace_prologue_slow(&section, self, WEFT_TRACE_G_RUNNING, WEFT_TRACE_P_RUNNING);
    write_losses(tracer, &section, self);
    weft_trace_leave(&section);
    /* No section is open in between: the host may have to take Ps away from system calls, with
     * events of its own. */
    host->each_p(host->context, barrier_p, &b);
    torture_point("trace barrier: live Ps done");
    host->each_dead_p(host->context, barrier_dead_p, &b);
}

/* Publishes the generation after n: from here on new sections are in it. */
static void trace_switch(weft_tracer *tracer, uint64_t next)
{
    torture_point("trace switch: before");
    fence_store(&tracer->generation, next);
    fence_heavy(); /* pairs with the fence_light() of sections */
    torture_point("trace switch: after");
}

/* Everything that was written in n stands in its queue afterwards. */
static void collect(weft_tracer *tracer, uint64_t n)
{
    trace_ms_flush(tracer, n);
    torture_point("trace collect: flushed");
    trace_slot_of(tracer, n)->lost_ticks = trace_cpu_collect(tracer, n);
    trace_census_write(tracer, n);
    trace_stacks_dump(tracer, n);
    trace_allocfree_dump(tracer, n);
    trace_strings_dump(tracer, n);
}

/* What nobody receives. */
static void drop(weft_tracer *tracer, uint64_t n)
{
    trace_slot *slot = trace_slot_of(tracer, n);
    trace_generation_reaches(tracer, n, WIRE_FLIGHT_NONE);
    trace_queue_free(&slot->opening, &tracer->arena);
    trace_queue_free(&slot->full, &tracer->arena);
}

static trace_sealed *seal(weft_tracer *tracer, uint64_t n)
{
    trace_slot *slot = trace_slot_of(tracer, n);
    trace_sealed *sealed = NULL;
    if (!atomic_load_relaxed(&slot->lost)) {
        sealed = trace_sealed_new(tracer, n);
        if (!sealed)
            slot->lost_bytes = trace_queue_bytes(&slot->full);
    }
    if (!sealed)
        drop(tracer, n);
    return sealed;
}

static trace_sealed *deliver(weft_tracer *tracer, uint64_t n)
{
    trace_slot *slot = trace_slot_of(tracer, n);
    trace_sealed *sealed = seal(tracer, n);
    for (trace_subscriber *sub = tracer->subscribers; sub; sub = sub->next) {
        torture_point("trace deliver");
        if (sealed)
            sub->kind->deliver(sub, sealed);
        else
            sub->kind->lose(sub, slot->lost_bytes, slot->lost_ticks);
    }
    slot->lost_bytes = 0;
    atomic_store_relaxed(&slot->full_chunks, 0);
    atomic_store_relaxed(&slot->lost, false);
    return sealed;
}

trace_sealed *trace_advance(weft_tracer *tracer, bool stop)
{
    const weft_trace_host *host = &tracer->host;
    uint64_t n = tracer->generation;
    weft_trace_context self = {0};
    if (n == 0) /* it was the last, see below */
        return NULL;
    trace_census_take(tracer, n);
    if (!stop)
        prepare_generation(tracer, trace_next_generation(n));

    host->world_hold(host->context);
    /* Without a P of its own the drainer leaves out the number of Ps, which is all that needs one.
     */
    bool attached = host->attach(host->context, &self) == 0;
    pass_procs(tracer, self, stop);
    /* Not every P was passed, perhaps: no generation may follow. Pairs with weft_tracer_dying(). */
    stop = stop || atomic_load_acquire(&tracer->dying);
    tracer->last_generation = n;
    trace_switch(tracer, stop ? 0 : trace_next_generation(n));
    if (!stop)
        open_generation(tracer, self, false);
    if (attached)
        host->detach(host->context);
    host->world_release(host->context);

    collect(tracer, n);
    if (stop)
        trace_set_enabled(tracer, 0);
    if (stop && tracer->arena.flight)
        trace_flight_end(tracer->arena.flight);
    return deliver(tracer, n);
}

/* Go 1.23's reader takes no generation without an event: this one needs nothing before it. */
static void write_one_event(weft_tracer *tracer, uint64_t n, trace_queue *queue)
{
    trace_writer writer;
    trace_writer_start(&writer, tracer, n, 0);
    EMIT(&writer.section, PROC_STATUS, .p = 0, .pstatus = WEFT_TRACE_P_IDLE);
    trace_buffer *buffer = writer.m.buffer[n % 2];
    if (!buffer)
        return;
    trace_buffer_seal(tracer, n, buffer);
    trace_queue_push(queue, buffer);
}

trace_sealed *trace_empty_generation(weft_tracer *tracer)
{
    uint64_t n = tracer->generation ? tracer->generation : tracer->last_generation;
    trace_queue batches;
    trace_queue_init(&batches);
    write_sync(tracer, n, &batches);
    write_one_event(tracer, n, &batches);
    trace_sealed *sealed = batches.first ? calloc(1, sizeof *sealed) : NULL;
    if (sealed)
        *sealed = (trace_sealed){.refs = 1,
                                 .tracer = tracer,
                                 .number = n,
                                 .began = base_clock_now(),
                                 .bytes = trace_queue_bytes(&batches),
                                 .memory = (size_t)2 * TRACE_CHUNK_SIZE,
                                 .batches = batches};
    return sealed;
}
