/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <weft/recover.h>

#include "cli.h"

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
        out->file = strcmp(out->path, "-") == 0 ? stdout : fopen(out->path, "wb");
    if (out->file && fwrite(data, 1, size, out->file) == size && fflush(out->file) == 0)
        return 0;
    fprintf(stderr, "%s: cannot write: %s\n", out->path, strerror(errno));
    return errno ? -errno : -EIO;
}

static void print_result(const char *path, const weft_recovery *result)
{
    fprintf(stderr, "%s: recovered %llu events of process %llu, generations %llu to %llu\n", path,
            (ull)result->events, (ull)result->pid, (ull)result->first, (ull)result->last);
    if (result->dropped_events)
        fprintf(stderr, "%s: dropped %llu events at the end, which do not fit together: %s\n", path,
                (ull)result->dropped_events, result->message);
}

int cli_recover(int argc, char **argv)
{
    bool quiet = false;
    const char *path;
    output out = {.path = NULL};
    const struct cli_option options[] = {
        {'o', "output", &out.path, NULL}, {'q', "quiet", NULL, &quiet}, {0, NULL, NULL, NULL}};
    int status = cli_parse(argc, argv, options, &path);
    if (status >= 0)
        return status;
    if (!out.path)
        return cli_usage(argv[0], "where to? -o FILE (- is the standard output)");
    weft_recovery result = {.size = sizeof result};
    status = weft_recover(path, write_output, &out, &result);
    if (status < 0 && !out.file)
        fprintf(stderr, "%s: %s\n", path, result.message);
    else if (status == 0 && !quiet)
        print_result(path, &result);
    if (out.file && out.file != stdout && fclose(out.file) != 0)
        status = -EIO;
    return status < 0;
}
