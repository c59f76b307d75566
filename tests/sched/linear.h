/* SPDX-License-Identifier: MIT */
/*
 * Linearizability by brute force (J. Wing and C. Gong, "Testing and verifying concurrent objects",
 * 1993): a history of operations is right if there is an order of them that respects who came
 * before whom in time, and in which the object's sequential model gives each the result that it
 * had.
 */
#ifndef WEFT_TESTS_SCHED_LINEAR_H
#define WEFT_TESTS_SCHED_LINEAR_H

#include "sched/support.h"

enum { MOST = 24 };

enum kind {
    SEND,
    RECV,
    SELECT_SEND,
    SELECT_RECV,
    CLOSE,
    TRY_LOCK,
    LOCK,
    UNLOCK,
    TRY_RDLOCK,
    RDLOCK,
    RDUNLOCK,
    TAKE,
    GIVE
};

/* One operation of a history. */
struct op {
    enum kind kind;
    int64_t argument, result;
    uint32_t begin, end; /* instants of a common counter */
    int chan;            /* of a channel: which; of a select: the chosen one, -1: none */
};

struct history {
    struct op ops[MOST];
    uint32_t count; /* atomic */
    uint32_t clock; /* atomic */
};

struct model_chan {
    int64_t buffer[4];
    int count, capacity;
    bool closed;
};

/* The model's state: channels; who holds a lock; units. */
struct model {
    struct model_chan chans[2];
    bool held;
    int readers, units;
};

/* ---- Sequential models: whether the operation, carried out now, has that result ---- */

static inline bool apply_send(struct model_chan *c, const struct op *op)
{
    if (c->closed)
        return op->result == -EPIPE;
    if (c->count == c->capacity)
        return op->result == -EAGAIN;
    c->buffer[c->count++] = op->argument;
    return op->result == 0;
}

static inline bool apply_recv(struct model_chan *c, const struct op *op)
{
    if (c->count == 0)
        return op->result == (c->closed ? -EPIPE : -EAGAIN);
    if (op->result != c->buffer[0])
        return false;
    memmove(c->buffer, c->buffer + 1, sizeof c->buffer - sizeof *c->buffer);
    c->count--;
    return true;
}

/* A choice is right if the operation is; that there is none if it was possible with no channel. */
static inline bool apply_select(struct model *m, const struct op *op,
                                bool (*one)(struct model_chan *, const struct op *))
{
    if (op->chan >= 0)
        return op->result != -EAGAIN && one(&m->chans[op->chan], op);
    struct model copy = *m;
    return op->result == -EAGAIN && one(&copy.chans[0], op) && one(&copy.chans[1], op);
}

static inline bool apply_take(struct model *m, const struct op *op)
{
    bool enough = m->units >= op->argument;
    if (enough && op->result)
        m->units -= (int)op->argument;
    return enough == (op->result != 0);
}

static inline bool apply(struct model *m, const struct op *op)
{
    switch (op->kind) {
    case SEND:
        return apply_send(&m->chans[op->chan], op);
    case RECV:
        return apply_recv(&m->chans[op->chan], op);
    case SELECT_SEND:
        return apply_select(m, op, apply_send);
    case SELECT_RECV:
        return apply_select(m, op, apply_recv);
    case CLOSE:
        m->chans[op->chan].closed = true;
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
static inline bool may_be_next(const struct history *h, uint32_t done, uint32_t i)
{
    for (uint32_t k = 0; k < h->count; k++)
        if (!(done & 1u << k) && h->ops[k].end < h->ops[i].begin)
            return false;
    return true;
}

static inline bool search(const struct history *h, uint32_t done, struct model model);

/* Without a buffer a send and a receive happen at one moment. */
static inline bool is_meeting(const struct op *send, const struct op *recv,
                              const struct model *model)
{
    return (send->kind == SEND || send->kind == SELECT_SEND) &&
           (recv->kind == RECV || recv->kind == SELECT_RECV) && send->chan >= 0 &&
           send->chan == recv->chan && model->chans[send->chan].capacity == 0 &&
           !model->chans[send->chan].closed && send->result == 0 && recv->result == send->argument;
}

static inline bool search_meetings(const struct history *h, uint32_t done,
                                   const struct model *model, uint32_t send)
{
    for (uint32_t i = 0; i < h->count; i++)
        if (!(done & 1u << i) && is_meeting(&h->ops[send], &h->ops[i], model) &&
            may_be_next(h, done, i) && search(h, done | 1u << send | 1u << i, *model))
            return true;
    return false;
}

static inline bool search(const struct history *h, uint32_t done, struct model model)
{
    if (done == (1u << h->count) - 1)
        return true;
    for (uint32_t i = 0; i < h->count; i++) {
        struct model next = model;
        if (done & 1u << i || !may_be_next(h, done, i))
            continue;
        if (search_meetings(h, done, &model, i) ||
            (apply(&next, &h->ops[i]) && search(h, done | 1u << i, next)))
            return true;
    }
    return false;
}

static inline void check_linear(const struct history *h, struct model model)
{
    if (search(h, 0, model))
        return;
    for (uint32_t i = 0; i < h->count; i++)
        fprintf(stderr, "%u…%u: kind %d, channel %d, argument %lld, result %lld\n", h->ops[i].begin,
                h->ops[i].end, h->ops[i].kind, h->ops[i].chan, (long long)h->ops[i].argument,
                (long long)h->ops[i].result);
    fprintf(stderr, "this history has no sequential order\n");
    abort();
}

/* ---- Recording ---- */

static inline struct op *begin(struct history *h, enum kind kind, int64_t argument)
{
    struct op *op = &h->ops[atomic_add_relaxed(&h->count, 1)];
    *op = (struct op){.kind = kind, .argument = argument};
    op->begin = atomic_add_seqcst(&h->clock, 1);
    return op;
}

static inline void end(struct history *h, struct op *op, int64_t result)
{
    op->result = result;
    op->end = atomic_add_seqcst(&h->clock, 1);
}

#endif
