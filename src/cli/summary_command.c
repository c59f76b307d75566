/* SPDX-License-Identifier: MIT */
/* What happened in a trace, on one page. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

typedef unsigned long long ull;

#define NAME_WIDTH 44

/* -------- groups, sorted -------- */

struct ranked {
    size_t index;
    int64_t time;
};

static int by_execution(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    if (a->time != b->time)
        return a->time < b->time ? 1 : -1;
    return a->index < b->index ? -1 : 1;
}

/* Groups by execution time, the largest first. 0 or -ENOMEM. */
static int rank_groups(weft_summary *summary, struct ranked **out)
{
    size_t count = weft_summary_groups(summary);
    struct ranked *ranked = *out = malloc((count + 1) * sizeof *ranked);
    if (!ranked)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        weft_group_stats group;
        ranked[i] = (struct ranked){i, 0};
        if (weft_summary_group(summary, i, &group) == 0)
            ranked[i].time = group.times.time[WEFT_SPENT_RUNNING];
    }
    qsort(ranked, count, sizeof *ranked, by_execution);
    return 0;
}

/* -------- for people -------- */

static void put_head(const char *path, const weft_reader *reader, const weft_totals *totals)
{
    cli_put_text(cli_file_name(path));
    cli_printf(": %s, %llu events in %llu generations, format 1.%u\n\n",
               cli_duration(totals->end - totals->begin).text, (ull)totals->events,
               (ull)totals->generations, weft_reader_version(reader));
    cli_printf("Goroutines   %llu: %llu created, %llu ended, at most %llu at once\n",
               (ull)totals->goroutines, (ull)totals->goroutines_created,
               (ull)totals->goroutines_ended, (ull)totals->goroutines_live_most);
    cli_printf("Threads      %llu\n", (ull)totals->threads);
    cli_printf("Procs        %llu", (ull)totals->procs);
    if (totals->max_procs.changes)
        cli_printf(", of which at most %llu to %llu at once", (ull)totals->max_procs.least,
                   (ull)totals->max_procs.most);
    cli_printf("\nUtilisation  procs held by threads %s of the time",
               cli_percent(totals->procs_running, totals->procs_offered).text);
    cli_printf(", running goroutines %s\n",
               cli_percent(totals->times.time[WEFT_SPENT_RUNNING], totals->procs_offered).text);
}

static void put_latency(const weft_histogram *latency)
{
    static const struct {
        const char *name;
        double share;
    } points[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}};
    cli_printf("Latency      %llu times from runnable to running", (ull)latency->count);
    for (size_t i = 0; i < 4 && latency->count; i++)
        cli_printf("%s %s %s", i ? "," : ":", points[i].name,
                   cli_duration(weft_histogram_quantile(latency, points[i].share)).text);
    if (latency->count)
        cli_printf(", max %s", cli_duration(latency->max).text);
    cli_put_char('\n');
}

/* A bar for each power of four of nanoseconds, from the first to the last that occurs. */
static void put_latency_bars(const weft_histogram *latency)
{
    uint64_t bars[32] = {0}, most = 1;
    for (size_t i = 0; i < WEFT_HISTOGRAM_BUCKETS; i++) {
        int64_t low, high;
        weft_histogram_bucket(i, &low, &high);
        unsigned power = high ? (63 - (unsigned)__builtin_clzll((uint64_t)high)) / 2 : 0;
        bars[power] += latency->buckets[i];
        most = bars[power] > most ? bars[power] : most;
    }
    unsigned first = 0, last = 31;
    while (first < 31 && !bars[first])
        first++;
    while (last > first && !bars[last])
        last--;
    for (unsigned i = first; i <= last && latency->count; i++) {
        int64_t end = i < 31 ? INT64_C(1) << (2 * i + 2) : INT64_MAX;
        cli_put_text("             below ");
        cli_put_right(cli_duration(end).text, 8);
        cli_printf(" %10llu  ", (ull)bars[i]);
        for (uint64_t n = (bars[i] * 40 + most - 1) / most; n > 0; n--)
            cli_put_char('#');
        cli_put_char('\n');
    }
}

static void put_row(const char *name, int64_t time, uint64_t count, int64_t max)
{
    cli_put_text("  ");
    cli_put_name((weft_text){name, strlen(name)}, 40);
    cli_put_right(cli_duration(time).text, 11);
    cli_printf("  %10llu times, at most %s\n", (ull)count, cli_duration(max).text);
}

