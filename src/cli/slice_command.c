/* SPDX-License-Identifier: MIT */
/* A piece of a trace as a trace. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <weft/slice.h>

#include "gzip.h"
#include "moment.h"
#include "reopen.h"
#include "report.h"

struct request {
    const char *path, *output;
    struct cli_moment from, to;
    bool exact;
};

/* Where the trace begins, and what the wall clock said. Returns 0, or 1 after saying why not. */
static int find_origin(struct cli_source *source, struct cli_origin *origin)
{
    weft_reader *reader;
    weft_event event;
    weft_sync sync;
    int status = cli_source_reader(source, &reader);
    if (status == 0)
        status = weft_reader_next(reader, &event);
    if (status < 0 && reader)
        cli_report(source->path, weft_reader_error_get(reader));
    if (status == 1) {
        weft_reader_sync(reader, &sync);
        *origin = (struct cli_origin){event.time, sync.has_clock, sync.trace_time, sync.wall_sec,
                                      sync.wall_nsec};
    }
    weft_reader_free(reader);
    return status != 1;
}

static int locate(const struct request *request, const struct cli_origin *origin, int64_t *from,
                  int64_t *to)
{
    if (cli_moment_locate(&request->from, origin, from) != 0 ||
        cli_moment_locate(&request->to, origin, to) != 0) {
        cli_message("%s: the trace does not say what the wall clock was\n",
                    cli_file_name(request->path));
        return 1;
    }
    return 0;
}

static int explain(const struct request *request, int status, const weft_reader_error *error)
{
    if (status == -ENODATA)
        cli_message("%s: nothing in that time\n", cli_file_name(request->path));
    else if (*error->rule)
        cli_report(request->path, error);
    else
        cli_message("%s: %s\n", request->output, strerror(-status));
    return 1;
}

static int slice(const struct request *request, struct cli_source *source)
{
    struct cli_origin origin;
    int64_t from, to;
    struct cli_sink sink;
    weft_slice_info info;
    weft_reader_error error;
    if (find_origin(source, &origin) || locate(request, &origin, &from, &to))
        return 1;
    cli_sink_later(&sink, request->output);
    int status = (request->exact ? weft_slice_exact : weft_slice)(
        cli_source_reader, source, from, to, cli_sink_write, &sink, &info, &error);
    int closed = cli_sink_close(&sink);
    if (status || closed)
        return explain(request, status ? status : closed, &error);
    if (strcmp(request->output, "-") != 0) {
        cli_message("%s: %llu generations, %llu events, ", request->output,
                    (unsigned long long)info.generations, (unsigned long long)info.events);
        cli_message("%s to ", cli_duration(info.begin - origin.begin).text);
        cli_message("%s of the trace\n", cli_duration(info.end - origin.begin).text);
    }
    return 0;
}

int cli_slice(int argc, char **argv)
{
    struct request request = {0};
    const char *from = "0s", *to = NULL;
    const struct cli_option options[] = {CLI_TEXT(0, "from", &from), CLI_TEXT(0, "to", &to),
                                         CLI_FLAG('e', "exact", &request.exact),
                                         CLI_TEXT('o', "output", &request.output), CLI_END};
    int status = cli_parse(argc, argv, options, &request.path);
    if (status >= 0)
        return status;
    if (!request.output)
        return cli_usage(argv[0], "where to? -o FILE (- is the standard output)");
    request.to.kind = CLI_MOMENT_END;
    if (!cli_moment_parse(from, &request.from) || (to && !cli_moment_parse(to, &request.to)))
        return cli_usage(argv[0], "times are like 1.5s, 200ms or 2026-01-31T12:00:00.5Z, not %s",
                         cli_moment_parse(from, &request.from) ? to : from);
    struct cli_source source;
    status = cli_source_open(&source, request.path);
    if (!status)
        status = slice(&request, &source);
    cli_source_close(&source);
    return status;
}
