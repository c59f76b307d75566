/* SPDX-License-Identifier: MIT */
/*
 * Contexts.
 *
 * Design. A tree of records. The end of one is the end of all below it, so ending walks down: each
 * record gives up its children and its waits under its own lock, and they are dealt with outside of
 * it. A deadline needs no timer: a context's instant is fixed when it is made (its own or its
 * parent's, whichever is earlier), every wait has it as its own deadline, and whoever asks compares
 * it with the clock. Only a channel of weft_context_done() needs somebody to close it in time.
 *
 * Invariants
 *   X1. context->error is set once, under the lock; the first end wins. An end that comes after the
 *       deadline is the deadline's, whoever brings it: all that can be asked of a context agrees.
 *   X2. A context that has ended has no children and no waits on its lists, and gets none: who
 *       joins looks at `error` under the lock.
 *   X3. A child that is on the list of its parent has its owner's reference still:
 *       weft_context_free() takes it off first, under the parent's lock. So the walk may take a
 *       reference of its own under that lock.
 *         walk: parent's lock, child found         owner: frees the child
 *         walk: takes a reference, unlocks
 *                                                  parent's lock: not on the list; drops its own
 *   X4. Claiming happens under the context's lock, waking after it was released: the lock with
 *       which a goroutine parks has a lower rank, and a waker waits for it (W4 in waiter.c).
 *
 * Corners
 *   Children of a deep tree are not ended by recursion: stacks may be small.
 *   A wait that was claimed by somebody else is only taken off the list.
 *   The first caller of weft_context_done() starts the timer of a deadline; due() takes a reference
 *     for run().
 */
#include "sched/cancel.h"

#include <errno.h>
#include <stdlib.h>

#include "sched/after.h"
#include "sched/chan_ops.h"

struct weft_context {
    weft_context *parent; /* constant; a counted reference, or NULL */
    int64_t deadline;     /* constant */
    const void *key;      /* constant; NULL: it has no value */
    void *value;
    uint32_t refs; /* atomic: the owner's, its children's, of who is ending it or about to */
    base_lock lock;
    int32_t error;                 /* atomic; written under lock. 0, -ECANCELED, -ETIMEDOUT */
    int32_t cause;                 /* lock: lock */
    struct context_watch *watches; /* lock: lock */
    weft_context *children;        /* lock: lock */
    weft_context *next, *previous; /* lock: the parent's; off its list: of who ends it */
    bool listed;                   /* lock: the parent's */
    weft_after *afters;            /* lock: lock */
    weft_chan *done;               /* lock: lock */
    bool timed;                    /* lock: lock; the timer was started */
    struct wait_timer timer;       /* of done and afters: nobody else waits for the deadline */
};

static __thread weft_context *thread_context;

/* Out of line, as m_self() is. */
__attribute__((noinline)) weft_context *context_of_thread(void)
{
    return thread_context;
}

static __attribute__((noinline)) void set_thread_context(weft_context *context)
{
    thread_context = context;
}

int64_t context_deadline_before(const weft_context *context, int64_t deadline)
{
    return context->deadline < deadline ? context->deadline : deadline;
}

static bool is_late(const weft_context *context)
{
    return context->deadline != WEFT_NEVER && context->deadline <= timer_now();
}

void context_hold(weft_context *context)
{
    atomic_add_relaxed(&context->refs, 1);
}

void context_release(weft_context *context)
{
    /* Acquire-release: whoever frees it comes after every other user. */
    while (context && atomic_sub_acqrel(&context->refs, 1) == 1) {
        weft_context *parent = context->parent;
        weft_chan_free(context->done);
        free(context);
        context = parent;
    }
}

/* ---- Waits ---- */

int context_ended(const weft_context *context)
{
    return atomic_load_acquire(&context->error); /* pairs with end_one() */
}

int context_watch(weft_context *context, struct context_watch *watch)
{
    lock_acquire(&context->lock);
    int error = context->error;
    if (!error) { /* X2 */
        *watch = (struct context_watch){.next = context->watches, .listed = true};
        if (watch->next)
            watch->next->prev = watch;
        context->watches = watch;
    }
    lock_release(&context->lock);
    return error;
}

static void unlist_watch(weft_context *context, struct context_watch *watch)
{
    if (watch->prev)
        watch->prev->next = watch->next;
    else
        context->watches = watch->next;
    if (watch->next)
        watch->next->prev = watch->prev;
    watch->listed = false;
}

void context_unwatch(weft_context *context, struct context_watch *watch)
{
    lock_acquire(&context->lock); /* W2, even if it is not listed any more */
    if (watch->listed)
        unlist_watch(context, watch);
    lock_release(&context->lock);
}

static struct wait *wait_of(struct context_watch *watch)
{
    return (struct wait *)(void *)((char *)watch - offsetof(struct wait, watch));
}

