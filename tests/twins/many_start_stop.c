/* SPDX-License-Identifier: MIT */
/* Twin of TestTraceManyStartStop: ten traces in a row are thrown away, the eleventh is kept and all
 * are validated; then a thousand more (fewer in slow builds), over which the process must not grow.
 */
#include <unistd.h>

#include "base/fence.h"
#include "twins/twin.h"

#if defined(BASE_TSAN) || defined(__SANITIZE_ADDRESS__) || defined(WEFT_TORTURE)
enum { STARTS = 50, WARM_UP = 50 };
#else
enum { STARTS = 1000, WARM_UP = 100 };
#endif

/* A sanitizer's own memory grows with everything that happens. */
#if defined(BASE_TSAN) || defined(__SANITIZE_ADDRESS__)
#define MAY_GROW (256l << 20)
#else
#define MAY_GROW (4l << 20)
#endif

static int discard(void *context, const void *data, size_t size)
{
    (void)data;
    *(size_t *)context += size;
    return 0;
}

static void trace_into_nothing(struct twin_run *run)
{
    size_t bytes = 0;
    weft_trace_stream *stream;
    weft_trace_options options = {.size = sizeof options, .format = run->format};
    CHECK(weft_trace_start_callback(weft_tracer_default(), discard, &bytes, &options, &stream) ==
          0);
    weft_yield();
    CHECK(weft_trace_stop(stream, NULL) == 0);
    CHECK(bytes > 16);
}

static long resident_bytes(void)
{
    long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file && fscanf(file, "%ld %ld", &total, &resident) == 2);
    fclose(file);
    return resident * sysconf(_SC_PAGESIZE);
}

static void program(struct twin_run *run)
{
    for (int i = 0; i < 11; i++) {
        twin_start(run);
        weft_yield();
        twin_stop(run);
        if (i < 10)
            unlink(run->path);
    }
    for (int i = 0; i < WARM_UP; i++)
        trace_into_nothing(run);
    long before = resident_bytes();
    for (int i = 0; i < STARTS; i++)
        trace_into_nothing(run);
    long grown = resident_bytes() - before;
    if (grown > MAY_GROW)
        fprintf(stderr, "%d traces have left %ld bytes\n", STARTS, grown);
    CHECK(grown <= MAY_GROW);
}

int main(int argc, char **argv)
{
    static const struct twin twin = {"many_start_stop", program, NULL};
    return twin_main(&twin, argc, argv);
}
