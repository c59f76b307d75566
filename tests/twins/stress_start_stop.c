/* SPDX-License-Identifier: MIT */
/* Twin of TestTraceStressStartStop: traces of a millisecond each while a bit of everything goes on
 * in the background. All of them are whole. */
#include "twins/twin_load.h"
#include "twins/twin_walk.h"

enum { TRACES = 5 };

static uint32_t traced, ended;

static void go_on_until_traced(void *arg)
{
    (void)arg;
    do {
        twin_load_block();
        twin_load_run();
    } while (!__atomic_load_n(&traced, __ATOMIC_ACQUIRE));
    __atomic_store_n(&ended, 1, __ATOMIC_RELEASE);
}

static void body(void)
{
    traced = ended = 0;
    check(weft_go(go_on_until_traced, NULL) == 0);
    weft_sleep(5 * WEFT_MILLISECOND);
    for (unsigned i = 0; i < TRACES; i++) {
        weft_trace_stream *stream = twin_start(i);
        weft_sleep(WEFT_MILLISECOND);
        twin_stop(stream);
        weft_sleep(5 * WEFT_MILLISECOND); /* so that they meet different parts of the load */
    }
    __atomic_store_n(&traced, 1, __ATOMIC_RELEASE);
    twin_await(&ended, 1);
}

static void verify(void)
{
    for (unsigned i = 0; i < TRACES; i++)
        twin_walk(twin_path(i), NULL, NULL);
}

int main(int argc, char **argv)
{
    return twin_main(argc, argv, body, verify);
}
