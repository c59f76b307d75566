/* SPDX-License-Identifier: MIT */
/*
 * Tables of what has a begin and an end, made as it ends: tasks, regions, ranges. What is under way
 * is kept in one list for each table, found by what it belongs to and, within that, the last begun
 * first.
 */
#include <errno.h>

#include "export/table.h"

struct span {
    uint64_t owner; /* of what: a goroutine, a task, a proc; see owner_of_range */
    uint64_t parent, g;
    int64_t begin;
    uint32_t name, stack;
    uint32_t outer; /* index of the span of the same owner that was begun before */
    uint8_t resource;
    bool open, seen; /* seen: began within the trace */
};

struct spans {
    struct reader_map last; /* owner → the span begun last */
    READER_VEC(struct span) all;
    READER_VEC(uint32_t) unused;
};

static uint32_t take(struct spans *spans)
{
    if (spans->unused.count)
        return spans->unused.at[--spans->unused.count];
    return READER_PUSH(&spans->all) ? spans->all.count - 1 : READER_ABSENT;
}

/* Begins a span. NULL when memory is exhausted. */
static struct span *begin(weft_rows *rows, struct spans *spans, uint64_t owner,
                          const weft_event *event)
{
    uint32_t outer = reader_map_find(&spans->last, owner), index = take(spans);
    if (index == READER_ABSENT)
        return NULL;
    reader_map_remove(&spans->last, owner);
    struct span *span = &spans->all.at[index];
    *span = (struct span){.owner = owner,
                          .parent = WEFT_ID_NONE,
                          .g = event->g,
                          .begin = event->time,
                          .name = analysis_intern_text(table_intern(rows), event->name),
                          .stack = analysis_intern_stack(table_intern(rows), event->stack),
                          .outer = outer,
                          .resource = event->resource,
                          .open = true,
                          .seen = true};
    bool ok = span->name != READER_ABSENT && reader_map_add(&spans->last, owner, index);
    return ok ? span : NULL;
}

/* The span of an owner that was begun last, of a name unless that is READER_ABSENT; or
 * READER_ABSENT. */
static uint32_t find(const struct spans *spans, uint64_t owner, uint32_t name)
{
    uint32_t index = reader_map_find(&spans->last, owner);
    while (index != READER_ABSENT && name != READER_ABSENT && spans->all.at[index].name != name)
        index = spans->all.at[index].outer;
    return index;
}

/* Takes a span out of its owner's list. False when memory is exhausted. */
static bool drop(struct spans *spans, uint32_t index)
{
    struct span *span = &spans->all.at[index];
    uint32_t at = reader_map_find(&spans->last, span->owner);
    bool ok = true;
    span->open = false;
    if (at == index) {
        reader_map_remove(&spans->last, span->owner);
        if (span->outer != READER_ABSENT)
            ok = reader_map_add(&spans->last, span->owner, span->outer);
    } else {
        while (spans->all.at[at].outer != index)
            at = spans->all.at[at].outer;
        spans->all.at[at].outer = span->outer;
    }
    uint32_t *slot = READER_PUSH(&spans->unused);
    if (slot)
        *slot = index;
    return ok && slot;
}

static void put_span(weft_rows *rows, int64_t begin_time, int64_t end_time)
{
    table_integer(rows, begin_time);
    table_integer(rows, end_time);
    table_integer(rows, (int64_t)((uint64_t)end_time - (uint64_t)begin_time));
}

static void spans_stop(void *state)
{
    struct spans *spans = state;
    reader_map_fini(&spans->last);
    READER_VEC_FINI(&spans->all);
    READER_VEC_FINI(&spans->unused);
}

/* Ends what is under way at the end of the trace: row makes a row of it. */
static int finish_spans(weft_rows *rows, struct spans *spans,
                        int (*row)(weft_rows *, const struct span *, const weft_event *))
{
    int status = 0;
    for (uint32_t i = 0; i < spans->all.count && !status; i++)
        if (spans->all.at[i].open)
            status = row(rows, &spans->all.at[i], NULL);
    return status;
}

#define SPAN_COLUMNS                                                                               \
    {"begin", TABLE_INTEGER, 0, "ns; the trace's begin for what began before"},                    \
        {"end", TABLE_INTEGER, 0, "ns; the trace's end for what ends later"},                      \
    {                                                                                              \
        "duration", TABLE_INTEGER, 0, "end - begin"                                                \
    }
#define WHOLE_COLUMN                                                                               \
    {                                                                                              \
        "whole", TABLE_INTEGER, 0, "1 if both ends are within the trace"                           \
    }

/* -------- tasks -------- */

