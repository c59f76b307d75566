/* SPDX-License-Identifier: MIT */
/*
 * Time by stack: stays of goroutines in a state, CPU samples, regions.
 *
 * To be equal to `go tool trace -pprof`, a goroutine counts from its first running on: what it
 * waited before does not count, unless it never runs at all.
 */
#define _GNU_SOURCE /* memmem */

#include <errno.h>
#include <string.h>

#include <weft/analysis.h>

#include "reader/analysis_ids.h"
#include "reader/analysis_intern.h"
#include "reader/analysis_summary.h"

#define USUAL_PERIOD 10000000 /* ns */

struct profile_sum {
    uint64_t count;
    int64_t time;
};

/* A region under way; regions of a goroutine are a list, the innermost first. */
struct profile_region {
    int64_t begin;
    uint32_t stack, next;
};

struct profile_goroutine {
    int64_t since;
    int64_t early;        /* length of the stay before its first running */
    uint32_t stack;       /* of the stay that counts, or READER_ABSENT */
    uint32_t early_stack; /* READER_ABSENT if there was none */
    uint32_t regions;     /* the innermost */
    bool ran;
};

struct weft_profile {
    struct analysis_intern intern;
    struct analysis_ids goroutine_of;
    READER_VEC(struct profile_goroutine) goroutines;
    READER_VEC(struct profile_region) regions;
    uint32_t free_region;
    READER_VEC(struct profile_sum) sums; /* by stack */
    READER_VEC(uint8_t) is_wanted;       /* by text of a reason: 0 not known, 1 no, 2 yes */
    weft_profile_kind kind;
    uint8_t state; /* whose stays count */
    uint32_t name; /* text of the regions that count */
    int64_t period, begin, end;
    bool started;
};

int weft_profile_new(weft_profile **out, const weft_reader *reader, weft_profile_kind kind,
                     const char *name)
{
    static const uint8_t states[WEFT_PROFILE_KIND_LIMIT] = {
        [WEFT_PROFILE_NET] = WEFT_STATE_WAITING,
        [WEFT_PROFILE_SYNC] = WEFT_STATE_WAITING,
        [WEFT_PROFILE_SYSCALL] = WEFT_STATE_SYSCALL,
        [WEFT_PROFILE_SCHED] = WEFT_STATE_RUNNABLE,
    };
    weft_profile *profile = *out = calloc(1, sizeof *profile);
    if (!profile)
        return -ENOMEM;
    profile->kind = kind;
    profile->state = states[kind];
    profile->period = USUAL_PERIOD;
    profile->free_region = READER_ABSENT;
    analysis_ids_init(&profile->goroutine_of);
    if (analysis_intern_init(&profile->intern, reader) &&
        (profile->name = reader_pool_add(&profile->intern.texts, name ? name : "",
                                         name ? strlen(name) : 0)) != READER_ABSENT)
        return 0;
    weft_profile_free(profile);
    *out = NULL;
    return -ENOMEM;
}

/* -------- sums -------- */

static int count(weft_profile *profile, uint32_t stack, int64_t time)
{
    while (profile->sums.count <= stack) {
        struct profile_sum *sum = READER_PUSH(&profile->sums);
        if (!sum)
            return -ENOMEM;
        *sum = (struct profile_sum){0, 0};
    }
    profile->sums.at[stack].count++;
    analysis_add(&profile->sums.at[stack].time, time);
    return 0;
}

/* Record of a goroutine, made if it is new; NULL when memory is exhausted. */
static struct profile_goroutine *goroutine(weft_profile *profile, uint64_t id)
{
    uint32_t index = analysis_ids_find(&profile->goroutine_of, id);
    if (index != READER_ABSENT)
        return &profile->goroutines.at[index];
    index = analysis_ids_add(&profile->goroutine_of, id);
    if (index == READER_ABSENT ||
        (index == profile->goroutines.count && !READER_PUSH(&profile->goroutines)))
        return NULL;
    struct profile_goroutine *g = &profile->goroutines.at[index];
    *g = (struct profile_goroutine){
        .stack = READER_ABSENT, .early_stack = READER_ABSENT, .regions = READER_ABSENT};
    return g;
}

/* -------- stays in a state -------- */

static bool contains(weft_text text, const char *word)
{
    return memmem(text.data, text.size, word, strlen(word)) != NULL;
}

/* The reasons that count, as Go's tool chooses them. */
static bool reason_counts(weft_profile_kind kind, weft_text reason)
{
    if (kind == WEFT_PROFILE_NET)
        return reason.size == 7 && memcmp(reason.data, "network", 7) == 0;
    return contains(reason, "chan") || contains(reason, "sync") || contains(reason, "select");
}

