/* SPDX-License-Identifier: MIT */
/*
 * libuv traced through its public hooks: an event loop, its callbacks, its pool of threads.
 *
 *     uv_trace FILE        or WEFT_TRACE=FILE uv_trace        then: go tool trace FILE
 *
 * The loop is a goroutine. From its prepare callback to the first thing that happens, at the latest
 * its check callback, it waits in poll, and its P is idle. Each handle is a goroutine, too: it
 * waits for the network, a time or a message, and runs while its callback runs, when the loop gives
 * way to it. So is each work item: whoever queues it creates it, it runs on a thread of libuv's
 * pool, and goes on, as its after-work callback, on the loop. Who sends to an async handle wakes
 * it. Each iteration of the loop is a region, each connection of a client a task.
 *
 * All that libuv is asked for is uv_prepare_t, uv_check_t and uv_backend_timeout(); the rest is
 * around the program's own callbacks. What changes is under one lock: see one_lock_host.h.
 *
 * The program: a server that echoes, clients of it in the same loop, and a timer that queues work.
 */
#include "one_lock_host.h"

#include <time.h>
#include <uv.h>

#define THREADS  4
#define CLIENTS  20
#define MESSAGES 25
#define ITEMS    50
#define SIZE     16 /* bytes of a message */

/* ---- The loop and its callbacks ---- */

static struct {
    uv_loop_t loop;
    uv_prepare_t prepare;
    uv_check_t check;
    unit *unit;
    bool polling;
    int iterations;
} loop;

static unit *waiting(void (*callback)(void))
{
    host_lock();
    unit *u = unit_new(callback, WEFT_TRACE_G_WAITING);
    host_unlock();
    return u;
}

/* Under the lock. */
static void leave_poll(void)
{
    if (!loop.polling)
        return;
    loop.polling = false;
    proc_take();
    unit_wake(loop.unit);
    unit_start(loop.unit);
}

/* The loop calls back: what u has waited for has happened. Others may have woken it already. */
static void callback_begin(unit *u)
{
    host_lock();
    leave_poll();
    if (u->status == WEFT_TRACE_G_WAITING)
        unit_wake(u);
    unit_stop();
    unit_start(u);
    host_unlock();
}

/* The callback returns, and is called again for `reason`. */
static void callback_return(weft_trace_block_reason reason)
{
    host_lock();
    unit_block(reason);
    unit_start(loop.unit);
    host_unlock();
}

/* It was called for the last time. */
static void callback_end(void)
{
    host_lock();
    unit_end();
    unit_start(loop.unit);
    host_unlock();
}

/* Right before the loop polls; with a time-out of 0 it does not wait there. */
static void on_prepare(uv_prepare_t *handle)
{
    int timeout = uv_backend_timeout(handle->loop);
    if (loop.iterations++ > 0)
        host_annotate(REGION_END, 0, "iteration");
    host_annotate(REGION_BEGIN, 0, "iteration");
    if (timeout == 0)
        return;
    host_lock();
    unit_block(timeout < 0 ? WEFT_TRACE_BLOCK_NETWORK : WEFT_TRACE_BLOCK_SELECT);
    proc_drop();
    loop.polling = true;
    host_unlock();
}

/* Right behind it. */
static void on_check(uv_check_t *handle)
{
    (void)handle;
    host_lock();
    leave_poll();
    host_unlock();
}

static void must(int rc)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "uv_trace: %s\n", uv_strerror(rc));
    exit(1);
}

static void loop_open(void)
{
    must(uv_loop_init(&loop.loop));
    must(uv_prepare_init(&loop.loop, &loop.prepare));
    must(uv_prepare_start(&loop.prepare, on_prepare));
    must(uv_check_init(&loop.loop, &loop.check));
    must(uv_check_start(&loop.check, on_check));
    uv_unref((uv_handle_t *)&loop.prepare);
    uv_unref((uv_handle_t *)&loop.check);
    host_lock();
    proc_take();
    loop.unit = unit_new((void (*)(void))uv_run, WEFT_TRACE_G_RUNNABLE);
    unit_start(loop.unit);
    host_unlock();
}

static void loop_close(void)
{
    if (loop.iterations > 0)
        host_annotate(REGION_END, 0, "iteration");
    uv_close((uv_handle_t *)&loop.prepare, NULL);
    uv_close((uv_handle_t *)&loop.check, NULL);
    must(uv_run(&loop.loop, UV_RUN_DEFAULT));
    must(uv_loop_close(&loop.loop));
}

