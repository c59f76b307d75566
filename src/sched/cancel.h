/* SPDX-License-Identifier: MIT */
/*
 * Contexts inside the runtime: how a wait is ended by one. The public side is weft/context.h.
 *
 * A wait that a context may end puts a record, which lies in its struct wait, on the context's
 * list. The end of the context claims what it finds there, as any other waker does (waiter.h).
 */
#ifndef WEFT_SCHED_CANCEL_H
#define WEFT_SCHED_CANCEL_H

#include <stdbool.h>
#include <stdint.h>

#include "sched/sched.h"
#include "weft/context.h"

/* A wait's place on the list of a context. lock: the context's */
struct context_watch {
    struct context_watch *next, *prev;
    bool listed;
};

/* The current context of a thread that is no goroutine. */
struct weft_context *context_of_thread(void);

/* The caller's current context or NULL. */
static inline struct weft_context *context_of(const struct m *m)
{
    return m ? m->g->context : context_of_thread();
}

/* The earlier of the deadline and the context's own. */
int64_t context_deadline_before(const struct weft_context *context, int64_t deadline);

/* Ends it; m may be NULL. */
void context_cancel(struct m *m, struct weft_context *context, int cause);

/* A counted reference for who has to outlive the owner's. */
void context_hold(struct weft_context *context);
void context_release(struct weft_context *context);

/* Puts a record on the context's list; false: the context has ended. Takes it off; false: the end
 * has done so. */
bool context_add_after(struct m *m, struct weft_context *context, struct weft_after *after);
bool context_remove_after(struct weft_context *context, struct weft_after *after);

/* 0, or what its end was. A deadline that nobody has noticed yet is not looked at. */
int context_ended(const struct weft_context *context);

/* 0, and the end of the context will claim the wait; or what ended it before. Under the lock that
 * the wait parks with. */
int context_watch(struct weft_context *context, struct context_watch *watch);

/* Afterwards the context does not touch the wait. */
void context_unwatch(struct weft_context *context, struct context_watch *watch);

#endif
