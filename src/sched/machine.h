/* SPDX-License-Identifier: MIT */
/* Ms: threads of the runtime. They are made on demand and end with the runtime. */
#ifndef WEFT_SCHED_MACHINE_H
#define WEFT_SCHED_MACHINE_H

#include "sched/sched.h"

/* All Ms that were ever made, the latest first. Records stay until the runtime ends, so walkers
 * need no lock. */
struct machines {
    struct m *head; /* atomic; written under sched.lock; linked by all_next */
    uint32_t count; /* lock: sched.lock */
};
extern struct machines machines;

static inline struct m *machines_first(void)
{
    return atomic_load_acquire(&machines.head); /* pairs with machine_new_locked() */
}

/* A record for a new M, outside the runtime; its thread is not started. sched.lock is held. Stops
 * the program when there is no memory or the limit of threads is reached. */
struct m *machine_new_locked(void);

/* The same; NULL instead of stopping the program. */
struct m *machine_try_new_locked(void);

/* Starts its thread, which runs the scheduler with m->next_p. */
void machine_start(struct m *m);

/* Makes the calling thread m's thread: sysmon, the tracer's thread. */
void machine_adopt(struct m *m);
/* The same for attached threads: 0, or a negative errno value instead of stopping the program. */
int machine_try_adopt(struct m *m);
/* What m_self() returns on the calling thread. */
void machine_set_self(struct m *m);
/* Undoes it. */
void machine_disown(struct m *m);

/* An M record for a thread of the runtime that runs no goroutines. NULL: no memory, or the limit.
 */
struct m *machine_new_service(void);

/* At the end of the runtime, with sched.ending set: wakes the Ms that sleep, and joins every thread
 * whose scheduler loop ends within patience_ns. Returns how many are still out in user code; these
 * end when they come back. */
unsigned machines_end(int64_t patience_ns);

/* Frees the records of the threads that were joined. */
void machines_free(void);

#endif
