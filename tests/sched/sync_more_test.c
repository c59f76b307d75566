/* SPDX-License-Identifier: MIT */
/* Read-write mutexes, semaphores, once, and the forms with deadlines. */
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

/* ---- Read-write mutex ---- */

struct shared {
    weft_rwmutex rw;
    weft_waitgroup group;
    int rounds;
    uint32_t readers, writers; /* atomic */
    int64_t value;
    uint32_t most; /* atomic: readers seen at once */
};

static void read_it(void *arg)
{
    struct shared *s = arg;
    for (int i = 0; i < s->rounds; i++) {
        weft_rwmutex_rdlock(&s->rw);
        uint32_t n = atomic_add_acqrel(&s->readers, 1) + 1;
        CHECK_EQ(atomic_load_relaxed(&s->writers), 0);
        if (n > atomic_load_relaxed(&s->most))
            atomic_store_relaxed(&s->most, n);
        int64_t value = s->value;
        if (i % 8 == 0)
            weft_yield();
        CHECK_EQ(s->value, value);
        atomic_sub_acqrel(&s->readers, 1);
        weft_rwmutex_rdunlock(&s->rw);
    }
    weft_waitgroup_done(&s->group);
}

static void write_it(void *arg)
{
    struct shared *s = arg;
    for (int i = 0; i < s->rounds; i++) {
        weft_rwmutex_wrlock(&s->rw);
        CHECK_EQ(atomic_add_acqrel(&s->writers, 1), 0);
        CHECK_EQ(atomic_load_relaxed(&s->readers), 0);
        s->value++;
        if (i % 16 == 0)
            weft_yield();
        atomic_sub_acqrel(&s->writers, 1);
        weft_rwmutex_wrunlock(&s->rw);
    }
    weft_waitgroup_done(&s->group);
}

static void hammer_rwmutex(int readers, int writers, int rounds)
{
    struct shared s = {.rounds = ROUNDS(rounds)};
    weft_waitgroup_add(&s.group, readers + writers);
    for (int i = 0; i < readers || i < writers; i++) {
        if (i < readers)
            go(read_it, &s);
        if (i < writers)
            go(write_it, &s);
    }
    weft_waitgroup_wait(&s.group);
    CHECK_EQ(s.value, (int64_t)writers * s.rounds);
    CHECK_EQ(s.rw.state, 0);
    CHECK(!s.rw.readers_head && !s.rw.writers_head);
}

/* Go's TestRWMutex, HammerRWMutex */
static void readers_share_and_writers_exclude(void)
{
    hammer_rwmutex(3, 1, 2000);
    hammer_rwmutex(1, 3, 2000);
    hammer_rwmutex(10, 1, 1000);
    hammer_rwmutex(1, 10, 1000);
    hammer_rwmutex(10, 5, 1000);
    hammer_rwmutex(200, 50, 20);
}

/* Go's TestParallelReaders: they are all in at the same time. */
struct meeting {
    weft_rwmutex rw;
    weft_waitgroup inside, go_on, group;
};

static void meet(void *arg)
{
    struct meeting *m = arg;
    weft_rwmutex_rdlock(&m->rw);
    weft_waitgroup_done(&m->inside);
    weft_waitgroup_wait(&m->go_on);
    weft_rwmutex_rdunlock(&m->rw);
    weft_waitgroup_done(&m->group);
}

static void readers_are_in_at_the_same_time(void)
{
    struct meeting m = {0};
    weft_waitgroup_add(&m.inside, 20);
    weft_waitgroup_add(&m.group, 20);
    weft_waitgroup_add(&m.go_on, 1);
    for (int i = 0; i < 20; i++)
        go(meet, &m);
    weft_waitgroup_wait(&m.inside);
    CHECK_EQ(weft_rwmutex_try_wrlock(&m.rw), 0);
    weft_waitgroup_done(&m.go_on);
    weft_waitgroup_wait(&m.group);
    CHECK_EQ(weft_rwmutex_try_wrlock(&m.rw), 1);
    CHECK_EQ(weft_rwmutex_try_rdlock(&m.rw), 0);
    weft_rwmutex_wrunlock(&m.rw);
    CHECK_EQ(weft_rwmutex_try_rdlock(&m.rw), 1);
    weft_rwmutex_rdunlock(&m.rw);
}

