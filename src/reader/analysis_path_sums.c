/* SPDX-License-Identifier: MIT */
/* The time of a critical path by cause and by function. */
#include <errno.h>
#include <string.h>

#include "reader/analysis_path.h"

/* Sums that grow, by a key of kind and text. */
struct sums {
    struct reader_map of;
    READER_VEC(weft_path_sum) at;
};

static bool begins(weft_text text, const char *prefix)
{
    size_t size = strlen(prefix);
    return text.size >= size && memcmp(text.data, prefix, size) == 0;
}

size_t weft_path_frame(const weft_path *path, uint32_t stack)
{
    const struct analysis_intern *intern = &path->history.intern;
    weft_place place;
    for (size_t i = 0; analysis_intern_place(intern, stack, i, &place) == 0; i++)
        if (!begins(place.function, "runtime.") && !begins(place.function, "weft_"))
            return i;
    return 0;
}

static uint32_t function_of(const struct weft_path *path, uint32_t stack)
{
    const struct analysis_intern *intern = &path->history.intern;
    if (analysis_intern_depth(intern, stack) == 0)
        return 0;
    uint32_t first = intern->stacks.at[stack].first + (uint32_t)weft_path_frame(path, stack);
    return intern->frames.at[intern->stack_frames.at[first]].function;
}

static int add(struct sums *sums, const struct analysis_intern *intern, uint8_t kind, uint32_t text,
               int64_t time)
{
    uint64_t key = (uint64_t)kind << 32 | text;
    uint32_t index = reader_map_find(&sums->of, key);
    if (index == READER_ABSENT) {
        index = sums->at.count;
        weft_path_sum *sum = READER_PUSH(&sums->at);
        if (!sum || !reader_map_add(&sums->of, key, index))
            return -ENOMEM;
        *sum = (weft_path_sum){.kind = kind, .name = analysis_intern_get(intern, text)};
    }
    weft_path_sum *sum = &sums->at.at[index];
    sum->count++;
    sum->time += time;
    sum->max = time > sum->max ? time : sum->max;
    return 0;
}

static int by_time(const void *left, const void *right)
{
    const weft_path_sum *a = left, *b = right;
    return (a->time < b->time) - (a->time > b->time);
}

static int sum_steps(struct weft_path *path, struct sums *causes, struct sums *functions)
{
    struct analysis_intern *intern = &path->history.intern;
    int status = 0;
    for (uint32_t i = 0; i < path->steps.count && !status; i++) {
        const weft_path_step *step = &path->steps.at[i];
        if (step->kind == WEFT_PATH_WAIT)
            continue;
        bool reasoned = step->kind == WEFT_PATH_BLOCKED || step->kind == WEFT_PATH_REVOKED;
        weft_text reason = reasoned ? step->reason : (weft_text){"", 0};
        uint32_t text = reader_pool_add(&intern->texts, reason.data, reason.size);
        if (text == READER_ABSENT)
            return -ENOMEM;
        int64_t time = step->end - step->begin;
        status = add(causes, intern, step->kind, text, time);
        if (!status)
            status = add(functions, intern, step->kind, function_of(path, step->stack), time);
    }
    return status;
}

#define TAKE(vec, sums)                                                                            \
    do {                                                                                           \
        (vec)->at = (sums)->at.at;                                                                 \
        (vec)->count = (sums)->at.count;                                                           \
        (vec)->capacity = (sums)->at.capacity;                                                     \
        if ((vec)->count > 1)                                                                      \
            qsort((vec)->at, (vec)->count, sizeof *(vec)->at, by_time);                            \
        reader_map_fini(&(sums)->of);                                                              \
    } while (0)

int analysis_path_sum(struct weft_path *path)
{
    struct sums causes = {0}, functions = {0};
    int status = sum_steps(path, &causes, &functions);
    TAKE(&path->causes, &causes);
    TAKE(&path->functions, &functions);
    return status;
}
