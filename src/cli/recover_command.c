/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <weft/recover.h>

#include "cli.h"
#include "reopen.h"

typedef unsigned long long ull;

/* The output is opened when there is something to be written: a failure leaves no empty file. */
typedef struct output {
    const char *path;
    FILE *file;
} output;

static int write_output(void *context, const void *data, size_t size)
{
    output *out = context;
    errno = 0;
    if (!out->file)
        out->file = cli_output_open(out->path);
    if (out->file && fwrite(data, 1, size, out->file) == size && fflush(out->file) == 0)
        return 0;
    cli_message("%s: cannot write: %s\n", out->path, strerror(errno));
    return errno ? -errno : -EIO;
}

static void print_result(const char *path, const weft_recovery *result)
{
    cli_message("%s: recovered %llu events of process %llu, generations %llu to %llu\n", path,
                (ull)result->events, (ull)result->pid, (ull)result->first, (ull)result->last);
    if (result->dropped_events)
        cli_message("%s: dropped %llu events at the end, which do not fit together: %s\n", path,
                    (ull)result->dropped_events, result->message);
}

static int recover(const struct cli_source *source, output *out, bool quiet)
{
    const char *name = cli_file_name(source->path);
    weft_recovery result = {.size = sizeof result};
    int status = weft_recover(cli_source_path(source), write_output, out, &result);
    if (status < 0 && !out->file)
        cli_message("%s: %s\n", name, result.message);
    else if (status == 0 && !quiet)
        print_result(name, &result);
    if (out->file && out->file != stdout && fclose(out->file) != 0)
        status = -EIO;
    return status < 0;
}

int cli_recover(int argc, char **argv)
{
    bool quiet = false;
    const char *path;
    output out = {.path = NULL};
    const struct cli_option options[] = {CLI_TEXT('o', "output", &out.path),
                                         CLI_FLAG('q', "quiet", &quiet), CLI_END};
    int status = cli_parse(argc, argv, options, &path);
    if (status >= 0)
        return status;
    if (!out.path)
        return cli_usage(argv[0], "where to? -o FILE (- is the standard output)");
    struct cli_source source;
    status = cli_source_keep(&source, path);
    if (!status)
        status = recover(&source, &out, quiet);
    cli_source_close(&source);
    return status;
}
