/* SPDX-License-Identifier: MIT */
/* Select: choice, fairness, waiting on many channels, and the claim between several wakers. */
#include "sched/support.h"

#include "sched/chan_ops.h"

/* ---- Choice ---- */

static void the_only_ready_case_is_taken(void)
{
    int value = 5, got = 0;
    weft_chan *full = weft_chan_new(sizeof(int), 1), *empty = weft_chan_new(sizeof(int), 1);
    CHECK_EQ(weft_chan_send(full, &value), 0);
    weft_select_case cases[] = {
        {.chan = full, .send = &value}, {.chan = NULL, .send = &value},
        {.chan = empty, .recv = &got},  {.chan = full, .recv = &got},
        {.chan = NULL, .recv = &got},
    };
    CHECK_EQ(weft_select(cases, 5, WEFT_NEVER), 3);
    CHECK_EQ(cases[3].result, 0);
    CHECK_EQ(got, 5);
    CHECK_EQ(weft_chan_len(full), 0);
    CHECK_EQ(weft_select(cases, 1, WEFT_NEVER), 0);
    CHECK_EQ(weft_chan_len(full), 1);
    weft_chan_free(full);
    weft_chan_free(empty);
}

static void without_a_ready_case_the_deadline_decides(void)
{
    int value = 5;
    weft_chan *c = weft_chan_new(sizeof(int), 0);
    weft_select_case cases[] = {{.chan = c, .send = &value}, {.chan = NULL}, {.chan = c}};
    for (size_t n = 0; n <= 3; n++) {
        CHECK_EQ(weft_select(cases, n, 0), -EAGAIN);
        CHECK_EQ(weft_select(cases, n, 1), -ETIMEDOUT);
        int64_t deadline = weft_now() + 2 * WEFT_MILLISECOND;
        CHECK_EQ(weft_select(cases, n, deadline), -ETIMEDOUT);
        CHECK(weft_now() >= deadline);
    }
    CHECK_EQ(weft_select(cases + 1, 1, 0), -EAGAIN);
    CHECK_EQ(weft_select(cases + 1, 1, weft_now() + WEFT_MILLISECOND), -ETIMEDOUT);
    CHECK(!c->senders.head && !c->receivers.head);
    weft_chan_free(c);
}

/* Each of k ready cases is taken in about 1/k of the rounds: with 20000 rounds the bound is more
 * than ten standard deviations away. */
static void ready_cases_are_chosen_fairly(void)
{
    enum { CASES = 5 };
    int rounds = 20000, taken[CASES] = {0};
    weft_chan *chans[CASES];
    weft_select_case cases[CASES];
    for (int i = 0; i < CASES; i++) {
        chans[i] = weft_chan_new(0, 1);
        CHECK_EQ(weft_chan_send(chans[i], NULL), 0);
        cases[i] = (weft_select_case){.chan = chans[i]};
    }
    for (int i = 0; i < rounds; i++) {
        int index = weft_select(cases, CASES, WEFT_NEVER);
        CHECK(index >= 0 && index < CASES);
        taken[index]++;
        CHECK_EQ(weft_chan_send(chans[index], NULL), 0);
    }
    for (int i = 0; i < CASES; i++) {
        CHECK(taken[i] > rounds / CASES * 8 / 10 && taken[i] < rounds / CASES * 12 / 10);
        weft_chan_free(chans[i]);
    }
}

static void closed_channels_are_ready(void)
{
    int value = 5, got = 9;
    weft_chan *c = weft_chan_new(sizeof(int), 0);
    weft_chan_close(c);
    weft_select_case recv = {.chan = c, .recv = &got}, send = {.chan = c, .send = &value};
    CHECK_EQ(weft_select(&recv, 1, WEFT_NEVER), 0);
    CHECK_EQ(recv.result, -EPIPE);
    CHECK_EQ(got, 0);
    CHECK_EQ(weft_select(&send, 1, 0), 0);
    CHECK_EQ(send.result, -EPIPE);
    weft_chan_free(c);
}

/* ---- Waiting ---- */

struct peer {
    weft_chan *chan;
    weft_chan *done;
    int value, result;
};

