/* SPDX-License-Identifier: MIT */
/*
 * Descriptors that goroutines wait for.
 *
 * Design. A descriptor is registered once, for both directions, edge-triggered. Each direction
 * counts its events. An operation notes the count, makes its system call, and if that says EAGAIN
 * waits for a count other than noted. The system calls are made outside the runtime, so that nobody
 * at the border waits for the kernel.
 *
 *     m = rt_enter(); poll_begin(&m, desc, mode, deadline, &seen); rt_exit(m);
 *     while (system call says EAGAIN) { m = rt_enter(); poll_wait(&m, desc, mode, deadline, &seen);
 * rt_exit(m); } m = rt_enter(); fd = poll_end(m, desc, mode); rt_exit(m); if (fd >= 0) close(fd);
 *
 * Invariants
 *   1. The count is noted before the system call. Noted after it, an event between the two would be
 * taken for old, and with edge-triggered events no other comes: the goroutine would sleep on a
 * readable socket.
 *   2. A waiter joins the list under the lock under which the count is compared, and the poller
 * counts and empties the list under the same lock: an event comes either before the comparison,
 * which then fails, or finds the waiter.
 *   3. A record is never unmapped, and its sequence grows before it is reused: the cookie of an
 * event that the kernel reported before the descriptor was removed names the old sequence and is
 * dropped. Without that the event could be counted for a stranger (a futile wake-up) or touch freed
 * memory.
 *   4. A side is `empty` only if a read that was begun after its last event returned less than it
 * asked for, of a descriptor whose short reads mean that (POLL_TCP) and that was never `marked`.
 * What comes later is another event. The end of the stream or urgent data may have come with the
 * data, in one event: the short read leaves it behind, and a reader that waited for an event would
 * wait for ever. Hence the mark, which stays.
 *   5. The descriptor is closed after the last operation has ended. Closed earlier, the number
 * could be somebody else's when a system call that is about to be made uses it.
 *
 * Rejected
 *   Reading only behind an event, always: all but TCP return less than there is now and then (a
 * message, a line of a terminal, a change of the sender's credentials), and what a `poll` of 0 says
 * costs as much as the read.
 *   A ready flag, cleared by who waits or before each system call: cleared when waiting, the flag
 * left by an event whose data was read already costs a second EAGAIN; cleared before the call it
 * needs a full fence in between (invariant 1). Waking one waiter of several: it would have to pass
 * the event on when it stops early. Several readers of one descriptor are rare, so all are woken
 * and look again. A timer for each wait: a server moves its deadline ahead with each request. The
 * timer of a direction stays where it is when the deadline moves away; when it fires early it is
 * set again.
 */
#ifndef WEFT_SCHED_NETPOLL_H
#define WEFT_SCHED_NETPOLL_H

#include "sched/sched.h"
#include "sched/waiter.h"

enum poll_mode { POLL_READ, POLL_WRITE, POLL_MODES };

/* What is known of a descriptor. */
enum poll_kind { POLL_PIPE, POLL_SOCKET, POLL_TCP };

/* One direction. Everything is under desc->lock, unless said otherwise. */
struct poll_side {
    uint8_t mode;                /* constant: enum poll_mode */
    uint32_t events;             /* atomic, written under desc->lock: how often it became ready */
    bool busy;                   /* POLL_WRITE: a writer is between poll_begin and poll_end */
    bool empty;                  /* POLL_READ: there is nothing to read before the next event */
    bool marked;                 /* POLL_READ: a short read proves nothing any more (invariant 4) */
    bool armed;                  /* the timer is in a heap, or its run() is yet to come */
    struct waiter_queue waiters; /* for an event */
    struct waiter_queue turns;   /* for the writer before them */
    int64_t deadline;            /* WEFT_NEVER: none */
    int64_t alarm;               /* armed: when the timer fires */
    struct wait_timer timer;     /* fires at the deadline or before */
};

struct poll_desc {
    base_lock lock;    /* rank POLL_DESC */
    uint32_t index;    /* constant: its place in the pool */
    uint32_t sequence; /* lock: lock; of this use of the record */
    uint32_t users;    /* lock: lock; operations that have begun and not ended */
    uint32_t run;      /* constant while open: the number of the runtime in which it was opened */
    int fd;            /* constant while open */
    bool closing;      /* lock: lock; true also while the record is free */
    uint8_t kind;      /* constant while open: enum poll_kind */
    struct poll_side side[POLL_MODES];
    struct poll_desc *next_free; /* lock: the pool's */
};

/* ---- Use. Inside the runtime, by goroutines. ---- */

/* Registers fd. 0 and *out; -EOPNOTSUPP (a file), -EEXIST (registered already), -ENOMEM, -ENOSPC.
 * fd stays the caller's after an error. */
int poll_open(int fd, enum poll_kind kind, struct poll_desc **out);

/* Refuses new operations and ends those that wait with -ECANCELED. Returns the descriptor if the
 * caller is to close it, else -1: the last operation will. */
int poll_close(struct m *m, struct poll_desc *desc);

/* An operation begins. A writer waits for the one before. deadline: of this operation, besides that
 * of the direction. 0, -ECANCELED, -ETIMEDOUT as below. */
int poll_begin(struct m **m, struct poll_desc *desc, enum poll_mode mode, int64_t deadline,
               uint32_t *seen);

/* The same for a read; waits at once where a system call could but say EAGAIN. *waited: what ended
 * that wait, as poll_wait() returns it; other than 0, the operation is to end with it. */
int poll_begin_read(struct m **m, struct poll_desc *desc, int64_t deadline, uint32_t *seen,
                    int *waited);

/* Waits until there is an event that is not in *seen, and notes it. 0: try again; -ECANCELED
 * (closed, or the caller's context has ended), -ETIMEDOUT. */
int poll_wait(struct m **m, struct poll_desc *desc, enum poll_mode mode, int64_t deadline,
              uint32_t *seen);

/* The operation ends. Returns as poll_close does. */
int poll_end(struct m *m, struct poll_desc *desc, enum poll_mode mode);

/* The same for a read that was begun with *seen and returned less than it asked for. */
int poll_end_short_read(struct m *m, struct poll_desc *desc, uint32_t seen);

/* Deadline of the waiting operations, present and future. */
void poll_set_deadline(struct m *m, struct poll_desc *desc, enum poll_mode mode, int64_t deadline);

/* ---- Between poll_desc.c, which makes, ends and finds the records, and netpoll.c, which waits.
 * ---- */

/* The record that the cookie of an event is for, locked; NULL: it is gone (invariant 3). */
struct poll_desc *poll_desc_lock_event(uint64_t cookie);

/* Forgets what belonged to the runtime that ends. Nobody else is in it any more. */
void poll_descs_fini(void);

int netpoll_add(const struct poll_desc *desc, uint64_t cookie);
void netpoll_remove(const struct poll_desc *desc);

/* The number of the runtime, for poll_desc.run. */
uint32_t netpoll_run(void);

/* Takes everybody who waits for the direction into *ready, with this result. desc->lock is held. */
void poll_side_wake(struct poll_desc *desc, enum poll_mode mode, int result, struct g_list *ready);
/* Takes the timer back. desc->lock is held. */
void poll_side_disarm(struct poll_side *side);
/* Where its timer calls. */
bool poll_timer_due(struct wait_timer *timer);
void poll_timer_run(struct m *m, struct wait_timer *timer, struct g_list *ready);

#endif
