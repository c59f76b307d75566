/* SPDX-License-Identifier: MIT */
/* Linearizability: a few goroutines use one object, or two channels, for a moment; then linear.h
 * looks for an order of what they did. */
#include "sched/linear.h"

enum { WORKERS = 3, EACH = 4 };

struct play {
    struct history history;
    weft_chan *chans[2];
    weft_mutex mutex;
    weft_rwmutex rw;
    weft_sem sem;
    weft_waitgroup group;
    uint32_t numbers; /* atomic: of the workers */
    uint32_t seed;
};

static uint32_t dice(uint32_t *seed, uint32_t sides)
{
    return (uint32_t)((uint64_t)random_next(seed) * sides >> 32);
}

static void send(struct play *p, int chan, int64_t value, bool wait)
{
    struct op *op = begin(&p->history, SEND, value);
    op->chan = chan;
    end(&p->history, op,
        wait ? weft_chan_send(p->chans[chan], &value) : weft_chan_try_send(p->chans[chan], &value));
}

static void recv(struct play *p, int chan)
{
    int64_t value = 0;
    struct op *op = begin(&p->history, RECV, 0);
    op->chan = chan;
    int error = weft_chan_try_recv(p->chans[chan], &value);
    end(&p->history, op, error ? error : value);
}

static void close_it(struct play *p, int chan)
{
    struct op *op = begin(&p->history, CLOSE, 0);
    op->chan = chan;
    weft_chan_close(p->chans[chan]);
    end(&p->history, op, 0);
}

static void send_to_either(struct play *p, int64_t value)
{
    weft_select_case cases[] = {{.chan = p->chans[0], .send = &value},
                                {.chan = p->chans[1], .send = &value}};
    struct op *op = begin(&p->history, SELECT_SEND, value);
    op->chan = weft_select(cases, 2, 0);
    end(&p->history, op, op->chan < 0 ? op->chan : cases[op->chan].result);
    op->chan = op->chan < 0 ? -1 : op->chan;
}

/* open: which channels it looks at. Returns which it found closed, or -1. */
static int recv_from_either(struct play *p, const bool open[2], int64_t deadline)
{
    int64_t value = 0;
    weft_select_case cases[] = {{.chan = open[0] ? p->chans[0] : NULL, .recv = &value},
                                {.chan = open[1] ? p->chans[1] : NULL, .recv = &value}};
    struct op *op = begin(&p->history, SELECT_RECV, 0);
    int index = weft_select(cases, 2, deadline), error = index < 0 ? index : cases[index].result;
    op->chan = index < 0 ? -1 : index;
    end(&p->history, op, error ? error : value);
    return error == -EPIPE ? index : -1;
}

static void play_channel(struct play *p, uint32_t number, uint32_t *seed)
{
    for (int i = 0; i < 2 * EACH - 2; i++) {
        if (number == 0 && i == EACH && p->seed % 3 == 0)
            close_it(p, 0);
        else if (dice(seed, 2))
            send(p, 0, 1 + number * 100 + i, false);
        else
            recv(p, 0);
        if (dice(seed, 4) == 0)
            weft_yield();
    }
}

/* Two channels, by select and one by one; sometimes one of them is closed in the middle. */
static void play_select(struct play *p, uint32_t number, uint32_t *seed)
{
    static const bool both[2] = {true, true};
    for (int i = 0; i < 2 * EACH - 2; i++) {
        int64_t value = 1 + number * 100 + i;
        uint32_t what = dice(seed, 6);
        if (number == 0 && i == EACH && p->seed % 3 == 0)
            close_it(p, (int)(p->seed / 3 % 2));
        else if (what < 2)
            send_to_either(p, value);
        else if (what < 4)
            recv_from_either(p, both, 0);
        else if (what == 4)
            send(p, (int)dice(seed, 2), value, false);
        else
            recv(p, (int)dice(seed, 2));
        if (dice(seed, 4) == 0)
            weft_yield();
    }
}

/* Two channels without buffers: the first worker receives from both until both are closed, the
 * others send and close one each. All of them wait. */
static void play_meetings(struct play *p, uint32_t number, uint32_t *seed)
{
    bool open[2] = {true, true};
    while (number == 0 && (open[0] || open[1])) {
        int closed = recv_from_either(p, open, WEFT_NEVER);
        if (closed >= 0)
            open[closed] = false;
    }
    for (int i = 0; number > 0 && i < EACH; i++) {
        send(p, (int)number - 1, number * 100 + i, true);
        if (dice(seed, 3) == 0)
            weft_yield();
    }
    if (number > 0)
        close_it(p, (int)number - 1);
}

