/* SPDX-License-Identifier: MIT */
/* Classic problems with channels. */
#include "sched/litmus.h"

/* ---- The sleeping barber ---- */

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
    struct shop s = {.chairs = weft_chan_new(sizeof(weft_chan *), 3),
                     .rounds = litmus_rounds(1000)};
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

/* ---- Santa Claus (J. Trono, 1994): sleeps until all nine reindeer are back, or three elves need
 * help; the reindeer come first ---- */

enum { REINDEER = 9, ELVES = 6, HELPED = 3 };

/* Those who go to Santa together. */
struct group {
    struct creature *members[REINDEER];
    int size;
};

/* Where creatures gather until enough are there. */
struct gate {
    weft_chan *arrivals; /* of struct creature * */
    weft_chan *groups;   /* of struct group */
    int size, count;
    uint32_t left; /* atomic: visits that nobody has begun */
    weft_waitgroup *all;
};

struct creature {
    struct gate *gate;
    weft_chan *enter, *leave;
    uint32_t *inside; /* atomic */
};

static void gather(void *arg)
{
    struct gate *gate = arg;
    for (int i = 0; i < gate->count; i++) {
        struct group group = {.size = gate->size};
        for (int k = 0; k < gate->size; k++)
            CHECK_EQ(weft_chan_recv(gate->arrivals, &group.members[k]), 0);
        CHECK_EQ(weft_chan_send(gate->groups, &group), 0);
    }
    weft_waitgroup_done(gate->all);
}

/* Who comes takes the next visit: nobody is left alone with several, which takes company. */
static bool next_visit(struct gate *gate)
{
    uint32_t left = atomic_load_relaxed(&gate->left);
    while (left > 0)
        if (atomic_cas_relaxed(&gate->left, &left, left - 1))
            return true;
    return false;
}

static void come_again_and_again(void *arg)
{
    struct creature *c = arg;
    while (next_visit(c->gate)) {
        CHECK_EQ(weft_chan_send(c->gate->arrivals, &c), 0);
        CHECK_EQ(weft_chan_recv(c->enter, NULL), 0);
        atomic_add_relaxed(c->inside, 1);
        CHECK_EQ(weft_chan_send(c->leave, NULL), 0);
        CHECK_EQ(weft_chan_recv(c->enter, NULL), 0); /* out again, all together */
    }
    weft_waitgroup_done(c->gate->all);
}

static void serve(const struct group *group, uint32_t *inside)
{
    CHECK_EQ(atomic_load_relaxed(inside), 0);
    for (int i = 0; i < group->size; i++)
        CHECK_EQ(weft_chan_send(group->members[i]->enter, NULL), 0);
    for (int i = 0; i < group->size; i++)
        CHECK_EQ(weft_chan_recv(group->members[i]->leave, NULL), 0);
    CHECK_EQ(atomic_load_relaxed(inside), group->size);
    atomic_store_relaxed(inside, 0);
    for (int i = 0; i < group->size; i++)
        CHECK_EQ(weft_chan_send(group->members[i]->enter, NULL), 0);
}

/* A group, of reindeer if one of each kind waits. Returns 0 for reindeer, 1 for elves. */
static int next_group(const struct gate gates[2], struct group *out)
{
    weft_select_case cases[] = {{.chan = gates[0].groups, .recv = out},
                                {.chan = gates[1].groups, .recv = out}};
    int index = weft_select(cases, 1, 0);
    if (index < 0)
        index = weft_select(cases, 2, WEFT_NEVER);
    CHECK(index >= 0 && cases[index].result == 0);
    return index;
}

static void santa_claus(void)
{
    int rounds = litmus_rounds(300);
    struct creature creatures[REINDEER + ELVES];
    weft_waitgroup all = WEFT_WAITGROUP_INIT;
    uint32_t inside = 0;
    struct gate gates[2] = {{.size = REINDEER, .count = rounds, .all = &all},
                            {.size = HELPED, .count = rounds * ELVES / HELPED, .all = &all}};

    weft_waitgroup_add(&all, REINDEER + ELVES + 2);
    for (int i = 0; i < 2; i++) {
        gates[i].left = (uint32_t)(gates[i].size * gates[i].count);
        gates[i].arrivals = weft_chan_new(sizeof(struct creature *), 0);
        gates[i].groups = weft_chan_new(sizeof(struct group), 0);
        go(gather, &gates[i]);
    }
    for (int i = 0; i < REINDEER + ELVES; i++) {
        creatures[i] = (struct creature){&gates[i >= REINDEER], weft_chan_new(0, 0),
                                         weft_chan_new(0, 0), &inside};
        go(come_again_and_again, &creatures[i]);
    }
    int served[2] = {0, 0};
    for (int i = 0; i < gates[0].count + gates[1].count; i++) {
        struct group group;
        int kind = next_group(gates, &group);
        CHECK_EQ(group.size, gates[kind].size);
        served[kind]++;
        serve(&group, &inside);
    }
    weft_waitgroup_wait(&all);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(served[i], gates[i].count);
        weft_chan_free(gates[i].arrivals);
        weft_chan_free(gates[i].groups);
    }
    for (int i = 0; i < REINDEER + ELVES; i++) {
        weft_chan_free(creatures[i].enter);
        weft_chan_free(creatures[i].leave);
    }
}

LITMUS(sleeping_barber)
LITMUS(santa_claus)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(sleeping_barber),
        TEST(santa_claus),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
