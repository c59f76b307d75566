/* SPDX-License-Identifier: MIT */
/* Ranges, the collector's phase and heap metrics: ordering.md 5.3, 5.4. */
#include "reader/order.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "wire/batch.h"

typedef unsigned long long ull;

static void scope(weft_event *out, weft_event_kind kind, weft_string name, weft_resource resource,
                  uint64_t id)
{
    out->kind = (uint8_t)kind;
    out->name = name;
    out->resource = (uint8_t)resource;
    out->id = id;
}

static uint32_t find_range(const struct reader_order *order, const struct reader_resource *on,
                           unsigned kind, const uint64_t *description)
{
    uint32_t i = on->ranges;
    while (i != READER_ABSENT) {
        const struct reader_range *range = &order->ranges.at[i];
        if (range->kind == kind && (!description || range->description == *description))
            break;
        i = range->next;
    }
    return i;
}

/* Appends: the order matters when one is removed. */
static int add_range(struct reader_order *order, struct reader_resource *on, unsigned kind,
                     uint64_t description)
{
    struct reader_range *range;
    if (order->free_range != READER_ABSENT) {
        range = &order->ranges.at[order->free_range];
        order->free_range = range->next;
    } else if (!(range = READER_PUSH(&order->ranges))) {
        return -ENOMEM;
    }
    *range = (struct reader_range){description, READER_ABSENT, (uint8_t)kind};
    uint32_t *link = &on->ranges;
    while (*link != READER_ABSENT)
        link = &order->ranges.at[*link].next;
    *link = (uint32_t)(range - order->ranges.at);
    return 0;
}

static int begin_range(struct reader_order *order, struct reader_resource *on, unsigned kind,
                       uint64_t description)
{
    if (find_range(order, on, kind, &description) != READER_ABSENT)
        return reader_reject(order, "RNG-1", "range of %s begins but is under way already",
                             wire_event_specs[kind].name);
    return add_range(order, on, kind, description);
}

/* Removes the first range of the kind; the last of the list takes its place. */
static int end_range(struct reader_order *order, struct reader_resource *on, unsigned kind,
                     uint64_t *description)
{
    uint32_t found = find_range(order, on, kind, NULL);
    if (found == READER_ABSENT)
        return reader_reject(order, "RNG-2", "range of %s ends but was not begun",
                             wire_event_specs[kind].name);
    *description = order->ranges.at[found].description;
    uint32_t *link = &on->ranges;
    while (order->ranges.at[*link].next != READER_ABSENT)
        link = &order->ranges.at[*link].next;
    uint32_t last = *link;
    order->ranges.at[found].kind = order->ranges.at[last].kind;
    order->ranges.at[found].description = order->ranges.at[last].description;
    *link = READER_ABSENT;
    order->ranges.at[last].next = order->free_range;
    order->free_range = last;
    return 0;
}

static int active_range(struct reader_order *order, struct reader_resource *on, unsigned kind)
{
    uint64_t none = 0;
    bool known = find_range(order, on, kind, &none) != READER_ABSENT;
    if (!reader_order_in_first(order))
        return known ? 0
                     : reader_reject(order, "RNG-6", "range of %s is active but was not begun",
                                     wire_event_specs[kind].name);
    if (known)
        return reader_reject(order, "RNG-3", "range of %s is said to be active twice",
                             wire_event_specs[kind].name);
    return add_range(order, on, kind, 0);
}

static int unknown_g(struct reader_order *order, uint64_t g)
{
    return reader_reject(order, "RNG-4", "range on goroutine %llu, which is not known", (ull)g);
}

static int unknown_p(struct reader_order *order, uint64_t p)
{
    return reader_reject(order, "RNG-5", "range on proc %llu, which is not known", (ull)p);
}

/* "stop-the-world (kind)"; the kind is empty if its string does not exist in this generation. */
static int stw_name(struct reader_order *order, uint64_t kind, weft_string *name)
{
    char text[WIRE_STRING_MAX + 32];
    const struct reader_string *string = &order->gen->strings.at[reader_order_string(order, kind)];
    size_t size = strlen(strcpy(text, "stop-the-world ("));
    memcpy(text + size, string->data, string->size);
    size += string->size;
    text[size++] = ')';
    uint32_t pooled = reader_pool_add(&order->pool, text, size);
    if (pooled == READER_ABSENT)
        return -ENOMEM;
    *name = READER_POOL_BIT | pooled;
    return 0;
}

