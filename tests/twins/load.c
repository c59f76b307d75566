/* SPDX-License-Identifier: MIT */
#include "twins/load.h"

#include <errno.h>
#include <unistd.h>

enum { BUSY = 10, PROCS = 10 };

static void start(struct load *load, void (*fn)(void *))
{
    weft_waitgroup_add(&load->group, 1);
    twin_go(fn, load);
}

/* Whether the load ends. */
static bool ended(struct load *load)
{
    return weft_chan_try_recv(load->done, NULL) == -EPIPE;
}

static void wait_for_end(struct load *load)
{
    CHECK(weft_chan_recv(load->done, NULL) == -EPIPE);
}

/* ---- Who is there before the trace ---- */

static void wait_on_channel(void *arg)
{
    struct load *load = arg;
    wait_for_end(load);
    weft_waitgroup_done(&load->group);
}

static void wait_in_read(void *arg)
{
    struct load *load = arg;
    char byte;
    weft_blocking_enter();
    CHECK(read(load->pipe[0], &byte, 1) == 1);
    weft_blocking_exit();
    wait_for_end(load);
    weft_waitgroup_done(&load->group);
}

static void wait_in_sleep(void *arg)
{
    struct load *load = arg;
    while (!ended(load))
        weft_sleep(3 * WEFT_MILLISECOND);
    weft_waitgroup_done(&load->group);
}

void load_before(struct load *load)
{
    *load = (struct load){.done = weft_chan_new(0, 0), .pulse = weft_chan_new(sizeof(int), 0)};
    CHECK(pipe(load->pipe) == 0);
    start(load, wait_on_channel);
    start(load, wait_in_read);
    start(load, wait_in_sleep);
    weft_sleep(WEFT_MILLISECOND);
}

/* ---- The rest ---- */

static void spin_yielding(void *arg)
{
    struct load *load = arg;
    while (!ended(load))
        weft_yield();
    weft_waitgroup_done(&load->group);
}

static void compute(void *arg)
{
    struct load *load = arg;
    volatile unsigned char memory[4096];
    for (int round = 0; round < 200; round++)
        for (size_t i = 0; i < sizeof memory; i++)
            memory[i] = (unsigned char)(memory[i] + round);
    wait_for_end(load);
    weft_waitgroup_done(&load->group);
}

static void read_without_notice(void *arg)
{
    struct load *load = arg;
    char byte;
    CHECK(read(load->pipe[0], &byte, 1) == 1);
    wait_for_end(load);
    weft_waitgroup_done(&load->group);
}

static void lock_and_unlock(void *arg)
{
    struct load *load = arg;
    for (int i = 0; !ended(load); i++) {
        weft_mutex_lock(&load->mutex);
        load->counter++;
        if (i % 8 == 0)
            weft_yield();
        weft_cond_signal(&load->cond);
        weft_mutex_unlock(&load->mutex);
        weft_sleep(100 * WEFT_MICROSECOND);
    }
    weft_mutex_lock(&load->mutex);
    weft_cond_broadcast(&load->cond);
    weft_mutex_unlock(&load->mutex);
    weft_waitgroup_done(&load->group);
}

static void wait_for_counter(void *arg)
{
    struct load *load = arg;
    weft_mutex_lock(&load->mutex);
    for (uint64_t seen = load->counter; !ended(load); seen = load->counter)
        while (load->counter == seen && !ended(load))
            weft_cond_wait(&load->cond, &load->mutex);
    weft_mutex_unlock(&load->mutex);
    weft_waitgroup_done(&load->group);
}

static void select_pulse(void *arg)
{
    struct load *load = arg;
    for (int i = 0, index = 0; index != 2; i++) {
        int got;
        weft_select_case cases[] = {{.chan = load->pulse, .send = &i},
                                    {.chan = load->pulse, .recv = &got},
                                    {.chan = load->done}};
        index = weft_select(cases, 3, weft_now() + 200 * WEFT_MICROSECOND);
        weft_yield();
    }
    weft_waitgroup_done(&load->group);
}

static void leave_soon(void *arg)
{
    (void)arg;
    weft_yield();
}

static void create_goroutines(void *arg)
{
    struct load *load = arg;
    while (!ended(load)) {
        for (int i = 0; i < 4; i++)
            twin_go(leave_soon, NULL);
        weft_sleep(50 * WEFT_MICROSECOND);
    }
    weft_waitgroup_done(&load->group);
}

void load_start(struct load *load)
{
    load->procs_before = weft_procs(PROCS);
    CHECK(load->procs_before > 0);
    weft_sleep(2 * WEFT_MILLISECOND);
    start(load, spin_yielding);
    for (int i = 0; i < BUSY; i++)
        start(load, compute);
    start(load, read_without_notice);
    start(load, lock_and_unlock);
    start(load, lock_and_unlock);
    start(load, wait_for_counter);
    start(load, select_pulse);
    start(load, select_pulse);
    start(load, create_goroutines);
}

static void sleep_and_tell(void *arg)
{
    weft_sleep(WEFT_MILLISECOND);
    CHECK(weft_chan_send(arg, NULL) == 0);
}

static void serve_one(void *arg)
{
    weft_conn *conn;
    CHECK(weft_tcp_accept(arg, &conn) == 0);
    weft_sleep(WEFT_MILLISECOND);
    CHECK(weft_conn_write(conn, "x", 1) == 1);
    weft_conn_close(conn);
}

static void play_network(void)
{
    weft_listener *listener;
    weft_conn *conn;
    char address[64], byte = 0;
    CHECK(weft_tcp_listen("127.0.0.1:0", &listener) == 0);
    twin_go(serve_one, listener);
    snprintf(address, sizeof address, "127.0.0.1:%d", weft_listener_port(listener));
    CHECK(weft_tcp_dial(address, WEFT_NEVER, &conn) == 0);
    CHECK(weft_conn_read(conn, &byte, 1) == 1 && byte == 'x');
    weft_conn_close(conn);
    weft_listener_close(listener);
}

void load_play(struct load *load)
{
    (void)load;
    weft_chan *told = weft_chan_new(0, 0);
    twin_go(sleep_and_tell, told);
    CHECK(weft_chan_recv(told, NULL) == 0);
    weft_chan_free(told);
    play_network();
}

void load_stop(struct load *load)
{
    CHECK(write(load->pipe[1], "xx", 2) == 2);
    weft_chan_close(load->done);
    weft_waitgroup_wait(&load->group);
    CHECK(weft_procs(load->procs_before) > 0);
    close(load->pipe[0]);
    close(load->pipe[1]);
    weft_chan_free(load->done);
    weft_chan_free(load->pulse);
}
