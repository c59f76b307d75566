/* SPDX-License-Identifier: MIT */
/* What Go's tests of package sync try beyond the other tests of weft/sync.h (docs/ports.md). Names
 * in brackets are Go's. */
#include "sched/mutex.h"
#include "sched/support.h"

/* ---- Condition variable ---- */

struct steps {
    weft_mutex mutex;
    weft_cond cond;
    weft_waitgroup group;
    int step;
};

/* Each leaves the mutex to others until the step before its own is done. */
static void first_and_third_step(void *arg)
{
    struct steps *s = arg;
    weft_mutex_lock(&s->mutex);
    s->step = 1;
    weft_cond_broadcast(&s->cond);
    while (s->step != 2)
        weft_cond_wait(&s->cond, &s->mutex);
    s->step = 3;
    weft_cond_broadcast(&s->cond);
    weft_mutex_unlock(&s->mutex);
    weft_waitgroup_done(&s->group);
}

static void second_step(void *arg)
{
    struct steps *s = arg;
    weft_mutex_lock(&s->mutex);
    while (s->step != 1)
        weft_cond_wait(&s->cond, &s->mutex);
    s->step = 2;
    weft_cond_broadcast(&s->cond);
    weft_mutex_unlock(&s->mutex);
    weft_waitgroup_done(&s->group);
}

static void last_step(void *arg)
{
    struct steps *s = arg;
    weft_mutex_lock(&s->mutex);
    while (s->step != 3)
        weft_cond_wait(&s->cond, &s->mutex);
    s->step = 4;
    weft_mutex_unlock(&s->mutex);
    weft_waitgroup_done(&s->group);
}

/* [Race] */
static void goroutines_pass_steps_to_each_other(void)
{
    for (int i = 0; i < ROUNDS(1000); i++) {
        struct steps s = {.step = 0};
        weft_waitgroup_add(&s.group, 3);
        go(last_step, &s);
        go(second_step, &s);
        go(first_and_third_step, &s);
        weft_waitgroup_wait(&s.group);
        CHECK_EQ(s.step, 4);
    }
}

struct theft {
    weft_mutex mutex;
    weft_cond cond;
    weft_waitgroup first, others;
    bool done;
};

static void wait_once(void *arg)
{
    struct theft *t = arg;
    weft_mutex_lock(&t->mutex);
    weft_cond_wait(&t->cond, &t->mutex);
    weft_mutex_unlock(&t->mutex);
    weft_waitgroup_done(&t->first);
}

static void broadcast(void *arg)
{
    struct theft *t = arg;
    weft_cond_broadcast(&t->cond);
    weft_waitgroup_done(&t->others);
}

static void wait_until_done(void *arg)
{
    struct theft *t = arg;
    weft_mutex_lock(&t->mutex);
    while (!t->done)
        weft_cond_wait(&t->cond, &t->mutex);
    weft_mutex_unlock(&t->mutex);
    weft_waitgroup_done(&t->others);
}

/* [CondSignalStealing]: the wake-up of who waits already is not taken by one who comes to wait at
 * that moment. */
static void a_late_waiter_steals_no_wake_up(void)
{
    for (int i = 0; i < ROUNDS(2000); i++) {
        struct theft t = {.done = false};
        weft_waitgroup_add(&t.first, 1);
        weft_waitgroup_add(&t.others, 2);
        go(wait_once, &t);
        await_waiters(sync_queue(&t.cond.head), sync_lock(t.cond.lock), 1);
        go(broadcast, &t);
        go(wait_until_done, &t);
        weft_waitgroup_wait(&t.first);
        weft_mutex_lock(&t.mutex);
        t.done = true;
        weft_mutex_unlock(&t.mutex);
        weft_cond_broadcast(&t.cond);
        weft_waitgroup_wait(&t.others);
    }
}

/* ---- Mutex ---- */

struct sleepy {
    weft_mutex mutex;
    weft_waitgroup group;
    uint32_t stop; /* atomic */
};

/* Sleeps while it has the mutex, and asks for it again at once. */
static void sleep_inside(void *arg)
{
    struct sleepy *s = arg;
    while (!atomic_load_relaxed(&s->stop)) {
        weft_mutex_lock(&s->mutex);
        weft_sleep(100 * WEFT_MICROSECOND);
        weft_mutex_unlock(&s->mutex);
    }
    weft_waitgroup_done(&s->group);
}

/* [MutexFairness]: would not end if the holder, who is awake when it unlocks, always won. */
static void a_holder_that_sleeps_does_not_keep_the_mutex(void)
{
    struct sleepy s = {.stop = 0};
    weft_waitgroup_add(&s.group, 1);
    go(sleep_inside, &s);
    for (int i = 0; i < 10; i++) {
        weft_sleep(100 * WEFT_MICROSECOND);
        weft_mutex_lock(&s.mutex);
        weft_mutex_unlock(&s.mutex);
    }
    atomic_store_relaxed(&s.stop, 1);
    weft_waitgroup_wait(&s.group);
    CHECK_EQ(s.mutex.state, 0);
}

struct trying {
    weft_mutex mutex;
    weft_waitgroup group;
    int rounds, inside;
    uint32_t taken, failed; /* atomic */
};

static void lock_or_try(void *arg)
{
    struct trying *t = arg;
    for (int i = 0; i < t->rounds; i++) {
        bool taken = true;
        if (i % 3 == 0)
            taken = weft_mutex_trylock(&t->mutex);
        else
            weft_mutex_lock(&t->mutex);
        atomic_add_relaxed(taken ? &t->taken : &t->failed, 1);
        if (!taken)
            continue;
        CHECK_EQ(t->inside++, 0);
        if (i % 32 == 0)
            weft_yield();
        t->inside--;
        weft_mutex_unlock(&t->mutex);
    }
    weft_waitgroup_done(&t->group);
}

