/* SPDX-License-Identifier: MIT */
/*
 * Design. A writer reserves words with a compare-and-swap on head, fills them but for the first,
 * and stores that one last (release): a first word that is not 0 is a complete record. The reader
 * takes records in order, as long as the one at tail is complete, writes zeros over them and moves
 * tail (release), by which writers get the room back.
 *
 * Invariants.
 *  1. Words outside [tail, head) are 0. Otherwise the reader would take the rest of an old record
 *     for a complete one.
 *  2. tail is read before head, so that tail <= head in what a writer knows: the other way round a
 *     reader in between would make head - tail wrap, and a ring that is empty look full.
 *
 * Rejected. A spin lock around a plain ring, as Go has it: a thread that is descheduled in its
 * handler would make the others' handlers spin for the rest of its time slice.
 */
#include "trace/cpu_ring.h"

#include "base/atomic.h"
#include "base/pages.h"
#include "base/torture.h"

#include <errno.h>

#define HEAD_WORDS (offsetof(trace_cpu_sample, data) / sizeof(uint64_t))
/* What marks the first word of a record besides its shape. */
#define COMPLETE ((uint64_t)1 << 63)

int trace_cpu_ring_init(trace_cpu_ring *ring, size_t bytes)
{
    uint64_t *words = torture_refuse("trace cpu ring") ? NULL : base_pages_alloc(bytes);
    if (!words)
        return -ENOMEM;
    *ring = (trace_cpu_ring){.size = bytes / sizeof *words, .words = words};
    return 0;
}

void trace_cpu_ring_fini(trace_cpu_ring *ring)
{
    if (ring->words)
        base_pages_free(ring->words, ring->size * sizeof *ring->words);
    *ring = (trace_cpu_ring){0};
}

static uint64_t *word_at(const trace_cpu_ring *ring, uint64_t position)
{
    return &ring->words[position & (ring->size - 1)];
}

/* Where n words may be written. False: there is no room. */
static bool reserve(trace_cpu_ring *ring, uint64_t n, uint64_t *position)
{
    for (;;) {
        uint64_t tail = atomic_load_acquire(&ring->tail); /* pairs with take: the zeros */
        uint64_t head = atomic_load_acquire(&ring->head); /* after tail: invariant 2 */
        if (head + n - tail > ring->size)
            return false;
        if (atomic_cas_acqrel(&ring->head, &head, head + n)) {
            *position = head;
            return true;
        }
    }
}

bool trace_cpu_ring_put(trace_cpu_ring *ring, const trace_cpu_sample *sample)
{
    uint64_t n = HEAD_WORDS + trace_cpu_words(sample->shape), at;
    const uint64_t *from = (const void *)sample;
    if (!reserve(ring, n, &at)) {
        atomic_add_relaxed(&ring->lost, sample->ticks);
        return false;
    }
    for (uint64_t i = 1; i < n; i++)
        atomic_store_relaxed(word_at(ring, at + i), from[i]);
    atomic_store_release(word_at(ring, at), COMPLETE | sample->shape); /* pairs with take */
    return true;
}

bool trace_cpu_ring_take(trace_cpu_ring *ring, trace_cpu_sample *sample)
{
    uint64_t tail = ring->tail;
    uint64_t first = atomic_load_acquire(word_at(ring, tail)); /* pairs with put */
    if (first == 0)
        return false;
    uint64_t *to = (void *)sample;
    uint64_t n = HEAD_WORDS + trace_cpu_words(first & ~COMPLETE);
    for (uint64_t i = 0; i < n; i++) {
        to[i] = atomic_load_relaxed(word_at(ring, tail + i));
        atomic_store_relaxed(word_at(ring, tail + i), 0);
    }
    sample->shape = first & ~COMPLETE;
    atomic_store_release(&ring->tail, tail + n); /* pairs with reserve */
    return true;
}

bool trace_cpu_ring_is_half_full(const trace_cpu_ring *ring)
{
    uint64_t tail = atomic_load_relaxed(&ring->tail);
    return atomic_load_relaxed(&ring->head) - tail > ring->size / 2;
}
