/* SPDX-License-Identifier: MIT */
/*
 * The story of one task.
 *
 * Design: the open states of all goroutines are known from a history that records nothing; those of
 * goroutines that work for the task become moments. A goroutine works as long as something holds
 * it: the task that it began, a region of the task, or its life, if a worker created it.
 *
 * Invariant: a worker whose holds are not 0 has an open moment of its state; `open` is its index.
 */
#include <errno.h>
#include <string.h>

#include <weft/analysis_tasks.h>

#include "reader/analysis_history.h"
#include "reader/analysis_summary.h"

/* What is known of a worker beside what is shown. */
struct story_worker {
    uint64_t holds;
    uint32_t open; /* moment */
};

struct weft_story {
    struct analysis_history history;
    weft_task_record task;
    int64_t origin, last;
    bool started, within;
    READER_VEC(weft_moment) moments;
    READER_VEC(weft_worker) workers;
    READER_VEC(struct story_worker) states; /* of workers */
    READER_VEC(uint32_t) regions;           /* moments of regions that are open */
    struct reader_map worker_of;            /* goroutine → worker */
    struct reader_map task_of;              /* descendant → moment */
};

int weft_story_new(weft_story **out, const weft_reader *reader, uint64_t task)
{
    weft_story *story = *out = calloc(1, sizeof *story);
    if (!story)
        return -ENOMEM;
    story->task = (weft_task_record){
        .id = task, .type = {"", 0}, .goroutine = WEFT_ID_NONE, .ended_by = WEFT_ID_NONE};
    if (analysis_history_init(&story->history, reader))
        return 0;
    weft_story_free(story);
    *out = NULL;
    return -ENOMEM;
}

/* -------- moments -------- */

static weft_moment *moment_new(weft_story *story, weft_moment_kind kind, const weft_event *event)
{
    uint32_t name = analysis_intern_text(&story->history.intern, event->name);
    uint32_t stack = analysis_intern_stack(&story->history.intern, event->stack);
    weft_moment *moment = READER_PUSH(&story->moments);
    if (!moment || name == READER_ABSENT || stack == READER_ABSENT)
        return NULL;
    *moment = (weft_moment){.begin = event->time,
                            .end = event->time,
                            .goroutine = event->g,
                            .id = event->id,
                            .parent = WEFT_ID_NONE,
                            .name = analysis_intern_get(&story->history.intern, name),
                            .message = {"", 0},
                            .stack = stack,
                            .kind = (uint8_t)kind,
                            .ended = 1};
    return moment;
}

/* -------- workers -------- */

/* Begins a moment with the state that the goroutine is in. */
static int open_state(weft_story *story, uint32_t worker, uint64_t goroutine, int64_t time)
{
    uint32_t head = analysis_history_head(&story->history, goroutine);
    weft_moment *moment = READER_PUSH(&story->moments);
    if (!moment || head == READER_ABSENT)
        return -ENOMEM;
    const struct history_interval *interval = &story->history.intervals.at[head];
    *moment = (weft_moment){.begin = time,
                            .end = time,
                            .goroutine = goroutine,
                            .id = interval->p,
                            .parent = WEFT_ID_NONE,
                            .name = analysis_intern_get(&story->history.intern, interval->reason),
                            .message = {"", 0},
                            .stack = interval->stack,
                            .kind = WEFT_MOMENT_STATE,
                            .state = interval->kind,
                            .ended = 1};
    story->states.at[worker].open = story->moments.count - 1;
    return 0;
}

static void close_state(weft_story *story, uint32_t worker, int64_t time)
{
    weft_moment *moment = &story->moments.at[story->states.at[worker].open];
    moment->end = time;
    analysis_add(&story->workers.at[worker].spent[moment->state],
                 analysis_span(moment->begin, time));
}

static uint32_t worker_new(weft_story *story, uint64_t goroutine)
{
    weft_worker *worker = READER_PUSH(&story->workers);
    struct story_worker *state = READER_PUSH(&story->states);
    if (!worker || !state ||
        !reader_map_add(&story->worker_of, goroutine, story->workers.count - 1))
        return READER_ABSENT;
    *worker = (weft_worker){.goroutine = goroutine, .name = {"", 0}};
    *state = (struct story_worker){0, READER_ABSENT};
    return story->workers.count - 1;
}

static int hold(weft_story *story, uint64_t goroutine, int64_t time)
{
    if (analysis_history_head(&story->history, goroutine) == READER_ABSENT)
        return 0;
    uint32_t worker = reader_map_find(&story->worker_of, goroutine);
    if (worker == READER_ABSENT)
        worker = worker_new(story, goroutine);
    if (worker == READER_ABSENT)
        return -ENOMEM;
    return story->states.at[worker].holds++ ? 0 : open_state(story, worker, goroutine, time);
}

