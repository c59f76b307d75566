/* SPDX-License-Identifier: MIT */
/*
 * Linearizability: a few goroutines use one object for a moment; then a search by brute force looks
 * for an order of their operations that respects who came before whom in time, and in which the
 * object's sequential model gives each the result that it had (J. Wing and C. Gong, "Testing and
 * verifying concurrent objects", 1993).
 */
#include "sched/support.h"

enum { WORKERS = 3, EACH = 4, MOST = 2 * WORKERS * EACH };

enum kind { SEND, RECV, CLOSE, TRY_LOCK, LOCK, UNLOCK, TRY_RDLOCK, RDLOCK, RDUNLOCK, TAKE, GIVE };

/* One operation of a history. */
struct op {
    enum kind kind;
    int64_t argument, result;
    uint32_t begin, end; /* instants of a common counter */
};

struct history {
    struct op ops[MOST];
    uint32_t count; /* atomic */
    uint32_t clock; /* atomic */
};

/* The model's state: a buffer of elements, whether it is closed; who holds a lock; units. */
struct model {
    int64_t buffer[4];
    int count, capacity;
    bool closed, held;
    int readers, units;
};

/* ---- Sequential models: whether the operation, carried out now, has that result ---- */

static bool apply_send(struct model *m, const struct op *op)
{
    if (m->closed)
        return op->result == -EPIPE;
    if (m->count == m->capacity)
        return op->result == -EAGAIN;
    m->buffer[m->count++] = op->argument;
    return op->result == 0;
}

static bool apply_recv(struct model *m, const struct op *op)
{
    if (m->count == 0)
        return op->result == (m->closed ? -EPIPE : -EAGAIN);
    if (op->result != m->buffer[0])
        return false;
    memmove(m->buffer, m->buffer + 1, sizeof m->buffer - sizeof *m->buffer);
    m->count--;
    return true;
}

static bool apply_take(struct model *m, const struct op *op)
{
    bool enough = m->units >= op->argument;
    if (enough && op->result)
        m->units -= (int)op->argument;
    return enough == (op->result != 0);
}

static bool apply(struct model *m, const struct op *op)
{
    switch (op->kind) {
    case SEND:
        return apply_send(m, op);
    case RECV:
        return apply_recv(m, op);
    case CLOSE:
        m->closed = true;
        return true;
    case TRY_LOCK:
    case LOCK:
        if (m->held || m->readers > 0)
            return op->result == 0;
        m->held = op->result != 0;
        return m->held;
    case UNLOCK:
        m->held = false;
        return true;
    case TRY_RDLOCK:
    case RDLOCK:
        if (m->held)
            return op->result == 0;
        m->readers += op->result != 0;
        return op->result != 0;
    case RDUNLOCK:
        m->readers--;
        return true;
    case TAKE:
        return apply_take(m, op);
    case GIVE:
        m->units += (int)op->argument;
        return true;
    }
    return false;
}

/* Whether no operation that is still to come was over before this one began. */
static bool may_be_next(const struct history *h, uint32_t done, uint32_t i)
{
    for (uint32_t k = 0; k < h->count; k++)
        if (!(done & 1u << k) && h->ops[k].end < h->ops[i].begin)
            return false;
    return true;
}

static bool search(const struct history *h, uint32_t done, struct model model)
{
    if (done == (h->count < 32 ? (1u << h->count) - 1 : UINT32_MAX))
        return true;
    for (uint32_t i = 0; i < h->count; i++) {
        struct model next = model;
        if (!(done & 1u << i) && may_be_next(h, done, i) && apply(&next, &h->ops[i]) &&
            search(h, done | 1u << i, next))
            return true;
    }
    return false;
}

static void check_linear(const struct history *h, struct model model)
{
    if (search(h, 0, model))
        return;
    for (uint32_t i = 0; i < h->count; i++)
        fprintf(stderr, "%u…%u: kind %d, argument %lld, result %lld\n", h->ops[i].begin,
                h->ops[i].end, h->ops[i].kind, (long long)h->ops[i].argument,
                (long long)h->ops[i].result);
    fprintf(stderr, "this history has no sequential order\n");
    abort();
}

/* ---- Recording ---- */

static struct op *begin(struct history *h, enum kind kind, int64_t argument)
{
    struct op *op = &h->ops[atomic_add_relaxed(&h->count, 1)];
    *op = (struct op){.kind = kind, .argument = argument};
    op->begin = atomic_add_seqcst(&h->clock, 1);
    return op;
}