/* 1, 0, or -ENOMEM. */
static int is_wanted(weft_profile *profile, weft_string reason)
{
    if (profile->state != WEFT_STATE_WAITING)
        return 1;
    uint32_t text = analysis_intern_text(&profile->intern, reason);
    if (text == READER_ABSENT)
        return -ENOMEM;
    while (profile->is_wanted.count <= text) {
        uint8_t *slot = READER_PUSH(&profile->is_wanted);
        if (!slot)
            return -ENOMEM;
        *slot = 0;
    }
    uint8_t *known = &profile->is_wanted.at[text];
    if (*known == 0)
        *known = 1 + reason_counts(profile->kind, analysis_intern_get(&profile->intern, text));
    return *known - 1;
}

static int begin_stay(weft_profile *profile, struct profile_goroutine *g, const weft_event *event)
{
    int wanted = is_wanted(profile, event->name);
    if (wanted <= 0)
        return wanted;
    g->since = event->time;
    g->stack = analysis_intern_stack(&profile->intern, event->stack);
    return g->stack == READER_ABSENT ? -ENOMEM : 0;
}

static void forget_regions(weft_profile *profile, struct profile_goroutine *g)
{
    while (g->regions != READER_ABSENT) {
        uint32_t next = profile->regions.at[g->regions].next;
        profile->regions.at[g->regions].next = profile->free_region;
        profile->free_region = g->regions;
        g->regions = next;
    }
}

static int end_stay(weft_profile *profile, struct profile_goroutine *g, int64_t time)
{
    uint32_t stack = g->stack;
    int64_t length = analysis_span(g->since, time);
    g->stack = READER_ABSENT;
    if (g->ran)
        return count(profile, stack, length);
    /* There is at most one: what ends in the state that counts is followed by running. */
    g->early_stack = stack;
    g->early = length;
    return 0;
}

/* Counts the stay of a goroutine that never ran. */
static int count_early(weft_profile *profile, struct profile_goroutine *g)
{
    uint32_t stack = g->early_stack;
    g->early_stack = READER_ABSENT;
    return stack == READER_ABSENT ? 0 : count(profile, stack, g->early);
}

static int end_goroutine(weft_profile *profile, struct profile_goroutine *g, uint64_t id)
{
    forget_regions(profile, g);
    int status = count_early(profile, g);
    return status || analysis_ids_remove(&profile->goroutine_of, id) ? status : -ENOMEM;
}

static int transition(weft_profile *profile, const weft_event *event)
{
    struct profile_goroutine *g = goroutine(profile, event->id);
    if (!g)
        return -ENOMEM;
    if (event->to == WEFT_STATE_RUNNING && !g->ran) {
        g->ran = true;
        g->stack = g->early_stack = READER_ABSENT;
        return 0;
    }
    int status = 0;
    if (g->stack == READER_ABSENT && event->to == profile->state)
        status = begin_stay(profile, g, event);
    else if (g->stack != READER_ABSENT && event->to != profile->state)
        status = end_stay(profile, g, event->time);
    return status || event->to != WEFT_STATE_NOT_EXIST ? status
                                                       : end_goroutine(profile, g, event->id);
}

int weft_profile_finish(weft_profile *profile)
{
    int status = 0;
    for (uint32_t i = 0; i < profile->goroutines.count && !status; i++)
        status = count_early(profile, &profile->goroutines.at[i]);
    return status;
}

/* -------- regions -------- */

static int region_begin(weft_profile *profile, struct profile_goroutine *g, const weft_event *event)
{
    uint32_t index = profile->free_region;
    if (index != READER_ABSENT)
        profile->free_region = profile->regions.at[index].next;
    else if (READER_PUSH(&profile->regions))
        index = profile->regions.count - 1;
    uint32_t stack = analysis_intern_stack(&profile->intern, event->stack);
    if (index == READER_ABSENT || stack == READER_ABSENT)
        return -ENOMEM;
    profile->regions.at[index] = (struct profile_region){event->time, stack, g->regions};
    g->regions = index;
    return 0;
}

static int region_end(weft_profile *profile, struct profile_goroutine *g, int64_t time)
{
    uint32_t index = g->regions;
    if (index == READER_ABSENT)
        return 0;
    struct profile_region *region = &profile->regions.at[index];
    g->regions = region->next;
    region->next = profile->free_region;
    profile->free_region = index;
    return count(profile, region->stack, analysis_span(region->begin, time));
}

