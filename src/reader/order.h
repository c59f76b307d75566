/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_ORDER_H
#define WEFT_READER_ORDER_H

/*
 * The ordering state: what is known of threads, procs, goroutines, ranges, tasks and regions, and
 * the rules by which an event may advance it (ordering.md 4 and 5).
 *
 * An event is tried with reader_order_try. The outcome is advance (state changed, public events
 * made), wait (nothing changed, try again later), or a negative errno value (rejected, explained).
 *
 * Goroutines and procs are records in arrays, found by a hash table; threads remember the index of
 * what is bound to them, so that most events need no lookup. Records are whole structs rather than
 * parallel arrays: an event touches all fields of one or two of them, in no order.
 *
 * Invariant: a binding is an id. An index beside it is a hint, to be checked against the record,
 * because a goroutine may be bound to several threads in a strange trace, and die on one.
 */

#include "reader/decode.h"
#include "reader/holders.h"
#include "reader/pool.h"

/* Handles of strings with this bit are numbers of the pool, others indices of the generation. */
#define READER_POOL_BIT (UINT32_C(1) << 31)

struct reader_thread {
    uint64_t id, g, p; /* WEFT_ID_NONE if nothing is bound */
    uint32_t g_hint, p_hint;
};

struct reader_resource {
    uint64_t id;
    uint64_t gen, seq; /* last sequence number, and the generation that it belongs to */
    uint32_t ranges;   /* first range in flight, or READER_ABSENT */
    uint32_t single;   /* the one of them that is a sweep or an assist, or READER_ABSENT */
    uint32_t regions;  /* goroutines: innermost open region, or READER_ABSENT */
    uint8_t status;    /* as on the wire */
    bool live;
};

struct reader_resources {
    READER_VEC(struct reader_resource) at;
    struct reader_map of;
    uint32_t free; /* dead record to reuse (next in its ranges field), or READER_ABSENT */
};

/*
 * Ranges of a resource are in a list, whose order tells which of several stops of the world ends. A
 * goroutine may have any number of those (of other descriptions), so none of them is searched for
 * in the list: whether one is there, stw_of knows.
 */
struct reader_range {
    uint64_t description; /* STW: id of the kind's string, in the generation of the begin */
    uint32_t next, prev;  /* prev of the first is the last */
    uint8_t kind;         /* tag of the Begin event */
};

struct reader_region {
    uint64_t task;
    uint32_t text; /* pool */
    uint32_t next;
};

struct reader_task {
    uint64_t parent;
    uint32_t text; /* pool */
    uint32_t next; /* free list */
};

enum reader_gc_state { READER_GC_UNDETERMINED, READER_GC_IDLE, READER_GC_RUNNING };

/* Numbers in the pool of names that never change; reader_order_init makes them in this order. */
enum reader_name {
    READER_NAME_PROCS,
    READER_NAME_HEAP,
    READER_NAME_HEAP_GOAL,
    READER_NAME_GC,
    READER_NAME_SWEEP,
    READER_NAME_ASSIST,
    READER_NAME_ALLOC_FREE,
    READER_NAME_EXPERIMENTAL, /* the first of ids 128 to 136 */
};

#define READER_QUEUE 2

struct reader_order {
    READER_VEC(struct reader_thread) threads; /* 0 is "no thread": always bare */
    struct reader_map thread_of;
    struct reader_resources procs, goroutines;
    struct reader_holders holders;
    READER_VEC(struct reader_range) ranges;
    struct reader_map stw_of; /* goroutine and description, mixed → any */
    READER_VEC(struct reader_region) regions;
    READER_VEC(struct reader_task) tasks;
    struct reader_map task_of;
    uint32_t free_range, free_region, free_task;
    struct reader_pool pool;

    bool started;
    uint64_t first_gen; /* the first generation with events */
    enum reader_gc_state gc;
    uint64_t gc_seq;

    struct reader_generation *gen; /* the current one */
    uint32_t thread;               /* index of the thread whose event is tried */
    weft_event queue[READER_QUEUE];
    uint32_t queued; /* events behind the one that was made, in order */

    const char *rule; /* of a rejection */
    char message[384];
};

/* Outcomes beside negative errno values. ADVANCE_QUEUED: there are events in the queue, too. */
#define READER_WAIT           0
#define READER_ADVANCE        1
#define READER_ADVANCE_QUEUED 2

/* Handler of an event: *out has time, context, stacks and wire filled in, all else zero. */
typedef int (*reader_order_fn)(struct reader_order *order, const struct reader_wire_event *event,
                               weft_event *out);

/* Returns false when memory is exhausted. */
bool reader_order_init(struct reader_order *order, struct reader_budget *budget);
void reader_order_fini(struct reader_order *order);

/* Begins a generation: texts without a holder are dropped. */
void reader_order_set_generation(struct reader_order *order, struct reader_generation *gen,
                                 bool has_events);

