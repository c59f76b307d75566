/* SPDX-License-Identifier: MIT */
/*
 * Event buffers: one chunk, one batch. An M fills its buffer of a generation, queues it when it is
 * full, and goes on with another; the drainer takes the queue of a generation when that has ended.
 * Once it waits, a buffer is just bytes, and may hold further whole batches behind its own.
 *
 * Contract: a buffer is changed by its M in a section, by the drainer once the M's flag was seen
 * clear (or while the host holds the M), or when the M is unregistered (INV-2). Queues are under
 * the tracer's lock, a leaf (INV-14).
 */
#ifndef WEFT_TRACE_BUFFER_H
#define WEFT_TRACE_BUFFER_H

#include "trace/arena.h"
#include "wire/batch.h"

#include <weft/trace_host.h>

typedef struct trace_buffer {
    struct trace_buffer *next;
    uint8_t *at;  /* where the next byte goes */
    uint8_t *end; /* first byte that may not be written */
    uint8_t *payload;
    uint8_t data[];
} trace_buffer;
_Static_assert(sizeof(void *) == 8 &&
                   offsetof(trace_buffer, at) == offsetof(wire_flight_buffer, at) &&
                   offsetof(trace_buffer, data) == offsetof(wire_flight_buffer, data),
               "a buffer is found in a flight file");

typedef struct trace_queue {
    trace_buffer *first, *tail;
} trace_queue;

/* Bytes of the batches in a buffer. */
static inline size_t trace_buffer_bytes(const trace_buffer *buffer)
{
    return (size_t)(buffer->at - buffer->data);
}

/* A writer of batches that belong to no thread (m = -1): statuses and tables. On the drainer only.
 */
typedef struct trace_writer {
    weft_trace_m m;
    weft_trace_section section;
    uint8_t kind;       /* first byte of each payload; 0 outside of experiments: none */
    uint8_t experiment; /* its number; 0: ordinary batches */
} trace_writer;

/* Bytes that an event may need: the longest one, and what wire_varint_encode may touch behind it.
 */
#define TRACE_EVENT_ROOM (WIRE_TIMED_EVENT_MAX + 8)

/*
 * Queues the M's buffer of generation n, if any, and begins a new batch. Returns NULL when memory
 * is refused or over the budget: the generation is given up then, and its events are dropped from
 * there on.
 */
trace_buffer *trace_buffer_refill(weft_tracer *tracer, weft_trace_m *m, uint64_t n);

/* Queues what m holds for generation n. */
void trace_buffer_flush(weft_tracer *tracer, weft_trace_m *m, uint64_t n);

/* The same for an M that is in a section of n and may never leave it (enroll.c): first the end of
 * its events, then, behind a heavy fence, a copy of them. ms_lock is held. */
void trace_buffer_cap(weft_trace_m *m, uint64_t n);
void trace_buffer_flush_capped(weft_tracer *tracer, const weft_trace_m *m, uint64_t n);

/* Forgets the generation's data so far and all that follows (see Loss in buffer.c). Any thread. */
void trace_generation_give_up(weft_tracer *tracer, uint64_t n);

/* Fills in the size of the buffer's own batch: nothing is added to that any more. */
void trace_buffer_seal(weft_tracer *tracer, uint64_t n, trace_buffer *buffer);

void trace_queue_init(trace_queue *queue);
void trace_queue_push(trace_queue *queue, trace_buffer *buffer);
/* Copies the batches of a buffer of at most `most` bytes behind the last ones in the queue, if
 * there is room. False: nothing was done. */
bool trace_queue_append(trace_queue *queue, const trace_buffer *buffer, size_t most);
/* Bytes of the batches in it. */
size_t trace_queue_bytes(const trace_queue *queue);
/* Gives the buffers back. */
void trace_queue_free(trace_queue *queue, trace_arena *arena);

void trace_writer_start(trace_writer *writer, weft_tracer *tracer, uint64_t n, uint8_t kind);
/* The same for batches of an experiment. */
void trace_writer_start_experiment(trace_writer *writer, weft_tracer *tracer, uint64_t n,
                                   uint8_t experiment, uint8_t kind);
/* Room for `size` bytes at once, at most half a chunk; NULL: refused. *at of the result moves on
 * with what is written. */
trace_buffer *trace_writer_reserve(trace_writer *writer, size_t size);
/* Queues what is left. */
void trace_writer_finish(trace_writer *writer);

#endif
