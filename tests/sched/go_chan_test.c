/* SPDX-License-Identifier: MIT */
/*
 * Channels and select in whole programs, and the races that Go's tests were written for
 * (docs/ports.md says which of runtime/chan_test.go and test/chan is tested where). Names in
 * brackets are Go's.
 */
#include "sched/support.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "sched/chan_ops.h"

/* ---- Chains ---- */

struct link {
    weft_chan *in, *out;
    weft_context *context;
    weft_waitgroup *group;
    int number;
    uint32_t *turn; /* atomic */
};

static void wait_for_the_one_before(void *arg)
{
    struct link *l = arg;
    CHECK_EQ(weft_chan_recv(l->in, NULL), 0);
    CHECK_EQ(atomic_add_relaxed(l->turn, 1), l->number);
    CHECK_EQ(weft_chan_send(l->out, NULL), 0);
    weft_waitgroup_done(l->group);
}

/* Each goroutine waits for a token of the one before it. */
static void pass_a_token(size_t capacity)
{
    enum { LINKS = 10 };
    struct link links[LINKS];
    weft_chan *chans[LINKS + 1];
    weft_waitgroup group = WEFT_WAITGROUP_INIT;
    uint32_t turn = 0;

    for (int i = 0; i <= LINKS; i++)
        chans[i] = weft_chan_new(0, capacity);
    weft_waitgroup_add(&group, LINKS);
    for (int i = LINKS - 1; i >= 0; i--) {
        links[i] = (struct link){chans[i], chans[i + 1], NULL, &group, i, &turn};
        go(wait_for_the_one_before, &links[i]);
    }
    CHECK_EQ(weft_chan_send(chans[0], NULL), 0);
    CHECK_EQ(weft_chan_recv(chans[LINKS], NULL), 0);
    weft_waitgroup_wait(&group);
    for (int i = 0; i <= LINKS; i++)
        weft_chan_free(chans[i]);
}

/* [fifo.go] */
static void a_token_passes_a_chain_in_order(void)
{
    for (int i = 0; i < ROUNDS(200); i++)
        pass_a_token((size_t)i % 2);
}

static void add_one(void *arg)
{
    struct link *l = arg;
    int value = 0;
    CHECK_EQ(weft_chan_recv(l->in, &value), 0);
    value++;
    CHECK_EQ(weft_chan_send(l->out, &value), 0);
    weft_waitgroup_done(l->group);
}

/* [goroutines.go] */
static void a_number_runs_through_ten_thousand_goroutines(void)
{
    int n = ROUNDS(10000), value = 0;
    struct link *links = calloc((size_t)n, sizeof *links);
    weft_waitgroup group = WEFT_WAITGROUP_INIT;
    weft_chan *first = weft_chan_new(sizeof(int), 0), *in = first;

    weft_waitgroup_add(&group, n);
    for (int i = 0; i < n; i++) {
        links[i] = (struct link){.in = in, .out = weft_chan_new(sizeof(int), 0), .group = &group};
        in = links[i].out;
        CHECK_EQ(weft_go_stack(16384, add_one, &links[i]), 0);
    }
    CHECK_EQ(weft_chan_send(first, &value), 0);
    CHECK_EQ(weft_chan_recv(in, &value), 0);
    CHECK_EQ(value, n);
    weft_waitgroup_wait(&group);
    weft_chan_free(first);
    for (int i = 0; i < n; i++)
        weft_chan_free(links[i].out);
    free(links);
}

/* ---- The sieve: numbers run through a filter for each prime ---- */

static void count_up(void *arg)
{
    struct link *l = arg;
    weft_context_enter(l->context);
    for (int i = 2; weft_chan_send(l->out, &i) == 0; i++)
        ;
    weft_waitgroup_done(l->group);
}

