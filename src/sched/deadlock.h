/* SPDX-License-Identifier: MIT */
/*
 * All goroutines are asleep: found, and told.
 *
 * Design. Nothing is counted while goroutines run. The monitor looks before it goes to sleep, which
 * it does when all Ps have been idle for a while. The program hangs for good if at one moment
 *
 *  D1. every goroutine waits for something that only another goroutine, or somebody outside, can
 *      bring about: not for a descriptor, and none is runnable, running or in a blocking call;
 *  D2. no timer is set (when there is one, that is no deadlock: it may wake somebody);
 *  D3. nothing outside can wake one: the process has no thread that weft did not make, but for the
 *      one that waits in weft_run(), and no signal handler but weft's own.
 *
 * "At one moment" is a stop of the world: an M that holds a goroutine which it has taken off its
 * queue and not made runnable yet is inside the runtime, and so it is waited for. The M in the
 * poller is outside, but what it may hold waits for a descriptor (D1). D3 is asked of the kernel
 * (base_process_census) and comes first: somebody outside who was there then may have woken a
 * goroutine since, which D1 sees; and who has come since was made by a goroutine that runs, which
 * D1 sees as well.
 *
 * While somebody outside is there the monitor looks again from time to time, as a thread that ends
 * tells nobody.
 *
 * Rejected
 *   A count of the Ms that run, as in Go: in C any thread and any signal handler may wake a
 *     goroutine, so the count says little, and it would be kept by every park.
 *   Counting the plain threads that have called weft: one that has not yet may do so any time.
 *
 * Corners
 *   Attached threads are threads that weft did not make. Under ThreadSanitizer, and under
 *   qemu-user, a thread of theirs is one as well: nothing is ever reported.
 */
#ifndef WEFT_SCHED_DEADLOCK_H
#define WEFT_SCHED_DEADLOCK_H

#include "sched/sched.h"

/* The monitor, inside, when all Ps are idle. Does not return if the program hangs for good: prints
 * all goroutines, completes traces, and ends the process with status 2. Else returns how long the
 * monitor may sleep; -1: until it is woken. */
int64_t deadlock_look(struct m *m);

#endif
