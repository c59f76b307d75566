/* SPDX-License-Identifier: MIT */
/*
 * Ownership. A runnable or waiting G is owned by who has popped it; a running G, and a P, by its
 * worker; a G in a system call, by its worker; its P there by who moves `claim` from ATTACHED to
 * TAKEN. The same word serves for user code that may be robbed of its P. Sections are entered after
 * that and outside of the lock, but for those of world changes; a G is pushed onto a queue after
 * the section that changed it.
 */
#ifndef WEFT_TESTS_TRACE_CROWD_PARTS_H
#define WEFT_TESTS_TRACE_CROWD_PARTS_H

#include "trace/crowd.h"

#include "base/atomic.h"
#include "base/cmocka_all.h"
#include "base/thread.h"

#include <weft/trace_host.h>

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define MAX_GS      160
#define MAX_PS      16
#define MAX_WORKERS 16
#define LEAST_GS    40

enum { RUNNING, HALTED };
enum { NONE, ATTACHED, TAKEN, GONE };

typedef struct gee {
    weft_trace_g g;
    uint32_t status; /* atomic */
    uint64_t tid;    /* atomic: of the thread that runs it */
    struct gee *next;
} gee;

typedef struct pee {
    weft_trace_p p;
    struct worker *worker; /* lock; NULL: idle */
    unsigned ever;
} pee;

typedef struct worker {
    weft_trace_m m;
    crowd *c;
    pthread_t thread;
    pee *p;
    gee *g;
    uint32_t claim; /* atomic: may the P be taken from the G that is elsewhere */
    int state;      /* lock */
    uint64_t random;
    uint64_t steps; /* atomic */
} worker;

typedef struct queue {
    gee *first;
    unsigned count;
} queue;

struct crowd {
    weft_tracer *tracer;
    pthread_mutex_t lock, world;
    pthread_cond_t halted, resumed;
    gee gs[MAX_GS];
    unsigned g_count; /* atomic, written under lock */
    uint64_t next_id;
    queue runnable, waiting, dead; /* lock */
    pee ps[MAX_PS];                /* the first is the drainer's */
    unsigned procs, max_procs;     /* lock and world: live Ps besides the first */
    unsigned target;               /* atomic: Ps above are to be dropped */
    worker workers[MAX_WORKERS];
    unsigned worker_count;
    worker drainer;
    gee system;
    unsigned pausing;  /* lock */
    unsigned quitting; /* atomic */
};

static inline void crowd_set_status(gee *g, uint32_t status)
{
    atomic_store_relaxed(&g->status, status);
}

static inline weft_trace_context crowd_context(const worker *w)
{
    return (weft_trace_context){w->p ? &w->p->p : NULL, w->g ? &w->g->g : NULL};
}

static inline bool crowd_enter(worker *w, weft_trace_section *section)
{
    return weft_trace_enter(w->c->tracer, &w->m, section);
}

/* ---- crowd_steps.c ---- */

void crowd_push(crowd *c, queue *q, gee *g);
/* A record for a new G: one of a dead G, or a new one. */
gee *crowd_record(crowd *c);
void crowd_proc_start(worker *w, pee *p);
void crowd_proc_stop(worker *w);
void crowd_go_start(worker *w, gee *g);
/* To the end of its queue. */
void crowd_go_stop(worker *w);
gee *crowd_detach_g(worker *w, uint32_t status);
void crowd_go_block(worker *w);
/* Takes the P of v, if its G is away, and lets it go idle. */
bool crowd_rob(worker *w, worker *v);
void crowd_register_m(worker *w);
/* One step of a worker, whatever it is. */
void crowd_step(worker *w);

/* ---- crowd_host.c ---- */

/* What the tracer asks of a crowd. */
weft_trace_host crowd_host(crowd *c);

#endif
