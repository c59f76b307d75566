/* SPDX-License-Identifier: MIT */
/* The collections of a trace. */
#include <errno.h>

#include <weft/collector.h>

#include "report.h"

typedef unsigned long long ull;

/* -------- for people -------- */

static void put_bytes(uint64_t bytes, size_t width)
{
    cli_put_right(bytes ? cli_bytes(bytes).text : "-", width);
}

static void put_cycle(const weft_cycle *cycle, size_t number, int64_t origin)
{
    cli_printf("%5zu", number);
    cli_put_right(cli_duration(cycle->begin - origin).text, 10);
    cli_put_right(cli_duration(cycle->end - cycle->begin).text, 10);
    cli_put_char(cycle->seen_begin && cycle->seen_end ? ' ' : '+');
    cli_put_right(cli_duration(cycle->pause_time).text, 9);
    cli_put_right(cli_duration(cycle->pause_most).text, 9);
    put_bytes(cycle->heap_before, 10);
    put_bytes(cycle->heap_most, 10);
    put_bytes(cycle->heap_after, 10);
    put_bytes(cycle->goal, 10);
    cli_put_right(cli_duration(cycle->worker_time).text, 10);
    cli_put_right(cli_duration(cycle->idle_time).text, 10);
    cli_put_right(cli_duration(cycle->assist_time).text, 10);
    cli_put_right(cli_duration(cycle->sweep_time).text, 10);
    cli_put_char('\n');
}

static weft_cycle sum(const weft_cycle *cycles, size_t count)
{
    weft_cycle all = {0};
    for (size_t i = 0; i < count; i++) {
        all.end += cycles[i].end - cycles[i].begin;
        all.pauses += cycles[i].pauses;
        all.pause_time += cycles[i].pause_time;
        if (cycles[i].pause_most > all.pause_most)
            all.pause_most = cycles[i].pause_most;
        all.assists += cycles[i].assists;
        all.sweeps += cycles[i].sweeps;
        all.assist_time += cycles[i].assist_time;
        all.sweep_time += cycles[i].sweep_time;
        all.worker_time += cycles[i].worker_time;
        all.idle_time += cycles[i].idle_time;
        all.bytes_swept += cycles[i].bytes_swept;
        all.bytes_reclaimed += cycles[i].bytes_reclaimed;
    }
    return all;
}

static void put_sum(const weft_cycle *all, size_t count, int64_t span)
{
    cli_printf("%zu collections, marking %s of the time\n", count,
               cli_percent(all->end, span).text);
    if (count == 0)
        return;
    cli_printf("Pauses    %s in %llu,", cli_duration(all->pause_time).text, (ull)all->pauses);
    cli_printf(" at most %s\n", cli_duration(all->pause_most).text);
    cli_printf("Workers   %s,", cli_duration(all->worker_time).text);
    cli_printf(" and %s on idle procs\n", cli_duration(all->idle_time).text);
    cli_printf("Assists   %s in %llu\n", cli_duration(all->assist_time).text, (ull)all->assists);
    cli_printf("Sweeps    %s in %llu,", cli_duration(all->sweep_time).text, (ull)all->sweeps);
    cli_printf(" %s swept,", cli_bytes(all->bytes_swept).text);
    cli_printf(" %s reclaimed\n\n", cli_bytes(all->bytes_reclaimed).text);
}

static void put_text(const weft_collector *collector)
{
    int64_t begin, end;
    size_t count;
    const weft_cycle *cycles = weft_collector_cycles(collector, &count);
    weft_collector_span(collector, &begin, &end);
    weft_cycle all = sum(cycles, count);
    put_sum(&all, count, end - begin);
    bool cut = false;
    if (count)
        cli_printf("%5s%10s%10s %9s%9s%10s%10s%10s%10s%10s%10s%10s%10s\n", "", "begin", "mark",
                   "pauses", "longest", "heap", "most", "after", "goal", "workers", "idle",
                   "assists", "sweeps");
    for (size_t i = 0; i < count; i++) {
        put_cycle(&cycles[i], i + 1, begin);
        cut |= !cycles[i].seen_begin || !cycles[i].seen_end;
    }
    if (cut)
        cli_put_text("+ not from begin to end within the trace\n");
}

/* -------- JSON -------- */

static void json_heap(const char *key, uint64_t bytes)
{
    if (bytes)
        cli_json_unsigned(key, bytes);
    else
        cli_json_null(key);
}

static void json_work(const weft_cycle *cycle)
{
    cli_json_unsigned("pauses", cycle->pauses);
    cli_json_signed("pause_ns", cycle->pause_time);
    cli_json_signed("pause_max_ns", cycle->pause_most);
    cli_json_signed("worker_ns", cycle->worker_time);
    cli_json_signed("idle_worker_ns", cycle->idle_time);
    cli_json_unsigned("assists", cycle->assists);
    cli_json_signed("assist_ns", cycle->assist_time);
    cli_json_unsigned("sweeps", cycle->sweeps);
    cli_json_signed("sweep_ns", cycle->sweep_time);
    cli_json_unsigned("bytes_swept", cycle->bytes_swept);
    cli_json_unsigned("bytes_reclaimed", cycle->bytes_reclaimed);
}

static void json_cycle(const weft_cycle *cycle)
{
    cli_json_begin(NULL, '{');
    cli_json_signed("begin_ns", cycle->begin);
    cli_json_signed("end_ns", cycle->end);
    cli_json_bool("begins_in_trace", cycle->seen_begin);
    cli_json_bool("ends_in_trace", cycle->seen_end);
    json_heap("heap_before_bytes", cycle->heap_before);
    json_heap("heap_max_bytes", cycle->heap_most);
    json_heap("heap_after_bytes", cycle->heap_after);
    json_heap("heap_goal_bytes", cycle->goal);
    json_work(cycle);
    cli_json_end();
}

static void put_json(const weft_collector *collector, bool complete)
{
    int64_t begin, end;
    size_t count;
    const weft_cycle *cycles = weft_collector_cycles(collector, &count);
    weft_cycle all = sum(cycles, count);
    weft_collector_span(collector, &begin, &end);
    cli_json_begin(NULL, '{');
    cli_json_bool("complete", complete);
    cli_json_signed("begin_ns", begin);
    cli_json_signed("end_ns", end);
    cli_json_signed("mark_ns", all.end);
    json_work(&all);
    cli_json_begin("cycles", '[');
    for (size_t i = 0; i < count; i++)
        json_cycle(&cycles[i]);
    cli_json_end();
    cli_json_end();
}

/* -------- the command -------- */

int cli_gc(int argc, char **argv)
{
    bool json = false;
    const char *path;
    const struct cli_option options[] = {CLI_FLAG('j', "json", &json), CLI_END};
    int status = cli_parse(argc, argv, options, &path);
    if (status >= 0)
        return status;
    weft_reader *reader = cli_open(path);
    if (!reader)
        return 1;
    weft_collector *collector;
    status = weft_collector_new(&collector, reader);
    if (status == 0)
        status = cli_collector_read(reader, collector);
    if (status != -ENOMEM && json)
        put_json(collector, status == 0);
    else if (status != -ENOMEM)
        put_text(collector);
    status = cli_flush(0) | cli_finish(path, reader, status);
    weft_collector_free(collector);
    weft_reader_free(reader);
    return status;
}
