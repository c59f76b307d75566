/* SPDX-License-Identifier: MIT */
/* Goroutines outside of system calls: ordering.md 5.2. */
#include <errno.h>

#include "reader/order.h"

typedef unsigned long long ull;

READER_HANDLER(go_create)
{
    int status = reader_order_context(order, READER_NEED_M | READER_NEED_P);
    if (status)
        return status;
    const struct reader_thread *self = reader_order_self(order);
    if (self->g != WEFT_ID_NONE) {
        const struct reader_resource *creator = reader_order_own_g(order);
        if (creator && creator->status != WIRE_G_RUNNING)
            return reader_reject(order, "GOR-6", "goroutine %llu creates another but is %s",
                                 (ull)creator->id, reader_g_status_name(creator->status));
    }
    uint64_t id = event->args[0];
    if (reader_resource_get(&order->goroutines, id))
        return reader_reject(order, "GOR-7", "goroutine %llu is created but exists", (ull)id);
    bool blocked = event->tag == WIRE_EV_GO_CREATE_BLOCKED;
    if (!reader_resource_add(order, &order->goroutines, id,
                             blocked ? WIRE_G_WAITING : WIRE_G_RUNNABLE))
        return -ENOMEM;
    reader_order_go(out, id, WEFT_STATE_NOT_EXIST,
                    blocked ? WEFT_STATE_WAITING : WEFT_STATE_RUNNABLE);
    return READER_ADVANCE;
}

READER_HANDLER(go_create_syscall)
{
    int status = reader_order_context(order, READER_NEED_M | READER_NEED_NO_G);
    if (status)
        return status;
    uint64_t id = event->args[0];
    if (reader_resource_get(&order->goroutines, id))
        return reader_reject(order, "GOR-8", "goroutine %llu is created but exists", (ull)id);
    struct reader_resource *g = reader_resource_add(order, &order->goroutines, id, WIRE_G_SYSCALL);
    if (!g)
        return -ENOMEM;
    reader_order_bind_g(order, g);
    reader_order_go(out, id, WEFT_STATE_NOT_EXIST, WEFT_STATE_SYSCALL);
    return READER_ADVANCE;
}

READER_HANDLER(go_start)
{
    struct reader_resource *g = reader_resource_get(&order->goroutines, event->args[0]);
    if (!g || g->status != WIRE_G_RUNNABLE || !reader_resource_is_next(order, g, event->args[1]))
        return READER_WAIT;
    int status = reader_order_context(order, READER_NEED_M | READER_NEED_P | READER_NEED_NO_G);
    if (status)
        return status;
    g->status = WIRE_G_RUNNING;
    g->seq = event->args[1];
    reader_order_bind_g(order, g);
    reader_order_go(out, g->id, WEFT_STATE_RUNNABLE, WEFT_STATE_RUNNING);
    return READER_ADVANCE;
}

/* The thread's goroutine, which must be running; NULL and *status if not. */
static inline __attribute__((always_inline)) struct reader_resource *
running_g(struct reader_order *order, int *status)
{
    *status = reader_order_context(order, READER_NEED_ALL);
    if (*status)
        return NULL;
    struct reader_resource *g = reader_order_own_g(order);
    if (!g)
        *status = reader_reject(order, "GOR-9", "goroutine %llu of the thread is not known",
                                (ull)reader_order_self(order)->g);
    else if (g->status != WIRE_G_RUNNING)
        *status = reader_reject(order, "GOR-10", "goroutine %llu is %s, not Running", (ull)g->id,
                                reader_g_status_name(g->status));
    return *status ? NULL : g;
}

READER_HANDLER(go_destroy)
{
    (void)event;
    int status;
    struct reader_resource *g = running_g(order, &status);
    if (!g)
        return status;
    reader_order_go(out, g->id, WEFT_STATE_RUNNING, WEFT_STATE_NOT_EXIST);
    reader_goroutine_remove(order, g);
    reader_order_self(order)->g = WEFT_ID_NONE;
    return READER_ADVANCE;
}

READER_HANDLER(go_stop)
{
    int status;
    struct reader_resource *g = running_g(order, &status);
    if (!g)
        return status;
    bool block = event->tag == WIRE_EV_GO_BLOCK;
    g->status = block ? WIRE_G_WAITING : WIRE_G_RUNNABLE;
    reader_order_self(order)->g = WEFT_ID_NONE;
    reader_order_go(out, g->id, WEFT_STATE_RUNNING,
                    block ? WEFT_STATE_WAITING : WEFT_STATE_RUNNABLE);
    out->name = reader_order_string(order, event->args[0]);
    return READER_ADVANCE;
}