/* [Mutex]: Go's hammer, in which every third attempt is a try. */
static void tries_among_locks_exclude_as_well(void)
{
    struct trying t = {.rounds = ROUNDS(3000)};
    weft_waitgroup_add(&t.group, 10);
    for (int i = 0; i < 10; i++)
        go(lock_or_try, &t);
    weft_waitgroup_wait(&t.group);
    CHECK_EQ(t.taken + t.failed, 10 * t.rounds);
    CHECK_EQ(t.mutex.state, 0);
}

/* ---- Read-write mutex ---- */

struct hammer {
    weft_rwmutex rw;
    weft_waitgroup group;
    int32_t activity; /* atomic: 1 for each reader, 10000 for each writer */
    int rounds;
};

static void hammer_inside(struct hammer *h, int32_t step, int i)
{
    int32_t n = atomic_add_acqrel(&h->activity, step) + step;
    CHECK(step == 1 ? n >= 1 && n < 10000 : n == 10000);
    if (i % 64 == 0)
        weft_yield();
    atomic_sub_acqrel(&h->activity, step);
}

static void hammer_reads(void *arg)
{
    struct hammer *h = arg;
    for (int i = 0; i < h->rounds; i++) {
        if (i % 4 == 3 && !weft_rwmutex_try_rdlock(&h->rw))
            continue;
        if (i % 4 != 3)
            weft_rwmutex_rdlock(&h->rw);
        hammer_inside(h, 1, i);
        weft_rwmutex_rdunlock(&h->rw);
    }
    weft_waitgroup_done(&h->group);
}

static void hammer_writes(void *arg)
{
    struct hammer *h = arg;
    for (int i = 0; i < h->rounds; i++) {
        if (i % 4 == 3 && !weft_rwmutex_try_wrlock(&h->rw))
            continue;
        if (i % 4 != 3)
            weft_rwmutex_wrlock(&h->rw);
        hammer_inside(h, 10000, i);
        weft_rwmutex_wrunlock(&h->rw);
    }
    weft_waitgroup_done(&h->group);
}

/* [RWMutex]: numbers of readers as in Go's. */
static void readers_and_writers_hammer_one_lock(void)
{
    static const int readers[] = {1, 3, 10};
    for (int k = 0; k < 3; k++) {
        struct hammer h = {.rounds = ROUNDS(1000)};
        weft_waitgroup_add(&h.group, readers[k] + 2);
        go(hammer_writes, &h);
        for (int i = 0; i < readers[k]; i++)
            go(hammer_reads, &h);
        go(hammer_writes, &h);
        weft_waitgroup_wait(&h.group);
        CHECK_EQ(h.rw.state, 0);
    }
}

/* ---- Wait group ---- */

struct race {
    weft_waitgroup group;
    uint32_t done; /* atomic */
};

static void finish(void *arg)
{
    struct race *r = arg;
    atomic_add_relaxed(&r->done, 1);
    weft_waitgroup_done(&r->group);
}

/* [WaitGroupRace]: a count that returns to 0 early does not let the wait go for good. */
static void counting_and_finishing_race(void)
{
    for (int i = 0; i < ROUNDS(5000); i++) {
        struct race r = {.done = 0};
        for (int k = 0; k < 2; k++) {
            weft_waitgroup_add(&r.group, 1);
            go(finish, &r);
        }
        weft_waitgroup_wait(&r.group);
        CHECK_EQ(r.done, 2);
    }
}

/* ---- Semaphore ---- */

struct handoff {
    weft_sem sem;
    weft_waitgroup group;
    uint32_t had; /* atomic */
};

static void take_and_give(void *arg)
{
    struct handoff *h = arg;
    weft_sem_acquire(&h->sem, 1);
    atomic_add_relaxed(&h->had, 1);
    weft_sem_release(&h->sem, 1);
    weft_waitgroup_done(&h->group);
}

/* [SemaHandoff]: who gives a unit back and asks for one at once comes after those who wait. */
static void a_released_unit_goes_to_who_waits(void)
{
    for (int i = 0; i < ROUNDS(1000); i++) {
        struct handoff h = {.sem = WEFT_SEM_INIT(0)};
        weft_waitgroup_add(&h.group, 3);
        for (unsigned k = 0; k < 3; k++) {
            go(take_and_give, &h);
            await_waiters(sync_queue(&h.sem.head), sync_lock(h.sem.lock), k + 1);
        }
        weft_sem_release(&h.sem, 1);
        weft_sem_acquire(&h.sem, 1);
        CHECK_EQ(atomic_load_relaxed(&h.had), 3);
        weft_waitgroup_wait(&h.group);
    }
}

ON_ALL_PROCS(goroutines_pass_steps_to_each_other)
ON_ALL_PROCS(a_late_waiter_steals_no_wake_up)
ON_ALL_PROCS(a_holder_that_sleeps_does_not_keep_the_mutex)
ON_ALL_PROCS(tries_among_locks_exclude_as_well)
ON_ALL_PROCS(readers_and_writers_hammer_one_lock)
ON_ALL_PROCS(counting_and_finishing_race)
ON_ALL_PROCS(a_released_unit_goes_to_who_waits)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(goroutines_pass_steps_to_each_other),
        TEST(a_late_waiter_steals_no_wake_up),
        TEST(a_holder_that_sleeps_does_not_keep_the_mutex),
        TEST(tries_among_locks_exclude_as_well),
        TEST(readers_and_writers_hammer_one_lock),
        TEST(counting_and_finishing_race),
        TEST(a_released_unit_goes_to_who_waits),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
