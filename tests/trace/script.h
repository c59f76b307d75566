/* SPDX-License-Identifier: MIT */
/*
 * A host that does what a test tells it to, one step after the other on the test's thread: Ms that
 * are no threads, Ps and Gs without anything to run. The tracer asks its questions while the test
 * waits for it, or at most between two steps, so every trace is reproducible but for its times.
 *
 * The tracer's own P has the number 0 and its own G the number 1.
 */
#ifndef WEFT_TESTS_TRACE_SCRIPT_H
#define WEFT_TESTS_TRACE_SCRIPT_H

#include <weft/trace.h>
#include <weft/trace_host.h>

#include <pthread.h>

#define SCRIPT_MS 8
#define SCRIPT_PS 8
#define SCRIPT_GS 4096

/* The threads that do not exist: above any number that the kernel gives to a thread (2^22), as the
 * drainer, which is a thread, would else share its stream with one of them now and then. */
#define SCRIPT_TID (1u << 24)

typedef struct script_g {
    weft_trace_g g;
    uint32_t status;
    int m; /* in a system call or running: on this M; else -1 */
} script_g;

typedef struct script_p {
    weft_trace_p p;
    int m;    /* -1: idle */
    int ever; /* was live once */
} script_p;

typedef struct script_m {
    weft_trace_m m;
    script_p *p;
    script_g *g;
    uint64_t tid;
} script_m;

typedef struct script {
    pthread_mutex_t lock;  /* recursive: a step, or an answer to the tracer */
    pthread_mutex_t world; /* held by the tracer, or by a change of procs */
    weft_tracer *tracer;
    script_m m[SCRIPT_MS + 1]; /* the last one is the drainer's */
    script_p p[SCRIPT_PS + 1]; /* p[0] is the drainer's */
    script_g g[SCRIPT_GS];     /* g[0] is the drainer's */
    unsigned procs;            /* live Ps: 1 … procs, and 0 */
    unsigned gs;
    uint64_t next_id;
    int attach_error; /* what attach returns */
    unsigned refused_attaches;
    int held, world_stopped;
    int with_stacks; /* views of Gs carry one */
    bool marking;    /* what a host with a collector answers */
    uint64_t goal;
    void (*snapshot)(weft_trace_section *section, weft_trace_context self);
} script;

/* procs: live Ps besides the tracer's. */
script *script_new(unsigned procs);
/* A host with a collector, which reports objects. */
script *script_new_with_heap(unsigned procs, const weft_trace_heap *heap);
void script_free(script *s);

/* A new G, made by the current G of M m (m = -1: before everything, without event), Runnable. */
script_g *script_create(script *s, int m);
script_g *script_create_blocked(script *s, int m);
void script_proc_start(script *s, int m, unsigned p);
void script_proc_stop(script *s, int m);
void script_start(script *s, int m, script_g *g);
void script_stop(script *s, int m);
void script_block(script *s, int m);
void script_end(script *s, int m);
/* m = -1: by nobody (only while tracing is off). */
void script_unblock(script *s, int m, script_g *g);
void script_switch(script *s, int m, script_g *to, int destroy);
void script_syscall(script *s, int m);
void script_syscall_end(script *s, int m);
/* The thief takes the P of a victim whose G is in a system call, and lets it go idle. */
void script_steal(script *s, int thief, int victim);
/* The G of a system call whose P was stolen becomes runnable. */
void script_syscall_lost(script *s, int m);
/* A foreign thread's G, in a system call on an M that has no G. */
script_g *script_foreign_enter(script *s, int m);
void script_foreign_leave(script *s, int m);

/* A step of the test's own: opens a section on M m, which may fail if tracing is off; ends it. */
bool script_enter(script *s, int m, weft_trace_section *section, weft_trace_context *c);
void script_leave(script *s, bool open, weft_trace_section *section);

/* Each live P runs a G for a moment on the M of its number. */
void script_busy(script *s);
/* All Ps are idle. */
void script_procs(script *s, unsigned procs);

/* A stream into a callback; format 0: the latest; generations end on request only. */
weft_trace_stream *script_stream(script *s, weft_trace_write_fn write, void *context,
                                 unsigned format);

#endif