static void peer_send(void *arg)
{
    struct peer *p = arg;
    p->result = weft_chan_send(p->chan, &p->value);
    weft_chan_send(p->done, NULL);
}

static void peer_recv(void *arg)
{
    struct peer *p = arg;
    p->result = weft_chan_recv(p->chan, &p->value);
    weft_chan_send(p->done, NULL);
}

static void peer_close(void *arg)
{
    struct peer *p = arg;
    weft_chan_close(p->chan);
    weft_chan_send(p->done, NULL);
}

/* Waits on n channels and is woken through each of them in turn, by a receiver, a sender, a close.
 */
static void wake_through_each_of(size_t n)
{
    weft_chan **chans = calloc(n, sizeof *chans), *done = weft_chan_new(0, 0);
    weft_select_case *cases = calloc(n, sizeof *cases);
    int *values = calloc(n, sizeof *values);
    for (size_t i = 0; i < n; i++)
        chans[i] = weft_chan_new(sizeof(int), 0);
    for (size_t target = 0; target < n; target++) {
        for (int way = 0; way < 3; way++) {
            struct peer p = {chans[target], done, 77, -1};
            for (size_t i = 0; i < n; i++) {
                values[i] = (int)i;
                cases[i] = (weft_select_case){.chan = chans[i]};
                if (way == 0)
                    cases[i].send = &values[i];
                else
                    cases[i].recv = &values[i];
            }
            go(way == 0 ? peer_recv : way == 1 ? peer_send : peer_close, &p);
            CHECK_EQ(weft_select(cases, n, WEFT_NEVER), target);
            CHECK_EQ(cases[target].result, way == 2 ? -EPIPE : 0);
            CHECK_EQ(weft_chan_recv(done, NULL), 0);
            CHECK_EQ(way == 0 ? p.value : values[target], way == 0   ? (int)target
                                                          : way == 1 ? 77
                                                                     : 0);
            for (size_t i = 0; i < n; i++)
                CHECK(!chans[i]->receivers.head && !chans[i]->senders.head);
        }
        weft_chan_free(chans[target]);
        chans[target] = weft_chan_new(sizeof(int), 0);
    }
    for (size_t i = 0; i < n; i++)
        weft_chan_free(chans[i]);
    weft_chan_free(done);
    free(chans);
    free(cases);
    free(values);
}

static void a_select_is_woken_through_any_of_its_channels(void)
{
    wake_through_each_of(1);
    wake_through_each_of(2);
    wake_through_each_of(8);
    wake_through_each_of(9);
    wake_through_each_of(100);
    wake_through_each_of(200); /* more than debug builds note one by one */
}

/* ---- One channel several times ---- */

static void a_select_does_not_meet_itself(void)
{
    int in = 1, out = 0;
    weft_chan *c = weft_chan_new(sizeof(int), 0);
    weft_select_case cases[] = {{.chan = c, .send = &in}, {.chan = c, .recv = &out}};
    CHECK_EQ(weft_select(cases, 2, weft_now() + WEFT_MILLISECOND), -ETIMEDOUT);
    CHECK_EQ(out, 0);
    weft_chan_free(c);
}

struct both {
    weft_chan *chan;
    weft_waitgroup *group;
    uint32_t *active; /* atomic; who is left alone gives up */
    int rounds, id;
    int64_t sent, received, sum_sent, sum_received;
};

/* Sends and receives on one channel, whichever comes first. */
static void send_or_receive(void *arg)
{
    struct both *b = arg;
    for (int i = 0; i < b->rounds; i++) {
        int in = b->id * b->rounds + i, out = -1;
        weft_select_case cases[] = {{.chan = b->chan, .send = &in},
                                    {.chan = b->chan, .recv = &out}};
        int index = weft_select(cases, 2, weft_now() + 20 * WEFT_MILLISECOND);
        if (index == 0) {
            b->sent++;
            b->sum_sent += in;
        } else if (index == 1) {
            CHECK(out >= 0 && out / b->rounds != b->id);
            b->received++;
            b->sum_received += out;
        } else {
            CHECK_EQ(index, -ETIMEDOUT);
            if (atomic_load_relaxed(b->active) == 1)
                break;
        }
    }
    atomic_sub_relaxed(b->active, 1);
    weft_waitgroup_done(b->group);
}

