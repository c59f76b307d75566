/* SPDX-License-Identifier: MIT */
/* Contexts: the tree, and how every kind of wait ends with one. Names in brackets are of tests of
 * Go's context package, whose ideas these are. */
#include <pthread.h>

#include "sched/mutex.h"
#include "sched/support.h"

static int64_t soon(void)
{
    return weft_now() + WEFT_MILLISECOND;
}

static int64_t far_off(void)
{
    return weft_now() + 1000 * WEFT_SECOND;
}

/* ---- The tree ---- */

/* [WithCancel] */
static void a_context_ends_when_it_is_cancelled(void)
{
    weft_context *context = weft_context_new(NULL);
    CHECK_EQ(weft_context_error(context), 0);
    CHECK_EQ(weft_context_cause(context), 0);
    CHECK_EQ(weft_context_deadline(context), WEFT_NEVER);
    weft_context_cancel(context, -EIO);
    weft_context_cancel(context, -ENOENT);
    CHECK_EQ(weft_context_error(context), -ECANCELED);
    CHECK_EQ(weft_context_cause(context), -EIO);
    weft_context_free(context);
}

/* [ParentFinishesChild, Cause] */
static void a_parent_ends_all_below_it(void)
{
    weft_context *parent = weft_context_new(NULL);
    weft_context *child = weft_context_new(parent);
    weft_context *other = weft_context_with_value(parent, &parent, NULL);
    weft_context *deep = weft_context_new(child);
    weft_context_cancel(parent, -EIO);
    CHECK_EQ(weft_context_error(child), -ECANCELED);
    CHECK_EQ(weft_context_error(other), -ECANCELED);
    CHECK_EQ(weft_context_error(deep), -ECANCELED);
    CHECK_EQ(weft_context_cause(deep), -EIO);
    weft_context *late = weft_context_new(deep);
    CHECK_EQ(weft_context_error(late), -ECANCELED);
    CHECK_EQ(weft_context_cause(late), -EIO);
    weft_context_free(parent);
    weft_context_free(child);
    weft_context_free(other);
    weft_context_free(deep);
    weft_context_free(late);
}

/* [ChildFinishesFirst] */
static void a_child_ends_alone(void)
{
    weft_context *parent = weft_context_new(NULL);
    weft_context *child = weft_context_new(parent), *other = weft_context_new(parent);
    weft_context_cancel(child, 0);
    CHECK_EQ(weft_context_error(parent), 0);
    CHECK_EQ(weft_context_error(other), 0);
    CHECK_EQ(weft_context_cause(child), -ECANCELED);
    weft_context_free(child);
    weft_context_free(parent);
    CHECK_EQ(weft_context_error(other), -ECANCELED); /* freeing ends */
    weft_context_free(other);
}

/* [Deadline, Timeout, CanceledTimeout] */
static void a_deadline_ends_a_context(void)
{
    int64_t deadline = soon();
    weft_context *context = weft_context_with_deadline(NULL, deadline);
    weft_context *child = weft_context_with_deadline(context, far_off());
    weft_context *timed = weft_context_with_timeout(NULL, 1000 * WEFT_SECOND);
    CHECK_EQ(weft_context_deadline(context), deadline);
    CHECK_EQ(weft_context_deadline(child), deadline);
    CHECK_EQ(weft_context_wait(child), -ETIMEDOUT);
    CHECK(weft_now() >= deadline);
    CHECK_EQ(weft_context_error(context), -ETIMEDOUT);
    CHECK_EQ(weft_context_cause(child), -ETIMEDOUT);
    weft_context_cancel(context, -EIO); /* too late */
    CHECK_EQ(weft_context_cause(context), -ETIMEDOUT);
    weft_context_cancel(timed, 0);
    CHECK_EQ(weft_context_error(timed), -ECANCELED);
    weft_context_free(context);
    weft_context_free(child);
    weft_context_free(timed);
    weft_context *endless = weft_context_with_timeout(NULL, INT64_MAX);
    CHECK_EQ(weft_context_deadline(endless), WEFT_NEVER);
    weft_context_free(endless);
}

