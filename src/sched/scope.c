/* SPDX-License-Identifier: MIT */
/*
 * Scopes.
 *
 * Design. A context, a wait group, a semaphore for the limit. The goroutine's record names its
 * scope, so the user's function is started as it is, without a frame of weft's around it: the trace
 * shows the function's name, and weft_goexit() ends a goroutine of a scope like any other way.
 *
 * Invariant
 *   A goroutine's last access to the scope is that of waitgroup_add() in scope_leave(): the end of
 *   the scope frees it as soon as the count is 0 (G2 in waitgroup.c).
 */
#include "weft/scope.h"

#include <errno.h>
#include <stdlib.h>

#include "sched/mutex.h"
#include "sched/schedule.h"
#include "sched/scope.h"

struct weft_scope {
    weft_context *context;
    weft_waitgroup group;
    bool limited;
    weft_sem slots;
    int32_t error; /* atomic: the first that was not 0 */
};

weft_scope *weft_scope_new(weft_context *parent, uint32_t limit)
{
    weft_scope *scope = torture_refuse("scope") ? NULL : malloc(sizeof *scope);
    if (!scope)
        return NULL;
    *scope = (weft_scope){.limited = limit > 0, .slots = WEFT_SEM_INIT(limit)};
    scope->context = weft_context_new(parent ? parent : weft_context_current());
    if (!scope->context) {
        free(scope);
        return NULL;
    }
    return scope;
}

weft_context *weft_scope_context(weft_scope *scope)
{
    return scope->context;
}

/* A place under the limit. */
static int take_slot(struct m **m, weft_scope *scope, bool wait)
{
    if (!scope->limited)
        return 0;
    if (!wait)
        return sem_try_acquire(&scope->slots, 1) ? 0 : -EAGAIN;
    struct limit limit = limit_in(scope->context);
    return sem_acquire(m, &scope->slots, 1, &limit);
}

static int start(struct m **m, weft_scope *scope, int (*fn)(void *), void *arg, bool wait)
{
    int error = weft_context_error(scope->context);
    if (!error)
        error = take_slot(m, scope, wait);
    if (error)
        return error;
    struct g *g = sched_make(*m, sched.stack_size, (void (*)(void *))(uintptr_t)fn, arg, false);
    if (!g) {
        if (scope->limited)
            sem_release(*m, &scope->slots, 1);
        return -ENOMEM;
    }
    waitgroup_add(*m, &scope->group, 1);
    g->scope = scope;
    g->context = scope->context;
    sched_enqueue_new(*m, g);
    return 0;
}

int weft_scope_go(weft_scope *scope, int (*fn)(void *arg), void *arg)
{
    struct m *m = rt_enter();
    if (!m)
        return -EPERM;
    int error = start(&m, scope, fn, arg, true);
    rt_exit(m);
    return error;
}

int weft_scope_try_go(weft_scope *scope, int (*fn)(void *arg), void *arg)
{
    struct m *m = rt_enter();
    if (!m)
        return -EPERM;
    int error = start(&m, scope, fn, arg, false);
    rt_exit(m);
    return error;
}

void scope_leave(struct m *m, struct weft_scope *scope, int result)
{
    int32_t none = 0;
    if (result && atomic_cas_acqrel(&scope->error, &none, result)) /* pairs with the end */
        context_cancel(m, scope->context, result);
    if (scope->limited)
        sem_release(m, &scope->slots, 1);
    waitgroup_add(m, &scope->group, -1);
}

int weft_scope_end(weft_scope *scope)
{
    weft_waitgroup_wait(&scope->group);
    int error = atomic_load_acquire(&scope->error); /* pairs with scope_leave() */
    weft_context_free(scope->context);
    free(scope);
    return error;
}
