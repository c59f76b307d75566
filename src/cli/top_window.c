/* SPDX-License-Identifier: MIT */
#include "top_window.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* More procs than this are not told apart. */
#define PROCS_MOST 4096

void top_window_begin(struct top_window *window, int64_t begin, int64_t end)
{
    window->begin = begin;
    window->end = end;
    window->events = 0;
    memset(&window->latency, 0, sizeof window->latency);
    for (size_t i = 0; i < window->proc_count; i++)
        window->procs[i].busy = 0;
    for (size_t i = 0; i < window->group_count; i++)
        window->groups[i] = (struct top_group){.name = window->groups[i].name};
}

void top_window_fini(struct top_window *window)
{
    free(window->groups);
    free(window->group_of);
    free(window->procs);
}

/* -------- finding -------- */

/* Makes room for one more. Returns false when memory is exhausted. */
static int grow(void *array, size_t *room, size_t count, size_t size)
{
    if (count < *room)
        return 0;
    size_t more = 2 * count + 64;
    void *at = realloc(*(void **)array, more * size);
    if (!at)
        return -ENOMEM;
    memset((char *)at + *room * size, 0, (more - *room) * size);
    *(void **)array = at;
    *room = more;
    return 0;
}

static struct top_group *group_get(struct top_window *window, uint32_t name)
{
    if (grow(&window->group_of, &window->group_of_room, name, sizeof *window->group_of) != 0)
        return NULL;
    if (!window->group_of[name]) {
        if (grow(&window->groups, &window->group_room, window->group_count,
                 sizeof *window->groups) != 0)
            return NULL;
        window->groups[window->group_count] = (struct top_group){.name = name};
        window->group_of[name] = (uint32_t)++window->group_count;
    }
    return &window->groups[window->group_of[name] - 1];
}

static struct top_proc *proc_get(struct top_window *window, uint64_t id)
{
    for (size_t i = 0; i < window->proc_count; i++)
        if (window->procs[i].id == id)
            return &window->procs[i];
    if (window->proc_count == PROCS_MOST)
        return &window->procs[0];
    if (grow(&window->procs, &window->proc_room, window->proc_count, sizeof *window->procs) != 0)
        return NULL;
    window->procs[window->proc_count] = (struct top_proc){.id = id};
    return &window->procs[window->proc_count++];
}

/* -------- counting -------- */

/* The part of a stay that lies in the window. */
static int64_t overlap(const struct top_window *window, const weft_stay *stay, int64_t end)
{
    int64_t from = stay->begin > window->begin ? stay->begin : window->begin;
    int64_t to = end < window->end ? end : window->end, span;
    return to > from && !__builtin_sub_overflow(to, from, &span) ? span : 0;
}

static void add(int64_t *sum, int64_t time)
{
    if (__builtin_add_overflow(*sum, time, sum))
        *sum = INT64_MAX;
}

static struct top_group *count(struct top_window *window, const weft_stay *stay, int64_t end)
{
    int64_t time = overlap(window, stay, end);
    struct top_group *group = group_get(window, stay->name);
    if (!group)
        return NULL;
    add(&group->time[stay->spent], time);
    if (stay->p != WEFT_ID_NONE && stay->spent != WEFT_SPENT_SYSCALL_BLOCKED) {
        struct top_proc *proc = proc_get(window, stay->p);
        if (!proc)
            return NULL;
        add(&proc->busy, time);
    }
    return group;
}

int top_window_end_stay(void *context, const weft_stay *stay)
{
    struct top_window *window = context;
    if (stay->spent == WEFT_SPENT_RUNNABLE && stay->begin_seen && stay->end_seen)
        weft_histogram_add(&window->latency,
                           (int64_t)((uint64_t)stay->end - (uint64_t)stay->begin));
    return count(window, stay, stay->end) ? 0 : -ENOMEM;
}

int top_window_open_stay(void *context, const weft_stay *stay)
{
    struct top_group *group = count(context, stay, INT64_MAX);
    if (!group)
        return -ENOMEM;
    group->live++;
    group->now[stay->spent]++;
    return 0;
}

/* -------- sorting -------- */

static int by_time(const void *left, const void *right)
{
    static const uint8_t order[] = {WEFT_SPENT_RUNNING, WEFT_SPENT_RUNNABLE, WEFT_SPENT_SYSCALL};
    const struct top_group *a = left, *b = right;
    for (unsigned i = 0; i < sizeof order; i++)
        if (a->time[order[i]] != b->time[order[i]])
            return a->time[order[i]] < b->time[order[i]] ? 1 : -1;
    if (a->live != b->live)
        return a->live < b->live ? 1 : -1;
    return (a->name > b->name) - (a->name < b->name);
}

static int by_id(const void *left, const void *right)
{
    const struct top_proc *a = left, *b = right;
    return (a->id > b->id) - (a->id < b->id);
}

void top_window_sort(struct top_window *window)
{
    if (window->group_count)
        qsort(window->groups, window->group_count, sizeof *window->groups, by_time);
    for (size_t i = 0; i < window->group_count; i++)
        window->group_of[window->groups[i].name] = (uint32_t)i + 1;
    if (window->proc_count)
        qsort(window->procs, window->proc_count, sizeof *window->procs, by_id);
}
