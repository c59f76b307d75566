/* SPDX-License-Identifier: MIT */
/*
 * requests: a small service with three faults that a trace shows. docs/tracing.md finds them.
 *
 *     WEFT_TRACE=requests.trace requests
 *
 * Clients send requests through a channel to workers. A request looks something up under a lock and
 * renders an answer. Each is a task with a region for each of its steps; its number is the label of
 * the goroutine that works for it.
 *
 * The faults: one in eight look-ups loads what it lacks while it holds the lock, so that all others
 * wait; one in sixteen renderings calls code that blocks its thread unannounced; and a report
 * computes for a long time at a stretch.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <weft/chan_typed.h>
#include <weft/weft.h>

enum { CLIENTS = 8, WORKERS = 4, EACH = 20 };

struct request {
    int number;
    weft_task task;
    weft_waitgroup done;
};

static WEFT_CHAN(struct request *) queue;
static weft_mutex cache_lock;
static int64_t total, slowest;

static void compute(int64_t how_long)
{
    int64_t end = weft_now() + how_long;
    while (weft_now() < end)
        for (volatile int i = 0; i < 1000; i++)
            continue;
}

/* Without a call into weft. */
static void compute_alone(int steps)
{
    volatile unsigned x = 1;
    while (steps-- > 0)
        x = x * 1664525 + 1013904223;
}

static void look_up(const struct request *r)
{
    WEFT_REGION("look up");
    weft_mutex_lock(&cache_lock);
    if (r->number % 8 == 0)
        weft_sleep(2 * WEFT_MILLISECOND); /* it is loaded; everybody else waits for the lock */
    weft_mutex_unlock(&cache_lock);
}

static void render(const struct request *r)
{
    WEFT_REGION("render");
    compute(100 * WEFT_MICROSECOND);
    if (r->number % 16 == 0)
        usleep(15000); /* a call of somebody else's that blocks */
}

static void handle(struct request *r)
{
    char label[32];
    weft_task_stay stay;
    weft_task_enter(&stay, r->task);
    snprintf(label, sizeof label, "request %d", r->number);
    weft_label_set(label);
    look_up(r);
    render(r);
    weft_label_set("");
    weft_task_leave(&stay);
    weft_waitgroup_done(&r->done);
}

static void worker(void *arg)
{
    struct request *r;
    (void)arg;
    while (WEFT_RECV(queue, &r) == 0)
        handle(r);
}

static void request(int number)
{
    struct request r = {.number = number, .task = weft_task_begin(WEFT_TASK_NONE, "request")};
    int64_t begin = weft_now();
    weft_waitgroup_add(&r.done, 1);
    WEFT_SEND(queue, &r);
    weft_waitgroup_wait(&r.done);
    weft_task_end(r.task);
    int64_t took = weft_now() - begin;
    __atomic_add_fetch(&total, took, __ATOMIC_RELAXED);
    if (took > __atomic_load_n(&slowest, __ATOMIC_RELAXED))
        __atomic_store_n(&slowest, took, __ATOMIC_RELAXED);
}

static int client(void *arg)
{
    int first = (int)(intptr_t)arg * EACH;
    for (int i = 1; i <= EACH; i++) {
        request(first + i);
        weft_sleep(200 * WEFT_MICROSECOND);
    }
    return 0;
}

static int report(void *arg)
{
    (void)arg;
    weft_log("report", "begins");
    compute_alone(20000000);
    weft_log("report", "is done");
    return 0;
}

static int run(void *arg)
{
    weft_scope *scope = weft_scope_new(NULL, 0);
    int rc = scope && WEFT_CHAN_NEW(&queue, CLIENTS) ? 0 : 1;
    (void)arg;
    for (int i = 0; i < WORKERS && rc == 0; i++)
        rc = weft_go(worker, NULL);
    for (intptr_t i = 0; i < CLIENTS && rc == 0; i++)
        rc = weft_scope_go(scope, client, (void *)i);
    if (rc == 0)
        rc = weft_scope_go(scope, report, NULL);
    if (scope)
        rc |= weft_scope_end(scope);
    if (rc == 0)
        WEFT_CLOSE(queue);
    return rc;
}

int main(void)
{
    if (weft_run(NULL, run, NULL) != 0)
        return 1;
    printf("%d requests, %" PRId64 " us each, the slowest %" PRId64 " us\n", CLIENTS * EACH,
           total / (CLIENTS * EACH) / 1000, slowest / 1000);
    return 0;
}
