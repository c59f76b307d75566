/* SPDX-License-Identifier: MIT */
/*
 * Workers halt at the top of their loop when the crowd is paused, with whatever P and G they have.
 * A worker in a long system call counts as halted and waits for the end of the pause when it comes
 * back.
 */
#include "trace/crowd_parts.h"

/* ---- Workers ---- */

static void halt_if_asked(worker *w)
{
    crowd *c = w->c;
    pthread_mutex_lock(&c->lock);
    while (c->pausing) {
        w->state = HALTED;
        pthread_cond_broadcast(&c->halted);
        pthread_cond_wait(&c->resumed, &c->lock);
    }
    w->state = RUNNING;
    pthread_mutex_unlock(&c->lock);
}

static void *worker_main(void *arg)
{
    worker *w = arg;
    crowd *c = w->c;
    crowd_register_m(w);
    while (!atomic_load_relaxed(&c->quitting)) {
        halt_if_asked(w);
        crowd_step(w);
        atomic_store_relaxed(&w->steps, w->steps + 1);
    }
    halt_if_asked(w);
    if (w->g)
        crowd_go_stop(w);
    if (w->p)
        crowd_proc_stop(w);
    pthread_mutex_lock(&c->lock);
    w->state = HALTED;
    pthread_cond_broadcast(&c->halted);
    pthread_mutex_unlock(&c->lock);
    weft_trace_m_unregister(c->tracer, &w->m);
    return NULL;
}

/* ---- Life ---- */

crowd *crowd_new(unsigned workers, unsigned procs, uint64_t seed)
{
    crowd *c = calloc(1, sizeof *c);
    if (!c || workers > MAX_WORKERS || procs >= MAX_PS)
        abort();
    pthread_mutex_init(&c->lock, NULL);
    pthread_mutex_init(&c->world, NULL);
    pthread_cond_init(&c->halted, NULL);
    pthread_cond_init(&c->resumed, NULL);
    weft_trace_host host = crowd_host(c);
    while (weft_tracer_new(&host, &c->tracer) < 0)
        sched_yield();
    c->worker_count = workers;
    c->procs = c->max_procs = c->target = procs;
    c->drainer.c = c;
    c->drainer.random = 1;
    c->system.g.id = 1;
    c->system.status = WEFT_TRACE_G_WAITING;
    c->next_id = 2;
    for (unsigned i = 0; i < MAX_PS; i++) {
        c->ps[i].p.id = i;
        c->ps[i].ever = i <= procs;
    }
    for (unsigned i = 0; i < workers; i++) {
        c->workers[i].c = c;
        c->workers[i].random = seed * 1000003 + i * 7919 + 1;
    }
    for (unsigned i = 0; i < LEAST_GS * 2; i++) {
        gee *g = crowd_record(c);
        crowd_set_status(g, WEFT_TRACE_G_RUNNABLE);
        crowd_push(c, &c->runnable, g);
    }
    return c;
}

weft_tracer *crowd_tracer(crowd *c)
{
    return c->tracer;
}

void crowd_start(crowd *c)
{
    for (unsigned i = 0; i < c->worker_count; i++)
        if (pthread_create(&c->workers[i].thread, NULL, worker_main, &c->workers[i]) != 0)
            abort();
}

void crowd_stop(crowd *c)
{
    atomic_store_relaxed(&c->quitting, 1);
    for (unsigned i = 0; i < c->worker_count; i++)
        pthread_join(c->workers[i].thread, NULL);
}

uint64_t crowd_steps(const crowd *c)
{
    uint64_t steps = 0;
    for (unsigned i = 0; i < c->worker_count; i++)
        steps += atomic_load_relaxed(&c->workers[i].steps);
    return steps;
}

void crowd_free(crowd *c)
{
    weft_tracer_free(c->tracer);
    free(c);
}
