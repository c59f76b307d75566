/* SPDX-License-Identifier: MIT */
/*
 * Minimum mutator utilisation.
 *
 * Design: a step function for the program, or one for each proc: a list of changes. The mean over a
 * window is the difference of the function's integral at its two edges. As the left edge moves, it
 * is piecewise linear and bends only where an edge meets a change, so that the minimum is found
 * among those positions: two indices run over the changes together, one for each edge.
 *
 * What takes a proc from the program is by the definitions of Go's tool (internal/trace/gc.go):
 *  - Nothing is known before the number of procs is. A proc that a shrink takes away ends its
 * function, and a new one begins another.
 *  - A range that is told as active in the first generation has lasted since the begin of the
 * trace; in later ones that is nothing new. A stop of the world is never told so.
 *  - A goroutine in an assist, and a worker once it was labelled, take the proc while they execute.
 *    With a function for each proc, dedicated workers do not count: they have their proc to
 * themselves.
 */
#include <errno.h>
#include <string.h>

#include <weft/collector.h>

#include "reader/analysis_ids.h"
#include "wire/events.h"

struct mmu_change {
    int64_t time;
    double share; /* of the procs that the program has, from time on */
    double sum;   /* integral up to time, in ns */
};

struct mmu_series {
    READER_VEC(struct mmu_change) changes;
};

struct mmu_proc {
    int64_t busy; /* what the collector does on it; 0 is nothing */
    uint32_t series;
};

struct mmu_procs {
    int64_t time;
    uint64_t count;
};

/* What is known of a goroutine. */
#define MMU_ASSISTS  1u
#define MMU_WORKS    2u
#define MMU_EXECUTES 4u

struct weft_mmu {
    const weft_reader *reader;
    unsigned flags;
    uint64_t sync;  /* number of the last */
    uint64_t stops; /* of the world, under way */
    uint64_t busy;  /* procs whose busy is not 0 */
    int64_t last;
    bool changed; /* the functions may have to, since they were recorded last */
    READER_VEC(struct mmu_series) series;
    READER_VEC(struct mmu_proc) procs;
    READER_VEC(struct mmu_procs) counts; /* of procs, over time */
    struct analysis_ids goroutine_of;
    READER_VEC(uint8_t) goroutines;
};

int weft_mmu_new(weft_mmu **out, const weft_reader *reader, unsigned flags)
{
    weft_mmu *mmu = *out = calloc(1, sizeof *mmu);
    if (!mmu)
        return -ENOMEM;
    mmu->reader = reader;
    mmu->flags = flags;
    analysis_ids_init(&mmu->goroutine_of);
    return 0;
}

/* -------- the functions -------- */

/* At one time, the least counts. */
static int change(struct mmu_series *series, int64_t time, double share)
{
    struct mmu_change *last =
        series->changes.count ? &series->changes.at[series->changes.count - 1] : NULL;
    if (last && last->share == share)
        return 0;
    if (last && last->time == time) {
        last->share = share < last->share ? share : last->share;
        return 0;
    }
    struct mmu_change *slot = READER_PUSH(&series->changes);
    if (!slot)
        return -ENOMEM;
    *slot = (struct mmu_change){time, share, 0};
    return 0;
}

static bool per_proc(const weft_mmu *mmu)
{
    return (mmu->flags & WEFT_MMU_PER_PROC) != 0;
}

static int record_procs(weft_mmu *mmu, int64_t time)
{
    int status = 0;
    for (uint32_t i = 0; i < mmu->procs.count && !status; i++) {
        const struct mmu_proc *proc = &mmu->procs.at[i];
        bool taken = mmu->stops || proc->busy > 0;
        status = change(&mmu->series.at[proc->series], time, taken ? 0 : 1);
    }
    return status;
}

static int record(weft_mmu *mmu, int64_t time)
{
    if (per_proc(mmu))
        return record_procs(mmu, time);
    double busy = mmu->stops ? (double)mmu->procs.count : (double)mmu->busy;
    return change(&mmu->series.at[0], time, 1 - busy / (double)mmu->procs.count);
}

/* -------- procs -------- */

