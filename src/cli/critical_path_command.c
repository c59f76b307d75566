/* SPDX-License-Identifier: MIT */
/* What determined the latency of a task or a goroutine. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weft/critical_path.h>

#include "report.h"

typedef unsigned long long ull;

struct request {
    const char *path;
    bool of_task, json, folded;
    uint64_t id, top;
    int64_t from, to, least;
};

/* "running", "blocked, chan receive". */
static void put_cause(unsigned kind, weft_text reason, size_t width)
{
    static const char *const words[] = {"running",
                                        "runnable",
                                        "blocked",
                                        "in a system call",
                                        "in a system call, without a proc",
                                        "lease revoked",
                                        "unknown",
                                        "blocked"};
    char text[96];
    int length = snprintf(text, sizeof text, "%s%s%.*s", words[kind], reason.size ? ", " : "",
                          (int)(reason.size < 48 ? reason.size : 48), reason.data);
    cli_put_name((weft_text){text, (size_t)length}, width);
}

/* -------- for people -------- */

static void put_head(const struct request *request, const weft_path_extent *extent)
{
    cli_put_text(cli_file_name(request->path));
    cli_printf(request->of_task ? ": task %llu" : ": goroutine %llu", (ull)request->id);
    if (extent->task.size) {
        cli_put_text(" (");
        cli_put_name(extent->task, 0);
        cli_put_char(')');
    }
    cli_printf(": %s", cli_duration(extent->end - extent->begin).text);
    cli_printf(" from %s", cli_duration(extent->begin - extent->origin).text);
    cli_printf(" to %s of the trace", cli_duration(extent->end - extent->origin).text);
    if (request->of_task && extent->goroutine != WEFT_ID_NONE)
        cli_printf(extent->ended ? ", ended by G%llu" : ", not ended; with G%llu, which began it",
                   (ull)extent->goroutine);
    else if (!extent->ended)
        cli_put_text(", where the trace ends");
    cli_put_char('\n');
}

static void put_sum(const weft_path_sum *sum, int64_t whole)
{
    cli_put_right(cli_duration(sum->time).text, 11);
    cli_put_right(cli_percent(sum->time, whole).text, 9);
    cli_printf("  %8llu times, at most", (ull)sum->count);
    cli_put_right(cli_duration(sum->max).text, 9);
    cli_put_text("  ");
}

static void put_rest(size_t count, uint64_t top)
{
    if (top && count > top)
        cli_printf("… and %zu more (--top 0 shows all)\n", count - (size_t)top);
}

static void put_sums(const weft_path *path, const struct request *request, int64_t whole)
{
    size_t count;
    const weft_path_sum *sums = weft_path_causes(path, &count);
    cli_put_text("\nBy cause\n");
    for (size_t i = 0; i < count && (!request->top || i < request->top); i++) {
        put_sum(&sums[i], whole);
        put_cause(sums[i].kind, sums[i].name, 0);
        cli_put_char('\n');
    }
    put_rest(count, request->top);
    sums = weft_path_functions(path, &count);
    cli_put_text("\nBy function\n");
    for (size_t i = 0; i < count && (!request->top || i < request->top); i++) {
        put_sum(&sums[i], whole);
        cli_put_name(sums[i].name.size ? sums[i].name : (weft_text){"(no stack)", 10}, 0);
        cli_put_text(", ");
        put_cause(sums[i].kind, (weft_text){"", 0}, 0);
        cli_put_char('\n');
    }
    put_rest(count, request->top);
}

static void put_at(const weft_path *path, const char *before, uint32_t stack)
{
    weft_place place;
    if (weft_path_place(path, stack, weft_path_frame(path, stack), &place) != 0)
        return;
    cli_put_text(before);
    cli_put_place(&place);
}

/* What ended a wait, or made it. */
static void put_other(const weft_path *path, const weft_path_step *step)
{
    if (step->kind == WEFT_PATH_WAIT)
        cli_printf("; released by G%llu", (ull)step->by);
    if (step->kind == WEFT_PATH_WAIT)
        put_at(path, " at ", step->by_stack);
    if (step->kind == WEFT_PATH_RUNNABLE && step->p != WEFT_ID_NONE)
        cli_printf(", got P%llu", (ull)step->p);
    if (step->kind == WEFT_PATH_RUNNABLE && !step->created && step->by != WEFT_ID_NONE)
        cli_printf(" after G%llu", (ull)step->by);
    if (step->created) {
        cli_printf("; created by G%llu", (ull)step->by);
        put_at(path, " at ", step->by_stack);
    }
}