struct order {
    weft_rwmutex rw;
    weft_waitgroup group;
    char text[16];
    uint32_t length; /* atomic */
};

static void note(struct order *o, char c)
{
    o->text[atomic_add_acqrel(&o->length, 1)] = c;
}

static void read_once(void *arg)
{
    struct order *o = arg;
    weft_rwmutex_rdlock(&o->rw);
    note(o, 'r');
    weft_rwmutex_rdunlock(&o->rw);
    weft_waitgroup_done(&o->group);
}

static void write_once(void *arg)
{
    struct order *o = arg;
    weft_rwmutex_wrlock(&o->rw);
    note(o, 'w');
    weft_rwmutex_wrunlock(&o->rw);
    weft_waitgroup_done(&o->group);
}

static void start(struct order *o, void (*fn)(void *), void **head, unsigned n)
{
    weft_waitgroup_add(&o->group, 1);
    go(fn, o);
    await_waiters(sync_queue(head), sync_lock(o->rw.lock), n);
}

static void phases_alternate_while_both_wait(void)
{
    struct order o = {0};
    weft_rwmutex_rdlock(&o.rw);
    start(&o, write_once, &o.rw.writers_head, 1);
    start(&o, read_once, &o.rw.readers_head, 1); /* a writer waits: no reader passes it */
    start(&o, write_once, &o.rw.writers_head, 2);
    start(&o, read_once, &o.rw.readers_head, 2);
    CHECK_EQ(o.length, 0);
    weft_rwmutex_rdunlock(&o.rw);
    weft_waitgroup_wait(&o.group);
    CHECK(strcmp(o.text, "wrrw") == 0);
    CHECK_EQ(o.rw.state, 0);
}

struct quitter {
    struct order order;
    weft_context *context;
};

static void write_until_told(void *arg)
{
    struct quitter *q = arg;
    CHECK_EQ(weft_rwmutex_wrlock_ctx(q->context, &q->order.rw), -ECANCELED);
    weft_waitgroup_done(&q->order.group);
}

static void a_writer_that_gives_up_lets_readers_in(void)
{
    struct quitter q = {.context = weft_context_new(NULL)};
    struct order *o = &q.order;
    weft_rwmutex_rdlock(&o->rw);
    start(o, write_until_told, &o->rw.writers_head, 1);
    start(o, read_once, &o->rw.readers_head, 1);
    weft_context_cancel(q.context, 0);
    weft_waitgroup_wait(&o->group); /* the reader goes on beside the first one */
    CHECK_EQ(o->length, 1);
    weft_rwmutex_rdunlock(&o->rw);
    CHECK_EQ(o->rw.state, 0);
    weft_context_free(q.context);
}

static void read_write_deadlines(void)
{
    weft_rwmutex rw = WEFT_RWMUTEX_INIT;
    CHECK_EQ(weft_rwmutex_wrlock_until(&rw, 1), 0); /* late, but it is free */
    CHECK_EQ(weft_rwmutex_rdlock_until(&rw, soon()), -ETIMEDOUT);
    CHECK_EQ(rw.state, 1);
    weft_rwmutex_wrunlock(&rw);
    CHECK_EQ(weft_rwmutex_rdlock_until(&rw, far_off()), 0);
    CHECK_EQ(weft_rwmutex_wrlock_until(&rw, 1), -ETIMEDOUT);
    CHECK_EQ(weft_rwmutex_wrlock_until(&rw, soon()), -ETIMEDOUT);
    CHECK_EQ(weft_rwmutex_try_rdlock(&rw), 1);
    weft_rwmutex_rdunlock(&rw);
    weft_rwmutex_rdunlock(&rw);
    CHECK_EQ(rw.state, 0);
}

