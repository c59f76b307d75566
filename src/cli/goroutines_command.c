/* SPDX-License-Identifier: MIT */
/* A table of all goroutines. */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

typedef unsigned long long ull;

/* What is kept of a goroutine; its shares lie in one array for all. */
struct row {
    weft_goroutine_stats stats;
    size_t blocked, ranges; /* where they begin */
};

struct list {
    struct row *rows;
    size_t count, room;
    weft_share *shares;
    size_t share_count, share_room;
    const char *group;
};

/* -------- collecting -------- */

/* Room for more elements behind count, or false. */
static bool reserve(void **array, size_t *room, size_t count, size_t more, size_t size)
{
    if (count + more <= *room)
        return true;
    size_t want = (count + more) * 2;
    void *grown = realloc(*array, want * size);
    if (!grown)
        return false;
    *array = grown;
    *room = want;
    return true;
}

static bool keep_shares(struct list *list, weft_shares shares, size_t *first)
{
    *first = list->share_count;
    if (shares.count == 0)
        return true;
    if (!reserve((void **)&list->shares, &list->share_room, list->share_count, shares.count,
                 sizeof *list->shares))
        return false;
    memcpy(list->shares + list->share_count, shares.at, shares.count * sizeof *shares.at);
    list->share_count += shares.count;
    return true;
}

/* A name, or a pattern of the shell; Go's names may hold its special characters. */
static bool is_wanted(const char *group, weft_text name)
{
    return !group || strcmp(group, name.data) == 0 || fnmatch(group, name.data, 0) == 0;
}

static int keep(void *context, const weft_goroutine_stats *goroutine)
{
    struct list *list = context;
    if (!is_wanted(list->group, goroutine->name))
        return 0;
    if (!reserve((void **)&list->rows, &list->room, list->count, 1, sizeof *list->rows))
        return -ENOMEM;
    struct row *row = &list->rows[list->count];
    row->stats = *goroutine;
    if (!keep_shares(list, goroutine->blocked, &row->blocked) ||
        !keep_shares(list, goroutine->ranges, &row->ranges))
        return -ENOMEM;
    list->count++;
    return 0;
}

/* -------- sorting -------- */

static int64_t lifetime(const struct row *row)
{
    return row->stats.ended - row->stats.created;
}

static int64_t in_syscalls(const struct row *row)
{
    const int64_t *time = row->stats.times.time;
    return time[WEFT_SPENT_SYSCALL] + time[WEFT_SPENT_SYSCALL_BLOCKED];
}

static int by_id(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    if (a->stats.id != b->stats.id)
        return a->stats.id < b->stats.id ? -1 : 1;
    return (a->stats.created > b->stats.created) - (a->stats.created < b->stats.created);
}

static int by_name(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    int order = strcmp(a->stats.name.data, b->stats.name.data);
    return order ? order : by_id(left, right);
}

/* Largest first. */
#define BY(name, value)                                                                            \
    static int by_##name(const void *left, const void *right)                                      \
    {                                                                                              \
        const struct row *row = left;                                                              \
        int64_t a = (value);                                                                       \
        row = right;                                                                               \
        int64_t b = (value);                                                                       \
        return a != b ? (a < b) - (a > b) : by_id(left, right);                                    \
    }
BY(lifetime, lifetime(row))
BY(running, row->stats.times.time[WEFT_SPENT_RUNNING])
BY(runnable, row->stats.times.time[WEFT_SPENT_RUNNABLE])
BY(blocked, row->stats.times.time[WEFT_SPENT_BLOCKED])
BY(syscall, in_syscalls(row))
#undef BY

static const struct column {
    const char *name;
    int (*compare)(const void *left, const void *right);
} columns[] = {
    {"id", by_id},
    {"name", by_name},
    {"lifetime", by_lifetime},
    {"running", by_running},
    {"runnable", by_runnable},
    {"blocked", by_blocked},
    {"syscall", by_syscall},
    {NULL, NULL},
};

static const struct column *find_column(const char *name)
{
    const struct column *column = columns;
    while (column->name && strcmp(column->name, name) != 0)
        column++;
    return column->name ? column : NULL;
}