static void put_times(const weft_times *times)
{
    static const char *const names[] = {"running", "runnable", "blocked", "in system calls",
                                        "in system calls, without a proc"};
    cli_put_text("\nTime of all goroutines\n");
    for (unsigned i = 0; i < WEFT_SPENT_LIMIT; i++)
        put_row(names[i], times->time[i], times->count[i], times->max[i]);
}

static void put_reasons(const char *title, weft_shares shares)
{
    if (shares.count == 0)
        return;
    cli_printf("\n%s\n", title);
    for (size_t i = 0; i < shares.count; i++) {
        const weft_share *share = &shares.at[i];
        put_row(share->name.size ? share->name.data : "(no reason given)", share->time,
                share->count, share->max);
    }
}

static void put_heap(const weft_totals *totals)
{
    if (totals->gc_cycles)
        cli_printf("\nCollections  %llu\n", (ull)totals->gc_cycles);
    if (totals->heap.changes)
        cli_printf("Heap         %s at first, %s at last, at most %s\n",
                   cli_bytes(totals->heap.first).text, cli_bytes(totals->heap.last).text,
                   cli_bytes(totals->heap.most).text);
    if (totals->heap_goal.changes)
        cli_printf("Heap goal    %s at first, %s at last, at most %s\n",
                   cli_bytes(totals->heap_goal.first).text, cli_bytes(totals->heap_goal.last).text,
                   cli_bytes(totals->heap_goal.most).text);
}

static void put_group(const weft_group_stats *group)
{
    const int64_t *time = group->times.time;
    cli_put_name(group->name.size ? group->name : (weft_text){"(no stack seen)", 15}, NAME_WIDTH);
    cli_printf(" %9llu", (ull)group->goroutines);
    cli_put_right(cli_duration(time[WEFT_SPENT_RUNNING]).text, 11);
    cli_put_right(cli_duration(time[WEFT_SPENT_RUNNABLE]).text, 11);
    cli_put_right(cli_duration(time[WEFT_SPENT_BLOCKED]).text, 11);
    cli_put_right(cli_duration(time[WEFT_SPENT_SYSCALL] + time[WEFT_SPENT_SYSCALL_BLOCKED]).text,
                  11);
    cli_put_char('\n');
    if (group->blocked.count) {
        cli_put_text("    blocked: ");
        cli_put_shares(group->blocked, 4);
        cli_put_char('\n');
    }
}

static void put_groups(weft_summary *summary, const struct ranked *ranked, uint64_t top)
{
    size_t count = weft_summary_groups(summary);
    weft_group_stats group;
    cli_printf("\n%-*s %9s %10s %10s %10s %10s\n", NAME_WIDTH, "Goroutines by entry function",
               "count", "running", "runnable", "blocked", "syscall");
    for (size_t i = 0; i < count && (!top || i < top); i++)
        if (weft_summary_group(summary, ranked[i].index, &group) == 0)
            put_group(&group);
    if (top && count > top)
        cli_printf("… and %zu more (--top 0 shows all)\n", count - (size_t)top);
}

static void put_summary(const char *path, const weft_reader *reader, weft_summary *summary,
                        const struct ranked *ranked, uint64_t top)
{
    const weft_totals *totals = weft_summary_totals(summary);
    put_head(path, reader, totals);
    put_latency(totals->latency);
    put_latency_bars(totals->latency);
    put_times(&totals->times);
    put_reasons("Blocked, by reason", totals->blocked);
    put_reasons("Ranges: stops of the world, collector", totals->ranges);
    put_heap(totals);
    put_groups(summary, ranked, top);
}

/* -------- JSON -------- */

static void json_latency(const weft_histogram *latency)
{
    cli_json_begin("scheduler_latency", '{');
    cli_json_lengths(latency);
    cli_json_begin("buckets", '[');
    for (size_t i = 0; i < WEFT_HISTOGRAM_BUCKETS; i++) {
        int64_t low, high;
        if (!latency->buckets[i])
            continue;
        weft_histogram_bucket(i, &low, &high);
        cli_json_begin(NULL, '{');
        cli_json_signed("from_ns", low);
        cli_json_signed("to_ns", high);
        cli_json_unsigned("count", latency->buckets[i]);
        cli_json_end();
    }
    cli_json_end();
    cli_json_end();
}

