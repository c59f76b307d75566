/* SPDX-License-Identifier: MIT */
/*
 * Twin of TestTraceFutileWakeup: senders, receivers and selects on small channels, with a yield
 * before each operation. None of those goroutines may block, be made ready, run and block again
 * without having come as far as the yield: weft wakes nobody for nothing.
 */
#include "twins/twin.h"

enum { PAIRS = 2, ROUNDS = 1000, SPECIAL = 4 * PAIRS };

/* How far a special goroutine is since its last yield. */
enum phase { FRESH, BLOCKED, READY, WOKEN };

struct state {
    weft_chan *c0, *c1, *c2;
    weft_waitgroup done;
    uint64_t ids[SPECIAL];
    uint32_t count; /* atomic */
    enum phase phases[SPECIAL];
    uint64_t blocks;
};

static void enlist(struct state *s)
{
    s->ids[__atomic_fetch_add(&s->count, 1, __ATOMIC_RELAXED)] = weft_goid();
}

static void send(void *arg)
{
    struct state *s = arg;
    enlist(s);
    for (int i = 0; i < ROUNDS; i++) {
        weft_yield();
        CHECK(weft_chan_send(s->c0, &i) == 0);
    }
    weft_waitgroup_done(&s->done);
}

static void receive(void *arg)
{
    struct state *s = arg;
    enlist(s);
    for (int i = 0; i < ROUNDS; i++) {
        weft_yield();
        CHECK(weft_chan_recv(s->c0, NULL) == 0);
    }
    weft_waitgroup_done(&s->done);
}

static void select_send(void *arg)
{
    struct state *s = arg;
    enlist(s);
    for (int i = 0; i < ROUNDS; i++) {
        weft_select_case cases[] = {{.chan = s->c1, .send = &i}, {.chan = s->c2, .send = &i}};
        weft_yield();
        CHECK(weft_select(cases, 2, WEFT_NEVER) >= 0);
    }
    weft_waitgroup_done(&s->done);
}

static void select_receive(void *arg)
{
    struct state *s = arg;
    enlist(s);
    for (int i = 0; i < ROUNDS; i++) {
        weft_select_case cases[] = {{.chan = s->c1}, {.chan = s->c2}};
        weft_yield();
        CHECK(weft_select(cases, 2, WEFT_NEVER) >= 0);
    }
    weft_waitgroup_done(&s->done);
}

static void program(struct twin_run *run)
{
    struct state s = {0};
    run->state = &s;
    s.c0 = weft_chan_new(sizeof(int), 1);
    s.c1 = weft_chan_new(sizeof(int), 1);
    s.c2 = weft_chan_new(sizeof(int), 1);
    weft_waitgroup_add(&s.done, SPECIAL);
    twin_start(run);
    for (int i = 0; i < PAIRS; i++) {
        twin_go(send, &s);
        twin_go(receive, &s);
        twin_go(select_send, &s);
        twin_go(select_receive, &s);
    }
    weft_waitgroup_wait(&s.done);
    CHECK(s.count == SPECIAL);
    twin_stop(run);
    weft_chan_free(s.c0);
    weft_chan_free(s.c1);
    weft_chan_free(s.c2);
}

static enum phase *phase_of(struct state *s, uint64_t id)
{
    for (int i = 0; i < SPECIAL; i++)
        if (s->ids[i] == id)
            return &s->phases[i];
    return NULL;
}

static void follow(struct twin_run *run, weft_reader *reader, const weft_event *event,
                   enum phase *phase)
{
    struct state *s = run->state;
    if (event->to == WEFT_STATE_WAITING) {
        if (*phase == WOKEN) {
            fprintf(stderr,
                    "%s: goroutine %llu was woken for nothing: blocked again in %s at %lld ns\n",
                    run->path, (unsigned long long)event->id, twin_frame(reader, event->stack, 0),
                    (long long)event->time);
            abort();
        }
        *phase = BLOCKED;
        s->blocks++;
    } else if (event->from == WEFT_STATE_RUNNING && event->to == WEFT_STATE_RUNNABLE) {
        *phase = FRESH;
    } else if (event->from == WEFT_STATE_WAITING && event->to == WEFT_STATE_RUNNABLE) {
        *phase = READY;
    } else if (event->to == WEFT_STATE_RUNNING && *phase == READY) {
        *phase = WOKEN;
    }
}

static void check(struct twin_run *run, weft_reader *reader, const weft_event *event)
{
    struct state *s = run->state;
    if (!event) {
        CHECK(s->blocks > 0);
        return;
    }
    if (event->kind != WEFT_EVENT_STATE_TRANSITION || event->resource != WEFT_RESOURCE_GOROUTINE)
        return;
    enum phase *phase = phase_of(s, event->id);
    if (phase)
        follow(run, reader, event, phase);
}

int main(int argc, char **argv)
{
    static const struct twin twin = {"futile_wakeup", program, check};
    return twin_main(&twin, argc, argv);
}