struct storm {
    weft_rwmutex rw;
    weft_mutex mutex;
    weft_sem sem;
    weft_waitgroup group;
    int rounds;
    int64_t value, taken; /* value: under what was locked */
    uint32_t late;
};

static void rw_storm(void *arg)
{
    struct storm *s = arg;
    for (int i = 0; i < s->rounds; i++) {
        int64_t deadline = weft_now() + i % 7 * 2 * WEFT_MICROSECOND;
        if (i % 3 == 0 && weft_rwmutex_wrlock_until(&s->rw, deadline) == 0) {
            s->value++;
            atomic_add_relaxed(&s->taken, 1);
            weft_rwmutex_wrunlock(&s->rw);
        } else if (i % 3 != 0 && weft_rwmutex_rdlock_until(&s->rw, deadline) == 0) {
            CHECK(s->value >= 0);
            if (i % 5 == 0)
                weft_yield();
            weft_rwmutex_rdunlock(&s->rw);
        } else {
            atomic_add_relaxed(&s->late, 1);
        }
    }
    weft_waitgroup_done(&s->group);
}

static void run_storm(struct storm *s, void (*fn)(void *))
{
    enum { CROWD = 8 };
    s->rounds = ROUNDS(4000);
    weft_waitgroup_add(&s->group, CROWD);
    for (int i = 0; i < CROWD; i++)
        go(fn, s);
    weft_waitgroup_wait(&s->group);
    CHECK_EQ(s->value, s->taken);
}

static void read_write_deadlines_race_with_hand_over(void)
{
    struct storm s = {0};
    run_storm(&s, rw_storm);
    CHECK_EQ(s.rw.state, 0);
    CHECK(!s.rw.readers_head && !s.rw.writers_head);
}

/* ---- Mutex with deadlines ---- */

static void mutex_storm(void *arg)
{
    struct storm *s = arg;
    for (int i = 0; i < s->rounds; i++) {
        if (weft_mutex_lock_until(&s->mutex, weft_now() + i % 7 * 2 * WEFT_MICROSECOND)) {
            atomic_add_relaxed(&s->late, 1);
            continue;
        }
        s->value++;
        atomic_add_relaxed(&s->taken, 1);
        if (i % 5 == 0)
            weft_yield();
        weft_mutex_unlock(&s->mutex);
    }
    weft_waitgroup_done(&s->group);
}

static void mutex_deadlines_race_with_unlock(void)
{
    struct storm s = {0};
    run_storm(&s, mutex_storm);
    CHECK_EQ(s.mutex.state, 0);
    CHECK(!s.mutex.head);
}

static void a_mutex_is_waited_for_until_a_deadline(void)
{
    weft_mutex mutex = WEFT_MUTEX_INIT;
    CHECK_EQ(weft_mutex_lock_until(&mutex, 1), 0);
    int64_t deadline = soon();
    CHECK_EQ(weft_mutex_lock_until(&mutex, deadline), -ETIMEDOUT);
    CHECK(weft_now() >= deadline);
    CHECK_EQ(mutex.state, 1);
    weft_mutex_unlock(&mutex);
    CHECK_EQ(weft_mutex_trylock(&mutex), 1);
    weft_mutex_unlock(&mutex);
}

/* ---- Semaphore ---- */

static void a_semaphore_counts(void)
{
    weft_sem sem = WEFT_SEM_INIT(3);
    weft_sem_acquire(&sem, 2);
    CHECK_EQ(weft_sem_try_acquire(&sem, 2), 0);
    CHECK_EQ(weft_sem_try_acquire(&sem, 1), 1);
    CHECK_EQ(weft_sem_acquire_until(&sem, 1, soon()), -ETIMEDOUT);
    CHECK_EQ(weft_sem_try_acquire(&sem, 0), 1);
    weft_sem_release(&sem, 3);
    CHECK_EQ(weft_sem_acquire_until(&sem, 3, 1), 0);
    weft_sem_release(&sem, 3);
    CHECK_EQ(sem.units, 3);
}

