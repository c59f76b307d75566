/* SPDX-License-Identifier: MIT */
/*
 * Functions that follow the end of a context (weft_context_after). A record is on the context's
 * list until the end takes it off or its owner does, under the context's lock: who takes it off
 * decides whether the function is called. The list and the owner have a reference each, as the
 * owner may give the record up while the end is about to start its goroutine.
 */
#include "sched/after.h"

#include <errno.h>
#include <stdlib.h>

#include "sched/cancel.h"
#include "sched/schedule.h"
#include "weft/runtime.h"

static void release(weft_after *after)
{
    if (atomic_sub_acqrel(&after->refs, 1) == 1)
        free(after);
}

/* m NULL: a plain thread, which attaches for that. */
static void start_one(struct m *m, const weft_after *after)
{
    int error = m ? sched_spawn(m, sched.stack_size, after->fn, after->arg, false)
                  : weft_go(after->fn, after->arg);
    if (error && error != -EPERM) /* the runtime has ended */
        fatal("no goroutine for what follows the end of a context: error %d", -error);
}

void after_start_all(struct m *m, weft_after *list)
{
    while (list) {
        weft_after *after = list;
        list = after->next;
        start_one(m, after);
        release(after);
    }
}

weft_after *weft_context_after(weft_context *context, void (*fn)(void *arg), void *arg)
{
    struct m *m = rt_enter();
    if (!m)
        rt_not_a_goroutine("weft_context_after");
    weft_after *after = torture_refuse("after") ? NULL : malloc(sizeof *after);
    if (after) {
        *after = (weft_after){.refs = 2, .context = context, .fn = fn, .arg = arg};
        context_hold(context);
        if (!context_add_after(m, context, after))
            after_start_all(m, after);
    }
    rt_exit(m);
    return after;
}

int weft_after_stop(weft_after *after)
{
    weft_context *context = after->context;
    bool stopped = context_remove_after(context, after);
    if (stopped)
        release(after); /* the list's */
    release(after);
    context_release(context);
    return stopped;
}
