/* SPDX-License-Identifier: MIT */
/* A goroutine that stays on its thread is bound to its M, as one of an attached thread is
 * (attach.h). */
#include "sched/thread_lock.h"

#include <errno.h>

#include "sched/sched.h"

/* A coroutine runs on the thread of who resumes it; an attached thread is its own for good. */
static int lock(struct m *m)
{
    struct g *g = m->g;
    if (g->coro)
        return -EPERM;
    if (!m->own) {
        g->locks++;
        g->bound = m;
    }
    return 0;
}

static int unlock(struct m *m)
{
    struct g *g = m->g;
    if (m->own)
        return 0;
    if (g->locks == 0)
        return -EPERM;
    if (--g->locks == 0)
        g->bound = NULL;
    return 0;
}

void thread_lock_drop(struct g *g)
{
    g->locks = 0;
    g->bound = NULL;
}

int weft_thread_lock(void)
{
    struct m *m = rt_enter();
    if (!m)
        return -EPERM;
    int error = lock(m);
    rt_exit(m);
    return error;
}

int weft_thread_unlock(void)
{
    struct m *m = rt_enter();
    if (!m)
        return -EPERM;
    int error = unlock(m);
    rt_exit(m);
    return error;
}
