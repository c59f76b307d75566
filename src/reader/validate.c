/* SPDX-License-Identifier: MIT */
/*
 * Strict validator: ordering.md 9. It sees public events only and trusts none of the reader's
 * state, so that an error in the ordering shows here.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <weft/reader.h>

#include "reader/fault.h"
#include "reader/memory.h"
#include "reader/map.h"
#include "reader/pool.h"

typedef unsigned long long ull;

/* The time 0001-01-01, which stands for "not set". */
#define WALL_UNSET (-62135596800)

struct seen_thread {
    uint64_t g, p;
};

struct seen_resource {
    uint8_t state;   /* weft_state */
    uint32_t thread; /* index of where it is bound, or READER_ABSENT */
    uint32_t next;   /* free list */
};

struct seen {
    READER_VEC(struct seen_resource) at;
    struct reader_map of;
    uint32_t free;
};

struct active_range {
    uint64_t id;
    uint32_t name; /* pool */
    uint8_t resource;
};

struct weft_validator {
    const weft_reader *reader;
    bool ignore_clocks, started, has_clock;
    int64_t last;
    uint64_t syncs;
    weft_sync clock; /* of the last sync that had one */
    READER_VEC(struct seen_thread) threads;
    struct reader_map thread_of;
    struct seen goroutines, procs;
    READER_VEC(struct active_range) ranges;
    struct reader_map tasks; /* id → text */
    struct reader_pool pool;
    READER_VEC(uint8_t) stacks; /* by handle: 1 if it was looked at in this generation */
    bool no_memory;
    const char *rule; /* of the first complaint about the event, or NULL */
    char message[384];
};

int weft_validator_new(weft_validator **out, const weft_reader *reader)
{
    weft_validator *v = *out = calloc(1, sizeof *v);
    if (!v || !reader_pool_init(&v->pool)) {
        weft_validator_free(v);
        *out = NULL;
        return -ENOMEM;
    }
    v->reader = reader;
    v->goroutines.free = v->procs.free = READER_ABSENT;
    return 0;
}

void weft_validator_ignore_clocks(weft_validator *validator)
{
    validator->ignore_clocks = true;
}

void weft_validator_free(weft_validator *v)
{
    if (!v)
        return;
    READER_VEC_FINI(&v->threads);
    READER_VEC_FINI(&v->goroutines.at);
    READER_VEC_FINI(&v->procs.at);
    READER_VEC_FINI(&v->ranges);
    READER_VEC_FINI(&v->stacks);
    reader_map_fini(&v->thread_of);
    reader_map_fini(&v->goroutines.of);
    reader_map_fini(&v->procs.of);
    reader_map_fini(&v->tasks);
    reader_pool_fini(&v->pool);
    free(v);
}

WEFT_PRINTF(3, 4)
static void complain(weft_validator *v, const char *rule, const char *format, ...)
{
    if (v->rule)
        return;
    v->rule = rule;
    va_list args;
    va_start(args, format);
    vsnprintf(v->message, sizeof v->message, format, args);
    va_end(args);
    reader_make_printable(v->message);
}

/* -------- syncs, metrics, labels -------- */

static void check_clock(weft_validator *v, const weft_sync *sync)
{
    const weft_sync *was = &v->clock;
    if (sync->mono == 0 || sync->trace_time == 0 ||
        (sync->wall_sec == WALL_UNSET && sync->wall_nsec == 0))
        complain(v, "VAL-3", "sync %llu has a clock snapshot in which a clock is not set",
                 (ull)sync->number);
    bool wall_grows = sync->wall_sec > was->wall_sec ||
                      (sync->wall_sec == was->wall_sec && sync->wall_nsec > was->wall_nsec);
    if (v->has_clock && !v->ignore_clocks &&
        (sync->mono <= was->mono || sync->trace_time <= was->trace_time || !wall_grows))
        complain(v, "VAL-3", "a clock of sync %llu is not later than in the snapshot before",
                 (ull)sync->number);
    v->has_clock = true;
    v->clock = *sync;
}

static void check_sync(weft_validator *v, const weft_event *event)
{
    if (event->id != v->syncs + 1)
        complain(v, "VAL-2", "sync %llu follows sync %llu", (ull)event->id, (ull)v->syncs);
    v->syncs = event->id;
    v->stacks.count = 0;
    weft_sync sync;
    weft_reader_sync(v->reader, &sync);
    if (sync.has_clock)
        check_clock(v, &sync);
    else if (event->id == 1 && weft_reader_version(v->reader) >= 25)
        complain(v, "VAL-3", "the first sync has no clock snapshot");
}

