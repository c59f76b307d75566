/* SPDX-License-Identifier: MIT */
/*
 * What holds goroutines up, as the trace shows it.
 *
 * A situation is a function that is held up in one public function. It has a goroutine of its own,
 * of which the trace must say: it ran; it left its P for the reason that Go's tools know, with the
 * public function on top of its stack and the situation's own below it; it became runnable, by whom
 * is given; it ran again.
 */
#ifndef WEFT_TESTS_SCHED_SITUATIONS_H
#define WEFT_TESTS_SCHED_SITUATIONS_H

#include "sched/goroutine.h"
#include "sched/support.h"

#include "trace/check.h"

struct situation {
    void (*fn)(void);
    const char *name;     /* fn's */
    const char *reason;   /* NULL: it is in a system call */
    const char *function; /* on top of the stack; NULL: the event has no stack */
    const char *waker;    /* on top of the stack of who ends it; NULL: anybody */
    bool by_itself;       /* it ends without our doing */
    bool for_ever;        /* nobody ends it */
    bool on_one_thread;   /* it goes on where it was */
    uint64_t g;           /* atomic: its goroutine's number */
    /* Found in the trace. */
    bool seen;
    weft_state state; /* since it was seen */
    uint64_t m;
    unsigned completed;
    char complaint[256];
};

/* What follows the third argument are fields by name. */
#define SITUATION(function_, reason_, called, ...)                                                 \
    {                                                                                              \
        .fn = function_, .name = #function_, .reason = reason_, .function = called, __VA_ARGS__    \
    }

/* Not a tail call: the function stays on the stack. */
#define stay() __asm__ volatile("")

struct situations {
    struct situation *list;
    size_t count;
    void (*body)(void);
    weft_waitgroup finished; /* of all that are not for ever */
    sink trace;
};

/* ---- On goroutines ---- */

struct visit {
    struct situations *all;
    struct situation *situation;
};

static inline void visit_situation(void *arg)
{
    struct visit visit = *(struct visit *)arg;
    free(arg);
    atomic_store_relaxed(&visit.situation->g, weft_goid());
    visit.situation->fn();
    weft_waitgroup_done(&visit.all->finished);
}

/* Each on its goroutine. */
static inline void start_situations(struct situations *all)
{
    for (size_t i = 0; i < all->count; i++) {
        struct visit *visit = malloc(sizeof *visit);
        *visit = (struct visit){all, &all->list[i]};
        atomic_store_relaxed(&all->list[i].g, 0);
        if (!visit->situation->for_ever)
            weft_waitgroup_add(&all->finished, 1);
        go(visit_situation, visit);
    }
}

static inline bool waits_now(uint64_t number)
{
    for (struct g *g = goroutines_first(); g; g = g->all_next)
        if (atomic_load_relaxed(&g->trace.id) == number)
            return atomic_load_relaxed(&g->status) == G_WAITING;
    return false;
}

/* Until all wait but those that end by themselves. */
static inline void await_held_up(const struct situations *all)
{
    for (size_t i = 0; i < all->count; i++)
        while (!all->list[i].by_itself && !waits_now(atomic_load_relaxed(&all->list[i].g)))
            weft_sleep(100 * WEFT_MICROSECOND);
}

static struct situations *situations_traced;

static inline void trace_situations(void)
{
    weft_trace_stream *stream;
    CHECK_EQ(weft_trace_start_callback(weft_tracer_default(), sink_write, &situations_traced->trace,
                                       NULL, &stream),
             0);
    situations_traced->body();
    CHECK_EQ(weft_trace_stop(stream, NULL), 0);
}

/* ---- In the trace ---- */

static inline bool text_is(const weft_reader *reader, weft_string string, const char *text)
{
    weft_text t = weft_reader_string(reader, string);
    return t.size == strlen(text) && memcmp(t.data, text, t.size) == 0;
}

static inline bool frame_is(const weft_reader *reader, weft_stack stack, size_t i, const char *name)
{
    weft_frame frame;
    return weft_reader_stack_frame(reader, stack, i, &frame) == 0 &&
           text_is(reader, frame.function, name);
}

/* The first frame from i on that is of that function, among the next n; or -1. */
static inline int find_frame(const weft_reader *reader, weft_stack stack, int i, int n,
                             const char *name)
{
    for (int k = i; k < i + n; k++)
        if (frame_is(reader, stack, (size_t)k, name))
            return k;
    return -1;
}

/* Between the two there may be one that is built from the function, as weft_scope_end is from
 * weft_waitgroup_wait; what weft_file_read and the like are built from is above it. */
