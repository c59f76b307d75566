/* SPDX-License-Identifier: MIT */
/* Opening indexes, and seeking with them. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reader/index_file.h"

/* Bytes that an entry of the table takes at least. */
#define ENTRY_LEAST 6

struct weft_index {
    int fd; /* of the index file */
    uint64_t size;
    size_t count;
    struct index_entry *entries;
};

/* Reads size bytes from a place. Returns 0, -EBADMSG if there are fewer, or what reading gave. */
static int read_at(int fd, void *data, size_t size, uint64_t place)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(fd, (uint8_t *)data + done, size - done, (off_t)(place + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EBADMSG;
        done += (size_t)n;
    }
    return 0;
}

/* As many bytes from a place, if they have the checksum. *data must be freed. */
static int read_checked(int fd, uint64_t place, uint64_t size, uint64_t sum, uint8_t **data)
{
    *data = malloc(size ? size : 1);
    int status = *data ? read_at(fd, *data, size, place) : -ENOMEM;
    if (!status && index_checksum(INDEX_CHECKSUM_START, *data, size) != sum)
        status = -EBADMSG;
    if (status) {
        free(*data);
        *data = NULL;
    }
    return status;
}

static uint64_t get_fixed(const uint8_t *at)
{
    uint64_t number = 0;
    for (unsigned i = 8; i-- > 0;)
        number = number << 8 | at[i];
    return number;
}

/* Whether a part of the file lies between magic and footer. */
static bool is_inside(const weft_index *index, uint64_t place, uint64_t size)
{
    uint64_t end = index->size - INDEX_FOOTER;
    return place >= 8 && place <= end && size <= end - place;
}

static int read_table(weft_index *index, uint8_t **table, size_t *size)
{
    uint8_t footer[INDEX_FOOTER], magic[8];
    struct stat stat;
    if (fstat(index->fd, &stat) != 0)
        return -errno;
    index->size = (uint64_t)stat.st_size;
    if (!S_ISREG(stat.st_mode) || index->size < 8 + INDEX_FOOTER)
        return -EBADMSG;
    int status = read_at(index->fd, magic, 8, 0);
    if (!status)
        status = read_at(index->fd, footer, sizeof footer, index->size - sizeof footer);
    if (status)
        return status;
    uint64_t place = get_fixed(footer), bytes = get_fixed(footer + 8);
    if (memcmp(magic, INDEX_MAGIC, 8) != 0 || memcmp(footer + 24, INDEX_MAGIC, 8) != 0 ||
        !is_inside(index, place, bytes))
        return -EBADMSG;
    *size = bytes;
    return read_checked(index->fd, place, bytes, get_fixed(footer + 16), table);
}

static bool take_entry(const weft_index *index, struct reader_taker *from,
                       struct index_entry *entry)
{
    entry->shown.number = reader_take(from);
    entry->shown.offset = reader_take(from);
    entry->shown.begin = (int64_t)reader_take(from);
    entry->shown.end = (int64_t)reader_take(from);
    entry->shown.events = reader_take(from);
    entry->state_size = reader_take(from);
    entry->shown.has_state = entry->state_size > 0;
    if (entry->shown.has_state) {
        entry->state = reader_take(from);
        entry->state_sum = reader_take(from);
    }
    return !from->fault &&
           (!entry->shown.has_state || is_inside(index, entry->state, entry->state_size));
}

/* The first generation has a state and all are in order, or there are none. */
static bool take_entries(weft_index *index, struct reader_taker *from, uint64_t trace_size)
{
    uint64_t count = reader_take_count(from);
    if (from->fault || count > (uint64_t)(from->end - from->at) / ENTRY_LEAST)
        return false;
    index->entries = calloc(count ? count : 1, sizeof *index->entries);
    if (!index->entries)
        return false;
    for (; index->count < count; index->count++) {
        struct index_entry *entry = &index->entries[index->count];
        if (!take_entry(index, from, entry) || entry->shown.offset > trace_size ||
            (index->count == 0 && !entry->shown.has_state) ||
            (index->count > 0 && (entry->shown.begin <= entry[-1].shown.begin ||
                                  entry->shown.offset <= entry[-1].shown.offset)))
            return false;
    }
    return from->at == from->end;
}

