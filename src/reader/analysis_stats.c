/* SPDX-License-Identifier: MIT */
/* Statistics of a whole trace: its events one by one, and what is left at the end. */
#include <errno.h>

#include "reader/analysis_state.h"
#include "wire/events.h"

int weft_stats_new(weft_stats **out, const weft_reader *reader)
{
    weft_stats *stats = *out = calloc(1, sizeof *stats);
    if (!stats)
        return -ENOMEM;
    stats->reader = reader;
    stats->last_m = WEFT_ID_NONE;
    stats->free_node = stats->blocked = stats->ranges = stats->open_ranges = READER_ABSENT;
    stats->totals.latency = &stats->latency;
    analysis_ids_init(&stats->goroutine_of);
    analysis_ids_init(&stats->proc_of);
    analysis_ids_init(&stats->thread_of);
    bool ok = analysis_intern_init(&stats->intern, reader);
    if (ok)
        stats->forever = reader_pool_add(&stats->intern.texts, "forever", 7);
    if (ok && stats->forever != READER_ABSENT)
        return 0;
    weft_stats_free(stats);
    *out = NULL;
    return -ENOMEM;
}

void weft_stats_each_goroutine(weft_stats *stats, weft_goroutine_fn function, void *context)
{
    stats->each = function;
    stats->each_context = context;
}

/* -------- metrics -------- */

static void metric_set(weft_metric *metric, uint64_t value)
{
    if (metric->changes++ == 0)
        metric->first = metric->least = metric->most = value;
    metric->last = value;
    if (value < metric->least)
        metric->least = value;
    if (value > metric->most)
        metric->most = value;
}

/* Adds what was offered since the number of procs last changed. */
static void offer(struct weft_stats *stats, uint64_t procs, int64_t time)
{
    int64_t span = analysis_span(stats->procs_since, time), area;
    if (procs > INT64_MAX || __builtin_mul_overflow(span, (int64_t)procs, &area))
        area = INT64_MAX;
    analysis_add(&stats->totals.procs_offered, area);
    stats->procs_since = time;
}

static void metric_event(struct weft_stats *stats, const weft_event *event)
{
    weft_totals *totals = &stats->totals;
    if (event->wire == WIRE_EV_PROCS_CHANGE) {
        /* The first number reported is taken for the time before it as well. */
        bool known = totals->max_procs.changes > 0;
        offer(stats, known ? totals->max_procs.last : event->u.value, event->time);
        metric_set(&totals->max_procs, event->u.value);
    } else if (event->wire == WIRE_EV_HEAP_ALLOC) {
        metric_set(&totals->heap, event->u.value);
    } else if (event->wire == WIRE_EV_HEAP_GOAL) {
        metric_set(&totals->heap_goal, event->u.value);
    }
}

/* -------- events -------- */

static int thread_seen(struct weft_stats *stats, uint64_t m)
{
    stats->last_m = m;
    if (analysis_ids_find(&stats->thread_of, m) != READER_ABSENT)
        return 0;
    return analysis_ids_add(&stats->thread_of, m) == READER_ABSENT ? -ENOMEM : 0;
}

static int other_event(struct weft_stats *stats, const weft_event *event)
{
    switch (event->kind) {
    case WEFT_EVENT_SYNC:
        analysis_intern_forget(&stats->intern);
        stats->sync = event->time;
        return 0;
    case WEFT_EVENT_METRIC:
        metric_event(stats, event);
        return 0;
    case WEFT_EVENT_RANGE_BEGIN:
    case WEFT_EVENT_RANGE_ACTIVE:
    case WEFT_EVENT_RANGE_END:
        return analysis_range_event(stats, event);
    default:
        return 0;
    }
}

