/* SPDX-License-Identifier: MIT */
#include "trace/sealed.h"

#include "base/fatal.h"
#include "base/futex.h"
#include "base/torture.h"
#include "trace/tracer.h"

#include <limits.h>
#include <stdlib.h>

/* The opening comes first; then the order in which buffers were queued stays. */
static void pack(trace_sealed *sealed, trace_queue *from)
{
    trace_buffer *buffer = from->first;
    trace_queue_init(from);
    while (buffer) {
        trace_buffer *next = buffer->next;
        sealed->bytes += trace_buffer_bytes(buffer);
        if (trace_queue_append(&sealed->batches, buffer, TRACE_CHUNK_SIZE)) {
            trace_arena_put(&sealed->tracer->arena, buffer);
        } else {
            trace_queue_push(&sealed->batches, buffer);
            sealed->memory += TRACE_CHUNK_SIZE;
        }
        buffer = next;
    }
}

trace_sealed *trace_sealed_new(weft_tracer *tracer, uint64_t n)
{
    trace_slot *slot = trace_slot_of(tracer, n);
    trace_sealed *sealed =
        torture_refuse("trace sealed generation") ? NULL : calloc(1, sizeof *sealed);
    if (!sealed)
        return NULL;
    *sealed = (trace_sealed){.refs = 1,
                             .tracer = tracer,
                             .number = n,
                             .began = slot->began,
                             .lost_samples = slot->lost_ticks};
    lock_acquire(&tracer->lock);
    trace_queue full = slot->full;
    trace_queue_init(&slot->full);
    lock_release(&tracer->lock);
    pack(sealed, &slot->opening);
    pack(sealed, &full);
    atomic_add_relaxed(&tracer->sealed_bytes, sealed->memory);
    return sealed;
}

trace_sealed *trace_sealed_ref(trace_sealed *sealed)
{
    atomic_add_relaxed(&sealed->refs, 1);
    return sealed;
}

void trace_sealed_unref(trace_sealed *sealed)
{
    /* Acquire and release: pairs with itself, so that all reads come before the chunks are reused.
     */
    if (!sealed || atomic_sub_acqrel(&sealed->refs, 1) > 1)
        return;
    weft_tracer *tracer = sealed->tracer;
    trace_generation_reaches(tracer, sealed->number, WIRE_FLIGHT_NONE);
    trace_queue_free(&sealed->batches, &tracer->arena);
    /* After the chunks are back: in between the open generation seems smaller than it is, never
     * larger. */
    atomic_sub_relaxed(&tracer->sealed_bytes, sealed->memory);
    free(sealed);
    if (weft_trace_generation(tracer) == 0)
        base_note_post(&tracer->wake); /* the drainer gives an empty arena back */
}

void trace_sealed_expect(trace_sealed *sealed)
{
    atomic_add_relaxed(&sealed->unwritten, 1);
}

void trace_sealed_written(trace_sealed *sealed)
{
    if (atomic_sub_acqrel(&sealed->unwritten, 1) == 1) /* pairs with trace_sealed_wait() */
        base_futex_wake(&sealed->unwritten, INT_MAX);
}

void trace_sealed_wait(trace_sealed *sealed)
{
    uint32_t left;
    while ((left = atomic_load_acquire(&sealed->unwritten)) > 0) /* pairs with _written() */
        (void)base_futex_wait(&sealed->unwritten, left, -1);
}
