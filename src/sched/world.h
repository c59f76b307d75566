/* SPDX-License-Identifier: MIT */
/*
 * The world: the lock of those who stop Ms at the border, and the stop of all of them.
 *
 * The world is stopped when every M but the caller's is held outside the runtime (lease.h). Nothing
 * is asked of user code, so a goroutine that computes or blocks delays no stop; it does not even
 * notice, unless it enters the runtime meanwhile. Ps stay with their Ms: after a stop every
 * goroutine goes on where it was.
 *
 * The lock. Its holder may stop Ms, so nobody may wait for it inside the runtime (L5), and its
 * holder must not wait for a P: a goroutine therefore takes it by trying, with its P, and waits
 * outside without having it (world_lock).
 */
#ifndef WEFT_SCHED_WORLD_H
#define WEFT_SCHED_WORLD_H

#include "sched/sched.h"

/* From inside, without waiting. */
bool world_try(void);
/* A goroutine, inside: may go on another M, which is returned. */
struct m *world_lock(struct m *m);
/* A thread outside the runtime (m->in_runtime is 0, or no M at all). */
void world_lock_outside(void);
/* The same, but gives up when its holder may have failed inside the runtime (crash.h). False: it
 * was not locked. */
bool world_lock_unless_crashed(void);
void world_unlock(void);

/* With the lock held; when a thread has failed inside, the world may not stand. m: the caller's M,
 * which stays as it is; NULL if it has none. */
void world_stop(struct m *m);
void world_start(struct m *m);

/* Takes a live P from whoever has it; it is the caller's afterwards. World stopped. */
void world_seize(struct m *m, struct p *p);

#endif
