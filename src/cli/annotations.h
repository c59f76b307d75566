/* SPDX-License-Identifier: MIT */
#ifndef WEFT_CLI_ANNOTATIONS_H
#define WEFT_CLI_ANNOTATIONS_H

/* What `weft tasks`, `weft regions` and `weft logs` share: which annotations are wanted. */

#include <weft/annotations.h>

#include "report.h"

struct annotation_filter {
    const char *name;         /* shell pattern of the type, name or category; NULL: any */
    uint64_t goroutine, task; /* WEFT_ID_NONE: any */
    int64_t from, to;         /* of the begin, since that of the trace */
    int64_t least;            /* shortest duration */
    int64_t origin;           /* begin of the trace, known once an event was read */
};

/* The options' texts, for cli_option. */
struct annotation_texts {
    const char *name, *goroutine, *task, *from, *to, *least;
};

#define ANNOTATION_OPTIONS(texts)                                                                  \
    {'N', "name", &(texts).name, NULL}, {'g', "goroutine", &(texts).goroutine, NULL},              \
        {0, "from", &(texts).from, NULL},                                                          \
    {                                                                                              \
        0, "to", &(texts).to, NULL                                                                 \
    }

/* Takes what the texts say. -1 to go on, or the exit status after a usage error. */
int annotation_filter_init(struct annotation_filter *filter, const char *command,
                           const struct annotation_texts *texts);

/* Is it wanted? end is begin where there is no duration. */
bool annotation_wanted(const struct annotation_filter *filter, weft_text name, uint64_t goroutine,
                       uint64_t task, int64_t begin, int64_t end);

/* Feeds all events of a reader and finishes. Returns 0, or what went wrong. */
int annotations_read(weft_reader *reader, weft_annotations *annotations,
                     struct annotation_filter *filter);

#endif
