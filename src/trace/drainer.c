/* SPDX-License-Identifier: MIT */
/*
 * Design. One plain thread does everything that concerns whole generations, one thing after the
 * other: requests of other threads in the order of their arrival, ticks, and generations that are
 * ended early because they have grown large. It is not a goroutine, so it works when the scheduler
 * does not: that is when a trace is wanted most.
 *
 * Joining and leaving happen at the boundary of a generation: a stream that joins is linked after
 * an advance, whose generation the others get; one that leaves is unlinked after an advance, which
 * it still gets. So each sees whole generations only, and when the request returns, the change is
 * in force.
 *
 * Advances and snapshots that were requested before an advance begins are all satisfied by it:
 * everything emitted before the requests lies in the generation that it ends. Only a run of them at
 * the head of the queue is taken together; requests keep their order.
 *
 * The drainer waits for no receiver: it hands generations over. Who asked for an advance waits on
 * the generation itself until the streams have written it, and who stops a stream for its writer.
 */
#include "trace/drainer.h"

#include "base/clock.h"
#include "base/thread.h"
#include "base/torture.h"
#include "trace/advance.h"
#include "trace/census.h"
#include "trace/recorder.h"
#include "trace/streams.h"
#include "trace/symbols.h"
#include "trace/tracer.h"

#include <errno.h>

#define LOST_PATIENCE_NS UINT64_C(10000000)

/* Who waits for the drainer looks that often whether it has crashed. */
#define LOOK_UP_NS INT64_C(1000000000)

struct trace_command {
    struct trace_command *next;
    trace_request kind;
    trace_subscriber *subscriber;
    trace_snapshot *snapshot; /* to be filled in */
    trace_sealed *sealed;     /* result of an advance, with a reference; may be NULL */
    int result;
    base_note done;
};

/* ---- Any thread ---- */

void trace_drainer_ask(weft_tracer *tracer)
{
    /* Pairs with must_end_early(): either this sees its 0, or it sees why this asks. */
    if (atomic_load_seqcst(&tracer->asked) == 0 && atomic_swap_seqcst(&tracer->asked, 1) == 0)
        base_note_post(&tracer->wake);
}

/* The tracer that this thread belongs to. Its threads are plain ones, which never run goroutines.
 */
static __thread const weft_tracer *serving;

void trace_drainer_serve(const weft_tracer *tracer)
{
    serving = tracer;
}

static void *drainer_main(void *arg);

/* commands_lock held */
static int start_thread(weft_tracer *tracer)
{
    int rc = base_thread_start(&tracer->thread, "weft-trace", drainer_main, tracer);
    tracer->thread_running = rc == 0;
    return rc;
}

/* What a request comes to when there is no drainer: nothing is active. */
static int idle_result(trace_request kind)
{
    if (kind == TRACE_REQUEST_START)
        return -ESHUTDOWN;
    return kind == TRACE_REQUEST_SNAPSHOT ? -EINVAL : 0;
}

/* commands_lock held. False: there is no thread to do it, command->result says what that means. */
static bool submit(weft_tracer *tracer, struct trace_command *command)
{
    bool closed = tracer->closed; /* a drainer that still runs looks at nothing behind QUIT */
    command->result = closed || !tracer->thread_running ? idle_result(command->kind) : 0;
    if (!closed && !tracer->thread_running && command->kind == TRACE_REQUEST_START)
        command->result = start_thread(tracer);
    if (command->kind == TRACE_REQUEST_QUIT)
        tracer->closed = true;
    if (closed || !tracer->thread_running)
        return false;
    *tracer->commands_end = command;
    tracer->commands_end = &command->next;
    return true;
}

static bool has_died(weft_tracer *tracer)
{
    return atomic_load_acquire(&tracer->drainer_died) != 0; /* pairs with trace_drainer_dying() */
}

void trace_drainer_dying(weft_tracer *tracer)
{
    if (serving == tracer && pthread_equal(pthread_self(), tracer->thread))
        atomic_store_release(&tracer->drainer_died, 1); /* pairs with has_died() */
}

