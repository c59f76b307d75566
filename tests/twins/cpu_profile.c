/* SPDX-License-Identifier: MIT */
/* Twin of TestTraceCPUProfile: CPU profile and trace at once, while a goroutine computes within a
 * region, for half of the time under a label. The trace has its samples, with the goroutine and the
 * stack, as many as its CPU time makes; the region is begun and ended. */
#include "profile/burn.h"
#include "twins/twin_walk.h"

#include <weft/annotate.h>

enum { HALF = 50, UNIT_MS = 2, HZ = 250 }; /* units of burn.h */

static uint32_t finished;
static uint64_t hog_id;
static weft_cpu_profile_result profiled;

static void hog(void *arg)
{
    weft_region region;
    (void)arg;
    hog_id = weft_goid();
    weft_region_begin(&region, "hog");
    burn_a(HALF);
    check(weft_label_set("labelled") == 0);
    burn_b(HALF);
    check(weft_label_set("") == 0);
    check(weft_region_end(&region) == 0);
    __atomic_store_n(&finished, 1, __ATOMIC_RELEASE);
}

static int null_write(void *context, const void *data, size_t size)
{
    (void)context, (void)data, (void)size;
    return 0;
}

static void body(void)
{
    const weft_cpu_profile_options options = {.size = sizeof options, .hz = HZ};
    finished = 0;
    twin.cpu_hz = HZ;
    weft_trace_stream *stream = twin_start(0);
    check(weft_cpu_profile_start_callback(null_write, NULL, &options) == 0);
    check(weft_go(hog, NULL) == 0);
    twin_await(&finished, 1);
    profiled = (weft_cpu_profile_result){.size = sizeof profiled};
    check(weft_cpu_profile_stop(&profiled) == 0);
    twin_stop(stream);
}

struct found {
    unsigned region, a, b, others;
};

static bool stack_names(const weft_reader *reader, weft_stack stack, const char *function)
{
    for (size_t i = 0; i < weft_reader_stack_depth(reader, stack); i++)
        if (twin_frame_is(reader, stack, i, function))
            return true;
    return false;
}

static void seen(void *arg, const weft_reader *reader, const weft_event *event)
{
    struct found *found = arg;
    bool region = event->kind == WEFT_EVENT_REGION_BEGIN || event->kind == WEFT_EVENT_REGION_END;
    if (region && event->g == hog_id && twin_text_is(reader, event->name, "hog"))
        found->region = found->region * 10 + (event->kind == WEFT_EVENT_REGION_BEGIN ? 1 : 2);
    if (event->kind != WEFT_EVENT_STACK_SAMPLE)
        return;
    bool a = stack_names(reader, event->stack, "burn_a");
    bool b = stack_names(reader, event->stack, "burn_b");
    check(event->m != WEFT_ID_NONE);
    check(!(a || b) || (event->g == hog_id && found->region == 1));
    found->a += a;
    found->b += b;
    found->others += !(a || b);
}

/* Within a factor of what the CPU time of one half makes: kernels look at timers now and then. */
static void right_number(unsigned samples)
{
    const unsigned expected = HALF * UNIT_MS * HZ / 1000;
    check(samples >= expected / 5 && samples <= expected * 5);
}

static void verify(void)
{
    struct found found = {0};
    twin_walk(twin_path(0), seen, &found);
    check(found.region == 12);
    right_number(found.a);
    right_number(found.b);
    check(profiled.samples > 0 && profiled.lost_samples == 0);
    /* Every sample of the profile is in the trace as well, and a sample is one tick or more. */
    check(found.a + found.b + found.others > 0);
    check(profiled.cpu_ns / 1000000 >= (uint64_t)(found.a + found.b) * (1000 / HZ));
}

int main(int argc, char **argv)
{
    return twin_main(argc, argv, body, verify);
}
