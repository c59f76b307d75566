/* SPDX-License-Identifier: MIT */
/*
 * Design. A generation is kept whole in memory until it has ended: a receiver then gets all of it
 * or nothing, which makes every output a valid trace at every moment between two generations. Full
 * buffers wait in one queue for each parity of the generation.
 *
 * Loss. All chunks together stay within the budget. A writer that needs one more gives its
 * generation up: the queue goes back to the arena at once, and from there on writers fill their
 * buffers over and over without queueing them. So an overload costs writers less than tracing does,
 * and never a wait. The drainer ends a generation early when it has grown large, and what receivers
 * hold has a share of its own, so that this loss needs a drainer that gets no CPU.
 *
 * Rejected. Writing batches out as they fill, and cutting the output back after a loss: a pipe
 * cannot be cut, and a reader rejects a generation without its end.
 */
#define _GNU_SOURCE
#include "trace/buffer.h"

#include "base/clock.h"
#include "base/fatal.h"
#include "trace/tracer.h"

#include <string.h>

/* How much of a chunk events may fill. Torture builds make full buffers a frequent case. */
#ifdef WEFT_TORTURE
#define EVENT_BATCH_ROOM 512
#else
#define EVENT_BATCH_ROOM TRACE_CHUNK_SIZE
#endif

void trace_queue_init(trace_queue *queue)
{
    *queue = (trace_queue){0};
}

void trace_queue_push(trace_queue *queue, trace_buffer *buffer)
{
    buffer->next = NULL;
    compiler_barrier(); /* whole after each store, should this thread crash (base/lock.h) */
    if (queue->tail)
        queue->tail->next = buffer;
    else
        queue->first = buffer;
    queue->tail = buffer;
}

bool trace_queue_append(trace_queue *queue, const trace_buffer *buffer, size_t most)
{
    trace_buffer *tail = queue->tail;
    size_t size = trace_buffer_bytes(buffer);
    if (!tail || size > most || (size_t)((uint8_t *)tail + TRACE_CHUNK_SIZE - tail->at) < size)
        return false;
    memcpy(tail->at, buffer->data, size);
    compiler_barrier(); /* wire/flight_layout.h */
    tail->at += size;
    return true;
}

size_t trace_queue_bytes(const trace_queue *queue)
{
    size_t bytes = 0;
    for (const trace_buffer *buffer = queue->first; buffer; buffer = buffer->next)
        bytes += trace_buffer_bytes(buffer);
    return bytes;
}

void trace_queue_free(trace_queue *queue, trace_arena *arena)
{
    trace_buffer *buffer = queue->first;
    while (buffer) {
        trace_buffer *next = buffer->next;
        trace_arena_put(arena, buffer);
        buffer = next;
    }
    trace_queue_init(queue);
}

void trace_generation_give_up(weft_tracer *tracer, uint64_t n)
{
    trace_slot *slot = trace_slot_of(tracer, n);
    trace_queue dropped;
    lock_acquire(&tracer->lock);
    atomic_store_relaxed(&slot->lost, true);
    trace_generation_reaches(tracer, n, WIRE_FLIGHT_LOST);
    dropped = slot->full;
    slot->lost_bytes += trace_queue_bytes(&dropped);
    trace_queue_init(&slot->full);
    atomic_store_relaxed(&slot->full_chunks, 0);
    lock_release(&tracer->lock);
    trace_queue_free(&dropped, &tracer->arena);
    trace_drainer_ask(tracer); /* nothing is recorded until the next one begins */
}

void trace_buffer_seal(weft_tracer *tracer, uint64_t n, trace_buffer *buffer)
{
    wire_batch_finish(buffer->payload, buffer->at);
    trace_arena_mark(&tracer->arena, buffer, WIRE_FLIGHT_BATCHES, n);
}

/* Completes the batch and queues it. True: with its chunk; false: the chunk stays the caller's, as
 * the batch was copied, or dropped because the generation is given up. */
static bool queue_batch(weft_tracer *tracer, uint64_t n, trace_buffer *buffer)
{
    trace_slot *slot = trace_slot_of(tracer, n);
    trace_buffer_seal(tracer, n, buffer);
    lock_acquire(&tracer->lock);
    bool lost = atomic_load_relaxed(&slot->lost);
    /* A small batch goes behind the last one that waits: threads that come and go, and generations
     * that end often, would else take a chunk for a few bytes each. */
    bool push = !lost && !trace_queue_append(&slot->full, buffer, TRACE_CHUNK_SIZE / 8);
    if (lost)
        slot->lost_bytes += trace_buffer_bytes(buffer);
    if (push) {
        trace_queue_push(&slot->full, buffer);
        atomic_store_relaxed(&slot->full_chunks, slot->full_chunks + 1);
    }
    lock_release(&tracer->lock);
    /* Not for a generation that has ended already and is being collected. */
    if (slot == trace_slot_of(tracer, atomic_load_relaxed(&tracer->generation)) &&
        trace_generation_is_large(tracer))
        trace_drainer_ask(tracer);
    return push;
}

/*
 * After a crash. The thread may have queued the buffer and not got as far as to let go of it: it
 * queues first, and lets go then, so that nothing is in neither place.
 */
