/* SPDX-License-Identifier: MIT */
/* Writing indexes: one pass over the trace, states as they come, the table at the end. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reader/index_file.h"

/* States may take a quarter of what was read, and this. */
#define STATES_FREE ((uint64_t)64 << 10)

struct build {
    weft_reader *reader;
    FILE *file;
    uint64_t written; /* to file */
    int error;        /* of writing: a negative errno value */
    READER_VEC(struct index_entry) entries;
    struct reader_progress before; /* as it was before the last SYNC */
    struct reader_bytes bytes;     /* a state, then the table */
};

static _Thread_local struct reader_fault last_fault;

int index_identify(int fd, struct index_identity *identity)
{
    uint8_t ends[4096];
    struct stat stat;
    if (fstat(fd, &stat) != 0)
        return -errno;
    if (!S_ISREG(stat.st_mode))
        return -ESPIPE;
    uint64_t size = (uint64_t)stat.st_size, sum = INDEX_CHECKSUM_START;
    const uint64_t places[] = {0, size > sizeof ends ? size - sizeof ends : 0};
    for (unsigned i = 0; i < 2; i++) {
        ssize_t n = pread(fd, ends, sizeof ends, (off_t)places[i]);
        if (n < 0)
            return -errno;
        sum = index_checksum(sum, ends, (size_t)n);
    }
    *identity = (struct index_identity){
        size, (uint64_t)stat.st_mtim.tv_sec * 1000000000 + (uint64_t)stat.st_mtim.tv_nsec, sum};
    return 0;
}

int index_path(const char *trace_path, const char *given, char **path)
{
    size_t size = strlen(given ? given : trace_path) + sizeof WEFT_INDEX_SUFFIX;
    *path = malloc(size);
    if (!*path)
        return -ENOMEM;
    snprintf(*path, size, "%s%s", given ? given : trace_path, given ? "" : WEFT_INDEX_SUFFIX);
    return 0;
}

static void write_bytes(struct build *build, const void *data, size_t size)
{
    if (!build->error && fwrite(data, 1, size, build->file) != size)
        build->error = errno ? -errno : -EIO;
    build->written += size;
}

static void write_state(struct build *build, struct index_entry *entry)
{
    build->bytes.size = 0;
    reader_state_put(&build->bytes, &build->reader->order, &build->before);
    uint64_t size = build->bytes.size;
    if (build->bytes.failed || build->written + size > entry->shown.offset / 4 + STATES_FREE)
        return;
    entry->shown.has_state = 1;
    entry->state = build->written;
    entry->state_size = size;
    entry->state_sum = index_checksum(INDEX_CHECKSUM_START, build->bytes.at, size);
    write_bytes(build, build->bytes.at, size);
}

/* A SYNC that opens a generation. Returns 0 or -ENOMEM. */
static int begin_generation(struct build *build, const weft_event *event)
{
    const struct reader_generation *gen = &build->reader->gen;
    struct index_entry *entry = READER_PUSH(&build->entries);
    if (!entry)
        return -ENOMEM;
    *entry = (struct index_entry){.shown = {.number = gen->number,
                                            .offset = gen->offset,
                                            .begin = event->time,
                                            .end = event->time,
                                            .events = 1}};
    write_state(build, entry);
    return build->bytes.failed ? -ENOMEM : 0;
}

static int note_event(struct build *build, const weft_event *event)
{
    int status = 0;
    if (event->kind == WEFT_EVENT_SYNC && build->reader->sync_has_data) {
        status = begin_generation(build, event);
    } else if (event->kind != WEFT_EVENT_SYNC && build->entries.count) {
        struct index_entry *entry = &build->entries.at[build->entries.count - 1];
        entry->shown.end = event->time;
        entry->shown.events++;
    }
    build->before =
        (struct reader_progress){event->time, build->reader->syncs, build->reader->generations};
    return status;
}

static int read_trace(struct build *build)
{
    weft_event event;
    int status, failed = 0;
    while ((status = weft_reader_next(build->reader, &event)) == 1 && !failed && !build->error)
        failed = note_event(build, &event);
    if (failed)
        return reader_fail_memory(&last_fault, build->reader->gen.number, 0);
    if (status < 0) {
        const weft_reader_error *error = weft_reader_error_get(build->reader);
        snprintf(last_fault.text, sizeof last_fault.text, "%s", error->message);
        last_fault.error = *error;
        last_fault.error.message = last_fault.text;
    }
    return status < 0 ? status : 0;
}