static void check_metric(weft_validator *v, const weft_event *event)
{
    weft_text name = weft_reader_string(v->reader, event->name);
    if (!memchr(name.data, ':', name.size))
        complain(v, "VAL-4", "metric's name has no unit");
}

static bool is_known(const weft_validator *v, unsigned resource, uint64_t id)
{
    const struct reader_map *map = resource == WEFT_RESOURCE_GOROUTINE ? &v->goroutines.of
                                   : resource == WEFT_RESOURCE_PROC    ? &v->procs.of
                                                                       : &v->thread_of;
    return resource == WEFT_RESOURCE_NONE || reader_map_find(map, id) != READER_ABSENT;
}

static void check_label(weft_validator *v, const weft_event *event)
{
    if (weft_reader_string(v->reader, event->name).size == 0)
        complain(v, "VAL-5", "empty label");
    if (!is_known(v, event->resource, event->id))
        complain(v, "VAL-5", "label of %s %llu, which is not known",
                 weft_resource_name(event->resource), (ull)event->id);
}

/* -------- transitions -------- */

static bool executing(unsigned state)
{
    return state == WEFT_STATE_RUNNING || state == WEFT_STATE_SYSCALL;
}

static uint32_t thread_index(weft_validator *v, uint64_t m)
{
    uint32_t index = reader_map_find(&v->thread_of, m);
    if (index != READER_ABSENT)
        return index;
    index = v->threads.count;
    struct seen_thread *thread = READER_PUSH(&v->threads);
    if (!thread || !reader_map_add(&v->thread_of, m, index)) {
        v->no_memory = true;
        return READER_ABSENT;
    }
    *thread = (struct seen_thread){WEFT_ID_NONE, WEFT_ID_NONE};
    return index;
}

static uint64_t *slot(struct seen_thread *thread, unsigned resource)
{
    return resource == WEFT_RESOURCE_GOROUTINE ? &thread->g : &thread->p;
}

/* The record of a resource, made if it is new, with its state checked and advanced. */
static struct seen_resource *advance_state(weft_validator *v, struct seen *seen,
                                           const weft_event *event)
{
    const char *what = weft_resource_name(event->resource);
    uint32_t index = reader_map_find(&seen->of, event->id);
    if (index != READER_ABSENT) {
        struct seen_resource *known = &seen->at.at[index];
        if (known->state != event->from)
            complain(v, "VAL-8", "%s %llu leaves state %s but was in %s", what, (ull)event->id,
                     weft_state_name(event->from), weft_state_name(known->state));
        known->state = event->to;
        return known;
    }
    if (event->from != WEFT_STATE_UNDETERMINED && event->from != WEFT_STATE_NOT_EXIST)
        complain(v, "VAL-8", "%s %llu leaves state %s but was not known", what, (ull)event->id,
                 weft_state_name(event->from));
    struct seen_resource *added;
    if (seen->free != READER_ABSENT) {
        added = &seen->at.at[seen->free];
        seen->free = added->next;
    } else if (!(added = READER_PUSH(&seen->at))) {
        v->no_memory = true;
        return NULL;
    }
    *added = (struct seen_resource){event->to, READER_ABSENT, READER_ABSENT};
    if (!reader_map_add(&seen->of, event->id, (uint32_t)(added - seen->at.at))) {
        v->no_memory = true;
        return NULL;
    }
    return added;
}

static void bind(weft_validator *v, struct seen_resource *resource, const weft_event *event)
{
    const char *what = weft_resource_name(event->resource);
    if (event->m == WEFT_ID_NONE) {
        complain(v, "VAL-10", "%s %llu goes to %s on no thread", what, (ull)event->id,
                 weft_state_name(event->to));
        return;
    }
    uint32_t index = thread_index(v, event->m);
    if (index == READER_ABSENT)
        return;
    uint64_t *held = slot(&v->threads.at[index], event->resource);
    if (*held != WEFT_ID_NONE && *held != event->id)
        complain(v, "VAL-10", "%s %llu goes to %s on thread %lld, which has %llu", what,
                 (ull)event->id, weft_state_name(event->to), (long long)event->m, (ull)*held);
    *held = event->id;
    resource->thread = index;
}

