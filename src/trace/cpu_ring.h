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

/* Frames of a sample. */
#define TRACE_CPU_FRAMES 64

/* Words throughout, so that it is put into the ring as it is, as far as pcs are used. */
typedef struct trace_cpu_sample {
    uint64_t depth; /* of pcs; the leaf is exact, the others are return addresses */
    uint64_t time;  /* as base_clock_now */
    uint64_t tid;
    uint64_t p;     /* WIRE_NO_ID: none */
    uint64_t g;     /* 0: none */
    uint64_t ticks; /* periods of CPU time that it stands for */
    uint64_t ns;    /* the same as time */
    uint64_t pcs[TRACE_CPU_FRAMES];
} trace_cpu_sample;

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