/* [Values, WithoutCancel] */
static void values_are_found_upwards(void)
{
    static const char first, second, third;
    int one = 1, two = 2, other = 3;
    weft_context *a = weft_context_with_value(NULL, &first, &one);
    weft_context *b = weft_context_with_value(a, &second, &two);
    weft_context *c = weft_context_with_value(b, &first, &other);
    weft_context *d = weft_context_detached(c);
    CHECK(weft_context_value(b, &first) == &one);
    CHECK(weft_context_value(c, &first) == &other);
    CHECK(weft_context_value(d, &second) == &two);
    CHECK(!weft_context_value(d, &third) && !weft_context_value(a, &second));
    CHECK(!weft_context_value(NULL, &first) && !weft_context_value(a, NULL));
    weft_context_cancel(a, 0);
    CHECK_EQ(weft_context_error(c), -ECANCELED);
    CHECK_EQ(weft_context_error(d), 0);
    weft_context_free(a);
    weft_context_free(b);
    weft_context_free(c);
    CHECK(weft_context_value(d, &second) == &two);
    weft_context_free(d);
}

static void a_long_chain_ends_without_a_deep_stack(void)
{
    enum { DEPTH = 20000 };
    static weft_context *chain[DEPTH];
    for (int i = 0; i < DEPTH; i++)
        chain[i] = weft_context_new(i ? chain[i - 1] : NULL);
    weft_context_cancel(chain[0], 0);
    CHECK_EQ(weft_context_error(chain[DEPTH - 1]), -ECANCELED);
    for (int i = 0; i < DEPTH; i++)
        weft_context_free(chain[i]);
}

/* ---- Waits ---- */

struct waits {
    weft_context *context;
    weft_chan *chan;
    weft_mutex mutex, held;
    weft_rwmutex rw;
    weft_sem sem;
    weft_cond cond;
    weft_waitgroup group, never;
    int expected;
    uint32_t ended; /* atomic */
};

static int wait_send(struct waits *w)
{
    return weft_chan_send_ctx(w->context, NULL, &w->expected);
}

static int wait_recv(struct waits *w)
{
    return weft_chan_recv_ctx(w->context, w->chan, NULL);
}

static int wait_select(struct waits *w)
{
    weft_select_case cases[] = {{.chan = w->chan}, {.chan = NULL}};
    return weft_select_ctx(w->context, cases, 2);
}

static int wait_select_nothing(struct waits *w)
{
    return weft_select_ctx(w->context, NULL, 0);
}

static int wait_mutex(struct waits *w)
{
    return weft_mutex_lock_ctx(w->context, &w->held);
}

static int wait_read(struct waits *w)
{
    return weft_rwmutex_rdlock_ctx(w->context, &w->rw);
}

static int wait_write(struct waits *w)
{
    return weft_rwmutex_wrlock_ctx(w->context, &w->rw);
}

static int wait_sem(struct waits *w)
{
    return weft_sem_acquire_ctx(w->context, &w->sem, 1);
}

static int wait_cond(struct waits *w)
{
    weft_mutex_lock(&w->mutex);
    int error = weft_cond_wait_ctx(w->context, &w->cond, &w->mutex);
    weft_mutex_unlock(&w->mutex);
    return error;
}

static int wait_group(struct waits *w)
{
    return weft_waitgroup_wait_ctx(w->context, &w->never);
}

static int wait_sleep(struct waits *w)
{
    return weft_sleep_until_ctx(w->context, far_off());
}

static int wait_end(struct waits *w)
{
    return weft_context_wait(w->context);
}

typedef int (*wait_fn)(struct waits *);

static const wait_fn wait_kinds[] = {wait_send,  wait_recv,  wait_select, wait_select_nothing,
                                     wait_mutex, wait_read,  wait_write,  wait_sem,
                                     wait_cond,  wait_group, wait_sleep,  wait_end};
