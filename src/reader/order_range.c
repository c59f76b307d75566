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

/* The first range of a kind: all but one of a list are stops of the world. */
static uint32_t first_range(const struct reader_order *order, const struct reader_resource *on,
                            unsigned kind)
{
    if (kind != WIRE_EV_STW_BEGIN)
        return on->single;
    uint32_t first = on->ranges;
    return first != READER_ABSENT && first == on->single ? order->ranges.at[first].next : first;
}

static uint64_t stw_key(const struct reader_resource *on, uint64_t description)
{
    uint64_t key = (on->id + 0x9e3779b97f4a7c15ull) * 0xbf58476d1ce4e5b9ull;
    key = (key ^ key >> 29 ^ description) * 0x94d049bb133111ebull;
    return key ^ key >> 32;
}

bool reader_range_is_known(const struct reader_order *order, const struct reader_resource *on,
                           unsigned kind, uint64_t description)
{
    if (kind != WIRE_EV_STW_BEGIN)
        return on->single != READER_ABSENT;
    return reader_map_find(&order->stw_of, stw_key(on, description)) != READER_ABSENT;
}

static uint32_t new_range(struct reader_order *order)
{
    uint32_t range = order->free_range;
    if (range != READER_ABSENT)
        order->free_range = order->ranges.at[range].next;
    else if (READER_PUSH(&order->ranges))
        range = order->ranges.count - 1;
    return range;
}

bool reader_range_add(struct reader_order *order, struct reader_resource *on, unsigned kind,
                      uint64_t description)
{
    uint32_t range = new_range(order);
    if (range == READER_ABSENT)
        return false;
    if (kind != WIRE_EV_STW_BEGIN)
        on->single = range;
    else if (!reader_map_add(&order->stw_of, stw_key(on, description), 0))
        return false;
    struct reader_range *at = order->ranges.at;
    at[range] = (struct reader_range){description, READER_ABSENT, range, (uint8_t)kind};
    if (on->ranges == READER_ABSENT) {
        on->ranges = range;
        return true;
    }
    at[range].prev = at[on->ranges].prev;
    at[at[range].prev].next = range;
    at[on->ranges].prev = range;
    return true;
}

/* The last of the list takes the place of what is removed. */
void reader_range_remove(struct reader_order *order, struct reader_resource *on, uint32_t range)
{
    struct reader_range *at = order->ranges.at;
    uint32_t last = at[on->ranges].prev;
    if (at[range].kind == WIRE_EV_STW_BEGIN)
        reader_map_remove(&order->stw_of, stw_key(on, at[range].description));
    else
        on->single = READER_ABSENT;
    at[range].kind = at[last].kind;
    at[range].description = at[last].description;
    if (on->single == last)
        on->single = range;
    if (last == on->ranges) {
        on->ranges = READER_ABSENT;
    } else {
        at[at[last].prev].next = READER_ABSENT;
        at[on->ranges].prev = at[last].prev;
    }
    at[last].next = order->free_range;
    order->free_range = last;
}

static int begin_range(struct reader_order *order, struct reader_resource *on, unsigned kind,
                       uint64_t description)
{
    if (reader_range_is_known(order, on, kind, description))
        return reader_reject(order, "RNG-1", "range of %s begins but is under way already",
                             wire_event_specs[kind].name);
    return reader_range_add(order, on, kind, description) ? 0 : -ENOMEM;
}

/* Removes the first range of the kind. */
static int end_range(struct reader_order *order, struct reader_resource *on, unsigned kind,
                     uint64_t *description)
{
    uint32_t found = first_range(order, on, kind);
    if (found == READER_ABSENT)
        return reader_reject(order, "RNG-2", "range of %s ends but was not begun",
                             wire_event_specs[kind].name);
    *description = order->ranges.at[found].description;
    reader_range_remove(order, on, found);
    return 0;
}

static int active_range(struct reader_order *order, struct reader_resource *on, unsigned kind)
{
    bool known = reader_range_is_known(order, on, kind, 0);
    if (!reader_order_in_first(order))
        return known ? 0
                     : reader_reject(order, "RNG-6", "range of %s is active but was not begun",
                                     wire_event_specs[kind].name);
    if (known)
        return reader_reject(order, "RNG-3", "range of %s is said to be active twice",
                             wire_event_specs[kind].name);
    return reader_range_add(order, on, kind, 0) ? 0 : -ENOMEM;
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
    uint64_t description = 0;
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
    uint64_t description = 0;
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
