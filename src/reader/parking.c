/* SPDX-License-Identifier: MIT */
/*
 * Design: what an event waits for is a key: "goroutine 7 is runnable and its next number is 3".
 * After an event was applied, the keys that its goroutines, procs and thread now satisfy are looked
 * up. Of a group only the earliest comes back, and those of the same time, since which of them is
 * the next depends on their places. If one advances, that is an event again, which looks up the
 * same keys; if it still waits, so must all of its group: their condition is the same.
 *
 * Corners: more than WAKE_MOST of one group and one time do not come back at once. All claim the
 * same number of one thing, so at most one of them is true; which one comes next is then not
 * decided by their places alone.
 *
 * Keys are hashes of 64 bits: that of two groups is the same once in 2^64.
 */
#include "reader/parking.h"

#define WAKE_MOST 64

enum awaited {
    G_RUNNABLE,    /* and its next sequence number */
    G_WAITING,     /* the same */
    P_IDLE,        /* the same */
    P_IN_SYSCALL,  /* the same */
    P_NOT_SYSCALL, /* whatever its number */
    THREAD,        /* its proc is taken away */
    COLLECTOR,     /* number of the collector's phase */
};

static uint64_t scramble(uint64_t v)
{
    v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9ull;
    v = (v ^ v >> 27) * 0x94d049bb133111ebull;
    return v ^ v >> 31;
}

static uint64_t key_of(enum awaited what, uint64_t id, uint64_t number)
{
    return scramble(scramble(id + 0x9e3779b97f4a7c15ull * (what + 1)) + number);
}

/* -------- groups -------- */

static bool new_group(struct reader_parking *parking, uint64_t key, uint32_t *group)
{
    *group = parking->free;
    if (*group != READER_ABSENT)
        parking->free = parking->groups.at[*group];
    else if (READER_PUSH(&parking->groups))
        *group = parking->groups.count - 1;
    else
        return false;
    parking->groups.at[*group] = READER_ABSENT;
    return reader_map_add(&parking->group_of, key, *group);
}

static bool join_group(struct reader_parking *parking, uint64_t key, uint32_t cursor)
{
    uint32_t group = reader_map_find(&parking->group_of, key);
    if (group == READER_ABSENT && !new_group(parking, key, &group))
        return false;
    uint32_t *heap = &parking->groups.at[group];
    *heap = reader_pairing_meld(&parking->nodes, *heap, cursor);
    return true;
}

/* Brings the earliest of a group back, and those of the same time, if there are any. */
static void wake(struct reader_parking *parking, struct reader_frontier *frontier, uint64_t key)
{
    uint32_t group = reader_map_find(&parking->group_of, key);
    if (group == READER_ABSENT)
        return;
    uint32_t *heap = &parking->groups.at[group];
    const struct reader_pair *nodes = parking->nodes.at.at;
    int64_t time = nodes[*heap].key;
    for (unsigned i = 0; i < WAKE_MOST && *heap != READER_ABSENT && nodes[*heap].key == time; i++) {
        reader_frontier_wake(frontier, *heap);
        parking->parked--;
        *heap = reader_pairing_remove(&parking->nodes, *heap, *heap);
    }
    if (*heap != READER_ABSENT)
        return;
    reader_map_remove(&parking->group_of, key);
    *heap = parking->free;
    parking->free = group;
}

/* -------- parking -------- */

bool reader_parking_begin(struct reader_parking *parking, uint32_t n, bool on)
{
    parking->on = on;
    parking->parked = 0;
    parking->nodes.at.count = parking->groups.count = 0;
    parking->free = READER_ABSENT;
    reader_map_clear(&parking->group_of);
    for (uint32_t i = 0; on && i < n; i++)
        if (!READER_PUSH(&parking->nodes.at))
            return false;
    return true;
}

void reader_parking_fini(struct reader_parking *parking)
{
    READER_VEC_FINI(&parking->nodes.at);
    READER_VEC_FINI(&parking->groups);
    reader_map_fini(&parking->group_of);
}