/* ---- The thread pool ---- */

typedef struct item {
    uv_work_t request;
    unit *unit;
    int number;
} item;

static pthread_key_t pool_thread; /* its destructor retires the thread's worker */

static void retire(void *unused)
{
    (void)unused;
    host_retire();
}

/* On a thread of the pool. libuv does not say when one begins: the first item does. */
static void item_begin(const item *i)
{
    if (!self) {
        host_enroll();
        must(-pthread_setspecific(pool_thread, self));
    }
    host_lock();
    proc_take();
    unit_start(i->unit);
    host_unlock();
}

/* What is left to do is done on the loop. */
static void item_end(void)
{
    host_lock();
    unit_stop();
    proc_drop();
    host_unlock();
}

static void item_queue(item *i, uv_work_cb work, uv_after_work_cb after)
{
    i->request.data = i;
    host_lock();
    i->unit = unit_new((void (*)(void))work, WEFT_TRACE_G_RUNNABLE);
    host_unlock();
    must(uv_queue_work(&loop.loop, &i->request, work, after));
}

/* ---- The program ---- */

typedef struct peer {
    uv_tcp_t tcp;
    uv_connect_t connect;
    unit *unit;
    uint64_t task; /* of a client; 0: a connection of the server's */
    int received;  /* bytes */
    char buffer[SIZE];
} peer;

static struct {
    uv_tcp_t listener;
    uv_timer_t timer;
    uv_async_t progress;
    unit *listener_unit, *timer_unit, *progress_unit;
    peer clients[CLIENTS], servers[CLIENTS];
    item items[ITEMS];
    int accepted, ended, queued, worked, told;
} program;

static void on_closed(uv_handle_t *handle)
{
    callback_begin(handle->data);
    callback_end();
}

static void close_handle(uv_handle_t *handle, unit *u)
{
    handle->data = u;
    uv_close(handle, on_closed);
}

static void close_when_done(void)
{
    if (program.ended < CLIENTS || program.worked < ITEMS)
        return;
    close_handle((uv_handle_t *)&program.listener, program.listener_unit);
    close_handle((uv_handle_t *)&program.progress, program.progress_unit);
}

static void on_buffer(uv_handle_t *handle, size_t hint, uv_buf_t *buffer)
{
    peer *p = handle->data;
    (void)hint;
    *buffer = uv_buf_init(p->buffer, SIZE);
}

/* Small enough for an empty socket buffer. */
static void send_bytes(peer *p, size_t size)
{
    uv_buf_t bytes = uv_buf_init(p->buffer, (unsigned)size);
    must(uv_try_write((uv_stream_t *)&p->tcp, &bytes, 1));
}

static void client_received(peer *p, int size)
{
    p->received += size;
    if (p->received == SIZE * MESSAGES) {
        host_annotate(TASK_END, p->task, "client");
        close_handle((uv_handle_t *)&p->tcp, p->unit);
        program.ended++;
        close_when_done();
    } else if (p->received % SIZE == 0) {
        send_bytes(p, SIZE);
    }
}

static void server_received(peer *p, int size)
{
    host_annotate(REGION_BEGIN, 0, "echo");
    send_bytes(p, (size_t)size);
    host_annotate(REGION_END, 0, "echo");
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    peer *p = stream->data;
    (void)buffer;
    callback_begin(p->unit);
    if (size < 0)
        close_handle((uv_handle_t *)stream, p->unit);
    else if (size > 0 && p->task)
        client_received(p, (int)size);
    else if (size > 0)
        server_received(p, (int)size);
    callback_return(WEFT_TRACE_BLOCK_NETWORK);
}

static peer *peer_init(peer *p)
{
    must(uv_tcp_init(&loop.loop, &p->tcp));
    p->tcp.data = p;
    p->unit = waiting((void (*)(void))on_read);
    return p;
}

static void on_connection(uv_stream_t *listener, int status)
{
    callback_begin(program.listener_unit);
    must(status);
    peer *p = peer_init(&program.servers[program.accepted++]);
    must(uv_accept(listener, (uv_stream_t *)&p->tcp));
    must(uv_read_start((uv_stream_t *)&p->tcp, on_buffer, on_read));
    callback_return(WEFT_TRACE_BLOCK_NETWORK);
}

