/* SPDX-License-Identifier: MIT */
/* The run queue of a P. The design and its invariants are in runq.h. */
#include "sched/runq.h"

#include <stddef.h>

#include "base/atomic.h"

void runq_push_owner(struct runq *q, struct g *g, struct g **out, unsigned *count)
{
    *count = 0;
    for (;;) {
        uint32_t head = atomic_load_acquire(&q->head); /* pairs with the thief's swap of head */
        uint32_t tail = q->tail;
        if (tail - head < RUNQ_SIZE) {
            atomic_store_relaxed(&q->ring[tail % RUNQ_SIZE], g);
            atomic_store_release(&q->tail, tail + 1); /* pairs with runq_grab */
            return;
        }
        /* Full: half of it goes to the global queue, so that the next push finds room. */
        unsigned n = RUNQ_SIZE / 2;
        for (unsigned i = 0; i < n; i++)
            out[i] = atomic_load_relaxed(&q->ring[(head + i) % RUNQ_SIZE]);
        if (atomic_cas_release(&q->head, &head, head + n)) {
            out[n] = g;
            *count = n + 1;
            return;
        }
        /* A thief was quicker: there is room now. */
    }
}

struct g *runq_next_swap_owner(struct runq *q, struct g *g, bool alone)
{
    if (alone) {
        struct g *old = atomic_load_relaxed(&q->next_one);
        atomic_store_relaxed(&q->next_one, g);
        return old;
    }
    return atomic_swap_acqrel(&q->next_one, g); /* pairs with the swap of a thief or of the owner */
}

/* Without thieves (3). */
static struct g *pop_alone(struct runq *q, bool *inherits)
{
    struct g *g = atomic_load_relaxed(&q->next_one);
    if (g) {
        atomic_store_relaxed(&q->next_one, NULL);
        *inherits = true;
        return g;
    }
    uint32_t head = atomic_load_relaxed(&q->head);
    *inherits = false;
    if (head == q->tail)
        return NULL;
    g = atomic_load_relaxed(&q->ring[head % RUNQ_SIZE]);
    atomic_store_relaxed(&q->head, head + 1);
    return g;
}

struct g *runq_pop_owner(struct runq *q, bool *inherits, bool alone)
{
    if (alone)
        return pop_alone(q, inherits);
    if (atomic_load_relaxed(&q->next_one)) {
        struct g *g = atomic_swap_acqrel(&q->next_one, NULL);
        if (g) {
            *inherits = true;
            return g;
        }
    }
    *inherits = false;
    uint32_t head = atomic_load_acquire(&q->head); /* pairs with the thief's swap of head */
    while (head != q->tail) {
        struct g *g = atomic_load_relaxed(&q->ring[head % RUNQ_SIZE]);
        if (atomic_cas_acqrel(&q->head, &head, head + 1))
            return g;
    }
    return NULL;
}

/* Copies half of the victim's ring behind q's tail; returns how many. They are not published yet.
 */
static uint32_t grab(struct runq *q, struct runq *victim)
{
    for (;;) {
        uint32_t head = atomic_load_acquire(&victim->head); /* pairs with the other thieves' swap */
        uint32_t tail = atomic_load_acquire(&victim->tail); /* pairs with the owner's push */
        uint32_t n = tail - head;
        n -= n / 2;
        if (n == 0)
            return 0;
        if (n > RUNQ_SIZE / 2)
            continue; /* head and tail are not of one moment */
        for (uint32_t i = 0; i < n; i++) {
            struct g *g = atomic_load_relaxed(&victim->ring[(head + i) % RUNQ_SIZE]);
            atomic_store_relaxed(&q->ring[(q->tail + i) % RUNQ_SIZE], g);
        }
        if (atomic_cas_acqrel(&victim->head, &head, head + n))
            return n;
    }
}

struct g *runq_steal(struct runq *q, struct runq *victim, bool take_next)
{
    uint32_t n = grab(q, victim);
    if (n == 0) {
        if (take_next && atomic_load_relaxed(&victim->next_one))
            return atomic_swap_acqrel(&victim->next_one, NULL);
        return NULL;
    }
    n--;
    struct g *g = atomic_load_relaxed(&q->ring[(q->tail + n) % RUNQ_SIZE]);
    if (n > 0)
        atomic_store_release(&q->tail, q->tail + n); /* pairs with grab() by others */
    return g;
}

bool runq_empty(const struct runq *q)
{
    return !atomic_load_relaxed(&q->next_one) &&
           atomic_load_relaxed(&q->head) == atomic_load_relaxed(&q->tail);
}

unsigned runq_length(const struct runq *q)
{
    uint32_t head = atomic_load_relaxed(&q->head), tail = atomic_load_relaxed(&q->tail);
    unsigned in_ring = tail - head <= RUNQ_SIZE ? tail - head : 0; /* not of one moment */
    return in_ring + (atomic_load_relaxed(&q->next_one) != NULL);
}