static void leave_out_multiples(void *arg)
{
    struct link *l = arg;
    int value;
    weft_context_enter(l->context);
    while (weft_chan_recv(l->in, &value) == 0)
        if (value % l->number != 0 && weft_chan_send(l->out, &value) != 0)
            break;
    weft_waitgroup_done(l->group);
}

/* [sieve1.go, sieve2.go] */
static void the_sieve_finds_the_primes(void)
{
    static const int primes[] = {2,  3,  5,  7,  11, 13, 17, 19, 23, 29, 31, 37, 41,
                                 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97};
    enum { PRIMES = sizeof primes / sizeof *primes };
    struct link links[PRIMES + 1];
    weft_context *context = weft_context_new(NULL);
    weft_waitgroup group = WEFT_WAITGROUP_INIT;
    weft_chan *in = NULL;

    weft_waitgroup_add(&group, PRIMES + 1);
    for (int i = 0, value = 1; i <= PRIMES; i++) {
        links[i] = (struct link){in, weft_chan_new(sizeof(int), 0), context, &group, value, NULL};
        go(i == 0 ? count_up : leave_out_multiples, &links[i]);
        in = links[i].out;
        if (i < PRIMES) {
            CHECK_EQ(weft_chan_recv(in, &value), 0);
            CHECK_EQ(value, primes[i]);
        }
    }
    weft_context_cancel(context, 0);
    weft_waitgroup_wait(&group);
    for (int i = 0; i <= PRIMES; i++)
        weft_chan_free(links[i].out);
    weft_context_free(context);
}

/* ---- Two consumers in a row ---- */

struct works {
    weft_chan *queue, *results;
    weft_waitgroup workers, feeder;
    int count;
    int64_t sum;
};

static const int loads[] = {2, 3, 7, 11, 13, 17, 19, 23, 27, 31};
enum { LOADS = sizeof loads / sizeof *loads, HANDS = 23 };

static void work(void *arg)
{
    struct works *w = arg;
    for (int value; weft_chan_recv(w->queue, &value) == 0;) {
        if (value % 3 == 0)
            weft_yield();
        CHECK_EQ(weft_chan_send(w->results, &value), 0);
    }
    weft_waitgroup_done(&w->workers);
}

static void feed(void *arg)
{
    struct works *w = arg;
    for (int i = 0; i < w->count; i++) {
        w->sum += loads[i % LOADS];
        CHECK_EQ(weft_chan_send(w->queue, &loads[i % LOADS]), 0);
    }
    weft_chan_close(w->queue);
    weft_waitgroup_wait(&w->workers);
    weft_chan_close(w->results);
    weft_waitgroup_done(&w->feeder);
}

/* [MultiConsumer] */
static void many_consumers_lose_nothing_between_two_queues(void)
{
    struct works w = {.queue = weft_chan_new(sizeof(int), 3 * HANDS),
                      .results = weft_chan_new(sizeof(int), 3 * HANDS),
                      .count = ROUNDS(50000)};
    int64_t sum = 0, count = 0;
    weft_waitgroup_add(&w.workers, HANDS);
    weft_waitgroup_add(&w.feeder, 1);
    for (int i = 0; i < HANDS; i++)
        go(work, &w);
    go(feed, &w);
    for (int value; weft_chan_recv(w.results, &value) == 0; count++)
        sum += value;
    weft_waitgroup_wait(&w.feeder);
    CHECK_EQ(count, w.count);
    CHECK_EQ(sum, w.sum);
    weft_chan_free(w.queue);
    weft_chan_free(w.results);
}

/* ---- Select ---- */

enum { LANES = 4 };

struct mux {
    weft_chan *lanes[LANES], *out;
    weft_waitgroup group;
    int count;
    uint32_t lane; /* atomic */
};

static void send_on_any_lane(void *arg)
{
    struct mux *m = arg;
    for (int i = 0; i < m->count; i++) {
        weft_select_case cases[LANES];
        for (int k = 0; k < LANES; k++)
            cases[k] = (weft_select_case){.chan = m->lanes[k], .send = &i};
        CHECK(weft_select(cases, LANES, WEFT_NEVER) >= 0);
    }
    for (int k = 0; k < LANES; k++)
        weft_chan_close(m->lanes[k]);
    weft_waitgroup_done(&m->group);
}