static void put_entry(struct reader_bytes *bytes, const struct index_entry *entry)
{
    reader_bytes_put(bytes, entry->shown.number);
    reader_bytes_put(bytes, entry->shown.offset);
    reader_bytes_put(bytes, (uint64_t)entry->shown.begin);
    reader_bytes_put(bytes, (uint64_t)entry->shown.end);
    reader_bytes_put(bytes, entry->shown.events);
    reader_bytes_put(bytes, entry->state_size);
    if (entry->state_size == 0)
        return;
    reader_bytes_put(bytes, entry->state);
    reader_bytes_put(bytes, entry->state_sum);
}

static void put_fixed(uint8_t *at, uint64_t number)
{
    for (unsigned i = 0; i < 8; i++)
        at[i] = (uint8_t)(number >> (8 * i));
}

static void write_table(struct build *build, const struct index_identity *identity)
{
    struct reader_bytes *bytes = &build->bytes;
    bytes->size = 0;
    reader_bytes_put(bytes, identity->size);
    reader_bytes_put(bytes, identity->changed);
    reader_bytes_put(bytes, identity->ends);
    reader_bytes_put(bytes, build->entries.count);
    for (uint32_t i = 0; i < build->entries.count; i++)
        put_entry(bytes, &build->entries.at[i]);
    if (bytes->failed) {
        build->error = -ENOMEM;
        return;
    }
    uint8_t footer[INDEX_FOOTER];
    put_fixed(footer, build->written);
    put_fixed(footer + 8, bytes->size);
    put_fixed(footer + 16, index_checksum(INDEX_CHECKSUM_START, bytes->at, bytes->size));
    memcpy(footer + 24, INDEX_MAGIC, 8);
    write_bytes(build, bytes->at, bytes->size);
    write_bytes(build, footer, sizeof footer);
}

/* The whole content; the trace is the reader's. Returns what weft_index_build does. */
static int write_index(struct build *build)
{
    struct index_identity identity;
    int status = index_identify(build->reader->fd, &identity);
    if (status)
        return reader_fail_input(&last_fault, status, 0, 0);
    write_bytes(build, INDEX_MAGIC, 8);
    status = read_trace(build);
    if (status == 0 || status == -EBADMSG)
        write_table(build, &identity);
    return status;
}

/* Writes to a file of another name first, which takes the place of path when it is complete. */
static int write_file(struct build *build, const char *path)
{
    size_t size = strlen(path) + 16;
    char *other = malloc(size);
    if (!other)
        return reader_fail_memory(&last_fault, 0, 0);
    snprintf(other, size, "%s.XXXXXX", path);
    int fd = mkstemp(other), status = fd < 0 ? -errno : 0;
    build->file = fd < 0 ? NULL : fdopen(fd, "wb");
    if (build->file) {
        status = write_index(build);
        if (fchmod(fd, 0644) != 0 || fclose(build->file) != 0)
            build->error = build->error ? build->error : -errno;
        if (!build->error && (status == 0 || status == -EBADMSG) && rename(other, path) != 0)
            build->error = -errno;
        if (build->error || (status != 0 && status != -EBADMSG))
            unlink(other);
    } else if (fd >= 0) {
        close(fd);
        unlink(other);
        build->error = -ENOMEM;
    } else {
        build->error = status;
    }
    free(other);
    if (!build->error)
        return status;
    reader_fail(&last_fault, "IO", 0, 0, "cannot write %s: %s", path, strerror(-build->error));
    return build->error;
}

int weft_index_build(const char *trace_path, const char *given, weft_reader_error *error)
{
    struct build build = {0};
    char *path = NULL;
    int status = index_path(trace_path, given, &path);
    last_fault = (struct reader_fault){.error = {"", 0, 0, ""}};
    if (status == 0)
        status = weft_reader_open_path(&build.reader, trace_path);
    if (status == 0)
        status = write_file(&build, path);
    else if (build.reader)
        reader_fail(&last_fault, weft_reader_error_get(build.reader)->rule, 0,
                    weft_reader_error_get(build.reader)->offset, "%s",
                    weft_reader_error_get(build.reader)->message);
    else
        reader_fail_memory(&last_fault, 0, 0);
    if (error)
        *error = last_fault.error;
    weft_reader_free(build.reader);
    READER_VEC_FINI(&build.entries);
    reader_bytes_fini(&build.bytes);
    free(path);
    return status;
}
