/* SPDX-License-Identifier: MIT */
/*
 * Two runs compared.
 *
 * Design: a row for each pair of group and cause that occurs in either run, found by a text
 * composed of both. For each run it has the sum, and a histogram of what single goroutines spent.
 */
#include <errno.h>
#include <string.h>

#include <weft/diff.h>

#include "reader/analysis_summary.h"

struct diff_cause {
    uint32_t group, reason; /* group; text */
    weft_spent spent;
    uint64_t count[2];
    weft_histogram *times[2];
};

struct diff_group {
    uint32_t name;
    uint64_t goroutines[2];
};

struct weft_diff {
    struct reader_pool texts;
    struct reader_map group_of; /* text → group */
    struct reader_map cause_of; /* text composed of group and cause → cause */
    READER_VEC(struct diff_group) groups;
    READER_VEC(struct diff_cause) causes;
    READER_VEC(weft_diff_row) rows;
    READER_VEC(char) key;
};

int weft_diff_new(weft_diff **out)
{
    weft_diff *diff = *out = calloc(1, sizeof *diff);
    if (diff && reader_pool_init(&diff->texts) &&
        reader_pool_add(&diff->texts, "", 0) != READER_ABSENT)
        return 0;
    weft_diff_free(diff);
    *out = NULL;
    return -ENOMEM;
}

static weft_text text(const weft_diff *diff, uint32_t number)
{
    const struct reader_pool_text *of = &diff->texts.texts.at[number];
    return (weft_text){of->data, of->size};
}

/* -------- groups and causes -------- */

static uint32_t group_get(weft_diff *diff, weft_text name)
{
    uint32_t number = reader_pool_add(&diff->texts, name.data, name.size);
    if (number == READER_ABSENT)
        return number;
    uint32_t index = reader_map_find(&diff->group_of, number);
    if (index != READER_ABSENT)
        return index;
    struct diff_group *group = READER_PUSH(&diff->groups);
    if (!group || !reader_map_add(&diff->group_of, number, diff->groups.count - 1))
        return READER_ABSENT;
    *group = (struct diff_group){.name = number};
    return diff->groups.count - 1;
}

static bool key_put(weft_diff *diff, const void *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char *slot = READER_PUSH(&diff->key);
        if (!slot)
            return false;
        *slot = ((const char *)data)[i];
    }
    return true;
}

/* The text of a pair: numbers in their bytes, then the reason. READER_ABSENT without memory. */
static uint32_t key_of(weft_diff *diff, uint32_t group, uint32_t spent, weft_text reason)
{
    diff->key.count = 0;
    if (!key_put(diff, &group, sizeof group) || !key_put(diff, &spent, sizeof spent) ||
        !key_put(diff, reason.data, reason.size))
        return READER_ABSENT;
    return reader_pool_add(&diff->texts, diff->key.at, diff->key.count);
}

static struct diff_cause *cause_new(weft_diff *diff, uint32_t key, uint32_t group, weft_spent spent,
                                    weft_text reason)
{
    uint32_t number = reader_pool_add(&diff->texts, reason.data, reason.size);
    struct diff_cause *cause = number == READER_ABSENT ? NULL : READER_PUSH(&diff->causes);
    if (!cause)
        return NULL;
    *cause = (struct diff_cause){.group = group, .reason = number, .spent = spent};
    cause->times[0] = calloc(1, sizeof *cause->times[0]);
    cause->times[1] = calloc(1, sizeof *cause->times[1]);
    bool ok = cause->times[0] && cause->times[1] &&
              reader_map_add(&diff->cause_of, key, diff->causes.count - 1);
    return ok ? cause : NULL;
}

/* Adds what a goroutine spent on a cause. */
static int add(weft_diff *diff, unsigned side, uint32_t group, weft_spent spent, weft_text reason,
               int64_t time, uint64_t count)
{
    if (count == 0 && time == 0)
        return 0;
    uint32_t key = key_of(diff, group, spent, reason);
    if (key == READER_ABSENT)
        return -ENOMEM;
    uint32_t index = reader_map_find(&diff->cause_of, key);
    struct diff_cause *cause = index == READER_ABSENT ? cause_new(diff, key, group, spent, reason)
                                                      : &diff->causes.at[index];
    if (!cause)
        return -ENOMEM;
    cause->count[side] += count;
    weft_histogram_add(cause->times[side], time);
    return 0;
}

