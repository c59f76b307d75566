/* SPDX-License-Identifier: MIT */
/*
 * kv_server: a server for Redis clients (redis-cli, redis-benchmark and the libraries), one
 * goroutine a connection.
 *
 *     WEFT_TRACE=kv.trace build/examples/kv_server --port 6379 &
 *     redis-benchmark -p 6379 -t set,get -n 100000 -P 16
 *     redis-cli -p 6379 shutdown
 *
 * In the trace: one goroutine in `serve` for each client, blocked in "network" until its socket is
 * readable; the poller unblocks them in batches. Where two clients meet in a shard of the map one
 * blocks in "sync". One more sweeps expired keys ten times a second (it waits in "chan receive"
 * with a deadline), another one waits for signals ("network").
 *
 * The process ends when it gets SIGTERM or SIGINT, or the command SHUTDOWN: requests that were read
 * are answered first.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <weft/weft.h>

#include "server.h"
#include "session.h"
#include "store.h"

struct server server = {.max_request = 16 * 1024 * 1024};

static const char *bind_address = "127.0.0.1";
static long port = 6379;

/* ---- The end ---- */

/* SIGTERM and SIGINT are blocked in all threads and read from a descriptor, by a goroutine like any
 * other. */
static int signals = -1;
static weft_waitgroup helpers; /* the goroutines that main starts and waits for */

void server_stop(void)
{
    __atomic_store_n(&server.stopping, 1, __ATOMIC_SEQ_CST);
    kill(getpid(), SIGTERM);
}

/* Before the runtime makes threads, which inherit the mask. */
static int block_signals(void)
{
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGINT);
    sigprocmask(SIG_BLOCK, &wanted, NULL);
    signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    return signals >= 0 ? 0 : -errno;
}

/* Makes the accept loop look when a signal comes. It is the loop that closes the listener: nobody
 * else can know that it is not about to use it. */
static void wait_for_signal(void *arg)
{
    struct signalfd_siginfo siginfo;
    weft_listener *listener = arg;
    weft_conn *conn;

    int error = weft_conn_from_fd(signals, &conn);
    if (error) {
        fprintf(stderr, "kv_server: no way to stop: %s\n", strerror(-error));
        abort();
    }
    weft_conn_read(conn, &siginfo, sizeof siginfo);
    __atomic_store_n(&server.stopping, 1, __ATOMIC_SEQ_CST);
    weft_listener_set_deadline(listener, 1);
    weft_conn_close(conn);
    weft_waitgroup_done(&helpers);
}

static int start_waiting(weft_listener *listener)
{
    weft_waitgroup_add(&helpers, 1);
    return weft_go(wait_for_signal, listener);
}

/* ---- Expired keys ---- */

static weft_chan *stop_sweeping; /* closed: stop */

static void sweep(void *arg)
{
    (void)arg;
    while (weft_chan_recv_until(stop_sweeping, NULL, weft_now() + 100 * WEFT_MILLISECOND) ==
           -ETIMEDOUT)
        store_sweep();
    weft_waitgroup_done(&helpers);
}

static int start_sweeping(void)
{
    stop_sweeping = weft_chan_new(0, 0);
    weft_waitgroup_add(&helpers, 1);
    return stop_sweeping ? weft_go(sweep, NULL) : -ENOMEM;
}

/* ---- Connections ---- */

/* Not enough of something: it may pass. */
static bool is_passing(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM;
}

static void complain(const char *what, int error)
{
    fprintf(stderr, "kv_server: %s: %s\n", what, strerror(-error));
}

/* Takes connections until the server is to stop. */
static int accept_all(weft_listener *listener)
{
    int last = 0;
    while (!__atomic_load_n(&server.stopping, __ATOMIC_SEQ_CST)) {
        weft_conn *conn;
        int error = weft_tcp_accept(listener, &conn);
        if (!error)
            error = session_start(conn);
        if (error && error != -ETIMEDOUT && !is_passing(error))
            return error;
        if (is_passing(error)) {
            if (error != last)
                complain("accept, trying on", error);
            weft_sleep(10 * WEFT_MILLISECOND);
        }
        last = error;
    }
    return 0;
}

static int serve_all(void *arg)
{
    char address[128];
    weft_listener *listener;
    bool v6 = strchr(bind_address, ':') != NULL;

    (void)arg;
    snprintf(address, sizeof address, v6 ? "[%s]:%ld" : "%s:%ld", bind_address, port);
    int error = weft_tcp_listen(address, &listener);
    if (!error)
        error = start_waiting(listener);
    if (!error)
        error = start_sweeping();
    if (error) {
        complain(address, error);
        return 1;
    }
    server.port = weft_listener_port(listener);
    server.started = weft_now();
    printf(v6 ? "listening on [%s]:%d\n" : "listening on %s:%d\n", bind_address, server.port);
    fflush(stdout);
    error = accept_all(listener);
    if (error)
        complain("accept", error);
    server_stop();
    weft_chan_close(stop_sweeping);
    weft_waitgroup_wait(&helpers);
    weft_chan_free(stop_sweeping);
    weft_listener_close(listener);
    sessions_end();
    return error ? 1 : 0;
}

/* ---- Options ---- */

static int usage(int status)
{
    fputs(
        "usage: kv_server [--port N] [--bind ADDRESS] [--max-request BYTES] [--idle SECONDS]\n"
        "Serves Redis clients on ADDRESS (127.0.0.1), port N (6379; 0: any that is free).\n"
        "Refuses requests larger than BYTES (16777216), drops clients that are silent for SECONDS\n"
        "(0: never). Prints \"listening on ADDRESS:PORT\" when it is ready.\n",
        status ? stderr : stdout);
    return status;
}

/* A number in [low, high], or -1. */
static long number(const char *text, long low, long high)
{
    char *end;
    errno = 0;
    long n = text ? strtol(text, &end, 10) : -1;
    return text && end != text && !*end && errno == 0 && n >= low && n <= high ? n : -1;
}

static bool parse_option(const char *name, const char *value)
{
    if (strcmp(name, "--port") == 0)
        return (port = number(value, 0, 65535)) >= 0;
    if (strcmp(name, "--bind") == 0)
        return (bind_address = value) != NULL;
    if (strcmp(name, "--max-request") == 0)
        return (server.max_request = (size_t)number(value, 64, 1L << 30)) != (size_t)-1;
    if (strcmp(name, "--idle") == 0)
        return (server.idle = number(value, 0, 1000000000)) >= 0;
    return false;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage(0);
    for (int i = 1; i < argc; i += 2)
        if (!parse_option(argv[i], i + 1 < argc ? argv[i + 1] : NULL))
            return usage(2);
    server.idle *= WEFT_SECOND;
    int error = block_signals();
    if (error) {
        complain("signalfd", error);
        return 1;
    }
    store_init();
    int status = weft_run(NULL, serve_all, NULL);
    store_fini();
    return status < 0 ? 1 : status;
}
