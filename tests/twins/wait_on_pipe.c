/* SPDX-License-Identifier: MIT */
/*
 * Twin of TestTraceWaitOnPipe: two goroutines sit in read() of a pipe, one announced and one not,
 * before the trace starts and over whole generations, and then come back (Go issue 65196). The
 * thread of each status event is the one on which they continue; and there is a generation in which
 * nothing but their status is told of them, and nothing of their threads.
 */
#include "twins/twin_walk.h"

#include <inttypes.h>
#include <unistd.h>

#include "base/thread.h"
#include "wire/events.h"

enum { WAITERS = 2, GENERATIONS = 4 };

static struct waiter {
    int fds[2];
    uint64_t goroutine, thread;
    uint32_t ready, came_back;
    unsigned statuses;
} waiters[WAITERS];

static uint64_t last_generation; /* in which they may come back; behind that they may be anywhere */

static void note_where(struct waiter *w)
{
    w->thread = base_thread_id();
    __atomic_store_n(&w->ready, 1, __ATOMIC_RELEASE);
}

/* Between the two thread ids no call of weft moves the goroutine. */
static void wait_unannounced(void *arg)
{
    struct waiter *w = arg;
    char byte;
    w->goroutine = weft_goid();
    note_where(w);
    check(read(w->fds[0], &byte, 1) == 1);
    check(base_thread_id() == w->thread);
    weft_yield();
    __atomic_store_n(&w->came_back, 1, __ATOMIC_RELEASE);
}

static void wait_announced(void *arg)
{
    struct waiter *w = arg;
    char byte;
    w->goroutine = weft_goid();
    weft_blocking_enter();
    note_where(w);
    check(read(w->fds[0], &byte, 1) == 1);
    check(base_thread_id() == w->thread);
    weft_blocking_exit();
    weft_yield();
    __atomic_store_n(&w->came_back, 1, __ATOMIC_RELEASE);
}

static void (*const bodies[WAITERS])(void *) = {wait_unannounced, wait_announced};

static void body(void)
{
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (struct waiter){0};
        check(pipe(waiters[i].fds) == 0);
        check(weft_go(bodies[i], &waiters[i]) == 0);
        twin_await(&waiters[i].ready, 1);
    }
    twin_settle();
    weft_trace_stream *stream = twin_start(0);
    for (int i = 0; i < GENERATIONS; i++) {
        weft_sleep(WEFT_MILLISECOND);
        twin_advance(1);
    }
    last_generation = weft_trace_generation(weft_tracer_default());
    for (int i = 0; i < WAITERS; i++) {
        check(write(waiters[i].fds[1], "", 1) == 1);
        twin_await(&waiters[i].came_back, 1);
    }
    twin_stop(stream);
    for (int i = 0; i < WAITERS; i++) {
        close(waiters[i].fds[0]);
        close(waiters[i].fds[1]);
    }
}

/* ---- What the status events say, which the reader's events do not: the thread ---- */

static int write_to_file(void *context, const void *data, size_t size)
{
    return fwrite(data, 1, size, context) == size ? 0 : -EIO;
}

static ptrdiff_t read_from_file(void *context, void *data, size_t size)
{
    return (ptrdiff_t)fread(data, 1, size, context);
}

/* Only an executing goroutine has a thread. */
static void check_status(const char *line)
{
    const char *number = strstr(line, " g=");
    uint64_t g, m;
    unsigned status;
    if (!strstr(line, "GoStatus") || !number ||
        sscanf(number, " g=%" SCNu64 " m=%" SCNu64 " gstatus=%u", &g, &m, &status) != 3 ||
        (status != WIRE_G_RUNNING && status != WIRE_G_SYSCALL))
        return;
    for (int i = 0; i < WAITERS; i++)
        if (waiters[i].goroutine == g) {
            check(m == waiters[i].thread);
            waiters[i].statuses++;
        }
}

static void verify_statuses(void)
{
    char line[256];
    uint64_t generation = 0;
    FILE *trace = fopen(twin_path(0), "rb"), *text = tmpfile();
    check(trace && text);
    check(weft_raw_print(read_from_file, trace, write_to_file, text, NULL) == 0);
    rewind(text);
    while (fgets(line, sizeof line, text)) {
        (void)sscanf(line, "EventBatch gen=%" SCNu64, &generation);
        if (generation < last_generation)
            check_status(line);
    }
    fclose(trace);
    fclose(text);
    for (int i = 0; i < WAITERS; i++)
        check(waiters[i].statuses >= GENERATIONS);
}

/* ---- What the events say ---- */

struct found {
    uint64_t generation;
    struct {
        unsigned others; /* in this generation: events that are no status */
        unsigned silent; /* generations in which there were none */
        bool continued;
    } of[WAITERS];
};

static bool is_status(const weft_event *event)
{
    return event->wire == WIRE_EV_GO_STATUS || event->wire == WIRE_EV_GO_STATUS_STACK ||
           event->wire == WIRE_EV_PROC_STATUS;
}

/* A generation is over. The first of all is not looked at: the trace began within it. */
static void end_generation(struct found *found, uint64_t generation)
{
    for (int i = 0; i < WAITERS; i++) {
        found->of[i].silent += found->generation > 0 && found->of[i].others == 0;
        found->of[i].others = 0;
    }
    found->generation = generation;
}

/* The unannounced one looks as if it ran until somebody wants its P, which on one P is always so.
 */
static void look(struct found *found, int i, const weft_event *event)
{
    const struct waiter *w = &waiters[i];
    bool its_own = event->kind == WEFT_EVENT_STATE_TRANSITION &&
                   event->resource == WEFT_RESOURCE_GOROUTINE && event->id == w->goroutine;
    if (is_status(event)) {
        check(!its_own || found->of[i].continued || event->to == WEFT_STATE_SYSCALL ||
              (event->to == WEFT_STATE_RUNNING && i == 0 && twin.procs != 1));
        return;
    }
    found->of[i].others += its_own || event->g == w->goroutine || event->m == w->thread;
    if (!its_own || found->of[i].continued)
        return;
    check(event->m == w->thread);
    check(event->from == WEFT_STATE_SYSCALL || i == 0);
    found->of[i].continued = true;
}

static void seen(void *arg, const weft_reader *reader, const weft_event *event)
{
    struct found *found = arg;
    if (event->kind == WEFT_EVENT_SYNC)
        end_generation(found, weft_reader_generation(reader));
    for (int i = 0; i < WAITERS; i++)
        look(found, i, event);
}

static void verify(void)
{
    struct found found = {0};
    verify_statuses();
    twin_walk(twin_path(0), seen, &found);
    for (int i = 0; i < WAITERS; i++) {
        check(found.of[i].continued);
        check(found.of[i].silent >= GENERATIONS - 1);
    }
}

int main(int argc, char **argv)
{
    return twin_main(argc, argv, body, verify);
}