int weft_diff_goroutine(weft_diff *diff, unsigned side, const weft_goroutine_stats *goroutine)
{
    static const weft_text none = {"", 0};
    const int64_t *time = goroutine->times.time;
    const uint64_t *count = goroutine->times.count;
    uint32_t group = group_get(diff, goroutine->name);
    if (group == READER_ABSENT)
        return -ENOMEM;
    diff->groups.at[group].goroutines[side]++;
    int status = add(diff, side, group, WEFT_SPENT_RUNNING, none, time[WEFT_SPENT_RUNNING],
                     count[WEFT_SPENT_RUNNING]);
    if (!status)
        status = add(diff, side, group, WEFT_SPENT_RUNNABLE, none, time[WEFT_SPENT_RUNNABLE],
                     count[WEFT_SPENT_RUNNABLE]);
    if (!status)
        status = add(diff, side, group, WEFT_SPENT_SYSCALL, none,
                     time[WEFT_SPENT_SYSCALL] + time[WEFT_SPENT_SYSCALL_BLOCKED],
                     count[WEFT_SPENT_SYSCALL]);
    for (size_t i = 0; i < goroutine->blocked.count && !status; i++) {
        const weft_share *share = &goroutine->blocked.at[i];
        status = add(diff, side, group, WEFT_SPENT_BLOCKED, share->name, share->time, share->count);
    }
    return status;
}

/* -------- rows -------- */

static weft_diff_side side_of(const struct diff_group *group, const struct diff_cause *cause,
                              unsigned side)
{
    const weft_histogram *times = cause->times[side];
    return (weft_diff_side){.goroutines = group->goroutines[side],
                            .with = times->count,
                            .count = cause->count[side],
                            .time = times->sum,
                            .p50 = weft_histogram_quantile(times, 0.5),
                            .p99 = weft_histogram_quantile(times, 0.99)};
}

static int64_t effect(const weft_diff_side side[2])
{
    if (side[0].goroutines == 0)
        return side[1].time;
    if (side[1].goroutines == 0)
        return -side[0].time;
    double as_before =
        (double)side[0].time / (double)side[0].goroutines * (double)side[1].goroutines;
    double more = (double)side[1].time - as_before;
    return more > 9e18 ? INT64_MAX : more < -9e18 ? -INT64_MAX : (int64_t)more;
}

static int by_effect(const void *left, const void *right)
{
    const weft_diff_row *a = left, *b = right;
    if (a->effect != b->effect)
        return a->effect < b->effect ? 1 : -1;
    int order = strcmp(a->group.data, b->group.data);
    if (order == 0)
        order = (int)a->spent - (int)b->spent;
    return order ? order : strcmp(a->reason.data, b->reason.data);
}

int weft_diff_finish(weft_diff *diff)
{
    for (uint32_t i = 0; i < diff->causes.count; i++) {
        const struct diff_cause *cause = &diff->causes.at[i];
        const struct diff_group *group = &diff->groups.at[cause->group];
        weft_diff_row *row = READER_PUSH(&diff->rows);
        if (!row)
            return -ENOMEM;
        *row = (weft_diff_row){.group = text(diff, group->name),
                               .spent = cause->spent,
                               .reason = text(diff, cause->reason),
                               .side = {side_of(group, cause, 0), side_of(group, cause, 1)}};
        row->effect = effect(row->side);
    }
    if (diff->rows.count)
        qsort(diff->rows.at, diff->rows.count, sizeof *diff->rows.at, by_effect);
    return 0;
}

const weft_diff_row *weft_diff_rows(const weft_diff *diff, size_t *count)
{
    *count = diff->rows.count;
    return diff->rows.at;
}

void weft_diff_free(weft_diff *diff)
{
    if (!diff)
        return;
    for (uint32_t i = 0; i < diff->causes.count; i++) {
        free(diff->causes.at[i].times[0]);
        free(diff->causes.at[i].times[1]);
    }
    reader_pool_fini(&diff->texts);
    reader_map_fini(&diff->group_of);
    reader_map_fini(&diff->cause_of);
    READER_VEC_FINI(&diff->groups);
    READER_VEC_FINI(&diff->causes);
    READER_VEC_FINI(&diff->rows);
    READER_VEC_FINI(&diff->key);
    free(diff);
}
