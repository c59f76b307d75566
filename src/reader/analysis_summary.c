/* SPDX-License-Identifier: MIT */
/* Statistics of a whole trace: its events one by one, and what is left at the end. */
#include <errno.h>

#include "reader/analysis_summary.h"
#include "wire/events.h"

int weft_summary_new(weft_summary **out, const weft_reader *reader)
{
    weft_summary *summary = *out = calloc(1, sizeof *summary);
    if (!summary)
        return -ENOMEM;
    summary->reader = reader;
    summary->last_m = WEFT_ID_NONE;
    summary->free_node = summary->blocked = summary->ranges = summary->open_ranges = READER_ABSENT;
    summary->totals.latency = &summary->latency;
    analysis_ids_init(&summary->goroutine_of);
    analysis_ids_init(&summary->proc_of);
    analysis_ids_init(&summary->thread_of);
    bool ok = analysis_intern_init(&summary->intern, reader);
    if (ok)
        summary->forever = reader_pool_add(&summary->intern.texts, "forever", 7);
    if (ok && summary->forever != READER_ABSENT)
        return 0;
    weft_summary_free(summary);
    *out = NULL;
    return -ENOMEM;
}

void weft_summary_each_goroutine(weft_summary *summary, weft_goroutine_fn function, void *context)
{
    summary->each = function;
    summary->each_context = context;
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
static void offer(struct weft_summary *summary, uint64_t procs, int64_t time)
{
    int64_t span = analysis_span(summary->procs_since, time), area;
    if (procs > INT64_MAX || __builtin_mul_overflow(span, (int64_t)procs, &area))
        area = INT64_MAX;
    analysis_add(&summary->totals.procs_offered, area);
    summary->procs_since = time;
}

static void metric_event(struct weft_summary *summary, const weft_event *event)
{
    weft_totals *totals = &summary->totals;
    if (event->wire == WIRE_EV_PROCS_CHANGE) {
        /* The first number reported is taken for the time before it as well. */
        bool known = totals->max_procs.changes > 0;
        offer(summary, known ? totals->max_procs.last : event->u.value, event->time);
        metric_set(&totals->max_procs, event->u.value);
    } else if (event->wire == WIRE_EV_HEAP_ALLOC) {
        metric_set(&totals->heap, event->u.value);
    } else if (event->wire == WIRE_EV_HEAP_GOAL) {
        metric_set(&totals->heap_goal, event->u.value);
    }
}

/* -------- events -------- */

static int thread_seen(struct weft_summary *summary, uint64_t m)
{
    summary->last_m = m;
    if (analysis_ids_find(&summary->thread_of, m) != READER_ABSENT)
        return 0;
    return analysis_ids_add(&summary->thread_of, m) == READER_ABSENT ? -ENOMEM : 0;
}

static int other_event(struct weft_summary *summary, const weft_event *event)
{
    switch (event->kind) {
    case WEFT_EVENT_SYNC:
        analysis_intern_forget(&summary->intern);
        summary->sync = event->time;
        return 0;
    case WEFT_EVENT_METRIC:
        metric_event(summary, event);
        return 0;
    case WEFT_EVENT_RANGE_BEGIN:
    case WEFT_EVENT_RANGE_ACTIVE:
    case WEFT_EVENT_RANGE_END:
        return analysis_range_event(summary, event);
    default:
        return 0;
    }
}

int weft_summary_event(weft_summary *summary, const weft_event *event)
{
    if (summary->totals.events++ == 0)
        summary->totals.begin = summary->procs_since = event->time;
    summary->totals.end = event->time;
    summary->totals.events_by_kind[event->kind]++;
    if (event->m != summary->last_m && event->m != WEFT_ID_NONE && thread_seen(summary, event->m))
        return -ENOMEM;
    if (event->kind != WEFT_EVENT_STATE_TRANSITION)
        return other_event(summary, event);
    if (event->resource == WEFT_RESOURCE_PROC)
        return analysis_proc_event(summary, event);
    return event->from == event->to ? 0 : analysis_goroutine_event(summary, event);
}

/* -------- the end -------- */

static int finish_goroutines(struct weft_summary *summary, int64_t time)
{
    int status = 0;
    for (uint32_t i = 0; i < summary->goroutines.count && !status; i++)
        if (summary->goroutines.at[i].live)
            status = analysis_goroutine_end(summary, i, time, false);
    return status;
}

static int finish_procs(struct weft_summary *summary, int64_t time)
{
    weft_totals *totals = &summary->totals;
    int status = 0;
    for (uint32_t i = 0; i < summary->procs.count && !status; i++) {
        struct analysis_proc *proc = &summary->procs.at[i];
        analysis_proc_close(proc, time);
        analysis_add(&totals->procs_running, proc->running);
        status = analysis_ranges_close(summary, &proc->open_ranges, NULL, time);
    }
    offer(summary, totals->max_procs.changes ? totals->max_procs.last : summary->procs.count, time);
    totals->procs = summary->procs.count;
    totals->threads = summary->thread_of.used;
    return status;
}

/* Sums the reasons of all groups. */
static int finish_blocked(struct weft_summary *summary)
{
    for (uint32_t i = 0; i < summary->groups.count; i++) {
        for (uint32_t n = summary->groups.at[i].blocked; n != READER_ABSENT;
             n = summary->nodes.at[n].next) {
            struct analysis_node from = summary->nodes.at[n];
            uint32_t to = analysis_node_get(summary, &summary->blocked, from.name);
            if (to == READER_ABSENT)
                return -ENOMEM;
            summary->nodes.at[to].count += from.count;
            analysis_add(&summary->nodes.at[to].time, from.time);
            analysis_raise(&summary->nodes.at[to].max, from.max);
        }
    }
    return 0;
}

int weft_summary_finish(weft_summary *summary)
{
    int64_t end = summary->totals.end;
    if (summary->finished)
        return 0;
    summary->finished = true;
    summary->totals.generations = weft_reader_generations(summary->reader);
    int status = finish_goroutines(summary, end);
    if (!status)
        status = finish_procs(summary, end);
    if (!status)
        status = analysis_ranges_close(summary, &summary->open_ranges, NULL, end);
    return status ? status : finish_blocked(summary);
}

const weft_totals *weft_summary_totals(weft_summary *summary)
{
    weft_totals *totals = &summary->totals;
    totals->blocked = ANALYSIS_SHOW(summary, summary->blocked, &summary->shown_total_blocked);
    totals->ranges = ANALYSIS_SHOW(summary, summary->ranges, &summary->shown_total_ranges);
    return totals;
}

const char *weft_spent_name(unsigned spent)
{
    static const char *const names[] = {"running", "runnable", "blocked", "syscall",
                                        "syscall-blocked"};
    return spent < WEFT_SPENT_LIMIT ? names[spent] : "";
}

void weft_summary_free(weft_summary *summary)
{
    if (!summary)
        return;
    analysis_intern_fini(&summary->intern);
    analysis_ids_fini(&summary->goroutine_of);
    analysis_ids_fini(&summary->proc_of);
    analysis_ids_fini(&summary->thread_of);
    READER_VEC_FINI(&summary->goroutines);
    READER_VEC_FINI(&summary->procs);
    READER_VEC_FINI(&summary->groups);
    READER_VEC_FINI(&summary->group_of);
    READER_VEC_FINI(&summary->nodes);
    READER_VEC_FINI(&summary->shown_blocked);
    READER_VEC_FINI(&summary->shown_ranges);
    READER_VEC_FINI(&summary->shown_total_blocked);
    READER_VEC_FINI(&summary->shown_total_ranges);
    free(summary);
}
