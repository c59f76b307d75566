/* SPDX-License-Identifier: MIT */
/* User tasks and regions: distributions of their latencies, and lists. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "annotation_filter.h"

typedef unsigned long long ull;

#define NAME_WIDTH 36

/* A task or a region, in a list of either. */
struct row {
    union {
        weft_task_record task;
        weft_region_record region;
    } of;
    weft_text name;
    int64_t begin, end;
};

struct request {
    const char *path;
    weft_annotation_kind kind;
    bool list, json, by_duration;
    struct annotation_filter filter;
    struct row *rows;
    size_t count, room;
};

/* -------- collecting -------- */

/* 0, or -ENOMEM. */
static int keep(struct request *request, const struct row *row)
{
    if (!request->list)
        return 0;
    if (request->count == request->room) {
        size_t room = request->room * 2 + 64;
        struct row *rows = realloc(request->rows, room * sizeof *rows);
        if (!rows)
            return -ENOMEM;
        request->rows = rows;
        request->room = room;
    }
    request->rows[request->count++] = *row;
    return 0;
}

static int on_task(void *context, const weft_task_record *task)
{
    struct request *request = context;
    if (!annotation_wanted(&request->filter, task->type, task->goroutine, task->id, task->begin,
                           task->end))
        return 1;
    struct row row = {.of.task = *task, task->type, task->begin, task->end};
    return keep(request, &row);
}

static int on_region(void *context, const weft_region_record *region)
{
    struct request *request = context;
    if (!annotation_wanted(&request->filter, region->name, region->goroutine, region->task,
                           region->begin, region->end))
        return 1;
    struct row row = {.of.region = *region, region->name, region->begin, region->end};
    return keep(request, &row);
}

static int by_begin(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    return (a->begin > b->begin) - (a->begin < b->begin);
}

static int by_duration(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    int64_t x = a->end - a->begin, y = b->end - b->begin;
    return x != y ? (x < y) - (x > y) : by_begin(left, right);
}

/* Groups by the time of all, the largest first; *groups is for the caller to free. 0 or -ENOMEM. */
static int by_sum(const void *left, const void *right)
{
    const weft_annotation_group *a = left, *b = right;
    if (a->lengths->sum != b->lengths->sum)
        return a->lengths->sum < b->lengths->sum ? 1 : -1;
    return strcmp(a->name.data, b->name.data);
}

static int sort_groups(const weft_annotations *annotations, weft_annotation_kind kind,
                       weft_annotation_group **groups, size_t *count)
{
    weft_annotation_group group;
    *count = 0;
    while (weft_annotations_group(annotations, kind, *count, &group) == 0)
        ++*count;
    *groups = malloc((*count + 1) * sizeof **groups);
    if (!*groups)
        return -ENOMEM;
    for (size_t i = 0; i < *count; i++)
        (void)weft_annotations_group(annotations, kind, i, &(*groups)[i]);
    qsort(*groups, *count, sizeof **groups, by_sum);
    return 0;
}

/* -------- for people -------- */

static void put_spent(const int64_t *spent)
{
    cli_put_right(cli_duration(spent[WEFT_SPENT_RUNNING]).text, 11);
    cli_put_right(cli_duration(spent[WEFT_SPENT_RUNNABLE]).text, 11);
    cli_put_right(cli_duration(spent[WEFT_SPENT_BLOCKED]).text, 11);
    cli_put_right(cli_duration(spent[WEFT_SPENT_SYSCALL] + spent[WEFT_SPENT_SYSCALL_BLOCKED]).text,
                  11);
}