static const weft_column task_columns[] = {
    {"id", TABLE_INTEGER, 1, "task"},
    {"parent", TABLE_INTEGER, 0, "the task that it is part of"},
    {"type", TABLE_TEXT, 0, "its name"},
    SPAN_COLUMNS,
    {"g", TABLE_INTEGER, 1, "goroutine that began it"},
    {"end_g", TABLE_INTEGER, 0, "goroutine that ended it"},
    {"stack", TABLE_INTEGER, 1, "where it was begun"},
    WHOLE_COLUMN,
};

static int task_row(weft_rows *rows, const struct span *span, const weft_event *end)
{
    if (table_row(rows) != 0)
        return -ENOMEM;
    table_id(rows, span->owner);
    table_id(rows, span->parent);
    table_interned(rows, span->name);
    put_span(rows, span->begin, table_last(rows));
    table_id(rows, span->g);
    table_id(rows, end ? end->g : WEFT_ID_NONE);
    table_number(rows, span->stack);
    table_integer(rows, end && span->seen);
    return 0;
}

static int unknown_task_row(weft_rows *rows, const weft_event *end, int64_t begin_time)
{
    struct span span = {.owner = end->id,
                        .parent = end->u.parent,
                        .g = WEFT_ID_NONE,
                        .begin = begin_time,
                        .name = analysis_intern_text(table_intern(rows), end->name)};
    return span.name == READER_ABSENT ? -ENOMEM : task_row(rows, &span, end);
}

/* Time of the first event, which is where spans begin whose begin is not in the trace. */
struct annotated {
    struct spans spans;
    int64_t first;
};

static void note_first(weft_rows *rows, struct annotated *annotated, const weft_event *event)
{
    if (table_sequence(rows) == 1)
        annotated->first = event->time;
}

static int tasks_event(weft_rows *rows, void *state, const weft_event *event)
{
    struct annotated *tasks = state;
    note_first(rows, tasks, event);
    if (event->kind == WEFT_EVENT_TASK_BEGIN) {
        struct span *span = begin(rows, &tasks->spans, event->id, event);
        if (span)
            span->parent = event->u.parent;
        return span ? 0 : -ENOMEM;
    }
    if (event->kind != WEFT_EVENT_TASK_END)
        return 0;
    uint32_t index = find(&tasks->spans, event->id, READER_ABSENT);
    if (index == READER_ABSENT)
        return unknown_task_row(rows, event, tasks->first);
    int status = task_row(rows, &tasks->spans.all.at[index], event);
    return status ? status : drop(&tasks->spans, index) ? 0 : -ENOMEM;
}

static int tasks_finish(weft_rows *rows, void *state)
{
    return finish_spans(rows, &((struct annotated *)state)->spans, task_row);
}

static void annotated_stop(void *state)
{
    spans_stop(&((struct annotated *)state)->spans);
}

const struct table_maker table_tasks = {
    .table = {"tasks", "tasks of the program", TABLE_COLUMNS(task_columns), 4},
    .is_timed = true,
    .state_size = sizeof(struct annotated),
    .event = tasks_event,
    .finish = tasks_finish,
    .stop = annotated_stop,
};

/* -------- regions -------- */

static const weft_column region_columns[] = {
    {"g", TABLE_INTEGER, 1, "goroutine"},
    {"task", TABLE_INTEGER, 1, "task, 0 being that of the whole program"},
    {"type", TABLE_TEXT, 0, "its name"},
    SPAN_COLUMNS,
    {"stack", TABLE_INTEGER, 1, "where it was begun"},
    WHOLE_COLUMN,
};

/* The task stands where tasks have their parent. */
static int region_row(weft_rows *rows, const struct span *span, const weft_event *end)
{
    if (table_row(rows) != 0)
        return -ENOMEM;
    table_id(rows, span->g);
    table_id(rows, span->parent);
    table_interned(rows, span->name);
    put_span(rows, span->begin, table_last(rows));
    table_number(rows, span->stack);
    table_integer(rows, end && span->seen);
    return 0;
}

static int unknown_region_row(weft_rows *rows, const weft_event *end, int64_t begin_time)
{
    struct span span = {.owner = end->g,
                        .parent = end->id,
                        .g = end->g,
                        .begin = begin_time,
                        .name = analysis_intern_text(table_intern(rows), end->name)};
    return span.name == READER_ABSENT ? -ENOMEM : region_row(rows, &span, end);
}