enum { KINDS = sizeof wait_kinds / sizeof *wait_kinds };

struct one_wait {
    struct waits *waits;
    wait_fn fn;
};

static void wait_one(void *arg)
{
    struct one_wait *w = arg;
    CHECK_EQ(w->fn(w->waits), w->waits->expected);
    atomic_add_relaxed(&w->waits->ended, 1);
    weft_waitgroup_done(&w->waits->group);
}

static void init_waits(struct waits *w, weft_context *context, int expected)
{
    *w = (struct waits){.context = context, .expected = expected};
    w->chan = weft_chan_new(sizeof(int), 0);
    weft_mutex_lock(&w->held);
    weft_rwmutex_wrlock(&w->rw);
    weft_waitgroup_add(&w->never, 1);
}

static void fini_waits(struct waits *w)
{
    weft_mutex_unlock(&w->held);
    weft_rwmutex_wrunlock(&w->rw);
    CHECK(w->held.state == 0 && w->rw.state == 0 && w->mutex.state == 0);
    CHECK(!w->held.head && !w->rw.readers_head && !w->rw.writers_head && !w->cond.head);
    CHECK(!w->sem.head && !w->never.head);
    CHECK_EQ(w->never.count, INT64_C(1) << 32);
    weft_chan_free(w->chan); /* checks that nobody waits */
}

static void start_waits(struct waits *w, struct one_wait *one)
{
    for (size_t i = 0; i < KINDS; i++) {
        one[i] = (struct one_wait){w, wait_kinds[i]};
        weft_waitgroup_add(&w->group, 1);
        go(wait_one, &one[i]);
    }
}

static void every_kind_of_wait_ends_with_its_context(void)
{
    struct waits w;
    struct one_wait one[KINDS];
    init_waits(&w, weft_context_new(NULL), -ECANCELED);
    start_waits(&w, one);
    weft_sleep(WEFT_MILLISECOND);
    CHECK_EQ(w.ended, 0);
    weft_context_cancel(w.context, -EIO);
    weft_waitgroup_wait(&w.group);
    fini_waits(&w);
    weft_context_free(w.context);
}

static void every_kind_of_wait_ends_at_its_context_s_deadline(void)
{
    struct waits w;
    struct one_wait one[KINDS];
    init_waits(&w, weft_context_with_deadline(NULL, soon()), -ETIMEDOUT);
    start_waits(&w, one);
    weft_waitgroup_wait(&w.group);
    fini_waits(&w);
    weft_context_free(w.context);
}

static void no_wait_begins_in_a_context_that_has_ended(void)
{
    struct waits w;
    init_waits(&w, weft_context_new(NULL), -ECANCELED);
    weft_context_cancel(w.context, 0);
    for (size_t i = 0; i < KINDS; i++)
        CHECK_EQ(wait_kinds[i](&w), -ECANCELED);
    fini_waits(&w);
    weft_context_free(w.context);
}

static void what_can_be_done_at_once_is_done_in_any_context(void)
{
    weft_context *context = weft_context_new(NULL);
    weft_chan *chan = weft_chan_new(sizeof(int), 1);
    weft_mutex mutex = WEFT_MUTEX_INIT;
    int value = 7;
    weft_context_cancel(context, 0);
    CHECK_EQ(weft_chan_send_ctx(context, chan, &value), 0);
    CHECK_EQ(weft_chan_send_ctx(context, chan, &value), -ECANCELED);
    CHECK_EQ(weft_chan_recv_ctx(context, chan, &value), 0);
    CHECK_EQ(weft_mutex_lock_ctx(context, &mutex), 0);
    weft_mutex_unlock(&mutex);
    weft_chan_free(chan);
    weft_context_free(context);
}

static void inner(void *arg)
{
    CHECK(weft_context_current() == NULL);
    weft_waitgroup_done(arg);
}

