/* SPDX-License-Identifier: MIT */
/* What is printed when the program is stopped: the goroutines, where they wait, and their stacks.
 */
#ifndef WEFT_SCHED_DUMP_H
#define WEFT_SCHED_DUMP_H

struct g;

/* Prints all goroutines, `current` first (NULL: none failed). On a plain thread. */
void dump_goroutines(const struct g *current);

#endif
