/* SPDX-License-Identifier: MIT */
/* The end of a goroutine that is a coroutine. */
#ifndef WEFT_SCHED_COROUTINE_H
#define WEFT_SCHED_COROUTINE_H

#include "sched/sched.h"

/* m->g, a coroutine, has ended: goes on with its resumer. */
_Noreturn void coroutine_end(struct m *m);

#endif
