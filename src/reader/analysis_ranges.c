/* SPDX-License-Identifier: MIT */
/*
 * Ranges. Each scope (a goroutine, a proc, the whole program) has a list of the ranges under way. A
 * range that ends counts for its name in the whole trace; and for a goroutine, if it is the scope,
 * or if the scope is a proc and the goroutine was in the context of both begin and end.
 */
#include <errno.h>

#include "reader/analysis_summary.h"

static struct analysis_goroutine *goroutine(struct weft_summary *summary, uint64_t id)
{
    uint32_t index =
        id == WEFT_ID_NONE ? READER_ABSENT : analysis_ids_find(&summary->goroutine_of, id);
    return index == READER_ABSENT ? NULL : &summary->goroutines.at[index];
}

/* The list of ranges under way in the scope of an event, or NULL for an unknown scope. */
static uint32_t *scope_of(struct weft_summary *summary, const weft_event *event)
{
    if (event->resource == WEFT_RESOURCE_NONE)
        return &summary->open_ranges;
    if (event->resource == WEFT_RESOURCE_GOROUTINE) {
        struct analysis_goroutine *g = goroutine(summary, event->id);
        return g ? &g->open_ranges : NULL;
    }
    uint32_t index = analysis_ids_find(&summary->proc_of, event->id);
    return index == READER_ABSENT ? NULL : &summary->procs.at[index].open_ranges;
}

static uint32_t find(const struct weft_summary *summary, uint32_t list, uint32_t name)
{
    while (list != READER_ABSENT && summary->nodes.at[list].name != name)
        list = summary->nodes.at[list].next;
    return list;
}

static int credit(struct weft_summary *summary, uint32_t *list, uint32_t name, int64_t time)
{
    uint32_t node = analysis_node_get(summary, list, name);
    if (node == READER_ABSENT)
        return -ENOMEM;
    analysis_node_add(summary, node, time);
    return 0;
}

/* Ends a range of the list: counts it for the program, and for a goroutine unless that is NULL. */
static int range_end(struct weft_summary *summary, uint32_t *open, uint32_t node,
                     struct analysis_goroutine *g, int64_t time)
{
    uint32_t name = summary->nodes.at[node].name;
    int64_t spent = analysis_span(summary->nodes.at[node].time, time);
    analysis_node_remove(summary, open, node);
    int status = credit(summary, &summary->ranges, name, spent);
    return status || !g ? status : credit(summary, &g->ranges, name, spent);
}

int analysis_ranges_close(struct weft_summary *summary, uint32_t *open,
                          struct analysis_goroutine *g, int64_t time)
{
    int status = 0;
    while (*open != READER_ABSENT && !status)
        status = range_end(summary, open, *open, g, time);
    return status;
}

static int range_begin(struct weft_summary *summary, const weft_event *event, uint32_t *open,
                       uint32_t name)
{
    bool active = event->kind == WEFT_EVENT_RANGE_ACTIVE;
    if (active && find(summary, *open, name) != READER_ABSENT)
        return 0;
    uint32_t node = analysis_node_push(summary, open, name);
    if (node == READER_ABSENT)
        return -ENOMEM;
    summary->nodes.at[node].time = active ? summary->sync : event->time;
    summary->nodes.at[node].count = event->g;
    summary->totals.gc_cycles += event->resource == WEFT_RESOURCE_NONE;
    return 0;
}

int analysis_range_event(struct weft_summary *summary, const weft_event *event)
{
    uint32_t name = analysis_intern_text(&summary->intern, event->name);
    if (name == READER_ABSENT)
        return -ENOMEM;
    uint32_t *open = scope_of(summary, event);
    if (!open)
        return 0;
    if (event->kind != WEFT_EVENT_RANGE_END)
        return range_begin(summary, event, open, name);
    uint32_t node = find(summary, *open, name);
    if (node == READER_ABSENT)
        return 0;
    uint64_t owner = WEFT_ID_NONE;
    if (event->resource == WEFT_RESOURCE_GOROUTINE)
        owner = event->id;
    else if (event->resource == WEFT_RESOURCE_PROC && summary->nodes.at[node].count == event->g)
        owner = event->g;
    return range_end(summary, open, node, goroutine(summary, owner), event->time);
}
