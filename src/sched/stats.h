/* SPDX-License-Identifier: MIT */
/* The runtime's counters (weft_stats), and the line that WEFT_DEBUG=sched=N prints of them. */
#ifndef WEFT_SCHED_STATS_H
#define WEFT_SCHED_STATS_H

#include "sched/sched.h"

/* From now on nobody reads Ps, Ms and timers for the sake of a figure: they may be freed. */
void stats_end(void);

/* The monitor, outside: prints the line if it is due. Returns `pause`, or less if the next line is
 * due before. */
int64_t stats_line(int64_t pause);

#endif