/* Empties the list and claims what is there. Returns what the caller has to end, linked by next. */
static struct context_watch *claim_watches(weft_context *context)
{
    struct context_watch *claimed = NULL, *watch;
    while ((watch = context->watches)) {
        unlist_watch(context, watch);
        if (wait_claim(wait_of(watch))) { /* W2 */
            watch->next = claimed;
            claimed = watch;
        }
    }
    return claimed;
}

static void end_waits(struct m *m, struct context_watch *claimed, int error)
{
    struct g_list ready = {0};
    while (claimed) {
        struct wait *wait = wait_of(claimed);
        claimed = claimed->next;
        wait_end_early(wait, error, &ready);
    }
    if (ready.count)
        sched_ready_list(m, &ready);
}

/* ---- The tree ---- */

static void unlist_child(weft_context *child)
{
    if (child->previous)
        child->previous->next = child->next;
    else
        child->parent->children = child->next;
    if (child->next)
        child->next->previous = child->previous;
    child->listed = false;
}

/* Gives up the children, in front of *list. */
static void take_children(weft_context *context, weft_context **list)
{
    weft_context *child;
    while ((child = context->children)) {
        unlist_child(child);
        atomic_add_relaxed(&child->refs, 1); /* X3 */
        child->next = *list;
        *list = child;
    }
}

static weft_after *take_afters(weft_context *context)
{
    weft_after *list = context->afters;
    for (weft_after *after = list; after; after = after->next)
        after->listed = false;
    context->afters = NULL;
    return list;
}

/* Ends one context; its children are added to *list. */
static void end_one(struct m *m, weft_context *context, int error, int cause, weft_context **list)
{
    struct context_watch *claimed = NULL;
    weft_after *afters = NULL;
    weft_chan *done = NULL;
    lock_acquire(&context->lock);
    if (!context->error) {
        bool late = is_late(context); /* X1 */
        error = late ? -ETIMEDOUT : error;
        context->cause = late ? -ETIMEDOUT : cause;
        atomic_store_release(&context->error, error); /* pairs with weft_context_error() */
        claimed = claim_watches(context);
        take_children(context, list);
        afters = take_afters(context);
        done = context->done;
    }
    lock_release(&context->lock);
    torture_point("end_one");
    end_waits(m, claimed, error); /* X4 */
    if (done)
        chan_close(m, done);
    after_start_all(m, afters);
}

/* Ends it and all below it. m may be NULL. */
static void end_tree(struct m *m, weft_context *context, int error, int cause)
{
    weft_context *list = NULL;
    end_one(m, context, error, cause, &list);
    while (list) {
        weft_context *child = list;
        list = child->next;
        end_one(m, child, error, cause, &list);
        context_release(child);
    }
}

/* ---- Life ---- */

/* Joins the children of its parent, or shares its end. */
static void join_parent(weft_context *context)
{
    weft_context *parent = context->parent;
    lock_acquire(&parent->lock);
    context->error = parent->error; /* X2 */
    context->cause = parent->cause;
    if (!context->error) {
        context->next = parent->children;
        if (context->next)
            context->next->previous = context;
        parent->children = context;
        context->listed = true;
    }
    lock_release(&parent->lock);
}

static weft_context *make(weft_context *parent, int64_t deadline, bool detached)
{
    weft_context *context = torture_refuse("context") ? NULL : malloc(sizeof *context);
    if (!context)
        return NULL;
    *context = (weft_context){.parent = parent, .deadline = deadline, .refs = 1};
    lock_init(&context->lock, BASE_RANK_CONTEXT);
    if (!parent)
        return context;
    atomic_add_relaxed(&parent->refs, 1); /* the caller's, or its owner's, keeps it meanwhile */
    if (!detached) {
        context->deadline = context_deadline_before(parent, deadline);
        join_parent(context);
    }
    return context;
}

weft_context *weft_context_new(weft_context *parent)
{
    return make(parent, WEFT_NEVER, false);
}

weft_context *weft_context_with_deadline(weft_context *parent, int64_t deadline)
{
    return make(parent, deadline, false);
}

weft_context *weft_context_with_timeout(weft_context *parent, int64_t duration)
{
    int64_t deadline;
    if (__builtin_add_overflow(timer_now(), duration, &deadline))
        deadline = duration < 0 ? 0 : WEFT_NEVER;
    return make(parent, deadline, false);
}

weft_context *weft_context_with_value(weft_context *parent, const void *key, void *value)
{
    weft_context *context = make(parent, WEFT_NEVER, false);
    if (context) {
        context->key = key;
        context->value = value;
    }
    return context;
}

weft_context *weft_context_detached(weft_context *parent)
{
    return make(parent, WEFT_NEVER, true);
}

