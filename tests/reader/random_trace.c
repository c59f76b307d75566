/* SPDX-License-Identifier: MIT */
#include "random_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

enum {
    PROCS = 200,
    GOROUTINES = 4000,
    LONG_AFTER = 1000, /* a step whose event no clock shows before those of the first steps */
};

static uint64_t state_of_draw;

static uint64_t draw(uint64_t below)
{
    state_of_draw ^= state_of_draw << 13;
    state_of_draw ^= state_of_draw >> 7;
    state_of_draw ^= state_of_draw << 17;
    return state_of_draw % below;
}

/* -------- a random program -------- */

enum { IS_RUNNABLE, IS_RUNNING, IS_WAITING, IS_SYSCALL, IS_GONE };

/* A program that runs in the order of its steps, and threads whose clocks differ widely. */
struct program {
    struct {
        int p, g;
        uint64_t time; /* of its last event; the batch begins at 0 */
        struct memory text;
    } threads[RANDOM_THREADS];
    struct {
        int status, m; /* IS_RUNNABLE stands for idle */
        unsigned seq;
    } procs[PROCS];
    struct {
        int status;
        unsigned seq;
    } goroutines[GOROUTINES];
    unsigned width;         /* threads in use */
    uint64_t tick;          /* of all clocks */
    unsigned count, gc_seq; /* goroutines so far */
    unsigned step;
};

