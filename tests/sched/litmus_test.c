/* SPDX-License-Identifier: MIT */
/* The classic problems of synchronisation, with semaphores, read-write mutexes and channels; those
 * with mutexes and condition variables are in sync_test.c. A. Downey's "The Little Book of
 * Semaphores" tells them all. */
#include "sched/support.h"

/* ---- Bounded buffer, with semaphores ---- */

enum { SLOTS = 4, SIDES = 4 };

struct buffer {
    weft_sem free, used;
    weft_mutex mutex;
    weft_waitgroup group;
    int slots[SLOTS];
    unsigned in, out;
    int each;
    int64_t sum; /* atomic */
};

static void produce(void *arg)
{
    struct buffer *b = arg;
    for (int i = 1; i <= b->each; i++) {
        weft_sem_acquire(&b->free, 1);
        weft_mutex_lock(&b->mutex);
        b->slots[b->in++ % SLOTS] = i;
        CHECK(b->in - b->out <= SLOTS);
        weft_mutex_unlock(&b->mutex);
        weft_sem_release(&b->used, 1);
    }
    weft_waitgroup_done(&b->group);
}

static void consume(void *arg)
{
    struct buffer *b = arg;
    for (int i = 1; i <= b->each; i++) {
        weft_sem_acquire(&b->used, 1);
        weft_mutex_lock(&b->mutex);
        CHECK(b->out != b->in);
        atomic_add_relaxed(&b->sum, b->slots[b->out++ % SLOTS]);
        weft_mutex_unlock(&b->mutex);
        weft_sem_release(&b->free, 1);
    }
    weft_waitgroup_done(&b->group);
}

static void bounded_buffer_with_semaphores(void)
{
    struct buffer b = {.free = WEFT_SEM_INIT(SLOTS), .each = ROUNDS(2000)};
    weft_waitgroup_add(&b.group, 2 * SIDES);
    for (int i = 0; i < SIDES; i++) {
        go(produce, &b);
        go(consume, &b);
    }
    weft_waitgroup_wait(&b.group);
    CHECK_EQ(b.sum, (int64_t)SIDES * b.each * (b.each + 1) / 2);
    CHECK_EQ(b.free.units, SLOTS);
}

/* ---- Readers and writers ---- */

struct library {
    weft_rwmutex rw;
    weft_waitgroup group;
    int book[8], rounds;
};

static void read_book(void *arg)
{
    struct library *l = arg;
    for (int i = 0; i < l->rounds; i++) {
        weft_rwmutex_rdlock(&l->rw);
        int page = l->book[0];
        if (i % 16 == 0)
            weft_yield();
        for (int k = 0; k < 8; k++)
            CHECK_EQ(l->book[k], page);
        weft_rwmutex_rdunlock(&l->rw);
    }
    weft_waitgroup_done(&l->group);
}

static void write_book(void *arg)
{
    struct library *l = arg;
    for (int i = 0; i < l->rounds; i++) {
        weft_rwmutex_wrlock(&l->rw);
        for (int k = 0; k < 8; k++) {
            l->book[k]++;
            if (i % 32 == k)
                weft_yield();
        }
        weft_rwmutex_wrunlock(&l->rw);
    }
    weft_waitgroup_done(&l->group);
}

static void readers_and_writers(void)
{
    struct library l = {.rounds = ROUNDS(2000)};
    weft_waitgroup_add(&l.group, 8);
    for (int i = 0; i < 8; i++)
        go(i % 4 ? read_book : write_book, &l);
    weft_waitgroup_wait(&l.group);
    CHECK_EQ(l.book[7], 2 * l.rounds);
}

/* ---- Dining philosophers: a footman lets all but one to the table ---- */

enum { SEATS = 5 };

