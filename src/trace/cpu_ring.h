/* SPDX-License-Identifier: MIT */
/*
 * A ring of CPU samples between signal handlers, which put, and one reader, which takes.
 *
 * Putting never waits, allocates or calls: any number of handlers at once, each on its own thread.
 * What finds no room is counted and dropped. The memory of a ring is its owner's to take away, once
 * no handler can be in it (cpu_threads.h).
 */
#ifndef WEFT_TRACE_CPU_RING_H
#define WEFT_TRACE_CPU_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Frames of a sample, and bytes of its label, that are kept. */
#define TRACE_CPU_FRAMES 64
#define TRACE_CPU_LABEL  64

/* Words throughout, so that it is put into the ring as it is, as far as it is used. */
typedef struct trace_cpu_sample {
    uint64_t shape; /* see trace_cpu_shape */
    uint64_t time;  /* as base_clock_now */
    uint64_t tid;
    uint64_t p;     /* WIRE_NO_ID: none */
    uint64_t g;     /* 0: none */
    uint64_t ticks; /* periods of CPU time that it stands for */
    uint64_t ns;    /* the same as time */
    /* The stack, leaf first: the leaf is exact, the others are return addresses. Behind it the
     * bytes of the label, filled up with zeros to whole words. */
    uint64_t data[TRACE_CPU_FRAMES + TRACE_CPU_LABEL / 8];
} trace_cpu_sample;

static inline uint64_t trace_cpu_shape(unsigned depth, size_t label_size)
{
    return (uint64_t)label_size << 32 | depth;
}

static inline unsigned trace_cpu_depth(uint64_t shape)
{
    return (unsigned)(shape & 0xffff);
}

static inline size_t trace_cpu_label_size(uint64_t shape)
{
    return (size_t)(shape >> 32 & 0xffff);
}

/* Words of data that are used. */
static inline size_t trace_cpu_words(uint64_t shape)
{
    return trace_cpu_depth(shape) + (trace_cpu_label_size(shape) + 7) / 8;
}

typedef struct trace_cpu_ring {
    uint64_t head;   /* atomic: words ever reserved */
    uint64_t tail;   /* atomic, written by the reader: words ever taken */
    uint64_t lost;   /* atomic: ticks that found no room */
    uint64_t size;   /* words, a power of two */
    uint64_t *words; /* atomic; all zero but from tail to head */
} trace_cpu_ring;

/* bytes: a power of two, at least 4096. Returns 0 or -ENOMEM. */
int trace_cpu_ring_init(trace_cpu_ring *ring, size_t bytes);
void trace_cpu_ring_fini(trace_cpu_ring *ring);

/* In a signal handler. False: no room, and the sample is counted as lost. */
bool trace_cpu_ring_put(trace_cpu_ring *ring, const trace_cpu_sample *sample);

/* By the reader: the oldest sample that is complete. False: none. */
bool trace_cpu_ring_take(trace_cpu_ring *ring, trace_cpu_sample *sample);

/* Any thread. */
bool trace_cpu_ring_is_half_full(const trace_cpu_ring *ring);

#endif