static void unbind(weft_validator *v, struct seen_resource *resource, const weft_event *event)
{
    const char *what = weft_resource_name(event->resource);
    if (event->resource == WEFT_RESOURCE_GOROUTINE && event->resource_stack != event->stack)
        complain(v, "VAL-11", "%s %llu stops executing with two different stacks", what,
                 (ull)event->id);
    if (resource->thread == READER_ABSENT) {
        complain(v, "VAL-11", "%s %llu stops executing but was on no thread", what, (ull)event->id);
        return;
    }
    uint64_t *held = slot(&v->threads.at[resource->thread], event->resource);
    if (*held != event->id)
        complain(v, "VAL-11", "%s %llu stops executing but its thread has another", what,
                 (ull)event->id);
    *held = WEFT_ID_NONE;
    resource->thread = READER_ABSENT;
}

static bool has_range(const weft_validator *v, unsigned resource, uint64_t id)
{
    for (uint32_t i = 0; i < v->ranges.count; i++)
        if (v->ranges.at[i].resource == resource && v->ranges.at[i].id == id)
            return true;
    return false;
}

static void forget(struct seen *seen, struct seen_resource *resource, uint64_t id)
{
    reader_map_remove(&seen->of, id);
    resource->next = seen->free;
    seen->free = (uint32_t)(resource - seen->at.at);
}

static void check_transition(weft_validator *v, const weft_event *event)
{
    const char *what = weft_resource_name(event->resource);
    struct seen *seen = event->resource == WEFT_RESOURCE_GOROUTINE ? &v->goroutines : &v->procs;
    if (event->to == WEFT_STATE_UNDETERMINED)
        complain(v, "VAL-6", "%s %llu goes to state Undetermined", what, (ull)event->id);
    if (event->from == WEFT_STATE_UNDETERMINED && v->syncs > 1)
        complain(v, "VAL-7", "%s %llu appears from state Undetermined after the second sync", what,
                 (ull)event->id);
    if (event->to == WEFT_STATE_NOT_EXIST && has_range(v, event->resource, event->id))
        complain(v, "VAL-9", "%s %llu ends with an open range", what, (ull)event->id);
    struct seen_resource *resource = advance_state(v, seen, event);
    if (!resource)
        return;
    if (executing(event->to))
        bind(v, resource, event);
    else if (executing(event->from))
        unbind(v, resource, event);
    if (event->to == WEFT_STATE_NOT_EXIST)
        forget(seen, resource, event->id);
}

/* -------- ranges and tasks -------- */

static uint32_t text_of(weft_validator *v, weft_string string)
{
    weft_text text = weft_reader_string(v->reader, string);
    uint32_t number = reader_pool_add(&v->pool, text.data, text.size);
    v->no_memory |= number == READER_ABSENT;
    return number;
}

static void add_range(weft_validator *v, const weft_event *event, uint32_t name)
{
    struct active_range *range = READER_PUSH(&v->ranges);
    if (!range) {
        v->no_memory = true;
        return;
    }
    *range = (struct active_range){event->id, name, event->resource};
    reader_pool_hold(&v->pool, name);
}

static void check_range(weft_validator *v, const weft_event *event)
{
    uint32_t name = text_of(v, event->name);
    if (name == READER_ABSENT)
        return;
    uint32_t i = 0;
    while (i < v->ranges.count && (v->ranges.at[i].resource != event->resource ||
                                   v->ranges.at[i].id != event->id || v->ranges.at[i].name != name))
        i++;
    bool active = i < v->ranges.count;
    const char *text = v->pool.texts.at[name].data;
    if (event->kind == WEFT_EVENT_RANGE_BEGIN && active)
        complain(v, "VAL-12", "range '%.80s' on %s %llu begins twice", text,
                 weft_resource_name(event->resource), (ull)event->id);
    if (event->kind != WEFT_EVENT_RANGE_END) {
        if (!active)
            add_range(v, event, name);
        return;
    }
    if (!active) {
        complain(v, "VAL-12", "range '%.80s' on %s %llu ends but is not active", text,
                 weft_resource_name(event->resource), (ull)event->id);
        return;
    }
    reader_pool_release(&v->pool, name);
    v->ranges.at[i] = v->ranges.at[--v->ranges.count];
}

