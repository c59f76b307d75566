/* SPDX-License-Identifier: MIT */
/*
 * Twin of TestTraceStacks: goroutines that block, each in its own way, and are woken in its own
 * way. For each there must be an event of the right kind and reason whose innermost frames are the
 * public function and its caller.
 */
#include <unistd.h>

#include "sched/goroutine.h"
#include "twins/twin_walk.h"

enum { GOROUTINES = 15, FOR_EVER = 3 };

struct state {
    uint64_t ids[GOROUTINES];
    uint32_t count; /* atomic */
    weft_chan *to_send, *to_recv, *to_select, *to_recv_until;
    weft_mutex mutex, cond_mutex;
    weft_cond cond;
    weft_waitgroup group, done;
    weft_listener *listener;
    weft_conn *reading;
    int pipe[2], raw_pipe[2];
    char address[64];
};

static void enlist(struct state *s)
{
    s->ids[__atomic_fetch_add(&s->count, 1, __ATOMIC_RELAXED)] = weft_goid();
}

/* ---- The ways to block; a goroutine each ---- */

static __attribute__((noinline)) void block_in_empty_select(void *arg)
{
    enlist(arg);
    weft_select(NULL, 0, WEFT_NEVER);
    TWIN_FRAME_STAYS();
}

static __attribute__((noinline)) void block_in_send_on_null(void *arg)
{
    enlist(arg);
    check(weft_chan_send(NULL, arg) != 0);
    TWIN_FRAME_STAYS();
}

static __attribute__((noinline)) void block_in_recv_on_null(void *arg)
{
    enlist(arg);
    check(weft_chan_recv(NULL, arg) != 0);
    TWIN_FRAME_STAYS();
}

static __attribute__((noinline)) void block_in_send(void *arg)
{
    struct state *s = arg;
    enlist(s);
    check(weft_chan_send(s->to_send, &(int){1}) == 0);
    weft_waitgroup_done(&s->done);
}

static __attribute__((noinline)) void block_in_recv(void *arg)
{
    struct state *s = arg;
    enlist(s);
    check(weft_chan_recv(s->to_recv, NULL) == 0);
    weft_waitgroup_done(&s->done);
}

static __attribute__((noinline)) void block_in_recv_until(void *arg)
{
    struct state *s = arg;
    enlist(s);
    check(weft_chan_recv_until(s->to_recv_until, NULL, weft_now() + 3600 * WEFT_SECOND) == 0);
    weft_waitgroup_done(&s->done);
}

static __attribute__((noinline)) void block_in_select(void *arg)
{
    struct state *s = arg;
    weft_select_case cases[] = {{.chan = s->to_select}, {.chan = NULL}};
    enlist(s);
    check(weft_select(cases, 2, WEFT_NEVER) == 0);
    weft_waitgroup_done(&s->done);
}

static __attribute__((noinline)) void block_in_mutex(void *arg)
{
    struct state *s = arg;
    enlist(s);
    weft_mutex_lock(&s->mutex);
    weft_mutex_unlock(&s->mutex);
    weft_waitgroup_done(&s->done);
}

static __attribute__((noinline)) void block_in_waitgroup(void *arg)
{
    struct state *s = arg;
    enlist(s);
    weft_waitgroup_wait(&s->group);
    weft_waitgroup_done(&s->done);
}

static __attribute__((noinline)) void block_in_cond(void *arg)
{
    struct state *s = arg;
    enlist(s);
    weft_mutex_lock(&s->cond_mutex);
    weft_cond_wait(&s->cond, &s->cond_mutex);
    weft_mutex_unlock(&s->cond_mutex);
    weft_waitgroup_done(&s->done);
}

static __attribute__((noinline)) void block_in_accept(void *arg)
{
    struct state *s = arg;
    weft_conn *conn;
    enlist(s);
    check(weft_tcp_accept(s->listener, &conn) == 0);
    weft_conn_close(conn);
    weft_waitgroup_done(&s->done);
}

static __attribute__((noinline)) void block_in_read(void *arg)
{
    struct state *s = arg;
    char byte;
    enlist(s);
    check(weft_conn_read(s->reading, &byte, 1) == 1);
    weft_waitgroup_done(&s->done);
}

static __attribute__((noinline)) void block_in_sleep(void *arg)
{
    struct state *s = arg;
    enlist(s);
    weft_sleep(200 * WEFT_MILLISECOND);
    weft_waitgroup_done(&s->done);
}

