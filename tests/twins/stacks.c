/* SPDX-License-Identifier: MIT */
/*
 * Twin of TestTraceStacks: goroutines that block, each in its own way, and are woken in its own
 * way. For each there must be an event of the right kind and reason whose innermost frames are the
 * public function and its caller.
 */
#include <unistd.h>

#include "sched/goroutine.h"
#include "twins/twin.h"

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

static FRAME void block_in_empty_select(void *arg)
{
    enlist(arg);
    weft_select(NULL, 0, WEFT_NEVER);
    KEEP_FRAME();
}

static FRAME void block_in_send_on_null(void *arg)
{
    enlist(arg);
    CHECK(weft_chan_send(NULL, arg) != 0);
    KEEP_FRAME();
}

static FRAME void block_in_recv_on_null(void *arg)
{
    enlist(arg);
    CHECK(weft_chan_recv(NULL, arg) != 0);
    KEEP_FRAME();
}

static FRAME void block_in_send(void *arg)
{
    struct state *s = arg;
    enlist(s);
    CHECK(weft_chan_send(s->to_send, &(int){1}) == 0);
    weft_waitgroup_done(&s->done);
}

static FRAME void block_in_recv(void *arg)
{
    struct state *s = arg;
    enlist(s);
    CHECK(weft_chan_recv(s->to_recv, NULL) == 0);
    weft_waitgroup_done(&s->done);
}

static FRAME void block_in_recv_until(void *arg)
{
    struct state *s = arg;
    enlist(s);
    CHECK(weft_chan_recv_until(s->to_recv_until, NULL, weft_now() + 3600 * WEFT_SECOND) == 0);
    weft_waitgroup_done(&s->done);
}

static FRAME void block_in_select(void *arg)
{
    struct state *s = arg;
    weft_select_case cases[] = {{.chan = s->to_select}, {.chan = NULL}};
    enlist(s);
    CHECK(weft_select(cases, 2, WEFT_NEVER) == 0);
    weft_waitgroup_done(&s->done);
}

static FRAME void block_in_mutex(void *arg)
{
    struct state *s = arg;
    enlist(s);
    weft_mutex_lock(&s->mutex);
    weft_mutex_unlock(&s->mutex);
    weft_waitgroup_done(&s->done);
}

static FRAME void block_in_waitgroup(void *arg)
{
    struct state *s = arg;
    enlist(s);
    weft_waitgroup_wait(&s->group);
    weft_waitgroup_done(&s->done);
}

static FRAME void block_in_cond(void *arg)
{
    struct state *s = arg;
    enlist(s);
    weft_mutex_lock(&s->cond_mutex);
    weft_cond_wait(&s->cond, &s->cond_mutex);
    weft_mutex_unlock(&s->cond_mutex);
    weft_waitgroup_done(&s->done);
}

static FRAME void block_in_accept(void *arg)
{
    struct state *s = arg;
    weft_conn *conn;
    enlist(s);
    CHECK(weft_tcp_accept(s->listener, &conn) == 0);
    weft_conn_close(conn);
    weft_waitgroup_done(&s->done);
}

static FRAME void block_in_read(void *arg)
{
    struct state *s = arg;
    char byte;
    enlist(s);
    CHECK(weft_conn_read(s->reading, &byte, 1) == 1);
    weft_waitgroup_done(&s->done);
}

static FRAME void block_in_sleep(void *arg)
{
    struct state *s = arg;
    enlist(s);
    weft_sleep(200 * WEFT_MILLISECOND);
    weft_waitgroup_done(&s->done);
}

static FRAME void block_in_syscall(void *arg)
{
    struct state *s = arg;
    char byte;
    enlist(s);
    weft_blocking_enter();
    CHECK(read(s->raw_pipe[0], &byte, 1) == 1);
    weft_blocking_exit();
    weft_waitgroup_done(&s->done);
}

static FRAME void yield_now(void *arg)
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
    CHECK(weft_tcp_listen("127.0.0.1:0", &s->listener) == 0);
    snprintf(s->address, sizeof s->address, "127.0.0.1:%d", weft_listener_port(s->listener));
    CHECK(pipe(s->pipe) == 0 && pipe(s->raw_pipe) == 0);
    CHECK(weft_conn_from_fd(s->pipe[0], &s->reading) == 0);
}