static void play_mutex(struct play *p, uint32_t number, uint32_t *seed)
{
    (void)number;
    for (int i = 0; i < EACH; i++) {
        bool wait = dice(seed, 2);
        struct op *op = begin(&p->history, wait ? LOCK : TRY_LOCK, 0);
        if (wait)
            weft_mutex_lock(&p->mutex);
        bool taken = wait || weft_mutex_trylock(&p->mutex);
        end(&p->history, op, taken);
        if (dice(seed, 3) == 0)
            weft_yield();
        if (!taken)
            continue;
        op = begin(&p->history, UNLOCK, 0);
        weft_mutex_unlock(&p->mutex);
        end(&p->history, op, 0);
    }
}

static bool lock_rw(struct play *p, bool write, bool wait)
{
    if (wait && write)
        weft_rwmutex_wrlock(&p->rw);
    else if (wait)
        weft_rwmutex_rdlock(&p->rw);
    else
        return write ? weft_rwmutex_try_wrlock(&p->rw) : weft_rwmutex_try_rdlock(&p->rw);
    return true;
}

/* A try fails while somebody waits as well, which a sequential model does not have: histories have
 * either tries or waits. */
static void play_rwmutex(struct play *p, uint32_t number, uint32_t *seed)
{
    static const enum kind kinds[2][2] = {{TRY_RDLOCK, RDLOCK}, {TRY_LOCK, LOCK}};
    bool wait = p->seed % 2;
    (void)number;
    for (int i = 0; i < EACH; i++) {
        bool write = dice(seed, 2);
        struct op *op = begin(&p->history, kinds[write][wait], 0);
        bool taken = lock_rw(p, write, wait);
        end(&p->history, op, taken);
        if (dice(seed, 3) == 0)
            weft_yield();
        if (!taken)
            continue;
        op = begin(&p->history, write ? UNLOCK : RDUNLOCK, 0);
        if (write)
            weft_rwmutex_wrunlock(&p->rw);
        else
            weft_rwmutex_rdunlock(&p->rw);
        end(&p->history, op, 0);
    }
}

/* Likewise. */
static void play_semaphore(struct play *p, uint32_t number, uint32_t *seed)
{
    bool wait = p->seed % 2;
    (void)number;
    for (int i = 0; i < EACH; i++) {
        uint32_t units = 1 + dice(seed, 3);
        struct op *op = begin(&p->history, TAKE, units);
        if (wait)
            weft_sem_acquire(&p->sem, units);
        bool taken = wait || weft_sem_try_acquire(&p->sem, units);
        end(&p->history, op, taken);
        if (dice(seed, 3) == 0)
            weft_yield();
        if (!taken)
            continue;
        op = begin(&p->history, GIVE, units);
        weft_sem_release(&p->sem, units);
        end(&p->history, op, 0);
    }
}

typedef void (*play_fn)(struct play *p, uint32_t number, uint32_t *seed);
static play_fn playing;

static void worker(void *arg)
{
    struct play *p = arg;
    uint32_t number = atomic_add_relaxed(&p->numbers, 1);
    uint32_t seed = (p->seed + number) * 2654435761u | 1;
    playing(p, number, &seed);
    weft_waitgroup_done(&p->group);
}

static void play_once(play_fn fn, struct model model, uint32_t seed)
{
    struct play p = {.seed = seed, .sem = WEFT_SEM_INIT(model.units)};
    for (int i = 0; i < 2; i++)
        p.chans[i] = weft_chan_new(sizeof(int64_t), (size_t)model.chans[i].capacity);
    playing = fn;
    weft_waitgroup_add(&p.group, WORKERS);
    for (int i = 0; i < WORKERS; i++)
        go(worker, &p);
    weft_waitgroup_wait(&p.group);
    check_linear(&p.history, model);
    weft_chan_free(p.chans[0]);
    weft_chan_free(p.chans[1]);
}

static void play_often(play_fn fn, struct model model)
{
    for (int i = 1; i <= ROUNDS(1500); i++)
        play_once(fn, model, (uint32_t)i);
}

static void channel_histories_are_linearizable(void)
{
    for (int capacity = 1; capacity <= 3; capacity++)
        play_often(play_channel, (struct model){.chans = {{.capacity = capacity}}});
}

static void select_histories_are_linearizable(void)
{
    for (int capacity = 1; capacity <= 3; capacity++)
        play_often(play_select,
                   (struct model){.chans = {{.capacity = capacity}, {.capacity = 4 - capacity}}});
}

static void meetings_without_a_buffer_are_linearizable(void)
{
    play_often(play_meetings, (struct model){0});
}

