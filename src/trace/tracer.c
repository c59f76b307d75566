/* SPDX-License-Identifier: MIT */
#include "trace/tracer.h"

#include "base/clock.h"
#include "base/fence.h"
#include "base/pages.h"
#include "trace/cpu_profile.h"
#include "trace/drainer.h"
#include "trace/enroll.h"
#include "trace/streams.h"
#include "trace/symbols.h"
#include "trace/tables.h"

#include <errno.h>
#include <fcntl.h>
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

int weft_tracer_new(const weft_trace_host *host, weft_tracer **result)
{
    if (!host || !result || host->size < sizeof *host || !heap_is_sound(host->heap))
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
    lock_acquire(&tracer->commands_lock);
    int rc = tracer->thread_running || tracer->arena.flight ? -EBUSY : 0;
    if (rc == 0)
        rc = trace_flight_open(&flight, path, bytes ? bytes : FLIGHT_BYTES);
    if (rc == 0)
        trace_arena_use_flight(&tracer->arena, flight);
    lock_release(&tracer->commands_lock);
    return rc;
}

void weft_tracer_stop_all(weft_tracer *tracer)
{
    trace_drainer_request(tracer, TRACE_REQUEST_STOP_ALL, NULL);
}

void weft_tracer_free(weft_tracer *tracer)
{
    if (!tracer)
        return;
    trace_drainer_request(tracer, TRACE_REQUEST_QUIT, NULL);
    trace_arena_free(&tracer->arena);
    if (tracer->symbols)
        trace_symbols_free(tracer->symbols);
    base_pages_unroot(tracer, sizeof *tracer);
    base_pages_free(tracer, sizeof *tracer);
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
    tracer->streams = NULL;
    tracer->symbols = NULL;
    tracer->notes = NULL;
    tracer->notes_count = tracer->notes_room = 0;
    tracer->wipe_marks = true;
}

/* ---- Streams ---- */

static int start_stream(weft_trace_stream *made, weft_trace_stream **stream)
{
    int rc = trace_drainer_request(made->tracer, TRACE_REQUEST_START, made);
    if (rc < 0)
        trace_stream_free(made);
    else
        *stream = made;
    return rc;
}

int weft_trace_start_path(weft_tracer *tracer, const char *path, const weft_trace_options *options,
                          weft_trace_stream **stream)
{
    weft_trace_stream *made;
    int rc = trace_stream_new(tracer, options, &made);
    if (rc < 0)
        return rc;
    made->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (made->fd < 0) {
        rc = -errno;
        trace_stream_free(made);
        return rc;
    }
    made->owns_fd = true;
    return start_stream(made, stream);
}

int weft_trace_start_fd(weft_tracer *tracer, int fd, const weft_trace_options *options,
                        weft_trace_stream **stream)
{
    weft_trace_stream *made;
    if (fd < 0)
        return -EBADF;
    int rc = trace_stream_new(tracer, options, &made);
    if (rc < 0)
        return rc;
    made->fd = fd;
    return start_stream(made, stream);
}

int weft_trace_start_callback(weft_tracer *tracer, weft_trace_write_fn write, void *context,
                              const weft_trace_options *options, weft_trace_stream **stream)
{
    weft_trace_stream *made;
    if (!write)
        return -EINVAL;
    int rc = trace_stream_new(tracer, options, &made);
    if (rc < 0)
        return rc;
    made->write = write;
    made->context = context;
    return start_stream(made, stream);
}

int weft_trace_advance(weft_tracer *tracer)
{
    return trace_drainer_request(tracer, TRACE_REQUEST_ADVANCE, NULL);
}

int weft_trace_stop(weft_trace_stream *stream, weft_trace_result *result)
{
    int rc = trace_drainer_request(stream->tracer, TRACE_REQUEST_STOP, stream);
    if (rc == -EDEADLK)
        return rc;
    if (result) {
        size_t size = result->size < sizeof *result ? result->size : sizeof *result;
        memcpy(result, &stream->result, size);
        result->size = size;
    }
    trace_stream_free(stream);
    return rc;
}

int weft_trace_enabled(const weft_tracer *tracer)
{
    return atomic_load_relaxed(&tracer->generation) != 0;
}

uint64_t weft_trace_generation(const weft_tracer *tracer)
{
    return atomic_load_relaxed(&tracer->generation);
}
