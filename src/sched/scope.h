/* SPDX-License-Identifier: MIT */
/* Scopes inside the runtime. */
#ifndef WEFT_SCHED_SCOPE_H
#define WEFT_SCHED_SCOPE_H

#include "sched/sched.h"

struct weft_scope;

/* The current goroutine, one of the scope, is about to end with that result. */
void scope_leave(struct m *m, struct weft_scope *scope, int result);

#endif
