/* SPDX-License-Identifier: MIT */
/* A live view of a trace that is being written: a page for each window of the trace's time. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "follow.h"
#include "report.h"
#include "terminal.h"
#include "top_window.h"

typedef unsigned long long ull;

/* Windows that a gap in the trace is filled with; longer gaps are leapt over. */
#define GAP_WINDOWS 16

/* With --count: how long a file may stand still. Programs write about once a second. */
#define PATIENCE_MS 3000

/* Limits of the time that a page covers, in ns. */
#define DELAY_LEAST INT64_C(1000)
#define DELAY_MOST  INT64_C(1000000000000000)

struct top {
    const char *path;
    weft_reader *reader;
    weft_timeline *timeline;
    struct top_window window;
    int64_t origin, width; /* of the trace; of a window */
    uint64_t pages, most;  /* shown; to show, 0 for no limit */
    bool terminal, colour;
    struct timespec shown; /* when the last page was */
};

/* -------- a page -------- */

static unsigned lines_of_terminal(const struct top *top)
{
    unsigned columns, rows;
    cli_terminal_size(STDOUT_FILENO, &columns, &rows);
    return top->terminal && rows >= 12 ? rows : 24;
}

static void put_emphasis(const struct top *top, bool on)
{
    if (top->colour)
        cli_put_text(on ? "\033[1m" : "\033[0m");
}

static void put_head(const struct top *top)
{
    const struct top_window *window = &top->window;
    uint64_t live = 0, now[WEFT_SPENT_LIMIT] = {0};
    for (size_t i = 0; i < window->group_count; i++) {
        live += window->groups[i].live;
        for (unsigned k = 0; k < WEFT_SPENT_LIMIT; k++)
            now[k] += window->groups[i].now[k];
    }
    put_emphasis(top, true);
    cli_put_text(cli_file_name(top->path));
    cli_printf("  %s to ", cli_duration(window->begin - top->origin).text);
    cli_printf("%s of the trace, %llu events", cli_duration(window->end - top->origin).text,
               (ull)window->events);
    put_emphasis(top, false);
    cli_printf(
        "\n%llu goroutines: %llu running, %llu runnable, %llu blocked, %llu in system calls\n",
        (ull)live, (ull)now[WEFT_SPENT_RUNNING], (ull)now[WEFT_SPENT_RUNNABLE],
        (ull)now[WEFT_SPENT_BLOCKED],
        (ull)(now[WEFT_SPENT_SYSCALL] + now[WEFT_SPENT_SYSCALL_BLOCKED]));
}

static void put_latency(const weft_histogram *latency)
{
    cli_printf("scheduler latency: %llu waits", (ull)latency->count);
    if (latency->count) {
        cli_printf(", median %s", cli_duration(weft_histogram_quantile(latency, 0.5)).text);
        cli_printf(", 99 %% %s", cli_duration(weft_histogram_quantile(latency, 0.99)).text);
        cli_printf(", longest %s", cli_duration(latency->max).text);
    }
    cli_put_char('\n');
}

static void put_procs(const struct top_window *window)
{
    int64_t busy = 0, width = window->end - window->begin;
    for (size_t i = 0; i < window->proc_count; i++)
        busy += window->procs[i].busy;
    cli_printf("procs: %s busy", cli_percent(busy, width * (int64_t)window->proc_count).text);
    for (size_t i = 0; i < window->proc_count && i < 16; i++)
        cli_printf("  P%llu %s", (ull)window->procs[i].id,
                   cli_percent(window->procs[i].busy, width).text);
    cli_put_text(window->proc_count > 16 ? "  …\n" : "\n");
}

/* Times in a row are shares of the window: of one goroutine that does nothing else, 100 %. */
static void put_group(const struct top *top, const struct top_group *group)
{
    int64_t width = top->window.end - top->window.begin;
    weft_text name = weft_timeline_text(top->timeline, group->name);
    cli_printf("%9llu", (ull)group->live);
    cli_put_right(cli_percent(group->time[WEFT_SPENT_RUNNING], width).text, 12);
    cli_put_right(cli_percent(group->time[WEFT_SPENT_RUNNABLE], width).text, 12);
    cli_put_right(cli_percent(group->time[WEFT_SPENT_BLOCKED], width).text, 12);
    cli_put_right(
        cli_percent(group->time[WEFT_SPENT_SYSCALL] + group->time[WEFT_SPENT_SYSCALL_BLOCKED],
                    width)
            .text,
        12);
    cli_put_text("  ");
    cli_put_name(name.size ? name : (weft_text){"(no stack seen)", 15}, 0);
    cli_put_char('\n');
}

static void put_groups(const struct top *top)
{
    const struct top_window *window = &top->window;
    unsigned room = lines_of_terminal(top) - 7;
    put_emphasis(top, true);
    cli_put_text("     live     running    runnable     blocked     syscall  entry function\n");
    put_emphasis(top, false);
    size_t shown = 0;
    for (size_t i = 0; i < window->group_count && shown < room; i++) {
        const struct top_group *group = &window->groups[i];
        int64_t time = 0;
        for (unsigned k = 0; k < WEFT_SPENT_LIMIT; k++)
            time += group->time[k];
        if (time == 0 && group->live == 0)
            continue;
        put_group(top, group);
        shown++;
    }
}

static void show(struct top *top)
{
    if (top->terminal)
        cli_put_text("\033[H\033[2J");
    else if (top->pages)
        cli_put_char('\n');
    put_head(top);
    put_procs(&top->window);
    put_latency(&top->window.latency);
    put_groups(top);
    (void)cli_flush(0);
    top->pages++;
    clock_gettime(CLOCK_MONOTONIC, &top->shown);
}