static void release(weft_story *story, uint64_t goroutine, int64_t time)
{
    uint32_t worker = reader_map_find(&story->worker_of, goroutine);
    if (worker != READER_ABSENT && story->states.at[worker].holds &&
        --story->states.at[worker].holds == 0)
        close_state(story, worker, time);
}

static bool works(const weft_story *story, uint64_t goroutine, uint32_t *worker)
{
    *worker =
        goroutine == WEFT_ID_NONE ? READER_ABSENT : reader_map_find(&story->worker_of, goroutine);
    return *worker != READER_ABSENT && story->states.at[*worker].holds > 0;
}

/* The names of workers, as far as they are known. */
static void name_workers(weft_story *story)
{
    for (uint32_t i = 0; i < story->workers.count; i++) {
        weft_worker *worker = &story->workers.at[i];
        uint32_t index = reader_map_find(&story->history.goroutine_of, worker->goroutine);
        if (index != READER_ABSENT)
            worker->name = analysis_intern_get(&story->history.intern,
                                               story->history.goroutines.at[index].name);
    }
}

static void name_worker(weft_story *story, uint32_t worker)
{
    uint32_t index =
        reader_map_find(&story->history.goroutine_of, story->workers.at[worker].goroutine);
    story->workers.at[worker].name =
        analysis_intern_get(&story->history.intern, story->history.goroutines.at[index].name);
}

/* -------- the task -------- */

static int begin(weft_story *story, const weft_event *event)
{
    uint32_t type = analysis_intern_text(&story->history.intern, event->name);
    if (type == READER_ABSENT)
        return -ENOMEM;
    weft_task_record *task = &story->task;
    task->type = analysis_intern_get(&story->history.intern, type);
    task->parent = event->u.parent;
    task->begin = event->time;
    task->goroutine = event->g;
    task->seen_begin = 1;
    story->within = true;
    return hold(story, event->g, event->time);
}

/* Whatever is open lasts until now and is not ended. */
static void end(weft_story *story, int64_t time)
{
    story->within = false;
    story->task.end = time;
    for (uint32_t i = 0; i < story->workers.count; i++)
        if (story->states.at[i].holds)
            close_state(story, i, time);
    for (uint32_t i = 0; i < story->moments.count; i++)
        if (!story->moments.at[i].ended)
            story->moments.at[i].end = time;
    name_workers(story);
}

static int child_begin(weft_story *story, const weft_event *event)
{
    if (event->u.parent != story->task.id &&
        reader_map_find(&story->task_of, event->u.parent) == READER_ABSENT)
        return 0;
    weft_moment *moment = moment_new(story, WEFT_MOMENT_TASK, event);
    if (!moment || !reader_map_add(&story->task_of, event->id, story->moments.count - 1))
        return -ENOMEM;
    moment->parent = event->u.parent;
    moment->ended = 0;
    return 0;
}

static int task_event(weft_story *story, const weft_event *event)
{
    bool begins = event->kind == WEFT_EVENT_TASK_BEGIN, own = event->id == story->task.id;
    if (begins && own && !story->task.seen_begin)
        return begin(story, event);
    if (!story->within)
        return 0;
    if (begins)
        return child_begin(story, event);
    if (own) {
        story->task.seen_end = 1;
        story->task.ended_by = event->g;
        end(story, event->time);
        return 0;
    }
    uint32_t index = reader_map_find(&story->task_of, event->id);
    if (index == READER_ABSENT)
        return 0;
    story->moments.at[index].end = event->time;
    story->moments.at[index].ended = 1;
    return 0;
}

/* -------- regions and logs -------- */

static int region_begin(weft_story *story, const weft_event *event)
{
    int status = hold(story, event->g, event->time);
    weft_moment *moment = status ? NULL : moment_new(story, WEFT_MOMENT_REGION, event);
    uint32_t *open = moment ? READER_PUSH(&story->regions) : NULL;
    if (!open)
        return -ENOMEM;
    moment->ended = 0;
    *open = story->moments.count - 1;
    story->task.regions++;
    return 0;
}

/* The innermost open region of the goroutine. */
static void region_end(weft_story *story, const weft_event *event)
{
    uint32_t i = story->regions.count;
    while (i > 0 && story->moments.at[story->regions.at[i - 1]].goroutine != event->g)
        i--;
    if (i == 0)
        return;
    weft_moment *moment = &story->moments.at[story->regions.at[i - 1]];
    moment->end = event->time;
    moment->ended = 1;
    memmove(story->regions.at + i - 1, story->regions.at + i,
            (story->regions.count - i) * sizeof *story->regions.at);
    story->regions.count--;
    release(story, event->g, event->time);
}

static int log_event(weft_story *story, const weft_event *event)
{
    uint32_t text = analysis_intern_text(&story->history.intern, event->message);
    weft_moment *moment = text == READER_ABSENT ? NULL : moment_new(story, WEFT_MOMENT_LOG, event);
    if (!moment)
        return -ENOMEM;
    moment->message = analysis_intern_get(&story->history.intern, text);
    story->task.logs++;
    return 0;
}

