/* SPDX-License-Identifier: MIT */
/* Opening and closing readers. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "reader/header.h"
#include "reader/reader.h"
#include "reader/stable.h"

static weft_reader *reader_new(weft_read_fn read, void *context)
{
    weft_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return NULL;
    reader->fd = -1;
    reader->status = reader->next_status = 1;
    reader->fault.error = (weft_reader_error){"", 0, 0, ""};
    reader->fault.budget = &reader->budget;
    reader->frontier.budget = reader->cursors.budget = &reader->budget;
    reader->parking.nodes.at.budget = reader->parking.groups.budget = &reader->budget;
    reader->parking.group_of.budget = &reader->budget;
    reader->parking_least = READER_PARKING_LEAST;
    if (!reader_source_init(&reader->source, read, context) ||
        !reader_order_init(&reader->order, &reader->budget)) {
        weft_reader_free(reader);
        return NULL;
    }
    return reader;
}

/* Reads the header; from here on *out explains failures. */
static int start(weft_reader *reader)
{
    int status = reader_header_read(&reader->source, &reader->version, &reader->fault);
    if (status)
        return reader->status = reader->next_status = status;
    reader_generation_init(&reader->gen, reader->version, &reader->budget, &reader->fault);
    reader->gather = (struct reader_gather){.source = &reader->source,
                                            .version = reader->version,
                                            .fault = &reader->fault,
                                            .warnings = reader->warnings};
    return 0;
}

int weft_reader_open_callback(weft_reader **out, weft_read_fn read, void *context)
{
    *out = reader_new(read, context);
    return *out ? start(*out) : -ENOMEM;
}

static ptrdiff_t read_fd(void *context, void *data, size_t size)
{
    const weft_reader *reader = context;
    for (;;) {
        ssize_t n = read(reader->fd, data, size);
        if (n >= 0 || errno != EINTR)
            return n >= 0 ? n : -errno;
    }
}

static int open_fd(weft_reader **out, int fd, bool owns)
{
    weft_reader *reader = *out = reader_new(read_fd, NULL);
    if (!reader) {
        if (owns)
            close(fd);
        return -ENOMEM;
    }
    reader->source.context = reader;
    reader->fd = fd;
    reader->owns_fd = owns;
    reader->fd_start = lseek(fd, 0, SEEK_CUR);
    return start(reader);
}

int weft_reader_open_fd(weft_reader **out, int fd)
{
    return open_fd(out, fd, false);
}

int weft_reader_open_path(weft_reader **out, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        return open_fd(out, fd, true);
    int error = -errno;
    weft_reader *reader = *out = reader_new(read_fd, NULL);
    if (!reader)
        return -ENOMEM;
    reader->status = reader->next_status = error;
    return reader_fail(&reader->fault, "IO", 0, 0, "cannot open: %s", strerror(-error)), error;
}

int weft_reader_configure(weft_reader *reader, const weft_reader_options *options)
{
    weft_reader_options all = {0};
    if (options->size > sizeof all || options->size < offsetof(weft_reader_options, max_memory))
        return -EINVAL;
    memcpy(&all, options, options->size);
    if (all.threads > WEFT_READER_MAX_THREADS)
        return -EINVAL;
    if (reader->syncs || reader->team || reader->stable)
        return -EBUSY;
    reader->budget.limit = all.max_memory;
    reader->on_free = all.on_free;
    reader->on_free_context = all.context;
    if (all.stable_handles && !(reader->stable = reader_stable_new(reader)))
        return -ENOMEM;
    if (all.threads <= 1)
        return 0;
    reader->team = reader_team_new(all.threads - 1);
    return reader->team ? 0 : -EAGAIN;
}

bool reader_can_seek(const weft_reader *reader)
{
    return reader->fd >= 0 && reader->fd_start >= 0 && reader->version != 0;
}

int reader_restart(weft_reader *reader, uint64_t offset)
{
    if (lseek(reader->fd, reader->fd_start + (off_t)offset, SEEK_SET) < 0)
        return -errno;
    reader_cursors_close(reader);
    reader_source_restart(&reader->source, offset);
    reader->gather.has_spill = reader->gather.failed = false;
    reader->gen.numbered = false;
    reader->frontier.count = 0;
    reader->parking.parked = 0;
    reader->plain = reader->running = reader->sync_has_data = false;
    reader->status = reader->next_status = 1;
    reader->shown = reader->offset = 0;
    reader->fault.error = (weft_reader_error){"", 0, 0, ""};
    memset(reader->warnings, 0, sizeof reader->warnings);
    return 0;
}

void weft_reader_free(weft_reader *reader)
{
    if (!reader)
        return;
    reader_cursors_close(reader);
    reader_team_free(reader->team);
    reader_stable_free(reader->stable);
    READER_VEC_FINI(&reader->cursors);
    reader_frontier_fini(&reader->frontier);
    reader_parking_fini(&reader->parking);
    reader_order_fini(&reader->order);
    reader_generation_fini(&reader->gen);
    reader_gather_fini(&reader->gather);
    reader_source_fini(&reader->source);
    if (reader->owns_fd)
        close(reader->fd);
    if (reader->on_free)
        reader->on_free(reader->on_free_context);
    free(reader);
}
