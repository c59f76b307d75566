/* SPDX-License-Identifier: MIT */
/* Annotations and experiments: ordering.md 5.5. */
#include <errno.h>

#include "reader/order.h"

typedef unsigned long long ull;

READER_HANDLER(go_label)
{
    int status = reader_order_context(order, READER_NEED_ALL);
    if (status)
        return status;
    out->kind = WEFT_EVENT_LABEL;
    out->resource = WEFT_RESOURCE_GOROUTINE;
    out->id = out->g;
    out->name = reader_order_string(order, event->args[0]);
    return READER_ADVANCE;
}

/*
 * The name of a task or region, whose text is kept beyond the generation: number in the pool.
 * READER_ABSENT and *status if there is none.
 */
static uint32_t name_text(struct reader_order *order, uint64_t id, int *status)
{
    uint32_t index = reader_idmap_find(&order->gen->string_of, id);
    if (index == READER_ABSENT) {
        *status =
            reader_reject(order, "USR-2", "name is string %llu, which does not exist", (ull)id);
        return READER_ABSENT;
    }
    uint32_t text = reader_order_text(order, index);
    *status = text == READER_ABSENT ? -ENOMEM : 0;
    return text;
}

static int add_task(struct reader_order *order, uint64_t id, uint64_t parent, uint32_t text)
{
    struct reader_task *task;
    if (order->free_task != READER_ABSENT) {
        task = &order->tasks.at[order->free_task];
        order->free_task = task->next;
    } else if (!(task = READER_PUSH(&order->tasks))) {
        return -ENOMEM;
    }
    *task = (struct reader_task){parent, text, READER_ABSENT};
    if (!reader_map_add(&order->task_of, id, (uint32_t)(task - order->tasks.at)))
        return -ENOMEM;
    reader_pool_hold(&order->pool, text);
    return 0;
}

READER_HANDLER(task_begin)
{
    uint64_t id = event->args[0], parent = event->args[1];
    if (reader_map_find(&order->task_of, id) != READER_ABSENT)
        return reader_reject(order, "USR-1", "task %llu begins but is active already", (ull)id);
    int status;
    uint32_t text = name_text(order, event->args[2], &status);
    if (status)
        return status;
    if (parent == 0)
        parent = WEFT_ID_NONE;
    status = add_task(order, id, parent, text);
    if (!status)
        status = reader_order_context(order, READER_NEED_ALL);
    if (status)
        return status;
    out->kind = WEFT_EVENT_TASK_BEGIN;
    out->id = id;
    out->name = READER_POOL_BIT | text;
    out->u.parent = parent;
    return READER_ADVANCE;
}

READER_HANDLER(task_end)
{
    uint64_t id = event->args[0];
    out->kind = WEFT_EVENT_TASK_END;
    out->id = id;
    out->u.parent = WEFT_ID_NONE;
    uint32_t index = reader_map_find(&order->task_of, id);
    if (index != READER_ABSENT) {
        struct reader_task *task = &order->tasks.at[index];
        out->u.parent = task->parent;
        out->name = READER_POOL_BIT | task->text;
        reader_pool_release(&order->pool, task->text);
        reader_map_remove(&order->task_of, id);
        task->next = order->free_task;
        order->free_task = index;
    }
    int status = reader_order_context(order, READER_NEED_ALL);
    return status ? status : READER_ADVANCE;
}

/* What both ends of a region check: the context, the name and the goroutine. */
static struct reader_resource *region_g(struct reader_order *order,
                                        const struct reader_wire_event *event, uint32_t *text,
                                        int *status)
{
    *status = reader_order_context(order, READER_NEED_ALL);
    if (!*status)
        *text = name_text(order, event->args[1], status);
    if (*status)
        return NULL;
    struct reader_resource *g = reader_order_own_g(order);
    if (!g)
        *status = reader_reject(order, "USR-3", "region of goroutine %llu, which is not known",
                                (ull)reader_order_self(order)->g);
    return g;
}

static void region_event(weft_event *out, weft_event_kind kind, uint64_t task, uint32_t text)
{
    out->kind = (uint8_t)kind;
    out->id = task;
    out->name = READER_POOL_BIT | text;
}

READER_HANDLER(region_begin)
{
    int status;
    uint32_t text;
    struct reader_resource *g = region_g(order, event, &text, &status);
    if (status)
        return status;
    struct reader_region *region;
    if (order->free_region != READER_ABSENT) {
        region = &order->regions.at[order->free_region];
        order->free_region = region->next;
    } else if (!(region = READER_PUSH(&order->regions))) {
        return -ENOMEM;
    }
    *region = (struct reader_region){event->args[0], text, g->regions};
    g->regions = (uint32_t)(region - order->regions.at);
    reader_pool_hold(&order->pool, text);
    region_event(out, WEFT_EVENT_REGION_BEGIN, event->args[0], text);
    return READER_ADVANCE;
}

READER_HANDLER(region_end)
{
    int status;
    uint32_t text;
    struct reader_resource *g = region_g(order, event, &text, &status);
    if (status)
        return status;
    uint32_t top = g->regions;
    if (top != READER_ABSENT) {
        struct reader_region *region = &order->regions.at[top];
        if (region->task != event->args[0] || region->text != text)
            return reader_reject(order, "USR-4",
                                 "region %.80s of task %llu ends but the innermost open one is "
                                 "%.80s of task %llu",
                                 order->pool.texts.at[text].data, (ull)event->args[0],
                                 order->pool.texts.at[region->text].data, (ull)region->task);
        g->regions = region->next;
        reader_pool_release(&order->pool, text);
        region->next = order->free_region;
        order->free_region = top;
    }
    region_event(out, WEFT_EVENT_REGION_END, event->args[0], text);
    return READER_ADVANCE;
}

READER_HANDLER(user_log)
{
    int status = reader_order_context(order, READER_NEED_ALL);
    if (status)
        return status;
    out->kind = WEFT_EVENT_LOG;
    out->id = event->args[0];
    out->name = reader_order_string(order, event->args[1]);
    out->message = reader_order_string(order, event->args[2]);
    return READER_ADVANCE;
}

READER_HANDLER(experimental)
{
    int status = reader_order_context(order, READER_NEED_M);
    if (status)
        return status;
    out->kind = WEFT_EVENT_EXPERIMENTAL;
    out->name = READER_POOL_BIT | (uint32_t)(READER_NAME_EXPERIMENTAL + event->tag - WIRE_EV_SPAN);
    out->message = READER_POOL_BIT | READER_NAME_ALLOC_FREE;
    out->argc = wire_event_specs[event->tag].argc;
    for (unsigned i = 0; i < out->argc; i++)
        out->u.args[i] = event->args[i];
    return READER_ADVANCE;
}