/* Something of the collector begins (1) or ends (-1) on a proc. */
static void occupy(weft_mmu *mmu, uint64_t p, int by)
{
    if (p >= mmu->procs.count)
        return;
    struct mmu_proc *proc = &mmu->procs.at[p];
    bool was = proc->busy > 0;
    mmu->changed = true;
    proc->busy += by;
    if (!was && proc->busy > 0)
        mmu->busy++;
    else if (was && proc->busy <= 0)
        mmu->busy--;
}

static int add_proc(weft_mmu *mmu, int64_t time)
{
    uint32_t index = 0;
    if (per_proc(mmu) || mmu->series.count == 0) {
        index = mmu->series.count;
        struct mmu_series *series = READER_PUSH(&mmu->series);
        if (!series)
            return -ENOMEM;
        *series = (struct mmu_series){0};
        if (change(series, time, 1))
            return -ENOMEM;
    }
    struct mmu_proc *proc = READER_PUSH(&mmu->procs);
    if (!proc)
        return -ENOMEM;
    *proc = (struct mmu_proc){0, index};
    return 0;
}

static int remove_proc(weft_mmu *mmu, int64_t time)
{
    struct mmu_proc *proc = &mmu->procs.at[--mmu->procs.count];
    mmu->busy -= proc->busy > 0;
    return per_proc(mmu) ? change(&mmu->series.at[proc->series], time, 0) : 0;
}

#define MOST_PROCS (1u << 20) /* a damaged trace may claim any number */

static int resize(weft_mmu *mmu, uint64_t count, int64_t time)
{
    int status = 0;
    mmu->changed = true;
    count = count < MOST_PROCS ? count : MOST_PROCS;
    while (!status && mmu->procs.count > count)
        status = remove_proc(mmu, time);
    while (!status && mmu->procs.count < count)
        status = add_proc(mmu, time);
    if (status || (mmu->counts.count && mmu->counts.at[mmu->counts.count - 1].count == count))
        return status;
    struct mmu_procs *slot = READER_PUSH(&mmu->counts);
    if (!slot)
        return -ENOMEM;
    *slot = (struct mmu_procs){time, count};
    return 0;
}

/* -------- goroutines -------- */

/* What is known of a goroutine; NULL when memory is exhausted. */
static uint8_t *goroutine(weft_mmu *mmu, uint64_t id)
{
    uint32_t index = analysis_ids_find(&mmu->goroutine_of, id);
    if (index != READER_ABSENT)
        return &mmu->goroutines.at[index];
    index = analysis_ids_add(&mmu->goroutine_of, id);
    if (index == READER_ABSENT ||
        (index == mmu->goroutines.count && !READER_PUSH(&mmu->goroutines)))
        return NULL;
    mmu->goroutines.at[index] = 0;
    return &mmu->goroutines.at[index];
}

static bool executes(uint8_t state)
{
    return state == WEFT_STATE_RUNNING || state == WEFT_STATE_SYSCALL;
}

static int transition(weft_mmu *mmu, const weft_event *event)
{
    if (event->resource != WEFT_RESOURCE_GOROUTINE)
        return 0;
    uint8_t *g = goroutine(mmu, event->id);
    if (!g)
        return -ENOMEM;
    if ((*g & (MMU_ASSISTS | MMU_WORKS)) && executes(event->from) != executes(event->to))
        occupy(mmu, event->p, executes(event->to) ? 1 : -1);
    *g = (uint8_t)((*g & ~MMU_EXECUTES) | (executes(event->to) ? MMU_EXECUTES : 0));
    if (event->to != WEFT_STATE_NOT_EXIST)
        return 0;
    return analysis_ids_remove(&mmu->goroutine_of, event->id) ? 0 : -ENOMEM;
}

static int label(weft_mmu *mmu, const weft_event *event)
{
    weft_text text = weft_reader_string(mmu->reader, event->name);
    bool idle = text.size == 9 && memcmp(text.data, "GC (idle)", 9) == 0;
    bool dedicated = text.size == 14 && memcmp(text.data, "GC (dedicated)", 14) == 0;
    if (!(mmu->flags & WEFT_MMU_BACKGROUND) || text.size < 3 || memcmp(text.data, "GC ", 3) != 0 ||
        idle || (dedicated && per_proc(mmu)))
        return 0;
    uint8_t *g = goroutine(mmu, event->g);
    if (!g)
        return -ENOMEM;
    *g |= MMU_WORKS;
    occupy(mmu, event->p, 1);
    return 0;
}

