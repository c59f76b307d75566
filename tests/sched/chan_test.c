/* SPDX-License-Identifier: MIT */
/* Channels: order, hand-off, close, deadlines, misuse. */
#include "sched/limits.h"
#include "sched/support.h"

#include <pthread.h>

#include "sched/chan_ops.h"

static void await_receivers(weft_chan *c, unsigned n)
{
    await_waiters(&c->receivers, &c->lock, n);
}

static void await_senders(weft_chan *c, unsigned n)
{
    await_waiters(&c->senders, &c->lock, n);
}

/* ---- Order ---- */

struct stream {
    weft_chan *chan;
    int count;
};

static void send_numbers(void *arg)
{
    struct stream *s = arg;
    for (int i = 0; i < s->count; i++)
        CHECK_EQ(weft_chan_send(s->chan, &i), 0);
    weft_chan_close(s->chan);
}

static void elements_arrive_in_the_order_of_sends(void)
{
    static const size_t capacities[] = {0, 1, 3, 64};
    for (int k = 0; k < 4; k++) {
        struct stream s = {weft_chan_new(sizeof(int), capacities[k]), ROUNDS(10000)};
        go(send_numbers, &s);
        int value, expected = 0;
        while (weft_chan_recv(s.chan, &value) == 0)
            CHECK_EQ(value, expected++);
        CHECK_EQ(expected, s.count);
        weft_chan_free(s.chan);
    }
}

struct place {
    weft_chan *chan, *done;
    int number, got;
};

static void recv_one(void *arg)
{
    struct place *p = arg;
    CHECK_EQ(weft_chan_recv(p->chan, &p->got), 0);
    CHECK_EQ(weft_chan_send(p->done, NULL), 0);
}

static void send_one(void *arg)
{
    struct place *p = arg;
    CHECK_EQ(weft_chan_send(p->chan, &p->number), 0);
    CHECK_EQ(weft_chan_send(p->done, NULL), 0);
}

enum { PLACES = 20 };

static void waiting_receivers_are_served_first_in_first_out(void)
{
    struct place places[PLACES];
    weft_chan *chan = weft_chan_new(sizeof(int), 0), *done = weft_chan_new(0, PLACES);
    for (int i = 0; i < PLACES; i++) {
        places[i] = (struct place){chan, done, i, -1};
        go(recv_one, &places[i]);
        await_receivers(chan, (unsigned)i + 1);
    }
    for (int i = 0; i < PLACES; i++)
        CHECK_EQ(weft_chan_send(chan, &i), 0);
    for (int i = 0; i < PLACES; i++)
        CHECK_EQ(weft_chan_recv(done, NULL), 0);
    for (int i = 0; i < PLACES; i++)
        CHECK_EQ(places[i].got, i);
    weft_chan_free(chan);
    weft_chan_free(done);
}

static void waiting_senders_queue_behind_a_full_buffer(void)
{
    struct place places[PLACES];
    weft_chan *chan = weft_chan_new(sizeof(int), 3), *done = weft_chan_new(0, PLACES);
    for (int i = 0; i < PLACES; i++) {
        places[i] = (struct place){chan, done, i, -1};
        go(send_one, &places[i]);
        if (i < 3)
            while (weft_chan_len(chan) != (size_t)i + 1)
                weft_yield();
        else
            await_senders(chan, (unsigned)i - 2);
    }
    CHECK_EQ(weft_chan_len(chan), 3);
    for (int i = 0, value; i < PLACES; i++) {
        CHECK_EQ(weft_chan_recv(chan, &value), 0);
        CHECK_EQ(value, i);
    }
    for (int i = 0; i < PLACES; i++)
        CHECK_EQ(weft_chan_recv(done, NULL), 0);
    weft_chan_free(chan);
    weft_chan_free(done);
}

static void element_sizes_are_copied_whole(void)
{
    static const size_t sizes[] = {0, 1, 3, 4, 7, 8, 9, 16, 100, 4096, 65535};
    unsigned char *in = malloc(65536), *out = malloc(65536);
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        weft_chan *c = weft_chan_new(sizes[k], 2);
        for (int round = 0; round < 3; round++) {
            memset(in, 17 * (int)k + round, 65536);
            memset(out, 0xee, 65536);
            CHECK_EQ(weft_chan_send(c, in), 0);
            CHECK_EQ(weft_chan_recv(c, out), 0);
            CHECK(memcmp(in, out, sizes[k]) == 0);
            CHECK_EQ(out[sizes[k]], 0xee);
        }
        weft_chan_free(c);
    }
    free(in);
    free(out);
}

