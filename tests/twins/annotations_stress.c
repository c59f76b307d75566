/* SPDX-License-Identifier: MIT */
/*
 * Twin of TestTraceAnnotationsStress: trees of tasks, regions and logs over many goroutines. Some
 * begin before the trace and some end after it.
 */
#include "twins/twin_walk.h"

enum { DEPTH = 3, BREADTH = 3, ROOTS = 3 };

static weft_waitgroup done;
static uint32_t labels_set;

struct node {
    weft_task parent;
    int depth;
};

static void grow(struct node *node);

static void branch(void *arg)
{
    struct node node = *(struct node *)arg;
    free(arg);
    grow(&node);
    weft_waitgroup_done(&done);
}

static void start_branch(weft_task parent, int depth)
{
    struct node *node = malloc(sizeof *node);
    check(node);
    *node = (struct node){parent, depth};
    weft_waitgroup_add(&done, 1);
    check(weft_go(branch, node) == 0);
}

static void grow(struct node *node)
{
    weft_task task = weft_task_begin(node->parent, "branch");
    weft_task_stay stay;
    weft_task_enter(&stay, task);
    WEFT_REGION("grow");
    weft_logf("depth", "%d", node->depth);
    if (node->depth == DEPTH)
        check(weft_label_set("leaf") == 0 && __atomic_add_fetch(&labels_set, 1, __ATOMIC_RELAXED));
    for (int i = 0; i < BREADTH && node->depth < DEPTH; i++) {
        WEFT_REGION("branch");
        start_branch(task, node->depth + 1);
    }
    weft_sleep(10 * WEFT_MILLISECOND);
    check(weft_task_leave(&stay) == 0);
    weft_task_end(task);
}

/* The roots of a wave, as goroutines which wait until they may go on. */
static void body(void)
{
    weft_task before = weft_task_begin(WEFT_TASK_BACKGROUND, "before");
    labels_set = 0;
    for (int i = 0; i < ROOTS; i++)
        start_branch(before, 0);
    weft_sleep(5 * WEFT_MILLISECOND);
    weft_trace_stream *stream = twin_start(0);
    weft_task during = weft_task_begin(WEFT_TASK_BACKGROUND, "during");
    weft_task ended = weft_task_begin(during, "ended");
    for (int i = 0; i < ROOTS; i++)
        start_branch(ended, 0);
    weft_task_end(before);
    weft_sleep(60 * WEFT_MILLISECOND);
    weft_task_end(ended);
    for (int i = 0; i < ROOTS; i++)
        start_branch(during, 0);
    weft_sleep(5 * WEFT_MILLISECOND);
    twin_stop(stream);
    weft_task_end(during);
    weft_waitgroup_wait(&done);
    check(labels_set > 0);
}

struct found {
    unsigned tasks, ends, begun, ended, before;
};

static void seen(void *arg, const weft_reader *reader, const weft_event *event)
{
    struct found *found = arg;
    switch (event->kind) {
    case WEFT_EVENT_TASK_BEGIN:
        found->tasks++;
        found->before += twin_text_is(reader, event->name, "before");
        break;
    case WEFT_EVENT_TASK_END:
        found->ends++;
        break;
    case WEFT_EVENT_REGION_BEGIN:
        found->begun++;
        break;
    case WEFT_EVENT_REGION_END:
        found->ended++;
        break;
    default:
        break;
    }
}

static void verify(void)
{
    struct found found = {0};
    twin_walk(twin_path(0), seen, &found);
    check(found.before == 0 && found.tasks >= 2 && found.ends >= 1 && found.begun > 0);
}

int main(int argc, char **argv)
{
    return twin_main(argc, argv, body, verify);
}