static int take_table(weft_index *index, const uint8_t *table, size_t size,
                      const struct index_identity *trace)
{
    struct reader_taker from = {table, table + size, false};
    struct index_identity known;
    known.size = reader_take(&from);
    known.changed = reader_take(&from);
    known.ends = reader_take(&from);
    if (from.fault)
        return -EBADMSG;
    if (known.size != trace->size || known.changed != trace->changed || known.ends != trace->ends)
        return -ESTALE;
    return take_entries(index, &from, trace->size) ? 0 : -EBADMSG;
}

static int identify_path(const char *path, struct index_identity *identity)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int status = index_identify(fd, identity);
    close(fd);
    return status;
}

static int open_file(weft_index *index, const char *trace_path, const char *path)
{
    struct index_identity identity;
    uint8_t *table = NULL;
    size_t size = 0;
    index->fd = open(path, O_RDONLY | O_CLOEXEC);
    int status = index->fd < 0 ? -errno : identify_path(trace_path, &identity);
    if (!status)
        status = read_table(index, &table, &size);
    if (!status)
        status = take_table(index, table, size, &identity);
    free(table);
    return status;
}

int weft_index_open(weft_index **out, const char *trace_path, const char *given)
{
    char *path;
    weft_index *index = *out = calloc(1, sizeof *index);
    if (!index)
        return -ENOMEM;
    index->fd = -1;
    int status = index_path(trace_path, given, &path);
    if (!status) {
        status = open_file(index, trace_path, path);
        free(path);
    }
    if (status) {
        weft_index_free(index);
        *out = NULL;
    }
    return status;
}

void weft_index_free(weft_index *index)
{
    if (!index)
        return;
    if (index->fd >= 0)
        close(index->fd);
    free(index->entries);
    free(index);
}

size_t weft_index_count(const weft_index *index)
{
    return index->count;
}

int weft_index_entry_get(const weft_index *index, size_t at, weft_index_entry *entry)
{
    *entry = (weft_index_entry){0};
    if (at >= index->count)
        return -ERANGE;
    *entry = index->entries[at].shown;
    return 0;
}

/* -------- seeking -------- */

/* The last that begins at or before a time and has a state; the first if there is none. */
static const struct index_entry *entry_before(const weft_index *index, int64_t time)
{
    size_t low = 0, high = index->count;
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (index->entries[mid].shown.begin <= time)
            low = mid;
        else
            high = mid;
    }
    while (!index->entries[low].shown.has_state)
        low--;
    return &index->entries[low];
}

static int take_state(const weft_index *index, const struct index_entry *entry, weft_reader *reader,
                      struct reader_order *order, struct reader_progress *progress)
{
    uint8_t *data;
    int status = read_checked(index->fd, entry->state, entry->state_size, entry->state_sum, &data);
    if (status)
        return status;
    uint64_t number = reader->gen.number;
    reader->gen.number = 0; /* what is added to the state belongs to no generation yet */
    status = reader_order_init(order, &reader->budget) ? 0 : -ENOMEM;
    if (!status)
        status = reader_state_take(order, &reader->gen, progress, data, entry->state_size);
    reader->gen.number = number;
    free(data);
    return status;
}

int weft_index_seek(const weft_index *index, weft_reader *reader, int64_t time)
{
    struct reader_order order = {0};
    struct reader_progress progress;
    if (!reader_can_seek(reader))
        return -ESPIPE;
    if (index->count == 0)
        return -EBADMSG;
    const struct index_entry *entry = entry_before(index, time);
    int status = take_state(index, entry, reader, &order, &progress);
    if (!status)
        status = reader_restart(reader, entry->shown.offset);
    if (status) {
        reader_order_fini(&order);
        return status;
    }
    reader_order_fini(&reader->order);
    reader->order = order;
    reader->last = progress.last;
    reader->syncs = progress.syncs;
    reader->generations = progress.generations;
    return 0;
}