struct table {
    weft_sem footman, forks[SEATS];
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
    for (int i = 0; i < t->rounds; i++) {
        weft_sem_acquire(&t->footman, 1);
        weft_sem_acquire(&t->forks[left], 1);
        if (i % 4 == 0)
            weft_yield(); /* now everybody could hold one fork */
        weft_sem_acquire(&t->forks[right], 1);
        t->eating[left] = 1;
        CHECK(!t->eating[right] && !t->eating[(left + SEATS - 1) % SEATS]);
        t->eating[left] = 0;
        t->meals[left]++;
        weft_sem_release(&t->forks[right], 1);
        weft_sem_release(&t->forks[left], 1);
        weft_sem_release(&t->footman, 1);
    }
    weft_waitgroup_done(&t->group);
}

static void dining_philosophers_with_a_footman(void)
{
    struct table t = {.footman = WEFT_SEM_INIT(SEATS - 1), .rounds = ROUNDS(2000)};
    struct seat seats[SEATS];
    weft_waitgroup_add(&t.group, SEATS);
    for (int i = 0; i < SEATS; i++)
        weft_sem_release(&t.forks[i], 1);
    for (int i = 0; i < SEATS; i++) {
        seats[i] = (struct seat){&t, i};
        go(dine, &seats[i]);
    }
    weft_waitgroup_wait(&t.group);
    for (int i = 0; i < SEATS; i++)
        CHECK_EQ(t.meals[i], t.rounds);
}

/* ---- Cigarette smokers: the agent must not be changed ---- */

enum { TOBACCO, PAPER, MATCHES, KINDS };

struct smokers {
    weft_sem agent, kind[KINDS], smoker[KINDS];
    weft_mutex mutex;
    weft_waitgroup group;
    bool there[KINDS];
    int rounds, smoked[KINDS];
};

struct smoker {
    struct smokers *smokers;
    int kind;
};

/* Puts two things on the table whenever somebody has smoked. */
static void agent(void *arg)
{
    struct smokers *s = arg;
    for (int i = 0; i < s->rounds; i++) {
        weft_sem_acquire(&s->agent, 1);
        weft_sem_release(&s->kind[(i + 1) % KINDS], 1);
        weft_sem_release(&s->kind[(i + 2) % KINDS], 1);
    }
    weft_waitgroup_done(&s->group);
}

/* A pusher: sees one of the two, and knows the smoker when the other is there already. */
static void push(void *arg)
{
    struct smoker *p = arg;
    struct smokers *s = p->smokers;
    int a = (p->kind + 1) % KINDS, b = (p->kind + 2) % KINDS;
    int rounds = s->rounds * 2 / KINDS;
    for (int i = 0; i < rounds; i++) {
        weft_sem_acquire(&s->kind[p->kind], 1);
        weft_mutex_lock(&s->mutex);
        if (s->there[a]) {
            s->there[a] = false;
            weft_sem_release(&s->smoker[b], 1);
        } else if (s->there[b]) {
            s->there[b] = false;
            weft_sem_release(&s->smoker[a], 1);
        } else {
            s->there[p->kind] = true;
        }
        weft_mutex_unlock(&s->mutex);
    }
    weft_waitgroup_done(&s->group);
}

static void smoke(void *arg)
{
    struct smoker *p = arg;
    struct smokers *s = p->smokers;
    for (int i = 0; i < s->rounds / KINDS; i++) {
        weft_sem_acquire(&s->smoker[p->kind], 1);
        s->smoked[p->kind]++;
        weft_sem_release(&s->agent, 1);
    }
    weft_waitgroup_done(&s->group);
}

static void cigarette_smokers(void)
{
    struct smokers s = {.agent = WEFT_SEM_INIT(1), .rounds = ROUNDS(3000) / KINDS * KINDS};
    struct smoker each[KINDS];
    weft_waitgroup_add(&s.group, 1 + 2 * KINDS);
    for (int i = 0; i < KINDS; i++) {
        each[i] = (struct smoker){&s, i};
        go(push, &each[i]);
        go(smoke, &each[i]);
    }
    go(agent, &s);
    weft_waitgroup_wait(&s.group);
    for (int i = 0; i < KINDS; i++)
        CHECK_EQ(s.smoked[i], s.rounds / KINDS);
}