static int perform(weft_tracer *tracer, struct trace_command *command)
{
    if (serving == tracer)
        return -EDEADLK;
    if (has_died(tracer))
        return -EOWNERDEAD;
    lock_acquire(&tracer->commands_lock);
    bool submitted = submit(tracer, command);
    lock_release(&tracer->commands_lock);
    if (!submitted)
        return command->result;
    base_note_post(&tracer->wake);
    while (base_note_wait(&command->done, LOOK_UP_NS) < 0)
        if (has_died(tracer))
            return -EOWNERDEAD;
    if (command->kind == TRACE_REQUEST_QUIT) {
        pthread_join(tracer->thread, NULL);
        tracer->thread_running = false;
    }
    return command->result;
}

int trace_drainer_request(weft_tracer *tracer, trace_request kind, trace_subscriber *subscriber)
{
    struct trace_command command = {.kind = kind, .subscriber = subscriber};
    return perform(tracer, &command);
}

int trace_drainer_snapshot(weft_tracer *tracer, trace_subscriber *recorder,
                           trace_snapshot *snapshot)
{
    struct trace_command command = {
        .kind = TRACE_REQUEST_SNAPSHOT, .subscriber = recorder, .snapshot = snapshot};
    return perform(tracer, &command);
}

int trace_drainer_advance(weft_tracer *tracer)
{
    struct trace_command command = {.kind = TRACE_REQUEST_ADVANCE};
    int rc = perform(tracer, &command);
    if (command.sealed) {
        trace_sealed_wait(command.sealed);
        trace_sealed_unref(command.sealed);
    }
    return rc;
}

void trace_drainer_forget(weft_tracer *tracer)
{
    lock_init(&tracer->commands_lock, BASE_RANK_COMMANDS);
    tracer->commands = NULL;
    tracer->commands_end = &tracer->commands;
    tracer->thread_running = false;
    tracer->drainer_died = 0;
    tracer->wake = (base_note){0};
    tracer->asked = 0;
}

/* ---- The drainer ---- */

static struct trace_command *command_take(weft_tracer *tracer)
{
    lock_acquire(&tracer->commands_lock);
    struct trace_command *command = tracer->commands;
    if (command) {
        tracer->commands = command->next;
        if (!tracer->commands)
            tracer->commands_end = &tracer->commands;
        command->next = NULL;
    }
    lock_release(&tracer->commands_lock);
    return command;
}

static bool is_advance(const struct trace_command *command)
{
    return command->kind == TRACE_REQUEST_ADVANCE || command->kind == TRACE_REQUEST_SNAPSHOT;
}

/* The advances right behind this one, which one advance satisfies as well. */
static void command_take_advances(weft_tracer *tracer, struct trace_command *command)
{
    lock_acquire(&tracer->commands_lock);
    while (tracer->commands && is_advance(tracer->commands)) {
        command->next = tracer->commands;
        command = command->next;
        tracer->commands = command->next;
    }
    if (!tracer->commands)
        tracer->commands_end = &tracer->commands;
    command->next = NULL;
    lock_release(&tracer->commands_lock);
}

/* The requester's frame is gone as soon as its note is posted. */
static void command_done(struct trace_command *command, int result)
{
    command->result = result;
    base_note_post(&command->done);
}

static bool tracing(const weft_tracer *tracer)
{
    return tracer->subscribers != NULL;
}

static void schedule_tick(weft_tracer *tracer)
{
    uint64_t now = base_clock_monotonic();
    bool never = !tracing(tracer) || tracer->period_ns > UINT64_MAX - now;
    tracer->next_tick = never ? UINT64_MAX : now + tracer->period_ns;
}

