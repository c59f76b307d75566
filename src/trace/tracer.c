/* SPDX-License-Identifier: MIT */
#include "trace/tracer.h"

#include "base/clock.h"
#include "base/fence.h"
#include "base/pages.h"
#include "trace/advance.h"
#include "trace/census.h"
#include "trace/cpu_profile.h"
#include "trace/drainer.h"
#include "trace/enroll.h"
#include "trace/streams.h"
#include "trace/symbols.h"
#include "trace/tables.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define FLIGHT_BYTES ((size_t)256 << 20)

_Static_assert(offsetof(struct weft_tracer, hint) == 0, "weft_trace_enter reads the first word");

static void slots_init(weft_tracer *tracer)
{
    for (unsigned i = 0; i < 2; i++) {
        trace_slot *slot = &tracer->slot[i];
        slot->lost = false;
        slot->lost_bytes = 0;
        slot->lost_ticks = 0;
        slot->full_chunks = 0;
        trace_queue_init(&slot->full);
        trace_queue_init(&slot->opening);
        trace_map_init(&slot->stacks, &tracer->arena, WIRE_FLIGHT_STACKS, 0);
        trace_map_init(&slot->strings, &tracer->arena, WIRE_FLIGHT_STRINGS, TRACE_STRING_FREE - 1);
        trace_map_init(&slot->types, &tracer->arena, WIRE_FLIGHT_TYPES, 0);
    }
}

static bool heap_is_sound(const weft_trace_heap *heap)
{
    return !heap || (heap->page_size && heap->object_align && heap->stack_min);
}

/* Everything is there that is not optional. */
static bool host_is_whole(const weft_trace_host *host)
{
    return host->size >= sizeof *host && host->thread_start && host->thread_stop && host->attach &&
           host->detach && host->world_hold && host->world_release && host->world_stop &&
           host->world_start && host->proc_count && host->each_p && host->each_dead_p &&
           host->each_g;
}

int weft_tracer_new(const weft_trace_host *host, weft_tracer **result)
{
    if (!host || !result || !host_is_whole(host) || !heap_is_sound(host->heap))
        return -EINVAL;
    base_fence_init();
    base_clock_init();
    weft_tracer *tracer = base_pages_alloc(sizeof *tracer);
    if (!tracer)
        return -ENOMEM;
    base_pages_root(tracer, sizeof *tracer);
    tracer->host = *host;
    if (host->heap)
        tracer->heap = *host->heap;
    tracer->refs = 1;
    lock_init(&tracer->lock, BASE_RANK_TRACE);
    lock_init(&tracer->ms_lock, BASE_RANK_TRACE_MS);
    trace_arena_init(&tracer->arena);
    slots_init(tracer);
    trace_drainer_forget(tracer);
    *result = tracer;
    return 0;
}

int weft_tracer_flight(weft_tracer *tracer, const char *path, size_t bytes)
{
    trace_flight *flight;
    if (!tracer || !path)
        return -EINVAL;
    lock_acquire(&tracer->commands_lock);
    int rc = tracer->thread_running || tracer->arena.flight ? -EBUSY : 0;
    if (rc == 0)
        rc = trace_flight_open(&flight, path, bytes ? bytes : FLIGHT_BYTES);
    if (rc == 0)
        trace_arena_use_flight(&tracer->arena, flight);
    lock_release(&tracer->commands_lock);
    return rc;
}

/* ---- Orphans: streams that were ended without their owners ---- */

static void unref_stream(weft_tracer *tracer, weft_trace_stream *stream)
{
    lock_acquire(&tracer->commands_lock);
    bool last = --stream->refs == 0;
    lock_release(&tracer->commands_lock);
    if (last)
        trace_stream_free(stream);
}

/* One whose writer may still be at work, with a reference. */
static weft_trace_stream *unfinished_orphan(weft_tracer *tracer)
{
    lock_acquire(&tracer->commands_lock);
    weft_trace_stream *at = tracer->orphans;
    while (at && atomic_load_acquire(&at->finished)) /* pairs with trace_stream_finish() */
        at = at->next_orphan;
    if (at)
        at->refs++;
    lock_release(&tracer->commands_lock);
    return at;
}