static void put_group(const weft_annotation_group *group, bool spent)
{
    static const double points[] = {0.5, 0.9, 0.99};
    cli_put_name(group->name, NAME_WIDTH);
    cli_printf("%9llu %9llu", (ull)group->count, (ull)group->lengths->count);
    cli_put_right(cli_duration(group->lengths->sum).text, 11);
    for (size_t i = 0; i < 3; i++)
        cli_put_right(cli_duration(weft_histogram_quantile(group->lengths, points[i])).text, 11);
    cli_put_right(cli_duration(group->lengths->max).text, 11);
    if (spent)
        put_spent(group->spent);
    cli_put_char('\n');
}

static void put_groups(const struct request *request, const weft_annotation_group *groups,
                       size_t count)
{
    bool regions = request->kind == WEFT_ANNOTATION_REGION;
    cli_printf("%-*s%9s %9s%11s%11s%11s%11s%11s", NAME_WIDTH, regions ? "Regions" : "Tasks",
               "count", "whole", "total", "p50", "p90", "p99", "max");
    if (regions)
        cli_printf("%11s%11s%11s%11s", "running", "runnable", "blocked", "syscall");
    cli_put_char('\n');
    for (size_t i = 0; i < count; i++)
        put_group(&groups[i], regions);
}

/* "+" marks what is not there from begin to end. */
static void put_row(const struct request *request, const struct row *row)
{
    bool regions = request->kind == WEFT_ANNOTATION_REGION;
    const weft_task_record *task = &row->of.task;
    const weft_region_record *region = &row->of.region;
    bool whole =
        regions ? region->seen_begin && region->seen_end : task->seen_begin && task->seen_end;
    cli_put_right(cli_duration(row->begin - request->filter.origin).text, 10);
    cli_put_right(cli_duration(row->end - row->begin).text, 11);
    cli_put_text(whole ? "   " : "+  ");
    cli_put_name(row->name, NAME_WIDTH);
    if (regions) {
        cli_printf(" G%-8llu", (ull)region->goroutine);
        put_spent(region->spent);
        if (region->task && region->task != WEFT_ID_NONE)
            cli_printf("  task %llu", (ull)region->task);
    } else {
        cli_printf(" task %-8llu %4llu regions %4llu logs", (ull)task->id, (ull)task->regions,
                   (ull)task->logs);
        if (task->goroutine != WEFT_ID_NONE)
            cli_printf(", begun by G%llu", (ull)task->goroutine);
        if (task->ended_by != WEFT_ID_NONE && task->ended_by != task->goroutine)
            cli_printf(", ended by G%llu", (ull)task->ended_by);
        if (task->parent != WEFT_ID_NONE)
            cli_printf(", of task %llu", (ull)task->parent);
    }
    cli_put_char('\n');
}

static void put_rows(const struct request *request)
{
    cli_printf("\n%10s%11s   %s\n", "Begin", "duration", "+ not from begin to end in the trace");
    for (size_t i = 0; i < request->count; i++)
        put_row(request, &request->rows[i]);
}

/* -------- JSON -------- */

static void json_spent(const int64_t *spent)
{
    static const char *const keys[] = {"running_ns", "runnable_ns", "blocked_ns", "syscall_ns",
                                       "syscall_blocked_ns"};
    for (unsigned i = 0; i < WEFT_SPENT_LIMIT; i++)
        cli_json_signed(keys[i], spent[i]);
}

static void json_row(const struct request *request, const struct row *row)
{
    const weft_task_record *task = &row->of.task;
    const weft_region_record *region = &row->of.region;
    bool regions = request->kind == WEFT_ANNOTATION_REGION;
    cli_json_begin(NULL, '{');
    cli_json_text(regions ? "name" : "type", row->name);
    cli_json_signed("begin_ns", row->begin);
    cli_json_signed("end_ns", row->end);
    cli_json_bool("begins_in_trace", regions ? region->seen_begin : task->seen_begin);
    cli_json_bool("ends_in_trace", regions ? region->seen_end : task->seen_end);
    cli_json_id("goroutine", regions ? region->goroutine : task->goroutine);
    if (regions) {
        cli_json_id("task", region->task ? region->task : WEFT_ID_NONE);
        json_spent(region->spent);
    } else {
        cli_json_unsigned("task", task->id);
        cli_json_id("parent", task->parent);
        cli_json_id("ended_by", task->ended_by);
        cli_json_unsigned("regions", task->regions);
        cli_json_unsigned("logs", task->logs);
    }
    cli_json_end();
}