/* What the event of the thread that was tried last waits for. */
static uint64_t awaited_key(const struct reader_order *order, const struct reader_wire_event *event)
{
    const struct reader_thread *self = &order->threads.at[order->thread];
    uint64_t id = event->args[0], number = event->args[1];
    switch (event->tag) {
    case WIRE_EV_GO_START:
        return key_of(G_RUNNABLE, id, number);
    case WIRE_EV_GO_UNBLOCK:
    case WIRE_EV_GO_SWITCH:
    case WIRE_EV_GO_SWITCH_DESTROY:
        return key_of(G_WAITING, id, number);
    case WIRE_EV_PROC_START:
        return self->p != WEFT_ID_NONE ? key_of(THREAD, self->id, 0) : key_of(P_IDLE, id, number);
    case WIRE_EV_PROC_STEAL:
        return key_of(P_IN_SYSCALL, id, number);
    case WIRE_EV_GO_SYSCALL_END_BLOCKED:
        return key_of(P_NOT_SYSCALL, self->p, 0);
    default:
        return key_of(COLLECTOR, 0, id);
    }
}

bool reader_parking_add(struct reader_parking *parking, struct reader_frontier *frontier,
                        uint32_t place, const struct reader_order *order,
                        const struct reader_wire_event *event)
{
    uint32_t cursor = reader_frontier_at(frontier, place)->cursor;
    reader_pairing_single(&parking->nodes, cursor, event->time);
    if (!join_group(parking, awaited_key(order, event), cursor))
        return false;
    reader_frontier_wait(frontier, place);
    parking->parked++;
    return true;
}

/* -------- waking -------- */

struct waking {
    struct reader_parking *parking;
    struct reader_frontier *frontier;
    const struct reader_order *order;
};

static void wake_for_g(const struct waking *w, uint64_t id)
{
    uint32_t index = reader_map_find(&w->order->goroutines.of, id);
    if (index == READER_ABSENT)
        return;
    const struct reader_resource *g = &w->order->goroutines.at.at[index];
    if (g->gen != w->order->gen->number)
        return;
    if (g->status == WIRE_G_RUNNABLE)
        wake(w->parking, w->frontier, key_of(G_RUNNABLE, id, g->seq + 1));
    else if (g->status == WIRE_G_WAITING)
        wake(w->parking, w->frontier, key_of(G_WAITING, id, g->seq + 1));
}

static void wake_for_p(const struct waking *w, uint64_t id)
{
    uint32_t index = reader_map_find(&w->order->procs.of, id);
    if (index == READER_ABSENT)
        return;
    const struct reader_resource *p = &w->order->procs.at.at[index];
    if (p->status != WIRE_P_SYSCALL)
        wake(w->parking, w->frontier, key_of(P_NOT_SYSCALL, id, 0));
    if (p->gen != w->order->gen->number)
        return;
    if (p->status == WIRE_P_IDLE)
        wake(w->parking, w->frontier, key_of(P_IDLE, id, p->seq + 1));
    else if (p->status == WIRE_P_SYSCALL || p->status == WIRE_P_SYSCALL_ABANDONED)
        wake(w->parking, w->frontier, key_of(P_IN_SYSCALL, id, p->seq + 1));
}

void reader_parking_wake(struct reader_parking *parking, struct reader_frontier *frontier,
                         const struct reader_order *order, const struct reader_wire_event *event,
                         const weft_event *out)
{
    const struct waking w = {parking, frontier, order};
    wake_for_g(&w, out->g);
    wake_for_p(&w, out->p);
    if (out->kind == WEFT_EVENT_STATE_TRANSITION && out->resource == WEFT_RESOURCE_GOROUTINE)
        wake_for_g(&w, out->id);
    if (out->kind == WEFT_EVENT_STATE_TRANSITION && out->resource == WEFT_RESOURCE_PROC)
        wake_for_p(&w, out->id);
    if (event->tag == WIRE_EV_PROC_STEAL)
        wake(parking, frontier, key_of(THREAD, event->args[2], 0));
    if (event->tag >= WIRE_EV_GC_ACTIVE && event->tag <= WIRE_EV_GC_END)
        wake(parking, frontier, key_of(COLLECTOR, 0, order->gc_seq + 1));
}
