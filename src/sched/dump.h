/* SPDX-License-Identifier: MIT */
/* What is printed when the program is stopped: the goroutines, where they wait, and their stacks.
 */
#ifndef WEFT_SCHED_DUMP_H
#define WEFT_SCHED_DUMP_H

struct g;

enum dump_which {
    DUMP_SOME, /* not more than a reader of a fatal error wants to see */
    DUMP_ALL,
    DUMP_WAITING
};

/* Prints goroutines, `current` first (NULL: none failed). On a plain thread. */
void dump_goroutines(const struct g *current, enum dump_which which);

/* Prints those that wait, if there are any, as left over. */
void dump_leaks(void);

#endif
