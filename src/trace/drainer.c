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
 * Advances that were requested before one begins are all satisfied by it: everything emitted before
 * the requests lies in the generation that it ends. Only a run of them at the head of the queue is
 * taken together; requests keep their order.
 */
#include "trace/drainer.h"

#include "base/clock.h"
#include "base/thread.h"
#include "base/torture.h"
#include "trace/advance.h"
#include "trace/census.h"
#include "trace/streams.h"
#include "trace/symbols.h"
#include "trace/tracer.h"

#include <errno.h>

struct trace_command {
    struct trace_command *next;
    trace_request kind;
    weft_trace_stream *stream;
    int result;
    base_note done;
};

/* ---- Any thread ---- */

void trace_drainer_ask(weft_tracer *tracer)
{
    if (atomic_load_relaxed(&tracer->asked) == 0 && atomic_swap_acqrel(&tracer->asked, 1) == 0)
        base_note_post(&tracer->wake);
}

static void *drainer_main(void *arg);

/* commands_lock held */
static int submit(weft_tracer *tracer, struct trace_command *command)
{
    if (!tracer->thread_running) {
        if (command->kind != TRACE_REQUEST_START)
            return 1;
        int rc = base_thread_start(&tracer->thread, "weft-trace", drainer_main, tracer);
        if (rc < 0)
            return rc;
        tracer->thread_running = true;
    } else if (pthread_equal(pthread_self(), tracer->thread)) {
        return -EDEADLK;
    }
    *tracer->commands_end = command;
    tracer->commands_end = &command->next;
    return 0;
}

int trace_drainer_request(weft_tracer *tracer, trace_request kind, weft_trace_stream *stream)
{
    struct trace_command command = {.kind = kind, .stream = stream};
    lock_acquire(&tracer->commands_lock);
    int rc = submit(tracer, &command);
    lock_release(&tracer->commands_lock);
    if (rc)
        return rc < 0 ? rc : 0;
    base_note_post(&tracer->wake);
    base_note_wait(&command.done, -1);
    if (kind == TRACE_REQUEST_QUIT) {
        pthread_join(tracer->thread, NULL);
        tracer->thread_running = false;
    }
    return command.result;
}

