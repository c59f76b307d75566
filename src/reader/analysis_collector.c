/* SPDX-License-Identifier: MIT */
/*
 * Stops of the world and collections.
 *
 * Design: ranges under way are a short list, looked through from its end: a stop, an assist or a
 * sweep for each goroutine or proc at most. A background worker says what it is when it starts to
 * run, with a label; what it does until it stops running is work. All is counted for the last cycle
 * that began.
 */
#define _GNU_SOURCE /* memmem */

#include <errno.h>
#include <string.h>

#include <weft/collector.h>

#include "reader/analysis_intern.h"
#include "reader/analysis_summary.h"
#include "wire/events.h"

enum range_kind { RANGE_OTHER, RANGE_STW, RANGE_MARK, RANGE_ASSIST, RANGE_SWEEP, RANGE_WORKER };

struct open_range {
    int64_t begin;
    uint64_t id, goroutine;
    uint32_t name, stack;
    uint8_t resource, kind;
    bool idle; /* of a worker */
};

struct pause_group {
    uint32_t name;
    weft_histogram *lengths;
};

struct weft_collector {
    struct analysis_intern intern;
    READER_VEC(struct open_range) open;
    READER_VEC(weft_pause) pauses;
    READER_VEC(struct pause_group) groups;
    READER_VEC(weft_cycle) cycles;
    READER_VEC(uint8_t) kinds; /* by text of a range's name: enum range_kind + 1 */
    uint64_t heap, goal;
    uint64_t workers; /* open ranges that are workers */
    int64_t begin, last, sync;
    bool started, finished;
};

int weft_collector_new(weft_collector **out, const weft_reader *reader)
{
    weft_collector *collector = *out = calloc(1, sizeof *collector);
    if (!collector)
        return -ENOMEM;
    if (analysis_intern_init(&collector->intern, reader))
        return 0;
    weft_collector_free(collector);
    *out = NULL;
    return -ENOMEM;
}

/* -------- names -------- */

static bool is(weft_text text, const char *name)
{
    return text.size == strlen(name) && memcmp(text.data, name, text.size) == 0;
}

static bool begins(weft_text text, const char *prefix)
{
    return text.size >= strlen(prefix) && memcmp(text.data, prefix, strlen(prefix)) == 0;
}

static uint8_t kind_of_name(weft_text name)
{
    if (begins(name, "stop-the-world"))
        return RANGE_STW;
    if (is(name, "GC concurrent mark phase"))
        return RANGE_MARK;
    if (is(name, "GC mark assist"))
        return RANGE_ASSIST;
    return is(name, "GC incremental sweep") ? RANGE_SWEEP : RANGE_OTHER;
}

/* The kind of a range by its name, or READER_ABSENT when memory is exhausted. */
static uint32_t kind_of(weft_collector *collector, uint32_t text)
{
    while (collector->kinds.count <= text) {
        uint8_t *slot = READER_PUSH(&collector->kinds);
        if (!slot)
            return READER_ABSENT;
        *slot = 0;
    }
    uint8_t *known = &collector->kinds.at[text];
    if (*known == 0)
        *known = 1 + kind_of_name(analysis_intern_get(&collector->intern, text));
    return *known - 1u;
}

/* -------- what has ended -------- */

static weft_cycle *current(weft_collector *collector)
{
    return collector->cycles.count ? &collector->cycles.at[collector->cycles.count - 1] : NULL;
}

static weft_histogram *group_lengths(weft_collector *collector, uint32_t name)
{
    for (uint32_t i = 0; i < collector->groups.count; i++)
        if (collector->groups.at[i].name == name)
            return collector->groups.at[i].lengths;
    weft_histogram *lengths = calloc(1, sizeof *lengths);
    struct pause_group *group = lengths ? READER_PUSH(&collector->groups) : NULL;
    if (!group) {
        free(lengths);
        return NULL;
    }
    *group = (struct pause_group){name, lengths};
    return lengths;
}

static int end_pause(weft_collector *collector, const struct open_range *range, int64_t time)
{
    weft_text name = analysis_intern_get(&collector->intern, range->name);
    weft_histogram *lengths = group_lengths(collector, range->name);
    weft_pause *pause = lengths ? READER_PUSH(&collector->pauses) : NULL;
    if (!pause)
        return -ENOMEM;
    int64_t length = analysis_span(range->begin, time);
    *pause = (weft_pause){range->begin, time, range->goroutine, range->stack, name};
    weft_histogram_add(lengths, length);
    weft_cycle *cycle = current(collector);
    if (cycle && range->begin >= cycle->begin && memmem(name.data, name.size, "GC", 2)) {
        cycle->pauses++;
        analysis_add(&cycle->pause_time, length);
        analysis_raise(&cycle->pause_most, length);
    }
    return 0;
}

