/* SPDX-License-Identifier: MIT */
/* Collections and stops of the world made by hand, and the figures that follow from them. */
#include "analysis/made_trace.h"

#include <errno.h>
#include <math.h>

#include <weft/collector.h>

struct result {
    struct memory memory;
    weft_reader *reader;
    weft_collector *collector;
    weft_mmu *mmu;
};

static void analyse(struct result *result, const char *text, unsigned flags)
{
    weft_event event;
    int status;
    *result = (struct result){0};
    result->reader = made_open(&result->memory, text);
    assert_int_equal(weft_collector_new(&result->collector, result->reader), 0);
    assert_int_equal(weft_mmu_new(&result->mmu, result->reader, flags), 0);
    while ((status = weft_reader_next(result->reader, &event)) == 1) {
        assert_int_equal(weft_collector_event(result->collector, &event), 0);
        assert_int_equal(weft_mmu_event(result->mmu, &event), 0);
    }
    assert_int_equal(status, 0);
    assert_int_equal(weft_collector_finish(result->collector), 0);
    assert_int_equal(weft_mmu_finish(result->mmu), 0);
}

static void release(struct result *result)
{
    weft_collector_free(result->collector);
    weft_mmu_free(result->mmu);
    weft_reader_free(result->reader);
    free(result->memory.data);
}

/*
 * Two procs from 1110 on. A cycle from 1150 to 1250: a stop from 1160 to 1180; an assist of 1 from
 * 1190 to 1200. A worker, 2, on the other proc from 1140 to 1230 says so at 1205. A sweep from 1260
 * to 1300. A stop that is not for the collector from 1310 to 1360. The trace ends at 1400 + 1.
 */
#define CYCLE                                                                                      \
    TRACE(THREAD(7) ONE_RUNS "ProcsChange dt=10 procs_value=2 stack=0\n"                           \
                             "HeapAlloc dt=10 heapalloc_value=4000\n"                              \
                             "HeapGoal dt=10 heapgoal_value=5000\n"                                \
                             "GCBegin dt=20 gc_seq=1 stack=1\n"                                    \
                             "STWBegin dt=10 kind_string=12 stack=3\nSTWEnd dt=20\n"               \
                             "GCMarkAssistBegin dt=10 stack=1\nGCMarkAssistEnd dt=10\n"            \
                             "HeapAlloc dt=10 heapalloc_value=4800\n"                              \
                             "HeapAlloc dt=35 heapalloc_value=1500\nGCEnd dt=5 gc_seq=2\n"         \
                             "GCSweepBegin dt=10 stack=1\n"                                        \
                             "GCSweepEnd dt=40 swept_value=300 reclaimed_value=100\n"              \
                             "STWBegin dt=10 kind_string=13 stack=1\nSTWEnd dt=50\n"               \
                             "GoStop dt=40 reason_string=2 stack=1\n" THREAD(                      \
                                 8) "ProcStatus dt=55 p=1 pstatus=1\n"                             \
                                    "GoStatus dt=85 g=2 m=8 gstatus=2\n"                           \
                                    "GoLabel dt=65 label_string=11\n"                              \
                                    "GoBlock dt=25 reason_string=2 stack=2\n")

static void pauses_are_grouped_by_reason(void **state)
{
    struct result result;
    weft_pause_group group;
    weft_place place;
    size_t count;
    (void)state;
    analyse(&result, CYCLE, WEFT_MMU_STW);
    const weft_pause *pauses = weft_collector_pauses(result.collector, &count);
    assert_int_equal(count, 2);
    assert_int_equal(pauses[0].begin, 1160);
    assert_int_equal(pauses[0].end, 1180);
    assert_int_equal(pauses[0].goroutine, 1);
    assert_string_equal(pauses[0].name.data, "stop-the-world (GC sweep termination)");
    assert_int_equal(weft_collector_place(result.collector, pauses[0].stack, 1, &place), 0);
    assert_string_equal(place.function.data, "other");
    assert_int_equal(weft_collector_pause_group(result.collector, 1, &group), 0);
    assert_string_equal(group.name.data, "stop-the-world (read trace)");
    assert_int_equal(group.lengths->sum, 50);
    assert_int_equal(weft_collector_pause_group(result.collector, 2, &group), -ERANGE);
    release(&result);
}

