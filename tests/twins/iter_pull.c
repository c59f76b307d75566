/* SPDX-License-Identifier: MIT */
/*
 * Twin of TestTraceIterPull: iterators that are pulled, by one goroutine and by two that take
 * turns, to their end and not to their end.
 */
#include "twins/twin_walk.h"

#include "wire/events.h"

enum { ELEMENTS = 100, PULLED = 20 };

static weft_waitgroup done;

/* Yields 0, 1, 2, … as pointers one up, so that none is NULL. */
static void *iterate(void *arg, void *value)
{
    (void)value;
    for (uintptr_t i = 1; i <= (uintptr_t)arg; i++)
        if (weft_coro_yield((void *)i, NULL) < 0)
            return NULL;
    return NULL;
}

static uintptr_t pull(weft_coro *iterator)
{
    void *value;
    check(weft_coro_resume(iterator, NULL, &value) >= 0);
    return (uintptr_t)value;
}

static void pull_all(void *arg)
{
    uintptr_t sum = 0, value;
    weft_coro *iterator = weft_coro_new(iterate, arg, 0);
    check(iterator);
    while ((value = pull(iterator)))
        sum += value;
    check(sum == (uintptr_t)arg * ((uintptr_t)arg + 1) / 2);
    check(weft_coro_free(iterator) == 0);
    weft_waitgroup_done(&done);
}

static void pull_some(void *arg)
{
    weft_coro *iterator = weft_coro_new(iterate, arg, 0);
    for (uintptr_t i = 1; i <= PULLED; i++)
        check(pull(iterator) == i);
    check(weft_coro_free(iterator) == 0);
    weft_waitgroup_done(&done);
}

/* The iterator goes to and fro between two goroutines. */
static weft_chan *turn[2];

static void take_turns(void *arg)
{
    uintptr_t me = (uintptr_t)arg, value;
    weft_coro *iterator;
    do {
        check(weft_chan_recv(turn[me], &iterator) == 0);
        value = pull(iterator);
        check(weft_chan_send(turn[1 - me], &iterator) == 0);
    } while (value && value < ELEMENTS - 1);
    weft_waitgroup_done(&done);
}

static void hand_over(void)
{
    weft_coro *iterator = weft_coro_new(iterate, (void *)(uintptr_t)ELEMENTS, 0);
    for (int i = 0; i < 2; i++)
        check(turn[i] = weft_chan_new(sizeof iterator, 1));
    weft_waitgroup_add(&done, 2);
    check(weft_chan_send(turn[0], &iterator) == 0);
    for (uintptr_t i = 0; i < 2; i++)
        check(weft_go(take_turns, (void *)i) == 0);
    weft_waitgroup_wait(&done);
    check(weft_coro_free(iterator) == 0);
    for (int i = 0; i < 2; i++)
        weft_chan_free(turn[i]);
}

static void body(void)
{
    weft_trace_stream *stream = twin_start(0);
    weft_waitgroup_add(&done, 4);
    for (int i = 0; i < 2; i++) {
        check(weft_go(pull_all, (void *)(uintptr_t)ELEMENTS) == 0);
        check(weft_go(pull_some, (void *)(uintptr_t)ELEMENTS) == 0);
    }
    weft_waitgroup_wait(&done);
    hand_over();
    twin_stop(stream);
}

static void count(void *arg, const weft_reader *reader, const weft_event *event)
{
    (void)reader;
    ((unsigned *)arg)[event->wire]++;
}

static void verify(void)
{
    unsigned counts[256] = {0};
    twin_walk(twin_path(0), count, counts);
    if (twin.format < 23)
        return;
    check(counts[WIRE_EV_GO_CREATE_BLOCKED] == 5);
    check(counts[WIRE_EV_GO_SWITCH_DESTROY] == 3 * 5); /* three transitions each */
    check(counts[WIRE_EV_GO_SWITCH] >= 3 * 2 * (2 * ELEMENTS + 2 * PULLED));
}

int main(int argc, char **argv)
{
    return twin_main(argc, argv, body, verify);
}
