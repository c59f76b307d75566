/* SPDX-License-Identifier: MIT */
/* Classic problems with mutexes and condition variables. */
#include "sched/litmus.h"

/* ---- Bounded buffer ---- */

struct buffer {
    weft_mutex mutex;
    weft_cond not_full, not_empty;
    weft_waitgroup group;
    int slots[5], first, count;
    int each;
    int64_t sum;
};

static void produce(void *arg)
{
    struct buffer *b = arg;
    for (int i = 1; i <= b->each; i++) {
        weft_mutex_lock(&b->mutex);
        while (b->count == 5)
            weft_cond_wait(&b->not_full, &b->mutex);
        b->slots[(b->first + b->count++) % 5] = i;
        weft_cond_signal(&b->not_empty);
        weft_mutex_unlock(&b->mutex);
    }
    weft_waitgroup_done(&b->group);
}

static void consume(void *arg)
{
    struct buffer *b = arg;
    int64_t sum = 0;
    for (int i = 1; i <= b->each; i++) {
        weft_mutex_lock(&b->mutex);
        while (b->count == 0)
            weft_cond_wait(&b->not_empty, &b->mutex);
        sum += b->slots[b->first];
        b->first = (b->first + 1) % 5;
        b->count--;
        weft_cond_signal(&b->not_full);
        weft_mutex_unlock(&b->mutex);
    }
    atomic_add_relaxed(&b->sum, sum);
    weft_waitgroup_done(&b->group);
}

static void bounded_buffer(void)
{
    enum { SIDES = 8 };
    struct buffer b = {.each = litmus_rounds(5000)};
    weft_waitgroup_add(&b.group, 2 * SIDES);
    for (int i = 0; i < SIDES; i++) {
        go(produce, &b);
        go(consume, &b);
    }
    weft_waitgroup_wait(&b.group);
    CHECK_EQ(b.sum, (int64_t)SIDES * b.each * (b.each + 1) / 2);
}

/* ---- Dining philosophers: everybody takes the fork of the lower number first ---- */

enum { SEATS = 5 };

struct table {
    weft_mutex forks[SEATS];
    weft_waitgroup group;
    int eating[SEATS], meals[SEATS], rounds;
};

struct seat {
    struct table *table;
    int number;
};

static void dine(void *arg)
{
    struct seat *s = arg;
    struct table *t = s->table;
    int left = s->number, right = (s->number + 1) % SEATS;
    weft_mutex *first = &t->forks[left < right ? left : right];
    weft_mutex *second = &t->forks[left < right ? right : left];
    for (int i = 0; i < t->rounds; i++) {
        weft_mutex_lock(first);
        weft_mutex_lock(second);
        t->eating[s->number] = 1;
        CHECK(!t->eating[right] && !t->eating[(s->number + SEATS - 1) % SEATS]);
        if (i % 8 == 0)
            weft_yield();
        t->eating[s->number] = 0;
        t->meals[s->number]++;
        weft_mutex_unlock(second);
        weft_mutex_unlock(first);
    }
    weft_waitgroup_done(&t->group);
}

static void dining_philosophers(void)
{
    struct table t = {.rounds = litmus_rounds(10000)};
    struct seat seats[SEATS];
    weft_waitgroup_add(&t.group, SEATS);
    for (int i = 0; i < SEATS; i++) {
        seats[i] = (struct seat){&t, i};
        go(dine, &seats[i]);
    }
    weft_waitgroup_wait(&t.group);
    for (int i = 0; i < SEATS; i++)
        CHECK_EQ(t.meals[i], t.rounds);
}

/* ---- A barrier ---- */

enum { MEMBERS = 16 };

struct barrier {
    weft_mutex mutex;
    weft_cond cond;
    weft_waitgroup group;
    int arrived, phase, rounds;
    int at[MEMBERS];
};

struct member {
    struct barrier *barrier;
    int number;
};

static void barrier_wait(struct barrier *b)
{
    weft_mutex_lock(&b->mutex);
    int phase = b->phase;
    if (++b->arrived == MEMBERS) {
        b->arrived = 0;
        b->phase++;
        weft_cond_broadcast(&b->cond);
    }
    while (b->phase == phase)
        weft_cond_wait(&b->cond, &b->mutex);
    weft_mutex_unlock(&b->mutex);
}

static void march(void *arg)
{
    struct member *m = arg;
    struct barrier *b = m->barrier;
    for (int i = 0; i < b->rounds; i++) {
        atomic_store_relaxed(&b->at[m->number], i);
        barrier_wait(b);
        for (int k = 0; k < MEMBERS; k++)
            CHECK(atomic_load_relaxed(&b->at[k]) >= i);
    }
    weft_waitgroup_done(&b->group);
}

static void barrier(void)
{
    struct barrier b = {.rounds = litmus_rounds(2000)};
    struct member members[MEMBERS];
    weft_waitgroup_add(&b.group, MEMBERS);
    for (int i = 0; i < MEMBERS; i++) {
        members[i] = (struct member){&b, i};
        go(march, &members[i]);
    }
    weft_waitgroup_wait(&b.group);
}

LITMUS(bounded_buffer)
LITMUS(dining_philosophers)
LITMUS(barrier)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(bounded_buffer),
        TEST(dining_philosophers),
        TEST(barrier),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