static void cycle_has_its_heap_and_its_work(void **state)
{
    struct result result;
    size_t count;
    (void)state;
    analyse(&result, CYCLE, WEFT_MMU_STW);
    const weft_cycle *cycle = weft_collector_cycles(result.collector, &count);
    assert_int_equal(count, 1);
    assert_int_equal(cycle->begin, 1150);
    assert_int_equal(cycle->end, 1250);
    assert_true(cycle->seen_begin && cycle->seen_end);
    assert_int_equal(cycle->heap_before, 4000);
    assert_int_equal(cycle->heap_most, 4800);
    assert_int_equal(cycle->heap_after, 1500);
    assert_int_equal(cycle->goal, 5000);
    assert_int_equal(cycle->pauses, 1); /* not that which was for the trace */
    assert_int_equal(cycle->pause_time, 20);
    assert_int_equal(cycle->assists, 1);
    assert_int_equal(cycle->assist_time, 10);
    assert_int_equal(cycle->sweeps, 1);
    assert_int_equal(cycle->sweep_time, 40);
    assert_int_equal(cycle->bytes_swept, 300);
    assert_int_equal(cycle->bytes_reclaimed, 100);
    assert_int_equal(cycle->worker_time, 25); /* from 1205 to 1230 */
    assert_int_equal(cycle->idle_time, 0);
    release(&result);
}

static void assert_minimum(const struct result *result, int64_t window, double want, int64_t at)
{
    int64_t found;
    double least = weft_mmu_minimum(result->mmu, window, &found);
    if (fabs(least - want) > 1e-12)
        fail_msg("%lld ns: %.12f, not %.12f", (long long)window, least, want);
    assert_int_equal(found, at);
}

static void utilisation_counts_what_it_is_told_to(void **state)
{
    struct result result;
    (void)state;
    analyse(&result, CYCLE, WEFT_MMU_STW);
    assert_int_equal(weft_mmu_longest(result.mmu), 1401 - 1110);
    assert_minimum(&result, 20, 0, 1160);
    assert_minimum(&result, 40, 0.5, 1140);
    assert_minimum(&result, 291, 1 - 20.0 / 291, 1110);
    assert_minimum(&result, 1000, 1 - 20.0 / 291, 1110);
    assert_minimum(&result, 0, 0, 1110);
    release(&result);
    /* Half of the procs for the assist, and for the worker behind it. */
    analyse(&result, CYCLE, WEFT_MMU_ASSIST | WEFT_MMU_BACKGROUND);
    assert_minimum(&result, 40, 1 - 17.5 / 40, 1190);
    assert_minimum(&result, 80, 1 - 17.5 / 80, 1150);
    release(&result);
    analyse(&result, CYCLE, WEFT_MMU_SWEEP);
    assert_minimum(&result, 40, 0.5, 1260);
    release(&result);
}

static void utilisation_of_the_worst_proc(void **state)
{
    struct result result;
    (void)state;
    /* On P0 the stop and the assist, 30 of 40; the dedicated worker does not count. */
    analyse(&result, CYCLE,
            WEFT_MMU_STW | WEFT_MMU_ASSIST | WEFT_MMU_BACKGROUND | WEFT_MMU_PER_PROC);
    assert_minimum(&result, 10, 0, 1160);
    assert_minimum(&result, 40, 0.25, 1160);
    release(&result);
}

/* A sweep that is under way when the trace begins, until 1130. */
static void sweep_from_before_the_trace_counts_from_its_begin(void **state)
{
    struct result result;
    static const char text[] =
        TRACE(THREAD(7) "ProcStatus dt=50 p=0 pstatus=1\nGoStatus dt=1 g=1 m=7 gstatus=2\n"
                        "ProcsChange dt=1 procs_value=2 stack=0\nGCSweepActive dt=48 p=0\n"
                        "GCSweepEnd dt=30 swept_value=1 reclaimed_value=1\n"
                        "GoStop dt=70 reason_string=2 stack=1\n");
    (void)state;
    analyse(&result, text, WEFT_MMU_SWEEP);
    assert_minimum(&result, 78, 0.5, 1052);
    release(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_are_grouped_by_reason),
        cmocka_unit_test(cycle_has_its_heap_and_its_work),
        cmocka_unit_test(utilisation_counts_what_it_is_told_to),
        cmocka_unit_test(utilisation_of_the_worst_proc),
        cmocka_unit_test(sweep_from_before_the_trace_counts_from_its_begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