static void selects_that_send_and_receive_on_one_channel_pair_up(void)
{
    enum { PEERS = 4 };
    struct both peers[PEERS];
    uint32_t active = PEERS;
    weft_waitgroup group = WEFT_WAITGROUP_INIT;
    weft_chan *c = weft_chan_new(sizeof(int), 0);
    weft_waitgroup_add(&group, PEERS);
    for (int i = 0; i < PEERS; i++) {
        peers[i] = (struct both){
            .chan = c, .group = &group, .active = &active, .rounds = ROUNDS(20000), .id = i};
        go(send_or_receive, &peers[i]);
    }
    weft_waitgroup_wait(&group);
    struct both all = {0};
    for (int i = 0; i < PEERS; i++) {
        all.sent += peers[i].sent;
        all.received += peers[i].received;
        all.sum_sent += peers[i].sum_sent;
        all.sum_received += peers[i].sum_received;
    }
    CHECK_EQ(all.sent, all.received);
    CHECK_EQ(all.sum_sent, all.sum_received);
    CHECK(all.sent > 0);
    weft_chan_free(c);
}

static void one_channel_many_times_is_taken_once(void)
{
    int values[6] = {0};
    weft_select_case cases[6];
    weft_chan *c = weft_chan_new(sizeof(int), 0), *done = weft_chan_new(0, 0);
    for (int round = 0; round < ROUNDS(2000); round++) {
        struct peer p = {c, done, 7, -1};
        for (int i = 0; i < 6; i++) {
            values[i] = 0;
            cases[i] = (weft_select_case){.chan = c, .recv = &values[i]};
        }
        go(peer_send, &p);
        int index = weft_select(cases, 6, WEFT_NEVER), sum = 0;
        CHECK(index >= 0);
        CHECK_EQ(values[index], 7);
        for (int i = 0; i < 6; i++)
            sum += values[i];
        CHECK_EQ(sum, 7);
        CHECK(!c->receivers.head);
        CHECK_EQ(weft_chan_recv(done, NULL), 0);
    }
    weft_chan_free(c);
    weft_chan_free(done);
}

/* ---- Competition ---- */

enum { RIVALS = 4 };

struct rival {
    weft_chan *chan, *start, *done;
    int64_t sent;
};

/* Offers one element at each start, for as long as the round lasts. */
static void rival_main(void *arg)
{
    struct rival *r = arg;
    int64_t until;
    while (weft_chan_recv(r->start, &until) == 0) {
        int error = weft_chan_send_until(r->chan, &(int){1}, until);
        CHECK(error == 0 || error == -ETIMEDOUT);
        if (error == 0)
            atomic_add_relaxed(&r->sent, 1);
        CHECK_EQ(weft_chan_send(r->done, NULL), 0);
    }
    CHECK_EQ(weft_chan_send(r->done, NULL), 0);
}

/* All wakers of one select, and its deadline, come at about the same time: W2, W3. */
static void one_of_many_wakers_wins(void)
{
    struct rival rivals[RIVALS];
    weft_chan *done = weft_chan_new(0, 0);
    int64_t received = 0, sent = 0;
    for (int i = 0; i < RIVALS; i++) {
        rivals[i] = (struct rival){weft_chan_new(sizeof(int), 0), weft_chan_new(sizeof(int64_t), 1),
                                   done, 0};
        go(rival_main, &rivals[i]);
    }
    for (int round = 0; round < ROUNDS(10000); round++) {
        weft_select_case cases[RIVALS];
        int value[RIVALS] = {0};
        int64_t now = weft_now(), until = now + 5000 + round % 20000;
        for (int i = 0; i < RIVALS; i++) {
            cases[i] = (weft_select_case){.chan = rivals[i].chan, .recv = &value[i]};
            CHECK_EQ(weft_chan_send(rivals[i].start, &until), 0);
        }
        int index = weft_select(cases, RIVALS, now + round % 15000);
        CHECK(index >= 0 || index == -ETIMEDOUT);
        received += index >= 0;
        for (int i = 0; i < RIVALS; i++)
            CHECK_EQ(value[i], i == index);
        for (int i = 0; i < RIVALS; i++)
            CHECK_EQ(weft_chan_recv(done, NULL), 0);
    }
    for (int i = 0; i < RIVALS; i++) {
        weft_chan_close(rivals[i].start);
        CHECK_EQ(weft_chan_recv(done, NULL), 0);
        sent += rivals[i].sent;
        weft_chan_free(rivals[i].start);
        weft_chan_free(rivals[i].chan);
    }
    CHECK_EQ(received, sent);
    weft_chan_free(done);
}