static void impossible_channels_are_refused(void)
{
    CHECK(!weft_chan_new(65536, 1));
    CHECK(!weft_chan_new(8, SIZE_MAX / 4));
    CHECK(!weft_chan_new(1, SIZE_MAX - 8));
    weft_chan_free(NULL);
}

static void received_elements_may_be_discarded(void)
{
    struct stream s = {weft_chan_new(sizeof(int), 1), 10};
    go(send_numbers, &s);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(weft_chan_recv(s.chan, NULL), 0);
    CHECK_EQ(weft_chan_recv(s.chan, NULL), -EPIPE);
    weft_chan_free(s.chan);
}

/* ---- Try ---- */

static void tries_never_wait(void)
{
    int value = 7, got = 0;
    weft_chan *c = weft_chan_new(sizeof(int), 1);
    CHECK_EQ(weft_chan_try_recv(c, &got), -EAGAIN);
    CHECK_EQ(weft_chan_try_send(c, &value), 0);
    CHECK_EQ(weft_chan_try_send(c, &value), -EAGAIN);
    CHECK_EQ(weft_chan_len(c), 1);
    CHECK_EQ(weft_chan_cap(c), 1);
    CHECK_EQ(weft_chan_try_recv(c, &got), 0);
    CHECK_EQ(got, 7);
    CHECK_EQ(weft_chan_try_send(NULL, &value), -EAGAIN);
    CHECK_EQ(weft_chan_try_recv(NULL, &got), -EAGAIN);
    weft_chan_close(c);
    CHECK_EQ(weft_chan_try_send(c, &value), -EPIPE);
    CHECK_EQ(weft_chan_try_recv(c, &got), -EPIPE);
    CHECK_EQ(got, 0);
    weft_chan_free(c);
}

static void a_try_meets_a_waiting_partner(void)
{
    weft_chan *chan = weft_chan_new(sizeof(int), 0), *done = weft_chan_new(0, 1);
    struct place p = {chan, done, 5, -1};
    go(recv_one, &p);
    await_receivers(chan, 1);
    int value = 9;
    CHECK_EQ(weft_chan_try_send(chan, &value), 0);
    CHECK_EQ(weft_chan_recv(done, NULL), 0);
    CHECK_EQ(p.got, 9);
    go(send_one, &p);
    await_senders(chan, 1);
    CHECK_EQ(weft_chan_try_recv(chan, &value), 0);
    CHECK_EQ(value, 5);
    CHECK_EQ(weft_chan_recv(done, NULL), 0);
    weft_chan_free(chan);
    weft_chan_free(done);
}

/* ---- Close ---- */

static void recv_closed(void *arg)
{
    struct place *p = arg;
    CHECK_EQ(weft_chan_recv(p->chan, &p->got), -EPIPE);
    CHECK_EQ(p->got, 0);
    CHECK_EQ(weft_chan_send(p->done, NULL), 0);
}

static void send_closed(void *arg)
{
    struct place *p = arg;
    CHECK_EQ(weft_chan_send(p->chan, &p->number), -EPIPE);
    CHECK_EQ(weft_chan_send(p->done, NULL), 0);
}

static void close_wakes_every_waiting_receiver(void)
{
    struct place places[PLACES];
    weft_chan *chan = weft_chan_new(sizeof(int), 2), *done = weft_chan_new(0, 0);
    for (int i = 0; i < PLACES; i++) {
        places[i] = (struct place){chan, done, i, -1};
        go(recv_closed, &places[i]);
    }
    await_receivers(chan, PLACES);
    weft_chan_close(chan);
    for (int i = 0; i < PLACES; i++)
        CHECK_EQ(weft_chan_recv(done, NULL), 0);
    weft_chan_free(chan);
    weft_chan_free(done);
}

static void close_wakes_every_waiting_sender_and_keeps_the_buffer(void)
{
    struct place places[PLACES];
    int value = 42;
    weft_chan *chan = weft_chan_new(sizeof(int), 1), *done = weft_chan_new(0, 0);
    CHECK_EQ(weft_chan_send(chan, &value), 0);
    for (int i = 0; i < PLACES; i++) {
        places[i] = (struct place){chan, done, i, -1};
        go(send_closed, &places[i]);
    }
    await_senders(chan, PLACES);
    weft_chan_close(chan);
    for (int i = 0; i < PLACES; i++)
        CHECK_EQ(weft_chan_recv(done, NULL), 0);
    value = -1;
    CHECK_EQ(weft_chan_recv(chan, &value), 0);
    CHECK_EQ(value, 42);
    CHECK_EQ(weft_chan_recv(chan, &value), -EPIPE);
    CHECK_EQ(value, 0);
    CHECK_EQ(weft_chan_send(chan, &value), -EPIPE);
    weft_chan_free(chan);
    weft_chan_free(done);
}

