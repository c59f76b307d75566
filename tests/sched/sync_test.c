/* SPDX-License-Identifier: MIT */
/* Mutex, wait group, condition variable. */
#include "sched/support.h"

/* ---- Mutex ---- */

struct counter {
    weft_mutex mutex;
    weft_waitgroup group;
    int rounds;
    int64_t value;
    int inside;
};

static void count_up(void *arg)
{
    struct counter *c = arg;
    for (int i = 0; i < c->rounds; i++) {
        weft_mutex_lock(&c->mutex);
        CHECK_EQ(c->inside++, 0);
        c->value++;
        if (i % 16 == 0)
            weft_yield(); /* with the mutex held */
        CHECK_EQ(--c->inside, 0);
        weft_mutex_unlock(&c->mutex);
    }
    weft_waitgroup_done(&c->group);
}

static void a_mutex_excludes_thousands_of_goroutines(void)
{
    int n = ROUNDS(4000);
    struct counter c = {.rounds = 50};
    weft_waitgroup_add(&c.group, n);
    for (int i = 0; i < n; i++)
        go(count_up, &c);
    weft_waitgroup_wait(&c.group);
    CHECK_EQ(c.value, (int64_t)n * c.rounds);
    CHECK_EQ(c.mutex.state, 0);
    CHECK(!c.mutex.head);
}

static void a_mutex_excludes_a_few_busy_goroutines(void)
{
    struct counter c = {.rounds = ROUNDS(200000)};
    weft_waitgroup_add(&c.group, 4);
    for (int i = 0; i < 4; i++)
        go(count_up, &c);
    weft_waitgroup_wait(&c.group);
    CHECK_EQ(c.value, 4 * (int64_t)c.rounds);
    CHECK_EQ(c.mutex.state, 0);
}

static void trylock_takes_only_a_free_mutex(void)
{
    weft_mutex mutex = WEFT_MUTEX_INIT;
    CHECK_EQ(weft_mutex_trylock(&mutex), 1);
    CHECK_EQ(weft_mutex_trylock(&mutex), 0);
    weft_mutex_unlock(&mutex);
    weft_mutex_lock(&mutex);
    CHECK_EQ(weft_mutex_trylock(&mutex), 0);
    weft_mutex_unlock(&mutex);
}

struct hogs {
    weft_mutex mutex;
    weft_waitgroup group;
    uint32_t stop; /* atomic */
};

/* Holds the mutex nearly all the time, and comes back for it at once. */
static void hog_mutex(void *arg)
{
    struct hogs *h = arg;
    while (!atomic_load_relaxed(&h->stop)) {
        weft_mutex_lock(&h->mutex);
        int64_t until = weft_now() + 20 * WEFT_MICROSECOND;
        while (weft_now() < until)
            cpu_relax();
        weft_mutex_unlock(&h->mutex);
    }
    weft_waitgroup_done(&h->group);
}

/* Without a limit the hogs, who are awake when the mutex becomes free, would win every time. */
static void a_waiter_does_not_starve(void)
{
    struct hogs h = {0};
    int64_t longest = 0;
    weft_waitgroup_add(&h.group, 2);
    go(hog_mutex, &h);
    go(hog_mutex, &h);
    weft_sleep(WEFT_MILLISECOND);
    for (int i = 0; i < 20; i++) {
        int64_t start = weft_now();
        weft_mutex_lock(&h.mutex);
        int64_t took = weft_now() - start;
        longest = took > longest ? took : longest;
        weft_mutex_unlock(&h.mutex);
        weft_sleep(100 * WEFT_MICROSECOND);
    }
    atomic_store_relaxed(&h.stop, 1);
    weft_waitgroup_wait(&h.group);
    CHECK(longest < 5 * WEFT_SECOND);
}

struct counted {
    weft_mutex mutex;
    int refs;
    int64_t *freed; /* atomic */
};

static void drop(void *arg)
{
    struct counted *c = arg;
    int64_t *freed = c->freed;
    weft_mutex_lock(&c->mutex);
    int left = --c->refs;
    weft_mutex_unlock(&c->mutex);
    if (left == 0) {
        memset(c, 0xdd, sizeof *c);
        free(c);
        atomic_add_relaxed(freed, 1);
    }
}

/* M5: the one whose unlock was the last frees, though others may be about to leave theirs. */
static void the_last_user_may_free_the_mutex(void)
{
    int64_t freed = 0;
    int rounds = ROUNDS(10000);
    for (int i = 0; i < rounds; i++) {
        struct counted *c = calloc(1, sizeof *c);
        c->refs = 4;
        c->freed = &freed;
        for (int k = 0; k < 3; k++)
            go(drop, c);
        drop(c);
        if (i % 64 == 0)
            weft_sleep(1);
    }
    while (atomic_load_relaxed(&freed) != rounds)
        weft_yield();
}

