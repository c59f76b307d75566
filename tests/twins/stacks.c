/* SPDX-License-Identifier: MIT */
/*
 * Twin of TestTraceStacks: goroutines that block each in its own way, and the main goroutine that
 * wakes them. For each there must be an event of the right kind and reason whose stack begins with
 * the public function and its caller, in the right file and line. An event without a stack does not
 * do.
 */
#include <unistd.h>

#include "sched/goroutine.h"
#include "twins/twin_walk.h"

enum { PREEMPTED_CASES = 512, TURNS_ENOUGH = 6 };

#define NOINLINE static __attribute__((noinline))

/* ---- What must be in the trace ---- */

enum place {
    SELECT_NOTHING,
    SEND_NULL,
    RECV_NULL,
    RECV,
    RECV_UNTIL,
    SEND,
    SELECT,
    LOCK,
    GROUP_WAIT,
    COND_WAIT,
    SLEEP,
    ACCEPT,
    CONN_READ,
    BLOCKING,
    YIELD,
    PREEMPTED,
    WAKE_RECV,
    WAKE_RECV_UNTIL,
    WAKE_SEND,
    WAKE_SELECT,
    WAKE_LOCK,
    WAKE_GROUP,
    WAKE_COND,
    WAKE_CLOSE,
    CREATE,
    CHANGE_PROCS,
    PLACES
};

/* Where the call stands in this file. Its statement must fit on one line. */
static unsigned lines[PLACES];
#define AT(place) __atomic_store_n(&lines[place], __LINE__, __ATOMIC_RELAXED)

#define BLOCKS WEFT_STATE_RUNNING, WEFT_STATE_WAITING
#define WAKES  WEFT_STATE_WAITING, WEFT_STATE_RUNNABLE
#define STOPS  WEFT_STATE_RUNNING, WEFT_STATE_RUNNABLE

static const struct {
    weft_state from, to;
    const char *reason, *function, *caller;
} wanted[PLACES] = {
    [SELECT_NOTHING] = {BLOCKS, "forever", "weft_select", "select_nothing"},
    [SEND_NULL] = {BLOCKS, "forever", "weft_chan_send", "send_null"},
    [RECV_NULL] = {BLOCKS, "forever", "weft_chan_recv", "recv_null"},
    [RECV] = {BLOCKS, "chan receive", "weft_chan_recv", "recv_one"},
    [RECV_UNTIL] = {BLOCKS, "chan receive", "weft_chan_recv_until", "recv_one_until"},
    [SEND] = {BLOCKS, "chan send", "weft_chan_send", "send_one"},
    [SELECT] = {BLOCKS, "select", "weft_select", "select_one"},
    [LOCK] = {BLOCKS, "sync", "weft_mutex_lock", "lock_once"},
    [GROUP_WAIT] = {BLOCKS, "sync", "weft_waitgroup_wait", "wait_group"},
    [COND_WAIT] = {BLOCKS, "sync.(*Cond).Wait", "weft_cond_wait", "wait_cond"},
    [SLEEP] = {BLOCKS, "sleep", "weft_sleep", "sleep_once"},
    [ACCEPT] = {BLOCKS, "network", "weft_tcp_accept", "accept_one"},
    [CONN_READ] = {BLOCKS, "network", "weft_conn_read", "read_conn"},
    [BLOCKING] = {WEFT_STATE_RUNNING, WEFT_STATE_SYSCALL, "", "weft_blocking_enter", "read_pipe"},
    [YIELD] = {STOPS, "runtime.Gosched", "weft_yield", "yield_once"},
    [PREEMPTED] = {STOPS, "preempted", "weft_select", "use_up_slices"},
    [WAKE_RECV] = {WAKES, "", "weft_chan_send", "wake_recv"},
    [WAKE_RECV_UNTIL] = {WAKES, "", "weft_chan_try_send", "wake_recv_until"},
    [WAKE_SEND] = {WAKES, "", "weft_chan_recv", "wake_send"},
    [WAKE_SELECT] = {WAKES, "", "weft_select", "wake_select"},
    [WAKE_LOCK] = {WAKES, "", "weft_mutex_unlock", "wake_lock"},
    [WAKE_GROUP] = {WAKES, "", "weft_waitgroup_done", "wake_group"},
    [WAKE_COND] = {WAKES, "", "weft_cond_signal", "wake_cond"},
    [WAKE_CLOSE] = {WAKES, "", "weft_chan_close", "wake_close"},
    [CREATE] = {WEFT_STATE_NOT_EXIST, WEFT_STATE_RUNNABLE, "", "weft_go", "start_goroutine"},
    [CHANGE_PROCS] = {WEFT_STATE_UNDETERMINED, WEFT_STATE_UNDETERMINED, "", "weft_procs",
                      "change_procs"},
};