enum { LANES = 4 };

struct lane {
    weft_chan *chan;
    weft_waitgroup *group;
    int rounds, next;
};

static void drive(void *arg)
{
    struct lane *l = arg;
    for (int i = 0; i < l->rounds; i++) {
        CHECK_EQ(weft_chan_send(l->chan, &i), 0);
        if (i % 3 == 0)
            weft_yield();
    }
    weft_waitgroup_done(l->group);
}

/* Each select is followed at once by another one, on other channels, while wakers of the first are
 * still about to find out that they have lost: W2. */
static void a_late_waker_does_not_end_the_next_wait(void)
{
    struct lane lanes[LANES];
    weft_waitgroup group = WEFT_WAITGROUP_INIT;
    int rounds = ROUNDS(30000);
    weft_waitgroup_add(&group, LANES);
    for (int i = 0; i < LANES; i++) {
        lanes[i] = (struct lane){weft_chan_new(sizeof(int), 0), &group, rounds, 0};
        go(drive, &lanes[i]);
    }
    for (int i = 0; i < LANES * rounds; i++) {
        struct lane *pair = &lanes[i % 2 * 2];
        int values[2] = {-1, -1};
        weft_select_case cases[2] = {{.chan = pair[0].chan, .recv = &values[0]},
                                     {.chan = pair[1].chan, .recv = &values[1]}};
        int index = weft_select(cases, 2, WEFT_NEVER);
        CHECK(index >= 0);
        CHECK_EQ(values[!index], -1);
        CHECK_EQ(values[index], pair[index].next++);
    }
    weft_waitgroup_wait(&group);
    for (int i = 0; i < LANES; i++)
        weft_chan_free(lanes[i].chan);
}

enum { CROSSROADS = 3, TRAVELLERS = 12 };

struct traveller {
    weft_chan **chans;
    weft_waitgroup *group;
    uint32_t *active; /* atomic; as above */
    int id, rounds;
    int64_t balance;
};

/* Selects over all channels, listed in different orders, some cases sending and some receiving. */
static void travel(void *arg)
{
    struct traveller *t = arg;
    for (int i = 0; i < t->rounds; i++) {
        int in = t->id * 1000 + i, out[CROSSROADS];
        weft_select_case cases[CROSSROADS];
        for (int k = 0; k < CROSSROADS; k++) {
            cases[k] = (weft_select_case){.chan = t->chans[(k + i + t->id) % CROSSROADS]};
            if ((t->id + k + i) % 2)
                cases[k].send = &in;
            else
                cases[k].recv = &out[k];
        }
        int index = weft_select(cases, CROSSROADS, weft_now() + 20 * WEFT_MILLISECOND);
        if (index >= 0)
            t->balance += cases[index].send ? in : -out[index];
        else if (atomic_load_relaxed(t->active) < 4)
            break;
    }
    atomic_sub_relaxed(t->active, 1);
    weft_waitgroup_done(t->group);
}

static void selects_against_selects_lose_nothing(void)
{
    weft_chan *chans[CROSSROADS];
    struct traveller travellers[TRAVELLERS];
    uint32_t active = TRAVELLERS;
    weft_waitgroup group = WEFT_WAITGROUP_INIT;
    int64_t balance = 0;
    for (int i = 0; i < CROSSROADS; i++)
        chans[i] = weft_chan_new(sizeof(int), 0);
    weft_waitgroup_add(&group, TRAVELLERS);
    for (int i = 0; i < TRAVELLERS; i++) {
        travellers[i] = (struct traveller){chans, &group, &active, i, ROUNDS(10000), 0};
        go(travel, &travellers[i]);
    }
    weft_waitgroup_wait(&group);
    for (int i = 0; i < TRAVELLERS; i++)
        balance += travellers[i].balance;
    CHECK_EQ(balance, 0);
    for (int i = 0; i < CROSSROADS; i++)
        weft_chan_free(chans[i]);
}