/* ---- A barrier with two turnstiles ---- */

enum { MEMBERS = 8 };

struct barrier {
    weft_mutex mutex;
    weft_sem in, out;
    weft_waitgroup group;
    int count, rounds, at[MEMBERS];
};

struct member {
    struct barrier *barrier;
    int number;
};

static void pass(struct barrier *b, weft_sem *turnstile, int step, int last)
{
    weft_mutex_lock(&b->mutex);
    b->count += step;
    if (b->count == last)
        weft_sem_release(turnstile, MEMBERS);
    weft_mutex_unlock(&b->mutex);
    weft_sem_acquire(turnstile, 1);
}

static void march(void *arg)
{
    struct member *m = arg;
    struct barrier *b = m->barrier;
    for (int i = 1; i <= b->rounds; i++) {
        atomic_store_relaxed(&b->at[m->number], i);
        pass(b, &b->in, 1, MEMBERS);
        for (int k = 0; k < MEMBERS; k++)
            CHECK_EQ(atomic_load_relaxed(&b->at[k]), i);
        pass(b, &b->out, -1, 0);
    }
    weft_waitgroup_done(&b->group);
}

static void barrier_with_turnstiles(void)
{
    struct barrier b = {.rounds = ROUNDS(1000)};
    struct member members[MEMBERS];
    weft_waitgroup_add(&b.group, MEMBERS);
    for (int i = 0; i < MEMBERS; i++) {
        members[i] = (struct member){&b, i};
        go(march, &members[i]);
    }
    weft_waitgroup_wait(&b.group);
}

/* ---- The sleeping barber, with channels ---- */

struct shop {
    weft_chan *chairs; /* of channels on which customers wait to be done */
    weft_waitgroup group;
    uint32_t served, turned_away; /* atomic */
    int rounds;
};

static void barber(void *arg)
{
    struct shop *s = arg;
    weft_chan *customer;
    while (weft_chan_recv(s->chairs, &customer) == 0) {
        weft_yield();
        CHECK_EQ(weft_chan_send(customer, NULL), 0);
    }
    weft_waitgroup_done(&s->group);
}

static void customers(void *arg)
{
    struct shop *s = arg;
    weft_chan *done = weft_chan_new(0, 0);
    for (int i = 0; i < s->rounds; i++) {
        if (weft_chan_try_send(s->chairs, &done) == 0) {
            CHECK_EQ(weft_chan_recv(done, NULL), 0);
            atomic_add_relaxed(&s->served, 1);
        } else {
            atomic_add_relaxed(&s->turned_away, 1);
            weft_yield();
        }
    }
    weft_chan_free(done);
    weft_waitgroup_done(&s->group);
}

static void sleeping_barber(void)
{
    struct shop s = {.chairs = weft_chan_new(sizeof(weft_chan *), 3), .rounds = ROUNDS(1000)};
    weft_waitgroup_add(&s.group, 6);
    for (int i = 0; i < 6; i++)
        go(customers, &s);
    struct shop barbers = {.chairs = s.chairs};
    weft_waitgroup_add(&barbers.group, 1);
    go(barber, &barbers);
    weft_waitgroup_wait(&s.group);
    weft_chan_close(s.chairs);
    weft_waitgroup_wait(&barbers.group);
    CHECK_EQ(s.served + s.turned_away, 6 * s.rounds);
    CHECK(s.served > 0);
    weft_chan_free(s.chairs);
}

ON_ALL_PROCS(bounded_buffer_with_semaphores)
ON_ALL_PROCS(readers_and_writers)
ON_ALL_PROCS(dining_philosophers_with_a_footman)
ON_ALL_PROCS(cigarette_smokers)
ON_ALL_PROCS(barrier_with_turnstiles)
ON_ALL_PROCS(sleeping_barber)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(bounded_buffer_with_semaphores),
        TEST(readers_and_writers),
        TEST(dining_philosophers_with_a_footman),
        TEST(cigarette_smokers),
        TEST(barrier_with_turnstiles),
        TEST(sleeping_barber),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