/* ---- Blocking, each in its own way ---- */

static weft_chan *for_recv, *for_recv_until, *for_send, *for_select, *for_close;
static weft_mutex mutex, cond_mutex;
static weft_waitgroup group, left;
static weft_cond cond;
static bool cond_met;
static weft_listener *listener;
static weft_conn *conn;
static int wires[2], fds[2];

static void select_nothing(void *arg)
{
    (void)arg;
    AT(SELECT_NOTHING), weft_select(NULL, 0, WEFT_NEVER);
    TWIN_FRAME_STAYS();
}

static void send_null(void *arg)
{
    AT(SEND_NULL), (void)weft_chan_send(NULL, &arg);
    TWIN_FRAME_STAYS();
}

static void recv_null(void *arg)
{
    (void)arg;
    AT(RECV_NULL), (void)weft_chan_recv(NULL, NULL);
    TWIN_FRAME_STAYS();
}

static void recv_one(void *arg)
{
    (void)arg;
    AT(RECV), (void)weft_chan_recv(for_recv, NULL);
    weft_waitgroup_done(&left);
    TWIN_FRAME_STAYS();
}

static void recv_one_until(void *arg)
{
    int64_t end = weft_now() + 3600 * WEFT_SECOND;
    (void)arg;
    AT(RECV_UNTIL), (void)weft_chan_recv_until(for_recv_until, NULL, end);
    weft_waitgroup_done(&left);
    TWIN_FRAME_STAYS();
}

static void send_one(void *arg)
{
    (void)arg;
    AT(SEND), (void)weft_chan_send(for_send, "");
    weft_waitgroup_done(&left);
    TWIN_FRAME_STAYS();
}

static void select_one(void *arg)
{
    weft_select_case cases[] = {{.chan = for_select}, {.chan = NULL}};
    (void)arg;
    AT(SELECT), weft_select(cases, 2, WEFT_NEVER);
    weft_waitgroup_done(&left);
    TWIN_FRAME_STAYS();
}

static void lock_once(void *arg)
{
    (void)arg;
    AT(LOCK), weft_mutex_lock(&mutex);
    weft_mutex_unlock(&mutex);
    weft_waitgroup_done(&left);
    TWIN_FRAME_STAYS();
}

static void wait_group(void *arg)
{
    (void)arg;
    AT(GROUP_WAIT), weft_waitgroup_wait(&group);
    weft_waitgroup_done(&left);
    TWIN_FRAME_STAYS();
}

static void wait_cond(void *arg)
{
    (void)arg;
    weft_mutex_lock(&cond_mutex);
    while (!cond_met)
        AT(COND_WAIT), weft_cond_wait(&cond, &cond_mutex);
    weft_mutex_unlock(&cond_mutex);
    weft_waitgroup_done(&left);
    TWIN_FRAME_STAYS();
}

static void sleep_once(void *arg)
{
    (void)arg;
    AT(SLEEP), weft_sleep(10 * WEFT_MILLISECOND);
    weft_waitgroup_done(&left);
    TWIN_FRAME_STAYS();
}

static void accept_one(void *arg)
{
    weft_conn *accepted;
    (void)arg;
    AT(ACCEPT), (void)!weft_tcp_accept(listener, &accepted);
    weft_conn_close(accepted);
    weft_waitgroup_done(&left);
    TWIN_FRAME_STAYS();
}