static __attribute__((noinline)) void block_in_syscall(void *arg)
{
    struct state *s = arg;
    char byte;
    enlist(s);
    weft_blocking_enter();
    check(read(s->raw_pipe[0], &byte, 1) == 1);
    weft_blocking_exit();
    weft_waitgroup_done(&s->done);
}

static __attribute__((noinline)) void yield_now(void *arg)
{
    struct state *s = arg;
    enlist(s);
    weft_yield();
    weft_waitgroup_done(&s->done);
    weft_sleep(WEFT_MILLISECOND);
}

static void (*const ways[GOROUTINES])(void *) = {
    block_in_empty_select, block_in_send_on_null, block_in_recv_on_null,
    block_in_send,         block_in_recv,         block_in_recv_until,
    block_in_select,       block_in_mutex,        block_in_waitgroup,
    block_in_cond,         block_in_accept,       block_in_read,
    block_in_sleep,        block_in_syscall,      yield_now,
};

/* ---- The main goroutine ---- */

static void set_up(struct state *s)
{
    s->to_send = weft_chan_new(sizeof(int), 0);
    s->to_recv = weft_chan_new(sizeof(int), 0);
    s->to_recv_until = weft_chan_new(sizeof(int), 0);
    s->to_select = weft_chan_new(sizeof(int), 0);
    weft_waitgroup_add(&s->group, 1);
    weft_waitgroup_add(&s->done, GOROUTINES - FOR_EVER);
    weft_mutex_lock(&s->mutex);
    check(weft_tcp_listen("127.0.0.1:0", &s->listener) == 0);
    snprintf(s->address, sizeof s->address, "127.0.0.1:%d", weft_listener_port(s->listener));
    check(pipe(s->pipe) == 0 && pipe(s->raw_pipe) == 0);
    check(weft_conn_from_fd(s->pipe[0], &s->reading) == 0);
}

/* All have started and are blocked; those that sleep and yield may have ended. */
static bool all_are_blocked(struct state *s)
{
    unsigned blocked = 0;
    for (struct g *g = goroutines_first(); g; g = g->all_next) {
        uint32_t status = atomic_load_relaxed(&g->status);
        for (int i = 0; i < GOROUTINES; i++)
            if (atomic_load_relaxed(&g->trace.id) == s->ids[i] &&
                (status == G_WAITING || status == G_SYSCALL))
                blocked++;
    }
    return atomic_load_relaxed(&s->count) == GOROUTINES && blocked >= GOROUTINES - 2;
}

static __attribute__((noinline)) void create_all(struct state *s)
{
    for (int i = 0; i < GOROUTINES; i++)
        check(weft_go(ways[i], s) == 0);
}

static __attribute__((noinline)) void wake_all(struct state *s)
{
    weft_conn *conn;
    check(weft_chan_recv(s->to_send, NULL) == 0);
    check(weft_chan_send(s->to_recv, &(int){1}) == 0);
    check(weft_chan_try_send(s->to_recv_until, &(int){1}) == 0);
    weft_chan_close(s->to_select);
    weft_mutex_unlock(&s->mutex);
    weft_waitgroup_done(&s->group);
    weft_cond_signal(&s->cond);
    check(weft_tcp_dial(s->address, WEFT_NEVER, &conn) == 0);
    weft_conn_close(conn);
    check(write(s->pipe[1], "x", 1) == 1);
    check(write(s->raw_pipe[1], "x", 1) == 1);
}

static __attribute__((noinline)) void change_procs(void)
{
    int before = weft_procs(3);
    check(before > 0 && weft_procs(before) == 3);
}

static void body(void)
{
    static struct state s;
    memset(&s, 0, sizeof s);
    set_up(&s);
    weft_trace_stream *stream = twin_start(0);
    create_all(&s);
    while (!all_are_blocked(&s))
        weft_sleep(WEFT_MILLISECOND / 5);
    wake_all(&s);
    weft_waitgroup_wait(&s.done);
    change_procs();
    twin_stop(stream);
    weft_conn_close(s.reading);
    weft_listener_close(s.listener);
    close(s.pipe[1]);
    close(s.raw_pipe[0]);
    close(s.raw_pipe[1]);
}

/* ---- What must be found ---- */

enum kind { BLOCK, STOP, SYSCALL, UNBLOCK, CREATE, STOP_THE_WORLD };

struct wanted {
    enum kind kind;
    const char *frame0, *frame1, *reason; /* of CREATE: the first frame of the new goroutine */
};

