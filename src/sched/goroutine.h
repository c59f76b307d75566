/* SPDX-License-Identifier: MIT */
/* Goroutines' records and stacks: made in slabs, recycled through pools, freed with the runtime. */
#ifndef WEFT_SCHED_GOROUTINE_H
#define WEFT_SCHED_GOROUTINE_H

#include "base/pages.h"
#include "sched/sched.h"

enum { STACK_MIN = 16 * 1024, STACK_DEFAULT = 256 * 1024, STACK_MAX = 1024 * 1024 * 1024 };

/* The main goroutine's number; others count from there. */
enum { MAIN_GOROUTINE = 1 };

/* A dead G with a stack of at least stack_size bytes, or NULL. m may be NULL or without P. */
struct g *goroutine_get(struct m *m, size_t stack_size);

/* Gives a dead G back. m has a P. Not on its stack. */
void goroutine_put(struct m *m, struct g *g);

/* Gives the memory of stacks that nobody uses back to the system. Some: a bounded part of what has
 * rested; true: there is more. The monitor, outside. Tick, now and then: what was not used since
 * the last one rests from now on; true: there is something to trim, now or after the next tick. The
 * monitor, inside. */
bool goroutines_trim_some(void);
bool goroutines_trim_tick(void);

/* The page that holds g's record, or the first of them: it is in use as long as the record is. */
static inline char *goroutine_top_page(struct g *g)
{
    return (char *)((uintptr_t)g & ~(uintptr_t)(base_page_size() - 1));
}

/* A number for a new goroutine. */
uint64_t goroutine_new_id(struct m *m);

/* A G record without a stack of its own, for a thread of the runtime. NULL: no memory. Lives as
 * long as the runtime. */
struct g *goroutine_new_system(void);

/* A goroutine of the runtime, made by nobody and waiting. NULL: no memory. */
struct g *goroutine_new_waiting(void (*fn)(void *arg));

/* All records ever made, dead ones included; any thread, no lock. Linked by all_next. */
struct g *goroutines_first(void);

/* Frees all stacks, except those of goroutines that are still out in user code (m->g of an M that
 * did not end). */
void goroutines_free(bool some_are_out);

/* How many were made, and how many are there; how many stacks, but for those that Ps keep. Any
 * thread, at any time. reset: no goroutine is there.
 */
void goroutines_stacks(weft_stats *stats);
void goroutines_count_reset(void);
void goroutines_count(uint64_t *created, uint64_t *alive);
/* One more. ended: m has a P. */
void goroutines_count_created(struct m *m);
void goroutines_count_ended(struct m *m);

#endif
