/* SPDX-License-Identifier: MIT */
/*
 * The tracer's marks on Gs and Ps: was the status written in this generation, and how far has its
 * sequence come.
 *
 * `traced` is indexed by generation mod 3: while n+1 is written, the advancer still asks about n,
 * and whoever first traces a resource in n+1 clears the mark of n+2. `seq` is indexed by generation
 * mod 2.
 *
 * All accesses are relaxed atomics, and nothing is compared and swapped, because each field has one
 * writer at a time:
 *  - Marks and counters of n are written by the owner of the resource, in a section of n. When
 *    ownership passes from one M to another, the host's own hand-over orders the two.
 *  - Two sections of different generations never work on one resource at once: ownership was handed
 *    over within or after the section of n (INV-5), and its former owner does not touch the
 *    resource any more.
 *  - trace_ready_next(n) of the advancer runs while nobody can be in n+1 (INV-9). It writes the
 *    slots of n+1 only, and an owner that acquires the status in n at the same moment writes the
 *    same zeros there.
 *  - The advancer's last question about n, after all sections of n have closed, reads a slot which
 *    n+1 does not touch: n+1 writes n+1 and n+2, and n is neither, mod 3. The closing of the
 *    sections (the flags) orders it after n's writes.
 */
#ifndef WEFT_TRACE_STATUS_H
#define WEFT_TRACE_STATUS_H

#include "base/atomic.h"

#include <weft/trace_host.h>

#include <stdbool.h>
#include <stdint.h>

/* Generations count up by one; 2^64-1 is followed by 4, which goes on in both residues, mod 2 and
 * mod 3. */
static inline uint64_t trace_next_generation(uint64_t n)
{
    return n == UINT64_MAX ? 4 : n + 1;
}

/* The marks of one resource, wherever its record keeps them. */
typedef struct trace_marks {
    uint8_t *traced; /* [3] */
    uint64_t *seq;   /* [2] */
} trace_marks;

static inline trace_marks trace_marks_g(weft_trace_g *g)
{
    return (trace_marks){g->traced, g->seq};
}

static inline trace_marks trace_marks_p(weft_trace_p *p)
{
    return (trace_marks){p->traced, p->seq};
}

static inline bool trace_was_traced(trace_marks marks, uint64_t n)
{
    return atomic_load_relaxed(&marks.traced[n % 3]) != 0;
}

/* Nobody may be in generation n+1 yet. */
static inline void trace_ready_next(trace_marks marks, uint64_t n)
{
    uint64_t next = trace_next_generation(n);
    atomic_store_relaxed(&marks.seq[next % 2], 0);
    atomic_store_relaxed(&marks.traced[next % 3], 0);
}

/* For creation events, which stand for a status. */
static inline void trace_set_traced(trace_marks marks, uint64_t n)
{
    atomic_store_relaxed(&marks.traced[n % 3], 1);
}

/* True: the caller must write the status at once. By the owner, in a section of n. */
static inline bool trace_acquire_status(trace_marks marks, uint64_t n)
{
    if (likely(trace_was_traced(marks, n)))
        return false;
    trace_set_traced(marks, n);
    trace_ready_next(marks, n);
    return true;
}

/* The number of the resource's next event in n. By the owner; it must be written (INV-13). */
static inline uint64_t trace_next_seq(trace_marks marks, uint64_t n)
{
    uint64_t *seq = &marks.seq[n % 2];
    uint64_t number = atomic_load_relaxed(seq) + 1;
    atomic_store_relaxed(seq, number);
    return number;
}

/* All marks of all generations: after a fork, when no generation is open. */
void trace_marks_wipe(trace_marks marks);

/* A dead P becomes ready for the generation after n. stop: tracing ends with n. See the definition.
 */
void trace_ready_dead_proc(weft_trace_p *p, uint64_t n, bool stop);

#ifdef WEFT_FAULTS
/* Faults that tests switch on, as bits: leave the reset of dead Ps out. */
enum {
    TRACE_FAULT_ADVANCE = 1, /* when advancing */
    TRACE_FAULT_STOP = 2,    /* when stopping */
    TRACE_FAULT_SEQ = 4,     /* keep the sequence numbers */
    TRACE_FAULT_TRACED = 8   /* keep the marks */
};
extern unsigned trace_test_faults;
#endif

#endif
