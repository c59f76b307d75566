/* SPDX-License-Identifier: MIT */
/* A piece of a trace: whole generations. */
#include <errno.h>

#include "reader/splice.h"

/* The generation at hand is wanted if it has a time in [from, to). */
struct survey {
    int64_t from, to;
    uint64_t ordinal;     /* generation at hand */
    uint64_t first, last; /* wanted; 0 while there are none */
};

static void want(struct survey *survey)
{
    if (!survey->first)
        survey->first = survey->ordinal;
    survey->last = survey->ordinal;
}

/*
 * A generation ends where the next begins, so the one at hand is wanted as soon as an event is not
 * before `from`. Returns false when the rest of the trace does not matter.
 */
static bool look(struct survey *survey, const weft_reader *reader, const weft_event *event)
{
    if (event->time >= survey->to)
        return false;
    survey->ordinal = weft_reader_generations(reader);
    if (event->time >= survey->from && survey->ordinal)
        want(survey);
    return true;
}

/* Finds the generations. 0, -ENODATA or another negative errno value. */
static int find(struct survey *survey, weft_open_fn open, void *context, weft_reader_error *error)
{
    weft_reader *reader;
    weft_event event;
    int status = open(context, &reader);
    while (status >= 0 && (status = weft_reader_next(reader, &event)) == 1)
        if (!look(survey, reader, &event))
            break;
    if (status < 0 && reader)
        splice_keep_error(reader, error);
    weft_reader_free(reader);
    if (status < 0)
        return status;
    return survey->first ? 0 : -ENODATA;
}

int weft_slice(weft_open_fn open, void *open_context, int64_t from, int64_t to, weft_write_fn write,
               void *write_context, weft_slice_info *info, weft_reader_error *error)
{
    struct survey survey = {.from = from, .to = to};
    if (error)
        *error = (weft_reader_error){"", 0, 0, ""};
    int status = find(&survey, open, open_context, error);
    if (status)
        return status;
    struct splice_part part = {open_context, survey.first, survey.last};
    return splice_write(open, &part, 1, write, write_context, info, error);
}
