/* SPDX-License-Identifier: MIT */
/*
 * Design. The window is a list of references to ended generations, which the drainer extends and
 * shortens. A snapshot takes references to all of them at a boundary of generations, on the
 * drainer, and is written by its caller without any lock: whatever becomes of the receiver, the
 * drainer goes on and the window moves on.
 *
 * Memory. What a snapshot pins is not free when the window drops it, so it is charged to the
 * recorder until the snapshot is through with it, and leaves the window so much less room. When the
 * window is down to its newest generation and even that is too much, further snapshots are refused:
 * each would pin one more.
 *
 * Rejected. Copies in a ring, as Go's recorder has them: twice the memory, and the copy is made
 * whether or not anyone looks. Waiting for a running snapshot when the recorder stops: its receiver
 * may hang.
 */
#include "trace/recorder.h"

#include "base/clock.h"
#include "base/torture.h"
#include "trace/drainer.h"
#include "trace/tracer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_WINDOW_NS    UINT64_C(10000000000)
#define DEFAULT_WINDOW_BYTES ((size_t)10 << 20)
#define DEFAULT_BUDGET       ((size_t)64 << 20)

static weft_trace_recorder *recorder_of(trace_subscriber *subscriber)
{
    return (weft_trace_recorder *)(void *)subscriber;
}

/* ---- The window, on the drainer ---- */

void trace_recorder_release(weft_trace_recorder *recorder, trace_held *held)
{
    lock_acquire(&recorder->lock);
    bool last = --held->users == 0;
    if (last)
        recorder->memory -= held->sealed->memory;
    lock_release(&recorder->lock);
    if (!last)
        return;
    trace_sealed_unref(held->sealed);
    free(held);
}

static void drop_oldest(weft_trace_recorder *recorder)
{
    lock_acquire(&recorder->lock);
    trace_held *held = recorder->oldest;
    recorder->oldest = held->newer;
    if (!recorder->oldest)
        recorder->newest = NULL;
    recorder->generations--;
    recorder->bytes -= held->sealed->bytes;
    recorder->in_window -= held->sealed->memory;
    lock_release(&recorder->lock);
    trace_recorder_release(recorder, held);
}

static void drop_all(weft_trace_recorder *recorder)
{
    while (recorder->oldest)
        drop_oldest(recorder);
}

static void append(weft_trace_recorder *recorder, trace_held *held, trace_sealed *sealed)
{
    *held = (trace_held){.sealed = trace_sealed_ref(sealed), .users = 1};
    lock_acquire(&recorder->lock);
    if (recorder->newest)
        recorder->newest->newer = held;
    else
        recorder->oldest = held;
    recorder->newest = held;
    recorder->generations++;
    recorder->bytes += sealed->bytes;
    recorder->in_window += sealed->memory;
    recorder->memory += sealed->memory;
    recorder->lost_since = recorder->lost_since_bytes = 0;
    lock_release(&recorder->lock);
}

static uint64_t memory_held(weft_trace_recorder *recorder)
{
    lock_acquire(&recorder->lock);
    uint64_t memory = recorder->memory;
    lock_release(&recorder->lock);
    return memory;
}

/* Without the oldest the window would still reach back far enough, or it has to shrink. */
static bool oldest_is_too_much(weft_trace_recorder *recorder)
{
    uint64_t second = recorder->oldest->newer->sealed->began, now = base_clock_now();
    return (now > second && now - second >= recorder->window_ns) ||
           memory_held(recorder) > recorder->window_bytes;
}

static void lose(trace_subscriber *subscriber, uint64_t bytes, uint64_t samples)
{
    weft_trace_recorder *recorder = recorder_of(subscriber);
    (void)samples;
    lock_acquire(&recorder->lock);
    recorder->lost_since++;
    recorder->lost_since_bytes += bytes;
    recorder->lost_generations++;
    recorder->lost_bytes += bytes;
    lock_release(&recorder->lock);
}

static void deliver(trace_subscriber *subscriber, trace_sealed *sealed)
{
    weft_trace_recorder *recorder = recorder_of(subscriber);
    trace_held *held = torture_refuse("trace held generation") ? NULL : malloc(sizeof *held);
    if (!held) {
        lose(subscriber, sealed->bytes, 0);
        return;
    }
    if (recorder->lost_since > 0)
        drop_all(recorder);
    append(recorder, held, sealed);
    while (recorder->oldest != recorder->newest && oldest_is_too_much(recorder))
        drop_oldest(recorder);
}

static bool announce(trace_subscriber *subscriber, char *text)
{
    const weft_trace_recorder *recorder = recorder_of(subscriber);
    if (recorder->lost_since == 0)
        return false;
    trace_loss_print(text, "flight recorder", recorder->lost_since, recorder->lost_since_bytes,
                     WEFT_TRACE_LOSS_MEMORY, 0);
    return true;
}

static int join(trace_subscriber *subscriber)
{
    weft_trace_recorder *recorder = recorder_of(subscriber);
    lock_acquire(&recorder->lock);
    recorder->lost_since = recorder->lost_since_bytes = 0;
    recorder->lost_generations = recorder->lost_bytes = 0;
    lock_release(&recorder->lock);
    atomic_store_relaxed(&recorder->active, 1);
    return 0;
}

static void leave(trace_subscriber *subscriber)
{
    weft_trace_recorder *recorder = recorder_of(subscriber);
    atomic_store_relaxed(&recorder->active, 0);
    drop_all(recorder);
}