/* -------- ranges -------- */

static bool is(weft_text text, const char *name)
{
    return text.size == strlen(name) && memcmp(text.data, name, text.size) == 0;
}

static bool is_collection_stop(weft_text name)
{
    static const char prefix[] = "stop-the-world";
    bool stop = name.size >= sizeof prefix - 1 && memcmp(name.data, prefix, sizeof prefix - 1) == 0;
    for (size_t i = 0; stop && i + 1 < name.size; i++)
        if (name.data[i] == 'G' && name.data[i + 1] == 'C')
            return true;
    return false;
}

/* Which of the flags a range is for; 0 if for none that counts. */
static unsigned counts_as(const weft_mmu *mmu, const weft_event *event)
{
    weft_text name = weft_reader_string(mmu->reader, event->name);
    unsigned flag = 0;
    if (is_collection_stop(name))
        flag = WEFT_MMU_STW;
    else if (is(name, "GC mark assist"))
        flag = WEFT_MMU_ASSIST;
    else if (is(name, "GC incremental sweep"))
        flag = WEFT_MMU_SWEEP;
    return flag & mmu->flags;
}

/* One proc was taken from the begin of the trace until now, which had not been known. */
static void take_from_the_past(weft_mmu *mmu)
{
    struct mmu_series *series = &mmu->series.at[0];
    uint32_t procs = 0;
    mmu->changed = true;
    for (uint32_t i = 0; i < series->changes.count; i++) {
        while (procs + 1 < mmu->counts.count &&
               mmu->counts.at[procs + 1].time < series->changes.at[i].time)
            procs++;
        series->changes.at[i].share -= 1 / (double)mmu->counts.at[procs].count;
        if (series->changes.at[i].share < 0)
            series->changes.at[i].share = 0;
    }
}

static int range_begin(weft_mmu *mmu, const weft_event *event, unsigned flag)
{
    uint8_t *g = event->g == WEFT_ID_NONE ? NULL : goroutine(mmu, event->g);
    if (event->kind == WEFT_EVENT_RANGE_ACTIVE) {
        if (mmu->sync > 1)
            return 0;
        bool since_ever =
            flag == WEFT_MMU_SWEEP || (flag == WEFT_MMU_ASSIST && g && (*g & MMU_EXECUTES));
        if (since_ever && !per_proc(mmu))
            take_from_the_past(mmu);
    }
    if (flag == WEFT_MMU_STW) {
        mmu->stops++;
        mmu->changed = true;
        return 0;
    }
    occupy(mmu, event->p, 1);
    if (flag != WEFT_MMU_ASSIST || event->resource != WEFT_RESOURCE_GOROUTINE)
        return 0;
    g = goroutine(mmu, event->id);
    if (!g)
        return -ENOMEM;
    *g |= MMU_ASSISTS;
    return 0;
}

static int range_end(weft_mmu *mmu, const weft_event *event, unsigned flag)
{
    if (flag == WEFT_MMU_STW) {
        mmu->stops -= mmu->stops > 0;
        mmu->changed = true;
        return 0;
    }
    occupy(mmu, event->p, -1);
    if (flag != WEFT_MMU_ASSIST || event->resource != WEFT_RESOURCE_GOROUTINE)
        return 0;
    uint8_t *g = goroutine(mmu, event->id);
    if (!g)
        return -ENOMEM;
    *g &= (uint8_t)~MMU_ASSISTS;
    return 0;
}

/* -------- events -------- */

static int take(weft_mmu *mmu, const weft_event *event)
{
    unsigned flag;
    switch (event->kind) {
    case WEFT_EVENT_STATE_TRANSITION:
        return transition(mmu, event);
    case WEFT_EVENT_LABEL:
        return label(mmu, event);
    case WEFT_EVENT_RANGE_BEGIN:
    case WEFT_EVENT_RANGE_ACTIVE:
        flag = counts_as(mmu, event);
        return flag ? range_begin(mmu, event, flag) : 0;
    case WEFT_EVENT_RANGE_END:
        flag = counts_as(mmu, event);
        return flag ? range_end(mmu, event, flag) : 0;
    default:
        return 0;
    }
}