static void end_mark(weft_collector *collector, int64_t time, bool seen)
{
    weft_cycle *cycle = current(collector);
    if (!cycle)
        return;
    cycle->end = time;
    cycle->seen_end = seen;
    cycle->heap_after = seen ? collector->heap : 0;
}

/* Counts a range that ends for the current cycle; one from before the first counts for none. */
static int end_range(weft_collector *collector, const struct open_range *range, int64_t time,
                     const weft_event *event)
{
    weft_cycle *cycle = current(collector);
    int64_t length = analysis_span(range->begin, time);
    if (range->kind == RANGE_STW)
        return end_pause(collector, range, time);
    if (range->kind == RANGE_MARK)
        end_mark(collector, time, event != NULL);
    if (!cycle)
        return 0;
    if (range->kind == RANGE_ASSIST) {
        cycle->assists++;
        analysis_add(&cycle->assist_time, length);
    } else if (range->kind == RANGE_SWEEP) {
        cycle->sweeps++;
        analysis_add(&cycle->sweep_time, length);
        if (event && event->argc == 2) {
            cycle->bytes_swept += event->u.sweep.bytes_swept;
            cycle->bytes_reclaimed += event->u.sweep.bytes_reclaimed;
        }
    } else if (range->kind == RANGE_WORKER) {
        analysis_add(range->idle ? &cycle->idle_time : &cycle->worker_time, length);
    }
    return 0;
}

/* -------- what begins -------- */

static int begin_cycle(weft_collector *collector, int64_t time, bool seen)
{
    weft_cycle *cycle = READER_PUSH(&collector->cycles);
    if (!cycle)
        return -ENOMEM;
    *cycle = (weft_cycle){.begin = time,
                          .end = time,
                          .seen_begin = seen,
                          .heap_before = seen ? collector->heap : 0,
                          .heap_most = collector->heap,
                          .goal = collector->goal};
    return 0;
}

/* The open range of a scope, or READER_ABSENT. */
static uint32_t find(const weft_collector *collector, uint8_t kind, uint8_t resource, uint64_t id,
                     uint32_t name)
{
    for (uint32_t i = collector->open.count; i-- > 0;) {
        const struct open_range *range = &collector->open.at[i];
        if (range->kind == kind && range->id == id && range->resource == resource &&
            range->name == name)
            return i;
    }
    return READER_ABSENT;
}

static int begin_range(weft_collector *collector, const weft_event *event, uint8_t kind,
                       uint32_t name)
{
    bool active = event->kind == WEFT_EVENT_RANGE_ACTIVE;
    if (active && find(collector, kind, event->resource, event->id, name) != READER_ABSENT)
        return 0;
    int64_t begin = active ? collector->sync : event->time;
    struct open_range *range = READER_PUSH(&collector->open);
    uint32_t stack = analysis_intern_stack(&collector->intern, event->stack);
    if (!range || stack == READER_ABSENT)
        return -ENOMEM;
    *range =
        (struct open_range){begin, event->id, event->g, name, stack, event->resource, kind, false};
    return kind == RANGE_MARK ? begin_cycle(collector, begin, !active) : 0;
}

static int close_range(weft_collector *collector, uint32_t index, int64_t time,
                       const weft_event *event)
{
    struct open_range range = collector->open.at[index];
    collector->open.at[index] = collector->open.at[--collector->open.count];
    return end_range(collector, &range, time, event);
}

/* -------- events -------- */

static int range_event(weft_collector *collector, const weft_event *event)
{
    uint32_t name = analysis_intern_text(&collector->intern, event->name);
    uint32_t kind = name == READER_ABSENT ? name : kind_of(collector, name);
    if (kind == READER_ABSENT)
        return -ENOMEM;
    if (kind == RANGE_OTHER)
        return 0;
    if (event->kind != WEFT_EVENT_RANGE_END)
        return begin_range(collector, event, (uint8_t)kind, name);
    uint32_t index = find(collector, (uint8_t)kind, event->resource, event->id, name);
    return index == READER_ABSENT ? 0 : close_range(collector, index, event->time, event);
}