/* A buffered pipe between selects: nothing is lost or doubled, and the order of each sender stays.
 */
struct flow {
    weft_chan *chan, *stop;
    weft_waitgroup group;
    int count, next;
};

static void flow_in(void *arg)
{
    struct flow *f = arg;
    for (int i = 0; i < f->count; i++) {
        weft_select_case cases[] = {{.chan = f->stop}, {.chan = f->chan, .send = &i}};
        CHECK_EQ(weft_select(cases, 2, WEFT_NEVER), 1);
    }
    weft_waitgroup_done(&f->group);
}

static void flow_out(void *arg)
{
    struct flow *f = arg;
    for (;;) {
        int value = -1;
        weft_select_case cases[] = {{.chan = f->chan, .recv = &value}, {.chan = f->stop}};
        int index = weft_select(cases, 2, WEFT_NEVER);
        if (index == 1)
            break;
        CHECK_EQ(value, f->next++);
    }
    weft_waitgroup_done(&f->group);
}

static void order_is_kept_through_select(void)
{
    struct flow f = {
        .chan = weft_chan_new(sizeof(int), 3), .stop = weft_chan_new(0, 0), .count = ROUNDS(50000)};
    weft_waitgroup_add(&f.group, 1);
    go(flow_out, &f);
    weft_waitgroup_add(&f.group, 1);
    go(flow_in, &f);
    while (atomic_load_relaxed(&f.group.count) >> 32 != 1 || weft_chan_len(f.chan) > 0)
        weft_yield();
    weft_chan_close(f.stop);
    weft_waitgroup_wait(&f.group);
    CHECK_EQ(f.next, f.count);
    weft_chan_free(f.chan);
    weft_chan_free(f.stop);
}

static void select_nothing(void *arg)
{
    weft_select(arg, 0, WEFT_NEVER);
    CHECK(!"reached");
}

static void select_null(void *arg)
{
    (void)arg;
    weft_select_case cases[2] = {{.chan = NULL}, {.chan = NULL}};
    weft_select(cases, 2, WEFT_NEVER);
    CHECK(!"reached");
}

static void nothing_to_select_from_blocks_for_ever(void)
{
    go(select_nothing, NULL);
    go(select_null, NULL);
    weft_sleep(2 * WEFT_MILLISECOND);
}

ON_ALL_PROCS(the_only_ready_case_is_taken)
ON_ALL_PROCS(without_a_ready_case_the_deadline_decides)
ON_ALL_PROCS(ready_cases_are_chosen_fairly)
ON_ALL_PROCS(closed_channels_are_ready)
ON_ALL_PROCS(a_select_is_woken_through_any_of_its_channels)
ON_ALL_PROCS(a_select_does_not_meet_itself)
ON_ALL_PROCS(selects_that_send_and_receive_on_one_channel_pair_up)
ON_ALL_PROCS(one_channel_many_times_is_taken_once)
ON_ALL_PROCS(one_of_many_wakers_wins)
ON_ALL_PROCS(a_late_waker_does_not_end_the_next_wait)
ON_ALL_PROCS(selects_against_selects_lose_nothing)
ON_ALL_PROCS(order_is_kept_through_select)
ON_ALL_PROCS(nothing_to_select_from_blocks_for_ever)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(the_only_ready_case_is_taken),
        TEST(without_a_ready_case_the_deadline_decides),
        TEST(ready_cases_are_chosen_fairly),
        TEST(closed_channels_are_ready),
        TEST(a_select_is_woken_through_any_of_its_channels),
        TEST(a_select_does_not_meet_itself),
        TEST(selects_that_send_and_receive_on_one_channel_pair_up),
        TEST(one_channel_many_times_is_taken_once),
        TEST(one_of_many_wakers_wins),
        TEST(a_late_waker_does_not_end_the_next_wait),
        TEST(selects_against_selects_lose_nothing),
        TEST(order_is_kept_through_select),
        TEST(nothing_to_select_from_blocks_for_ever),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