static int stw_event(struct reader_order *order, weft_event *out, weft_event_kind kind,
                     uint64_t description)
{
    weft_string name;
    int status = stw_name(order, description, &name);
    if (status)
        return status;
    scope(out, kind, name, WEFT_RESOURCE_GOROUTINE, out->g);
    return READER_ADVANCE;
}

READER_HANDLER(stw_begin)
{
    int status = reader_order_context(order, READER_NEED_ALL);
    if (status)
        return status;
    struct reader_resource *g = reader_order_own_g(order);
    if (!g)
        return unknown_g(order, out->g);
    status = begin_range(order, g, WIRE_EV_STW_BEGIN, event->args[0]);
    return status ? status : stw_event(order, out, WEFT_EVENT_RANGE_BEGIN, event->args[0]);
}

READER_HANDLER(stw_end)
{
    (void)event;
    int status = reader_order_context(order, READER_NEED_ALL);
    if (status)
        return status;
    struct reader_resource *g = reader_order_own_g(order);
    if (!g)
        return unknown_g(order, out->g);
    uint64_t description;
    status = end_range(order, g, WIRE_EV_STW_BEGIN, &description);
    return status ? status : stw_event(order, out, WEFT_EVENT_RANGE_END, description);
}

static void gc_range(weft_event *out, weft_event_kind kind)
{
    scope(out, kind, READER_POOL_BIT | READER_NAME_GC, WEFT_RESOURCE_NONE, 0);
}

READER_HANDLER(gc_active)
{
    uint64_t seq = event->args[0];
    if (reader_order_in_first(order)) {
        if (order->gc != READER_GC_UNDETERMINED)
            return reader_reject(order, "RNG-7",
                                 "the collector's phase is told after it was known");
        order->gc = READER_GC_RUNNING;
        order->gc_seq = seq;
        gc_range(out, WEFT_EVENT_RANGE_ACTIVE);
        return READER_ADVANCE;
    }
    if (seq != order->gc_seq + 1)
        return READER_WAIT;
    if (order->gc != READER_GC_RUNNING)
        return reader_reject(order, "RNG-8", "the collector is active but not running");
    order->gc_seq = seq;
    int status = reader_order_context(order, READER_NEED_ALL);
    if (status)
        return status;
    gc_range(out, WEFT_EVENT_RANGE_ACTIVE);
    return READER_ADVANCE;
}

READER_HANDLER(gc_begin)
{
    uint64_t seq = event->args[0];
    if (order->gc == READER_GC_UNDETERMINED) {
        order->gc = READER_GC_RUNNING;
        order->gc_seq = seq;
        gc_range(out, WEFT_EVENT_RANGE_BEGIN);
        return READER_ADVANCE;
    }
    if (seq != order->gc_seq + 1)
        return READER_WAIT;
    if (order->gc == READER_GC_RUNNING)
        return reader_reject(order, "RNG-9", "the collector begins but is running");
    order->gc = READER_GC_RUNNING;
    order->gc_seq = seq;
    int status = reader_order_context(order, READER_NEED_ALL);
    if (status)
        return status;
    gc_range(out, WEFT_EVENT_RANGE_BEGIN);
    return READER_ADVANCE;
}

READER_HANDLER(gc_end)
{
    uint64_t seq = event->args[0];
    if (seq != order->gc_seq + 1)
        return READER_WAIT;
    if (order->gc == READER_GC_IDLE)
        return reader_reject(order, "RNG-10", "the collector ends but is not running");
    if (order->gc == READER_GC_UNDETERMINED)
        return reader_reject(order, "RNG-11", "the collector ends but never began");
    order->gc = READER_GC_IDLE;
    order->gc_seq = seq;
    int status = reader_order_context(order, READER_NEED_ALL);
    if (status)
        return status;
    gc_range(out, WEFT_EVENT_RANGE_END);
    return READER_ADVANCE;
}

