/* SPDX-License-Identifier: MIT */
#include "trace/everything_load.h"

#include "base/atomic.h"

#include <weft/weft.h>

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { MOST_PROCS = 6, BROOD = 40, FOREIGN_CALLS = 20 };

static uint32_t ending; /* atomic */
static weft_waitgroup left = WEFT_WAITGROUP_INIT;
static weft_mutex mutex = WEFT_MUTEX_INIT;
static weft_rwmutex rwmutex = WEFT_RWMUTEX_INIT;
static weft_sem sem = WEFT_SEM_INIT(2);
static weft_cond cond = WEFT_COND_INIT;
static weft_chan *unbuffered, *buffered;
static weft_listener *listener;

static void check(bool ok)
{
    if (!ok)
        abort();
}

static bool goes_on(void)
{
    return !atomic_load_acquire(&ending); /* pairs with everything_load_stop() */
}

static int64_t soon(void)
{
    return weft_now() + WEFT_MILLISECOND;
}

/* ---- Channels, select ---- */

static void send_or_give_up(void)
{
    uint64_t value = weft_goid();
    int rc = weft_chan_send_until(unbuffered, &value, soon());
    check(rc == 0 || rc == -ETIMEDOUT);
    (void)weft_chan_try_send(buffered, &value);
}

static void receive_from_any(void)
{
    uint64_t a, b;
    weft_select_case cases[] = {{.chan = unbuffered, .recv = &a}, {.chan = buffered, .recv = &b}};
    int rc = weft_select(cases, 2, soon());
    check(rc >= 0 || rc == -ETIMEDOUT);
}

/* ---- Locks ---- */

static void use_locks(void)
{
    weft_mutex_lock(&mutex);
    if (weft_goid() % 3 == 0)
        weft_yield();
    weft_cond_signal(&cond);
    weft_mutex_unlock(&mutex);
    weft_rwmutex_rdlock(&rwmutex);
    weft_rwmutex_rdunlock(&rwmutex);
    weft_rwmutex_wrlock(&rwmutex);
    weft_rwmutex_wrunlock(&rwmutex);
    weft_sem_acquire(&sem, 1);
    weft_yield();
    weft_sem_release(&sem, 1);
}

static void wait_for_signal(void)
{
    weft_mutex_lock(&mutex);
    (void)weft_cond_wait_until(&cond, &mutex, soon());
    weft_mutex_unlock(&mutex);
}

/* ---- Time ---- */

static void tick(void *arg)
{
    atomic_add_relaxed((uint32_t *)arg, 1);
}

static void use_timers(void)
{
    static uint32_t ticks;
    weft_timer *timer = weft_timer_new(tick, &ticks);
    check(timer && weft_timer_start(timer, 100 * WEFT_MICROSECOND, 300 * WEFT_MICROSECOND) == 0);
    weft_sleep(WEFT_MILLISECOND);
    weft_timer_stop(timer);
    weft_timer_free(timer);
}

/* ---- The network ---- */

static void echo(void *arg)
{
    weft_conn *conn = arg;
    char data[256];
    for (ssize_t n; (n = weft_conn_read(conn, data, sizeof data)) > 0;)
        if (weft_conn_write(conn, data, (size_t)n) != n)
            break;
    weft_conn_close(conn);
    weft_waitgroup_done(&left);
}

static void serve(void)
{
    weft_conn *conn;
    if (weft_tcp_accept_until(listener, &conn, soon()) != 0)
        return;
    weft_waitgroup_add(&left, 1);
    check(weft_go(echo, conn) == 0);
}

static void call_server(void)
{
    weft_conn *conn;
    char address[32], data[100] = {0};
    snprintf(address, sizeof address, "127.0.0.1:%d", weft_listener_port(listener));
    if (weft_tcp_dial(address, weft_now() + 100 * WEFT_MILLISECOND, &conn) == 0) {
        for (int i = 0; i < 5; i++) {
            if (weft_conn_write_until(conn, data, sizeof data, soon() + WEFT_SECOND) > 0)
                (void)weft_conn_read_until(conn, data, sizeof data, soon());
        }
        weft_conn_close(conn);
    }
    weft_sleep(2 * WEFT_MILLISECOND); /* ports that wait for their end are not used up */
}

/* ---- Calls that block, and computing ---- */

static void pause_thread(long ns)
{
    struct timespec pause = {.tv_nsec = ns};
    nanosleep(&pause, NULL);
}

/* Every other one long enough, and not announced, for the P to be taken. */
static void block(void)
{
    if (weft_goid() % 2) {
        weft_blocking_enter();
        pause_thread(300000);
        weft_blocking_exit();
    } else {
        pause_thread(12000000);
    }
}

static void compute(void)
{
    for (int64_t end = weft_now() + 15 * WEFT_MILLISECOND; weft_now() < end;)
        for (int i = 0; i < 100000; i++)
            __asm__ __volatile__("");
    weft_sleep(5 * WEFT_MILLISECOND);
}

/* ---- Goroutines that come and go, coroutines, stacks, threads ---- */

static void be_born(void *arg)
{
    weft_region region;
    weft_region_begin(&region, "child");
    if (weft_goid() % 4 == 0)
        weft_yield();
    weft_region_end(&region);
    weft_waitgroup_done(arg);
}