static void forward_a_lane(void *arg)
{
    struct mux *m = arg;
    weft_chan *lane = m->lanes[atomic_add_relaxed(&m->lane, 1)];
    for (int value; weft_chan_recv(lane, &value) == 0;)
        CHECK_EQ(weft_chan_send(m->out, &value), 0);
    weft_waitgroup_done(&m->group);
}

/* [doubleselect.go]: a select whose send was taken twice would show here. */
static void a_select_sends_each_element_once(void)
{
    struct mux m = {.count = ROUNDS(20000), .out = weft_chan_new(sizeof(int), 0)};
    char *seen = calloc((size_t)m.count, 1);
    weft_waitgroup_add(&m.group, LANES + 1);
    for (int k = 0; k < LANES; k++)
        m.lanes[k] = weft_chan_new(sizeof(int), 0);
    go(send_on_any_lane, &m);
    for (int k = 0; k < LANES; k++)
        go(forward_a_lane, &m);
    for (int i = 0, value; i < m.count; i++) {
        CHECK_EQ(weft_chan_recv(m.out, &value), 0);
        CHECK(!seen[value]);
        seen[value] = 1;
    }
    weft_waitgroup_wait(&m.group);
    CHECK_EQ(weft_chan_try_recv(m.out, NULL), -EAGAIN);
    for (int k = 0; k < LANES; k++)
        weft_chan_free(m.lanes[k]);
    weft_chan_free(m.out);
    free(seen);
}

static size_t heap_in_use(void)
{
#ifdef __GLIBC__
    return mallinfo2().uordblks;
#else
    return 0;
#endif
}

/* [select2.go] */
static void selects_leave_no_memory_behind(void)
{
    enum { CASES = 20 };
    weft_chan *chans[CASES];
    weft_select_case cases[CASES];
    size_t before = 0;
    for (int i = 0; i < CASES; i++)
        chans[i] = weft_chan_new(sizeof(int), 0);
    for (int round = 0; round < 2000; round++) {
        if (round == 100)
            before = heap_in_use();
        for (int i = 0; i < CASES; i++)
            cases[i] = (weft_select_case){.chan = chans[i]};
        CHECK_EQ(weft_select(cases, CASES, weft_now() + round % 2), -ETIMEDOUT);
    }
    CHECK(heap_in_use() < before + 100 * CASES * sizeof *cases);
    for (int i = 0; i < CASES; i++)
        weft_chan_free(chans[i]);
}

/* What each operation does on each kind of channel, in each of its forms. */
struct expectation {
    const char *what;
    size_t capacity;
    int filled; /* elements in it */
    bool null, closed;
    int send, recv; /* -EAGAIN: it blocks */
};

static const struct expectation expectations[] = {
    {"NULL", 0, 0, true, false, -EAGAIN, -EAGAIN},
    {"unbuffered", 0, 0, false, false, -EAGAIN, -EAGAIN},
    {"closed", 0, 0, false, true, -EPIPE, -EPIPE},
    {"empty", 10, 0, false, false, 0, -EAGAIN},
    {"half full", 10, 5, false, false, 0, 0},
    {"full", 10, 10, false, false, -EAGAIN, 0},
    {"empty and closed", 10, 0, false, true, -EPIPE, -EPIPE},
    {"full and closed", 10, 10, false, true, -EPIPE, 0},
};

static weft_chan *make_expected(const struct expectation *e)
{
    weft_chan *chan = e->null ? NULL : weft_chan_new(sizeof(int), e->capacity);
    for (int i = 0; i < e->filled; i++)
        CHECK_EQ(weft_chan_send(chan, &i), 0);
    if (e->closed)
        weft_chan_close(chan);
    return chan;
}