static void read_conn(void *arg)
{
    char byte;
    (void)arg;
    AT(CONN_READ), (void)!weft_conn_read(conn, &byte, 1);
    weft_waitgroup_done(&left);
    TWIN_FRAME_STAYS();
}

static void read_pipe(void *arg)
{
    char byte;
    (void)arg;
    AT(BLOCKING), weft_blocking_enter();
    ssize_t n = read(fds[0], &byte, 1);
    weft_blocking_exit();
    check(n == 1);
    weft_waitgroup_done(&left);
    TWIN_FRAME_STAYS();
}

static void recv_closed(void *arg)
{
    (void)arg;
    check(weft_chan_recv(for_close, NULL) == -EPIPE);
    weft_waitgroup_done(&left);
}

static void (*const blockers[])(void *) = {
    select_nothing, send_null,  recv_null, recv_one,   recv_one_until,
    send_one,       select_one, lock_once, wait_group, wait_cond,
    sleep_once,     accept_one, read_conn, read_pipe,  recv_closed,
};
enum { BLOCKERS = sizeof blockers / sizeof *blockers, FOR_EVER = 3 };

/* ---- Waking ---- */

NOINLINE void start_goroutine(void (*fn)(void *))
{
    int error = (AT(CREATE), weft_go(fn, NULL));
    check(error == 0);
    TWIN_FRAME_STAYS();
}

NOINLINE void change_procs(int n)
{
    int before = (AT(CHANGE_PROCS), weft_procs(n));
    check(before > 0);
    TWIN_FRAME_STAYS();
}

NOINLINE void yield_once(void)
{
    AT(YIELD), weft_yield();
    TWIN_FRAME_STAYS();
}

NOINLINE void wake_recv(void)
{
    AT(WAKE_RECV), (void)weft_chan_send(for_recv, "");
    TWIN_FRAME_STAYS();
}

NOINLINE void wake_recv_until(void)
{
    int error = (AT(WAKE_RECV_UNTIL), weft_chan_try_send(for_recv_until, ""));
    check(error == 0);
}

NOINLINE void wake_send(void)
{
    AT(WAKE_SEND), (void)weft_chan_recv(for_send, NULL);
    TWIN_FRAME_STAYS();
}

NOINLINE void wake_select(void)
{
    weft_select_case cases[] = {{.chan = for_select, .send = ""}};
    AT(WAKE_SELECT), weft_select(cases, 1, WEFT_NEVER);
    TWIN_FRAME_STAYS();
}

NOINLINE void wake_lock(void)
{
    AT(WAKE_LOCK), weft_mutex_unlock(&mutex);
    TWIN_FRAME_STAYS();
}

NOINLINE void wake_group(void)
{
    AT(WAKE_GROUP), weft_waitgroup_done(&group);
    TWIN_FRAME_STAYS();
}

NOINLINE void wake_cond(void)
{
    weft_mutex_lock(&cond_mutex);
    cond_met = true;
    weft_mutex_unlock(&cond_mutex);
    AT(WAKE_COND), weft_cond_signal(&cond);
    TWIN_FRAME_STAYS();
}

NOINLINE void wake_close(void)
{
    AT(WAKE_CLOSE), weft_chan_close(for_close);
    TWIN_FRAME_STAYS();
}

static void wake_network(void)
{
    char address[32];
    weft_conn *dialled;
    snprintf(address, sizeof address, "127.0.0.1:%d", weft_listener_port(listener));
    check(weft_tcp_dial(address, WEFT_NEVER, &dialled) == 0);
    weft_conn_close(dialled);
    check(write(wires[1], "", 1) == 1);
    check(write(fds[1], "", 1) == 1);
}

/* ---- All of them ---- */

static void prepare(void)
{
    for_recv = weft_chan_new(1, 0);
    for_recv_until = weft_chan_new(1, 0);
    for_send = weft_chan_new(1, 0);
    for_select = weft_chan_new(1, 0);
    for_close = weft_chan_new(1, 0);
    weft_mutex_lock(&mutex);
    weft_waitgroup_add(&group, 1);
    weft_waitgroup_add(&left, BLOCKERS - FOR_EVER);
    cond_met = false;
    check(weft_tcp_listen("127.0.0.1:0", &listener) == 0);
    check(pipe(fds) == 0 && pipe(wires) == 0);
    check(weft_conn_from_fd(wires[0], &conn) == 0);
}

