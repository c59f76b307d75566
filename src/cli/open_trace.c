/* SPDX-License-Identifier: MIT */
/* Opening traces: plain or compressed, files or pipes, with an index or without. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weft/index.h>

#include "cli.h"
#include "input.h"
#include "progress.h"

/* Enough to see how a file is packed. */
#define START 4

/* The first bytes; a pipe loses them. Returns how many; *lost says whether they are gone. */
static size_t peek(int fd, unsigned char *start, bool *lost)
{
    size_t size = 0;
    off_t at = lseek(fd, 0, SEEK_CUR);
    *lost = at < 0;
    while (size < START) {
        ssize_t n = at < 0 ? read(fd, start + size, START - size)
                           : pread(fd, start + size, START - size, at + (off_t)size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        size += (size_t)n;
    }
    return size;
}

struct source {
    int fd;
    bool lost; /* the bytes of start cannot be read again */
    enum cli_packing packing;
    unsigned char start[START];
    size_t size;
};

/* Returns false when the file cannot be opened. */
static bool open_source(const char *path, struct source *source)
{
    source->fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    if (source->fd < 0)
        return false;
    if (fstat(source->fd, &about) == 0)
        cli_progress_watch(cli_file_name(path), &about);
    source->size = peek(source->fd, source->start, &source->lost);
    source->packing = cli_packing_of(source->start, source->size);
    return true;
}

/* NULL after saying why. */
static struct cli_input *unpack(const struct source *source, const char *path)
{
    int status;
    struct cli_input *input =
        cli_input_new(cli_file_name(path), source->fd, source->fd != STDIN_FILENO, source->packing,
                      source->start, source->lost ? source->size : 0, &status);
    if (!input)
        cli_message("%s: %s\n", cli_file_name(path),
                    status == -ENOTSUP ? "is compressed in a way that this weft was built without"
                                       : strerror(-status));
    return input;
}

/* The input is to be freed with the reader, which *options says. */
static int open_unpacked(weft_reader **reader, weft_reader_options *options,
                         struct cli_input *input)
{
    int status = weft_reader_open_callback(reader, cli_input_read, input);
    options->on_free = cli_input_free;
    options->context = input;
    if (!*reader)
        cli_input_free(input);
    return status;
}

/* As weft_reader_open_path; NULL in *reader also after saying why. */
static int open_trace(weft_reader **reader, weft_reader_options *options, const char *path)
{
    struct source source;
    *reader = NULL;
    if (!open_source(path, &source))
        return weft_reader_open_path(reader, path);
    if (source.lost || source.packing != CLI_PLAIN) {
        struct cli_input *input = unpack(&source, path);
        return input ? open_unpacked(reader, options, input) : -EIO;
    }
    if (source.fd == STDIN_FILENO)
        return weft_reader_open_fd(reader, source.fd);
    close(source.fd);
    return weft_reader_open_path(reader, path);
}

struct cli_input *cli_input_open(const char *path)
{
    struct source source;
    if (open_source(path, &source))
        return unpack(&source, path);
    cli_message("%s: %s\n", path, strerror(errno));
    return NULL;
}

/* Batches are decoded by another thread where there is another processor. */
weft_reader *cli_open(const char *path)
{
    weft_reader *reader;
    weft_reader_options options = {.size = sizeof options,
                                   .threads = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 2 : 1};
    int status = open_trace(&reader, &options, path);
    int configured = reader ? weft_reader_configure(reader, &options) : 0;
    if (status == 0 && (configured == 0 || configured == -EAGAIN))
        return reader; /* without a second thread if none can be had */
    if (reader)
        cli_report(path, weft_reader_error_get(reader));
    weft_reader_free(reader);
    return NULL;
}

bool cli_seek(weft_reader *reader, const char *path, int64_t time)
{
    weft_index *index;
    int status = weft_index_open(&index, path, NULL);
    if (status == 0) {
        status = weft_index_seek(index, reader, time);
        weft_index_free(index);
    }
    if (status == -ESTALE || status == -EBADMSG)
        cli_message("%s" WEFT_INDEX_SUFFIX ": warning: the index %s; it is not used\n", path,
                    status == -ESTALE ? "is not of this trace" : "is damaged");
    return status == 0;
}