READER_HANDLER(go_unblock)
{
    struct reader_resource *g = reader_resource_get(&order->goroutines, event->args[0]);
    if (!g || g->status != WIRE_G_WAITING || !reader_resource_is_next(order, g, event->args[1]))
        return READER_WAIT;
    g->status = WIRE_G_RUNNABLE;
    g->seq = event->args[1];
    reader_order_go(out, g->id, WEFT_STATE_WAITING, WEFT_STATE_RUNNABLE);
    return READER_ADVANCE;
}

/* A goroutine in a system call is bound to the thread that its status names. */
static int bind_syscall(struct reader_order *order, const struct reader_resource *g, uint64_t m,
                        weft_event *out)
{
    struct reader_thread *self = reader_order_self(order);
    if (m == WEFT_ID_NONE)
        return reader_reject(order, "GOR-4", "goroutine %llu is in a system call on no thread",
                             (ull)g->id);
    uint32_t index = m == self->id ? order->thread : reader_order_thread(order, m, false);
    bool known = index != READER_ABSENT;
    if (known && order->threads.at[index].g != g->id &&
        (m != self->id || !reader_order_in_first(order)))
        return reader_reject(order, "GOR-5",
                             "goroutine %llu is in a system call on thread %lld, which has %s",
                             (ull)g->id, (long long)m,
                             order->threads.at[index].g == WEFT_ID_NONE ? "none" : "another one");
    if (!known && (index = reader_order_thread(order, m, true)) == READER_ABSENT)
        return -ENOMEM;
    struct reader_thread *thread = &order->threads.at[index];
    thread->g = g->id;
    thread->g_hint = reader_resource_index(&order->goroutines, g);
    if (index != order->thread) {
        out->m = m;
        if (known)
            out->g = g->id;
    }
    return 0;
}

READER_HANDLER(go_status)
{
    uint64_t id = event->args[0];
    unsigned status = (uint8_t)event->args[2];
    if (status >= WIRE_G_STATUS_LIMIT)
        return reader_reject(order, "GOR-1", "goroutine %llu has status %u, which does not exist",
                             (ull)id, status);
    weft_state from = reader_g_state(status), to = from;
    struct reader_resource *g = reader_resource_get(&order->goroutines, id);
    if (g) {
        if (g->status != status)
            return reader_reject(order, "GOR-2", "goroutine %llu is %s but its status says %s",
                                 (ull)id, reader_g_status_name(g->status),
                                 reader_g_status_name(status));
        reader_resource_restart(order, g);
    } else {
        if (!reader_order_in_first(order))
            return reader_reject(order, "GOR-3",
                                 "status of goroutine %llu, which is not known, in generation "
                                 "%llu; the trace begins with %llu",
                                 (ull)id, (ull)order->gen->number, (ull)order->first_gen);
        g = reader_resource_add(order, &order->goroutines, id, status);
        if (!g)
            return -ENOMEM;
        from = WEFT_STATE_UNDETERMINED;
    }
    if (status == WIRE_G_RUNNING)
        reader_order_bind_g(order, g);
    else if (status == WIRE_G_SYSCALL) {
        int error = bind_syscall(order, g, event->args[1], out);
        if (error)
            return error;
    }
    reader_order_go(out, id, from, to);
    return READER_ADVANCE;
}

/* Hands the thread over from its goroutine to a waiting one: three transitions. */
READER_HANDLER(go_switch)
{
    int status;
    struct reader_resource *self = running_g(order, &status);
    if (!self)
        return status;
    struct reader_resource *next = reader_resource_get(&order->goroutines, event->args[0]);
    if (!next || next->status != WIRE_G_WAITING ||
        !reader_resource_is_next(order, next, event->args[1]))
        return READER_WAIT;
    bool destroy = event->tag == WIRE_EV_GO_SWITCH_DESTROY;
    weft_event *leave = &order->queue[0], *enter = &order->queue[1];
    *leave = *enter = *out;
    order->queued = 2;
    reader_order_go(out, next->id, WEFT_STATE_WAITING, WEFT_STATE_RUNNABLE);
    reader_order_go(leave, self->id, WEFT_STATE_RUNNING,
                    destroy ? WEFT_STATE_NOT_EXIST : WEFT_STATE_WAITING);
    reader_order_go(enter, next->id, WEFT_STATE_RUNNABLE, WEFT_STATE_RUNNING);
    enter->g = WEFT_ID_NONE;
    next->status = WIRE_G_RUNNING;
    next->seq = event->args[1];
    self->status = WIRE_G_WAITING;
    if (destroy)
        reader_goroutine_remove(order, self);
    reader_order_bind_g(order, next);
    return READER_ADVANCE_QUEUED;
}