static void put_json(const struct request *request, const weft_annotation_group *groups,
                     size_t count, bool complete)
{
    bool regions = request->kind == WEFT_ANNOTATION_REGION;
    cli_json_begin(NULL, '{');
    cli_json_bool("complete", complete);
    cli_json_signed("trace_begin_ns", request->filter.origin);
    cli_json_begin("groups", '[');
    for (size_t i = 0; i < count; i++) {
        cli_json_begin(NULL, '{');
        cli_json_text(regions ? "name" : "type", groups[i].name);
        cli_json_unsigned("all", groups[i].count);
        cli_json_lengths(groups[i].lengths);
        if (regions)
            json_spent(groups[i].spent);
        cli_json_end();
    }
    cli_json_end();
    if (request->list) {
        cli_json_begin(regions ? "regions" : "tasks", '[');
        for (size_t i = 0; i < request->count; i++)
            json_row(request, &request->rows[i]);
        cli_json_end();
    }
    cli_json_end();
}

/* -------- the commands -------- */

/* 0 or -ENOMEM. */
static int show(const weft_annotations *annotations, struct request *request, bool complete)
{
    weft_annotation_group *groups;
    size_t count;
    int status = sort_groups(annotations, request->kind, &groups, &count);
    if (status)
        return status;
    if (request->count)
        qsort(request->rows, request->count, sizeof *request->rows,
              request->by_duration ? by_duration : by_begin);
    if (request->json) {
        put_json(request, groups, count, complete);
    } else {
        put_groups(request, groups, count);
        if (request->list)
            put_rows(request);
    }
    free(groups);
    return 0;
}

static int collect(weft_reader *reader, struct request *request)
{
    weft_annotations *annotations;
    weft_annotation_sink sink = {.context = request};
    if (request->kind == WEFT_ANNOTATION_TASK)
        sink.task = on_task;
    else
        sink.region = on_region;
    int status = weft_annotations_new(&annotations, reader, &sink);
    if (status == 0)
        status = annotations_read(reader, annotations, &request->filter);
    if (status != -ENOMEM && show(annotations, request, status == 0) != 0)
        status = -ENOMEM;
    status = cli_flush(0) | cli_finish(request->path, reader, status);
    weft_annotations_free(annotations);
    return status;
}

static int run(int argc, char **argv, weft_annotation_kind kind)
{
    struct request request = {.kind = kind, .filter = ANNOTATION_FILTER_ALL};
    const char *sort = "begin";
    const struct cli_option options[] = {
        ANNOTATION_OPTIONS(request.filter),   CLI_DURATION('m', "min", &request.filter.least),
        CLI_FLAG('l', "list", &request.list), CLI_TEXT('s', "sort", &sort),
        CLI_FLAG('j', "json", &request.json), CLI_END,
    };
    int status = cli_parse(argc, argv, options, &request.path);
    if (status >= 0)
        return status;
    request.by_duration = strcmp(sort, "duration") == 0;
    if (!request.by_duration && strcmp(sort, "begin") != 0)
        return cli_usage(argv[0], "--sort is begin or duration, not %s", sort);
    weft_reader *reader = cli_open(request.path);
    if (!reader)
        return 1;
    status = collect(reader, &request);
    free(request.rows);
    weft_reader_free(reader);
    return status;
}

int cli_tasks(int argc, char **argv)
{
    return run(argc, argv, WEFT_ANNOTATION_TASK);
}

int cli_regions(int argc, char **argv)
{
    return run(argc, argv, WEFT_ANNOTATION_REGION);
}
