/* SPDX-License-Identifier: MIT */
/* What is printed when the program is stopped: the goroutines, where they wait, and their stacks.
 */
#ifndef WEFT_SCHED_DUMP_H
#define WEFT_SCHED_DUMP_H

/* From now on fatal() prints all goroutines after its message. */
void dump_on_fatal(void);

#endif
