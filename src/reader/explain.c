/* SPDX-License-Identifier: MIT */
/* What an event waits for, said for people: the text of rule ORD-1. */
#include <stdio.h>

#include "reader/order.h"

typedef unsigned long long ull;

static void goroutine(const struct reader_order *order, const struct reader_wire_event *event,
                      const char *want, char *text, size_t size)
{
    ull id = event->args[0];
    uint32_t index = reader_map_find(&order->goroutines.of, id);
    if (index == READER_ABSENT) {
        snprintf(text, size, "waits for goroutine %llu, which is not known", id);
        return;
    }
    const struct reader_resource *g = &order->goroutines.at.at[index];
    snprintf(text, size,
             "waits for goroutine %llu to be %s with sequence number %llu to come; it is %s, its "
             "last is %llu of generation %llu",
             id, want, (ull)event->args[1], reader_g_status_name(g->status), (ull)g->seq,
             (ull)g->gen);
}

static void proc(const struct reader_order *order, const struct reader_wire_event *event,
                 const char *want, char *text, size_t size)
{
    ull id = event->args[0];
    uint32_t index = reader_map_find(&order->procs.of, id);
    if (index == READER_ABSENT) {
        snprintf(text, size, "waits for proc %llu, which is not known", id);
        return;
    }
    const struct reader_resource *p = &order->procs.at.at[index];
    snprintf(text, size,
             "waits for proc %llu to be %s with sequence number %llu to come; it is %s, its last "
             "is %llu of generation %llu",
             id, want, (ull)event->args[1], reader_p_status_name(p->status), (ull)p->seq,
             (ull)p->gen);
}

void reader_order_explain(const struct reader_order *order, const struct reader_wire_event *event,
                          char *text, size_t size)
{
    switch (event->tag) {
    case WIRE_EV_PROC_START:
        proc(order, event, "Idle (and for the thread to have none)", text, size);
        break;
    case WIRE_EV_PROC_STEAL:
        proc(order, event, "in a system call", text, size);
        break;
    case WIRE_EV_GO_START:
        goroutine(order, event, "Runnable", text, size);
        break;
    case WIRE_EV_GO_UNBLOCK:
    case WIRE_EV_GO_SWITCH:
    case WIRE_EV_GO_SWITCH_DESTROY:
        goroutine(order, event, "Waiting", text, size);
        break;
    case WIRE_EV_GO_SYSCALL_END_BLOCKED:
        snprintf(text, size, "waits for its proc to be stolen");
        break;
    default:
        snprintf(text, size, "waits for number %llu of the collector's phase; the last is %llu",
                 (ull)event->args[0], (ull)order->gc_seq);
    }
}