static void *close_elsewhere(void *arg)
{
    weft_chan *c = arg;
    CHECK_EQ(weft_chan_len(c), 0);
    CHECK_EQ(weft_chan_cap(c), 2);
    weft_chan_close(c);
    return NULL;
}

static void a_plain_thread_may_close(void)
{
    struct place places[PLACES];
    weft_chan *chan = weft_chan_new(sizeof(int), 2), *done = weft_chan_new(0, 0);
    for (int i = 0; i < PLACES; i++) {
        places[i] = (struct place){chan, done, i, -1};
        go(recv_closed, &places[i]);
    }
    await_receivers(chan, PLACES);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, close_elsewhere, chan), 0);
    for (int i = 0; i < PLACES; i++)
        CHECK_EQ(weft_chan_recv(done, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    weft_chan_free(chan);
    weft_chan_free(done);
}

/* ---- Deadlines ---- */

static void deadlines_end_waits_and_not_too_early(void)
{
    int value = 1;
    weft_chan *empty = weft_chan_new(sizeof(int), 0);
    weft_chan *chans[] = {empty, NULL};
    for (int k = 0; k < 2; k++) {
        int64_t start = weft_now(), deadline = start + 3 * WEFT_MILLISECOND;
        CHECK_EQ(weft_chan_recv_until(chans[k], &value, deadline), -ETIMEDOUT);
        CHECK(weft_now() >= deadline);
        deadline = weft_now() + 3 * WEFT_MILLISECOND;
        CHECK_EQ(weft_chan_send_until(chans[k], &value, deadline), -ETIMEDOUT);
        CHECK(weft_now() >= deadline);
        CHECK_EQ(weft_chan_recv_until(chans[k], &value, 0), -ETIMEDOUT);
        CHECK_EQ(weft_chan_send_until(chans[k], &value, INT64_MIN), -ETIMEDOUT);
    }
    CHECK(!empty->receivers.head && !empty->senders.head);
    weft_chan_free(empty);
}

static void a_past_deadline_takes_what_is_there(void)
{
    int value = 3;
    weft_chan *c = weft_chan_new(sizeof(int), 1);
    CHECK_EQ(weft_chan_send_until(c, &value, 1), 0);
    CHECK_EQ(weft_chan_send_until(c, &value, 1), -ETIMEDOUT);
    CHECK_EQ(weft_chan_recv_until(c, &value, 1), 0);
    CHECK_EQ(weft_chan_recv_until(c, &value, 1), -ETIMEDOUT);
    weft_chan_close(c);
    CHECK_EQ(weft_chan_recv_until(c, &value, weft_now() + WEFT_SECOND), -EPIPE);
    weft_chan_free(c);
}

static void a_wait_with_a_deadline_is_woken_before_it(void)
{
    weft_chan *chan = weft_chan_new(sizeof(int), 0), *done = weft_chan_new(0, 1);
    struct place p = {chan, done, 5, -1};
    int value = 0;
    go(send_one, &p);
    CHECK_EQ(weft_chan_recv_until(chan, &value, weft_now() + 1000 * WEFT_SECOND), 0);
    CHECK_EQ(value, 5);
    CHECK_EQ(weft_chan_recv(done, NULL), 0);
    weft_chan_free(chan);
    weft_chan_free(done);
}

struct race {
    weft_chan *chan;
    weft_chan *done;
    int rounds;
    int64_t spread, sent, sum;
};

static void send_against_time(void *arg)
{
    struct race *r = arg;
    for (int i = 1; i <= r->rounds; i++) {
        int error = weft_chan_send_until(r->chan, &i, weft_now() + i % r->spread);
        CHECK(error == 0 || error == -ETIMEDOUT);
        if (error == 0) {
            r->sent++;
            r->sum += i;
        }
    }
    weft_chan_close(r->chan);
    CHECK_EQ(weft_chan_send(r->done, NULL), 0);
}

/* Deadlines of both sides are due about when the other one comes: each element arrives exactly if
 * its sender was told so. */
static void deadlines_race_with_hand_off(void)
{
    struct race r = {.chan = weft_chan_new(sizeof(int), 0),
                     .done = weft_chan_new(0, 1),
                     .rounds = ROUNDS(100000),
                     .spread = 3000};
    go(send_against_time, &r);
    int64_t received = 0, sum = 0;
    for (int i = 0;; i++) {
        int value = 0;
        int error = weft_chan_recv_until(r.chan, &value, weft_now() + (i * 7) % r.spread);
        if (error == -EPIPE)
            break;
        CHECK(error == 0 || error == -ETIMEDOUT);
        if (error == 0) {
            received++;
            sum += value;
        }
    }
    CHECK_EQ(weft_chan_recv(r.done, NULL), 0);
    CHECK_EQ(received, r.sent);
    CHECK_EQ(sum, r.sum);
    weft_chan_free(r.chan);
    weft_chan_free(r.done);
}

static void close_soon(void *arg)
{
    weft_chan *c = arg;
    for (int i = 0; i < 50; i++)
        cpu_relax();
    weft_chan_close(c);
}

static void deadlines_race_with_close(void)
{
    int timeouts = 0, closes = 0;
    for (int i = 0; i < ROUNDS(20000); i++) {
        weft_chan *c = weft_chan_new(sizeof(int), 0);
        go(close_soon, c);
        int error = weft_chan_recv_until(c, NULL, weft_now() + i % 5000);
        if (error == -ETIMEDOUT) {
            timeouts++;
            error = weft_chan_recv(c, NULL);
        }
        CHECK_EQ(error, -EPIPE);
        closes++;
        while (!lock_try(&c->lock)) /* close() may be on its way out still */
            weft_yield();
        lock_release(&c->lock);
        weft_chan_free(c);
    }
    CHECK_EQ(closes, ROUNDS(20000));
    (void)timeouts;
}

/* ---- Many ---- */

struct crowd {
    weft_chan *chan;
    weft_waitgroup senders, receivers;
    int each;
    int64_t sum;
};

static void crowd_send(void *arg)
{
    struct crowd *c = arg;
    for (int i = 1; i <= c->each; i++)
        CHECK_EQ(weft_chan_send(c->chan, &i), 0);
    weft_waitgroup_done(&c->senders);
}

static void crowd_recv(void *arg)
{
    struct crowd *c = arg;
    int value;
    int64_t sum = 0;
    while (weft_chan_recv(c->chan, &value) == 0)
        sum += value;
    atomic_add_relaxed(&c->sum, sum);
    weft_waitgroup_done(&c->receivers);
}

static void many_senders_and_receivers_lose_nothing(void)
{
    static const size_t capacities[] = {0, 1, 16};
    enum { SENDERS = 16, RECEIVERS = 8 };
    for (int k = 0; k < 3; k++) {
        struct crowd c = {.chan = weft_chan_new(sizeof(int), capacities[k]), .each = ROUNDS(5000)};
        weft_waitgroup_add(&c.senders, SENDERS);
        weft_waitgroup_add(&c.receivers, RECEIVERS);
        for (int i = 0; i < SENDERS; i++)
            go(crowd_send, &c);
        for (int i = 0; i < RECEIVERS; i++)
            go(crowd_recv, &c);
        weft_waitgroup_wait(&c.senders);
        weft_chan_close(c.chan);
        weft_waitgroup_wait(&c.receivers);
        CHECK_EQ(c.sum, (int64_t)SENDERS * c.each * (c.each + 1) / 2);
        weft_chan_free(c.chan);
    }
}

static void answer_once(void *arg)
{
    CHECK_EQ(weft_chan_send(arg, &(int){1}), 0);
}

static void take_once(void *arg)
{
    int value = 0;
    CHECK_EQ(weft_chan_recv(arg, &value), 0);
    CHECK_EQ(value, 1);
}

/* C4: whoever hands over does not look at the channel any more. */
static void a_woken_partner_may_free_the_channel(void)
{
    for (int i = 0; i < ROUNDS(20000); i++) {
        int value = 1;
        weft_chan *c = weft_chan_new(sizeof(int), 0);
        if (i % 2) {
            go(answer_once, c);
            CHECK_EQ(weft_chan_recv(c, &value), 0);
        } else {
            go(take_once, c);
            CHECK_EQ(weft_chan_send(c, &value), 0);
        }
        CHECK_EQ(value, 1);
        weft_chan_free(c);
    }
}

enum { PARKED = 100000 };

static void park_once(void *arg)
{
    struct crowd *c = arg;
    CHECK_EQ(weft_chan_recv(c->chan, NULL), -EPIPE);
    weft_waitgroup_done(&c->receivers);
}

static void a_hundred_thousand_wait_and_are_woken_by_close(void)
{
    int n = (int)goroutines_at_most(ROUNDS(PARKED));
    struct crowd c = {.chan = weft_chan_new(0, 0)};
    weft_waitgroup_add(&c.receivers, n);
    for (int i = 0; i < n; i++)
        CHECK_EQ(weft_go_stack(16384, park_once, &c), 0);
    await_receivers(c.chan, (unsigned)n);
    weft_chan_close(c.chan);
    weft_waitgroup_wait(&c.receivers);
    weft_chan_free(c.chan);
}

/* ---- NULL ---- */

static void block_in_send(void *arg)
{
    weft_chan_send(NULL, arg);
    CHECK(!"reached");
}

static void block_in_recv(void *arg)
{
    weft_chan_recv(NULL, arg);
    CHECK(!"reached");
}

static void a_null_channel_blocks_for_ever(void)
{
    go(block_in_send, NULL);
    go(block_in_recv, NULL);
    weft_sleep(2 * WEFT_MILLISECOND);
}

/* ---- Misuse ---- */

static void close_twice(void)
{
    weft_chan *c = weft_chan_new(0, 0);
    weft_chan_close(c);
    weft_chan_close(c);
}

static void close_null(void)
{
    weft_chan_close(NULL);
}

static void recv_for_ever(void *arg)
{
    weft_chan_recv(arg, NULL);
}

static void free_with_waiters(void)
{
    weft_chan *c = weft_chan_new(0, 0);
    go(recv_for_ever, c);
    await_receivers(c, 1);
    weft_chan_free(c);
}

static void test_misuse_stops_the_program(void **state)
{
    (void)state;
    expect_fatal(close_twice, "close of a closed channel");
    expect_fatal(close_null, "close of a NULL channel");
    expect_fatal(free_with_waiters, "free of a channel on which goroutines wait");
}

ON_ALL_PROCS(elements_arrive_in_the_order_of_sends)
ON_ALL_PROCS(waiting_receivers_are_served_first_in_first_out)
ON_ALL_PROCS(waiting_senders_queue_behind_a_full_buffer)
ON_ALL_PROCS(element_sizes_are_copied_whole)
ON_ALL_PROCS(impossible_channels_are_refused)
ON_ALL_PROCS(received_elements_may_be_discarded)
ON_ALL_PROCS(tries_never_wait)
ON_ALL_PROCS(a_try_meets_a_waiting_partner)
ON_ALL_PROCS(close_wakes_every_waiting_receiver)
ON_ALL_PROCS(close_wakes_every_waiting_sender_and_keeps_the_buffer)
ON_ALL_PROCS(a_plain_thread_may_close)
ON_ALL_PROCS(deadlines_end_waits_and_not_too_early)
ON_ALL_PROCS(a_past_deadline_takes_what_is_there)
ON_ALL_PROCS(a_wait_with_a_deadline_is_woken_before_it)
ON_ALL_PROCS(deadlines_race_with_hand_off)
ON_ALL_PROCS(deadlines_race_with_close)
ON_ALL_PROCS(many_senders_and_receivers_lose_nothing)
ON_ALL_PROCS(a_woken_partner_may_free_the_channel)
ON_ALL_PROCS(a_hundred_thousand_wait_and_are_woken_by_close)
ON_ALL_PROCS(a_null_channel_blocks_for_ever)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(misuse_stops_the_program),
        TEST(elements_arrive_in_the_order_of_sends),
        TEST(waiting_receivers_are_served_first_in_first_out),
        TEST(waiting_senders_queue_behind_a_full_buffer),
        TEST(element_sizes_are_copied_whole),
        TEST(impossible_channels_are_refused),
        TEST(received_elements_may_be_discarded),
        TEST(tries_never_wait),
        TEST(a_try_meets_a_waiting_partner),
        TEST(close_wakes_every_waiting_receiver),
        TEST(close_wakes_every_waiting_sender_and_keeps_the_buffer),
        TEST(a_plain_thread_may_close),
        TEST(deadlines_end_waits_and_not_too_early),
        TEST(a_past_deadline_takes_what_is_there),
        TEST(a_wait_with_a_deadline_is_woken_before_it),
        TEST(deadlines_race_with_hand_off),
        TEST(deadlines_race_with_close),
        TEST(many_senders_and_receivers_lose_nothing),
        TEST(a_woken_partner_may_free_the_channel),
        TEST(a_hundred_thousand_wait_and_are_woken_by_close),
        TEST(a_null_channel_blocks_for_ever),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