void context_cancel(struct m *m, weft_context *context, int cause)
{
    end_tree(m, context, -ECANCELED, cause ? cause : -ECANCELED);
}

void weft_context_cancel(weft_context *context, int cause)
{
    struct m *m = rt_enter(); /* NULL: any thread may cancel */
    context_cancel(m, context, cause);
    rt_exit_any(m);
}

static void leave_parent(weft_context *context)
{
    if (!context->parent)
        return;
    lock_acquire(&context->parent->lock);
    if (context->listed)
        unlist_child(context);
    lock_release(&context->parent->lock);
}

void weft_context_free(weft_context *context)
{
    if (!context)
        return;
    struct m *m = rt_enter(); /* as above */
    leave_parent(context);    /* X3 */
    end_tree(m, context, -ECANCELED, -ECANCELED);
    wait_timer_stop(&context->timer);
    context_release(context);
    rt_exit_any(m);
}

/* ---- Questions ---- */

int weft_context_error(const weft_context *context)
{
    int error = context_ended(context);
    return !error && is_late(context) ? -ETIMEDOUT : error;
}

int weft_context_cause(const weft_context *context)
{
    if (context_ended(context))
        return context->cause; /* set before, and never again */
    return is_late(context) ? -ETIMEDOUT : 0;
}

int64_t weft_context_deadline(const weft_context *context)
{
    return context->deadline;
}

void *weft_context_value(const weft_context *context, const void *key)
{
    for (; context; context = context->parent)
        if (context->key == key && key)
            return context->value;
    return NULL;
}

/* ---- Its end as a channel, and what follows it ---- */

static weft_context *context_of_timer(struct wait_timer *timer)
{
    return (weft_context *)(void *)((char *)timer - offsetof(weft_context, timer));
}

static bool deadline_due(struct wait_timer *timer)
{
    atomic_add_relaxed(&context_of_timer(timer)->refs, 1);
    return true;
}

static void deadline_run(struct m *m, struct wait_timer *timer, struct g_list *ready)
{
    (void)ready;
    weft_context *context = context_of_timer(timer);
    end_tree(m, context, -ETIMEDOUT, -ETIMEDOUT);
    context_release(context);
}

/* Somebody is to be told when the deadline has come. The lock is held. */
static void start_timer(struct m *m, weft_context *context)
{
    if (context->timed || context->error || context->deadline == WEFT_NEVER)
        return;
    context->timed = true;
    context->timer.due = deadline_due;
    context->timer.run = deadline_run;
    wait_timer_start(m, &context->timer, context->deadline);
}

/* The lock is held. */
static void make_done(struct m *m, weft_context *context)
{
    context->done = weft_chan_new(0, 0);
    if (context->done)
        start_timer(m, context);
}

bool context_add_after(struct m *m, weft_context *context, weft_after *after)
{
    lock_acquire(&context->lock);
    bool alive = !context->error; /* X2 */
    if (alive) {
        after->next = context->afters;
        if (after->next)
            after->next->previous = after;
        context->afters = after;
        after->listed = true;
        start_timer(m, context);
    }
    lock_release(&context->lock);
    return alive;
}

bool context_remove_after(weft_context *context, weft_after *after)
{
    lock_acquire(&context->lock);
    bool listed = after->listed;
    if (listed) {
        if (after->previous)
            after->previous->next = after->next;
        else
            context->afters = after->next;
        if (after->next)
            after->next->previous = after->previous;
        after->listed = false;
    }
    lock_release(&context->lock);
    return listed;
}

weft_chan *weft_context_done(weft_context *context)
{
    struct m *m = rt_enter();
    if (!m)
        rt_not_a_goroutine("weft_context_done");
    bool made = false, ended = false;
    lock_acquire(&context->lock);
    if (!context->done) {
        make_done(m, context);
        made = context->done != NULL;
        ended = context->error != 0;
    }
    weft_chan *done = context->done;
    lock_release(&context->lock);
    if (made && ended)
        chan_close(m, done);
    rt_exit(m);
    return done;
}

/* ---- The current context ---- */

/* The M of the calling goroutine; NULL: a plain thread. */
static struct m *own_m(void)
{
    struct m *m = m_self();
    return m && m->g ? m : NULL;
}

weft_context *weft_context_current(void)
{
    return context_of(own_m());
}

weft_context *weft_context_enter(weft_context *context)
{
    struct m *m = own_m();
    weft_context *before = context_of(m);
    if (m)
        m->g->context = context;
    else
        set_thread_context(context);
    return before;
}

int weft_context_wait(weft_context *context)
{
    struct m *m = rt_enter();
    struct limit limit = limit_in(context);
    int error = wait_for_limit(&m, &limit, WEFT_TRACE_BLOCK_SYNC);
    rt_exit_any(m);
    return error;
}
