/* SPDX-License-Identifier: MIT */
/*
 * The run queue of a P: a ring of goroutines, first in first out, and one slot for the goroutine
 * that runs next.
 *
 * The owner is the M that holds the P. Only the owner puts; owner and thieves take from the head
 * with a compare-and-swap. Published design: Go's runqueue (runtime/proc.go), after the
 * work-stealing deques of Cilk.
 *
 * Invariants:
 *   1. tail is written by the owner only, with release: a thief that sees it sees the slots below
 * it.
 *   2. A slot in [head, tail) is not overwritten before head has passed it: the owner fills it only
 * if tail - head (head read with acquire) is below the size. Without that a thief that has copied a
 * slot but not yet moved head could hand out a goroutine which is no longer there.
 *   3. Thieves have Ps of their own. While there is one P there is none, and the owner takes
 * without a locked instruction (`alone`). The number of Ps changes while no M is inside the
 * runtime, so it is the same before and after an operation; what one M did alone, another finds
 * done, as the P was handed to it.
 */
#ifndef WEFT_SCHED_RUNQ_H
#define WEFT_SCHED_RUNQ_H

#include <stdbool.h>
#include <stdint.h>

struct g;

enum { RUNQ_SIZE = 256 };

struct runq {
    uint32_t head;      /* atomic: owner and thieves, compare-and-swap */
    uint32_t tail;      /* atomic: written by the owner */
    struct g *next_one; /* atomic: the slot; swapped out by owner and thieves */
    struct g *ring[RUNQ_SIZE];
};

/* Puts g last. If the ring is full, half of it and g are moved to out[0 … *count), RUNQ_SIZE / 2 +
 * 1 at most, for the global queue. */
void runq_push_owner(struct runq *q, struct g *g, struct g **out, unsigned *count);

/* Puts g into the slot and returns what was there (NULL if nothing). */
struct g *runq_next_swap_owner(struct runq *q, struct g *g, bool alone);

/* Takes the slot, else the first of the ring. *inherits: it came from the slot, so it shares the
 * waker's time slice. */
struct g *runq_pop_owner(struct runq *q, bool *inherits, bool alone);

/* Takes half of the victim's ring into q (empty, the caller's) and returns one of them; the slot
 * only if take_next and the ring is empty. */
struct g *runq_steal(struct runq *q, struct runq *victim, bool take_next);

/* Nobody else changes it meanwhile, or the answer may be stale. */
bool runq_empty(const struct runq *q);
unsigned runq_length(const struct runq *q);

#endif