void trace_drainer_forget(weft_tracer *tracer)
{
    lock_init(&tracer->commands_lock, BASE_RANK_COMMANDS);
    tracer->commands = NULL;
    tracer->commands_end = &tracer->commands;
    tracer->thread_running = false;
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

/* The advances right behind this one, which one advance satisfies as well. */
static void command_take_advances(weft_tracer *tracer, struct trace_command *command)
{
    lock_acquire(&tracer->commands_lock);
    while (tracer->commands && tracer->commands->kind == TRACE_REQUEST_ADVANCE) {
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
    while (command) {
        struct trace_command *next = command->next;
        command->result = result;
        base_note_post(&command->done);
        command = next;
    }
}

static bool tracing(const weft_tracer *tracer)
{
    return tracer->streams != NULL;
}

static void schedule_tick(weft_tracer *tracer)
{
    uint64_t now = base_clock_monotonic();
    bool never = !tracing(tracer) || tracer->period_ns > UINT64_MAX - now;
    tracer->next_tick = never ? UINT64_MAX : now + tracer->period_ns;
}

/* All streams share the shortest period, the largest budget and the highest rate of samples that
 * one of them asked for. */
static void combine_options(weft_tracer *tracer)
{
    uint64_t period = UINT64_MAX;
    size_t budget = 0;
    unsigned cpu_hz = 0;
    for (const weft_trace_stream *stream = tracer->streams; stream; stream = stream->next) {
        if (stream->options.generation_ns < period)
            period = stream->options.generation_ns;
        if (stream->options.memory_budget > budget)
            budget = stream->options.memory_budget;
        if (stream->options.cpu_hz > cpu_hz)
            cpu_hz = stream->options.cpu_hz;
    }
    tracer->period_ns = period;
    trace_arena_limit(&tracer->arena, budget);
    (void)trace_cpu_set_rate(tracer, cpu_hz); /* without a handler there are no samples */
}

static void link_stream(weft_tracer *tracer, weft_trace_stream *stream)
{
    weft_trace_stream **place = &tracer->streams;
    while (*place)
        place = &(*place)->next;
    *place = stream;
    combine_options(tracer);
}

static void unlink_stream(weft_tracer *tracer, weft_trace_stream *stream)
{
    weft_trace_stream **place = &tracer->streams;
    while (*place != stream)
        place = &(*place)->next;
    *place = stream->next;
    combine_options(tracer);
}

static bool has_stream(const weft_tracer *tracer, const weft_trace_stream *stream)
{
    const weft_trace_stream *at = tracer->streams;
    while (at && at != stream)
        at = at->next;
    return at != NULL;
}

static void advance(weft_tracer *tracer)
{
    atomic_store_relaxed(&tracer->asked, 0);
    trace_advance(tracer, false);
    schedule_tick(tracer);
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

static int start(weft_tracer *tracer, weft_trace_stream *stream)
{
    int rc = stream->options.cpu_hz ? trace_cpu_prepare(tracer, stream->options.memory_budget) : 0;
    if (rc < 0)
        return rc;
    if (tracing(tracer)) {
        if (stream->options.format != tracer->format)
            return -EBUSY;
        advance(tracer);
        link_stream(tracer, stream);
        trace_stream_open(stream);
        return 0;
    }
    rc = enroll(tracer);
    if (rc < 0)
        return rc;
    if (!tracer->symbols)
        tracer->symbols = trace_symbols_new(); /* without it names are addresses */
    tracer->format = stream->options.format;
    link_stream(tracer, stream);
    rc = trace_begin(tracer);
    if (rc < 0) {
        unlink_stream(tracer, stream);
        trace_cpu_release(tracer);
        return rc;
    }
    schedule_tick(tracer);
    trace_stream_open(stream);
    return 0;
}

/* A stream that has not joined, or of before a fork, changes nothing. */
static int stop(weft_tracer *tracer, weft_trace_stream *stream)
{
    if (!has_stream(tracer, stream))
        return 0;
    bool last = tracer->streams == stream && !stream->next;
    if (last) {
        trace_advance(tracer, true);
        trace_arena_fini(&tracer->arena);
    } else if (!stream->ended) {
        advance(tracer);
    }
    unlink_stream(tracer, stream);
    if (last)
        trace_cpu_release(tracer);
    schedule_tick(tracer);
    return stream->result.error;
}

static void stop_all(weft_tracer *tracer)
{
    while (tracer->streams) {
        weft_trace_stream *stream = tracer->streams;
        (void)stop(tracer, stream);
        trace_stream_free(stream);
    }
}

static void execute(weft_tracer *tracer, struct trace_command *command)
{
    int rc = 0;
    switch (command->kind) {
    case TRACE_REQUEST_START:
        rc = start(tracer, command->stream);
        break;
    case TRACE_REQUEST_STOP:
        rc = stop(tracer, command->stream);
        break;
    case TRACE_REQUEST_ADVANCE:
        command_take_advances(tracer, command);
        if (tracing(tracer))
            advance(tracer);
        break;
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

/* The generation has grown large. A request that was made while the one before was still being
 * delivered, and both were counted, is stale once that has been freed: ending the new one for it
 * would make it needlessly small. */
static bool must_end_early(weft_tracer *tracer)
{
    if (!atomic_load_relaxed(&tracer->asked))
        return false;
    if (trace_arena_is_half_full(&tracer->arena))
        return true;
    atomic_store_relaxed(&tracer->asked, 0);
    /* Who crossed the mark before that store has not asked again; later ones will. */
    return trace_arena_is_half_full(&tracer->arena);
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
            advance(tracer);
        } else if (!trace_cpu_make_room(tracer)) {
            wait_for_work(tracer);
        }
    }
}

static void *drainer_main(void *arg)
{
    weft_tracer *tracer = arg;
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
