/* SPDX-License-Identifier: MIT */
/* What follows the end of a context: the records on its list. */
#ifndef WEFT_SCHED_AFTER_H
#define WEFT_SCHED_AFTER_H

#include "sched/sched.h"
#include "weft/context.h"

struct weft_after {
    struct weft_after *next, *previous; /* lock: the context's; off its list: of who ended it */
    bool listed;                        /* lock: the context's */
    uint32_t refs;                      /* atomic */
    weft_context *context;              /* constant; a counted reference of the owner's */
    void (*fn)(void *arg);              /* constant */
    void *arg;                          /* constant */
};

/* Starts the goroutines of all records of the list, linked by next, and gives the records up. m may
 * be NULL, and then no lock is held: this waits for a P. */
void after_start_all(struct m *m, weft_after *list);

#endif
