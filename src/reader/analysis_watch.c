/* SPDX-License-Identifier: MIT */
/* The story of one goroutine: its states in order of time, and who it dealt with. */
#include <errno.h>

#include "reader/analysis_intern.h"

struct weft_watch {
    struct analysis_intern intern;
    uint64_t id;
    int64_t sync, last;
    bool open; /* the last interval has not ended */
    uint32_t entry_stack, creation_stack;
    READER_VEC(weft_interval) intervals;
    READER_VEC(weft_relation) relations;
    struct reader_map relation_of;
};

int weft_watch_new(weft_watch **out, const weft_reader *reader, uint64_t goroutine)
{
    weft_watch *watch = *out = calloc(1, sizeof *watch);
    if (!watch)
        return -ENOMEM;
    watch->id = goroutine;
    if (analysis_intern_init(&watch->intern, reader))
        return 0;
    weft_watch_free(watch);
    *out = NULL;
    return -ENOMEM;
}

/* -------- relations -------- */

static weft_relation *relation(weft_watch *watch, uint64_t id)
{
    uint32_t index = reader_map_find(&watch->relation_of, id);
    if (index != READER_ABSENT)
        return &watch->relations.at[index];
    if (!reader_map_add(&watch->relation_of, id, watch->relations.count))
        return NULL;
    weft_relation *added = READER_PUSH(&watch->relations);
    if (added)
        *added = (weft_relation){.id = id, .name = {"", 0}};
    return added;
}

/* Another goroutine changes state in the context of the watched one. */
static int other_transition(weft_watch *watch, const weft_event *event)
{
    bool created = event->from == WEFT_STATE_NOT_EXIST;
    if (!created && (event->from != WEFT_STATE_WAITING || event->to != WEFT_STATE_RUNNABLE))
        return 0;
    weft_relation *other = relation(watch, event->id);
    if (!other)
        return -ENOMEM;
    other->created_it |= created;
    other->woke_it += !created;
    return 0;
}

/* The watched goroutine changes state in the context of another one, or of none. */
static int own_relation(weft_watch *watch, const weft_event *event)
{
    bool created = event->from == WEFT_STATE_NOT_EXIST;
    bool woken = event->from == WEFT_STATE_WAITING && event->to == WEFT_STATE_RUNNABLE;
    if (event->g == WEFT_ID_NONE || event->g == watch->id || (!created && !woken))
        return 0;
    weft_relation *other = relation(watch, event->g);
    if (!other)
        return -ENOMEM;
    other->created_by_it |= created;
    other->woken_by_it += woken;
    return 0;
}

int weft_watch_name(weft_watch *watch, const weft_goroutine_stats *other)
{
    uint32_t index = reader_map_find(&watch->relation_of, other->id);
    if (index == READER_ABSENT)
        return 0;
    uint32_t text = reader_pool_add(&watch->intern.texts, other->name.data, other->name.size);
    if (text == READER_ABSENT)
        return -ENOMEM;
    watch->relations.at[index].name = analysis_intern_get(&watch->intern, text);
    return 0;
}

/* -------- intervals -------- */

static void close_interval(weft_watch *watch, int64_t time, uint64_t by)
{
    if (!watch->open)
        return;
    weft_interval *interval = &watch->intervals.at[watch->intervals.count - 1];
    interval->end = time;
    interval->by = interval->state == WEFT_STATE_WAITING ? by : WEFT_ID_NONE;
    watch->open = false;
}

static int open_interval(weft_watch *watch, const weft_event *event)
{
    uint32_t stack = analysis_intern_stack(&watch->intern, event->resource_stack);
    uint32_t reason = analysis_intern_text(&watch->intern, event->name);
    weft_interval *interval = READER_PUSH(&watch->intervals);
    if (!interval || stack == READER_ABSENT || reason == READER_ABSENT)
        return -ENOMEM;
    bool executes = event->to == WEFT_STATE_RUNNING || event->to == WEFT_STATE_SYSCALL;
    bool before = event->from == WEFT_STATE_UNDETERMINED;
    *interval = (weft_interval){.begin = before ? watch->sync : event->time,
                                .p = executes ? event->p : WEFT_ID_NONE,
                                .by = WEFT_ID_NONE,
                                .stack = stack,
                                .state = event->to,
                                .reason = analysis_intern_get(&watch->intern, reason)};
    interval->end = interval->begin;
    watch->open = true;
    return 0;
}

static int creation(weft_watch *watch, const weft_event *event)
{
    uint32_t own = analysis_intern_stack(&watch->intern, event->resource_stack);
    uint32_t creator = event->from == WEFT_STATE_NOT_EXIST
                           ? analysis_intern_stack(&watch->intern, event->stack)
                           : 0;
    if (own == READER_ABSENT || creator == READER_ABSENT)
        return -ENOMEM;
    watch->entry_stack = own;
    watch->creation_stack = creator;
    return 0;
}

static int own_transition(weft_watch *watch, const weft_event *event)
{
    int status = own_relation(watch, event);
    bool first = event->from == WEFT_STATE_NOT_EXIST || event->from == WEFT_STATE_UNDETERMINED;
    if (!status && first)
        status = creation(watch, event);
    close_interval(watch, event->time, event->g);
    if (!status && event->to != WEFT_STATE_NOT_EXIST)
        status = open_interval(watch, event);
    return status;
}

int weft_watch_event(weft_watch *watch, const weft_event *event)
{
    watch->last = event->time;
    if (event->kind == WEFT_EVENT_SYNC) {
        analysis_intern_forget(&watch->intern);
        watch->sync = event->time;
    }
    if (event->kind != WEFT_EVENT_STATE_TRANSITION || event->from == event->to ||
        event->resource != WEFT_RESOURCE_GOROUTINE)
        return 0;
    if (event->id == watch->id)
        return own_transition(watch, event);
    return event->g == watch->id ? other_transition(watch, event) : 0;
}

void weft_watch_finish(weft_watch *watch)
{
    close_interval(watch, watch->last, WEFT_ID_NONE);
}

/* -------- results -------- */

const weft_interval *weft_watch_intervals(const weft_watch *watch, size_t *count)
{
    *count = watch->intervals.count;
    return watch->intervals.at;
}

const weft_relation *weft_watch_relations(const weft_watch *watch, size_t *count)
{
    *count = watch->relations.count;
    return watch->relations.at;
}

uint32_t weft_watch_entry_stack(const weft_watch *watch)
{
    return watch->entry_stack;
}

uint32_t weft_watch_creation_stack(const weft_watch *watch)
{
    return watch->creation_stack;
}

size_t weft_watch_depth(const weft_watch *watch, uint32_t stack)
{
    return analysis_intern_depth(&watch->intern, stack);
}

int weft_watch_place(const weft_watch *watch, uint32_t stack, size_t index, weft_place *place)
{
    return analysis_intern_place(&watch->intern, stack, index, place);
}

void weft_watch_free(weft_watch *watch)
{
    if (!watch)
        return;
    analysis_intern_fini(&watch->intern);
    READER_VEC_FINI(&watch->intervals);
    READER_VEC_FINI(&watch->relations);
    reader_map_fini(&watch->relation_of);
    free(watch);
}
