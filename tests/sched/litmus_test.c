/* SPDX-License-Identifier: MIT */
/* Classic problems with semaphores and read-write mutexes. */
#include "sched/litmus.h"

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
    struct buffer b = {.free = WEFT_SEM_INIT(SLOTS), .each = litmus_rounds(2000)};
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
    struct library l = {.rounds = litmus_rounds(2000)};
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
    struct table t = {.footman = WEFT_SEM_INIT(SEATS - 1), .rounds = litmus_rounds(2000)};
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
    struct smokers s = {.agent = WEFT_SEM_INIT(1), .rounds = litmus_rounds(3000) / KINDS * KINDS};
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
    struct barrier b = {.rounds = litmus_rounds(1000)};
    struct member members[MEMBERS];
    weft_waitgroup_add(&b.group, MEMBERS);
    for (int i = 0; i < MEMBERS; i++) {
        members[i] = (struct member){&b, i};
        go(march, &members[i]);
    }
    weft_waitgroup_wait(&b.group);
}

/* ---- Water: molecules of two hydrogen atoms and one of oxygen ---- */

struct water {
    weft_sem mutex; /* passed on to who bonds, unlocked by the oxygen */
    weft_sem hydrogen, oxygen, arrived, leave;
    weft_waitgroup group;
    int free[2]; /* atoms that wait: hydrogen, oxygen */
    int molecules;
    uint32_t left[2]; /* atomic: atoms that have not come yet */
    uint32_t bonded;  /* atomic: 1 for each hydrogen, 100 for each oxygen */
};

/* One more atom is there: lets a molecule's go on if there are enough, and keeps the mutex. */
static void add_atom(struct water *w, int kind)
{
    weft_sem_acquire(&w->mutex, 1);
    w->free[kind]++;
    if (w->free[0] < 2 || w->free[1] < 1) {
        weft_sem_release(&w->mutex, 1);
        return;
    }
    w->free[0] -= 2;
    w->free[1]--;
    weft_sem_release(&w->hydrogen, 2);
    weft_sem_release(&w->oxygen, 1);
}

/* Who comes takes the next atom: one goroutine alone cannot be both hydrogens of a molecule. */
static bool next_atom(struct water *w, int kind)
{
    uint32_t left = atomic_load_relaxed(&w->left[kind]);
    while (left > 0)
        if (atomic_cas_relaxed(&w->left[kind], &left, left - 1))
            return true;
    return false;
}

static void be_hydrogen(void *arg)
{
    struct water *w = arg;
    while (next_atom(w, 0)) {
        add_atom(w, 0);
        weft_sem_acquire(&w->hydrogen, 1);
        atomic_add_relaxed(&w->bonded, 1);
        weft_sem_release(&w->arrived, 1);
        weft_sem_acquire(&w->leave, 1);
    }
    weft_waitgroup_done(&w->group);
}

static void be_oxygen(void *arg)
{
    struct water *w = arg;
    while (next_atom(w, 1)) {
        add_atom(w, 1);
        weft_sem_acquire(&w->oxygen, 1);
        atomic_add_relaxed(&w->bonded, 100);
        weft_sem_acquire(&w->arrived, 2);
        CHECK_EQ(atomic_load_relaxed(&w->bonded), 102);
        atomic_store_relaxed(&w->bonded, 0);
        w->molecules++;
        weft_sem_release(&w->leave, 2);
        weft_sem_release(&w->mutex, 1);
    }
    weft_waitgroup_done(&w->group);
}

static void water_from_hydrogen_and_oxygen(void)
{
    uint32_t n = (uint32_t)litmus_rounds(3000);
    struct water w = {.mutex = WEFT_SEM_INIT(1), .left = {2 * n, n}};
    weft_waitgroup_add(&w.group, 9);
    for (int i = 0; i < 9; i++)
        go(i % 3 == 0 ? be_oxygen : be_hydrogen, &w);
    weft_waitgroup_wait(&w.group);
    CHECK_EQ(w.molecules, n);
    CHECK_EQ(w.free[0] + w.free[1], 0);
}

LITMUS(bounded_buffer_with_semaphores)
LITMUS(readers_and_writers)
LITMUS(dining_philosophers_with_a_footman)
LITMUS(cigarette_smokers)
LITMUS(barrier_with_turnstiles)
LITMUS(water_from_hydrogen_and_oxygen)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(bounded_buffer_with_semaphores),
        TEST(readers_and_writers),
        TEST(dining_philosophers_with_a_footman),
        TEST(cigarette_smokers),
        TEST(barrier_with_turnstiles),
        TEST(water_from_hydrogen_and_oxygen),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