static void clean_up(void)
{
    weft_chan_free(for_recv);
    weft_chan_free(for_recv_until);
    weft_chan_free(for_send);
    weft_chan_free(for_select);
    weft_chan_free(for_close);
    weft_listener_close(listener);
    weft_conn_close(conn);
    close(wires[1]);
    close(fds[0]);
    close(fds[1]);
}

static bool is_blocked(const struct g *g)
{
    uint32_t status = atomic_load_relaxed(&g->status);
    return status == G_WAITING || status == G_SYSCALL;
}

/* But for the one that sleeps, which wakes by itself. */
static bool all_are_blocked(void)
{
    unsigned blocked = 0;
    for (struct g *g = goroutines_first(); g; g = g->all_next)
        for (unsigned i = 0; i < BLOCKERS; i++)
            blocked += g->fn == blockers[i] && g->fn != sleep_once && is_blocked(g);
    return blocked == BLOCKERS - 1;
}

static void block_and_wake(void)
{
    prepare();
    for (unsigned i = 0; i < BLOCKERS; i++)
        start_goroutine(blockers[i]);
    yield_once();
    while (!all_are_blocked())
        weft_sleep(WEFT_MILLISECOND);
    wake_recv();
    wake_recv_until();
    wake_send();
    wake_select();
    wake_lock();
    wake_group();
    wake_cond();
    wake_close();
    wake_network();
    weft_waitgroup_wait(&left);
    clean_up();
}

/* ---- Preempted ---- */

#ifdef WEFT_TORTURE
#define SLICES_CUT_SHORT true
#else
#define SLICES_CUT_SHORT twin.advancing
#endif

static uint32_t slices_done, turns, computing;

/* Inside the runtime nearly all the time, for longer at once than it takes to look there: such a
 * goroutine is asked to yield on its way out. Two do this, and count how often it is the other's
 * turn. */
static void use_up_slices(void *arg)
{
    static uint32_t last;
    uint32_t self = (uint32_t)weft_goid();
    weft_select_case cases[PREEMPTED_CASES];
    for (unsigned i = 0; i < PREEMPTED_CASES; i++)
        cases[i] = (weft_select_case){.chan = arg};
    while (!__atomic_load_n(&slices_done, __ATOMIC_ACQUIRE)) {
        if (__atomic_exchange_n(&last, self, __ATOMIC_RELAXED) != self)
            __atomic_add_fetch(&turns, 1, __ATOMIC_RELEASE);
        AT(PREEMPTED), weft_select(cases, PREEMPTED_CASES, 0);
    }
    weft_waitgroup_done(&left);
    TWIN_FRAME_STAYS();
}

/* Outside the runtime all the time: its P is taken away. That looks like a system call, without a
 * stack, as the goroutine runs on. */
static void compute(void *arg)
{
    (void)arg;
    __atomic_store_n(&computing, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&slices_done, __ATOMIC_ACQUIRE))
        __asm__ __volatile__("");
    weft_waitgroup_done(&left);
}

static uint32_t revocations(void)
{
    weft_stats stats = {.size = sizeof stats};
    weft_stats_get(&stats);
    return (uint32_t)stats.revocations;
}

/* A turn ends by a request to yield, or because the P was taken: by the monitor, which is counted,
 * or by the tracer at the end of a generation. With generations without a pause, as in every
 * torture build, slices need not be used up. */
static bool some_have_yielded(uint32_t revoked_before)
{
    uint32_t taken = revocations() - revoked_before;
    return SLICES_CUT_SHORT || __atomic_load_n(&turns, __ATOMIC_ACQUIRE) > taken + TURNS_ENOUGH;
}

static void end_slices(void)
{
    __atomic_store_n(&slices_done, 1, __ATOMIC_RELEASE);
    weft_waitgroup_wait(&left);
}