/* Index of a thread, which is made if it is new and make is set; READER_ABSENT if not. */
uint32_t reader_order_thread(struct reader_order *order, uint64_t m, bool make);

/* Says in text (of size bytes) what a waiting event waits for. */
void reader_order_explain(const struct reader_order *order, const struct reader_wire_event *event,
                          char *text, size_t size);

extern const reader_order_fn reader_order_handlers[256];

/* All fields, one by one: as an initializer it becomes a string instruction, which is slow. */
static inline void reader_order_prepare(weft_event *out, const struct reader_wire_event *event,
                                        const struct reader_thread *self)
{
    out->time = event->time;
    out->m = self->id;
    out->p = self->p;
    out->g = self->g;
    out->stack = event->stack;
    out->kind = 0;
    out->resource = 0;
    out->from = 0;
    out->to = 0;
    out->id = 0;
    out->name = 0;
    out->message = 0;
    out->wire = event->tag;
    out->argc = 0;
    out->resource_stack = event->resource_stack;
    out->u.args[0] = 0;
    out->u.args[1] = 0;
    out->u.args[2] = 0;
}

/* Tries the event of a thread. order->rule and message explain -EBADMSG. */
static inline int reader_order_try(struct reader_order *order, uint32_t thread,
                                   const struct reader_wire_event *event, weft_event *out)
{
    struct reader_thread *self = &order->threads.at[thread];
    order->thread = thread;
    if (thread == 0)
        self->g = self->p = WEFT_ID_NONE;
    reader_order_prepare(out, event, self);
    return reader_order_handlers[event->tag](order, event, out);
}

/* -------- for the handlers, in order_*.c -------- */

int reader_reject(struct reader_order *order, const char *rule, const char *format, ...)
    WEFT_PRINTF(3, 4);

/* What an event needs of its context (ordering.md 4.1). */
enum {
    READER_NEED_M = 1,
    READER_NEED_P = 2,
    READER_NEED_NO_P = 4,
    READER_NEED_G = 8,
    READER_NEED_NO_G = 16,
    READER_NEED_ALL = READER_NEED_M | READER_NEED_P | READER_NEED_G,
};

/* 0, or a rejection by rule CTX-n. */
int reader_order_context_fail(struct reader_order *order, unsigned need);

static inline struct reader_thread *reader_order_self(struct reader_order *order)
{
    return &order->threads.at[order->thread];
}

static inline int reader_order_context(struct reader_order *order, unsigned need)
{
    const struct reader_thread *self = reader_order_self(order);
    unsigned have = (self->id != WEFT_ID_NONE ? READER_NEED_M : 0) |
                    (self->p != WEFT_ID_NONE ? READER_NEED_P : READER_NEED_NO_P) |
                    (self->g != WEFT_ID_NONE ? READER_NEED_G : READER_NEED_NO_G);
    return __builtin_expect((need & ~have) == 0, 1) ? 0 : reader_order_context_fail(order, need);
}

/* Record of an id, with a hint where it may be; NULL if there is none. */
static inline struct reader_resource *reader_resource_find(struct reader_resources *resources,
                                                           uint64_t id, uint32_t *hint)
{
    if (*hint < resources->at.count) {
        struct reader_resource *guess = &resources->at.at[*hint];
        if (guess->id == id && guess->live)
            return guess;
    }
    uint32_t found = reader_map_find(&resources->of, id);
    if (found == READER_ABSENT)
        return NULL;
    *hint = found;
    return &resources->at.at[found];
}

static inline struct reader_resource *reader_resource_get(struct reader_resources *resources,
                                                          uint64_t id)
{
    uint32_t found = reader_map_find(&resources->of, id);
    return found == READER_ABSENT ? NULL : &resources->at.at[found];
}

/* Adds a record of an id that has none, with sequence number 0. NULL when memory is exhausted. */
struct reader_resource *reader_resource_add(struct reader_order *order,
                                            struct reader_resources *resources, uint64_t id,
                                            unsigned status);
/* Adds a range that is not in flight behind the others, or removes one. False: no memory. */
bool reader_range_add(struct reader_order *order, struct reader_resource *on, unsigned kind,
                      uint64_t description);
void reader_range_remove(struct reader_order *order, struct reader_resource *on, uint32_t range);
bool reader_range_is_known(const struct reader_order *order, const struct reader_resource *on,
                           unsigned kind, uint64_t description);

/* Deletes a goroutine's record. */
void reader_goroutine_remove(struct reader_order *order, struct reader_resource *g);

static inline uint32_t reader_resource_index(const struct reader_resources *resources,
                                             const struct reader_resource *resource)
{
    return (uint32_t)(resource - resources->at.at);
}

static inline bool reader_resource_is_next(const struct reader_order *order,
                                           const struct reader_resource *resource, uint64_t seq)
{
    return resource->gen == order->gen->number && seq == resource->seq + 1;
}

/* Status events restart the sequence numbers of a generation. */
static inline void reader_resource_restart(const struct reader_order *order,
                                           struct reader_resource *resource)
{
    resource->gen = order->gen->number;
    resource->seq = 0;
}