static void the_current_context_is_the_goroutine_s_own(void)
{
    weft_context *a = weft_context_new(NULL), *b = weft_context_with_deadline(a, soon());
    CHECK(weft_context_enter(a) == NULL);
    CHECK(weft_context_enter(b) == a);
    CHECK_EQ(weft_chan_recv(NULL, NULL), -ETIMEDOUT);
    CHECK_EQ(weft_chan_recv_until(NULL, NULL, far_off()), -ETIMEDOUT);
    CHECK_EQ(weft_chan_try_recv(NULL, NULL), -EAGAIN);
    CHECK(weft_context_enter(a) == b);
    CHECK_EQ(weft_chan_recv_until(NULL, NULL, soon()), -ETIMEDOUT); /* the call's own deadline */
    weft_waitgroup group = WEFT_WAITGROUP_INIT;
    weft_waitgroup_add(&group, 1);
    go(inner, &group);
    weft_waitgroup_wait(&group);
    weft_context_enter(NULL);
    weft_context_free(b);
    weft_context_free(a);
}

/* ---- The channel of the end ---- */

static void done_is_closed_when_the_context_ends(void)
{
    weft_context *parent = weft_context_new(NULL);
    weft_context *child = weft_context_new(parent);
    weft_context *timed = weft_context_with_deadline(parent, soon());
    weft_chan *done = weft_context_done(child);
    CHECK(done && weft_context_done(child) == done);
    CHECK_EQ(weft_chan_try_recv(done, NULL), -EAGAIN);
    CHECK_EQ(weft_chan_recv(weft_context_done(timed), NULL), -EPIPE);
    CHECK_EQ(weft_context_error(timed), -ETIMEDOUT);
    weft_context_cancel(parent, 0);
    weft_select_case cases[] = {{.chan = NULL}, {.chan = done}};
    CHECK_EQ(weft_select(cases, 2, WEFT_NEVER), 1);
    CHECK_EQ(weft_chan_recv(weft_context_done(parent), NULL), -EPIPE); /* made after the end */
    weft_context_free(timed);
    weft_context_free(child);
    weft_context_free(parent);
}

/* ---- Races ---- */

struct race {
    weft_chan *chan;
    weft_context *context;
    weft_waitgroup group;
    uint32_t received, cancelled; /* atomic */
};

static void receive_or_stop(void *arg)
{
    struct race *r = arg;
    int value = 0, error = weft_chan_recv_ctx(r->context, r->chan, &value);
    CHECK(error == 0 || error == -ECANCELED);
    CHECK_EQ(value, error ? 0 : 5);
    atomic_add_relaxed(error ? &r->cancelled : &r->received, 1);
    weft_waitgroup_done(&r->group);
}

static void cancel_it(void *arg)
{
    struct race *r = arg;
    weft_context_cancel(r->context, 0);
    weft_waitgroup_done(&r->group);
}

static void a_cancel_races_with_hand_off(void)
{
    for (int i = 0; i < ROUNDS(2000); i++) {
        struct race r = {.chan = weft_chan_new(sizeof(int), 0), .context = weft_context_new(NULL)};
        int sent = 0, value = 5;
        weft_waitgroup_add(&r.group, 5);
        for (int k = 0; k < 4; k++)
            go(receive_or_stop, &r);
        if (i % 2)
            weft_yield();
        go(cancel_it, &r);
        while (sent < 3 && weft_chan_send_ctx(r.context, r.chan, &value) == 0)
            sent++;
        weft_waitgroup_wait(&r.group);
        CHECK_EQ(r.received, sent);
        CHECK_EQ(r.received + r.cancelled, 4);
        weft_context_free(r.context);
        weft_chan_free(r.chan);
    }
}

static void make_and_free_children(void *arg)
{
    struct race *r = arg;
    for (int i = 0; i < 10; i++) {
        weft_context *child = weft_context_new(r->context), *leaf = weft_context_new(child);
        CHECK(weft_chan_recv_until(weft_context_done(leaf), NULL, 1));
        weft_context_free(i % 2 ? child : leaf);
        weft_context_free(i % 2 ? leaf : child);
    }
    weft_waitgroup_done(&r->group);
}

