/* SPDX-License-Identifier: MIT */
/*
 * Virtual time: sched.virtual_now is the clock of all timers, and it moves only here, when nothing
 * else does.
 *
 * Design. The M that sleeps in the poller moves it. It may when all other Ms that run goroutines
 * are on the idle list and no queue has a goroutine: then whatever goes on next needs a timer, a
 * descriptor or somebody outside. A goroutine that computes or is in a blocking call has an M that
 * is not on the list, with or without a P. Descriptors come first: the poller is asked once before
 * each jump.
 *
 * Invariants
 *   V1. No chance to jump is missed: the M that is last to join the idle list does so under
 *       sched.lock and then wakes the poller. Either the poller's M has seen it there, or the
 *       wake-up comes after it looked.
 *   V2. Time ends with the main goroutine. Otherwise the goroutines that it leaves behind would
 *       live through all that they still wait for, decades perhaps, before the runtime has
 *       stopped.
 *
 * Rejected
 *   A count of the goroutines that run, kept by every park and wake-up: costs what nobody else
 *     needs. Looking through the Ms costs a few of them for each jump.
 */
#ifndef WEFT_SCHED_VIRTUAL_TIME_H
#define WEFT_SCHED_VIRTUAL_TIME_H

#include "sched/sched.h"

/* How long m, which is about to sleep in the poller, may do so, as netpoll_wait() takes it. first:
 * the earliest timer. */
int64_t virtual_time_sleep(struct m *m, int64_t first);

/* m is back from there and has found nothing: jumps to the first timer, if everything sleeps. */
void virtual_time_jump(struct m *m);

#endif