READER_HANDLER(sweep_active)
{
    uint64_t id = event->args[0];
    struct reader_resource *p = reader_resource_get(&order->procs, id);
    if (!p)
        return unknown_p(order, id);
    int status = active_range(order, p, WIRE_EV_GC_SWEEP_BEGIN);
    if (status)
        return status;
    scope(out, WEFT_EVENT_RANGE_ACTIVE, READER_POOL_BIT | READER_NAME_SWEEP, WEFT_RESOURCE_PROC,
          id);
    return READER_ADVANCE;
}

READER_HANDLER(sweep_begin)
{
    (void)event;
    int status = reader_order_context(order, READER_NEED_M | READER_NEED_P);
    if (status)
        return status;
    struct reader_resource *p = reader_order_own_p(order);
    if (!p)
        return unknown_p(order, out->p);
    status = begin_range(order, p, WIRE_EV_GC_SWEEP_BEGIN, 0);
    if (status)
        return status;
    scope(out, WEFT_EVENT_RANGE_BEGIN, READER_POOL_BIT | READER_NAME_SWEEP, WEFT_RESOURCE_PROC,
          out->p);
    return READER_ADVANCE;
}

READER_HANDLER(sweep_end)
{
    int status = reader_order_context(order, READER_NEED_M | READER_NEED_P);
    if (status)
        return status;
    struct reader_resource *p = reader_order_own_p(order);
    if (!p)
        return unknown_p(order, out->p);
    uint64_t description;
    status = end_range(order, p, WIRE_EV_GC_SWEEP_BEGIN, &description);
    if (status)
        return status;
    scope(out, WEFT_EVENT_RANGE_END, READER_POOL_BIT | READER_NAME_SWEEP, WEFT_RESOURCE_PROC,
          out->p);
    out->argc = 2;
    out->u.sweep.bytes_swept = event->args[0];
    out->u.sweep.bytes_reclaimed = event->args[1];
    return READER_ADVANCE;
}

READER_HANDLER(assist_active)
{
    uint64_t id = event->args[0];
    struct reader_resource *g = reader_resource_get(&order->goroutines, id);
    if (!g)
        return unknown_g(order, id);
    int status = active_range(order, g, WIRE_EV_GC_MARK_ASSIST_BEGIN);
    if (status)
        return status;
    scope(out, WEFT_EVENT_RANGE_ACTIVE, READER_POOL_BIT | READER_NAME_ASSIST,
          WEFT_RESOURCE_GOROUTINE, id);
    return READER_ADVANCE;
}

/* Begin and end of a mark assist on the thread's goroutine. */
static int assist(struct reader_order *order, weft_event *out, weft_event_kind kind)
{
    int status = reader_order_context(order, READER_NEED_ALL);
    if (status)
        return status;
    struct reader_resource *g = reader_order_own_g(order);
    if (!g)
        return unknown_g(order, out->g);
    uint64_t description = 0;
    status = kind == WEFT_EVENT_RANGE_BEGIN
                 ? begin_range(order, g, WIRE_EV_GC_MARK_ASSIST_BEGIN, 0)
                 : end_range(order, g, WIRE_EV_GC_MARK_ASSIST_BEGIN, &description);
    if (status)
        return status;
    scope(out, kind, READER_POOL_BIT | READER_NAME_ASSIST, WEFT_RESOURCE_GOROUTINE, out->g);
    return READER_ADVANCE;
}

READER_HANDLER(assist_begin)
{
    (void)event;
    return assist(order, out, WEFT_EVENT_RANGE_BEGIN);
}

READER_HANDLER(assist_end)
{
    (void)event;
    return assist(order, out, WEFT_EVENT_RANGE_END);
}

READER_HANDLER(heap)
{
    int status = reader_order_context(order, READER_NEED_M | READER_NEED_P);
    if (status)
        return status;
    out->kind = WEFT_EVENT_METRIC;
    out->name = READER_POOL_BIT |
                (event->tag == WIRE_EV_HEAP_ALLOC ? READER_NAME_HEAP : READER_NAME_HEAP_GOAL);
    out->u.value = event->args[0];
    return READER_ADVANCE;
}