static void json_metric(const char *key, const weft_metric *metric)
{
    if (!metric->changes) {
        cli_json_null(key);
        return;
    }
    cli_json_begin(key, '{');
    cli_json_unsigned("changes", metric->changes);
    cli_json_unsigned("first", metric->first);
    cli_json_unsigned("last", metric->last);
    cli_json_unsigned("min", metric->least);
    cli_json_unsigned("max", metric->most);
    cli_json_end();
}

static void json_counts(const weft_reader *reader, const weft_totals *totals, bool complete)
{
    cli_json_bool("complete", complete);
    cli_json_unsigned("format", weft_reader_version(reader));
    cli_json_signed("begin_ns", totals->begin);
    cli_json_signed("end_ns", totals->end);
    cli_json_unsigned("events", totals->events);
    cli_json_begin("events_by_kind", '{');
    for (unsigned i = 0; i < WEFT_EVENT_KIND_LIMIT; i++)
        if (totals->events_by_kind[i])
            cli_json_unsigned(weft_event_kind_name(i), totals->events_by_kind[i]);
    cli_json_end();
    cli_json_unsigned("generations", totals->generations);
    cli_json_unsigned("goroutines", totals->goroutines);
    cli_json_unsigned("goroutines_created", totals->goroutines_created);
    cli_json_unsigned("goroutines_ended", totals->goroutines_ended);
    cli_json_unsigned("goroutines_live_max", totals->goroutines_live_most);
    cli_json_unsigned("procs", totals->procs);
    cli_json_unsigned("threads", totals->threads);
    cli_json_signed("procs_offered_ns", totals->procs_offered);
    cli_json_signed("procs_running_ns", totals->procs_running);
    json_metric("gomaxprocs", &totals->max_procs);
}

static void json_group(const weft_group_stats *group)
{
    cli_json_begin(NULL, '{');
    cli_json_text("name", group->name);
    cli_json_bool("system", group->is_system);
    cli_json_unsigned("goroutines", group->goroutines);
    cli_json_signed("lifetime_ns", group->lifetime);
    cli_json_times(&group->times, group->blocked, group->ranges);
    cli_json_end();
}

static void json_summary(const weft_reader *reader, weft_summary *summary,
                         const struct ranked *ranked, uint64_t top, bool complete)
{
    const weft_totals *totals = weft_summary_totals(summary);
    weft_group_stats group;
    cli_json_begin(NULL, '{');
    json_counts(reader, totals, complete);
    json_latency(totals->latency);
    cli_json_times(&totals->times, totals->blocked, totals->ranges);
    cli_json_unsigned("gc_cycles", totals->gc_cycles);
    json_metric("heap_bytes", &totals->heap);
    json_metric("heap_goal_bytes", &totals->heap_goal);
    cli_json_begin("groups", '[');
    for (size_t i = 0; i < weft_summary_groups(summary) && (!top || i < top); i++)
        if (weft_summary_group(summary, ranked[i].index, &group) == 0)
            json_group(&group);
    cli_json_end();
    cli_json_end();
}

/* -------- the command -------- */

static int summarise(const char *path, weft_reader *reader, uint64_t top, bool json)
{
    struct ranked *ranked = NULL;
    weft_summary *summary;
    int status = weft_summary_new(&summary, reader);
    if (status == 0)
        status = cli_summary_read(reader, summary);
    if (status != -ENOMEM && rank_groups(summary, &ranked) != 0)
        status = -ENOMEM;
    if (status != -ENOMEM && json)
        json_summary(reader, summary, ranked, top, status == 0);
    else if (status != -ENOMEM)
        put_summary(path, reader, summary, ranked, top);
    status = cli_flush(0) | cli_finish(path, reader, status);
    free(ranked);
    weft_summary_free(summary);
    return status;
}

int cli_summary(int argc, char **argv)
{
    bool json = false;
    const char *path;
    uint64_t top = UINT64_MAX; /* not given */
    const struct cli_option options[] = {CLI_FLAG('j', "json", &json), CLI_NUMBER('n', "top", &top),
                                         CLI_END};
    int status = cli_parse(argc, argv, options, &path);
    if (status >= 0)
        return status;
    if (top == UINT64_MAX)
        top = json ? 0 : 15;
    weft_reader *reader = cli_open(path);
    if (!reader)
        return 1;
    status = summarise(path, reader, top, json);
    weft_reader_free(reader);
    return status;
}