/* ---- Wait group ---- */

struct batch {
    weft_waitgroup *group;
    int64_t *done;
};

static void finish_one(void *arg)
{
    struct batch *b = arg;
    atomic_add_relaxed(b->done, 1);
    weft_waitgroup_done(b->group);
}

static void a_wait_group_is_used_again_and_again(void)
{
    weft_waitgroup group = WEFT_WAITGROUP_INIT;
    int64_t done = 0, expected = 0;
    struct batch b = {&group, &done};
    for (int round = 0; round < ROUNDS(5000); round++) {
        int n = round % 5;
        weft_waitgroup_add(&group, n);
        for (int i = 0; i < n; i++)
            go(finish_one, &b);
        weft_waitgroup_wait(&group);
        expected += n;
        CHECK_EQ(atomic_load_relaxed(&done), expected);
        CHECK_EQ(group.count, 0);
    }
}

/* G2: the group is gone as soon as wait() has returned. */
static void a_wait_group_may_die_after_its_wait(void)
{
    int64_t done = 0;
    for (int round = 0; round < ROUNDS(20000); round++) {
        weft_waitgroup *group = calloc(1, sizeof *group);
        struct batch b = {group, &done};
        weft_waitgroup_add(group, 2);
        go(finish_one, &b);
        go(finish_one, &b);
        weft_waitgroup_wait(group);
        memset(group, 0xdd, sizeof *group);
        free(group);
    }
    CHECK_EQ(done, 2 * ROUNDS(20000));
}

struct gate {
    weft_waitgroup open, passed;
    int64_t count;
};

static void pass_gate(void *arg)
{
    struct gate *g = arg;
    weft_waitgroup_wait(&g->open);
    atomic_add_relaxed(&g->count, 1);
    weft_waitgroup_done(&g->passed);
}

static void all_waiters_of_a_group_go_on(void)
{
    struct gate g = {0};
    int n = ROUNDS(2000);
    weft_waitgroup_add(&g.open, 3);
    weft_waitgroup_add(&g.open, -1);
    weft_waitgroup_add(&g.passed, n);
    for (int i = 0; i < n; i++)
        go(pass_gate, &g);
    weft_sleep(WEFT_MILLISECOND);
    CHECK_EQ(atomic_load_relaxed(&g.count), 0);
    weft_waitgroup_done(&g.open);
    weft_waitgroup_done(&g.open);
    weft_waitgroup_wait(&g.passed);
    CHECK_EQ(g.count, n);
}

/* ---- Condition variable ---- */

struct meeting {
    weft_mutex mutex;
    weft_cond cond;
    weft_waitgroup group;
    int tickets, order, places[64];
    int number;
};

static void take_ticket(void *arg)
{
    struct meeting *m = arg;
    weft_mutex_lock(&m->mutex);
    int number = m->number++;
    while (m->tickets == 0)
        weft_cond_wait(&m->cond, &m->mutex);
    m->tickets--;
    m->places[m->order++] = number;
    weft_mutex_unlock(&m->mutex);
    weft_waitgroup_done(&m->group);
}

static void fill(struct meeting *m, int n)
{
    weft_waitgroup_add(&m->group, n);
    for (int i = 0; i < n; i++)
        go(take_ticket, m);
    for (int waiting = 0; waiting < n;) {
        weft_yield();
        weft_mutex_lock(&m->mutex);
        waiting = m->number;
        weft_mutex_unlock(&m->mutex);
    }
}

static void signals_wake_one_at_a_time_in_order(void)
{
    struct meeting m = {0};
    fill(&m, 32);
    for (int i = 0; i < 32; i++) {
        weft_mutex_lock(&m.mutex);
        CHECK_EQ(m.order, i);
        m.tickets++;
        weft_cond_signal(&m.cond);
        weft_mutex_unlock(&m.mutex);
        for (int order = i; order == i;) {
            weft_yield();
            weft_mutex_lock(&m.mutex);
            order = m.order;
            weft_mutex_unlock(&m.mutex);
        }
    }
    weft_waitgroup_wait(&m.group);
    for (int i = 0; i < 32; i++)
        CHECK_EQ(m.places[i], i);
}

static void broadcast_wakes_everybody(void)
{
    struct meeting m = {0};
    fill(&m, 64);
    weft_mutex_lock(&m.mutex);
    m.tickets = 64;
    weft_cond_broadcast(&m.cond);
    weft_mutex_unlock(&m.mutex);
    weft_waitgroup_wait(&m.group);
    CHECK_EQ(m.order, 64);
    CHECK(!m.cond.head);
}