int weft_mmu_event(weft_mmu *mmu, const weft_event *event)
{
    int status = 0;
    mmu->last = event->time;
    if (event->kind == WEFT_EVENT_SYNC)
        mmu->sync = event->id;
    if (event->kind == WEFT_EVENT_METRIC && event->wire == WIRE_EV_PROCS_CHANGE)
        status = resize(mmu, event->u.value, event->time);
    if (status || mmu->procs.count == 0)
        return status;
    status = take(mmu, event);
    if (status || !mmu->changed)
        return status;
    mmu->changed = false;
    return record(mmu, event->time);
}

static void integrate(struct mmu_series *series)
{
    for (uint32_t i = 1; i < series->changes.count; i++) {
        const struct mmu_change *before = &series->changes.at[i - 1];
        series->changes.at[i].sum =
            before->sum + before->share * (double)(series->changes.at[i].time - before->time);
    }
}

/* All functions end at 0, as there are no windows beyond. */
int weft_mmu_finish(weft_mmu *mmu)
{
    int status = 0;
    for (uint32_t i = 0; i < mmu->procs.count && !status; i++)
        status = change(&mmu->series.at[mmu->procs.at[i].series], mmu->last, 0);
    for (uint32_t i = 0; i < mmu->series.count; i++)
        integrate(&mmu->series.at[i]);
    return status;
}

/* -------- the minimum -------- */

static int64_t length(const struct mmu_series *series)
{
    return series->changes.count
               ? series->changes.at[series->changes.count - 1].time - series->changes.at[0].time
               : 0;
}

int64_t weft_mmu_longest(const weft_mmu *mmu)
{
    int64_t longest = 0;
    for (uint32_t i = 0; i < mmu->series.count; i++)
        longest = length(&mmu->series.at[i]) > longest ? length(&mmu->series.at[i]) : longest;
    return longest;
}

/* An edge of the window: the integral up to it, and the change at or before it. */
struct edge {
    const struct mmu_series *series;
    uint32_t at;
};

static double integral(struct edge *edge, int64_t time)
{
    const struct mmu_series *series = edge->series;
    while (edge->at + 1 < series->changes.count && series->changes.at[edge->at + 1].time <= time)
        edge->at++;
    const struct mmu_change *from = &series->changes.at[edge->at];
    return from->sum + from->share * (double)(time - from->time);
}

static int64_t next_change(const struct edge *edge)
{
    uint32_t next = edge->at + 1;
    return next < edge->series->changes.count ? edge->series->changes.at[next].time : INT64_MAX;
}

static double minimum(const struct mmu_series *series, int64_t window, double least, int64_t *at)
{
    struct edge left = {series, 0}, right = {series, 0};
    int64_t time = series->changes.at[0].time,
            end = series->changes.at[series->changes.count - 1].time - window;
    for (;;) {
        double mean = (integral(&right, time + window) - integral(&left, time)) / (double)window;
        if (mean < least) {
            least = mean;
            *at = time;
        }
        if (time >= end)
            return least;
        int64_t by_left = next_change(&left), by_right = next_change(&right) - window;
        time = by_left < by_right ? by_left : by_right;
        time = time < end ? time : end;
    }
}

double weft_mmu_minimum(const weft_mmu *mmu, int64_t window, int64_t *at)
{
    double least = 1;
    int64_t begin = mmu->series.count ? mmu->series.at[0].changes.at[0].time : 0;
    for (uint32_t i = 0; i < mmu->series.count; i++) {
        const struct mmu_series *series = &mmu->series.at[i];
        int64_t longest = length(series);
        if (longest > 0 && window > 0)
            least = minimum(series, window < longest ? window : longest, least, &begin);
    }
    if (at)
        *at = begin;
    return window > 0 ? least : 0;
}

void weft_mmu_free(weft_mmu *mmu)
{
    if (!mmu)
        return;
    for (uint32_t i = 0; i < mmu->series.count; i++)
        READER_VEC_FINI(&mmu->series.at[i].changes);
    READER_VEC_FINI(&mmu->series);
    READER_VEC_FINI(&mmu->procs);
    READER_VEC_FINI(&mmu->counts);
    READER_VEC_FINI(&mmu->goroutines);
    analysis_ids_fini(&mmu->goroutine_of);
    free(mmu);
}