/* The operation by itself, or as a select's case; -EAGAIN also for what gave up after a while. */
static int attempt(weft_chan *chan, bool send, int form)
{
    int value = 1;
    int64_t deadline = form == 0 ? 0 : weft_now() + 100 * WEFT_MICROSECOND;
    weft_select_case one = {.chan = chan, .send = send ? &value : NULL};
    int result;
    if (form < 2)
        result = weft_select(&one, 1, deadline) == 0 ? one.result : -EAGAIN;
    else if (form == 2)
        result = send ? weft_chan_try_send(chan, &value) : weft_chan_try_recv(chan, NULL);
    else
        result = send ? weft_chan_send_until(chan, &value, deadline)
                      : weft_chan_recv_until(chan, NULL, deadline);
    return result == -ETIMEDOUT ? -EAGAIN : result;
}

/* [select3.go] */
static void each_channel_blocks_whom_it_should(void)
{
    for (size_t i = 0; i < sizeof expectations / sizeof *expectations; i++) {
        for (int form = 0; form < 4; form++) {
            for (int send = 0; send < 2; send++) {
                const struct expectation *e = &expectations[i];
                weft_chan *chan = make_expected(e);
                int result = attempt(chan, send, form), expected = send ? e->send : e->recv;
                if (result != expected)
                    fprintf(stderr, "%s: form %d: %s\n", e->what, form, send ? "send" : "recv");
                CHECK_EQ(result, expected);
                weft_chan_free(chan);
            }
        }
    }
}

struct queued {
    weft_chan *first, *second, *third;
    weft_waitgroup group;
    uint32_t received; /* atomic */
};

static void queue_for_first(void *arg)
{
    struct queued *q = arg;
    int value = 0;
    CHECK_EQ(weft_chan_recv(q->first, &value), 0);
    CHECK_EQ(value, 7);
    atomic_add_relaxed(&q->received, 1);
    weft_waitgroup_done(&q->group);
}

static void queue_by_select(void *arg)
{
    struct queued *q = arg;
    weft_select_case cases[] = {{.chan = q->first}, {.chan = q->second}, {.chan = q->third}};
    CHECK_EQ(weft_select(cases, 3, WEFT_NEVER), 1);
    weft_waitgroup_done(&q->group);
}

/* [select6.go]: the select stands at each place of the first channel's queue in turn. */
static void a_select_that_leaves_a_queue_leaves_the_others_in_it(void)
{
    enum { WAITERS = 4 };
    for (int place = 0; place < WAITERS; place++) {
        struct queued q = {weft_chan_new(sizeof(int), 0), weft_chan_new(0, 0), weft_chan_new(0, 0),
                           WEFT_WAITGROUP_INIT, 0};
        weft_waitgroup_add(&q.group, WAITERS);
        for (int i = 0; i < WAITERS; i++) {
            go(i == place ? queue_by_select : queue_for_first, &q);
            await_waiters(&q.first->receivers, &q.first->lock, (unsigned)i + 1);
        }
        CHECK_EQ(weft_chan_send(q.second, NULL), 0);
        for (int i = 0; i < WAITERS - 1; i++)
            CHECK_EQ(weft_chan_send(q.first, &(int){7}), 0);
        weft_waitgroup_wait(&q.group);
        CHECK_EQ(q.received, WAITERS - 1);
        CHECK_EQ(weft_chan_try_send(q.first, &(int){7}), -EAGAIN);
        weft_chan_free(q.first);
        weft_chan_free(q.second);
        weft_chan_free(q.third);
    }
}

/* ---- Every way to send meets every way to receive ---- */

static weft_chan *never; /* a channel that is never ready */

static int send_plainly(weft_chan *c, int value)
{
    return weft_chan_send(c, &value);
}

static int send_by_tries(weft_chan *c, int value)
{
    int error;
    while ((error = weft_chan_try_send(c, &value)) == -EAGAIN)
        weft_yield();
    return error;
}