/* [SimultaneousCancels, InterlockedCancels] */
static void children_come_and_go_while_the_parent_ends(void)
{
    for (int i = 0; i < ROUNDS(400); i++) {
        struct race r = {.context = weft_context_new(NULL)};
        weft_waitgroup_add(&r.group, 6);
        for (int k = 0; k < 4; k++)
            go(make_and_free_children, &r);
        go(cancel_it, &r);
        go(cancel_it, &r);
        weft_waitgroup_wait(&r.group);
        weft_context_free(r.context);
    }
}

static void a_timer_of_done_races_with_free(void)
{
    for (int i = 0; i < ROUNDS(2000); i++) {
        weft_context *context = weft_context_with_timeout(NULL, i % 8 * 2 * WEFT_MICROSECOND);
        CHECK(weft_context_done(context));
        for (int k = 0; k < i % 5; k++)
            weft_yield();
        weft_context_free(context);
    }
}

static void test_contexts_need_no_runtime(void **state)
{
    (void)state;
    values_are_found_upwards();
    a_parent_ends_all_below_it();
    a_deadline_ends_a_context();
    weft_context *context = weft_context_with_deadline(NULL, soon());
    assert_int_equal(weft_chan_recv_ctx(context, NULL, NULL), -ETIMEDOUT);
    weft_context_free(context);
}

ON_ALL_PROCS(a_context_ends_when_it_is_cancelled)
ON_ALL_PROCS(a_parent_ends_all_below_it)
ON_ALL_PROCS(a_child_ends_alone)
ON_ALL_PROCS(a_deadline_ends_a_context)
ON_ALL_PROCS(values_are_found_upwards)
ON_ALL_PROCS(a_long_chain_ends_without_a_deep_stack)
ON_ALL_PROCS(every_kind_of_wait_ends_with_its_context)
ON_ALL_PROCS(every_kind_of_wait_ends_at_its_context_s_deadline)
ON_ALL_PROCS(no_wait_begins_in_a_context_that_has_ended)
ON_ALL_PROCS(what_can_be_done_at_once_is_done_in_any_context)
ON_ALL_PROCS(the_current_context_is_the_goroutine_s_own)
ON_ALL_PROCS(done_is_closed_when_the_context_ends)
ON_ALL_PROCS(a_cancel_races_with_hand_off)
ON_ALL_PROCS(children_come_and_go_while_the_parent_ends)
ON_ALL_PROCS(a_timer_of_done_races_with_free)

/* ---- What follows the end ---- */

static uint32_t followed; /* atomic */

static void follow(void *arg)
{
    atomic_add_relaxed(&followed, (uint32_t)(uintptr_t)arg);
}

static void await_followed(uint32_t n)
{
    while (atomic_load_relaxed(&followed) != n)
        weft_yield();
}

/* [AfterFuncCalledAfterCancel, AfterFuncCalledAfterTimeout, AfterFuncCalledImmediately] */
static void a_function_follows_the_end(void)
{
    weft_context *parent = weft_context_new(NULL), *child = weft_context_new(parent);
    weft_context *timed = weft_context_with_timeout(NULL, WEFT_MILLISECOND);
    atomic_store_relaxed(&followed, 0);
    weft_after *of_child = weft_context_after(child, follow, (void *)1);
    weft_after *of_parent = weft_context_after(parent, follow, (void *)10);
    weft_after *of_timed = weft_context_after(timed, follow, (void *)100);
    await_followed(100);
    weft_context_cancel(parent, 0);
    await_followed(111);
    weft_after *late = weft_context_after(child, follow, (void *)1000);
    await_followed(1111);
    CHECK_EQ(weft_after_stop(of_child) + weft_after_stop(of_parent), 0);
    CHECK_EQ(weft_after_stop(of_timed) + weft_after_stop(late), 0);
    weft_context_free(child);
    weft_context_free(parent);
    weft_context_free(timed);
}

