/* SPDX-License-Identifier: MIT */
/* Twin of TestTraceFutileWakeup: goroutines on buffered channels which yield before every
 * operation. One that was woken has what it waited for: it never blocks again at once. */
#include "twins/twin_walk.h"

enum { PROCS = 8, SETS = 2, TIMES = ROUNDS(1000), GOROUTINES_MAX = 64 };

static weft_chan *c0, *c1, *c2;
static uint32_t left;

static void end_one(void)
{
    __atomic_sub_fetch(&left, 1, __ATOMIC_RELEASE);
}

static void send_one_by_one(void *arg)
{
    for (int i = 0; i < TIMES; i++) {
        weft_yield();
        check(weft_chan_send(c0, &i) == 0);
    }
    (void)arg;
    end_one();
}

static void receive_one_by_one(void *arg)
{
    for (int i = 0; i < TIMES; i++) {
        weft_yield();
        check(weft_chan_recv(c0, NULL) == 0);
    }
    (void)arg;
    end_one();
}

static void send_by_select(void *arg)
{
    for (int i = 0; i < TIMES; i++) {
        weft_select_case cases[] = {{.chan = c1, .send = &i}, {.chan = c2, .send = &i}};
        weft_yield();
        check(weft_select(cases, 2, WEFT_NEVER) >= 0);
    }
    (void)arg;
    end_one();
}

static void receive_by_select(void *arg)
{
    for (int i = 0; i < TIMES; i++) {
        weft_select_case cases[] = {{.chan = c1}, {.chan = c2}};
        weft_yield();
        check(weft_select(cases, 2, WEFT_NEVER) >= 0);
    }
    (void)arg;
    end_one();
}

static const struct {
    void (*fn)(void *);
    const char *name;
} kinds[] = {
    {send_one_by_one, "send_one_by_one"},
    {receive_one_by_one, "receive_one_by_one"},
    {send_by_select, "send_by_select"},
    {receive_by_select, "receive_by_select"},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void body(void)
{
    left = SETS * KINDS;
    c0 = weft_chan_new(sizeof(int), 1);
    c1 = weft_chan_new(sizeof(int), 1);
    c2 = weft_chan_new(sizeof(int), 1);
    weft_trace_stream *stream = twin_start(0);
    twin_procs(PROCS);
    /* Receivers first: nobody sends yet, so they block for certain, however few rounds there are.
     */
    for (int i = 0; i < SETS * KINDS; i++)
        if (i % 2 == 1)
            check(weft_go(kinds[i % KINDS].fn, NULL) == 0);
    weft_sleep(5 * WEFT_MILLISECOND);
    for (int i = 0; i < SETS * KINDS; i++)
        if (i % 2 == 0)
            check(weft_go(kinds[i % KINDS].fn, NULL) == 0);
    twin_await(&left, 0);
    twin_stop(stream);
    weft_chan_free(c0);
    weft_chan_free(c1);
    weft_chan_free(c2);
}

/* How far a goroutine is on the way to a futile wake-up. */
enum stage { ENTERED, BLOCKED, WOKEN, RUNS };

struct found {
    struct {
        uint64_t id;
        enum stage stage;
    } of[GOROUTINES_MAX];
    unsigned count, blocks;
};

static void look(struct found *found, unsigned i, const weft_event *event)
{
    static const uint8_t expected[] = {WEFT_STATE_WAITING, WEFT_STATE_RUNNABLE, WEFT_STATE_RUNNING};
    enum stage stage = found->of[i].stage;
    if (stage == RUNS && event->to == WEFT_STATE_WAITING) {
        fprintf(stderr, "goroutine %llu was woken for nothing and blocks again at %lld ns\n",
                (unsigned long long)event->id, (long long)event->time);
        abort();
    }
    found->blocks += event->to == WEFT_STATE_WAITING;
    found->of[i].stage = stage != RUNS && event->to == expected[stage] ? stage + 1 : ENTERED;
}

static void seen(void *arg, const weft_reader *reader, const weft_event *event)
{
    struct found *found = arg;
    if (event->kind != WEFT_EVENT_STATE_TRANSITION || event->resource != WEFT_RESOURCE_GOROUTINE ||
        event->from == event->to)
        return;
    for (unsigned kind = 0; kind < KINDS; kind++)
        if (twin_creates(reader, event, kinds[kind].name)) {
            check(found->count < GOROUTINES_MAX);
            found->of[found->count++].id = event->id;
        }
    for (unsigned i = 0; i < found->count; i++)
        if (found->of[i].id == event->id)
            look(found, i, event);
}

static void verify(void)
{
    struct found found = {0};
    twin_walk(twin_path(0), seen, &found);
    check(found.count == SETS * KINDS);
    check(found.blocks > 0);
}

int main(int argc, char **argv)
{
    return twin_main(argc, argv, body, verify);
}
