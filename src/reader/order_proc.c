/* SPDX-License-Identifier: MIT */
/* Procs: ordering.md 5.1. */
#include <errno.h>

#include "reader/order.h"

typedef unsigned long long ull;

READER_HANDLER(procs_change)
{
    int status = reader_order_context(order, READER_NEED_ALL);
    if (status)
        return status;
    out->kind = WEFT_EVENT_METRIC;
    out->name = READER_POOL_BIT | READER_NAME_PROCS;
    out->u.value = event->args[0];
    return READER_ADVANCE;
}

READER_HANDLER(proc_start)
{
    struct reader_resource *p = reader_resource_get(&order->procs, event->args[0]);
    if (!p || p->status != WIRE_P_IDLE || !reader_resource_is_next(order, p, event->args[1]) ||
        reader_order_self(order)->p != WEFT_ID_NONE)
        return READER_WAIT;
    int status = reader_order_context(order, READER_NEED_M | READER_NEED_NO_P);
    if (status)
        return status;
    p->status = WIRE_P_RUNNING;
    p->seq = event->args[1];
    reader_order_bind_p(order, p);
    reader_order_proc(out, p->id, WEFT_STATE_IDLE, WEFT_STATE_RUNNING);
    return READER_ADVANCE;
}

READER_HANDLER(proc_stop)
{
    (void)event;
    struct reader_resource *p = reader_order_own_p(order);
    if (!p)
        return reader_reject(order, "PRC-4", "the thread has no known proc to stop");
    if (p->status != WIRE_P_RUNNING && p->status != WIRE_P_SYSCALL)
        return reader_reject(order, "PRC-5", "proc %llu stops but is %s", (ull)p->id,
                             reader_p_status_name(p->status));
    int status = reader_order_context(order, READER_NEED_M | READER_NEED_P);
    if (status)
        return status;
    p->status = WIRE_P_IDLE;
    reader_order_unbind_p(order, order->thread);
    reader_order_proc(out, p->id, WEFT_STATE_RUNNING, WEFT_STATE_IDLE);
    return READER_ADVANCE;
}

/* Takes a proc away from the thread that it was bound to. */
static int unbind_victim(struct reader_order *order, const struct reader_resource *p, uint64_t m)
{
    const struct reader_thread *victim = reader_order_self(order);
    if (victim->id == m) {
        if (victim->p != p->id)
            return reader_reject(order, "PRC-6",
                                 "thread %lld steals proc %llu from itself but has not got it",
                                 (long long)m, (ull)p->id);
        reader_order_unbind_p(order, order->thread);
        return 0;
    }
    uint32_t index = reader_order_thread(order, m, false);
    if (index == READER_ABSENT)
        return reader_reject(order, "PRC-7", "proc %llu is stolen from unknown thread %lld",
                             (ull)p->id, (long long)m);
    victim = &order->threads.at[index];
    if (victim->p != p->id)
        return reader_reject(order, "PRC-8", "proc %llu is stolen from thread %lld, which has %s",
                             (ull)p->id, (long long)m,
                             victim->p == WEFT_ID_NONE ? "none" : "another one");
    reader_order_unbind_p(order, index);
    return 0;
}

READER_HANDLER(proc_steal)
{
    struct reader_resource *p = reader_resource_get(&order->procs, event->args[0]);
    if (!p || (p->status != WIRE_P_SYSCALL && p->status != WIRE_P_SYSCALL_ABANDONED) ||
        !reader_resource_is_next(order, p, event->args[1]))
        return READER_WAIT;
    int status = reader_order_context(order, READER_NEED_M);
    if (status)
        return status;
    bool abandoned = p->status == WIRE_P_SYSCALL_ABANDONED;
    p->status = WIRE_P_IDLE;
    p->seq = event->args[1];
    if (!abandoned) {
        status = unbind_victim(order, p, event->args[2]);
        if (status)
            return status;
    }
    reader_order_proc(out, p->id, abandoned ? WEFT_STATE_IDLE : WEFT_STATE_RUNNING,
                      WEFT_STATE_IDLE);
    return READER_ADVANCE;
}

/*
 * A proc in a system call is said to be abandoned: what was known is more, so it stays, and the
 * event is shown where the proc is bound. Of several such threads the lowest id is taken.
 */
static int promote(struct reader_order *order, const struct reader_resource *p, weft_event *out)
{
    uint32_t index;
    if (!reader_holders_first(order, reader_resource_index(&order->procs, p), &index))
        return -ENOMEM;
    if (index == READER_ABSENT)
        return reader_reject(order, "PRC-3", "abandoned proc %llu is bound to no thread",
                             (ull)p->id);
    const struct reader_thread *holder = &order->threads.at[index];
    out->m = holder->id;
    out->p = holder->p;
    out->g = holder->g;
    return 0;
}

READER_HANDLER(proc_status)
{
    uint64_t id = event->args[0];
    unsigned status = (uint8_t)event->args[1];
    if (status >= WIRE_P_STATUS_LIMIT)
        return reader_reject(order, "PRC-1", "proc %llu has status %u, which does not exist",
                             (ull)id, status);
    weft_state from = reader_p_state(status), to = from;
    bool promotion = false;
    struct reader_resource *p = reader_resource_get(&order->procs, id);
    if (p) {
        promotion = status == WIRE_P_SYSCALL_ABANDONED && p->status == WIRE_P_SYSCALL;
        if (promotion)
            from = to = WEFT_STATE_RUNNING;
        else if (p->status != status)
            return reader_reject(order, "PRC-2", "proc %llu is %s but its status says %s", (ull)id,
                                 reader_p_status_name(p->status), reader_p_status_name(status));
        reader_resource_restart(order, p);
    } else {
        p = reader_resource_add(order, &order->procs, id, status);
        if (!p)
            return -ENOMEM;
        from = reader_order_in_first(order) ? WEFT_STATE_UNDETERMINED : WEFT_STATE_NOT_EXIST;
    }
    if (status == WIRE_P_RUNNING || status == WIRE_P_SYSCALL)
        reader_order_bind_p(order, p);
    if (event->args[1] > UINT8_MAX)
        to = WEFT_STATE_UNDETERMINED;
    reader_order_proc(out, id, from, to);
    int failed = promotion ? promote(order, p, out) : 0;
    return failed ? failed : READER_ADVANCE;
}
