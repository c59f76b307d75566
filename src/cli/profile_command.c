/* SPDX-License-Identifier: MIT */
/* Profiles for pprof and for flame graphs. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <weft/export.h>

#include "gzip.h"
#include "report.h"

typedef unsigned long long ull;

struct request {
    const char *path, *output;
    weft_profile_kind kind;
    const char *region;
    bool folded;
    uint64_t period;
};

/* "net" and so on, or "region=NAME". False if it is none of them. */
static bool parse_kind(const char *text, struct request *request)
{
    static const char *const names[] = {"net", "sync", "syscall", "sched", "cpu"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        request->kind = (weft_profile_kind)i;
        if (strcmp(text, names[i]) == 0)
            return true;
    }
    request->kind = WEFT_PROFILE_REGION;
    request->region = text + strlen("region=");
    return strncmp(text, "region=", strlen("region=")) == 0;
}

static int read_all(weft_reader *reader, weft_profile *profile)
{
    weft_event event;
    int status = 1, failed = 0;
    while (!failed && (status = weft_reader_next(reader, &event)) == 1)
        failed = weft_profile_event(profile, &event);
    if (!failed)
        failed = weft_profile_finish(profile);
    return failed ? failed : status;
}

static int write_profile(const weft_profile *profile, const struct request *request)
{
    struct cli_sink sink;
    int status = cli_sink_open(&sink, request->output, !request->folded);
    if (status == 0) {
        status = (request->folded ? weft_export_folded : weft_export_pprof)(profile, cli_sink_write,
                                                                            &sink);
        int closed = cli_sink_close(&sink);
        status = status ? status : closed;
    }
    if (status)
        cli_message("%s: cannot write: %s\n", request->output, strerror(-status));
    return status != 0;
}

/* One line, so that one sees at once whether there is anything in the profile. */
static void put_totals(const weft_profile *profile, const struct request *request)
{
    uint64_t count;
    int64_t time;
    weft_profile_total(profile, &count, &time);
    if (strcmp(request->output, "-") != 0)
        cli_message("%s: %llu in %zu stacks, %s in all\n", request->output, (ull)count,
                    weft_profile_samples(profile), cli_duration(time).text);
}

static int profile_trace(weft_reader *reader, const struct request *request)
{
    weft_profile *profile;
    int status = weft_profile_new(&profile, reader, request->kind, request->region);
    if (status == 0) {
        weft_profile_set_period(profile, (int64_t)request->period);
        status = read_all(reader, profile);
    }
    int failed = 0;
    if (status != -ENOMEM) {
        failed = write_profile(profile, request);
        if (!failed)
            put_totals(profile, request);
    }
    weft_profile_free(profile);
    return cli_finish(request->path, reader, status) | failed;
}

int cli_profile(int argc, char **argv)
{
    struct request request = {.period = 10000000};
    const char *kind = NULL;
    const struct cli_option options[] = {
        CLI_TEXT('k', "kind", &kind),
        CLI_TEXT('o', "output", &request.output),
        CLI_NUMBER(0, "period", &request.period),
        CLI_FLAG('f', "folded", &request.folded),
        CLI_END,
    };
    int status = cli_parse(argc, argv, options, &request.path);
    if (status >= 0)
        return status;
    if (!kind || !parse_kind(kind, &request))
        return cli_usage(argv[0], "--kind is net, sync, syscall, sched, cpu or region=NAME%s%s",
                         kind ? ", not " : "", kind ? kind : "");
    if (request.period > INT64_MAX)
        return cli_usage(argv[0], "--period is too long");
    if (!request.output && !request.folded)
        return cli_usage(argv[0], "where to? -o FILE (- is the standard output)");
    if (!request.output)
        request.output = "-";
    if (!request.folded && strcmp(request.output, "-") == 0 && isatty(STDOUT_FILENO))
        return cli_usage(argv[0], "a profile is no text for a terminal; there is --folded");
    weft_reader *reader = cli_open(request.path);
    if (!reader)
        return 1;
    status = profile_trace(reader, &request);
    weft_reader_free(reader);
    return status;
}
