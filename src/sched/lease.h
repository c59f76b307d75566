/* SPDX-License-Identifier: MIT */
/*
 * The lease: how an M's P, or the whole M, is stopped at the border of the runtime without its
 * help.
 *
 * Design. User code runs outside the runtime with its P on lease. The M marks the border with
 * in_runtime (a plain store) and then looks at `attention`. Whoever holds the world lock may set
 * M_HELD and, after one heavy fence, look at in_runtime: if the M is outside it cannot come in any
 * more, and until M_HELD is cleared the holder owns everything that was the M's: its P, its current
 * G, its trace buffers. If the M is inside, its stay is short: it leaves, or, in the scheduler,
 * steps out by itself (lease_checkpoint).
 *
 * Invariants
 *   L1. M_HELD set and in_runtime seen 0 after fence_heavy(): the M executes no code of the runtime
 * until M_HELD is cleared. The M stores in_runtime = 1, light fence, loads attention; the holder
 * stores attention, heavy fence, loads in_runtime: one of the two sees the other. Without the
 * fences both can miss: the M goes on inside with a P that somebody else took. tests/base measures
 * that (lost updates with compiler barriers alone). L2. Once the fence has been passed, seeing
 * in_runtime 0 later is as good as at once: every entry after the fence sees M_HELD. So waiting
 * needs no second fence. L3. What an M did inside is visible to the holder (in_runtime is cleared
 * with release and read with acquire), and what the holder did is visible to the M (attention
 * likewise). L4. Only the holder of the world lock sets or clears M_HELD, so holders do not meet at
 * one M. L5. Inside the runtime no M waits for the world lock, for user code, or in the kernel for
 * long; so a holder waits for short sections only.
 *
 * Rejected
 *   Preemption by signals: unsafe in C (malloc's locks, errno, thread-local state), and EINTR for
 * the user. A compare-and-swap on the P at each entry and exit, as Go does for system calls: 2
 * locked instructions (10 ns) for every call into the runtime, paid by all for a case that comes
 * once in 10 ms. A lock for each M that a stopper takes: the entry would need the locked
 * instruction again.
 *
 * Corners
 *   An M that leaves does not look at M_HELD: being outside is what the holder waits for.
 *   An M whose P was taken finds m->p NULL at its next entry; its G is then in a system call as far
 * as everybody else is concerned, and gets a P as after any other (lease_regain).
 */
#ifndef WEFT_SCHED_LEASE_H
#define WEFT_SCHED_LEASE_H

#include "sched/sched.h"

/* Holds m at the border. The caller holds the world lock and passes one fence_heavy() between the
 * last lease_hold() and the first lease_is_outside() or lease_wait_outside(). */
void lease_hold(struct m *m);
bool lease_is_outside(struct m *m);
void lease_wait_outside(struct m *m);
void lease_release(struct m *m);

/* For an M in the scheduler (no current goroutine): steps outside for as long as it is held.
 * Afterwards m->p may be NULL. */
void lease_checkpoint(struct m *m);

/* The M goes to the kernel, or comes back from it, in the scheduler. */
void lease_leave(struct m *m);
void lease_return(struct m *m);

/* The current goroutine lost its P while it was outside, or gave it up for a blocking call: it gets
 * another one, or queues for one. Returns the M on which it goes on; NULL for an attached thread if
 * the runtime ended meanwhile. */
struct m *lease_regain(struct m *m);

/* Asks the goroutine that runs on m to yield at its next exit from the runtime. */
void lease_ask_to_yield(struct m *m);

#endif
