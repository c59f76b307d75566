/* SPDX-License-Identifier: MIT */
#include "reopen.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"

/* Copies all that is left of a file. Returns 0 or a negative errno value. */
static int copy_all(FILE *from, FILE *to)
{
    char piece[1 << 16];
    size_t size;
    while ((size = fread(piece, 1, sizeof piece, from)) > 0)
        if (fwrite(piece, 1, size, to) != size)
            return errno ? -errno : -EIO;
    return ferror(from) || fflush(to) != 0 ? (errno ? -errno : -EIO) : 0;
}

/* Opened by name, each reader of the copy has a position of its own. */
static int copy(struct cli_source *source, FILE *from)
{
    source->copy = tmpfile();
    int status = source->copy ? copy_all(from, source->copy) : -errno;
    if (status) {
        fprintf(stderr, "%s: cannot copy to a temporary file: %s\n", cli_file_name(source->path),
                strerror(-status));
        return 1;
    }
    snprintf(source->copy_path, sizeof source->copy_path, "/proc/self/fd/%d", fileno(source->copy));
    return 0;
}

/* What can be read once only: pipes, sockets. */
static bool is_stream(const char *path)
{
    struct stat stat_of;
    return stat(path, &stat_of) == 0 && !S_ISREG(stat_of.st_mode) && !S_ISDIR(stat_of.st_mode);
}

static int copy_stream(struct cli_source *source)
{
    FILE *file = fopen(source->path, "rb");
    if (!file) {
        fprintf(stderr, "%s: %s\n", source->path, strerror(errno));
        return 1;
    }
    int status = copy(source, file);
    fclose(file);
    return status;
}

int cli_source_open(struct cli_source *source, const char *path)
{
    *source = (struct cli_source){.path = path};
    int status = 0;
    if (strcmp(path, "-") == 0)
        status = copy(source, stdin);
    else if (is_stream(path))
        status = copy_stream(source);
    if (status)
        return status;
    weft_reader *reader;
    status = cli_source_reader(source, &reader);
    if (status && reader)
        cli_report(path, weft_reader_error_get(reader));
    else if (status)
        fprintf(stderr, "%s: %s\n", cli_file_name(path), strerror(-status));
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
    return weft_reader_open_path(reader, source->copy ? source->copy_path : source->path);
}
