/* SPDX-License-Identifier: MIT */
#include "reopen.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "input.h"
#include "progress.h"

static void watch(const char *path, const char *name)
{
    struct stat about;
    if (stat(path, &about) == 0)
        cli_progress_watch(cli_file_name(name), &about);
}

/* Unpacks all of an input. Returns 0 or a negative errno value. */
static int copy_all(struct cli_input *input, FILE *to)
{
    static char piece[1 << 16];
    ptrdiff_t size;
    while ((size = cli_input_read(input, piece, sizeof piece)) > 0)
        if (fwrite(piece, 1, (size_t)size, to) != (size_t)size)
            return errno ? -errno : -EIO;
    return size < 0 ? (int)size : fflush(to) != 0 ? -errno : 0;
}

/* Opened by name, each reader of the copy has a position of its own. */
static int copy(struct cli_source *source)
{
    struct cli_input *input = cli_input_open(source->path);
    if (!input)
        return 1;
    source->copy = tmpfile();
    int status = source->copy ? copy_all(input, source->copy) : -errno;
    cli_input_free(input);
    if (status) {
        cli_message("%s: cannot copy to a temporary file: %s\n", cli_file_name(source->path),
                    strerror(-status));
        return 1;
    }
    snprintf(source->copy_path, sizeof source->copy_path, "/proc/self/fd/%d", fileno(source->copy));
    watch(source->copy_path, source->path);
    return 0;
}

/* What can be read again as it is: a file that is not packed. */
static bool is_plain_file(const char *path)
{
    struct stat stat_of;
    unsigned char start[4];
    if (stat(path, &stat_of) != 0 || S_ISDIR(stat_of.st_mode))
        return true; /* opening it says why not */
    FILE *file = S_ISREG(stat_of.st_mode) ? fopen(path, "rb") : NULL;
    size_t size = file ? fread(start, 1, sizeof start, file) : 0;
    if (file)
        fclose(file);
    return file && cli_packing_of(start, size) == CLI_PLAIN;
}

int cli_source_keep(struct cli_source *source, const char *path)
{
    *source = (struct cli_source){.path = path};
    if (strcmp(path, "-") == 0 || !is_plain_file(path))
        return copy(source);
    watch(path, path);
    return 0;
}

const char *cli_source_path(const struct cli_source *source)
{
    return source->copy ? source->copy_path : source->path;
}

int cli_source_open(struct cli_source *source, const char *path)
{
    weft_reader *reader;
    int status = cli_source_keep(source, path);
    if (status)
        return status;
    status = cli_source_reader(source, &reader);
    if (status && reader)
        cli_report(path, weft_reader_error_get(reader));
    else if (status)
        cli_message("%s: %s\n", cli_file_name(path), strerror(-status));
    weft_reader_free(reader);
    return status != 0;
}

void cli_source_close(struct cli_source *source)
{
    if (source->copy)
        fclose(source->copy);
}

int cli_source_reader(void *context, weft_reader **reader)
{
    struct cli_source *source = context;
    return weft_reader_open_path(reader, cli_source_path(source));
}