static void put_step(const weft_path *path, const weft_path_step *step, int64_t origin)
{
    cli_put_right(cli_duration(step->begin - origin).text, 10);
    cli_put_right(cli_duration(step->end - step->begin).text, 11);
    for (uint32_t i = 0; i <= step->depth; i++)
        cli_put_text("  ");
    cli_printf("G%llu ", (ull)step->goroutine);
    cli_put_name(step->name, 0);
    cli_put_text(": ");
    bool runs = step->kind == WEFT_PATH_RUNNING || step->kind == WEFT_PATH_SYSCALL;
    put_cause(step->kind, runs ? (weft_text){"", 0} : step->reason, 0);
    if (runs && step->p != WEFT_ID_NONE)
        cli_printf(" on P%llu", (ull)step->p);
    put_at(path, step->kind == WEFT_PATH_RUNNING ? ", up to " : " at ", step->stack);
    put_other(path, step);
    cli_put_char('\n');
}

static void put_steps(const weft_path *path, const struct request *request, int64_t origin)
{
    size_t count, hidden = 0;
    const weft_path_step *steps = weft_path_steps(path, &count);
    cli_printf("\n%10s%11s  %s\n", "Begin", "duration", "step");
    for (size_t i = 0; i < count; i++) {
        if (steps[i].end - steps[i].begin < request->least)
            hidden++;
        else
            put_step(path, &steps[i], origin);
    }
    if (hidden)
        cli_printf("… and %zu shorter than %s\n", hidden, cli_duration(request->least).text);
}

/* -------- folded stacks -------- */

static void put_folded_text(weft_text text)
{
    for (size_t i = 0; i < text.size; i++)
        cli_put_char(text.data[i] == ';' || (unsigned char)text.data[i] <= ' ' ? '_'
                                                                               : text.data[i]);
}

/* "outermost;…;innermost;[blocked,_sleep] ns"; equal lines are for the flame graph to add. */
static void put_folded(const weft_path *path)
{
    size_t count;
    const weft_path_step *steps = weft_path_steps(path, &count);
    for (size_t i = 0; i < count; i++) {
        const weft_path_step *step = &steps[i];
        weft_place place;
        if (step->kind == WEFT_PATH_WAIT)
            continue;
        size_t depth = weft_path_depth(path, step->stack);
        if (!depth) {
            put_folded_text(step->name.size ? step->name : (weft_text){"(no stack)", 10});
            cli_put_char(';');
        }
        while (depth && weft_path_place(path, step->stack, --depth, &place) == 0) {
            put_folded_text(place.function);
            cli_put_char(';');
        }
        cli_printf("[%s", weft_path_kind_name(step->kind));
        if (step->kind == WEFT_PATH_BLOCKED && step->reason.size) {
            cli_put_text(":_");
            put_folded_text(step->reason);
        }
        cli_printf("] %lld\n", (long long)(step->end - step->begin));
    }
}

/* -------- JSON -------- */

static void json_stack(const weft_path *path, const char *key, uint32_t stack)
{
    weft_place place;
    cli_json_begin(key, '[');
    for (size_t i = 0; weft_path_place(path, stack, i, &place) == 0; i++)
        cli_json_place(NULL, &place);
    cli_json_end();
}

static void json_sums(const char *key, const char *name, const weft_path_sum *sums, size_t count)
{
    cli_json_begin(key, '[');
    for (size_t i = 0; i < count; i++) {
        cli_json_begin(NULL, '{');
        cli_json_string("kind", weft_path_kind_name(sums[i].kind));
        cli_json_text(name, sums[i].name);
        cli_json_unsigned("count", sums[i].count);
        cli_json_signed("ns", sums[i].time);
        cli_json_signed("max_ns", sums[i].max);
        cli_json_end();
    }
    cli_json_end();
}

static void json_step(const weft_path *path, const weft_path_step *step)
{
    bool woken = step->kind == WEFT_PATH_WAIT;
    cli_json_begin(NULL, '{');
    cli_json_signed("begin_ns", step->begin);
    cli_json_signed("end_ns", step->end);
    cli_json_unsigned("depth", step->depth);
    cli_json_string("kind", weft_path_kind_name(step->kind));
    cli_json_id("goroutine", step->goroutine);
    cli_json_text("name", step->name);
    cli_json_text("reason", step->reason);
    cli_json_id("proc", step->p);
    cli_json_id("thread", step->m);
    cli_json_id("released_by", woken ? step->by : WEFT_ID_NONE);
    cli_json_id("created_by", step->created ? step->by : WEFT_ID_NONE);
    cli_json_id("proc_held_by", woken || step->created ? WEFT_ID_NONE : step->by);
    json_stack(path, "stack", step->stack);
    json_stack(path, "by_stack", step->by_stack);
    cli_json_end();
}