static void mutex_histories_are_linearizable(void)
{
    play_often(play_mutex, (struct model){0});
}

static void read_write_mutex_histories_are_linearizable(void)
{
    play_often(play_rwmutex, (struct model){0});
}

static void semaphore_histories_are_linearizable(void)
{
    play_often(play_semaphore, (struct model){.units = 4});
}

/* ---- The checker itself ---- */

static bool is_linear(const struct op *ops, uint32_t n, struct model model)
{
    struct history h = {.count = n};
    memcpy(h.ops, ops, n * sizeof *ops);
    return search(&h, 0, model);
}

static void test_the_checker_tells_good_from_bad(void **state)
{
    (void)state;
    struct model chan = {.chans = {{.capacity = 1}, {.capacity = 1}}}, lock = {0},
                 sem = {.units = 1};
    const struct op in_order[] = {{SEND, 5, 0, 0, 1, 0}, {RECV, 0, 5, 2, 3, 0}};
    const struct op too_early[] = {{RECV, 0, 5, 0, 1, 0}, {SEND, 5, 0, 2, 3, 0}};
    const struct op overlapping[] = {{RECV, 0, 5, 0, 3, 0}, {SEND, 5, 0, 1, 2, 0}};
    const struct op wrong_order[] = {
        {SEND, 5, 0, 0, 1, 0}, {SEND, 6, -EAGAIN, 2, 3, 0}, {RECV, 0, 6, 4, 5, 0}};
    const struct op chosen[] = {{SEND, 5, 0, 0, 1, 1}, {SELECT_RECV, 0, 5, 2, 3, 1}};
    const struct op overlooked[] = {{SEND, 5, 0, 0, 1, 1}, {SELECT_RECV, 0, -EAGAIN, 2, 3, -1}};
    const struct op other_channel[] = {{SEND, 5, 0, 0, 1, 1}, {SELECT_RECV, 0, 5, 2, 3, 0}};
    const struct op meeting[] = {{SEND, 5, 0, 0, 3, 0}, {RECV, 0, 5, 1, 2, 0}};
    const struct op missed[] = {{SEND, 5, 0, 0, 1, 0}, {RECV, 0, 5, 2, 3, 0}};
    const struct op after_close[] = {
        {CLOSE, 0, 0, 0, 1, 0}, {SEND, 5, 0, 2, 5, 0}, {RECV, 0, 5, 3, 4, 0}};
    const struct op two_locks[] = {
        {LOCK, 0, 1, 0, 1, 0}, {TRY_LOCK, 0, 1, 2, 3, 0}, {UNLOCK, 0, 0, 4, 5, 0}};
    const struct op free_but_refused[] = {{TRY_LOCK, 0, 0, 0, 1, 0}};
    const struct op reader_and_writer[] = {{RDLOCK, 0, 1, 0, 1, 0}, {LOCK, 0, 1, 2, 3, 0}};
    const struct op too_much[] = {{TAKE, 1, 1, 0, 1, 0}, {TAKE, 1, 1, 2, 3, 0}};
    assert_true(is_linear(in_order, 2, chan));
    assert_false(is_linear(too_early, 2, chan));
    assert_true(is_linear(overlapping, 2, chan));
    assert_false(is_linear(wrong_order, 3, chan));
    assert_true(is_linear(chosen, 2, chan));
    assert_false(is_linear(overlooked, 2, chan));
    assert_false(is_linear(other_channel, 2, chan));
    assert_true(is_linear(meeting, 2, lock));
    assert_false(is_linear(missed, 2, lock));
    assert_false(is_linear(after_close, 3, lock));
    assert_false(is_linear(two_locks, 3, lock));
    assert_false(is_linear(free_but_refused, 1, lock));
    assert_false(is_linear(reader_and_writer, 2, lock));
    assert_false(is_linear(too_much, 2, sem));
}

ON_ALL_PROCS(channel_histories_are_linearizable)
ON_ALL_PROCS(select_histories_are_linearizable)
ON_ALL_PROCS(meetings_without_a_buffer_are_linearizable)
ON_ALL_PROCS(mutex_histories_are_linearizable)
ON_ALL_PROCS(read_write_mutex_histories_are_linearizable)
ON_ALL_PROCS(semaphore_histories_are_linearizable)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(the_checker_tells_good_from_bad),
        TEST(channel_histories_are_linearizable),
        TEST(select_histories_are_linearizable),
        TEST(meetings_without_a_buffer_are_linearizable),
        TEST(mutex_histories_are_linearizable),
        TEST(read_write_mutex_histories_are_linearizable),
        TEST(semaphore_histories_are_linearizable),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