static void metric_event(weft_collector *collector, const weft_event *event)
{
    if (event->wire == WIRE_EV_HEAP_GOAL)
        collector->goal = event->u.value;
    if (event->wire != WIRE_EV_HEAP_ALLOC)
        return;
    collector->heap = event->u.value;
    weft_cycle *cycle = current(collector);
    if (cycle && cycle->end == cycle->begin && collector->heap > cycle->heap_most)
        cycle->heap_most = collector->heap;
}

/* A goroutine runs as a background worker from here on. */
static int label_event(weft_collector *collector, const weft_event *event)
{
    weft_text label = weft_reader_string(collector->intern.reader, event->name);
    if (!begins(label, "GC ") || event->resource != WEFT_RESOURCE_GOROUTINE)
        return 0;
    uint32_t index = find(collector, RANGE_WORKER, WEFT_RESOURCE_GOROUTINE, event->id, 0);
    int status = index == READER_ABSENT ? 0 : close_range(collector, index, event->time, event);
    struct open_range *range = status ? NULL : READER_PUSH(&collector->open);
    if (!range)
        return -ENOMEM;
    *range = (struct open_range){.begin = event->time,
                                 .id = event->id,
                                 .goroutine = event->id,
                                 .resource = WEFT_RESOURCE_GOROUTINE,
                                 .kind = RANGE_WORKER,
                                 .idle = is(label, "GC (idle)")};
    collector->workers += index == READER_ABSENT;
    return 0;
}

/* A worker that stops running. */
static int transition(weft_collector *collector, const weft_event *event)
{
    if (!collector->workers || event->resource != WEFT_RESOURCE_GOROUTINE ||
        event->from != WEFT_STATE_RUNNING || event->to == WEFT_STATE_RUNNING)
        return 0;
    uint32_t index = find(collector, RANGE_WORKER, WEFT_RESOURCE_GOROUTINE, event->id, 0);
    if (index == READER_ABSENT)
        return 0;
    collector->workers--;
    return close_range(collector, index, event->time, event);
}

int weft_collector_event(weft_collector *collector, const weft_event *event)
{
    if (!collector->started) {
        collector->started = true;
        collector->begin = event->time;
    }
    collector->last = event->time;
    switch (event->kind) {
    case WEFT_EVENT_SYNC:
        analysis_intern_forget(&collector->intern);
        collector->sync = event->time;
        return 0;
    case WEFT_EVENT_METRIC:
        metric_event(collector, event);
        return 0;
    case WEFT_EVENT_LABEL:
        return label_event(collector, event);
    case WEFT_EVENT_STATE_TRANSITION:
        return transition(collector, event);
    case WEFT_EVENT_RANGE_BEGIN:
    case WEFT_EVENT_RANGE_ACTIVE:
    case WEFT_EVENT_RANGE_END:
        return range_event(collector, event);
    default:
        return 0;
    }
}

int weft_collector_finish(weft_collector *collector)
{
    int status = 0;
    if (collector->finished)
        return 0;
    collector->finished = true;
    while (collector->open.count && !status)
        status = close_range(collector, collector->open.count - 1, collector->last, NULL);
    return status;
}

/* -------- results -------- */

void weft_collector_span(const weft_collector *collector, int64_t *begin, int64_t *end)
{
    *begin = collector->begin;
    *end = collector->last;
}

const weft_pause *weft_collector_pauses(const weft_collector *collector, size_t *count)
{
    *count = collector->pauses.count;
    return collector->pauses.at;
}

int weft_collector_pause_group(const weft_collector *collector, size_t index,
                               weft_pause_group *group)
{
    if (index >= collector->groups.count)
        return -ERANGE;
    const struct pause_group *of = &collector->groups.at[index];
    *group = (weft_pause_group){analysis_intern_get(&collector->intern, of->name), of->lengths};
    return 0;
}

const weft_cycle *weft_collector_cycles(const weft_collector *collector, size_t *count)
{
    *count = collector->cycles.count;
    return collector->cycles.at;
}

int weft_collector_place(const weft_collector *collector, uint32_t stack, size_t index,
                         weft_place *place)
{
    return analysis_intern_place(&collector->intern, stack, index, place);
}

void weft_collector_free(weft_collector *collector)
{
    if (!collector)
        return;
    for (uint32_t i = 0; i < collector->groups.count; i++)
        free(collector->groups.at[i].lengths);
    analysis_intern_fini(&collector->intern);
    READER_VEC_FINI(&collector->open);
    READER_VEC_FINI(&collector->pauses);
    READER_VEC_FINI(&collector->groups);
    READER_VEC_FINI(&collector->cycles);
    READER_VEC_FINI(&collector->kinds);
    free(collector);
}