static void check_task_begin(weft_validator *v, const weft_event *event)
{
    if (event->id == 0 || event->id == WEFT_ID_NONE)
        complain(v, "VAL-13", "task with the reserved id %llu begins", (ull)event->id);
    if (event->u.parent == 0)
        complain(v, "VAL-13", "task %llu has the background task as parent", (ull)event->id);
    uint32_t name = text_of(v, event->name);
    if (name == READER_ABSENT)
        return;
    uint32_t known = reader_map_find(&v->tasks, event->id);
    if (known != READER_ABSENT) {
        reader_pool_release(&v->pool, known);
        reader_map_remove(&v->tasks, event->id);
    }
    if (!reader_map_add(&v->tasks, event->id, name))
        v->no_memory = true;
    else
        reader_pool_hold(&v->pool, name);
}

static void check_task_end(weft_validator *v, const weft_event *event)
{
    uint32_t begun = reader_map_find(&v->tasks, event->id);
    if (begun == READER_ABSENT)
        return;
    const struct reader_pool_text *type = &v->pool.texts.at[begun];
    weft_text name = weft_reader_string(v->reader, event->name);
    if (name.size != type->size || memcmp(name.data, type->data, name.size) != 0)
        complain(v, "VAL-13", "task %llu ends with another type than it began with",
                 (ull)event->id);
    reader_pool_release(&v->pool, begun);
    reader_map_remove(&v->tasks, event->id);
}

/* -------- stacks -------- */

static bool take_stack(weft_validator *v, weft_stack stack)
{
    while (v->stacks.count <= stack) {
        uint8_t *mark = READER_PUSH(&v->stacks);
        if (!mark) {
            v->no_memory = true;
            return false;
        }
        *mark = 0;
    }
    bool fresh = !v->stacks.at[stack];
    v->stacks.at[stack] = 1;
    return fresh;
}

/* Each stack is looked at once in a generation. */
static void check_stack(weft_validator *v, weft_stack stack)
{
    size_t depth = weft_reader_stack_depth(v->reader, stack);
    if (depth == 0 || !take_stack(v, stack))
        return;
    for (size_t i = 1; i < depth; i++) {
        weft_frame frame;
        weft_reader_stack_frame(v->reader, stack, i, &frame);
        if (frame.pc == 0 || frame.line == 0 ||
            weft_reader_string(v->reader, frame.function).size == 0 ||
            weft_reader_string(v->reader, frame.file).size == 0) {
            complain(v, "VAL-14", "frame %zu of a stack lacks its function, file, line or pc", i);
            return;
        }
    }
}

static void check_event(weft_validator *v, const weft_event *event)
{
    switch (event->kind) {
    case WEFT_EVENT_SYNC:
        check_sync(v, event);
        break;
    case WEFT_EVENT_METRIC:
        check_metric(v, event);
        break;
    case WEFT_EVENT_LABEL:
        check_label(v, event);
        break;
    case WEFT_EVENT_STATE_TRANSITION:
        check_transition(v, event);
        break;
    case WEFT_EVENT_RANGE_BEGIN:
    case WEFT_EVENT_RANGE_ACTIVE:
    case WEFT_EVENT_RANGE_END:
        check_range(v, event);
        break;
    case WEFT_EVENT_TASK_BEGIN:
        check_task_begin(v, event);
        break;
    case WEFT_EVENT_TASK_END:
        check_task_end(v, event);
        break;
    default:
        break;
    }
}

int weft_validator_event(weft_validator *v, const weft_event *event, weft_complaint *complaint)
{
    v->rule = NULL;
    if (v->started && event->time <= v->last)
        complain(v, "VAL-1", "time %lld follows time %lld", (long long)event->time,
                 (long long)v->last);
    v->started = true;
    v->last = event->time;
    check_event(v, event);
    check_stack(v, event->stack);
    if (event->resource_stack != event->stack)
        check_stack(v, event->resource_stack);
    if (event->kind == WEFT_EVENT_SYNC)
        reader_pool_sweep(&v->pool);
    if (v->no_memory)
        return -ENOMEM;
    if (!v->rule)
        return 0;
    if (complaint)
        *complaint = (weft_complaint){v->rule, v->message};
    return 1;
}
