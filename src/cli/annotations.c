/* SPDX-License-Identifier: MIT */
#include "annotations.h"

#include <fnmatch.h>

int annotation_filter_init(struct annotation_filter *filter, const char *command,
                           const struct annotation_texts *texts)
{
    *filter =
        (struct annotation_filter){texts->name, WEFT_ID_NONE, WEFT_ID_NONE, 0, INT64_MAX, 0, 0};
    if (texts->goroutine && !cli_number_parse(texts->goroutine, &filter->goroutine))
        return cli_usage(command, "--goroutine needs an id, not %s", texts->goroutine);
    if (texts->task && !cli_number_parse(texts->task, &filter->task))
        return cli_usage(command, "--task needs an id, not %s", texts->task);
    if ((texts->from && !cli_duration_parse(texts->from, &filter->from)) ||
        (texts->to && !cli_duration_parse(texts->to, &filter->to)))
        return cli_usage(command, "--from and --to need a time such as 1.5s, 20ms or 300us");
    if (texts->least && !cli_duration_parse(texts->least, &filter->least))
        return cli_usage(command, "--min needs a duration such as 20us, not %s", texts->least);
    return -1;
}

bool annotation_wanted(const struct annotation_filter *filter, weft_text name, uint64_t goroutine,
                       uint64_t task, int64_t begin, int64_t end)
{
    int64_t since = begin - filter->origin;
    if (since < filter->from || since > filter->to || end - begin < filter->least)
        return false;
    if ((filter->goroutine != WEFT_ID_NONE && goroutine != filter->goroutine) ||
        (filter->task != WEFT_ID_NONE && task != filter->task))
        return false;
    return !filter->name || fnmatch(filter->name, name.data, 0) == 0;
}

int annotations_read(weft_reader *reader, weft_annotations *annotations,
                     struct annotation_filter *filter)
{
    weft_event event;
    int status = 1, failed = 0;
    bool first = true;
    while (!failed && (status = weft_reader_next(reader, &event)) == 1) {
        if (first)
            filter->origin = event.time;
        first = false;
        failed = weft_annotations_event(annotations, &event);
    }
    if (!failed)
        failed = weft_annotations_finish(annotations);
    return failed ? failed : status;
}
