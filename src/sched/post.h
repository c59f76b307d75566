/* SPDX-License-Identifier: MIT */
/* Work posted from anywhere (weft_post). */
#ifndef WEFT_SCHED_POST_H
#define WEFT_SCHED_POST_H

#include "sched/sched.h"

/* Makes the goroutine that starts what is posted; it waits. Before the runtime runs, and before a
 * trace begins. 0 or -ENOMEM. */
int post_start(void);

/* Something was posted since the last look, and that goroutine is to be woken. Cheap. */
bool post_pending(void);
void post_look(struct m *m);

#endif
