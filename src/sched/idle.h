/* SPDX-License-Identifier: MIT */
#ifndef WEFT_SCHED_IDLE_H
#define WEFT_SCHED_IDLE_H

#include "sched/sched.h"

/* The M has no P: sleeps until it gets one, or until it should look again. */
void sched_idle(struct m *m);

/* The P that whoever woke this M has put aside for it. */
void sched_accept_p(struct m *m);

/* True if nobody sleeps in the poller although there is something to wait for. */
bool sched_poller_missing(void);

/* An M sleeps in the poller, or is about to. */
bool sched_poller_sleeps(void);

#endif
