/* SPDX-License-Identifier: MIT */
/* Minimum mutator utilisation. */
#include <errno.h>
#include <string.h>

#include <weft/collector.h>

#include "report.h"

struct request {
    const char *path;
    unsigned flags;
    int64_t window; /* 0: a table of many */
    bool json;
};

static const struct {
    const char *name;
    unsigned flag;
} counted[] = {{"stw", WEFT_MMU_STW},
               {"background", WEFT_MMU_BACKGROUND},
               {"assist", WEFT_MMU_ASSIST},
               {"sweep", WEFT_MMU_SWEEP}};

/* "stw,assist". False where it is something else. */
static bool parse_counted(const char *text, unsigned *flags)
{
    *flags = 0;
    while (*text) {
        size_t size = strcspn(text, ","), i = 0;
        while (i < 4 && (strlen(counted[i].name) != size || memcmp(counted[i].name, text, size)))
            i++;
        if (i == 4)
            return false;
        *flags |= counted[i].flag;
        text += size + (text[size] == ',');
    }
    return *flags != 0;
}

static void put_counted(unsigned flags)
{
    const char *between = "";
    for (size_t i = 0; i < 4; i++) {
        if (!(flags & counted[i].flag))
            continue;
        cli_put_text(between);
        cli_put_text(counted[i].name);
        between = ", ";
    }
}

/* 1, 2 and 5 times each power of ten from 1 µs on, below the longest window, and that. */
static int64_t next_window(int64_t window, int64_t longest)
{
    int64_t power = 1000, next;
    while (power * 10 <= window)
        power *= 10;
    next = window < 1000        ? 1000
           : window < 2 * power ? 2 * power
           : window < 5 * power ? 5 * power
                                : 10 * power;
    return next < longest ? next : longest;
}

static void put_window(const weft_mmu *mmu, const struct request *request, int64_t window,
                       int64_t origin)
{
    int64_t at;
    double least = weft_mmu_minimum(mmu, window, &at);
    if (request->json) {
        cli_json_begin(NULL, '{');
        cli_json_signed("window_ns", window);
        cli_json_real("mmu", least);
        cli_json_signed("at_ns", at);
        cli_json_end();
        return;
    }
    cli_put_right(cli_duration(window).text, 10);
    cli_printf("%10.3f %%", 100 * least);
    cli_put_right(cli_duration(at - origin).text, 12);
    cli_put_text("  ");
    for (int i = 0; i < (int)(40 * least + 0.5); i++)
        cli_put_char('#');
    cli_put_char('\n');
}

static void put_head(const struct request *request)
{
    cli_put_text("Least share of the procs that the program had; of the collector count ");
    put_counted(request->flags);
    cli_put_text(request->flags & WEFT_MMU_PER_PROC ? "; the worst proc\n\n" : "\n\n");
    cli_printf("%10s%12s%12s\n", "Window", "least", "from");
}

static void show(const weft_mmu *mmu, const struct request *request, int64_t origin, bool complete)
{
    int64_t longest = weft_mmu_longest(mmu), window = 0;
    if (request->json) {
        cli_json_begin(NULL, '{');
        cli_json_bool("complete", complete);
        cli_json_bool("per_proc", (request->flags & WEFT_MMU_PER_PROC) != 0);
        cli_json_begin("counted", '[');
        for (size_t i = 0; i < 4; i++)
            if (request->flags & counted[i].flag)
                cli_json_string(NULL, counted[i].name);
        cli_json_end();
        cli_json_begin("windows", '[');
    } else {
        put_head(request);
    }
    if (request->window)
        put_window(mmu, request, request->window < longest ? request->window : longest, origin);
    while (!request->window && window < longest) {
        window = next_window(window, longest);
        put_window(mmu, request, window, origin);
    }
    if (request->json) {
        cli_json_end();
        cli_json_end();
    }
}

static int read_all(weft_reader *reader, weft_mmu *mmu, int64_t *origin)
{
    weft_event event;
    int status = 1, failed = 0;
    bool first = true;
    while (!failed && (status = weft_reader_next(reader, &event)) == 1) {
        if (first)
            *origin = event.time;
        first = false;
        failed = weft_mmu_event(mmu, &event);
    }
    if (!failed)
        failed = weft_mmu_finish(mmu);
    return failed ? failed : status;
}

static int find(weft_reader *reader, const struct request *request)
{
    weft_mmu *mmu;
    int64_t origin = 0;
    int status = weft_mmu_new(&mmu, reader, request->flags);
    if (status == 0)
        status = read_all(reader, mmu, &origin);
    if (status != -ENOMEM)
        show(mmu, request, origin, status == 0);
    weft_mmu_free(mmu);
    return cli_flush(0) | cli_finish(request->path, reader, status);
}

int cli_mmu(int argc, char **argv)
{
    struct request request = {.flags = WEFT_MMU_STW | WEFT_MMU_BACKGROUND | WEFT_MMU_ASSIST};
    const char *count = NULL;
    int64_t window = -1; /* not given */
    bool per_proc = false;
    const struct cli_option options[] = {
        CLI_TEXT('c', "count", &count), CLI_FLAG('p', "per-proc", &per_proc),
        CLI_DURATION('w', "window", &window), CLI_FLAG('j', "json", &request.json), CLI_END};
    int status = cli_parse(argc, argv, options, &request.path);
    if (status >= 0)
        return status;
    if (count && !parse_counted(count, &request.flags))
        return cli_usage(argv[0], "--count is of stw, background, assist, sweep, not %s", count);
    if (window == 0)
        return cli_usage(argv[0], "--window needs a time longer than 0");
    request.window = window > 0 ? window : 0;
    request.flags |= per_proc ? WEFT_MMU_PER_PROC : 0;
    weft_reader *reader = cli_open(request.path);
    if (!reader)
        return 1;
    status = find(reader, &request);
    weft_reader_free(reader);
    return status;
}