static bool is_queued(weft_tracer *tracer, uint64_t n, trace_buffer *buffer)
{
    const trace_queue *full = &trace_slot_of(tracer, n)->full;
    lock_acquire(&tracer->lock);
    const trace_buffer *at = full->first;
    while (at && at != buffer)
        at = at->next;
    bool found = at != NULL;
    if (!found) /* else others may have put their batches behind it */
        trace_buffer_seal(tracer, n, buffer);
    for (at = full->first; at && !found; at = at->next)
        found = memmem(at->data, trace_buffer_bytes(at), buffer->data, trace_buffer_bytes(buffer));
    lock_release(&tracer->lock);
    return found;
}

/* What kind of batch it will be: a timed one, or what its writer says. */
static uint8_t *write_header(const trace_writer *writer, uint8_t *at, const weft_trace_m *m,
                             uint64_t n, uint64_t now)
{
    if (writer && writer->experiment)
        return wire_batch_start_experimental(at, writer->experiment, n, m->tid, now);
    return wire_batch_start(at, n, m->tid, now);
}

/* An empty batch of m in generation n. writer: NULL for timed events. */
static void begin_batch(weft_tracer *tracer, trace_buffer *buffer, weft_trace_m *m, uint64_t n,
                        const trace_writer *writer)
{
    trace_arena_mark(&tracer->arena, buffer, WIRE_FLIGHT_FREE, n);
    uint64_t now = base_clock_now();
    if (now <= m->last_time)
        now = m->last_time + 1;
    m->last_time = now;
    buffer->at = buffer->payload = write_header(writer, buffer->data, m, n, now);
    buffer->end = (uint8_t *)buffer + (writer ? TRACE_CHUNK_SIZE : EVENT_BATCH_ROOM);
    trace_arena_mark(&tracer->arena, buffer, WIRE_FLIGHT_OPEN, n);
}

static trace_buffer *refill(weft_tracer *tracer, weft_trace_m *m, uint64_t n,
                            const trace_writer *writer)
{
    trace_buffer **place = &m->buffer[n % 2];
    trace_buffer *old = *place;
    if (!old && atomic_load_relaxed(&trace_slot_of(tracer, n)->lost))
        return NULL;
    if (atomic_load_relaxed(&tracer->frozen) == n && !writer)
        return NULL;
    trace_buffer *fresh = trace_arena_take(&tracer->arena);
    if (!fresh)
        trace_generation_give_up(tracer, n);
    if (old && !queue_batch(tracer, n, old)) {
        if (fresh)
            trace_arena_put(&tracer->arena, fresh);
        fresh = old;
    }
    if (fresh)
        begin_batch(tracer, fresh, m, n, writer);
    compiler_barrier(); /* whoever finds it, after a crash, finds an empty batch */
    *place = fresh;
    return fresh;
}

trace_buffer *trace_buffer_refill(weft_tracer *tracer, weft_trace_m *m, uint64_t n)
{
    return refill(tracer, m, n, NULL);
}

void trace_buffer_flush(weft_tracer *tracer, weft_trace_m *m, uint64_t n)
{
    trace_buffer *buffer = m->buffer[n % 2];
    if (!buffer)
        return;
    if (base_locks_abandoned() && is_queued(tracer, n, buffer)) {
        m->buffer[n % 2] = NULL;
        return;
    }
    bool queued = queue_batch(tracer, n, buffer);
    compiler_barrier();
    m->buffer[n % 2] = NULL;
    if (!queued)
        trace_arena_put(&tracer->arena, buffer);
}

void trace_buffer_cap(weft_trace_m *m, uint64_t n)
{
    trace_buffer *buffer = m->buffer[n % 2];
    if (buffer)
        atomic_store_relaxed(&buffer->end, buffer->data);
}

void trace_buffer_flush_capped(weft_tracer *tracer, const weft_trace_m *m, uint64_t n)
{
    const trace_buffer *buffer = m->buffer[n % 2];
    if (!buffer)
        return;
    const uint8_t *at = atomic_load_relaxed(&buffer->at);
    trace_buffer *copy = trace_arena_take(&tracer->arena);
    if (!copy) {
        trace_generation_give_up(tracer, n);
        return;
    }
    memcpy(copy->data, buffer->data, (size_t)(at - buffer->data));
    copy->at = copy->data + (at - buffer->data);
    copy->payload = copy->data + (buffer->payload - buffer->data);
    if (is_queued(tracer, n, copy) || !queue_batch(tracer, n, copy))
        trace_arena_put(&tracer->arena, copy);
}

void trace_writer_start(trace_writer *writer, weft_tracer *tracer, uint64_t n, uint8_t kind)
{
    *writer = (trace_writer){.kind = kind, .m.tid = WIRE_NO_ID};
    writer->section = (weft_trace_section){.tracer = tracer, .m = &writer->m, .generation = n};
}

void trace_writer_start_experiment(trace_writer *writer, weft_tracer *tracer, uint64_t n,
                                   uint8_t experiment, uint8_t kind)
{
    trace_writer_start(writer, tracer, n, kind);
    writer->experiment = experiment;
}

trace_buffer *trace_writer_reserve(trace_writer *writer, size_t size)
{
    uint64_t n = writer->section.generation;
    trace_buffer *buffer = writer->m.buffer[n % 2];
    if (buffer && (size_t)(buffer->end - buffer->at) >= size)
        return buffer;
    buffer = refill(writer->section.tracer, &writer->m, n, writer);
    if (buffer && (writer->kind || writer->experiment))
        *buffer->at++ = writer->kind;
    return buffer;
}

void trace_writer_finish(trace_writer *writer)
{
    trace_buffer_flush(writer->section.tracer, &writer->m, writer->section.generation);
}