static int send_by_select(weft_chan *c, int value)
{
    weft_select_case cases[] = {{.chan = never}, {.chan = c, .send = &value}};
    CHECK_EQ(weft_select(cases, 2, WEFT_NEVER), 1);
    return cases[1].result;
}

static int send_by_selects_without_waiting(weft_chan *c, int value)
{
    weft_select_case cases[] = {{.chan = c, .send = &value}, {.chan = never}};
    while (weft_select(cases, 2, 0) == -EAGAIN)
        weft_yield();
    return cases[0].result;
}

static int send_until_late(weft_chan *c, int value)
{
    return weft_chan_send_until(c, &value, weft_now() + 1000 * WEFT_SECOND);
}

static int recv_plainly(weft_chan *c, int *value)
{
    return weft_chan_recv(c, value);
}

static int recv_by_tries(weft_chan *c, int *value)
{
    int error;
    while ((error = weft_chan_try_recv(c, value)) == -EAGAIN)
        weft_yield();
    return error;
}

static int recv_by_select(weft_chan *c, int *value)
{
    weft_select_case cases[] = {{.chan = c, .recv = value}, {.chan = NULL}, {.chan = never}};
    CHECK_EQ(weft_select(cases, 3, WEFT_NEVER), 0);
    return cases[0].result;
}

static int recv_by_selects_without_waiting(weft_chan *c, int *value)
{
    weft_select_case cases[] = {{.chan = never}, {.chan = c, .recv = value}};
    while (weft_select(cases, 2, 0) == -EAGAIN)
        weft_yield();
    return cases[1].result;
}

static int recv_until_late(weft_chan *c, int *value)
{
    return weft_chan_recv_until(c, value, weft_now() + 1000 * WEFT_SECOND);
}

static int (*const ways_to_send[])(weft_chan *, int) = {
    send_plainly, send_by_tries, send_by_select, send_by_selects_without_waiting, send_until_late};
static int (*const ways_to_recv[])(weft_chan *, int *) = {
    recv_plainly, recv_by_tries, recv_by_select, recv_by_selects_without_waiting, recv_until_late};
enum { WAYS = sizeof ways_to_send / sizeof *ways_to_send };

struct meeting {
    weft_chan *chan;
    int (*send)(weft_chan *, int);
    weft_waitgroup group;
    int count;
};

static void send_all(void *arg)
{
    struct meeting *m = arg;
    for (int i = 0; i < m->count; i++)
        CHECK_EQ(m->send(m->chan, i), 0);
    weft_chan_close(m->chan);
    weft_waitgroup_done(&m->group);
}

static bool are_both_tries(int send, int recv)
{
    return send % 2 == 1 && recv % 2 == 1;
}

/* [select7.go, nonblock.go] */
static void every_way_to_send_meets_every_way_to_receive(void)
{
    never = weft_chan_new(sizeof(int), 0);
    for (int send = 0; send < WAYS; send++) {
        for (int recv = 0; recv < WAYS; recv++) {
            size_t capacity = are_both_tries(send, recv) ? 1 : (size_t)(send + recv) % 3;
            struct meeting m = {weft_chan_new(sizeof(int), capacity), ways_to_send[send],
                                WEFT_WAITGROUP_INIT, ROUNDS(200)};
            int value = -1, expected = 0;
            weft_waitgroup_add(&m.group, 1);
            go(send_all, &m);
            while (ways_to_recv[recv](m.chan, &value) == 0)
                CHECK_EQ(value, expected++);
            CHECK_EQ(expected, m.count);
            weft_waitgroup_wait(&m.group);
            weft_chan_free(m.chan);
        }
    }
    weft_chan_free(never);
}

/* ---- Races ---- */

struct two {
    weft_chan *a, *b;
    weft_chan *done; /* of bool */
};