static int annotation_event(weft_story *story, const weft_event *event)
{
    bool own = event->id == story->task.id;
    switch (event->kind) {
    case WEFT_EVENT_TASK_BEGIN:
    case WEFT_EVENT_TASK_END:
        return task_event(story, event);
    case WEFT_EVENT_REGION_BEGIN:
        return story->within && own ? region_begin(story, event) : 0;
    case WEFT_EVENT_REGION_END:
        if (story->within && own)
            region_end(story, event);
        return 0;
    case WEFT_EVENT_LOG:
        return story->within && own ? log_event(story, event) : 0;
    default:
        return 0;
    }
}

/* -------- states -------- */

/* A worker's creation: not one of the runtime's, which serve everybody. */
static int created(weft_story *story, const weft_event *event)
{
    uint32_t creator, entry;
    if (event->from != WEFT_STATE_NOT_EXIST || !works(story, event->g, &creator))
        return 0;
    entry = analysis_intern_entry(&story->history.intern, event->resource_stack);
    if (entry == READER_ABSENT)
        return -ENOMEM;
    weft_text name = analysis_intern_get(&story->history.intern, entry);
    return analysis_name_is_system(name) ? 0 : hold(story, event->id, event->time);
}

static int transition(weft_story *story, const weft_event *event)
{
    uint32_t worker;
    bool working = works(story, event->id, &worker);
    if (working) {
        close_state(story, worker, event->time);
        name_worker(story, worker);
    }
    int status = analysis_history_event(&story->history, event);
    if (status || !working)
        return status ? status : created(story, event);
    if (event->to == WEFT_STATE_NOT_EXIST) {
        story->states.at[worker].holds = 0;
        return 0;
    }
    return open_state(story, worker, event->id, event->time);
}

/* A goroutine in a system call loses its proc. */
static int proc_transition(weft_story *story, const weft_event *event)
{
    int status = analysis_history_event(&story->history, event);
    for (uint32_t i = 0; i < story->workers.count && !status; i++) {
        const struct story_worker *state = &story->states.at[i];
        if (!state->holds || story->moments.at[state->open].state != WEFT_PATH_SYSCALL)
            continue;
        uint64_t goroutine = story->workers.at[i].goroutine;
        uint32_t head = analysis_history_head(&story->history, goroutine);
        if (story->history.intervals.at[head].kind == WEFT_PATH_SYSCALL)
            continue;
        close_state(story, i, event->time);
        status = open_state(story, i, goroutine, event->time);
    }
    return status;
}

int weft_story_event(weft_story *story, const weft_event *event)
{
    if (!story->started) {
        story->started = true;
        story->origin = event->time;
    }
    story->last = event->time;
    if (story->task.seen_begin && !story->within)
        return 0;
    if (event->kind != WEFT_EVENT_STATE_TRANSITION) {
        int status = analysis_history_event(&story->history, event);
        return status ? status : annotation_event(story, event);
    }
    if (event->from == event->to || !story->within)
        return analysis_history_event(&story->history, event);
    return event->resource == WEFT_RESOURCE_PROC ? proc_transition(story, event)
                                                 : transition(story, event);
}

static int by_begin(const void *left, const void *right)
{
    const weft_moment *a = left, *b = right;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return (a->goroutine > b->goroutine) - (a->goroutine < b->goroutine);
}

int weft_story_finish(weft_story *story)
{
    if (story->within)
        end(story, story->last);
    if (story->moments.count)
        qsort(story->moments.at, story->moments.count, sizeof *story->moments.at, by_begin);
    return story->task.seen_begin ? 0 : -ENOENT;
}

/* -------- results -------- */

const weft_task_record *weft_story_task(const weft_story *story, int64_t *origin)
{
    *origin = story->origin;
    return &story->task;
}

const weft_moment *weft_story_moments(const weft_story *story, size_t *count)
{
    *count = story->moments.count;
    return story->moments.at;
}

const weft_worker *weft_story_workers(const weft_story *story, size_t *count)
{
    *count = story->workers.count;
    return story->workers.at;
}

int weft_story_place(const weft_story *story, uint32_t stack, size_t index, weft_place *place)
{
    return analysis_intern_place(&story->history.intern, stack, index, place);
}

void weft_story_free(weft_story *story)
{
    if (!story)
        return;
    analysis_history_fini(&story->history);
    READER_VEC_FINI(&story->moments);
    READER_VEC_FINI(&story->workers);
    READER_VEC_FINI(&story->states);
    READER_VEC_FINI(&story->regions);
    reader_map_fini(&story->worker_of);
    reader_map_fini(&story->task_of);
    free(story);
}