static void signals_without_waiters_are_forgotten(void)
{
    struct meeting m = {0};
    weft_cond_signal(&m.cond);
    weft_cond_broadcast(&m.cond);
    fill(&m, 1);
    weft_sleep(WEFT_MILLISECOND);
    CHECK_EQ(atomic_load_relaxed(&m.order), 0);
    weft_mutex_lock(&m.mutex);
    m.tickets = 1;
    weft_mutex_unlock(&m.mutex);
    weft_cond_signal(&m.cond); /* also without the mutex */
    weft_waitgroup_wait(&m.group);
}

struct turns {
    weft_mutex mutex;
    weft_cond cond[2];
    weft_waitgroup group;
    int turn, rounds;
};

struct player {
    struct turns *turns;
    int side;
};

static void play(void *arg)
{
    struct player *p = arg;
    struct turns *t = p->turns;
    for (int i = 0; i < t->rounds; i++) {
        weft_mutex_lock(&t->mutex);
        while (t->turn != p->side)
            weft_cond_wait(&t->cond[p->side], &t->mutex);
        t->turn = !p->side;
        weft_mutex_unlock(&t->mutex);
        weft_cond_signal(&t->cond[!p->side]); /* may meet a waiter that is not parked yet */
    }
    weft_waitgroup_done(&t->group);
}

static void no_signal_is_lost_between_unlock_and_park(void)
{
    struct turns t = {.rounds = ROUNDS(50000)};
    struct player players[2] = {{&t, 0}, {&t, 1}};
    weft_waitgroup_add(&t.group, 2);
    go(play, &players[0]);
    go(play, &players[1]);
    weft_waitgroup_wait(&t.group);
}

/* ---- Misuse ---- */

static void unlock_unlocked(void)
{
    weft_mutex mutex = WEFT_MUTEX_INIT;
    weft_mutex_unlock(&mutex);
}

static void negative_group(void)
{
    weft_waitgroup group = WEFT_WAITGROUP_INIT;
    weft_waitgroup_add(&group, 1);
    weft_waitgroup_add(&group, -2);
}

#ifdef WEFT_DEBUG
static void unlock_it(void *arg)
{
    weft_mutex_unlock(arg);
}

static void unlock_by_another(void)
{
    weft_mutex mutex = WEFT_MUTEX_INIT;
    weft_mutex_lock(&mutex);
    go(unlock_it, &mutex);
    weft_sleep(WEFT_SECOND);
}

static void lock_twice(void)
{
    weft_mutex mutex = WEFT_MUTEX_INIT;
    weft_mutex_lock(&mutex);
    weft_mutex_lock(&mutex);
}
#endif

static void test_misuse_stops_the_program(void **state)
{
    (void)state;
    expect_fatal(unlock_unlocked, "unlock of an unlocked mutex");
    expect_fatal(negative_group, "negative count of a wait group");
#ifdef WEFT_DEBUG
    expect_fatal(unlock_by_another,
                 "a mutex is unlocked by another goroutine or thread than locked it");
    expect_fatal(lock_twice, "a mutex is locked by who has it already, and would wait for ever");
#endif
}

ON_ALL_PROCS(a_mutex_excludes_thousands_of_goroutines)
ON_ALL_PROCS(a_mutex_excludes_a_few_busy_goroutines)
ON_ALL_PROCS(trylock_takes_only_a_free_mutex)
ON_ALL_PROCS(a_waiter_does_not_starve)
ON_ALL_PROCS(the_last_user_may_free_the_mutex)
ON_ALL_PROCS(a_wait_group_is_used_again_and_again)
ON_ALL_PROCS(a_wait_group_may_die_after_its_wait)
ON_ALL_PROCS(all_waiters_of_a_group_go_on)
ON_ALL_PROCS(signals_wake_one_at_a_time_in_order)
ON_ALL_PROCS(broadcast_wakes_everybody)
ON_ALL_PROCS(signals_without_waiters_are_forgotten)
ON_ALL_PROCS(no_signal_is_lost_between_unlock_and_park)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(misuse_stops_the_program),
        TEST(a_mutex_excludes_thousands_of_goroutines),
        TEST(a_mutex_excludes_a_few_busy_goroutines),
        TEST(trylock_takes_only_a_free_mutex),
        TEST(a_waiter_does_not_starve),
        TEST(the_last_user_may_free_the_mutex),
        TEST(a_wait_group_is_used_again_and_again),
        TEST(a_wait_group_may_die_after_its_wait),
        TEST(all_waiters_of_a_group_go_on),
        TEST(signals_wake_one_at_a_time_in_order),
        TEST(broadcast_wakes_everybody),
        TEST(signals_without_waiters_are_forgotten),
        TEST(no_signal_is_lost_between_unlock_and_park),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