static inline bool is_held_up_by(const weft_reader *reader, weft_stack stack,
                                 const struct situation *s)
{
    if (!s->function)
        return true;
    bool blocking = frame_is(reader, stack, 0, "weft_blocking_enter");
    int top = find_frame(reader, stack, 0, blocking ? 6 : 1, s->function);
    return top >= 0 && find_frame(reader, stack, top + 1, 3, s->name) > 0;
}

static inline void complain_about(struct situation *s, const weft_reader *reader,
                                  const weft_event *event, const char *what)
{
    weft_frame frame = {0};
    weft_text reason = weft_reader_string(reader, event->name), top = {"nothing", 7};
    weft_stack stack = event->to == WEFT_STATE_RUNNABLE ? event->stack : event->resource_stack;
    if (weft_reader_stack_frame(reader, stack, 0, &frame) == 0)
        top = weft_reader_string(reader, frame.function);
    snprintf(s->complaint, sizeof s->complaint, "%s: from state %d to %d for \"%.*s\" in %.*s",
             what, event->from, event->to, (int)reason.size, reason.data, (int)top.size, top.data);
}

/* The goroutine leaves its P. What it does besides the situation, as waiting for a mutex before it,
 * is not looked at. */
static inline void see_leave(struct situation *s, const weft_reader *reader,
                             const weft_event *event)
{
    bool waits = event->to == WEFT_STATE_WAITING;
    if (waits != (s->reason != NULL) || !is_held_up_by(reader, event->resource_stack, s) ||
        (waits && !text_is(reader, event->name, s->reason))) {
        complain_about(s, reader, event, "held up in another way");
        return;
    }
    s->seen = true;
    s->state = event->to;
    s->m = event->m;
}

/* What comes after that until it runs again. */
static inline void see_return(struct situation *s, const weft_reader *reader,
                              const weft_event *event)
{
    bool woken = s->state == WEFT_STATE_WAITING && event->to == WEFT_STATE_RUNNABLE;
    bool back = s->state == WEFT_STATE_SYSCALL &&
                (event->to == WEFT_STATE_RUNNABLE || event->to == WEFT_STATE_RUNNING);
    bool started = s->state == WEFT_STATE_RUNNABLE && event->to == WEFT_STATE_RUNNING;
    if (!(woken || back || started) || event->from != s->state)
        complain_about(s, reader, event, "goes on in another way");
    else if (woken && s->waker && !frame_is(reader, event->stack, 0, s->waker))
        complain_about(s, reader, event, "woken by another one");
    else if (event->to == WEFT_STATE_RUNNING && s->on_one_thread && event->m != s->m)
        complain_about(s, reader, event, "goes on on another thread");
    else if (event->to == WEFT_STATE_RUNNING)
        s->completed++;
    s->state = event->to;
}

static inline void see_situations(void *arg, weft_reader *reader, const weft_event *event)
{
    struct situations *all = arg;
    if (event->kind != WEFT_EVENT_STATE_TRANSITION || event->resource != WEFT_RESOURCE_GOROUTINE)
        return;
    for (struct situation *s = all->list; s < all->list + all->count; s++) {
        if (s->g != event->id)
            continue;
        if (s->seen && s->state != WEFT_STATE_RUNNING)
            see_return(s, reader, event);
        else if (!s->completed && event->from == WEFT_STATE_RUNNING &&
                 (event->to == WEFT_STATE_WAITING || event->to == WEFT_STATE_SYSCALL))
            see_leave(s, reader, event);
    }
}

static inline void check_situation(struct situation *s)
{
    if (!s->seen || s->completed != !s->for_ever)
        fail_msg("%s: %s, %s", s->name,
                 s->completed ? "seen"
                 : s->seen    ? "not completed"
                              : "not seen",
                 s->complaint);
    s->seen = false;
    s->completed = 0;
    s->complaint[0] = '\0';
}

/* Runs the body, which calls start_situations(), with a trace, and looks for all of them. */
static inline void check_situations(struct situations *all, unsigned procs, const char *name)
{
    char file[64];
    all->finished = (weft_waitgroup)WEFT_WAITGROUP_INIT;
    situations_traced = all;
    run_on(procs, trace_situations);
    snprintf(file, sizeof file, "%s_%u", name, procs);
    sink_save(&all->trace, file);
    const char *complaint = check_sink(&all->trace, see_situations, all);
    if (complaint)
        fail_msg("%s", complaint);
    sink_free(&all->trace);
    for (struct situation *s = all->list; s < all->list + all->count; s++)
        check_situation(s);
}

#endif