/* Started but for those that have ended, and all of them blocked. */
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
    return atomic_load_relaxed(&s->count) == GOROUTINES && blocked >= GOROUTINES - 1;
}

static FRAME void create_all(struct state *s)
{
    for (int i = 0; i < GOROUTINES; i++)
        CHECK(weft_go(ways[i], s) == 0);
}

static FRAME void wake_all(struct state *s)
{
    weft_conn *conn;
    CHECK(weft_chan_recv(s->to_send, NULL) == 0);
    CHECK(weft_chan_send(s->to_recv, &(int){1}) == 0);
    CHECK(weft_chan_try_send(s->to_recv_until, &(int){1}) == 0);
    weft_chan_close(s->to_select);
    weft_mutex_unlock(&s->mutex);
    weft_waitgroup_done(&s->group);
    weft_cond_signal(&s->cond);
    CHECK(weft_tcp_dial(s->address, WEFT_NEVER, &conn) == 0);
    weft_conn_close(conn);
    CHECK(write(s->pipe[1], "x", 1) == 1);
    CHECK(write(s->raw_pipe[1], "x", 1) == 1);
}

static FRAME void change_procs(void)
{
    int before = weft_procs(3);
    CHECK(before > 0 && weft_procs(before) == 3);
}

static void program(struct twin_run *run)
{
    static struct state s;
    memset(&s, 0, sizeof s);
    set_up(&s);
    twin_start(run);
    create_all(&s);
    while (!all_are_blocked(&s))
        weft_sleep(WEFT_MILLISECOND / 5);
    wake_all(&s);
    weft_waitgroup_wait(&s.done);
    change_procs();
    twin_stop(run);
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

static bool found[WANTED];

/* Whether the event is of a kind that is looked for; sets the kind. */
static bool classify(const weft_event *e, enum kind *kind)
{
    if (e->kind == WEFT_EVENT_RANGE_BEGIN) {
        *kind = STOP_THE_WORLD;
        return true;
    }
    if (e->kind != WEFT_EVENT_STATE_TRANSITION || e->resource != WEFT_RESOURCE_GOROUTINE)
        return false;
    if (e->from == WEFT_STATE_RUNNING && e->to == WEFT_STATE_WAITING)
        *kind = BLOCK;
    else if (e->from == WEFT_STATE_RUNNING && e->to == WEFT_STATE_RUNNABLE)
        *kind = STOP;
    else if (e->from == WEFT_STATE_RUNNING && e->to == WEFT_STATE_SYSCALL)
        *kind = SYSCALL;
    else if (e->from == WEFT_STATE_WAITING && e->to == WEFT_STATE_RUNNABLE)
        *kind = UNBLOCK;
    else if (e->from == WEFT_STATE_NOT_EXIST && e->to == WEFT_STATE_RUNNABLE)
        *kind = CREATE;
    else
        return false;
    return true;
}

static bool is_wanted(weft_reader *reader, const weft_event *e, enum kind kind,
                      const struct wanted *w)
{
    if (kind != w->kind || strcmp(twin_frame(reader, e->stack, 0), w->frame0) != 0 ||
        strcmp(twin_frame(reader, e->stack, 1), w->frame1) != 0)
        return false;
    if (kind == CREATE)
        return strcmp(twin_frame(reader, e->resource_stack, 0), w->reason) == 0;
    return !w->reason || strcmp(twin_text(reader, e->name), w->reason) == 0;
}

static void report_missing(struct twin_run *run)
{
    unsigned missing = 0;
    for (int i = 0; i < WANTED; i++) {
        if (!found[i]) {
            fprintf(stderr, "%s: no event of kind %d with the frames %s, %s and %s\n", run->path,
                    wanted[i].kind, wanted[i].frame0, wanted[i].frame1,
                    wanted[i].reason ? wanted[i].reason : "any reason");
            missing++;
        }
        found[i] = false;
    }
    CHECK(missing == 0);
}

static void check(struct twin_run *run, weft_reader *reader, const weft_event *event)
{
    enum kind kind;
    if (!event)
        report_missing(run);
    else if (classify(event, &kind))
        for (int i = 0; i < WANTED; i++)
            found[i] |= is_wanted(reader, event, kind, &wanted[i]);
}

int main(int argc, char **argv)
{
    static const struct twin twin = {"stacks", program, check};
    return twin_main(&twin, argc, argv);
}
