/* SPDX-License-Identifier: MIT */
/* What a goroutine carries of the user's annotations: its task and its label, which the goroutines
 * that it starts inherit, and how many regions it has open. */
#ifndef WEFT_SCHED_USER_ANNOTATIONS_H
#define WEFT_SCHED_USER_ANNOTATIONS_H

#include "sched/sched.h"

/* Shared by all goroutines that inherited it; never changed. */
struct label {
    uint32_t users; /* atomic */
    uint32_t size;  /* 1 … 1024 */
    char text[];
};

void label_release(struct label *label);

static inline struct label *label_share(struct label *label)
{
    if (unlikely(label))
        atomic_add_relaxed(&label->users, 1);
    return label;
}

/* g is new; creator may be NULL. */
static inline void annotations_inherit(struct g *g, const struct g *creator)
{
    g->task = creator ? creator->task : 0;
    g->label = creator ? label_share(creator->label) : NULL;
    g->label_generation = 0;
    g->open_regions = 0;
}

/* g is at its end. */
static inline void annotations_drop(struct g *g)
{
    struct label *label = g->label;
    if (unlikely(label)) {
        g->label = NULL;
        compiler_barrier(); /* cpu_running() may look at any instruction: no longer at this one */
        label_release(label);
    }
}

/* Settings from the environment. 0 or -EINVAL, with a message. */
int annotations_init(void);

#endif
