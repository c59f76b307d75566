/* SPDX-License-Identifier: MIT */
/*
 * Attached threads: plain threads, which weft did not make, that act as goroutines.
 *
 * Design. An attached thread has an M and a G of its own, bound to each other: the G's stack is the
 * thread's. So the M runs this G and nothing else, and no other M can run it. When the G waits, its
 * thread gives the P away and sleeps on the M's note; when it is runnable and needs a P, an idle
 * one is put aside for the M, or the G queues (sched.bound) and the M that takes it off the queue
 * hands over its own P. Everything else, the border, the lease, the system-call states, is as with
 * other goroutines.
 *
 * A thread attaches for good, until it detaches or ends, or for one call that needs a goroutine
 * (rt_enter_or_attach; waiting and waking do without, see waiter.c). For the latter the M stays
 * with the thread between calls, and the G is a new one each time: it comes into being in a system
 * call (GoCreateSyscall), gets a P as after any other, and ends in one.
 *
 * Invariants
 *   A1. A bound G is on no run queue: bound_ready() is where it goes instead.
 *   A2. A post to the note of a bound M comes with a P in next_p, which the world's holder may have
 *       taken back meanwhile; then, and only then, the G queues again.
 *   A3. Ms are attached and detached under the world lock: the end of the runtime, which holds it,
 *       either sees an M or prevents it. After the end an M is its thread's alone, has no G, and is
 *       never inside any more.
 *
 *   A4. m->rests is set, under sched.lock, before the goroutine can be woken, and cleared by who
 *       puts a P aside for m: virtual time must not move between the two while somebody runs.
 *
 * A goroutine that is locked to its thread (weft_thread_lock) is bound in the same way to the M
 * that it runs on, for a time, and sleeps on its own stack. That M is one of the others again when
 * the lock is gone; so at the end of the runtime its thread ends like theirs.
 *
 * Corners
 *   The stack of an attached thread can be unmapped when the thread ends, so nobody else walks it:
 *     from outside, its place is one frame.
 *   A thread that waits for something when the runtime ends stays blocked, like a goroutine: a
 * queue may refer to its stack. One that only waits for a P to begin with is refused.
 */
#ifndef WEFT_SCHED_ATTACH_H
#define WEFT_SCHED_ATTACH_H

#include "sched/sched.h"

/* The current goroutine is bound and its state has been changed: its thread sleeps until there is a
 * P for it. after, arg: as for sched_leave(). Returns m. */
struct m *bound_leave(struct m *m, enum after_switch after, void *arg);

/* The same for one that comes from outside and needs a P: NULL, and outside, if the runtime has
 * ended meanwhile. */
struct m *bound_regain(struct m *m);

/* A bound goroutine is runnable and needs a P. */
void bound_ready(struct g *g);

/* The same by a thread without M, which the holder of the world cannot hold: it touches no P. */
void bound_ready_from_outside(struct g *g);

/* m, without a goroutine, gives its P to the goroutine, which was on sched.bound. */
void bound_hand_over(struct m *m, struct g *g);

/* The call for which the thread was attached is over: the last thing inside. */
void attach_end_call(struct m *m);

/* The thread has had its time slice: it gives its P up, if it has one, and leaves without it. */
void attach_give_way(struct m *m);

/* The runtime ends, every other thread is held: takes attached Ms out of it (A3). */
void attach_end_all(void);

/* An M of an earlier runtime, which the calling thread may have, is forgotten. */
void attach_forget_stale(void);

#endif