static void finish_orphans(weft_tracer *tracer)
{
    for (weft_trace_stream *stream; (stream = unfinished_orphan(tracer));) {
        trace_stream_finish(stream);
        unref_stream(tracer, stream);
    }
}

/* Its owner is here after all. */
static void adopt(weft_tracer *tracer, const weft_trace_stream *stream)
{
    lock_acquire(&tracer->commands_lock);
    weft_trace_stream **place = &tracer->orphans;
    while (*place && *place != stream)
        place = &(*place)->next_orphan;
    if (*place)
        *place = stream->next_orphan;
    lock_release(&tracer->commands_lock);
}

static void free_orphans(weft_tracer *tracer)
{
    finish_orphans(tracer);
    while (tracer->orphans) {
        weft_trace_stream *stream = tracer->orphans;
        tracer->orphans = stream->next_orphan;
        unref_stream(tracer, stream);
    }
}

/* ---- The end ---- */

void trace_deliver_empty(trace_subscriber *subscriber)
{
    trace_sealed *sealed = trace_empty_generation(subscriber->tracer);
    if (sealed)
        subscriber->kind->deliver(subscriber, sealed);
}

/* The drainer has crashed: what it handed over is written; its generation, and the one that is
 * open, are left out. Nobody changes the subscribers any more. */
static void finish_without_drainer(weft_tracer *tracer)
{
    for (trace_subscriber *sub = tracer->subscribers; sub; sub = sub->next) {
        weft_trace_stream *stream = trace_stream_of(sub);
        if (!stream)
            continue;
        if (!trace_stream_has_any(stream))
            trace_deliver_empty(sub);
        sub->kind->leave(sub);
        trace_stream_finish(stream);
    }
}

void weft_tracer_stop_all(weft_tracer *tracer)
{
    if (trace_drainer_request(tracer, TRACE_REQUEST_STOP_ALL, NULL) == -EOWNERDEAD)
        finish_without_drainer(tracer);
    finish_orphans(tracer);
}

void trace_tracer_unref(weft_tracer *tracer)
{
    if (atomic_sub_acqrel(&tracer->refs, 1) > 1) /* pairs with itself */
        return;
    trace_arena_free(&tracer->arena);
    trace_census_free_stamps(tracer);
    base_pages_unroot(tracer, sizeof *tracer);
    base_pages_free(tracer, sizeof *tracer);
}

void weft_tracer_dying(weft_tracer *tracer)
{
    atomic_store_release(&tracer->dying, 1); /* pairs with trace_advance() */
}

void weft_tracer_crashed(weft_tracer *tracer)
{
    base_locks_abandon(true);
    tracer->arena.leaks = true;
    trace_drainer_dying(tracer);
    trace_stream_dying();
}

void weft_tracer_free(weft_tracer *tracer)
{
    if (!tracer)
        return;
    trace_drainer_request(tracer, TRACE_REQUEST_QUIT, NULL);
    free_orphans(tracer);
    if (tracer->symbols)
        trace_symbols_free(tracer->symbols);
    trace_tracer_unref(tracer);
}

static void forget_subscribers(weft_tracer *tracer)
{
    for (trace_subscriber *sub = tracer->subscribers; sub; sub = sub->next)
        sub->kind->forget(sub);
    tracer->subscribers = NULL;
    for (weft_trace_stream *stream = tracer->orphans; stream; stream = stream->next_orphan)
        stream->sub.kind->forget(&stream->sub);
}

/*
 * The thread of the parent that drained may have been anywhere, and any other may have held a lock:
 * what they changed cannot be trusted, so it is forgotten, not freed. The generation that was open
 * never ends here; the next trace goes on behind it, with marks wiped.
 */
