/* SPDX-License-Identifier: MIT */
/*
 * Twin of TestTraceWaitOnPipe: goroutines sit in a raw read() of a pipe from before the trace
 * starts, over whole generations in which nothing else happens to them or their threads, and come
 * back. Their status events must name the threads on which they continue (Go issue 65196). One
 * reads as it is, the other between weft_blocking_enter and weft_blocking_exit.
 */
#include <unistd.h>

#include "twins/twin_walk.h"

enum { READERS = 2 };

struct reader {
    int ends[2];
    bool annotated;
    uint64_t id;
    weft_waitgroup *started, *done;
    bool seen, in_syscall;
};

static void sit_in_read(void *arg)
{
    struct reader *r = arg;
    char byte = 0;
    r->id = weft_goid();
    weft_waitgroup_done(r->started);
    if (r->annotated)
        weft_blocking_enter();
    ssize_t n = read(r->ends[0], &byte, 1);
    if (r->annotated)
        weft_blocking_exit();
    check(n == 1 && byte == 'x');
    weft_yield();
    weft_waitgroup_done(r->done);
}

static struct reader readers[READERS];

static void body(void)
{
    weft_waitgroup started = WEFT_WAITGROUP_INIT, done = WEFT_WAITGROUP_INIT;
    memset(readers, 0, sizeof readers);
    readers[1].annotated = true;
    weft_waitgroup_add(&started, READERS);
    weft_waitgroup_add(&done, READERS);
    for (int i = 0; i < READERS; i++) {
        readers[i].started = &started;
        readers[i].done = &done;
        check(pipe(readers[i].ends) == 0);
        check(weft_go(sit_in_read, &readers[i]) == 0);
    }
    weft_waitgroup_wait(&started);
    weft_sleep(20 *
               WEFT_MILLISECOND); /* time to block, and for the unannotated one to be noticed */
    weft_trace_stream *stream = twin_start(0);
    for (int i = 0; i < 3; i++) { /* generations without any event of theirs */
        weft_sleep(2 * WEFT_MILLISECOND);
        twin_advance(1);
    }
    for (int i = 0; i < READERS; i++)
        check(write(readers[i].ends[1], "x", 1) == 1);
    weft_waitgroup_wait(&done);
    twin_stop(stream);
    for (int i = 0; i < READERS; i++) {
        close(readers[i].ends[0]);
        close(readers[i].ends[1]);
    }
}

/* The annotated one is known to be in a system call from its first event on; the other one too if
 * somebody wanted its P, which is so with one P. Who is in a system call comes out of it. */
static void look(struct reader *r, const weft_event *event)
{
    if (event->from == WEFT_STATE_UNDETERMINED) {
        if (r->annotated || twin.procs == 1)
            check(event->to == WEFT_STATE_SYSCALL);
        else
            check(event->to == WEFT_STATE_SYSCALL || event->to == WEFT_STATE_RUNNING);
        r->seen = true;
    }
    check(event->to != WEFT_STATE_WAITING || !r->in_syscall);
    r->in_syscall = event->to == WEFT_STATE_SYSCALL;
}

static void seen(void *arg, const weft_reader *reader, const weft_event *event)
{
    (void)arg;
    (void)reader;
    if (event->kind != WEFT_EVENT_STATE_TRANSITION || event->resource != WEFT_RESOURCE_GOROUTINE)
        return;
    for (int i = 0; i < READERS; i++)
        if (event->id == readers[i].id)
            look(&readers[i], event);
}

static void verify(void)
{
    twin_walk(twin_path(0), seen, NULL);
    for (int i = 0; i < READERS; i++)
        check(readers[i].seen && !readers[i].in_syscall);
}

int main(int argc, char **argv)
{
    return twin_main(argc, argv, body, verify);
}
