/* SPDX-License-Identifier: MIT */
/*
 * Coroutines.
 *
 * Design. A coroutine is a goroutine that is never on a queue while it is suspended. To resume it
 * is to claim it, to become its resumer, and to switch straight to its stack with the M, the P and
 * the time slice of the caller; to yield is to switch back. Both sides are then in turn Waiting and
 * Running, and whoever runs owns the other one.
 *
 * Invariants
 *   K1. The claim: SUSPENDED to RUNNING by one resumer. It is given back by that resumer, after the
 *       switch: only then is the coroutine off its stack.
 *         coroutine: yields, publishes SUSPENDED, is about to save its registers
 *         another:   claims it, continues a stack that is still in use.
 *   K2. resumer, value and ended belong to whoever runs, of the two; the switch hands them over.
 *
 * Corners
 *   A coroutine that blocks in something else is an ordinary goroutine until it runs again, perhaps
 *     on another M; its resumer continues there.
 *   One that never ran has nothing on its stack: freeing it needs no switch, only its events.
 */
#include "sched/coroutine.h"

#include <errno.h>
#include <stdlib.h>

#include "sched/goroutine.h"
#include "sched/switch.h"
#include "sched/trace_hooks.h"
#include "sched/user_annotations.h"
#include "weft/coro.h"

enum { SUSPENDED, RUNNING, ENDED };

struct weft_coro {
    uint32_t state; /* atomic: K1 */
    bool started, ended, cancelled;
    struct g *g;       /* itself; not to be touched once it has ended */
    struct g *resumer; /* K2 */
    void *value;       /* K2: on its way to the other side */
    void *result;      /* what fn returned */
    void *(*fn)(void *arg, void *value);
    void *arg;
};

/* Goes straight from the current goroutine, which waits from now on, to the goroutine `to`, which
 * waits and is the caller's. Returns, when somebody switches back, the M on which that is. */
static inline __attribute__((always_inline)) struct m *switch_to(struct m *m, struct g *to)
{
    struct g *from = m->g;
    hook_go_switch(m, to, false);
    torture_point("coroutine switch");
    return switch_from(m, from, to);
}

static void coroutine_main(void *arg)
{
    struct weft_coro *coro = arg;
    coro->result = coro->fn(coro->arg, coro->value);
}

weft_coro *weft_coro_new(void *(*fn)(void *arg, void *value), void *arg, size_t stack_size)
{
    if (!weft_in_goroutine() || (stack_size && (stack_size < STACK_MIN || stack_size > STACK_MAX)))
        return NULL;
    struct weft_coro *coro = torture_refuse("coro") ? NULL : malloc(sizeof *coro);
    if (!coro)
        return NULL;
    *coro = (struct weft_coro){.state = SUSPENDED, .fn = fn, .arg = arg};
    struct m *m = rt_enter();
    if (!m)
        goto refused;
    coro->g = sched_make_blocked(m, stack_size ? stack_size : sched.stack_size, coroutine_main,
                                 coro, (uintptr_t)fn);
    if (coro->g)
        atomic_store_relaxed(&coro->g->coro, coro);
    rt_exit(m);
    if (coro->g)
        return coro;
refused:
    free(coro);
    return NULL;
}

static int claim(struct weft_coro *coro)
{
    uint32_t state = SUSPENDED;
    if (likely(atomic_cas_acquire(&coro->state, &state, RUNNING))) /* K1: pairs with resume() */
        return 0;
    return state == ENDED ? -ESRCH : -EBUSY;
}

/* The coroutine is the caller's. Returns the M on which it has yielded or ended. */
static inline __attribute__((always_inline)) struct m *resume(struct m *m, struct weft_coro *coro)
{
    coro->started = true;
    coro->resumer = m->g;
    return switch_to(m, coro->g);
}

int weft_coro_resume(weft_coro *coro, void *value, void **out)
{
    struct m *m = rt_enter();
    if (unlikely(!m))
        return -EPERM;
    int result = likely(!m->g->bound) ? claim(coro) : -EPERM;
    if (likely(result == 0)) {
        coro->value = value;
        m = resume(m, coro);
        if (out)
            *out = coro->value;
        result = coro->ended ? WEFT_CORO_ENDED : WEFT_CORO_YIELDED;
        atomic_store_release(&coro->state, coro->ended ? ENDED : SUSPENDED); /* K1: with claim() */
    }
    rt_exit(m);
    return result;
}

int weft_coro_yield(void *value, void **in)
{
    struct m *m = rt_enter();
    struct weft_coro *coro = m ? m->g->coro : NULL;
    int result = coro ? 0 : -EPERM;
    if (likely(coro && !coro->cancelled)) {
        coro->value = value;
        m = switch_to(m, coro->resumer);
        if (in)
            *in = coro->value;
    }
    if (coro && coro->cancelled)
        result = -ECANCELED;
    if (m)
        rt_exit(m);
    return result;
}

_Noreturn void coroutine_end(struct m *m)
{
    struct weft_coro *coro = m->g->coro;
    coro->ended = true;
    coro->value = coro->result;
    struct g *self = m->g;
    m->after = AFTER_FREE;
    m->after_arg = self;
    hook_go_switch(m, coro->resumer, true);
    switch_from(m, self, coro->resumer);
    fatal("a coroutine that has ended was continued");
}

/* ---- Freeing ---- */

/* It never ran. */
static void discard(struct m *m, struct g *g)
{
    hook_go_discard(m, g);
    annotations_drop(g);
    goroutines_count_ended(m);
    goroutine_put(m, g);
}

/* The coroutine is the caller's. */
static struct m *finish(struct m *m, struct weft_coro *coro)
{
    coro->cancelled = true;
    if (!coro->started)
        discard(m, coro->g);
    else
        m = resume(m, coro);
    return m;
}

int weft_coro_free(weft_coro *coro)
{
    if (!coro)
        return 0;
    if (atomic_load_acquire(&coro->state) != ENDED) { /* pairs with weft_coro_resume() */
        struct m *m = rt_enter();
        int error = m && !m->g->bound ? claim(coro) : -EPERM;
        if (!error)
            m = finish(m, coro);
        if (m)
            rt_exit(m);
        if (error && error != -ESRCH)
            return error;
    }
    free(coro);
    return 0;
}