static void say(struct program *program, unsigned m, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Appends an event; %dt in its place is up to here: the delta time comes first. */
static void say(struct program *program, unsigned m, const char *format, ...)
{
    uint64_t time = ((uint64_t)program->step + 300 + draw(300)) * 8192 + program->step;
    uint64_t last = program->threads[m].time;
    time -= time % program->tick;
    time = time > last ? time : last + (program->tick == 1);
    program->threads[m].time = time;
    char line[256], name[64];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    size_t size = strcspn(line, " ");
    snprintf(name, sizeof name, "%.*s dt=%llu", (int)size, line, (unsigned long long)(time - last));
    memory_write(&program->threads[m].text, name, strlen(name));
    memory_write(&program->threads[m].text, line + size, strlen(line) - size);
    memory_write(&program->threads[m].text, "\n", 1);
}

/* Some goroutine in a status, or -1. */
static int some_goroutine(const struct program *program, int status)
{
    for (unsigned tries = 0; program->count && tries < 20; tries++) {
        unsigned g = (unsigned)draw(program->count);
        if (program->goroutines[g].status == status)
            return (int)g;
    }
    return -1;
}

static int some_proc(const struct program *program, int status)
{
    for (unsigned tries = 0; tries < 20; tries++) {
        unsigned p = (unsigned)draw(PROCS);
        if (program->procs[p].status == status)
            return (int)p;
    }
    return -1;
}

static void create(struct program *program, unsigned m)
{
    if (program->count == GOROUTINES)
        return;
    unsigned g = program->count++;
    bool blocked = draw(2);
    program->goroutines[g].status = blocked ? IS_WAITING : IS_RUNNABLE;
    say(program, m, "%s new_g=%u new_stack=0 stack=0", blocked ? "GoCreateBlocked" : "GoCreate",
        g + 1);
}

static void start_proc(struct program *program, unsigned m)
{
    int p = some_proc(program, IS_RUNNABLE);
    if (p < 0)
        return;
    program->procs[p].status = IS_RUNNING;
    program->threads[m].p = p;
    say(program, m, "ProcStart p=%d p_seq=%u", p, ++program->procs[p].seq);
}

static void start_goroutine(struct program *program, unsigned m)
{
    int g = some_goroutine(program, IS_RUNNABLE);
    if (g < 0) {
        create(program, m);
        return;
    }
    program->goroutines[g].status = IS_RUNNING;
    program->threads[m].g = g;
    say(program, m, "GoStart g=%d g_seq=%u", g + 1, ++program->goroutines[g].seq);
}

static void unblock(struct program *program, unsigned m)
{
    int g = some_goroutine(program, IS_WAITING);
    if (g < 0)
        return;
    program->goroutines[g].status = IS_RUNNABLE;
    say(program, m, "GoUnblock g=%d g_seq=%u stack=0", g + 1, ++program->goroutines[g].seq);
}

static void leave(struct program *program, unsigned m, int status, const char *event)
{
    program->goroutines[program->threads[m].g].status = status;
    program->threads[m].g = -1;
    say(program, m, "%s", event);
}

static void switch_to(struct program *program, unsigned m)
{
    int g = some_goroutine(program, IS_WAITING);
    if (g < 0)
        return;
    bool destroy = draw(2);
    program->goroutines[program->threads[m].g].status = destroy ? IS_GONE : IS_WAITING;
    program->goroutines[g].status = IS_RUNNING;
    program->threads[m].g = g;
    say(program, m, "%s g=%d g_seq=%u", destroy ? "GoSwitchDestroy" : "GoSwitch", g + 1,
        ++program->goroutines[g].seq);
}

static void enter_syscall(struct program *program, unsigned m)
{
    int p = program->threads[m].p;
    program->goroutines[program->threads[m].g].status = IS_SYSCALL;
    program->procs[p].status = IS_SYSCALL;
    program->procs[p].m = (int)m;
    say(program, m, "GoSyscallBegin p_seq=%u stack=0", ++program->procs[p].seq);
}

static void steal(struct program *program, unsigned m)
{
    int p = some_proc(program, IS_SYSCALL);
    if (p < 0)
        return;
    unsigned victim = (unsigned)program->procs[p].m;
    program->procs[p].status = IS_RUNNABLE;
    program->threads[victim].p = -1;
    say(program, m, "ProcSteal p=%d p_seq=%u m=%u", p, ++program->procs[p].seq, victim + 1);
}

static void leave_syscall(struct program *program, unsigned m)
{
    int p = program->threads[m].p, g = program->threads[m].g;
    if (p < 0) {
        if (draw(2))
            start_proc(program, m);
        leave(program, m, IS_RUNNABLE, "GoSyscallEndBlocked");
        return;
    }
    program->goroutines[g].status = program->procs[p].status = IS_RUNNING;
    say(program, m, "GoSyscallEnd");
}

static void collect(struct program *program, unsigned m)
{
    if (program->step < LONG_AFTER)
        return;
    program->gc_seq++;
    say(program, m, program->gc_seq % 2 ? "GCBegin gc_seq=%u stack=0" : "GCEnd gc_seq=%u",
        program->gc_seq);
}

static void run_goroutine(struct program *program, unsigned m)
{
    switch (draw(10)) {
    case 0:
        leave(program, m, IS_WAITING, "GoBlock reason_string=0 stack=0");
        break;
    case 1:
        leave(program, m, IS_RUNNABLE, "GoStop reason_string=0 stack=0");
        break;
    case 2:
        leave(program, m, IS_GONE, "GoDestroy");
        break;
    case 3:
        switch_to(program, m);
        break;
    case 4:
        enter_syscall(program, m);
        break;
    case 5:
        collect(program, m);
        break;
    case 6:
        steal(program, m);
        break;
    case 7:
        create(program, m);
        break;
    default:
        unblock(program, m);
    }
}

static void step(struct program *program)
{
    unsigned m = (unsigned)draw(program->width);
    int p = program->threads[m].p, g = program->threads[m].g;
    program->step++;
    if (g >= 0 && program->goroutines[g].status == IS_SYSCALL)
        leave_syscall(program, m);
    else if (p < 0)
        start_proc(program, m);
    else if (g >= 0)
        run_goroutine(program, m);
    else if (draw(5) == 0) {
        program->procs[p].status = IS_RUNNABLE;
        program->threads[m].p = -1;
        say(program, m, "ProcStop");
    } else
        start_goroutine(program, m);
}

/* CPU samples at times all over the trace: they must not overtake events that wait. */
static void add_samples(struct memory *text)
{
    append_text(text, NOBODY "CPUSamples\n");
    for (unsigned i = 0; i < 200; i++) {
        char line[128];
        snprintf(line, sizeof line, "CPUSample time=%u m=1 p=1 g=1 stack=0\n",
                 (i * 31 + 301) * 8192 + 5000);
        append_text(text, line);
    }
}

struct memory random_trace(uint64_t seed, unsigned threads, unsigned steps, uint64_t tick)
{
    struct program *program = calloc(1, sizeof *program);
    program->width = threads;
    program->tick = tick;
    state_of_draw = seed * 0x9e3779b97f4a7c15u + 1;
    for (unsigned m = 0; m < threads; m++)
        program->threads[m].p = program->threads[m].g = -1;
    for (int p = 0; p < PROCS; p++)
        say(program, 0, "ProcStatus p=%d pstatus=2", p);
    say(program, 0, "GCActive gc_seq=%u", ++program->gc_seq); /* else any phase may be the first */
    while (program->step < steps)
        step(program);
    struct memory text = {0}, trace = {0};
    append_text(&text, "Trace Go1.26\n" SYNC);
    add_samples(&text);
    for (unsigned m = 0; m < threads; m++) {
        char line[80];
        snprintf(line, sizeof line, "EventBatch gen=1 m=%u time=0 size=auto\n", m + 1);
        append_text(&text, line);
        memory_write(&text, program->threads[m].text.data, program->threads[m].text.size);
        free(program->threads[m].text.data);
    }
    /* Threads without an event, after those whose first ones are decoded. */
    append_text(&text, "EventBatch gen=1 m=10001 time=0 size=auto\n"
                       "EventBatch gen=1 m=10002 time=0 size=auto\n" END);
    weft_reader_error error = {0};
    if (memory_assemble(&trace, (char *)text.data, text.size, &error) != 0)
        fail_msg("line %llu: %s", (unsigned long long)error.offset, error.message);
    free(text.data);
    free(program);
    return trace;
}
