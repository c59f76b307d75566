/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a trace: the analyses, all fed from one pass, neither crash nor hang, whatever they
 * are asked afterwards. Times within a goroutine's life add up.
 */
#include "input.h"

#include <stdbool.h>
#include <stdlib.h>
#include <weft/analysis_tasks.h>
#include <weft/collector.h>
#include <weft/critical_path.h>
#include <weft/diff.h>
#include <weft/export.h>

enum { PROFILES = 6, PATHS = 2 };

/* Tasks and goroutines that are followed have small numbers. */
struct analyses {
    weft_summary *summary;
    weft_watch *watch;
    weft_annotations *annotations;
    weft_story *story;
    weft_path *paths[PATHS];
    weft_collector *collector;
    weft_mmu *mmus[2];
    weft_profile *profiles[PROFILES];
    weft_diff *diff;
};

static void must(int status)
{
    if (status)
        abort();
}

/* -------- what callbacks get -------- */

static int on_goroutine(void *context, const weft_goroutine_stats *goroutine)
{
    struct analyses *all = context;
    int64_t sum = 0;
    bool large = false;
    for (unsigned i = 0; i < WEFT_SPENT_LIMIT; i++)
        large |= __builtin_add_overflow(sum, goroutine->times.time[i], &sum);
    if (!large && sum < 0)
        abort();
    fuzz_touch(goroutine->name);
    must(weft_diff_goroutine(all->diff, goroutine->id % 2, goroutine));
    return weft_watch_name(all->watch, goroutine);
}

static int on_task(void *context, const weft_task_record *task)
{
    (void)context;
    fuzz_touch(task->type);
    return 0;
}

static int on_region(void *context, const weft_region_record *region)
{
    (void)context;
    fuzz_touch(region->name);
    return 0;
}

static int on_log(void *context, const weft_log_record *log)
{
    (void)context;
    fuzz_touch(log->category);
    fuzz_touch(log->message);
    return 0;
}

/* -------- life -------- */

static void make(struct analyses *all, const weft_reader *reader)
{
    weft_annotation_sink sink = {
        .task = on_task, .region = on_region, .log = on_log, .context = all};
    must(weft_diff_new(&all->diff));
    must(weft_summary_new(&all->summary, reader));
    weft_summary_each_goroutine(all->summary, on_goroutine, all);
    must(weft_watch_new(&all->watch, reader, 1));
    must(weft_annotations_new(&all->annotations, reader, &sink));
    must(weft_story_new(&all->story, reader, 1));
    for (unsigned i = 0; i < PATHS; i++)
        must(weft_path_new(&all->paths[i], reader));
    weft_path_of_task(all->paths[0], 1);
    weft_path_of_goroutine(all->paths[1], 1, INT64_MIN, INT64_MAX);
    must(weft_collector_new(&all->collector, reader));
    must(weft_mmu_new(&all->mmus[0], reader, WEFT_MMU_STW | WEFT_MMU_ASSIST | WEFT_MMU_SWEEP));
    must(weft_mmu_new(&all->mmus[1], reader, WEFT_MMU_BACKGROUND | WEFT_MMU_PER_PROC));
    for (unsigned i = 0; i < PROFILES; i++)
        must(weft_profile_new(&all->profiles[i], reader, (weft_profile_kind)i, "a"));
}

static void feed(struct analyses *all, const weft_event *event)
{
    must(weft_summary_event(all->summary, event));
    must(weft_watch_event(all->watch, event));
    must(weft_annotations_event(all->annotations, event));
    must(weft_story_event(all->story, event));
    for (unsigned i = 0; i < PATHS; i++)
        must(weft_path_event(all->paths[i], event));
    must(weft_collector_event(all->collector, event));
    must(weft_mmu_event(all->mmus[0], event));
    must(weft_mmu_event(all->mmus[1], event));
    for (unsigned i = 0; i < PROFILES; i++)
        must(weft_profile_event(all->profiles[i], event));
}

static void free_all(struct analyses *all)
{
    weft_summary_free(all->summary);
    weft_watch_free(all->watch);
    weft_annotations_free(all->annotations);
    weft_story_free(all->story);
    for (unsigned i = 0; i < PATHS; i++)
        weft_path_free(all->paths[i]);
    weft_collector_free(all->collector);
    weft_mmu_free(all->mmus[0]);
    weft_mmu_free(all->mmus[1]);
    for (unsigned i = 0; i < PROFILES; i++)
        weft_profile_free(all->profiles[i]);
    weft_diff_free(all->diff);
}

/* -------- questions -------- */

static void ask_summary(struct analyses *all)
{
    weft_group_stats group;
    must(weft_summary_finish(all->summary));
    weft_watch_finish(all->watch);
    must(weft_diff_finish(all->diff));
    const weft_totals *totals = weft_summary_totals(all->summary);
    if (weft_histogram_quantile(totals->latency, 0.5) > weft_histogram_quantile(totals->latency, 1))
        abort();
    for (size_t i = 0; i < weft_summary_groups(all->summary); i++)
        must(weft_summary_group(all->summary, i, &group));
    size_t count;
    const weft_interval *intervals = weft_watch_intervals(all->watch, &count);
    for (size_t i = 1; i < count; i++)
        if (intervals[i].begin < intervals[i - 1].begin)
            abort();
}

/* Steps other than waits follow one another without gap. */
static void ask_path(weft_path *path)
{
    weft_path_extent extent;
    size_t count;
    if (weft_path_finish(path) != 0)
        return;
    weft_path_extent_get(path, &extent);
    const weft_path_step *steps = weft_path_steps(path, &count);
    int64_t at = extent.begin;
    for (size_t i = 0; i < count; i++) {
        if (steps[i].kind == WEFT_PATH_WAIT)
            continue;
        if (steps[i].begin != at || steps[i].end < at)
            abort();
        at = steps[i].end;
    }
    if (count && at != extent.end)
        abort();
}

static void ask_collector(struct analyses *all)
{
    must(weft_collector_finish(all->collector));
    for (unsigned i = 0; i < 2; i++) {
        must(weft_mmu_finish(all->mmus[i]));
        int64_t longest = weft_mmu_longest(all->mmus[i]), at;
        for (int64_t window = 1; window > 0 && window <= longest; window = window * 100 + 7) {
            double least = weft_mmu_minimum(all->mmus[i], window, &at);
            if (!(least >= -1e-6 && least <= 1 + 1e-6))
                abort();
            if (window > INT64_MAX / 200)
                break;
        }
    }
}

static void ask_profiles(struct analyses *all)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < PROFILES; i++) {
        must(weft_profile_finish(all->profiles[i]));
        must(weft_export_pprof(all->profiles[i], fuzz_write, &sum));
        must(weft_export_folded(all->profiles[i], fuzz_write, &sum));
    }
}

static void ask(struct analyses *all)
{
    size_t count;
    ask_summary(all);
    must(weft_annotations_finish(all->annotations));
    if (weft_story_finish(all->story) == 0)
        (void)weft_story_moments(all->story, &count);
    for (unsigned i = 0; i < PATHS; i++)
        ask_path(all->paths[i]);
    ask_collector(all);
    ask_profiles(all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct analyses all = {0};
    weft_reader *reader;
    weft_event event;
    if (weft_reader_open_callback(&reader, fuzz_read, &in) == 0) {
        make(&all, reader);
        while (weft_reader_next(reader, &event) == 1)
            feed(&all, &event);
        ask(&all);
        free_all(&all);
    }
    weft_reader_free(reader);
    return 0;
}
