/* SPDX-License-Identifier: MIT */
/* What an M executes at the moment of a CPU sample (weft_trace_host.running). */
#ifndef WEFT_SCHED_CPU_RUNNING_H
#define WEFT_SCHED_CPU_RUNNING_H

#include "sched/sched.h"

void cpu_running(void *context, weft_trace_m *trace, const void *sp, weft_trace_running *out);

#endif