static int region_event(weft_profile *profile, const weft_event *event)
{
    uint32_t name = analysis_intern_text(&profile->intern, event->name);
    if (name == READER_ABSENT)
        return -ENOMEM;
    if (name != profile->name)
        return 0;
    struct profile_goroutine *g = goroutine(profile, event->g);
    if (!g)
        return -ENOMEM;
    return event->kind == WEFT_EVENT_REGION_BEGIN ? region_begin(profile, g, event)
                                                  : region_end(profile, g, event->time);
}

/* -------- events -------- */

static int sample_event(weft_profile *profile, const weft_event *event)
{
    uint32_t stack = analysis_intern_stack(&profile->intern, event->stack);
    return stack == READER_ABSENT ? -ENOMEM : count(profile, stack, profile->period);
}

static int other_event(weft_profile *profile, const weft_event *event)
{
    switch (event->kind) {
    case WEFT_EVENT_SYNC:
        analysis_intern_forget(&profile->intern);
        return 0;
    case WEFT_EVENT_STACK_SAMPLE:
        return profile->kind == WEFT_PROFILE_CPU ? sample_event(profile, event) : 0;
    case WEFT_EVENT_REGION_BEGIN:
    case WEFT_EVENT_REGION_END:
        return profile->kind == WEFT_PROFILE_REGION ? region_event(profile, event) : 0;
    default:
        return 0;
    }
}

int weft_profile_event(weft_profile *profile, const weft_event *event)
{
    if (!profile->started) {
        profile->started = true;
        profile->begin = event->time;
    }
    profile->end = event->time;
    if (event->kind != WEFT_EVENT_STATE_TRANSITION)
        return other_event(profile, event);
    if (event->resource != WEFT_RESOURCE_GOROUTINE || profile->kind == WEFT_PROFILE_CPU)
        return 0;
    return transition(profile, event);
}

/* -------- results -------- */

void weft_profile_set_period(weft_profile *profile, int64_t period)
{
    profile->period = period;
}

int64_t weft_profile_period(const weft_profile *profile)
{
    return profile->period;
}

weft_profile_kind weft_profile_kind_get(const weft_profile *profile)
{
    return profile->kind;
}

void weft_profile_total(const weft_profile *profile, uint64_t *sum, int64_t *time)
{
    *sum = 0;
    *time = 0;
    for (uint32_t i = 0; i < profile->sums.count; i++) {
        *sum += profile->sums.at[i].count;
        analysis_add(time, profile->sums.at[i].time);
    }
}

int64_t weft_profile_duration(const weft_profile *profile)
{
    return analysis_span(profile->begin, profile->end);
}

size_t weft_profile_samples(const weft_profile *profile)
{
    return profile->sums.count;
}

int weft_profile_sample(const weft_profile *profile, size_t index, weft_sample *sample)
{
    *sample = (weft_sample){0, 0, NULL, 0};
    if (index >= profile->sums.count)
        return -ERANGE;
    const struct analysis_stack *stack = &profile->intern.stacks.at[index];
    *sample = (weft_sample){profile->sums.at[index].count, profile->sums.at[index].time, NULL,
                            stack->count};
    if (stack->count)
        sample->frames = profile->intern.stack_frames.at + stack->first;
    return 0;
}

size_t weft_profile_frames(const weft_profile *profile)
{
    return profile->intern.frames.count;
}

int weft_profile_frame_get(const weft_profile *profile, size_t index, weft_profile_frame *frame)
{
    *frame = (weft_profile_frame){0, 0, 0, 0};
    if (index >= profile->intern.frames.count)
        return -ERANGE;
    const struct analysis_frame *of = &profile->intern.frames.at[index];
    *frame = (weft_profile_frame){of->pc, of->line, of->function, of->file};
    return 0;
}

size_t weft_profile_texts(const weft_profile *profile)
{
    return profile->intern.texts.texts.count;
}

weft_text weft_profile_text(const weft_profile *profile, size_t index)
{
    if (index >= profile->intern.texts.texts.count)
        return (weft_text){"", 0};
    return analysis_intern_get(&profile->intern, (uint32_t)index);
}

void weft_profile_free(weft_profile *profile)
{
    if (!profile)
        return;
    analysis_intern_fini(&profile->intern);
    analysis_ids_fini(&profile->goroutine_of);
    READER_VEC_FINI(&profile->goroutines);
    READER_VEC_FINI(&profile->regions);
    READER_VEC_FINI(&profile->sums);
    READER_VEC_FINI(&profile->is_wanted);
    free(profile);
}