/* [AfterFuncStop, AfterFuncNotCalledAfterStop] */
static void a_stopped_function_is_not_called(void)
{
    weft_context *context = weft_context_new(NULL);
    weft_after *after[3];
    atomic_store_relaxed(&followed, 0);
    for (uintptr_t i = 0; i < 3; i++)
        after[i] = weft_context_after(context, follow, (void *)((uintptr_t)1 << i));
    CHECK_EQ(weft_after_stop(after[1]), 1);
    weft_context_free(context); /* ends it */
    await_followed(5);
    CHECK_EQ(weft_after_stop(after[0]), 0);
    CHECK_EQ(weft_after_stop(after[2]), 0);
}

static void *cancel_on_thread(void *context)
{
    weft_context_cancel(context, 0);
    return NULL;
}

/* More than can be posted, by a thread that has no P. */
static void a_plain_thread_ends_many(void)
{
    enum { MANY = 1500 };
    static weft_after *after[MANY];
    weft_context *context = weft_context_new(NULL);
    pthread_t thread;
    atomic_store_relaxed(&followed, 0);
    for (int i = 0; i < MANY; i++)
        after[i] = weft_context_after(context, follow, (void *)1);
    CHECK_EQ(pthread_create(&thread, NULL, cancel_on_thread, context), 0);
    await_followed(MANY);
    pthread_join(thread, NULL);
    for (int i = 0; i < MANY; i++)
        CHECK_EQ(weft_after_stop(after[i]), 0);
    weft_context_free(context);
}

static void cancel_soon(void *context)
{
    weft_yield();
    weft_context_cancel(context, 0);
}

/* Either it was stopped or it is called, never both or neither. */
static void a_stop_and_an_end_agree(void)
{
    uint32_t called = 0;
    atomic_store_relaxed(&followed, 0);
    for (int i = 0; i < ROUNDS(2000); i++) {
        weft_context *context = weft_context_new(NULL);
        weft_after *after = weft_context_after(context, follow, (void *)1);
        go(cancel_soon, context);
        for (int n = i % 7; n > 0; n--)
            weft_yield();
        called += 1 - (uint32_t)weft_after_stop(after);
        CHECK_EQ(weft_context_wait(context), -ECANCELED);
        await_followed(called);
        weft_yield();
        weft_context_free(context);
    }
    CHECK_EQ(atomic_load_relaxed(&followed), called);
}

ON_ALL_PROCS(a_function_follows_the_end)
ON_ALL_PROCS(a_stopped_function_is_not_called)
ON_ALL_PROCS(a_plain_thread_ends_many)
ON_ALL_PROCS(a_stop_and_an_end_agree)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(contexts_need_no_runtime),
        TEST(a_context_ends_when_it_is_cancelled),
        TEST(a_parent_ends_all_below_it),
        TEST(a_child_ends_alone),
        TEST(a_deadline_ends_a_context),
        TEST(values_are_found_upwards),
        TEST(a_long_chain_ends_without_a_deep_stack),
        TEST(every_kind_of_wait_ends_with_its_context),
        TEST(every_kind_of_wait_ends_at_its_context_s_deadline),
        TEST(no_wait_begins_in_a_context_that_has_ended),
        TEST(what_can_be_done_at_once_is_done_in_any_context),
        TEST(the_current_context_is_the_goroutine_s_own),
        TEST(done_is_closed_when_the_context_ends),
        TEST(a_cancel_races_with_hand_off),
        TEST(children_come_and_go_while_the_parent_ends),
        TEST(a_timer_of_done_races_with_free),
        TEST(a_function_follows_the_end),
        TEST(a_stopped_function_is_not_called),
        TEST(a_plain_thread_ends_many),
        TEST(a_stop_and_an_end_agree),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