/* The goroutine and the proc bound to the thread, or NULL if there is no record. */
static inline struct reader_resource *reader_order_own_g(struct reader_order *order)
{
    struct reader_thread *self = reader_order_self(order);
    return reader_resource_find(&order->goroutines, self->g, &self->g_hint);
}

static inline struct reader_resource *reader_order_own_p(struct reader_order *order)
{
    struct reader_thread *self = reader_order_self(order);
    return reader_resource_find(&order->procs, self->p, &self->p_hint);
}

static inline void reader_order_bind_g(struct reader_order *order, const struct reader_resource *g)
{
    struct reader_thread *self = reader_order_self(order);
    self->g = g->id;
    self->g_hint = reader_resource_index(&order->goroutines, g);
}

/* Takes its proc away from a thread that has one. */
static inline void reader_order_unbind_p(struct reader_order *order, uint32_t thread)
{
    if (__builtin_expect(order->holders.on, 0) && thread != 0)
        reader_holders_unbind(order, thread);
    order->threads.at[thread].p = WEFT_ID_NONE;
}

static inline void reader_order_bind_p(struct reader_order *order, const struct reader_resource *p)
{
    struct reader_thread *self = reader_order_self(order);
    if (__builtin_expect(self->p != WEFT_ID_NONE, 0))
        reader_order_unbind_p(order, order->thread);
    self->p = p->id;
    self->p_hint = reader_resource_index(&order->procs, p);
    if (__builtin_expect(order->holders.on, 0) && order->thread != 0)
        reader_holders_bind(order, order->thread);
}

static inline bool reader_order_in_first(const struct reader_order *order)
{
    return order->gen->number == order->first_gen;
}

/* Handle of a string id; 0 if it does not exist, which the caller checks where it matters. */
static inline weft_string reader_order_string(const struct reader_order *order, uint64_t id)
{
    uint32_t index = reader_idmap_find(&order->gen->string_of, id);
    return index == READER_ABSENT ? 0 : index;
}

/* Number in the pool of a string of the generation; READER_ABSENT when memory is exhausted. */
uint32_t reader_order_text(struct reader_order *order, weft_string string);

/* Fills in a transition. */
static inline void reader_order_transition(weft_event *out, weft_resource resource, uint64_t id,
                                           weft_state from, weft_state to)
{
    out->kind = WEFT_EVENT_STATE_TRANSITION;
    out->resource = (uint8_t)resource;
    out->id = id;
    out->from = (uint8_t)from;
    out->to = (uint8_t)to;
}

static inline void reader_order_go(weft_event *out, uint64_t g, weft_state from, weft_state to)
{
    reader_order_transition(out, WEFT_RESOURCE_GOROUTINE, g, from, to);
}

static inline void reader_order_proc(weft_event *out, uint64_t p, weft_state from, weft_state to)
{
    reader_order_transition(out, WEFT_RESOURCE_PROC, p, from, to);
}

/* Names of wire statuses for messages. */
const char *reader_g_status_name(unsigned status);
const char *reader_p_status_name(unsigned status);
/* Public states of wire statuses. */
weft_state reader_g_state(unsigned status);
weft_state reader_p_state(unsigned status);

#define READER_HANDLER(name)                                                                       \
    int reader_order_##name(struct reader_order *order, const struct reader_wire_event *event,     \
                            weft_event *out)

/* order_proc.c */
READER_HANDLER(procs_change);
READER_HANDLER(proc_start);
READER_HANDLER(proc_stop);
READER_HANDLER(proc_steal);
READER_HANDLER(proc_status);
/* order_go.c */
READER_HANDLER(go_create);
READER_HANDLER(go_create_syscall);
READER_HANDLER(go_start);
READER_HANDLER(go_destroy);
READER_HANDLER(go_stop);
READER_HANDLER(go_unblock);
READER_HANDLER(go_status);
READER_HANDLER(go_switch);
/* order_syscall.c */
READER_HANDLER(go_syscall_begin);
READER_HANDLER(go_syscall_end);
READER_HANDLER(go_syscall_end_blocked);
READER_HANDLER(go_destroy_syscall);
/* order_range.c */
READER_HANDLER(stw_begin);
READER_HANDLER(stw_end);
READER_HANDLER(gc_active);
READER_HANDLER(gc_begin);
READER_HANDLER(gc_end);
READER_HANDLER(sweep_active);
READER_HANDLER(sweep_begin);
READER_HANDLER(sweep_end);
READER_HANDLER(assist_active);
READER_HANDLER(assist_begin);
READER_HANDLER(assist_end);
READER_HANDLER(heap);
/* order_user.c */
READER_HANDLER(go_label);
READER_HANDLER(task_begin);
READER_HANDLER(task_end);
READER_HANDLER(region_begin);
READER_HANDLER(region_end);
READER_HANDLER(user_log);
READER_HANDLER(experimental);

#endif
