/* SPDX-License-Identifier: MIT */
/*
 * Calls on a larger stack.
 *
 * Design. The stack is that of a dead G from the pool, which lends it: g->stack_of names the record
 * on whose stack g runs. That is one pointer, so that whoever looks at a goroutine that runs (a
 * dump, the tracer's census, the handler of a signal) has bounds that belong together. The lender's
 * api_frame and api_pc say where the goroutine left the stack before, whose owner is lender->outer:
 * so a walk of the stack goes on there.
 *
 * Corners
 *   weft_goexit() on such a stack: goroutine_put() gives it back, when the goroutine is off it.
 *   A jump (longjmp) out of the function leaves the goroutine on the lender's books; it is told not
 *   to.
 */
#include <errno.h>

#include "sched/context.h"
#include "sched/goroutine.h"

struct call {
    void (*fn)(void *);
    void *arg;
    struct g *g;
    void *fake; /* ASan's fake stack of the stack that is left */
};

static const void *stack_low(const struct g *g, const struct g *on)
{
    return on->stack_low ? on->stack_low : g->bound->stack_low;
}

static size_t stack_space(const struct g *g, const struct g *on)
{
    const char *high = on->stack_low ? (const char *)on : g->bound->stack_high;
    return (size_t)(high - (const char *)stack_low(g, on));
}

static void called(void *arg)
{
    struct call *call = arg;
    const struct g *outer = call->g->stack_of->outer;
    context_stack_arrived(NULL);
    call->fn(call->arg);
    context_stack_announce(NULL, stack_low(call->g, outer), stack_space(call->g, outer));
}

/* A stack for the calling goroutine, which stays where it is. */
static int borrow(struct m *m, size_t size, const void *frame, uintptr_t pc, struct g **out)
{
    struct g *lender = size < STACK_MIN || size > STACK_MAX ? NULL : goroutine_get(m, size);
    if (!lender)
        return size < STACK_MIN || size > STACK_MAX ? -EINVAL : -ENOMEM;
    atomic_store_relaxed(&lender->outer, m->g->stack_of);
    g_set_place(lender, frame, pc);
    context_clean(lender->stack_low, (size_t)((char *)lender - lender->stack_low));
    *out = lender;
    return 0;
}

int weft_call_on_stack(size_t stack_size, void (*fn)(void *arg), void *arg)
{
    struct g *lender;
    struct m *m = rt_enter();
    if (!m)
        return -EPERM;
    struct call call = {.fn = fn, .arg = arg, .g = m->g};
    int error = borrow(m, stack_size, __builtin_frame_address(0), rt_here(), &lender);
    rt_exit(m);
    if (error)
        return error;
    lender->fn = fn;
    atomic_store_release(&call.g->stack_of, lender); /* pairs with g_stack_of() */
    context_stack_announce(&call.fake, lender->stack_low,
                           (size_t)((char *)lender - lender->stack_low));
    weft_context_call(called, &call, (void *)((uintptr_t)lender & ~(uintptr_t)15));
    context_stack_arrived(call.fake);
    atomic_store_release(&call.g->stack_of, lender->outer); /* pairs with g_stack_of() */
    m = rt_enter();
    goroutine_put(m, lender);
    rt_exit(m);
    return 0;
}