struct queueing {
    weft_sem sem;
    weft_waitgroup group;
    uint32_t order; /* atomic */
    uint32_t place[3];
    weft_context *context;
};

static void take_many(void *arg)
{
    struct queueing *q = arg;
    weft_sem_acquire(&q->sem, 5);
    q->place[0] = ++q->order;
    weft_sem_release(&q->sem, 5);
    weft_waitgroup_done(&q->group);
}

static void take_little(void *arg)
{
    struct queueing *q = arg;
    weft_sem_acquire(&q->sem, 1);
    q->place[1] = ++q->order;
    weft_sem_release(&q->sem, 1);
    weft_waitgroup_done(&q->group);
}

static void give_up_many(void *arg)
{
    struct queueing *q = arg;
    CHECK_EQ(weft_sem_acquire_ctx(q->context, &q->sem, 5), -ECANCELED);
    weft_waitgroup_done(&q->group);
}

static void await_sem(struct queueing *q, unsigned n)
{
    await_waiters(sync_queue(&q->sem.head), sync_lock(q->sem.lock), n);
}

static void who_wants_little_does_not_overtake(void)
{
    struct queueing q = {.sem = WEFT_SEM_INIT(5)};
    weft_sem_acquire(&q.sem, 3);
    weft_waitgroup_add(&q.group, 2);
    go(take_many, &q);
    await_sem(&q, 1);
    go(take_little, &q);
    await_sem(&q, 2);
    CHECK_EQ(weft_sem_try_acquire(&q.sem, 1), 0);
    weft_sem_release(&q.sem, 3);
    weft_waitgroup_wait(&q.group);
    CHECK(q.place[0] == 1 && q.place[1] == 2);
    CHECK_EQ(q.sem.units, 5);
}

static void who_gives_up_lets_smaller_ones_in(void)
{
    struct queueing q = {.sem = WEFT_SEM_INIT(5), .context = weft_context_new(NULL)};
    weft_sem_acquire(&q.sem, 3);
    weft_waitgroup_add(&q.group, 2);
    go(give_up_many, &q);
    await_sem(&q, 1);
    go(take_little, &q);
    await_sem(&q, 2);
    weft_context_cancel(q.context, 0);
    weft_waitgroup_wait(&q.group);
    CHECK_EQ(q.sem.units, 2);
    weft_context_free(q.context);
}

static void sem_storm(void *arg)
{
    struct storm *s = arg;
    for (int i = 0; i < s->rounds; i++) {
        uint32_t units = 1 + (uint32_t)i % 4;
        if (weft_sem_acquire_until(&s->sem, units, weft_now() + i % 7 * 2 * WEFT_MICROSECOND))
            continue;
        CHECK(atomic_add_acqrel(&s->late, units) + units <= 4);
        if (i % 5 == 0)
            weft_yield();
        atomic_sub_acqrel(&s->late, units);
        weft_sem_release(&s->sem, units);
    }
    weft_waitgroup_done(&s->group);
}

static void semaphore_deadlines_race_with_release(void)
{
    struct storm s = {.sem = WEFT_SEM_INIT(4)};
    run_storm(&s, sem_storm);
    CHECK_EQ(s.sem.units, 4);
    CHECK(!s.sem.head);
}

/* ---- Once ---- */

struct first {
    weft_once once;
    weft_waitgroup group;
    int calls;
    uint32_t finished; /* atomic */
};

static void work_once(void *arg)
{
    struct first *f = arg;
    f->calls++;
    weft_sleep(WEFT_MILLISECOND);
    atomic_store_relaxed(&f->finished, 1);
}

static void come_first(void *arg)
{
    struct first *f = arg;
    weft_once_do(&f->once, work_once, f);
    CHECK_EQ(atomic_load_relaxed(&f->finished), 1);
    weft_waitgroup_done(&f->group);
}

/* Go's TestOnce */
static void once_is_done_once_and_everybody_waits_for_it(void)
{
    struct first f = {0};
    weft_waitgroup_add(&f.group, 50);
    for (int i = 0; i < 50; i++)
        go(come_first, &f);
    weft_waitgroup_wait(&f.group);
    CHECK_EQ(f.calls, 1);
}