static void put_json(const weft_path *path, const struct request *request, bool complete)
{
    weft_path_extent extent;
    size_t count;
    weft_path_extent_get(path, &extent);
    cli_json_begin(NULL, '{');
    cli_json_bool("complete", complete);
    cli_json_unsigned(request->of_task ? "task" : "goroutine", request->id);
    if (request->of_task)
        cli_json_text("type", extent.task);
    cli_json_id("ends_with", extent.goroutine);
    cli_json_bool("ended_in_trace", extent.ended);
    cli_json_signed("trace_begin_ns", extent.origin);
    cli_json_signed("begin_ns", extent.begin);
    cli_json_signed("end_ns", extent.end);
    const weft_path_sum *sums = weft_path_causes(path, &count);
    json_sums("by_cause", "reason", sums, count);
    sums = weft_path_functions(path, &count);
    json_sums("by_function", "function", sums, count);
    const weft_path_step *steps = weft_path_steps(path, &count);
    cli_json_begin("steps", '[');
    for (size_t i = 0; i < count; i++)
        json_step(path, &steps[i]);
    cli_json_end();
    cli_json_end();
}

/* -------- the command -------- */

static void show(const weft_path *path, const struct request *request, bool complete)
{
    weft_path_extent extent;
    weft_path_extent_get(path, &extent);
    if (request->json) {
        put_json(path, request, complete);
    } else if (request->folded) {
        put_folded(path);
    } else {
        put_head(request, &extent);
        put_sums(path, request, extent.end - extent.begin);
        put_steps(path, request, extent.begin);
    }
}

static int read_all(weft_reader *reader, weft_path *path)
{
    weft_event event;
    int status = 1, failed = 0;
    while (!failed && (status = weft_reader_next(reader, &event)) == 1)
        failed = weft_path_event(path, &event);
    return failed ? failed : status;
}

static int not_found(const struct request *request)
{
    cli_message(request->of_task ? "%s: task %llu does not begin within the trace\n"
                                 : "%s: there is no goroutine %llu, or not at that time\n",
                cli_file_name(request->path), (ull)request->id);
    return 1;
}

static int find(weft_reader *reader, const struct request *request)
{
    weft_path *path;
    int status = weft_path_new(&path, reader), found = 0;
    if (status == 0) {
        if (request->of_task)
            weft_path_of_task(path, request->id);
        else
            weft_path_of_goroutine(path, request->id, request->from, request->to);
        status = read_all(reader, path);
    }
    if (status != -ENOMEM && (found = weft_path_finish(path)) == -ENOMEM)
        status = found;
    if (status != -ENOMEM && !found)
        show(path, request, status == 0);
    int exit_status = cli_flush(0) | cli_finish(request->path, reader, status);
    if (status != -ENOMEM && found)
        exit_status = not_found(request);
    weft_path_free(path);
    return exit_status;
}

/* What the options say, none being WEFT_ID_NONE or -1. -1 to go on, or the exit status. */
static int take(const char *command, struct request *request, uint64_t task, uint64_t goroutine,
                int64_t from, int64_t to)
{
    if ((task == WEFT_ID_NONE) == (goroutine == WEFT_ID_NONE))
        return cli_usage(command, "--task ID or --goroutine ID, one of the two");
    request->of_task = task != WEFT_ID_NONE;
    request->id = request->of_task ? task : goroutine;
    if (request->of_task && (from >= 0 || to >= 0))
        return cli_usage(command, "--from and --to go with --goroutine");
    request->from = from < 0 && to >= 0 ? 0 : from;
    request->to = to < 0 ? INT64_MAX : to;
    if (request->to < request->from)
        return cli_usage(command, "--to is before --from");
    return -1;
}

int cli_critical_path(int argc, char **argv)
{
    struct request request = {.top = 10};
    uint64_t task = WEFT_ID_NONE, goroutine = WEFT_ID_NONE;
    int64_t from = -1, to = -1; /* not given */
    const struct cli_option options[] = {
        CLI_NUMBER('t', "task", &task),
        CLI_NUMBER('g', "goroutine", &goroutine),
        CLI_DURATION(0, "from", &from),
        CLI_DURATION(0, "to", &to),
        CLI_NUMBER('n', "top", &request.top),
        CLI_DURATION('m', "min", &request.least),
        CLI_FLAG('j', "json", &request.json),
        CLI_FLAG('f', "folded", &request.folded),
        CLI_END,
    };
    int status = cli_parse(argc, argv, options, &request.path);
    if (status < 0)
        status = take(argv[0], &request, task, goroutine, from, to);
    if (status >= 0)
        return status;
    weft_reader *reader = cli_open(request.path);
    if (!reader)
        return 1;
    status = find(reader, &request);
    weft_reader_free(reader);
    return status;
}
