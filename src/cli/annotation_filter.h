/* SPDX-License-Identifier: MIT */
#ifndef WEFT_CLI_ANNOTATION_FILTER_H
#define WEFT_CLI_ANNOTATION_FILTER_H

/* What `weft tasks`, `weft regions` and `weft logs` share: which annotations are wanted. */

#include <weft/analysis_tasks.h>

#include "report.h"

struct annotation_filter {
    const char *name;         /* shell pattern of the type, name or category; NULL: any */
    uint64_t goroutine, task; /* WEFT_ID_NONE: any */
    int64_t from, to;         /* of the begin, since that of the trace */
    int64_t least;            /* shortest duration */
    int64_t origin;           /* begin of the trace, known once an event was read */
};

/* All are wanted. */
#define ANNOTATION_FILTER_ALL                                                                      \
    (struct annotation_filter)                                                                     \
    {                                                                                              \
        NULL, WEFT_ID_NONE, WEFT_ID_NONE, 0, INT64_MAX, 0, 0                                       \
    }

#define ANNOTATION_OPTIONS(filter)                                                                 \
    CLI_TEXT('N', "name", &(filter).name), CLI_NUMBER('g', "goroutine", &(filter).goroutine),      \
        CLI_NUMBER('t', "task", &(filter).task), CLI_DURATION(0, "from", &(filter).from),          \
        CLI_DURATION(0, "to", &(filter).to)

/* Is it wanted? end is begin where there is no duration. */
bool annotation_wanted(const struct annotation_filter *filter, weft_text name, uint64_t goroutine,
                       uint64_t task, int64_t begin, int64_t end);

/* Feeds all events of a reader and finishes. Returns 0, or what went wrong. */
int annotations_read(weft_reader *reader, weft_annotations *annotations,
                     struct annotation_filter *filter);

#endif