static void end(struct history *h, struct op *op, int64_t result)
{
    op->result = result;
    op->end = atomic_add_seqcst(&h->clock, 1);
}

struct play {
    struct history history;
    weft_chan *chan;
    weft_mutex mutex;
    weft_rwmutex rw;
    weft_sem sem;
    weft_waitgroup group;
    uint32_t numbers; /* atomic: of the workers */
    uint32_t seed;
};

static void send(struct play *p, int64_t value)
{
    struct op *op = begin(&p->history, SEND, value);
    end(&p->history, op, weft_chan_try_send(p->chan, &value));
}

static void recv(struct play *p)
{
    int64_t value = 0;
    struct op *op = begin(&p->history, RECV, 0);
    int error = weft_chan_try_recv(p->chan, &value);
    end(&p->history, op, error ? error : value);
}

static void close_it(struct play *p)
{
    struct op *op = begin(&p->history, CLOSE, 0);
    weft_chan_close(p->chan);
    end(&p->history, op, 0);
}

static uint32_t dice(uint32_t *seed, uint32_t sides)
{
    return (uint32_t)((uint64_t)random_next(seed) * sides >> 32);
}

static void play_channel(struct play *p, uint32_t number, uint32_t *seed)
{
    for (int i = 0; i < 2 * EACH - 2; i++) {
        if (number == 0 && i == EACH && p->seed % 3 == 0)
            close_it(p);
        else if (dice(seed, 2))
            send(p, 1 + number * 100 + i);
        else
            recv(p);
        if (dice(seed, 4) == 0)
            weft_yield();
    }
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
    p.chan = weft_chan_new(sizeof(int64_t), (size_t)model.capacity);
    playing = fn;
    weft_waitgroup_add(&p.group, WORKERS);
    for (int i = 0; i < WORKERS; i++)
        go(worker, &p);
    weft_waitgroup_wait(&p.group);
    check_linear(&p.history, model);
    weft_chan_free(p.chan);
}

static void play_often(play_fn fn, struct model model)
{
    for (int i = 1; i <= ROUNDS(1500); i++)
        play_once(fn, model, (uint32_t)i);
}

static void channel_histories_are_linearizable(void)
{
    for (int capacity = 1; capacity <= 3; capacity++)
        play_often(play_channel, (struct model){.capacity = capacity});
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
    struct model chan = {.capacity = 1}, lock = {0}, sem = {.units = 1};
    const struct op in_order[] = {{SEND, 5, 0, 0, 1}, {RECV, 0, 5, 2, 3}};
    const struct op too_early[] = {{RECV, 0, 5, 0, 1}, {SEND, 5, 0, 2, 3}};
    const struct op overlapping[] = {{RECV, 0, 5, 0, 3}, {SEND, 5, 0, 1, 2}};
    const struct op wrong_order[] = {
        {SEND, 5, 0, 0, 1}, {SEND, 6, -EAGAIN, 2, 3}, {RECV, 0, 6, 4, 5}};
    const struct op two_locks[] = {
        {LOCK, 0, 1, 0, 1}, {TRY_LOCK, 0, 1, 2, 3}, {UNLOCK, 0, 0, 4, 5}};
    const struct op free_but_refused[] = {{TRY_LOCK, 0, 0, 0, 1}};
    const struct op reader_and_writer[] = {{RDLOCK, 0, 1, 0, 1}, {LOCK, 0, 1, 2, 3}};
    const struct op too_much[] = {{TAKE, 1, 1, 0, 1}, {TAKE, 1, 1, 2, 3}};
    assert_true(is_linear(in_order, 2, chan));
    assert_false(is_linear(too_early, 2, chan));
    assert_true(is_linear(overlapping, 2, chan));
    assert_false(is_linear(wrong_order, 3, chan));
    assert_false(is_linear(two_locks, 3, lock));
    assert_false(is_linear(free_but_refused, 1, lock));
    assert_false(is_linear(reader_and_writer, 2, lock));
    assert_false(is_linear(too_much, 2, sem));
}

ON_ALL_PROCS(channel_histories_are_linearizable)
ON_ALL_PROCS(mutex_histories_are_linearizable)
ON_ALL_PROCS(read_write_mutex_histories_are_linearizable)
ON_ALL_PROCS(semaphore_histories_are_linearizable)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(the_checker_tells_good_from_bad),
        TEST(channel_histories_are_linearizable),
        TEST(mutex_histories_are_linearizable),
        TEST(read_write_mutex_histories_are_linearizable),
        TEST(semaphore_histories_are_linearizable),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