static void spawn_many(void)
{
    weft_waitgroup brood = WEFT_WAITGROUP_INIT;
    weft_waitgroup_add(&brood, BROOD);
    for (int i = 0; i < BROOD; i++)
        check(weft_go(be_born, &brood) == 0);
    weft_waitgroup_wait(&brood);
    weft_sleep(WEFT_MILLISECOND);
}

static void *generate(void *arg, void *value)
{
    for (int i = 0; i < 3; i++)
        check(weft_coro_yield(arg, &value) == WEFT_CORO_YIELDED || value == NULL);
    return NULL;
}

static void use_coroutine(void)
{
    void *value;
    weft_coro *coro = weft_coro_new(generate, NULL, 0);
    check(coro != NULL);
    while (weft_coro_resume(coro, NULL, &value) == WEFT_CORO_YIELDED)
        ;
    (void)weft_coro_free(coro);
    weft_sleep(200 * WEFT_MICROSECOND);
}

static void deep(void *arg)
{
    (void)arg;
    weft_yield();
}

static void stay_on_thread(void)
{
    check(weft_thread_lock() == 0);
    weft_yield();
    check(weft_call_on_stack(1 << 20, deep, NULL) == 0);
    check(weft_thread_unlock() == 0);
    weft_sleep(WEFT_MILLISECOND);
}

/* ---- Annotations ---- */

static void annotate(void)
{
    weft_region outer, inner;
    weft_task_stay stay;
    weft_task task = weft_task_begin(WEFT_TASK_NONE, "round");
    weft_task_enter(&stay, task);
    (void)weft_label_set(weft_goid() % 2 ? "odd" : "even");
    weft_region_begin(&outer, "outer");
    weft_log("key", "value");
    weft_region_begin(&inner, "inner");
    weft_sleep(300 * WEFT_MICROSECOND);
    weft_region_end(&inner);
    weft_log_format("round", "of goroutine %d", (int)weft_goid());
    weft_region_end(&outer);
    weft_task_leave(&stay);
    weft_task_end(task);
}

/* ---- The number of Ps ---- */

static void change_procs(void)
{
    static unsigned n;
    check(weft_procs(1 + (int)(n++ % MOST_PROCS)) > 0);
    weft_sleep(2 * WEFT_MILLISECOND);
}

/* ---- Threads that weft did not make ---- */

static void *be_foreign(void *arg)
{
    for (int i = 0; i < FOREIGN_CALLS; i++) {
        if (i % 2 == 0 && weft_thread_attach() == 0) {
            weft_mutex_lock(&mutex);
            weft_mutex_unlock(&mutex);
            weft_sleep(100 * WEFT_MICROSECOND);
            (void)weft_thread_detach();
        } else { /* for the time of one call */
            uint64_t value = 0;
            (void)weft_chan_recv_until(buffered, &value, soon());
        }
    }
    return arg;
}

static int run_foreign(void *arg)
{
    pthread_t thread;
    int rc = pthread_create(&thread, NULL, be_foreign, arg);
    if (rc == 0)
        pthread_join(thread, NULL);
    return rc;
}

static void use_foreign_thread(void)
{
    check(weft_blocking(run_foreign, NULL) == 0);
    weft_sleep(WEFT_MILLISECOND);
}

/* ---- All of them ---- */

static struct kind {
    const char *name;
    void (*round)(void);
    unsigned goroutines;
    uint64_t rounds; /* atomic */
} kinds[] = {
    {"sends", send_or_give_up, 4, 0},
    {"receives", receive_from_any, 4, 0},
    {"uses locks", use_locks, 4, 0},
    {"waits for a condition", wait_for_signal, 2, 0},
    {"uses timers", use_timers, 2, 0},
    {"serves", serve, 1, 0},
    {"calls the server", call_server, 3, 0},
    {"blocks", block, 2, 0},
    {"computes", compute, 1, 0},
    {"spawns", spawn_many, 2, 0},
    {"uses a coroutine", use_coroutine, 2, 0},
    {"stays on its thread", stay_on_thread, 1, 0},
    {"annotates", annotate, 3, 0},
    {"changes the number of Ps", change_procs, 1, 0},
    {"uses a foreign thread", use_foreign_thread, 2, 0},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

const char *everything_load_kind(unsigned kind, uint64_t *rounds)
{
    if (kind >= KINDS)
        return NULL;
    *rounds = atomic_load_relaxed(&kinds[kind].rounds);
    return kinds[kind].name;
}

static void repeat(void *arg)
{
    struct kind *kind = arg;
    while (goes_on()) {
        kind->round();
        atomic_add_relaxed(&kind->rounds, 1);
        weft_sleep(20 * WEFT_MICROSECOND); /* it is a mixture, not a race */
    }
    weft_waitgroup_done(&left);
}

void everything_load_start(void)
{
    unbuffered = weft_chan_new(sizeof(uint64_t), 0);
    buffered = weft_chan_new(sizeof(uint64_t), 8);
    check(unbuffered && buffered && weft_tcp_listen("127.0.0.1:0", &listener) == 0);
    for (unsigned i = 0; i < KINDS; i++) {
        weft_waitgroup_add(&left, (int)kinds[i].goroutines);
        for (unsigned k = 0; k < kinds[i].goroutines; k++)
            check(weft_go(repeat, &kinds[i]) == 0);
    }
}

void everything_load_stop(void)
{
    atomic_store_release(&ending, 1); /* pairs with goes_on() */
    weft_waitgroup_wait(&left);
    weft_listener_close(listener);
    weft_chan_free(unbuffered);
    weft_chan_free(buffered);
}