static const struct wanted wanted[] = {
    {BLOCK, "weft_select", "block_in_empty_select", "forever"},
    {BLOCK, "weft_chan_send", "block_in_send_on_null", "forever"},
    {BLOCK, "weft_chan_recv", "block_in_recv_on_null", "forever"},
    {BLOCK, "weft_chan_send", "block_in_send", "chan send"},
    {BLOCK, "weft_chan_recv", "block_in_recv", "chan receive"},
    {BLOCK, "weft_chan_recv_until", "block_in_recv_until", "chan receive"},
    {BLOCK, "weft_select", "block_in_select", "select"},
    {BLOCK, "weft_mutex_lock", "block_in_mutex", "sync"},
    {BLOCK, "weft_waitgroup_wait", "block_in_waitgroup", "sync"},
    {BLOCK, "weft_cond_wait", "block_in_cond", "sync.(*Cond).Wait"},
    {BLOCK, "weft_tcp_accept", "block_in_accept", "network"},
    {BLOCK, "weft_conn_read", "block_in_read", "network"},
    {BLOCK, "weft_sleep", "block_in_sleep", "sleep"},
    {SYSCALL, "weft_blocking_enter", "block_in_syscall", NULL},
    {STOP, "weft_yield", "yield_now", "runtime.Gosched"},
    {UNBLOCK, "weft_chan_recv", "wake_all", NULL},
    {UNBLOCK, "weft_chan_send", "wake_all", NULL},
    {UNBLOCK, "weft_chan_try_send", "wake_all", NULL},
    {UNBLOCK, "weft_chan_close", "wake_all", NULL},
    {UNBLOCK, "weft_mutex_unlock", "wake_all", NULL},
    {UNBLOCK, "weft_waitgroup_done", "wake_all", NULL},
    {UNBLOCK, "weft_cond_signal", "wake_all", NULL},
    {CREATE, "weft_go", "create_all", "block_in_empty_select"},
    {CREATE, "weft_go", "create_all", "block_in_recv"},
    {CREATE, "weft_go", "create_all", "yield_now"},
    {STOP_THE_WORLD, "weft_procs", "change_procs", "stop-the-world (GOMAXPROCS)"},
};
enum { WANTED = sizeof wanted / sizeof *wanted };

/* Whether the event is of a kind that is looked for; sets the kind. */
static bool classify(const weft_event *e, enum kind *kind)
{
    static const struct {
        weft_state from, to;
        enum kind kind;
    } transitions[] = {
        {WEFT_STATE_RUNNING, WEFT_STATE_WAITING, BLOCK},
        {WEFT_STATE_RUNNING, WEFT_STATE_RUNNABLE, STOP},
        {WEFT_STATE_RUNNING, WEFT_STATE_SYSCALL, SYSCALL},
        {WEFT_STATE_WAITING, WEFT_STATE_RUNNABLE, UNBLOCK},
        {WEFT_STATE_NOT_EXIST, WEFT_STATE_RUNNABLE, CREATE},
    };
    *kind = STOP_THE_WORLD;
    if (e->kind == WEFT_EVENT_RANGE_BEGIN)
        return true;
    for (size_t i = 0; i < sizeof transitions / sizeof *transitions; i++) {
        *kind = transitions[i].kind;
        if (twin_goroutine_goes(e, transitions[i].from, transitions[i].to))
            return true;
    }
    return false;
}

static bool is_wanted(const weft_reader *reader, const weft_event *e, enum kind kind,
                      const struct wanted *w)
{
    if (kind != w->kind || !twin_frame_is(reader, e->stack, 0, w->frame0) ||
        !twin_frame_is(reader, e->stack, 1, w->frame1))
        return false;
    if (kind == CREATE)
        return twin_creates(reader, e, w->reason);
    return !w->reason || twin_text_is(reader, e->name, w->reason);
}

static void seen(void *arg, const weft_reader *reader, const weft_event *event)
{
    bool *found = arg;
    enum kind kind;
    if (classify(event, &kind))
        for (int i = 0; i < WANTED; i++)
            found[i] |= is_wanted(reader, event, kind, &wanted[i]);
}

static void verify(void)
{
    bool found[WANTED] = {false}, all = true;
    twin_walk(twin_path(0), seen, found);
    for (int i = 0; i < WANTED; i++)
        if (!found[i]) {
            fprintf(stderr, "no event of kind %d with the frames %s, %s and %s\n", wanted[i].kind,
                    wanted[i].frame0, wanted[i].frame1,
                    wanted[i].reason ? wanted[i].reason : "any reason");
            all = false;
        }
    check(all);
}

int main(int argc, char **argv)
{
    return twin_main(argc, argv, body, verify);
}