static size_t at_most(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* All subscribers share the shortest period, the smallest size at which a generation is ended, the
 * most memory for what is written and the highest rate of samples; for what they hold each has
 * its own. */
static void combine_options(weft_tracer *tracer)
{
    size_t large = SIZE_MAX, working = 0, hold = 0;
    unsigned cpu_hz = 0;
    tracer->period_ns = UINT64_MAX;
    for (const trace_subscriber *sub = tracer->subscribers; sub; sub = sub->next) {
        if (sub->period_ns < tracer->period_ns)
            tracer->period_ns = sub->period_ns;
        if (sub->working > working)
            working = sub->working;
        if (sub->cpu_hz > cpu_hz)
            cpu_hz = sub->cpu_hz;
        large = at_most(large, sub->large);
        hold += at_most(sub->hold, SIZE_MAX / 2 - hold);
    }
    atomic_store_relaxed(&tracer->large, large);
    atomic_store_relaxed(&tracer->working, working);
    trace_arena_limit(&tracer->arena, hold + at_most(working, SIZE_MAX / 2));
    (void)trace_cpu_set_rate(tracer, cpu_hz); /* without a handler there are no samples */
}

static void link_subscriber(weft_tracer *tracer, trace_subscriber *subscriber)
{
    trace_subscriber **place = &tracer->subscribers;
    while (*place)
        place = &(*place)->next;
    subscriber->next = NULL;
    *place = subscriber;
    combine_options(tracer);
}

static void unlink_subscriber(weft_tracer *tracer, trace_subscriber *subscriber)
{
    trace_subscriber **place = &tracer->subscribers;
    while (*place != subscriber)
        place = &(*place)->next;
    *place = subscriber->next;
    combine_options(tracer);
}

static bool has_subscriber(const weft_tracer *tracer, const trace_subscriber *subscriber)
{
    const trace_subscriber *at = tracer->subscribers;
    while (at && at != subscriber)
        at = at->next;
    return at != NULL;
}

/* Returns the generation that has ended, with a reference, or NULL if it was lost. */
static trace_sealed *advance(weft_tracer *tracer)
{
    atomic_store_relaxed(&tracer->asked, 0);
    trace_sealed *sealed = trace_advance(tracer, false);
    schedule_tick(tracer);
    return sealed;
}

/* This thread's own M, at the first start. What was refused then may be had at the next. */
static int enroll(weft_tracer *tracer)
{
    if (!tracer->m)
        tracer->m = tracer->host.thread_start(tracer->host.context);
    if (!tracer->m)
        return -ENOMEM;
    int rc = tracer->enrolled ? 0 : weft_trace_m_register(tracer, tracer->m);
    tracer->enrolled = rc == 0;
    return rc;
}

/* Tracing begins with it. */
static int start_first(weft_tracer *tracer, trace_subscriber *subscriber)
{
    int rc = enroll(tracer);
    if (rc < 0)
        return rc;
    if (!tracer->symbols)
        tracer->symbols = trace_symbols_new(); /* without it names are addresses */
    tracer->format = subscriber->format;
    link_subscriber(tracer, subscriber);
    rc = trace_begin(tracer);
    if (rc < 0) {
        unlink_subscriber(tracer, subscriber);
        trace_cpu_release(tracer);
        return rc;
    }
    schedule_tick(tracer);
    return 0;
}

static int start(weft_tracer *tracer, trace_subscriber *subscriber)
{
    if (has_subscriber(tracer, subscriber))
        return -EALREADY;
    if (tracing(tracer) && subscriber->format != tracer->format)
        return -EBUSY;
    int rc = subscriber->cpu_hz ? trace_cpu_prepare(tracer, 2 * subscriber->working) : 0;
    if (rc == 0)
        rc = subscriber->kind->join(subscriber);
    if (rc < 0)
        return rc;
    if (!tracing(tracer)) {
        rc = start_first(tracer, subscriber);
        if (rc < 0)
            subscriber->kind->leave(subscriber);
        return rc;
    }
    trace_sealed_unref(advance(tracer));
    link_subscriber(tracer, subscriber);
    schedule_tick(tracer);
    return 0;
}

/* One that has not joined, or of before a fork, changes nothing. */
static void stop(weft_tracer *tracer, trace_subscriber *subscriber)
{
    if (!has_subscriber(tracer, subscriber))
        return;
    bool last = tracer->subscribers == subscriber && !subscriber->next;
    trace_sealed_unref(last ? trace_advance(tracer, true) : advance(tracer));
    unlink_subscriber(tracer, subscriber);
    if (last)
        trace_cpu_release(tracer);
    subscriber->kind->leave(subscriber);
    schedule_tick(tracer);
}

static void stop_all(weft_tracer *tracer)
{
    while (tracer->subscribers) {
        trace_subscriber *subscriber = tracer->subscribers;
        weft_trace_stream *stream = trace_stream_of(subscriber);
        if (stream) {
            lock_acquire(&tracer->commands_lock);
            stream->next_orphan = tracer->orphans;
            tracer->orphans = stream;
            lock_release(&tracer->commands_lock);
        }
        stop(tracer, subscriber);
    }
}

/* A run of advances and snapshots. */
static void execute_advances(weft_tracer *tracer, struct trace_command *command)
{
    command_take_advances(tracer, command);
    trace_sealed *sealed = tracing(tracer) ? advance(tracer) : NULL;
    while (command) {
        struct trace_command *next = command->next;
        int rc = 0;
        if (command->kind == TRACE_REQUEST_ADVANCE)
            command->sealed = sealed ? trace_sealed_ref(sealed) : NULL;
        else if (has_subscriber(tracer, command->subscriber))
            rc = trace_recorder_take(command->subscriber, command->snapshot);
        else
            rc = -EINVAL;
        command_done(command, rc);
        command = next;
    }
    trace_sealed_unref(sealed);
}

static void execute(weft_tracer *tracer, struct trace_command *command)
{
    int rc = 0;
    switch (command->kind) {
    case TRACE_REQUEST_START:
        rc = start(tracer, command->subscriber);
        break;
    case TRACE_REQUEST_STOP:
        stop(tracer, command->subscriber);
        break;
    case TRACE_REQUEST_ADVANCE:
    case TRACE_REQUEST_SNAPSHOT:
        execute_advances(tracer, command);
        return;
    case TRACE_REQUEST_STOP_ALL:
        stop_all(tracer);
        break;
    case TRACE_REQUEST_QUIT: /* the thread's own end: work_until_quit() */
        break;
    }
    command_done(command, rc);
}

static void wait_for_work(weft_tracer *tracer)
{
    int64_t timeout = -1;
    if (tracer->next_tick != UINT64_MAX) {
        uint64_t now = base_clock_monotonic();
        uint64_t left = tracer->next_tick > now ? tracer->next_tick - now : 0;
        timeout = left < INT64_MAX ? (int64_t)left : INT64_MAX;
    }
    (void)base_note_wait(&tracer->wake, timeout);
}

/* One that was given up is ended soon, but not at once: were there no memory for the next one
 * either, one would follow the other without a pause. */
static void hasten_tick(weft_tracer *tracer)
{
    uint64_t soon = base_clock_monotonic() + LOST_PATIENCE_NS;
    if (tracer->next_tick > soon)
        tracer->next_tick = soon;
}

/* The generation has grown large. A request that was made while the one before was still being
 * collected, and both were counted, is stale once that is sealed: ending the new one for it would
 * make it needlessly small. */
static bool must_end_early(weft_tracer *tracer)
{
    if (!atomic_load_relaxed(&tracer->asked))
        return false;
    if (trace_generation_is_large(tracer))
        return true;
    (void)atomic_swap_seqcst(&tracer->asked, 0); /* pairs with trace_drainer_ask() */
    if (atomic_load_relaxed(&trace_slot_of(tracer, tracer->generation)->lost))
        hasten_tick(tracer);
    /* Who crossed the mark before that store has not asked again; later ones will. */
    return trace_generation_is_large(tracer);
}

static struct trace_command *work_until_quit(weft_tracer *tracer)
{
    for (;;) {
        struct trace_command *command = command_take(tracer);
        if (command && command->kind == TRACE_REQUEST_QUIT) {
            stop_all(tracer);
            return command;
        }
        if (command) {
            execute(tracer, command); /* and it is gone */
        } else if (tracing(tracer) &&
                   (must_end_early(tracer) || base_clock_monotonic() >= tracer->next_tick)) {
            trace_sealed_unref(advance(tracer));
        } else if (!trace_cpu_make_room(tracer)) {
            if (!tracing(tracer))
                trace_arena_trim(&tracer->arena); /* references may go after the last stop */
            wait_for_work(tracer);
        }
    }
}

static void *drainer_main(void *arg)
{
    weft_tracer *tracer = arg;
    trace_drainer_serve(tracer);
    base_locks_take_any();
    tracer->next_tick = UINT64_MAX;
    struct trace_command *quit_command = work_until_quit(tracer);
    if (tracer->enrolled)
        weft_trace_m_unregister(tracer, tracer->m);
    if (tracer->m)
        tracer->host.thread_stop(tracer->host.context);
    trace_census_free(tracer);
    command_done(quit_command, 0);
    return NULL;
}