/* ---- Condition and wait group with deadlines ---- */

static void a_condition_is_waited_for_until_a_deadline(void)
{
    weft_mutex mutex = WEFT_MUTEX_INIT;
    weft_cond cond = WEFT_COND_INIT;
    weft_mutex_lock(&mutex);
    int64_t deadline = soon();
    CHECK_EQ(weft_cond_wait_until(&cond, &mutex, deadline), -ETIMEDOUT);
    CHECK(weft_now() >= deadline);
    CHECK_EQ(weft_mutex_trylock(&mutex), 0);
    CHECK(!cond.head);
    weft_mutex_unlock(&mutex);
}

struct tickets {
    weft_mutex mutex;
    weft_cond cond;
    weft_waitgroup group;
    int rounds, tickets, sold;
    bool closed;
};

static void buy_impatiently(void *arg)
{
    struct tickets *t = arg;
    weft_mutex_lock(&t->mutex);
    for (;;) {
        while (t->tickets == 0 && !t->closed)
            weft_cond_wait_until(&t->cond, &t->mutex, weft_now() + 2 * WEFT_MICROSECOND);
        if (t->tickets == 0)
            break;
        t->tickets--;
        t->sold++;
    }
    weft_mutex_unlock(&t->mutex);
    weft_waitgroup_done(&t->group);
}

/* A signal never ends with one whose deadline has come at the same moment: here a patient buyer
 * depends on it. */
static void buy_patiently(void *arg)
{
    struct tickets *t = arg;
    weft_mutex_lock(&t->mutex);
    while (t->tickets == 0 && !t->closed)
        weft_cond_wait(&t->cond, &t->mutex);
    bool got = t->tickets > 0;
    if (got) {
        t->tickets--;
        t->sold++;
    }
    weft_mutex_unlock(&t->mutex);
    if (got)
        buy_patiently(t);
    else
        weft_waitgroup_done(&t->group);
}

static void condition_deadlines_race_with_signals(void)
{
    struct tickets t = {.rounds = ROUNDS(2000)};
    weft_waitgroup_add(&t.group, 4);
    go(buy_patiently, &t);
    for (int i = 0; i < 3; i++)
        go(buy_impatiently, &t);
    for (int i = 0; i < t.rounds; i++) {
        weft_mutex_lock(&t.mutex);
        t.tickets++;
        weft_cond_signal(&t.cond);
        weft_mutex_unlock(&t.mutex);
        if (i % 4 == 0)
            weft_yield();
    }
    weft_mutex_lock(&t.mutex);
    t.closed = true;
    weft_cond_broadcast(&t.cond);
    weft_mutex_unlock(&t.mutex);
    weft_waitgroup_wait(&t.group);
    CHECK_EQ(t.sold, t.rounds);
    CHECK(!t.cond.head);
}

static void a_wait_group_is_waited_for_until_a_deadline(void)
{
    weft_waitgroup group = WEFT_WAITGROUP_INIT;
    CHECK_EQ(weft_waitgroup_wait_until(&group, 1), 0);
    weft_waitgroup_add(&group, 1);
    CHECK_EQ(weft_waitgroup_wait_until(&group, 1), -ETIMEDOUT);
    CHECK_EQ(weft_waitgroup_wait_until(&group, soon()), -ETIMEDOUT);
    CHECK_EQ(group.count, INT64_C(1) << 32);
    weft_waitgroup_done(&group);
    CHECK_EQ(weft_waitgroup_wait_until(&group, far_off()), 0);
}

static void finish(void *arg)
{
    weft_waitgroup_done(arg);
}

/* G3: whoever has got -ETIMEDOUT may not free the group, but one that then waits to the end may,
 * and the last done() must not come late to it. */
