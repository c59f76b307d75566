/* SPDX-License-Identifier: MIT */
/* The runtime as a host of the tracer. */
#ifndef WEFT_SCHED_TRACE_HOST_H
#define WEFT_SCHED_TRACE_HOST_H

#include "sched/sched.h"

/* Makes sched.tracer. 0 or a negative errno value. */
int trace_host_init(void);
void trace_host_fini(void);

#endif