int weft_stats_event(weft_stats *stats, const weft_event *event)
{
    if (stats->totals.events++ == 0)
        stats->totals.begin = stats->procs_since = event->time;
    stats->totals.end = event->time;
    stats->totals.events_by_kind[event->kind]++;
    if (event->m != stats->last_m && event->m != WEFT_ID_NONE && thread_seen(stats, event->m))
        return -ENOMEM;
    if (event->kind != WEFT_EVENT_STATE_TRANSITION)
        return other_event(stats, event);
    if (event->resource == WEFT_RESOURCE_PROC)
        return analysis_proc_event(stats, event);
    return event->from == event->to ? 0 : analysis_goroutine_event(stats, event);
}

/* -------- the end -------- */

static int finish_goroutines(struct weft_stats *stats, int64_t time)
{
    int status = 0;
    for (uint32_t i = 0; i < stats->goroutines.count && !status; i++)
        if (stats->goroutines.at[i].live)
            status = analysis_goroutine_end(stats, i, time, false);
    return status;
}

static int finish_procs(struct weft_stats *stats, int64_t time)
{
    weft_totals *totals = &stats->totals;
    int status = 0;
    for (uint32_t i = 0; i < stats->procs.count && !status; i++) {
        struct analysis_proc *proc = &stats->procs.at[i];
        analysis_proc_close(proc, time);
        analysis_add(&totals->procs_running, proc->running);
        status = analysis_ranges_close(stats, &proc->open_ranges, NULL, time);
    }
    offer(stats, totals->max_procs.changes ? totals->max_procs.last : stats->procs.count, time);
    totals->procs = stats->procs.count;
    totals->threads = stats->thread_of.used;
    return status;
}

/* Sums the reasons of all groups. */
static int finish_blocked(struct weft_stats *stats)
{
    for (uint32_t i = 0; i < stats->groups.count; i++) {
        for (uint32_t n = stats->groups.at[i].blocked; n != READER_ABSENT;
             n = stats->nodes.at[n].next) {
            struct analysis_node from = stats->nodes.at[n];
            uint32_t to = analysis_node_get(stats, &stats->blocked, from.name);
            if (to == READER_ABSENT)
                return -ENOMEM;
            stats->nodes.at[to].count += from.count;
            analysis_add(&stats->nodes.at[to].time, from.time);
            analysis_raise(&stats->nodes.at[to].max, from.max);
        }
    }
    return 0;
}

int weft_stats_finish(weft_stats *stats)
{
    int64_t end = stats->totals.end;
    if (stats->finished)
        return 0;
    stats->finished = true;
    stats->totals.generations = weft_reader_generations(stats->reader);
    int status = finish_goroutines(stats, end);
    if (!status)
        status = finish_procs(stats, end);
    if (!status)
        status = analysis_ranges_close(stats, &stats->open_ranges, NULL, end);
    return status ? status : finish_blocked(stats);
}

const weft_totals *weft_stats_totals(weft_stats *stats)
{
    weft_totals *totals = &stats->totals;
    totals->blocked = ANALYSIS_SHOW(stats, stats->blocked, &stats->shown_total_blocked);
    totals->ranges = ANALYSIS_SHOW(stats, stats->ranges, &stats->shown_total_ranges);
    return totals;
}

const char *weft_spent_name(unsigned spent)
{
    static const char *const names[] = {"running", "runnable", "blocked", "syscall",
                                        "syscall-blocked"};
    return spent < WEFT_SPENT_LIMIT ? names[spent] : "";
}

void weft_stats_free(weft_stats *stats)
{
    if (!stats)
        return;
    analysis_intern_fini(&stats->intern);
    analysis_ids_fini(&stats->goroutine_of);
    analysis_ids_fini(&stats->proc_of);
    analysis_ids_fini(&stats->thread_of);
    READER_VEC_FINI(&stats->goroutines);
    READER_VEC_FINI(&stats->procs);
    READER_VEC_FINI(&stats->groups);
    READER_VEC_FINI(&stats->group_of);
    READER_VEC_FINI(&stats->nodes);
    READER_VEC_FINI(&stats->shown_blocked);
    READER_VEC_FINI(&stats->shown_ranges);
    READER_VEC_FINI(&stats->shown_total_blocked);
    READER_VEC_FINI(&stats->shown_total_ranges);
    free(stats);
}