static void try_to_receive(void *arg)
{
    struct two *t = arg;
    bool ready = weft_chan_try_recv(t->a, NULL) != -EAGAIN;
    CHECK_EQ(weft_chan_send(t->done, &ready), 0);
}

static void try_to_receive_from_either(void *arg)
{
    struct two *t = arg;
    weft_select_case cases[] = {{.chan = t->a}, {.chan = t->b}};
    bool ready = weft_select(cases, 2, 0) >= 0;
    CHECK_EQ(weft_chan_send(t->done, &ready), 0);
}

static bool is_ready(struct two *t)
{
    bool ready = false;
    CHECK_EQ(weft_chan_recv(t->done, &ready), 0);
    return ready;
}

/* [NonblockRecvRace]: there is an element, and then the channel is closed, but never is there
 * nothing. */
static void a_try_that_races_with_close_finds_one_or_the_other(void)
{
    struct two t = {.done = weft_chan_new(sizeof(bool), 1)};
    for (int i = 0; i < ROUNDS(10000); i++) {
        t.a = weft_chan_new(sizeof(int), 1);
        CHECK_EQ(weft_chan_send(t.a, &i), 0);
        go(try_to_receive, &t);
        weft_chan_close(t.a);
        int error = weft_chan_try_recv(t.a, NULL);
        CHECK(error == 0 || error == -EPIPE);
        CHECK(is_ready(&t));
        weft_chan_free(t.a);
    }
    weft_chan_free(t.done);
}

/* [NonblockSelectRace, NonblockSelectRace2]: at each moment one of the two is ready. */
static void a_select_without_waiting_sees_what_is_ready_at_every_moment(void)
{
    struct two t = {.done = weft_chan_new(sizeof(bool), 1)};
    for (int i = 0; i < ROUNDS(20000); i++) {
        t.a = weft_chan_new(sizeof(int), 1);
        t.b = weft_chan_new(sizeof(int), 1);
        CHECK_EQ(weft_chan_send(t.a, &i), 0);
        go(try_to_receive_from_either, &t);
        if (i % 2)
            weft_chan_close(t.b);
        else
            CHECK_EQ(weft_chan_send(t.b, &i), 0);
        int error = weft_chan_try_recv(t.a, NULL);
        CHECK(error == 0 || error == -EAGAIN);
        CHECK(is_ready(&t));
        weft_chan_free(t.a);
        weft_chan_free(t.b);
    }
    weft_chan_free(t.done);
}

struct stress {
    weft_chan *chans[LANES];
    weft_waitgroup group;
    int count;
    uint32_t lane[2]; /* atomic: how many receivers and senders have one */
};

/* One lane, or all of them by select until each has had its share. */
static void stress_one(struct stress *s, bool send)
{
    weft_chan *chan = s->chans[atomic_add_relaxed(&s->lane[send], 1)];
    for (int i = 0, value = 0; i < s->count; i++) {
        CHECK_EQ(send ? weft_chan_send(chan, &value) : weft_chan_recv(chan, &value), 0);
        if (i % 64 == 0)
            weft_yield();
    }
    weft_waitgroup_done(&s->group);
}

static void stress_all(struct stress *s, bool send)
{
    int left[LANES], value = 0;
    for (int k = 0; k < LANES; k++)
        left[k] = s->count;
    for (int i = 0; i < LANES * s->count; i++) {
        weft_select_case cases[LANES];
        for (int k = 0; k < LANES; k++)
            cases[k] = (weft_select_case){.chan = left[k] > 0 ? s->chans[k] : NULL,
                                          .send = send ? &value : NULL};
        int index = weft_select(cases, LANES, WEFT_NEVER);
        CHECK(index >= 0 && cases[index].result == 0);
        left[index]--;
    }
    weft_waitgroup_done(&s->group);
}

static void send_on_one(void *arg)
{
    stress_one(arg, true);
}

static void recv_on_one(void *arg)
{
    stress_one(arg, false);
}

static void send_on_all(void *arg)
{
    stress_all(arg, true);
}