static void group_deadlines_race_with_the_last_done(void)
{
    for (int i = 0; i < ROUNDS(20000); i++) {
        weft_waitgroup *group = calloc(1, sizeof *group);
        weft_waitgroup_add(group, 1);
        go(finish, group);
        while (weft_waitgroup_wait_until(group, weft_now() + i % 5 * WEFT_MICROSECOND))
            weft_yield();
        CHECK_EQ(group->count, 0);
        memset(group, 0xdd, sizeof *group);
        free(group);
    }
}

/* ---- Misuse ---- */

static void rdunlock_unlocked(void)
{
    weft_rwmutex rw = WEFT_RWMUTEX_INIT;
    weft_rwmutex_rdunlock(&rw);
}

static void rdunlock_of_a_writer(void)
{
    weft_rwmutex rw = WEFT_RWMUTEX_INIT;
    weft_rwmutex_wrlock(&rw);
    weft_rwmutex_rdunlock(&rw);
}

static void wrunlock_of_a_reader(void)
{
    weft_rwmutex rw = WEFT_RWMUTEX_INIT;
    weft_rwmutex_rdlock(&rw);
    weft_rwmutex_wrunlock(&rw);
}

static void too_many_units(void)
{
    weft_sem sem = WEFT_SEM_INIT(INT64_MAX);
    weft_sem_release(&sem, 1);
}

static void test_misuse_stops_the_program(void **state)
{
    (void)state;
    static const char *const for_reading =
        "unlock of a read-write mutex that is not locked for reading";
    expect_fatal(rdunlock_unlocked, for_reading);
    expect_fatal(rdunlock_of_a_writer, for_reading);
    expect_fatal(wrunlock_of_a_reader,
                 "unlock of a read-write mutex that is not locked for writing");
    expect_fatal(too_many_units, "a semaphore was given more than INT64_MAX units");
}

ON_ALL_PROCS(readers_share_and_writers_exclude)
ON_ALL_PROCS(readers_are_in_at_the_same_time)
ON_ALL_PROCS(a_writer_that_gives_up_lets_readers_in)
ON_ALL_PROCS(read_write_deadlines)
ON_ALL_PROCS(read_write_deadlines_race_with_hand_over)
ON_ALL_PROCS(mutex_deadlines_race_with_unlock)
ON_ALL_PROCS(a_mutex_is_waited_for_until_a_deadline)
ON_ALL_PROCS(a_semaphore_counts)
ON_ALL_PROCS(who_wants_little_does_not_overtake)
ON_ALL_PROCS(who_gives_up_lets_smaller_ones_in)
ON_ALL_PROCS(semaphore_deadlines_race_with_release)
ON_ALL_PROCS(once_is_done_once_and_everybody_waits_for_it)
ON_ALL_PROCS(a_condition_is_waited_for_until_a_deadline)
ON_ALL_PROCS(condition_deadlines_race_with_signals)
ON_ALL_PROCS(a_wait_group_is_waited_for_until_a_deadline)
ON_ALL_PROCS(group_deadlines_race_with_the_last_done)

/* One P: goroutines run in the order in which they are made ready. */
static void test_phases_alternate_while_both_wait(void **state)
{
    (void)state;
    run_on(1, phases_alternate_while_both_wait);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(misuse_stops_the_program),
        TEST(readers_share_and_writers_exclude),
        TEST(readers_are_in_at_the_same_time),
        TEST(phases_alternate_while_both_wait),
        TEST(a_writer_that_gives_up_lets_readers_in),
        TEST(read_write_deadlines),
        TEST(read_write_deadlines_race_with_hand_over),
        TEST(mutex_deadlines_race_with_unlock),
        TEST(a_mutex_is_waited_for_until_a_deadline),
        TEST(a_semaphore_counts),
        TEST(who_wants_little_does_not_overtake),
        TEST(who_gives_up_lets_smaller_ones_in),
        TEST(semaphore_deadlines_race_with_release),
        TEST(once_is_done_once_and_everybody_waits_for_it),
        TEST(a_condition_is_waited_for_until_a_deadline),
        TEST(condition_deadlines_race_with_signals),
        TEST(a_wait_group_is_waited_for_until_a_deadline),
        TEST(group_deadlines_race_with_the_last_done),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