static void preempt_inside(void)
{
    weft_chan *never = weft_chan_new(1, 0);
    uint32_t before = revocations();
    slices_done = turns = 0;
    weft_waitgroup_add(&left, 2);
    check(weft_go(use_up_slices, never) == 0);
    check(weft_go(use_up_slices, never) == 0);
    while (!some_have_yielded(before))
        weft_sleep(WEFT_MILLISECOND);
    end_slices();
    weft_chan_free(never);
}

static void preempt_outside(void)
{
    slices_done = computing = 0;
    weft_waitgroup_add(&left, 1);
    check(weft_go(compute, NULL) == 0);
    while (!__atomic_load_n(&computing, __ATOMIC_ACQUIRE))
        weft_yield(); /* on one P: once it computes, back only when it has lost the P */
    end_slices();
}

/* On one P, so that there is always somebody who waits for it. */
static void preempt(void)
{
    int procs = weft_procs(0);
    change_procs(procs == 1 ? 2 : 1);
    change_procs(1);
    preempt_inside();
    preempt_outside();
    change_procs(procs);
}

static void body(void)
{
    mutex = (weft_mutex)WEFT_MUTEX_INIT;
    weft_trace_stream *stream = twin_start(0);
    block_and_wake();
    preempt();
    twin_stop(stream);
}

/* ---- Looking at the trace ---- */

struct found {
    unsigned of[PLACES], metrics, stops, created, taken;
    uint64_t computes; /* the goroutine */
};

/* Files and lines are there only where the build can read them. */
static bool is_here(const weft_reader *reader, weft_stack stack, unsigned line)
{
    weft_frame frame;
    check(weft_reader_stack_frame(reader, stack, 1, &frame) == 0);
    weft_text file = weft_reader_string(reader, frame.file);
    if (frame.line == 0 || file.size < 8)
        return true;
    return frame.line == line && memcmp(file.data + file.size - 8, "stacks.c", 8) == 0;
}

static bool stands_at(const weft_reader *reader, const weft_event *event, unsigned place)
{
    return twin_frame_is(reader, event->stack, 0, wanted[place].function) &&
           twin_frame_is(reader, event->stack, 1, wanted[place].caller) &&
           is_here(reader, event->stack, lines[place]);
}

static void seen(void *arg, const weft_reader *reader, const weft_event *event)
{
    struct found *found = arg;
    for (unsigned place = 0; place < CHANGE_PROCS; place++)
        found->of[place] += twin_goroutine_goes(event, wanted[place].from, wanted[place].to) &&
                            twin_text_is(reader, event->name, wanted[place].reason) &&
                            stands_at(reader, event, place);
    for (unsigned place = 0; place < FOR_EVER; place++)
        found->created += twin_creates(reader, event, wanted[place].caller);
    if (twin_creates(reader, event, "compute"))
        found->computes = event->id;
    found->taken += twin_goroutine_goes(event, WEFT_STATE_RUNNING, WEFT_STATE_SYSCALL) &&
                    event->id == found->computes && event->stack == 0;
    if (!stands_at(reader, event, CHANGE_PROCS))
        return;
    found->metrics += event->kind == WEFT_EVENT_METRIC &&
                      twin_text_is(reader, event->name, "/sched/gomaxprocs:threads");
    found->stops += event->kind == WEFT_EVENT_RANGE_BEGIN &&
                    twin_text_is(reader, event->name, "stop-the-world (GOMAXPROCS)");
}

static void verify(void)
{
    struct found found = {0};
    bool complete = true;
    twin_walk(twin_path(0), seen, &found);
    for (unsigned place = 0; place < CHANGE_PROCS; place++)
        if (found.of[place] == 0 && !(place == PREEMPTED && SLICES_CUT_SHORT)) {
            fprintf(stderr, "no event %s -> %s (%s) at %s of %s, line %u\n",
                    weft_state_name(wanted[place].from), weft_state_name(wanted[place].to),
                    wanted[place].reason, wanted[place].function, wanted[place].caller,
                    lines[place]);
            complete = false;
        }
    check(complete);
    check(found.created == FOR_EVER);
    check(found.taken > 0);
    check(found.metrics >= 2 && found.stops >= 2);
}

int main(int argc, char **argv)
{
    return twin_main(argc, argv, body, verify);
}
