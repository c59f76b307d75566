/* SPDX-License-Identifier: MIT */
/*
 * Prints the user tasks and regions of a trace, one a line, as
 * tests/reader/reference/annotations.go prints what Go's summary says of them. Names are those of
 * the workload: %q would write them so.
 */
#include <inttypes.h>
#include <stdio.h>

#include <weft/analysis_tasks.h>

/* As Go's %q, for the texts that the workload uses. */
static void put_quoted(weft_text text)
{
    putchar('"');
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '"')
            printf("\\\"");
        else if (c >= 0xf8)
            printf("\\x%02x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static int on_task(void *context, const weft_task_record *task)
{
    (void)context;
    printf("task %" PRIu64 " ", task->id);
    put_quoted(task->type);
    printf(" %" PRId64 " %" PRId64 "\n", task->seen_begin ? task->begin : 0,
           task->seen_end ? task->end : 0);
    return 0;
}

static int on_region(void *context, const weft_region_record *region)
{
    const int64_t *spent = region->spent;
    (void)context;
    if (!region->seen_begin || !region->seen_end)
        return 0;
    printf("region %" PRIu64 " ", region->goroutine);
    put_quoted(region->name);
    printf(" %" PRIu64 " %" PRId64 " %" PRId64, region->task, region->begin, region->end);
    printf(" running=%" PRId64 " runnable=%" PRId64 " blocked=%" PRId64 " syscall=%" PRId64 "\n",
           spent[WEFT_SPENT_RUNNING], spent[WEFT_SPENT_RUNNABLE], spent[WEFT_SPENT_BLOCKED],
           spent[WEFT_SPENT_SYSCALL] + spent[WEFT_SPENT_SYSCALL_BLOCKED]);
    return 0;
}

int main(int argc, char **argv)
{
    weft_annotation_sink sink = {.task = on_task, .region = on_region};
    weft_reader *reader;
    weft_annotations *annotations;
    weft_event event;
    int status = argc == 2 ? weft_reader_open_path(&reader, argv[1]) : -1;
    if (status || weft_annotations_new(&annotations, reader, &sink))
        return 2;
    while ((status = weft_reader_next(reader, &event)) == 1)
        if (weft_annotations_event(annotations, &event))
            return 2;
    if (status || weft_annotations_finish(annotations))
        return 2;
    weft_annotations_free(annotations);
    weft_reader_free(reader);
    return 0;
}
