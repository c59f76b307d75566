/* SPDX-License-Identifier: MIT */
#include "annotation_filter.h"

#include <fnmatch.h>

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