static int regions_event(weft_rows *rows, void *state, const weft_event *event)
{
    struct annotated *regions = state;
    note_first(rows, regions, event);
    if (event->kind == WEFT_EVENT_REGION_BEGIN) {
        struct span *span = begin(rows, &regions->spans, event->g, event);
        if (span)
            span->parent = event->id;
        return span ? 0 : -ENOMEM;
    }
    if (event->kind != WEFT_EVENT_REGION_END)
        return 0;
    uint32_t index = find(&regions->spans, event->g, READER_ABSENT);
    if (index == READER_ABSENT)
        return unknown_region_row(rows, event, regions->first);
    int status = region_row(rows, &regions->spans.all.at[index], event);
    return status ? status : drop(&regions->spans, index) ? 0 : -ENOMEM;
}

static int regions_finish(weft_rows *rows, void *state)
{
    return finish_spans(rows, &((struct annotated *)state)->spans, region_row);
}

const struct table_maker table_regions = {
    .table = {"regions", "regions of the program's code, within a goroutine",
              TABLE_COLUMNS(region_columns), 4},
    .is_timed = true,
    .state_size = sizeof(struct annotated),
    .event = regions_event,
    .finish = regions_finish,
    .stop = annotated_stop,
};

/* -------- ranges -------- */

static const weft_column range_columns[] = {
    {"name", TABLE_TEXT, 0, "stop-the-world (…), GC concurrent mark phase, …"},
    {"resource", TABLE_TEXT, 0, "goroutine or proc, null for the whole program"},
    {"id", TABLE_INTEGER, 1, "which one"},
    SPAN_COLUMNS,
    {"g", TABLE_INTEGER, 1, "goroutine that began it"},
    {"stack", TABLE_INTEGER, 1, "where it was begun"},
    {"bytes_swept", TABLE_INTEGER, 0, "sweeps: bytes looked at"},
    {"bytes_reclaimed", TABLE_INTEGER, 0, "sweeps: bytes freed"},
    WHOLE_COLUMN,
};

/* One number for goroutines and procs; ids that do not fit share an owner with others. */
static uint64_t owner_of_range(const weft_event *event)
{
    if (event->resource == WEFT_RESOURCE_NONE)
        return WEFT_RESOURCE_NONE;
    return event->id << 2 | event->resource;
}

/* The id is kept as the parent. */
static int range_row(weft_rows *rows, const struct span *span, const weft_event *end)
{
    if (table_row(rows) != 0)
        return -ENOMEM;
    table_interned(rows, span->name);
    table_word(rows, table_resource(span->resource));
    table_id(rows, span->parent);
    put_span(rows, span->begin, table_last(rows));
    table_id(rows, span->g);
    table_number(rows, span->stack);
    bool swept = end && end->argc == 2;
    table_id(rows, swept ? end->u.sweep.bytes_swept : WEFT_ID_NONE);
    table_id(rows, swept ? end->u.sweep.bytes_reclaimed : WEFT_ID_NONE);
    table_integer(rows, end && span->seen);
    return 0;
}

static int range_begin(weft_rows *rows, struct spans *spans, const weft_event *event)
{
    struct span *span = begin(rows, spans, owner_of_range(event), event);
    if (!span)
        return -ENOMEM;
    if (event->resource != WEFT_RESOURCE_NONE)
        span->parent = event->id;
    span->seen = event->kind == WEFT_EVENT_RANGE_BEGIN;
    if (!span->seen) {
        span->begin = table_sync(rows);
        span->g = WEFT_ID_NONE;
    }
    return 0;
}

static int ranges_event(weft_rows *rows, void *state, const weft_event *event)
{
    struct spans *spans = state;
    if (event->kind < WEFT_EVENT_RANGE_BEGIN || event->kind > WEFT_EVENT_RANGE_END)
        return 0;
    uint32_t name = analysis_intern_text(table_intern(rows), event->name);
    if (name == READER_ABSENT)
        return -ENOMEM;
    if (event->kind == WEFT_EVENT_RANGE_BEGIN)
        return range_begin(rows, spans, event);
    uint32_t index = find(spans, owner_of_range(event), name);
    if (event->kind == WEFT_EVENT_RANGE_ACTIVE)
        return index == READER_ABSENT ? range_begin(rows, spans, event) : 0;
    if (index == READER_ABSENT)
        return 0;
    int status = range_row(rows, &spans->all.at[index], event);
    return status ? status : drop(spans, index) ? 0 : -ENOMEM;
}

static int ranges_finish(weft_rows *rows, void *state)
{
    return finish_spans(rows, state, range_row);
}

const struct table_maker table_ranges = {
    .table = {"ranges", "stops of the world, collections, sweeps, mark assists",
              TABLE_COLUMNS(range_columns), 4},
    .is_timed = true,
    .state_size = sizeof(struct spans),
    .event = ranges_event,
    .finish = ranges_finish,
    .stop = spans_stop,
};