/* -------- windows -------- */

/* A terminal gets a few pages a second, however fast the trace is read. */
static bool is_time(const struct top *top)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t ms =
        (now.tv_sec - top->shown.tv_sec) * 1000 + (now.tv_nsec - top->shown.tv_nsec) / 1000000;
    return !top->terminal || ms >= 200;
}

/* The window is over: shows it and begins the next. */
static int turn(struct top *top)
{
    int status = weft_timeline_open(top->timeline, top_window_open_stay, &top->window);
    if (status)
        return status;
    top_window_sort(&top->window);
    if (is_time(top))
        show(top);
    int64_t end = top->window.end;
    if (__builtin_add_overflow(end, top->width, &top->window.end))
        return -ERANGE;
    top_window_begin(&top->window, end, top->window.end);
    return 0;
}

static bool is_done(const struct top *top)
{
    return top->most && top->pages >= top->most;
}

/* Turns until the window has the time of an event in it. */
static int turn_to(struct top *top, int64_t time)
{
    int status = 0;
    for (unsigned i = 0; time >= top->window.end && !status && !is_done(top); i++) {
        status = turn(top);
        int64_t gap;
        if (i == GAP_WINDOWS && !__builtin_sub_overflow(time, top->window.begin, &gap) && gap > 0) {
            int64_t begin = top->window.begin + gap / top->width * top->width;
            if (begin > INT64_MAX - top->width)
                return -ERANGE;
            top_window_begin(&top->window, begin, begin + top->width);
        }
    }
    return status;
}

static int begin(struct top *top, int64_t time)
{
    int64_t end;
    if (__builtin_add_overflow(time, top->width, &end))
        return -ERANGE;
    top->origin = time;
    top_window_begin(&top->window, time, end);
    return 0;
}

static int follow_events(struct top *top)
{
    weft_event event;
    int status, failed = 0;
    while (!failed && !is_done(top) && (status = weft_reader_next(top->reader, &event)) == 1) {
        if (weft_reader_generations(top->reader) == 1 && event.kind == WEFT_EVENT_SYNC)
            failed = begin(top, event.time);
        if (!failed)
            failed = turn_to(top, event.time);
        top->window.events++;
        if (!failed && !is_done(top))
            failed = weft_timeline_event(top->timeline, &event);
    }
    if (failed || is_done(top))
        return failed;
    /* The last window is shown as far as it goes. */
    failed = top->window.events ? turn(top) : 0;
    return failed ? failed : status;
}

/* -------- the command -------- */

static int run(struct top *top, struct cli_follow *follow)
{
    int status = weft_reader_open_callback(&top->reader, cli_follow_read, follow);
    if (!status)
        status =
            weft_timeline_new(&top->timeline, top->reader, NULL, top_window_end_stay, &top->window);
    if (!status)
        status = follow_events(top);
    if (top->reader)
        status = cli_finish(top->path, top->reader, status);
    else if (status)
        cli_message("%s: %s\n", cli_file_name(top->path), strerror(-status));
    weft_timeline_free(top->timeline);
    top_window_fini(&top->window);
    weft_reader_free(top->reader);
    return cli_flush(status != 0);
}

static int find_process(const char *text, struct cli_follow *follow, char *path, size_t size)
{
    uint64_t pid;
    if (!cli_number_parse(text, &pid) || pid == 0 || pid > INT32_MAX)
        return cli_usage("top", "-p needs the number of a process, not %s", text);
    int status = cli_follow_find((pid_t)pid, path, size);
    if (status) {
        cli_message("weft top: process %s %s\n", text,
                    status == -ESRCH ? "does not exist" : "writes no trace that could be found");
        return 1;
    }
    follow->writer = (pid_t)pid;
    return 0;
}

static int start(struct top *top, struct cli_follow *follow)
{
    top->terminal = !top->most && cli_is_terminal(STDOUT_FILENO);
    top->colour = top->terminal && cli_has_colour(STDOUT_FILENO);
    int status = cli_follow_open(follow, top->path);
    if (status) {
        cli_message("%s: %s\n", top->path, strerror(-status));
        return 1;
    }
    status = run(top, follow);
    cli_follow_close(follow);
    return status;
}

int cli_top(int argc, char **argv)
{
    struct top top = {.width = 1000000000};
    struct cli_follow follow = {.patience_ms = -1};
    const char *delay = NULL, *pages = NULL, *pid = NULL;
    static char found[4096];
    const struct cli_option options[] = {CLI_TEXT('d', "delay", &delay),
                                         CLI_TEXT('n', "count", &pages), CLI_TEXT('p', "pid", &pid),
                                         CLI_END};
    int status = cli_parse_operands(argc, argv, options, &top.path, 0, 1);
    if (status >= 0)
        return status;
    if (delay && (!cli_seconds_parse(delay, &top.width) || top.width < DELAY_LEAST ||
                  top.width > DELAY_MOST))
        return cli_usage(argv[0], "--delay needs a time such as 1s or 200ms, not %s", delay);
    if (pages && (!cli_number_parse(pages, &top.most) || !top.most))
        return cli_usage(argv[0], "--count needs a number of pages, not %s", pages);
    if (!pid == !top.path)
        return cli_usage(argv[0], "which trace? Either a file or -p PID");
    if (pid) {
        status = find_process(pid, &follow, found, sizeof found);
        if (status)
            return status;
        top.path = found;
    }
    if (top.most)
        follow.patience_ms = PATIENCE_MS;
    return start(&top, &follow);
}
