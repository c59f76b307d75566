/* SPDX-License-Identifier: MIT */
/* Segments of one run as one trace. */
#include <errno.h>
#include <string.h>

#include <weft/slice.h>

#include "gzip.h"
#include "reopen.h"
#include "report.h"

#define SEGMENTS 64

struct segments {
    struct cli_source sources[SEGMENTS];
    void *contexts[SEGMENTS];
    int count;
};

static int merge(struct segments *segments, const char *output)
{
    struct cli_sink sink;
    weft_slice_info info;
    weft_reader_error error;
    size_t segment = 0;
    cli_sink_later(&sink, output);
    int status = weft_merge(cli_source_reader, segments->contexts, (size_t)segments->count,
                            cli_sink_write, &sink, &info, &segment, &error);
    int closed = cli_sink_close(&sink);
    if (status == 0 && closed == 0) {
        if (strcmp(output, "-") != 0)
            cli_message("%s: %llu generations, %llu events, %s\n", output,
                        (unsigned long long)info.generations, (unsigned long long)info.events,
                        cli_duration(info.end - info.begin).text);
        return 0;
    }
    if (*error.rule)
        return cli_report(segments->sources[segment].path, &error);
    cli_message("%s: %s\n", output, strerror(status ? -status : -closed));
    return 1;
}

int cli_merge(int argc, char **argv)
{
    static struct segments segments;
    const char *operands[SEGMENTS], *output = NULL;
    const struct cli_option options[] = {CLI_TEXT('o', "output", &output), CLI_END};
    int status = cli_parse_operands(argc, argv, options, operands, 1, SEGMENTS);
    if (status >= 0)
        return status;
    if (!output)
        return cli_usage(argv[0], "where to? -o FILE (- is the standard output)");
    int failed = 0;
    for (int i = 0; i < SEGMENTS && operands[i] && !failed; i++) {
        segments.contexts[i] = &segments.sources[i];
        failed = cli_source_open(&segments.sources[segments.count++], operands[i]);
    }
    if (!failed)
        failed = merge(&segments, output);
    for (int i = 0; i < segments.count; i++)
        cli_source_close(&segments.sources[i]);
    return failed;
}
