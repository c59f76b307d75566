/* SPDX-License-Identifier: MIT */
/*
 * Twin of TestTraceAnnotations: a region that was begun before the trace, a task with nested
 * regions and a log from another goroutine, a region that is never ended, and one that is still
 * open when the trace ends. Everything that belongs there is found, with its task, and the region
 * from before is not.
 */
#include "twins/twin_walk.h"

static weft_waitgroup done;

static void work_for_task0(void *arg)
{
    weft_task task = *(weft_task *)arg;
    weft_task_stay stay;
    weft_task_enter(&stay, task);
    {
        WEFT_REGION("region0");
        {
            WEFT_REGION("region1");
            weft_log("key0", "0123456789abcdef");
        }
    }
    check(weft_task_leave(&stay) == 0);
    weft_task_end(task);
    weft_waitgroup_done(&done);
}

static void leave_a_region_open(void *arg)
{
    weft_region region;
    (void)arg;
    weft_region_begin(&region, "unended region");
    weft_waitgroup_done(&done);
}

static void body(void)
{
    weft_region before, after;
    weft_region_begin(&before, "pre-existing region");
    weft_trace_stream *stream = twin_start(0);
    weft_task task = weft_task_begin(WEFT_TASK_BACKGROUND, "task0");
    weft_waitgroup_add(&done, 2);
    check(weft_go(work_for_task0, &task) == 0);
    check(weft_go(leave_a_region_open, NULL) == 0);
    weft_waitgroup_wait(&done);
    check(weft_region_end(&before) == 0);
    weft_region_begin(&after, "post-existing region");
    twin_stop(stream);
    check(weft_region_end(&after) == 0);
}

/* In the order in which they must come; task: whether it is task0's. */
static const struct {
    weft_event_kind kind;
    const char *name, *message;
    bool task;
} expected[] = {
    {WEFT_EVENT_TASK_BEGIN, "task0", NULL, true},
    {WEFT_EVENT_REGION_BEGIN, "region0", NULL, true},
    {WEFT_EVENT_REGION_BEGIN, "region1", NULL, true},
    {WEFT_EVENT_LOG, "key0", "0123456789abcdef", true},
    {WEFT_EVENT_REGION_END, "region1", NULL, true},
    {WEFT_EVENT_REGION_END, "region0", NULL, true},
    {WEFT_EVENT_TASK_END, "task0", NULL, true},
    {WEFT_EVENT_REGION_BEGIN, "post-existing region", NULL, false},
};
enum { EXPECTED = sizeof expected / sizeof *expected };

struct found {
    size_t next;
    uint64_t task;
    unsigned unended, others;
};

static bool is_annotation(const weft_reader *reader, const weft_event *event)
{
    return event->kind >= WEFT_EVENT_TASK_BEGIN && event->kind <= WEFT_EVENT_LOG &&
           !(event->kind == WEFT_EVENT_LOG && twin_text_is(reader, event->name, "weft.lease"));
}

static void seen(void *arg, const weft_reader *reader, const weft_event *event)
{
    struct found *found = arg;
    if (!is_annotation(reader, event))
        return;
    if (twin_text_is(reader, event->name, "unended region")) {
        check(event->kind == WEFT_EVENT_REGION_BEGIN);
        found->unended++;
        return;
    }
    if (found->next == EXPECTED || event->kind != expected[found->next].kind ||
        !twin_text_is(reader, event->name, expected[found->next].name)) {
        found->others++;
        return;
    }
    if (event->kind == WEFT_EVENT_TASK_BEGIN)
        found->task = event->id;
    check((event->id == found->task) == expected[found->next].task);
    if (expected[found->next].message)
        check(twin_text_is(reader, event->message, expected[found->next].message));
    found->next++;
}

static void verify(void)
{
    struct found found = {0};
    twin_walk(twin_path(0), seen, &found);
    check(found.next == EXPECTED && found.unended == 1 && found.others == 0);
}

int main(int argc, char **argv)
{
    return twin_main(argc, argv, body, verify);
}
