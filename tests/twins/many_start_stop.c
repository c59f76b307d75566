/* SPDX-License-Identifier: MIT */
/* Twin of TestTraceManyStartStop: traces in a row, each of them whole, and a thousand more, for
 * which the memory of the process does not grow. */
#include "twins/twin_walk.h"

#include <unistd.h>

enum { KEPT = 11, MANY = ROUNDS(1000), WARM_UP = MANY / 2 };

/* What half of the rounds may leave behind: less than a page each. */
#define GROWTH_MAX ((size_t)(MANY - WARM_UP) * 4096 / 2)

static void answer(void *arg)
{
    int value;
    check(weft_chan_recv(arg, &value) == 0);
    value++;
    check(weft_chan_send(arg, &value) == 0);
}

/* Something to trace, with a goroutine of its own. */
static void ask(void)
{
    weft_chan *chan = weft_chan_new(sizeof(int), 0);
    int value = 1;
    check(weft_go(answer, chan) == 0);
    check(weft_chan_send(chan, &value) == 0);
    check(weft_chan_recv(chan, &value) == 0 && value == 2);
    weft_chan_free(chan);
}

static int swallow(void *context, const void *data, size_t size)
{
    (void)data;
    *(size_t *)context += size;
    return 0;
}

static void trace_into_nothing(void)
{
    size_t bytes = 0;
    weft_trace_stream *stream;
    weft_trace_options options = {.size = sizeof options, .format = twin.format};
    check(weft_trace_start_callback(weft_tracer_default(), swallow, &bytes, &options, &stream) ==
          0);
    ask();
    twin_stop(stream);
    check(bytes > 16);
}

static size_t resident_bytes(void)
{
    unsigned long pages;
    FILE *file = fopen("/proc/self/statm", "r");
    check(file && fscanf(file, "%*u %lu", &pages) == 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* The most that is resident over so many rounds: threads and buffers come and go. */
static size_t most_resident(int rounds)
{
    size_t most = 0;
    for (int i = 0; i < rounds; i++) {
        trace_into_nothing();
        size_t now = resident_bytes();
        most = now > most ? now : most;
    }
    return most;
}

static void body(void)
{
    for (unsigned i = 0; i < KEPT; i++) {
        weft_trace_stream *stream = twin_start(i);
        ask();
        twin_stop(stream);
    }
    size_t before = most_resident(WARM_UP), after = most_resident(MANY - WARM_UP);
    printf("resident: %zu KiB, and %zu KiB %d traces later\n", before / 1024, after / 1024,
           MANY - WARM_UP);
#if !defined(TEST_ASAN) && !defined(TEST_TSAN) /* which keep freed memory */
    check(after <= before + GROWTH_MAX);
#endif
}

static void verify(void)
{
    for (unsigned i = 0; i < KEPT; i++)
        check(twin_walk(twin_path(i), NULL, NULL) > 10);
}

int main(int argc, char **argv)
{
    return twin_main(argc, argv, body, verify);
}