void weft_tracer_after_fork(weft_tracer *tracer)
{
    uint64_t open = tracer->generation;
    if (open)
        tracer->last_generation = open;
    trace_set_enabled(tracer, 0);
    atomic_store_relaxed(&tracer->generation, 0);
    trace_ms_forget(tracer);
    lock_init(&tracer->lock, BASE_RANK_TRACE);
    trace_arena_forget(&tracer->arena);
    slots_init(tracer);
    trace_drainer_forget(tracer);
    trace_cpu_forget();
    trace_cpu_profile_forget();
    tracer->cpu = (trace_cpu){0};
    tracer->m = NULL;
    tracer->enrolled = false;
    forget_subscribers(tracer);
    tracer->sealed_bytes = 0;
    tracer->symbols = NULL;
    tracer->notes = NULL;
    tracer->notes_count = tracer->notes_room = 0;
    tracer->wipe_marks = true;
}

/* ---- Streams ---- */

static int start_stream(weft_tracer *tracer, const weft_trace_options *options, const char *path,
                        trace_sink *sink, weft_trace_stream **stream)
{
    weft_trace_stream *made;
    int rc = trace_stream_new(tracer, options, path, sink, &made);
    if (rc < 0) {
        trace_sink_close(sink);
        return rc;
    }
    rc = trace_drainer_request(tracer, TRACE_REQUEST_START, &made->sub);
    if (rc < 0) {
        trace_stream_finish(made);
        trace_stream_free(made);
    } else {
        trace_stream_serve(made);
        *stream = made;
    }
    return rc;
}

int weft_trace_start_path(weft_tracer *tracer, const char *path, const weft_trace_options *options,
                          weft_trace_stream **stream)
{
    trace_sink sink;
    if (!tracer || !path || !stream)
        return -EINVAL;
    int rc = trace_sink_open(&sink, path);
    return rc < 0 ? rc : start_stream(tracer, options, path, &sink, stream);
}

int weft_trace_start_fd(weft_tracer *tracer, int fd, const weft_trace_options *options,
                        weft_trace_stream **stream)
{
    trace_sink sink = trace_sink_of_fd(fd);
    if (!tracer || !stream)
        return -EINVAL;
    return fd < 0 ? -EBADF : start_stream(tracer, options, NULL, &sink, stream);
}

int weft_trace_start_callback(weft_tracer *tracer, weft_trace_write_fn write, void *context,
                              const weft_trace_options *options, weft_trace_stream **stream)
{
    trace_sink sink = trace_sink_of_callback(write, context);
    if (!tracer || !write || !stream)
        return -EINVAL;
    return start_stream(tracer, options, NULL, &sink, stream);
}

int weft_trace_advance(weft_tracer *tracer)
{
    return tracer ? trace_drainer_advance(tracer) : -EINVAL;
}

int weft_trace_stream_status(weft_trace_stream *stream, weft_trace_result *result)
{
    weft_trace_result now;
    if (!stream || !result || result->size < sizeof result->size)
        return -EINVAL;
    trace_stream_result(stream, &now);
    now.size = result->size;
    memcpy(result, &now, now.size < sizeof now ? now.size : sizeof now);
    return 0;
}

int weft_trace_stop(weft_trace_stream *stream, weft_trace_result *result)
{
    if (!stream)
        return -EINVAL;
    weft_tracer *tracer = stream->sub.tracer;
    int rc = trace_drainer_request(tracer, TRACE_REQUEST_STOP, &stream->sub);
    if (rc < 0)
        return rc;
    trace_stream_finish(stream);
    adopt(tracer, stream);
    if (result)
        (void)weft_trace_stream_status(stream, result);
    rc = stream->result.error;
    unref_stream(tracer, stream);
    return rc;
}

int weft_trace_enabled(const weft_tracer *tracer)
{
    return weft_trace_generation(tracer) != 0;
}

uint64_t weft_trace_generation(const weft_tracer *tracer)
{
    return tracer ? atomic_load_relaxed(&tracer->generation) : 0;
}