static void on_connected(uv_connect_t *request, int status)
{
    peer *p = request->data;
    callback_begin(p->unit);
    must(status);
    host_annotate(TASK_BEGIN, p->task, "client");
    must(uv_read_start((uv_stream_t *)&p->tcp, on_buffer, on_read));
    send_bytes(p, SIZE);
    callback_return(WEFT_TRACE_BLOCK_NETWORK);
}

static void compute(int n)
{
    volatile double x = 1;
    while (n-- > 0)
        x = x * 1.000001 + 0.5;
}

/* From any thread. The async handle's callback follows, once for several. */
static void tell_progress(void)
{
    host_lock();
    if (program.progress_unit->status == WEFT_TRACE_G_WAITING)
        unit_wake(program.progress_unit);
    host_unlock();
    must(uv_async_send(&program.progress));
}

static void work(uv_work_t *request)
{
    const struct timespec moment = {.tv_nsec = 200000};
    item *i = request->data;
    item_begin(i);
    host_annotate(REGION_BEGIN, 0, "compute");
    compute(100000);
    host_annotate(REGION_END, 0, "compute");
    if (i->number % 5 == 0) {
        host_syscall_begin();
        nanosleep(&moment, NULL);
        host_syscall_end();
    }
    if (i->number % 10 == 0)
        tell_progress();
    item_end();
}

static void after_work(uv_work_t *request, int status)
{
    item *i = request->data;
    callback_begin(i->unit);
    must(status);
    program.worked++;
    close_when_done();
    callback_end();
}

static void on_progress(uv_async_t *handle)
{
    (void)handle;
    callback_begin(program.progress_unit);
    program.told++;
    callback_return(WEFT_TRACE_BLOCK_SYNC);
}

static void on_tick(uv_timer_t *timer)
{
    callback_begin(program.timer_unit);
    for (int i = 0; i < 5; i++) {
        item *next = &program.items[program.queued];
        next->number = program.queued++;
        item_queue(next, work, after_work);
    }
    if (program.queued == ITEMS)
        close_handle((uv_handle_t *)timer, program.timer_unit);
    callback_return(WEFT_TRACE_BLOCK_SLEEP);
}

static void listen_on(struct sockaddr_in *address)
{
    int size = sizeof *address;
    must(uv_ip4_addr("127.0.0.1", 0, address));
    must(uv_tcp_init(&loop.loop, &program.listener));
    must(uv_tcp_bind(&program.listener, (struct sockaddr *)address, 0));
    must(uv_listen((uv_stream_t *)&program.listener, CLIENTS, on_connection));
    must(uv_tcp_getsockname(&program.listener, (struct sockaddr *)address, &size));
    program.listener_unit = waiting((void (*)(void))on_connection);
}

static void set_up(void)
{
    struct sockaddr_in address;
    listen_on(&address);
    for (int i = 0; i < CLIENTS; i++) {
        peer *p = peer_init(&program.clients[i]);
        p->task = (uint64_t)i + 1;
        p->connect.data = p;
        must(uv_tcp_connect(&p->connect, &p->tcp, (struct sockaddr *)&address, on_connected));
    }
    must(uv_async_init(&loop.loop, &program.progress, on_progress));
    program.progress_unit = waiting((void (*)(void))on_progress);
    must(uv_timer_init(&loop.loop, &program.timer));
    must(uv_timer_start(&program.timer, on_tick, 1, 5));
    program.timer_unit = waiting((void (*)(void))on_tick);
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : getenv("WEFT_TRACE");
    weft_trace_stream *stream = NULL;
    weft_trace_result result = {.size = sizeof result};
    must(-pthread_key_create(&pool_thread, retire));
    must(uv_os_setenv("UV_THREADPOOL_SIZE", "4"));
    host_open(1 + THREADS);
    host_enroll();
    int rc = host_trace(path, &stream);
    loop_open();
    set_up();
    must(uv_run(&loop.loop, UV_RUN_DEFAULT));
    loop_close();
    if (stream)
        rc = weft_trace_stop(stream, &result);
    uv_library_shutdown(); /* its threads end, and retire */
    host_retire();
    host_close();
    printf("%d clients, %d items, %llu generations, %llu bytes of trace\n", program.ended,
           program.worked, (unsigned long long)result.generations,
           (unsigned long long)result.bytes);
    return rc < 0;
}
