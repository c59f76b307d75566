/* SPDX-License-Identifier: MIT */
/* Ps: making them, the idle list, giving them to Ms. */
#ifndef WEFT_SCHED_PROC_H
#define WEFT_SCHED_PROC_H

#include "sched/sched.h"

/* A new P number id, not idle yet. 0 or -ENOMEM. */
int proc_make(uint32_t id);
void proc_free(struct p *p);

/* Gives an idle P to m, which has none. NULL if there is none. Emits nothing. */
struct p *proc_take_idle(struct m *m);

/* m and its P part; the P is the caller's now. */
struct p *proc_detach(struct m *m);
/* m gets the caller's P. */
void proc_attach(struct m *m, struct p *p);

/* The caller's P goes on with whoever has use for it: an M is started if there is work, else it
 * becomes idle. */
void proc_hand_off(struct p *p);

/* The same, with sched.lock held and without looking for work. */
void proc_put_idle_locked(struct p *p);
/* Takes one from the idle list or NULL; sched.lock is held. */
struct p *proc_get_idle_locked(void);
/* Takes this P out of the idle list; sched.lock is held. */
void proc_remove_idle_locked(struct p *p);

/* There is new work: starts one more M that looks for it, unless one looks already or no P is idle.
 */
void proc_wake_one(void);

#endif