static void forget(trace_subscriber *subscriber)
{
    weft_trace_recorder *recorder = recorder_of(subscriber);
    lock_init(&recorder->lock, BASE_RANK_LEAF);
    recorder->oldest = recorder->newest = NULL;
    recorder->generations = recorder->bytes = recorder->in_window = recorder->memory = 0;
    recorder->active = 0;
}

static const trace_subscriber_kind recorder_kind = {.join = join,
                                                    .deliver = deliver,
                                                    .lose = lose,
                                                    .announce = announce,
                                                    .leave = leave,
                                                    .forget = forget};

/* lock held. Running snapshots hold so much that the window has no room. */
static bool is_pinned(const weft_trace_recorder *recorder)
{
    return recorder->memory > recorder->in_window && recorder->memory > recorder->window_bytes;
}

/* lock held */
static void take_locked(weft_trace_recorder *recorder, trace_snapshot *snapshot)
{
    for (trace_held *held = recorder->oldest; held; held = held->newer) {
        held->users++;
        snapshot->held[snapshot->count++] = held;
    }
    snapshot->lost_since = recorder->lost_since;
}

int trace_recorder_take(trace_subscriber *subscriber, trace_snapshot *snapshot)
{
    weft_trace_recorder *recorder = recorder_of(subscriber);
    if (!recorder->oldest)
        return -ENODATA;
    snapshot->held = calloc(recorder->generations, sizeof(trace_held *));
    if (!snapshot->held)
        return -ENOMEM;
    lock_acquire(&recorder->lock);
    bool busy = is_pinned(recorder);
    if (!busy)
        take_locked(recorder, snapshot);
    lock_release(&recorder->lock);
    return busy ? -EBUSY : 0;
}

/* ---- Any thread ---- */

static int read_options(const weft_trace_recorder_options *given,
                        weft_trace_recorder_options *options)
{
    *options = (weft_trace_recorder_options){0};
    if (given) {
        if (given->size < sizeof given->size)
            return -EINVAL;
        memcpy(options, given, given->size < sizeof *options ? given->size : sizeof *options);
    }
    if (!options->window_ns)
        options->window_ns = DEFAULT_WINDOW_NS;
    if (!options->window_bytes)
        options->window_bytes = DEFAULT_WINDOW_BYTES;
    if (!options->memory_budget)
        options->memory_budget = DEFAULT_BUDGET;
    return 0;
}

static int init_subscriber(trace_subscriber *sub, weft_tracer *tracer,
                           const weft_trace_recorder_options *options)
{
    int rc = trace_subscriber_init(sub, &recorder_kind, tracer, options->format,
                                   options->generation_ns, options->memory_budget, options->cpu_hz);
    size_t half = sub->working / 2;
    sub->large = options->window_bytes / 2 < half ? options->window_bytes / 2 : half;
    /* The newest generation is kept, however small the window. */
    sub->hold = options->window_bytes > half ? options->window_bytes : half;
    return rc;
}

int weft_trace_recorder_new(weft_tracer *tracer, const weft_trace_recorder_options *given,
                            weft_trace_recorder **recorder)
{
    weft_trace_recorder_options options;
    if (!tracer || !recorder)
        return -EINVAL;
    int rc = read_options(given, &options);
    if (rc < 0)
        return rc;
    weft_trace_recorder *made = calloc(1, sizeof *made);
    rc = made ? init_subscriber(&made->sub, tracer, &options) : -ENOMEM;
    if (rc < 0) {
        free(made);
        return rc;
    }
    made->window_ns = options.window_ns;
    made->window_bytes = options.window_bytes;
    made->refs = 1;
    lock_init(&made->lock, BASE_RANK_LEAF);
    atomic_add_relaxed(&tracer->refs, 1);
    *recorder = made;
    return 0;
}

void trace_recorder_unref(weft_trace_recorder *recorder)
{
    if (atomic_sub_acqrel(&recorder->refs, 1) > 1) /* pairs with itself */
        return;
    weft_tracer *tracer = recorder->sub.tracer;
    free(recorder);
    trace_tracer_unref(tracer);
}

int weft_trace_recorder_start(weft_trace_recorder *recorder)
{
    if (!recorder)
        return -EINVAL;
    return trace_drainer_request(recorder->sub.tracer, TRACE_REQUEST_START, &recorder->sub);
}

int weft_trace_recorder_stop(weft_trace_recorder *recorder)
{
    if (!recorder)
        return -EINVAL;
    return trace_drainer_request(recorder->sub.tracer, TRACE_REQUEST_STOP, &recorder->sub);
}

int weft_trace_recorder_free(weft_trace_recorder *recorder)
{
    int rc = recorder ? weft_trace_recorder_stop(recorder) : 0;
    if (recorder && rc == 0)
        trace_recorder_unref(recorder);
    return rc;
}

int weft_trace_recorder_enabled(const weft_trace_recorder *recorder)
{
    return recorder && atomic_load_relaxed(&recorder->active);
}

int weft_trace_recorder_status(weft_trace_recorder *recorder, weft_trace_recorder_result *result)
{
    if (!recorder || !result || result->size < sizeof result->size)
        return -EINVAL;
    weft_trace_recorder_result now = {.size = result->size};
    uint64_t time = base_clock_now();
    lock_acquire(&recorder->lock);
    now.generations = recorder->generations;
    now.bytes = recorder->bytes;
    now.window_bytes = recorder->in_window;
    now.memory = recorder->memory;
    now.span_ns = recorder->oldest ? time - recorder->oldest->sealed->began : 0;
    now.lost_generations = recorder->lost_generations;
    now.lost_bytes = recorder->lost_bytes;
    lock_release(&recorder->lock);
    memcpy(result, &now, now.size < sizeof now ? now.size : sizeof now);
    return 0;
}
