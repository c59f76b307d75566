/* SPDX-License-Identifier: MIT */
/* One trace out of segments of one run. */
#include <errno.h>
#include <stdlib.h>

#include "reader/splice.h"

typedef unsigned long long ull;

struct generation_clock {
    uint64_t number;
    int64_t begin;
    weft_sync sync;
};

/* What a segment contains: its generations, read once. */
struct segment {
    unsigned version;
    struct generation_clock *at;
    size_t count, room;
};

static int add_generation(struct segment *segment, const weft_reader *reader,
                          const weft_event *event)
{
    if (segment->count == segment->room) {
        size_t room = 2 * segment->room + 16;
        struct generation_clock *at = realloc(segment->at, room * sizeof *at);
        if (!at)
            return -ENOMEM;
        segment->at = at;
        segment->room = room;
    }
    struct generation_clock *added = &segment->at[segment->count++];
    added->number = weft_reader_generation(reader);
    added->begin = event->time;
    weft_reader_sync(reader, &added->sync);
    return 0;
}

static int survey(struct segment *segment, weft_open_fn open, void *context,
                  weft_reader_error *error)
{
    weft_reader *reader;
    weft_event event;
    int status = open(context, &reader), failed = 0;
    if (status == 0)
        segment->version = weft_reader_version(reader);
    while (status >= 0 && !failed && (status = weft_reader_next(reader, &event)) == 1)
        if (event.kind == WEFT_EVENT_SYNC && weft_reader_generations(reader) > segment->count)
            failed = add_generation(segment, reader, &event);
    if (status < 0 && reader)
        splice_keep_error(reader, error);
    weft_reader_free(reader);
    if (status == 0 && !failed && segment->count == 0)
        return splice_fail(error, "MRG-1", "the segment is empty");
    return failed ? failed : status;
}

/* Whether the clocks of a generation that both have say that it is the same one. */
static bool same_clock(const struct generation_clock *a, const struct generation_clock *b)
{
    return a->begin == b->begin && a->sync.has_clock == b->sync.has_clock &&
           (!a->sync.has_clock ||
            (a->sync.mono == b->sync.mono && a->sync.trace_time == b->sync.trace_time));
}

static bool goes_on(const struct generation_clock *a, const struct generation_clock *b)
{
    return b->begin > a->begin &&
           (!a->sync.has_clock || !b->sync.has_clock || b->sync.mono > a->sync.mono);
}

static const struct generation_clock *find_number(const struct segment *segment, uint64_t number)
{
    for (size_t i = segment->count; i-- > 0;)
        if (segment->at[i].number == number)
            return &segment->at[i];
    return NULL;
}

/*
 * How the next segment goes on after those before: *first is its first new generation, from 1, or
 * one beyond its last if it has none. Returns 0 or -EBADMSG.
 */
static int join(const struct segment *before, const struct segment *next, uint64_t *first,
                weft_reader_error *error)
{
    const struct generation_clock *last = &before->at[before->count - 1];
    if (next->version != before->version)
        return splice_fail(error, "MRG-2", "format 1.%u, but 1.%u before", next->version,
                           before->version);
    size_t at = 0;
    for (; at < next->count && next->at[at].number <= last->number; at++) {
        const struct generation_clock *same = find_number(before, next->at[at].number);
        if (!same)
            return splice_fail(error, "MRG-6", "generation %llu is missing before: not in order",
                               (ull)next->at[at].number);
        if (!same_clock(same, &next->at[at]))
            return splice_fail(error, "MRG-4",
                               "generation %llu is another one than before: not of one run",
                               (ull)next->at[at].number);
    }
    *first = at + 1;
    if (at == next->count)
        return 0;
    if (next->at[at].number != last->number + 1)
        return splice_fail(error, "MRG-3",
                           "begins with generation %llu, but %llu is missing before",
                           (ull)next->at[at].number, (ull)last->number + 1);
    if (!goes_on(last, &next->at[at]))
        return splice_fail(error, "MRG-5", "the clocks go back at generation %llu: not of one run",
                           (ull)next->at[at].number);
    return 0;
}

/* Adds the generations of next from number first on to all. */
static int append(struct segment *all, const struct segment *next, uint64_t first)
{
    size_t more = next->count + 1 - first, room = all->count + more;
    struct generation_clock *at = realloc(all->at, (room + 1) * sizeof *at);
    if (!at)
        return -ENOMEM;
    all->at = at;
    all->room = room + 1;
    for (size_t i = 0; i < more; i++)
        all->at[all->count++] = next->at[first - 1 + i];
    return 0;
}

static int plan(struct splice_part *parts, weft_open_fn open, void *const *contexts, size_t count,
                size_t *segment, weft_reader_error *error)
{
    struct segment all = {0};
    int status = 0;
    for (size_t i = 0; i < count && !status; i++) {
        struct segment next = {0};
        uint64_t first = 1;
        *segment = i;
        status = survey(&next, open, contexts[i], error);
        if (!status && i)
            status = join(&all, &next, &first, error);
        if (!status)
            status = append(&all, &next, first);
        all.version = next.version;
        parts[i] = (struct splice_part){contexts[i], first, next.count};
        free(next.at);
    }
    free(all.at);
    return status;
}

int weft_merge(weft_open_fn open, void *const *contexts, size_t count, weft_write_fn write,
               void *write_context, weft_slice_info *info, size_t *segment,
               weft_reader_error *error)
{
    size_t own;
    segment = segment ? segment : &own;
    if (error)
        *error = (weft_reader_error){"", 0, 0, ""};
    struct splice_part *parts = calloc(count + 1, sizeof *parts);
    if (!parts)
        return -ENOMEM;
    int status = plan(parts, open, contexts, count, segment, error);
    if (!status)
        status = splice_write(open, parts, count, write, write_context, info, error);
    free(parts);
    return status;
}
