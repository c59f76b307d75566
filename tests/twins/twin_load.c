/* SPDX-License-Identifier: MIT */
#include "twins/twin_load.h"

#include <unistd.h>

enum { BUSY = 10, PROCS = 10, MESSAGES = 20 };

static struct {
    weft_chan *done; /* closed at the end */
    weft_waitgroup left;
    int pipe[2]; /* one byte for each reader */
    int readers;
    uint32_t ticks;
} load;

static void spawn(void (*fn)(void *), void *arg)
{
    weft_waitgroup_add(&load.left, 1);
    check(weft_go(fn, arg) == 0);
}

static void until_done(void)
{
    check(weft_chan_recv(load.done, NULL) == -EPIPE);
    weft_waitgroup_done(&load.left);
}

/* ---- Blocked goroutines ---- */

static void wait_in_channel(void *arg)
{
    (void)arg;
    until_done();
}

static void wait_in_annotated_read(void *arg)
{
    char byte;
    (void)arg;
    weft_blocking_enter();
    ssize_t n = read(load.pipe[0], &byte, 1);
    weft_blocking_exit();
    check(n == 1);
    until_done();
}

static void wait_in_plain_read(void *arg)
{
    char byte;
    (void)arg;
    check(read(load.pipe[0], &byte, 1) == 1);
    until_done();
}

void twin_load_block(void)
{
    load.done = weft_chan_new(0, 0);
    load.left = (weft_waitgroup)WEFT_WAITGROUP_INIT;
    load.ticks = 0;
    check(pipe(load.pipe) == 0);
    spawn(wait_in_channel, NULL);
    spawn(wait_in_annotated_read, NULL);
    spawn(wait_in_plain_read, NULL);
    load.readers = 2;
    weft_sleep(WEFT_MILLISECOND);
}

/* ---- Computing ---- */

static void yield_all_the_time(void *arg)
{
    (void)arg;
    while (weft_chan_try_recv(load.done, NULL) == -EAGAIN) {
        weft_yield();
        for (unsigned i = 0; i < 2000; i++) /* or it would fill the trace alone */
            __asm__ __volatile__("");
    }
    weft_waitgroup_done(&load.left);
}

static void touch_memory(void *arg)
{
    enum { SIZE = 1 << 16 };
    volatile char *memory = malloc(SIZE);
    (void)arg;
    check(memory);
    for (unsigned i = 0; i < SIZE; i++)
        memory[i] = (char)i;
    free((void *)memory);
    until_done();
}

static void sleep_in_blocking_call(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        weft_blocking_enter();
        usleep(200);
        weft_blocking_exit();
    }
    until_done();
}

/* ---- Pipes: one end of each is polled ---- */

static void write_messages(void *arg)
{
    weft_conn *conn = arg;
    for (int i = 0; i < MESSAGES; i++) {
        check(weft_conn_write(conn, &i, sizeof i) == sizeof i);
        weft_yield();
    }
    weft_conn_close(conn);
    weft_waitgroup_done(&load.left);
}

static void use_pipe(void)
{
    weft_conn *reader, *writer;
    int fds[2];
    char data[64];
    ssize_t n, total = 0;
    check(pipe(fds) == 0);
    check(weft_conn_from_fd(fds[0], &reader) == 0 && weft_conn_from_fd(fds[1], &writer) == 0);
    spawn(write_messages, writer);
    while ((n = weft_conn_read(reader, data, sizeof data)) > 0)
        total += n;
    check(n == 0 && total == MESSAGES * (ssize_t)sizeof(int));
    weft_conn_close(reader);
}

/* ---- Timers ---- */

static void tick(void *arg)
{
    (void)arg;
    __atomic_add_fetch(&load.ticks, 1, __ATOMIC_RELEASE);
}

static void sleep_and_tell(void *arg)
{
    weft_sleep(WEFT_MILLISECOND);
    check(weft_chan_send(arg, NULL) == 0);
    weft_waitgroup_done(&load.left);
}

static void use_timers(void)
{
    weft_chan *fired = weft_chan_new(0, 0);
    weft_timer *timer = weft_timer_new(tick, NULL);
    check(weft_timer_start(timer, 100 * WEFT_MICROSECOND, 200 * WEFT_MICROSECOND) == 0);
    spawn(sleep_and_tell, fired);
    check(weft_chan_recv(fired, NULL) == 0);
    while (__atomic_load_n(&load.ticks, __ATOMIC_ACQUIRE) < 2)
        weft_yield();
    weft_timer_stop(timer);
    weft_timer_free(timer);
    weft_sleep(WEFT_MILLISECOND); /* a tick that was under way */
    weft_chan_free(fired);
}

/* ---- Network ---- */

static void serve_one(void *arg)
{
    weft_conn *conn;
    check(weft_tcp_accept(arg, &conn) == 0);
    weft_sleep(WEFT_MILLISECOND);
    check(weft_conn_write(conn, "", 1) == 1);
    weft_conn_close(conn);
    weft_waitgroup_done(&load.left);
}

static void use_network(void)
{
    weft_listener *listener;
    weft_conn *conn;
    char address[32], byte;
    check(weft_tcp_listen("127.0.0.1:0", &listener) == 0);
    snprintf(address, sizeof address, "127.0.0.1:%d", weft_listener_port(listener));
    spawn(serve_one, listener);
    check(weft_tcp_dial(address, WEFT_NEVER, &conn) == 0);
    check(weft_conn_read(conn, &byte, 1) == 1);
    check(weft_conn_read(conn, &byte, 1) == 0);
    weft_conn_close(conn);
    weft_listener_close(listener);
}

/* ---- All of it ---- */

static void block_for_ever(void *arg)
{
    (void)arg;
    weft_yield();
    weft_select(NULL, 0, WEFT_NEVER);
}

static void release_all(void)
{
    for (int i = 0; i < load.readers; i++)
        check(write(load.pipe[1], "", 1) == 1);
    weft_chan_close(load.done);
    weft_waitgroup_wait(&load.left);
    weft_chan_free(load.done);
    close(load.pipe[0]);
    close(load.pipe[1]);
}

void twin_load_run(void)
{
    int procs = weft_procs(0);
    twin_procs(PROCS);
    weft_sleep(20 * WEFT_MILLISECOND); /* Ps start and stop */
    spawn(yield_all_the_time, NULL);
    for (int i = 0; i < BUSY; i++)
        spawn(touch_memory, NULL);
    spawn(wait_in_plain_read, NULL);
    load.readers++;
    spawn(sleep_in_blocking_call, NULL);
    use_pipe();
    use_timers();
    use_network();
    check(weft_go(block_for_ever, NULL) == 0);
    release_all();
    twin_procs(procs);
}