/* -------- output -------- */

static void put_row(const struct row *row)
{
    const weft_goroutine_stats *stats = &row->stats;
    const int64_t *time = stats->times.time;
    cli_printf("%10llu  ", (ull)stats->id);
    cli_put_name(stats->name.size ? stats->name : (weft_text){"(no stack seen)", 15}, 40);
    cli_put_right(cli_duration(lifetime(row)).text, 11);
    cli_put_right(cli_duration(time[WEFT_SPENT_RUNNING]).text, 11);
    cli_put_right(cli_duration(time[WEFT_SPENT_RUNNABLE]).text, 11);
    cli_put_right(cli_duration(time[WEFT_SPENT_BLOCKED]).text, 11);
    cli_put_right(cli_duration(in_syscalls(row)).text, 11);
    cli_put_text("  ");
    cli_put_shares(stats->blocked, 2);
    cli_put_char('\n');
}

static void put_rows(const struct list *list)
{
    cli_printf("%10s  %-40s%11s%11s%11s%11s%11s  %s\n", "id", "entry function", "lifetime",
               "running", "runnable", "blocked", "syscall", "blocked by");
    for (size_t i = 0; i < list->count; i++)
        put_row(&list->rows[i]);
}

void cli_json_goroutine(const weft_goroutine_stats *stats)
{
    cli_json_unsigned("id", stats->id);
    cli_json_text("name", stats->name);
    cli_json_bool("system", stats->is_system);
    cli_json_id("creator", stats->creator);
    cli_json_signed("created_ns", stats->created);
    cli_json_bool("created_in_trace", stats->seen_created);
    if (stats->started == INT64_MIN)
        cli_json_null("started_ns");
    else
        cli_json_signed("started_ns", stats->started);
    cli_json_signed("ended_ns", stats->ended);
    cli_json_bool("ended_in_trace", stats->seen_ended);
    cli_json_times(&stats->times, stats->blocked, stats->ranges);
}

static void json_rows(const struct list *list, bool complete)
{
    cli_json_begin(NULL, '{');
    cli_json_bool("complete", complete);
    cli_json_begin("goroutines", '[');
    for (size_t i = 0; i < list->count; i++) {
        cli_json_begin(NULL, '{');
        cli_json_goroutine(&list->rows[i].stats);
        cli_json_end();
    }
    cli_json_end();
    cli_json_end();
}

/* The arrays of shares have come to rest: makes the rows point at them. */
static void attach_shares(struct list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct row *row = &list->rows[i];
        row->stats.blocked.at = list->shares + row->blocked;
        row->stats.ranges.at = list->shares + row->ranges;
    }
}

static int show(const char *path, weft_reader *reader, struct list *list,
                const struct column *column, bool json)
{
    weft_summary *summary;
    int status = weft_summary_new(&summary, reader);
    if (status == 0) {
        weft_summary_each_goroutine(summary, keep, list);
        status = cli_summary_read(reader, summary);
    }
    if (status != -ENOMEM) {
        attach_shares(list);
        if (list->count)
            qsort(list->rows, list->count, sizeof *list->rows, column->compare);
        if (json)
            json_rows(list, status == 0);
        else
            put_rows(list);
    }
    status = cli_flush(0) | cli_finish(path, reader, status);
    weft_summary_free(summary);
    return status;
}

int cli_goroutines(int argc, char **argv)
{
    struct list list = {0};
    bool json = false;
    const char *path, *sort = "running";
    const struct cli_option options[] = {CLI_TEXT('g', "group", &list.group),
                                         CLI_TEXT('s', "sort", &sort), CLI_FLAG('j', "json", &json),
                                         CLI_END};
    int status = cli_parse(argc, argv, options, &path);
    if (status >= 0)
        return status;
    const struct column *column = find_column(sort);
    if (!column)
        return cli_usage(argv[0], "no column %s", sort);
    weft_reader *reader = cli_open(path);
    if (!reader)
        return 1;
    status = show(path, reader, &list, column, json);
    free(list.rows);
    free(list.shares);
    weft_reader_free(reader);
    return status;
}
