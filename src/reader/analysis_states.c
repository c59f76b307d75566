/* SPDX-License-Identifier: MIT */
/*
 * What goroutines and procs spend their time on. Published definitions: ordering.md 11, which are
 * those of Go's goroutine analysis.
 */
#include <errno.h>
#include <string.h>

#include "reader/analysis_summary.h"
#include "wire/events.h"

/* -------- intervals -------- */

/* Ends the open interval. */
static void account(struct weft_summary *summary, struct analysis_goroutine *g, int64_t time)
{
    int64_t spent = analysis_span(g->since, time);
    analysis_add(&g->times.time[g->spent], spent);
    analysis_raise(&g->times.max[g->spent], spent);
    if (g->spent == WEFT_SPENT_BLOCKED)
        analysis_node_add(summary, g->reason, spent);
    g->since = time;
}

static void leave_syscall(struct weft_summary *summary, struct analysis_goroutine *g)
{
    if (g->on_proc != READER_ABSENT)
        summary->procs.at[g->on_proc].syscall = READER_ABSENT;
    g->on_proc = READER_ABSENT;
}

/* Blocked begins when the proc goes idle, which one without a proc does not see. */
static void enter_syscall(struct weft_summary *summary, uint32_t index, uint64_t p)
{
    struct analysis_goroutine *g = &summary->goroutines.at[index];
    g->on_proc = p == WEFT_ID_NONE ? READER_ABSENT : analysis_ids_find(&summary->proc_of, p);
    g->spent = WEFT_SPENT_SYSCALL;
    if (g->on_proc == READER_ABSENT)
        return;
    struct analysis_proc *proc = &summary->procs.at[g->on_proc];
    if (proc->syscall != READER_ABSENT)
        summary->goroutines.at[proc->syscall].on_proc = READER_ABSENT;
    proc->syscall = index;
}

static int enter_blocked(struct weft_summary *summary, struct analysis_goroutine *g,
                         weft_string reason)
{
    uint32_t text = analysis_intern_text(&summary->intern, reason);
    g->reason =
        text == READER_ABSENT ? READER_ABSENT : analysis_node_get(summary, &g->blocked, text);
    if (g->reason == READER_ABSENT)
        return -ENOMEM;
    g->spent = WEFT_SPENT_BLOCKED;
    return 0;
}

static bool is_forever(struct weft_summary *summary, weft_string reason)
{
    return analysis_intern_text(&summary->intern, reason) == summary->forever;
}

/* Begins the interval of a new state, which is not the end. */
static int enter(struct weft_summary *summary, uint32_t index, const weft_event *event)
{
    struct analysis_goroutine *g = &summary->goroutines.at[index];
    int status = 0;
    switch (event->to) {
    case WEFT_STATE_RUNNING:
        g->spent = WEFT_SPENT_RUNNING;
        if (g->started == INT64_MIN)
            g->started = event->time;
        break;
    case WEFT_STATE_RUNNABLE:
        g->spent = WEFT_SPENT_RUNNABLE;
        break;
    case WEFT_STATE_SYSCALL:
        enter_syscall(summary, index, event->p);
        break;
    default:
        status = enter_blocked(summary, g, event->name);
    }
    g->times.count[g->spent]++;
    return status;
}

/* -------- life and death -------- */

static uint32_t goroutine_new(struct weft_summary *summary, const weft_event *event)
{
    uint32_t index = analysis_ids_add(&summary->goroutine_of, event->id);
    if (index == READER_ABSENT)
        return index;
    if (index == summary->goroutines.count && !READER_PUSH(&summary->goroutines))
        return READER_ABSENT;
    bool created = event->from == WEFT_STATE_NOT_EXIST;
    int64_t since = event->from == WEFT_STATE_UNDETERMINED ? summary->sync : event->time;
    summary->goroutines.at[index] =
        (struct analysis_goroutine){.id = event->id,
                                    .creator = created ? event->g : WEFT_ID_NONE,
                                    .created = since,
                                    .since = since,
                                    .started = INT64_MIN,
                                    .blocked = READER_ABSENT,
                                    .ranges = READER_ABSENT,
                                    .open_ranges = READER_ABSENT,
                                    .reason = READER_ABSENT,
                                    .on_proc = READER_ABSENT,
                                    .seen_created = created,
                                    .whole = created,
                                    .live = true};
    summary->totals.goroutines++;
    summary->totals.goroutines_created += created;
    if (++summary->live > summary->totals.goroutines_live_most)
        summary->totals.goroutines_live_most = summary->live;
    return index;
}

static int tell(struct weft_summary *summary, const struct analysis_goroutine *g, int64_t time,
                bool seen)
{
    weft_goroutine_stats told = {.id = g->id,
                                 .creator = g->creator,
                                 .created = g->created,
                                 .started = g->started,
                                 .ended = time,
                                 .seen_created = g->seen_created,
                                 .seen_ended = seen,
                                 .name = analysis_intern_get(&summary->intern, g->name),
                                 .times = g->times};
    told.is_system = analysis_name_is_system(told.name);
    told.blocked = ANALYSIS_SHOW(summary, g->blocked, &summary->shown_blocked);
    told.ranges = ANALYSIS_SHOW(summary, g->ranges, &summary->shown_ranges);
    return summary->each(summary->each_context, &told);
}

int analysis_goroutine_end(struct weft_summary *summary, uint32_t index, int64_t time, bool seen)
{
    struct analysis_goroutine *g = &summary->goroutines.at[index];
    account(summary, g, time);
    leave_syscall(summary, g);
    int status = analysis_ranges_close(summary, &g->open_ranges, g, time);
    if (!status && summary->each)
        status = tell(summary, g, time, seen);
    if (!status)
        status = analysis_group_add(summary, g, time);
    if (!status && !analysis_ids_remove(&summary->goroutine_of, g->id))
        status = -ENOMEM;
    summary->totals.goroutines_ended += seen;
    summary->live--;
    g->live = false;
    return status;
}

