/* SPDX-License-Identifier: MIT */
/* Goroutines in system calls: ordering.md 5.2. */
#include "reader/order.h"

typedef unsigned long long ull;

static int unknown_g(struct reader_order *order)
{
    return reader_reject(order, "GOR-9", "goroutine %llu of the thread is not known",
                         (ull)reader_order_self(order)->g);
}

static int unknown_p(struct reader_order *order)
{
    return reader_reject(order, "PRC-9", "proc %llu of the thread is not known",
                         (ull)reader_order_self(order)->p);
}

READER_HANDLER(go_syscall_begin)
{
    int status = reader_order_context(order, READER_NEED_ALL);
    if (status)
        return status;
    struct reader_resource *g = reader_order_own_g(order), *p = reader_order_own_p(order);
    if (!g)
        return unknown_g(order);
    if (g->status != WIRE_G_RUNNING)
        return reader_reject(order, "GOR-10", "goroutine %llu is %s, not Running", (ull)g->id,
                             reader_g_status_name(g->status));
    if (!p)
        return unknown_p(order);
    if (!reader_resource_is_next(order, p, event->args[0]))
        return reader_reject(order, "PRC-11",
                             "system call with sequence number %llu of proc %llu, whose last is "
                             "%llu of generation %llu",
                             (ull)event->args[0], (ull)p->id, (ull)p->seq, (ull)p->gen);
    g->status = WIRE_G_SYSCALL;
    p->status = WIRE_P_SYSCALL;
    p->seq = event->args[0];
    reader_order_go(out, g->id, WEFT_STATE_RUNNING, WEFT_STATE_SYSCALL);
    return READER_ADVANCE;
}

READER_HANDLER(go_syscall_end)
{
    (void)event;
    int status = reader_order_context(order, READER_NEED_ALL);
    if (status)
        return status;
    struct reader_resource *g = reader_order_own_g(order), *p = reader_order_own_p(order);
    if (!g)
        return unknown_g(order);
    if (g->status != WIRE_G_SYSCALL)
        return reader_reject(order, "GOR-12", "goroutine %llu ends a system call but is %s",
                             (ull)g->id, reader_g_status_name(g->status));
    if (!p)
        return unknown_p(order);
    if (p->status != WIRE_P_SYSCALL)
        return reader_reject(order, "PRC-12", "proc %llu ends a system call but is %s", (ull)p->id,
                             reader_p_status_name(p->status));
    g->status = WIRE_G_RUNNING;
    p->status = WIRE_P_RUNNING;
    reader_order_go(out, g->id, WEFT_STATE_SYSCALL, WEFT_STATE_RUNNING);
    return READER_ADVANCE;
}

/* The proc was taken away in the system call: that must have been seen before. */
READER_HANDLER(go_syscall_end_blocked)
{
    (void)event;
    struct reader_thread *self = reader_order_self(order);
    if (self->p != WEFT_ID_NONE) {
        const struct reader_resource *p = reader_order_own_p(order);
        if (!p)
            return unknown_p(order);
        if (p->status == WIRE_P_SYSCALL)
            return READER_WAIT;
    }
    int status = reader_order_context(order, READER_NEED_M | READER_NEED_G);
    if (status)
        return status;
    struct reader_resource *g = reader_order_own_g(order);
    if (!g)
        return unknown_g(order);
    if (g->status != WIRE_G_SYSCALL)
        return reader_reject(order, "GOR-12", "goroutine %llu ends a system call but is %s",
                             (ull)g->id, reader_g_status_name(g->status));
    g->status = WIRE_G_RUNNABLE;
    self->g = WEFT_ID_NONE;
    reader_order_go(out, g->id, WEFT_STATE_SYSCALL, WEFT_STATE_RUNNABLE);
    return READER_ADVANCE;
}

/* The proc stays behind in the system call, without a thread. */
static int abandon_p(struct reader_order *order, weft_event *out)
{
    struct reader_resource *p = reader_order_own_p(order);
    if (!p)
        return unknown_p(order);
    if (p->status != WIRE_P_SYSCALL)
        return reader_reject(order, "PRC-10",
                             "goroutine is destroyed in a system call but proc %llu is %s",
                             (ull)p->id, reader_p_status_name(p->status));
    p->status = WIRE_P_SYSCALL_ABANDONED;
    reader_order_unbind_p(order, order->thread);
    order->queue[0] = *out;
    order->queued = 1;
    *out =
        (weft_event){.time = out->time, .m = out->m, .p = out->p, .g = out->g, .wire = out->wire};
    reader_order_proc(out, p->id, WEFT_STATE_RUNNING, WEFT_STATE_IDLE);
    return READER_ADVANCE_QUEUED;
}

READER_HANDLER(go_destroy_syscall)
{
    (void)event;
    int status = reader_order_context(order, READER_NEED_M | READER_NEED_G);
    if (status)
        return status;
    struct reader_thread *self = reader_order_self(order);
    struct reader_resource *g = reader_order_own_g(order);
    if (!g)
        return unknown_g(order);
    if (g->status != WIRE_G_SYSCALL)
        return reader_reject(order, "GOR-11",
                             "goroutine %llu is destroyed in a system call but is %s", (ull)g->id,
                             reader_g_status_name(g->status));
    reader_order_go(out, g->id, WEFT_STATE_SYSCALL, WEFT_STATE_NOT_EXIST);
    reader_goroutine_remove(order, g);
    self->g = WEFT_ID_NONE;
    return self->p == WEFT_ID_NONE ? READER_ADVANCE : abandon_p(order, out);
}
