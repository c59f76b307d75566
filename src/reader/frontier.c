/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "reader/frontier.h"

bool reader_frontier_reset(struct reader_frontier *frontier, uint32_t n)
{
    frontier->count = 0;
    if (n <= frontier->capacity)
        return true;
    struct reader_frontier_entry *at =
        reader_realloc(frontier->budget, frontier->at, (size_t)frontier->capacity * 2 * sizeof *at,
                       (size_t)n * 2 * sizeof *at);
    if (!at)
        return false;
    frontier->at = at;
    frontier->capacity = n;
    return true;
}

void reader_frontier_fini(struct reader_frontier *frontier)
{
    reader_free(frontier->budget, frontier->at,
                (size_t)frontier->capacity * 2 * sizeof *frontier->at);
    *frontier = (struct reader_frontier){.budget = frontier->budget};
}

static void swap(struct reader_frontier_entry *a, struct reader_frontier_entry *b)
{
    struct reader_frontier_entry was = *a;
    *a = *b;
    *b = was;
}

static uint32_t sift_up(struct reader_frontier_entry *at, uint32_t i)
{
    while (i > 0 && at[(i - 1) / 2].time > at[i].time) {
        swap(&at[(i - 1) / 2], &at[i]);
        i = (i - 1) / 2;
    }
    return i;
}

static void sift_down(struct reader_frontier_entry *at, uint32_t count, uint32_t i)
{
    for (;;) {
        uint32_t least = i, left = 2 * i + 1, right = left + 1;
        if (left < count && at[left].time < at[least].time)
            least = left;
        if (right < count && at[right].time < at[least].time)
            least = right;
        if (least == i)
            return;
        swap(&at[i], &at[least]);
        i = least;
    }
}

void reader_frontier_push(struct reader_frontier *frontier, int64_t time, uint32_t cursor)
{
    uint32_t i = frontier->count++;
    frontier->at[i] = (struct reader_frontier_entry){time, cursor};
    sift_up(frontier->at, i);
}

void reader_frontier_move(struct reader_frontier *frontier, uint32_t index)
{
    if (sift_up(frontier->at, index) == index)
        sift_down(frontier->at, frontier->count, index);
}

void reader_frontier_remove(struct reader_frontier *frontier, uint32_t index)
{
    struct reader_frontier_entry *at = frontier->at;
    for (; index > 0; index = (index - 1) / 2)
        swap(&at[index], &at[(index - 1) / 2]);
    at[0] = at[--frontier->count];
    sift_down(at, frontier->count, 0);
}

/*
 * Nearly sorted arrays are the rule: one entry has moved since the last time. Gives up after so
 * many moves; what it has done until then is a sorted beginning, with equal times in order.
 */
static bool insertion_sort(struct reader_frontier_entry *at, uint32_t n, uint64_t moves)
{
    for (uint32_t i = 1; i < n; i++) {
        struct reader_frontier_entry entry = at[i];
        uint32_t j = i;
        for (; j > 0 && at[j - 1].time > entry.time; j--)
            at[j] = at[j - 1];
        at[j] = entry;
        if (i - j > moves)
            return false;
        moves -= i - j;
    }
    return true;
}

#define RUN 12u

static uint32_t least(uint64_t a, uint32_t b)
{
    return a < b ? (uint32_t)a : b;
}

static void merge_runs(const struct reader_frontier_entry *from, struct reader_frontier_entry *to,
                       uint32_t n, uint32_t run)
{
    for (uint64_t low = 0; low < n; low += 2 * (uint64_t)run) {
        uint32_t mid = least(low + run, n), high = least(low + 2 * (uint64_t)run, n);
        uint32_t i = (uint32_t)low, j = mid;
        for (uint32_t k = (uint32_t)low; k < high; k++)
            to[k] = j >= high || (i < mid && from[i].time <= from[j].time) ? from[i++] : from[j++];
    }
}

void reader_frontier_sort(struct reader_frontier *frontier)
{
    struct reader_frontier_entry *from = frontier->at, *to = from + frontier->capacity;
    uint32_t n = frontier->count;
    if (insertion_sort(from, n, (uint64_t)n * 4))
        return;
    for (uint32_t low = 0; low < n; low += RUN)
        insertion_sort(from + low, least(low + RUN, n) - low, RUN * RUN);
    for (uint32_t run = RUN; run < n; run *= 2) {
        merge_runs(from, to, n, run);
        struct reader_frontier_entry *was = from;
        from = to;
        to = was;
    }
    if (from != frontier->at)
        memcpy(frontier->at, from, n * sizeof *from);
}