/* -------- events -------- */

/* Runs the goroutine at once, without the scheduler: no latency to speak of. */
static bool is_switch(const weft_event *event)
{
    return event->wire == WIRE_EV_GO_SWITCH || event->wire == WIRE_EV_GO_SWITCH_DESTROY;
}

/* The name is that of the outermost function of the first stack that a transition shows. */
static int identify(struct weft_summary *summary, struct analysis_goroutine *g, weft_stack stack)
{
    g->name = analysis_intern_entry(&summary->intern, stack);
    return g->name == READER_ABSENT ? -ENOMEM : 0;
}

/*
 * The first event of a goroutine. If it was there before the trace, the time up to now is credited
 * to the state that is told; a system call without a proc counts as blocked up to now.
 */
static int first_event(struct weft_summary *summary, uint32_t index, const weft_event *event)
{
    struct analysis_goroutine *g = &summary->goroutines.at[index];
    int status = event->resource_stack ? identify(summary, g, event->resource_stack) : 0;
    if (!status)
        status = enter(summary, index, event);
    if (status || event->from != WEFT_STATE_UNDETERMINED || event->to != WEFT_STATE_SYSCALL)
        return status;
    if (event->p == WEFT_ID_NONE) {
        g->spent = WEFT_SPENT_SYSCALL_BLOCKED;
        account(summary, g, event->time);
        g->spent = WEFT_SPENT_SYSCALL;
    }
    return 0;
}

int analysis_goroutine_event(struct weft_summary *summary, const weft_event *event)
{
    uint32_t index = analysis_ids_find(&summary->goroutine_of, event->id);
    if (__builtin_expect(index == READER_ABSENT, 0)) {
        if (event->to == WEFT_STATE_NOT_EXIST)
            return 0;
        index = goroutine_new(summary, event);
        if (index == READER_ABSENT)
            return -ENOMEM;
        return first_event(summary, index, event);
    }
    struct analysis_goroutine *g = &summary->goroutines.at[index];
    if (g->name == 0 && event->resource_stack) {
        int status = identify(summary, g, event->resource_stack);
        if (status)
            return status;
    }
    if (analysis_goroutine_ends(summary, event))
        return analysis_goroutine_end(summary, index, event->time, true);
    if (event->to == WEFT_STATE_RUNNING && g->spent == WEFT_SPENT_RUNNABLE && g->whole &&
        !is_switch(event))
        weft_histogram_add(&summary->latency, analysis_span(g->since, event->time));
    if (event->from == WEFT_STATE_SYSCALL)
        leave_syscall(summary, g);
    account(summary, g, event->time);
    g->whole = true;
    return enter(summary, index, event);
}

bool analysis_goroutine_ends(struct weft_summary *summary, const weft_event *event)
{
    return event->to == WEFT_STATE_NOT_EXIST ||
           (event->to == WEFT_STATE_WAITING && is_forever(summary, event->name));
}

void analysis_goroutine_spent(struct weft_summary *summary, uint64_t id, int64_t time,
                              int64_t spent[WEFT_SPENT_LIMIT])
{
    uint32_t index =
        id == WEFT_ID_NONE ? READER_ABSENT : analysis_ids_find(&summary->goroutine_of, id);
    memset(spent, 0, WEFT_SPENT_LIMIT * sizeof *spent);
    if (index == READER_ABSENT)
        return;
    const struct analysis_goroutine *g = &summary->goroutines.at[index];
    memcpy(spent, g->times.time, WEFT_SPENT_LIMIT * sizeof *spent);
    analysis_add(&spent[g->spent], analysis_span(g->since, time));
}

void analysis_proc_close(struct analysis_proc *proc, int64_t time)
{
    if (proc->is_running)
        analysis_add(&proc->running, analysis_span(proc->since, time));
    proc->since = time;
}

static uint32_t proc_new(struct weft_summary *summary, const weft_event *event)
{
    uint32_t index = analysis_ids_add(&summary->proc_of, event->id);
    if (index == READER_ABSENT)
        return index;
    if (index == summary->procs.count && !READER_PUSH(&summary->procs))
        return READER_ABSENT;
    bool known = event->from != WEFT_STATE_UNDETERMINED;
    summary->procs.at[index] = (struct analysis_proc){.id = event->id,
                                                      .since = known ? event->time : summary->sync,
                                                      .syscall = READER_ABSENT,
                                                      .open_ranges = READER_ABSENT};
    return index;
}

int analysis_proc_event(struct weft_summary *summary, const weft_event *event)
{
    uint32_t index = analysis_ids_find(&summary->proc_of, event->id);
    bool is_new = index == READER_ABSENT;
    if (is_new && (index = proc_new(summary, event)) == READER_ABSENT)
        return -ENOMEM;
    struct analysis_proc *proc = &summary->procs.at[index];
    if (!is_new)
        analysis_proc_close(proc, event->time);
    proc->is_running = event->to == WEFT_STATE_RUNNING;
    if (event->to == WEFT_STATE_IDLE && event->from != WEFT_STATE_IDLE &&
        proc->syscall != READER_ABSENT) {
        struct analysis_goroutine *g = &summary->goroutines.at[proc->syscall];
        account(summary, g, event->time);
        leave_syscall(summary, g);
        g->spent = WEFT_SPENT_SYSCALL_BLOCKED;
        g->times.count[g->spent]++;
    }
    return 0;
}
