/* SPDX-License-Identifier: MIT */
#include "twins/twin.h"

#include <pthread.h>
#include <unistd.h>

twin_run twin;

static void (*twin_body)(void);

/* ---- Constant advancing ---- */

static uint32_t advancer_stop;

/* On a thread of its own, so that it needs no P. */
static void *advance_on_and_on(void *arg)
{
    weft_tracer *tracer = arg;
    while (!__atomic_load_n(&advancer_stop, __ATOMIC_ACQUIRE)) {
        check(weft_trace_advance(tracer) == 0);
        if (!weft_trace_enabled(tracer))
            usleep(50);
    }
    return NULL;
}

static void join(pthread_t thread)
{
    __atomic_store_n(&advancer_stop, 1, __ATOMIC_RELEASE);
    weft_blocking_enter();
    pthread_join(thread, NULL);
    weft_blocking_exit();
}

static int run_body(void *arg)
{
    pthread_t advancer;
    (void)arg;
    advancer_stop = 0;
    if (twin.advancing)
        check(pthread_create(&advancer, NULL, advance_on_and_on, weft_tracer_default()) == 0);
    twin_body();
    if (twin.advancing)
        join(advancer);
    return 0;
}

/* ---- Traces ---- */

const char *twin_path(unsigned n)
{
    static char path[512];
    const char *folder = getenv("WEFT_TRACE_DIR");
    snprintf(path, sizeof path, "%s/twin_%s_%s_%u_%u_%02u.trace", folder ? folder : ".", twin.name,
             twin.mode, twin.format, twin.procs, n);
    return path;
}

weft_trace_stream *twin_start(unsigned n)
{
    weft_trace_stream *stream;
    weft_trace_options options = {.size = sizeof options,
                                  .format = twin.format,
                                  .generation_ns = twin.advancing ? WEFT_MILLISECOND : 0,
                                  .cpu_hz = twin.cpu_hz};
    check(weft_trace_start_path(weft_tracer_default(), twin_path(n), &options, &stream) == 0);
    return stream;
}

uint64_t twin_stop(weft_trace_stream *stream)
{
    weft_trace_result result = {.size = sizeof result};
    check(weft_trace_stop(stream, &result) == 0);
    check(result.error == 0 && result.lost_generations == 0 && result.lost_bytes == 0);
    check(result.generations > 0);
    return result.generations;
}

void twin_advance(unsigned n)
{
    while (n-- > 0)
        check(weft_trace_advance(weft_tracer_default()) == 0);
}

/* ---- Waiting ---- */

void twin_procs(int n)
{
    if (!twin.cooperative)
        check(weft_procs(n) > 0);
}

void twin_settle(void)
{
    weft_sleep(20 * WEFT_MILLISECOND);
}

void twin_await(const uint32_t *count, uint32_t n)
{
    while (__atomic_load_n(count, __ATOMIC_ACQUIRE) != n)
        weft_sleep(100 * WEFT_MICROSECOND);
}

/* ---- Arguments ---- */

/* "1.26" as in WEFT_TRACE_FORMAT, or "26". */
static unsigned parse_format(const char *text)
{
    if (strncmp(text, "1.", 2) == 0)
        text += 2;
    return (unsigned)atoi(text);
}

static void defaults(void)
{
    const char *format = getenv("WEFT_TRACE_FORMAT"), *procs = getenv("WEFT_PROCS");
    twin.format = format && *format ? parse_format(format) : 26;
    twin.procs = twin.cooperative ? 1 : procs ? (unsigned)atoi(procs) : 0;
}

static void run(void (*verify)(void))
{
    check(run_with_procs(twin.procs, run_body, NULL) == 0);
    verify();
    printf("%s: %s, format %u, %u Ps: passed\n", twin.name, twin.mode, twin.format, twin.procs);
}

int twin_main(int argc, char **argv, void (*body)(void), void (*verify)(void))
{
    const char *slash = strrchr(argv[0], '/'), *name = slash ? slash + 1 : argv[0];
    twin_body = body;
    twin.name = strncmp(name, "twin_", 5) == 0 ? name + 5 : name;
    twin.mode = argc > 1 ? argv[1] : "normal";
    twin.cooperative = strcmp(twin.mode, "cooperative") == 0;
    twin.advancing = strcmp(twin.mode, "advancing") == 0;
    defaults();
    if (argc <= 2)
        run(verify);
    for (int i = 2; i < argc; i++) {
        check(sscanf(argv[i], "%u:%u", &twin.format, &twin.procs) == 2);
        run(verify);
    }
    return 0;
}
