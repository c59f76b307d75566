/* SPDX-License-Identifier: MIT */
/*
 * Corners: when memory is exhausted in keeping this up it is switched off, and made again by who
 * asks next, which can say so.
 */
#include "reader/order.h"

void reader_holders_init(struct reader_holders *holders, struct reader_budget *budget)
{
    *holders = (struct reader_holders){0};
    holders->threads.at.budget = holders->of.budget = budget;
}

void reader_holders_fini(struct reader_holders *holders)
{
    READER_VEC_FINI(&holders->threads.at);
    READER_VEC_FINI(&holders->of);
}

/* A thread that is in no heap is its own child. */
static void set_alone(struct reader_holders *holders, uint32_t thread)
{
    holders->threads.at.at[thread].child = thread;
}

static bool is_alone(const struct reader_holders *holders, uint32_t thread)
{
    return thread >= holders->threads.at.count || holders->threads.at.at[thread].child == thread;
}

/* Makes room for the threads and procs that are new. */
static bool make_room(struct reader_order *order)
{
    struct reader_holders *holders = &order->holders;
    while (holders->threads.at.count < order->threads.count) {
        if (!READER_PUSH(&holders->threads.at))
            return false;
        set_alone(holders, holders->threads.at.count - 1);
    }
    while (holders->of.count < order->procs.at.count) {
        uint32_t *heap = READER_PUSH(&holders->of);
        if (!heap)
            return false;
        *heap = READER_ABSENT;
    }
    return true;
}

/* The record of the thread's proc, NULL if it has none. */
static const struct reader_resource *proc_of(struct reader_order *order, uint32_t index)
{
    struct reader_thread *thread = &order->threads.at[index];
    if (thread->p == WEFT_ID_NONE)
        return NULL;
    return reader_resource_find(&order->procs, thread->p, &thread->p_hint);
}

static bool add(struct reader_order *order, uint32_t thread)
{
    struct reader_holders *holders = &order->holders;
    const struct reader_resource *proc = proc_of(order, thread);
    if (!proc)
        return true;
    if (!make_room(order))
        return false;
    uint32_t *heap = &holders->of.at[reader_resource_index(&order->procs, proc)];
    int64_t id = (int64_t)order->threads.at[thread].id;
    *heap = reader_pairing_meld(&holders->threads, *heap,
                                reader_pairing_single(&holders->threads, thread, id));
    return true;
}

void reader_holders_bind(struct reader_order *order, uint32_t thread)
{
    order->holders.on = add(order, thread);
}

void reader_holders_unbind(struct reader_order *order, uint32_t thread)
{
    struct reader_holders *holders = &order->holders;
    const struct reader_resource *proc = proc_of(order, thread);
    if (!proc || is_alone(holders, thread))
        return;
    uint32_t *heap = &holders->of.at[reader_resource_index(&order->procs, proc)];
    *heap = reader_pairing_remove(&holders->threads, *heap, thread);
    set_alone(holders, thread);
}

/* Thread 0 is "no thread", to which nothing is bound for long. */
static bool make(struct reader_order *order)
{
    order->holders.threads.at.count = order->holders.of.count = 0;
    for (uint32_t i = 1; i < order->threads.count; i++)
        if (!add(order, i))
            return false;
    return make_room(order);
}

bool reader_holders_first(struct reader_order *order, uint32_t proc, uint32_t *thread)
{
    struct reader_holders *holders = &order->holders;
    holders->on = holders->on ? make_room(order) : make(order);
    if (holders->on)
        *thread = holders->of.at[proc];
    return holders->on;
}