static void recv_on_all(void *arg)
{
    stress_all(arg, false);
}

/* [SelectStress] */
static void plain_calls_and_selects_share_channels(void)
{
    struct stress s = {.count = ROUNDS(5000)};
    for (int k = 0; k < LANES; k++)
        s.chans[k] = weft_chan_new(sizeof(int), k < 2 ? 0 : (size_t)k);
    weft_waitgroup_add(&s.group, 2 * LANES + 2);
    for (int k = 0; k < LANES; k++) {
        go(send_on_one, &s);
        go(recv_on_one, &s);
    }
    go(send_on_all, &s);
    go(recv_on_all, &s);
    weft_waitgroup_wait(&s.group);
    for (int k = 0; k < LANES; k++)
        weft_chan_free(s.chans[k]);
}

/* [PseudoRandomSend]: two sends on one channel; whoever receives gets either. */
static void cases_of_one_channel_are_chosen_at_random(void)
{
    static const int zero = 0, one = 1;
    enum { COUNT = 100 };
    struct mux m = {.count = COUNT};
    m.lanes[0] = weft_chan_new(sizeof(int), 0);
    m.out = weft_chan_new(sizeof(int), COUNT);
    weft_waitgroup_add(&m.group, 1);
    go(forward_a_lane, &m);
    for (int i = 0; i < COUNT; i++) {
        weft_select_case cases[] = {{.chan = m.lanes[0], .send = &zero},
                                    {.chan = m.lanes[0], .send = &one}};
        CHECK(weft_select(cases, 2, WEFT_NEVER) >= 0);
    }
    weft_chan_close(m.lanes[0]);
    weft_waitgroup_wait(&m.group);
    int ones = 0;
    for (int i = 0, value; i < COUNT; i++) {
        CHECK_EQ(weft_chan_recv(m.out, &value), 0);
        ones += value;
    }
    CHECK(ones > COUNT / 10 && ones < COUNT - COUNT / 10);
    weft_chan_free(m.lanes[0]);
    weft_chan_free(m.out);
}

ON_ALL_PROCS(a_token_passes_a_chain_in_order)
ON_ALL_PROCS(a_number_runs_through_ten_thousand_goroutines)
ON_ALL_PROCS(the_sieve_finds_the_primes)
ON_ALL_PROCS(many_consumers_lose_nothing_between_two_queues)
ON_ALL_PROCS(a_select_sends_each_element_once)
ON_ALL_PROCS(selects_leave_no_memory_behind)
ON_ALL_PROCS(each_channel_blocks_whom_it_should)
ON_ALL_PROCS(a_select_that_leaves_a_queue_leaves_the_others_in_it)
ON_ALL_PROCS(every_way_to_send_meets_every_way_to_receive)
ON_ALL_PROCS(a_try_that_races_with_close_finds_one_or_the_other)
ON_ALL_PROCS(a_select_without_waiting_sees_what_is_ready_at_every_moment)
ON_ALL_PROCS(plain_calls_and_selects_share_channels)
ON_ALL_PROCS(cases_of_one_channel_are_chosen_at_random)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(a_token_passes_a_chain_in_order),
        TEST(a_number_runs_through_ten_thousand_goroutines),
        TEST(the_sieve_finds_the_primes),
        TEST(many_consumers_lose_nothing_between_two_queues),
        TEST(a_select_sends_each_element_once),
        TEST(selects_leave_no_memory_behind),
        TEST(each_channel_blocks_whom_it_should),
        TEST(a_select_that_leaves_a_queue_leaves_the_others_in_it),
        TEST(every_way_to_send_meets_every_way_to_receive),
        TEST(a_try_that_races_with_close_finds_one_or_the_other),
        TEST(a_select_without_waiting_sees_what_is_ready_at_every_moment),
        TEST(plain_calls_and_selects_share_channels),
        TEST(cases_of_one_channel_are_chosen_at_random),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
