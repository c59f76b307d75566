/* SPDX-License-Identifier: MIT */
/* Traces made by hand, as text, and the figures that follow from them by hand. */
#include "analysis/made_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

#include <weft/analysis.h>
#include <weft/export.h>

#define GOROUTINES 16

struct result {
    weft_reader *reader;
    struct memory memory;
    int status;
    weft_summary *summary;
    weft_profile *profile;
    weft_watch *watch;
    const weft_totals *totals;
    weft_goroutine_stats goroutines[GOROUTINES];
    int64_t first_reason[GOROUTINES], first_range[GOROUTINES];
    size_t count;
};

static int keep(void *context, const weft_goroutine_stats *g)
{
    struct result *result = context;
    assert_true(result->count < GOROUTINES);
    result->goroutines[result->count] = *g;
    result->first_reason[result->count] = g->blocked.count ? g->blocked.at[0].time : -1;
    result->first_range[result->count++] = g->ranges.count ? g->ranges.at[0].time : -1;
    int64_t sum = 0;
    for (unsigned i = 0; i < WEFT_SPENT_LIMIT; i++)
        sum += g->times.time[i];
    assert_int_equal(sum, g->ended - g->created);
    return 0;
}

/* Reads a trace through all analyses; the profile of a kind. */
static void analyse(struct result *result, const char *text, weft_profile_kind kind,
                    const char *region)
{
    weft_event event;
    *result = (struct result){0};
    result->reader = made_open(&result->memory, text);
    assert_int_equal(weft_summary_new(&result->summary, result->reader), 0);
    assert_int_equal(weft_profile_new(&result->profile, result->reader, kind, region), 0);
    assert_int_equal(weft_watch_new(&result->watch, result->reader, 1), 0);
    weft_summary_each_goroutine(result->summary, keep, result);
    while ((result->status = weft_reader_next(result->reader, &event)) == 1) {
        assert_int_equal(weft_summary_event(result->summary, &event), 0);
        assert_int_equal(weft_profile_event(result->profile, &event), 0);
        assert_int_equal(weft_watch_event(result->watch, &event), 0);
    }
    assert_int_equal(weft_summary_finish(result->summary), 0);
    assert_int_equal(weft_profile_finish(result->profile), 0);
    weft_watch_finish(result->watch);
    result->totals = weft_summary_totals(result->summary);
}

static void release(struct result *result)
{
    weft_watch_free(result->watch);
    weft_profile_free(result->profile);
    weft_summary_free(result->summary);
    weft_reader_free(result->reader);
    free(result->memory.data);
}

static const weft_goroutine_stats *goroutine(const struct result *result, uint64_t id)
{
    for (size_t i = 0; i < result->count; i++)
        if (result->goroutines[i].id == id)
            return &result->goroutines[i];
    fail_msg("no goroutine %llu", (unsigned long long)id);
    return NULL;
}

static void assert_times(const weft_goroutine_stats *g, int64_t running, int64_t runnable,
                         int64_t blocked, int64_t syscall, int64_t syscall_blocked)
{
    assert_int_equal(g->times.time[WEFT_SPENT_RUNNING], running);
    assert_int_equal(g->times.time[WEFT_SPENT_RUNNABLE], runnable);
    assert_int_equal(g->times.time[WEFT_SPENT_BLOCKED], blocked);
    assert_int_equal(g->times.time[WEFT_SPENT_SYSCALL], syscall);
    assert_int_equal(g->times.time[WEFT_SPENT_SYSCALL_BLOCKED], syscall_blocked);
}

/* Goroutine 1 creates 2 at 1110, blocks at 1130; 2 runs from 1140, wakes 1 at 1170, ends at 1190; 1
   runs from 1200, and the trace ends at 1260 (its last event) + 1 (the closing sync). */
#define TWO_GOROUTINES                                                                             \
    TRACE(THREAD(7) "ProcStatus dt=50 p=0 pstatus=1\nGoStatus dt=50 g=1 m=7 gstatus=2\n"           \
                    "GoCreate dt=10 new_g=2 new_stack=2 stack=1\n"                                 \
                    "GoBlock dt=20 reason_string=2 stack=1\nGoStart dt=10 g=2 g_seq=1\n"           \
                    "GoUnblock dt=30 g=1 g_seq=1 stack=1\nGoDestroy dt=20\n"                       \
                    "GoStart dt=10 g=1 g_seq=2\nGoStop dt=60 reason_string=1 stack=1\n")

static void intervals_are_credited_to_states(void **state)
{
    struct result result;
    (void)state;
    analyse(&result, TWO_GOROUTINES, WEFT_PROFILE_SCHED, NULL);
    assert_int_equal(result.status, 0);
    const weft_goroutine_stats *one = goroutine(&result, 1), *two = goroutine(&result, 2);
    /* From the sync at 1000: running to 1130, blocked to 1170, runnable to 1200, running to 1260.
     */
    assert_times(one, 130 + 60, 30 + 1, 40, 0, 0);
    assert_int_equal(one->created, 1000);
    assert_int_equal(one->ended, 1261);
    assert_false(one->seen_created);
    assert_false(one->seen_ended);
    assert_string_equal(one->name.data, "root");
    assert_times(two, 50, 30, 0, 0, 0);
    assert_int_equal(two->creator, 1);
    assert_int_equal(two->started, 1140);
    assert_int_equal(two->ended, 1190);
    assert_true(two->seen_created && two->seen_ended);
    assert_int_equal(result.totals->goroutines, 2);
    assert_int_equal(result.totals->goroutines_live_most, 2);
    assert_int_equal(result.totals->latency->count, 2);
    assert_int_equal(result.totals->latency->sum, 30 + 30);
    assert_int_equal(result.totals->threads, 1);
    assert_int_equal(result.totals->procs, 1);
    assert_int_equal(result.totals->procs_running, 261);
    assert_int_equal(result.totals->procs_offered, 261);
    release(&result);
}

static void groups_are_sums_of_goroutines(void **state)
{
    struct result result;
    weft_group_stats group;
    (void)state;
    analyse(&result, TWO_GOROUTINES, WEFT_PROFILE_SCHED, NULL);
    assert_int_equal(weft_summary_groups(result.summary), 1);
    assert_int_equal(weft_summary_group(result.summary, 0, &group), 0);
    assert_string_equal(group.name.data, "root");
    assert_int_equal(group.goroutines, 2);
    assert_int_equal(group.lifetime, 261 + 80);
    assert_int_equal(group.times.time[WEFT_SPENT_RUNNING], 190 + 50);
    assert_int_equal(group.blocked.count, 1);
    assert_string_equal(group.blocked.at[0].name.data, "sync");
    assert_int_equal(group.blocked.at[0].time, 40);
    assert_int_equal(weft_summary_group(result.summary, 1, &group), -34 /* ERANGE */);
    release(&result);
}

static void watch_tells_states_and_relations(void **state)
{
    struct result result;
    size_t count;
    weft_place place;
    (void)state;
    analyse(&result, TWO_GOROUTINES, WEFT_PROFILE_SCHED, NULL);
    const weft_interval *at = weft_watch_intervals(result.watch, &count);
    assert_int_equal(count, 5);
    assert_int_equal(at[1].state, WEFT_STATE_WAITING);
    assert_int_equal(at[1].begin, 1130);
    assert_int_equal(at[1].end, 1170);
    assert_int_equal(at[1].by, 2);
    assert_string_equal(at[1].reason.data, "sync");
    assert_int_equal(weft_watch_place(result.watch, at[1].stack, 0, &place), 0);
    assert_string_equal(place.function.data, "leaf");
    assert_int_equal(place.line, 3);
    assert_int_equal(at[3].state, WEFT_STATE_RUNNING);
    assert_int_equal(at[3].end, 1260);
    const weft_relation *other = weft_watch_relations(result.watch, &count);
    assert_int_equal(count, 1);
    assert_int_equal(other[0].id, 2);
    assert_true(other[0].created_it);
    assert_int_equal(other[0].woken_by_it, 1);
    assert_int_equal(other[0].woke_it, 0);
    release(&result);
}

/* A system call of 1 from 1110; its P is stolen at 1150 by thread 8; the call ends at 1180. */
static void syscall_is_blocked_once_its_proc_is_gone(void **state)
{
    struct result result;
    (void)state;
    analyse(&result,
            TRACE(THREAD(7) "ProcStatus dt=50 p=0 pstatus=1\nGoStatus dt=50 g=1 m=7 gstatus=2\n"
                            "GoSyscallBegin dt=10 p_seq=1 stack=1\nGoSyscallEndBlocked dt=70\n"
                            "ProcStart dt=5 p=0 p_seq=3\nGoStart dt=5 g=1 g_seq=1\n" THREAD(
                                8) "ProcStatus dt=60 p=1 pstatus=1\n"
                                   "ProcSteal dt=90 p=0 p_seq=2 m=7\n"),
            WEFT_PROFILE_SYSCALL, NULL);
    assert_int_equal(result.status, 0);
    assert_times(goroutine(&result, 1), 110 + 1, 10, 0, 40, 30);
    uint64_t count;
    int64_t time;
    weft_profile_total(result.profile, &count, &time);
    assert_int_equal(count, 1);
    assert_int_equal(time, 70);
    assert_int_equal(result.totals->threads, 2);
    release(&result);
}

/*
 * As above, but P serves goroutine 2 since, on thread 9, which is in a system call on it from 1170
 * when that of 1 ends; P is stolen from it, too, at 1190. Go's summary misses that.
 */
static void the_end_of_a_syscall_hides_no_loss_of_its_former_proc(void **state)
{
    struct result result;
    (void)state;
    analyse(
        &result,
        TRACE(THREAD(7) "ProcStatus dt=50 p=0 pstatus=1\nGoStatus dt=50 g=1 m=7 gstatus=2\n"
                        "GoCreate dt=5 new_g=2 new_stack=2 stack=1\n"
                        "GoSyscallBegin dt=5 p_seq=1 stack=1\nGoSyscallEndBlocked dt=70\n" THREAD(
                            8) "ProcStatus dt=60 p=1 pstatus=1\n"
                               "ProcSteal dt=90 p=0 p_seq=2 m=7\n"
                               "ProcSteal dt=40 p=0 p_seq=5 m=9\n" THREAD(
                                   9) "ProcStart dt=160 p=0 p_seq=3\nGoStart dt=5 g=2 g_seq=1\n"
                                      "GoSyscallBegin dt=5 p_seq=4 stack=1\n"
                                      "GoSyscallEndBlocked dt=30\n"),
        WEFT_PROFILE_SYSCALL, NULL);
    assert_int_equal(result.status, 0);
    assert_times(goroutine(&result, 1), 110, 20 + 1, 0, 40, 30);
    assert_times(goroutine(&result, 2), 5, 60 + 1, 0, 20, 10);
    release(&result);
}

static void blocking_for_ever_ends_a_goroutine(void **state)
{
    struct result result;
    (void)state;
    analyse(&result,
            TRACE(THREAD(7) "ProcStatus dt=50 p=0 pstatus=1\nGoStatus dt=50 g=1 m=7 gstatus=2\n"
                            "GoBlock dt=20 reason_string=3 stack=1\nProcStop dt=80\n"),
            WEFT_PROFILE_SYNC, NULL);
    const weft_goroutine_stats *g = goroutine(&result, 1);
    assert_times(g, 120, 0, 0, 0, 0);
    assert_true(g->seen_ended);
    assert_int_equal(g->ended, 1120);
    release(&result);
}

static void ranges_are_credited_to_scope_and_context(void **state)
{
    struct result result;
    (void)state;
    analyse(&result,
            TRACE(THREAD(7) "ProcStatus dt=50 p=0 pstatus=1\nGoStatus dt=50 g=1 m=7 gstatus=2\n"
                            "GCMarkAssistBegin dt=10 stack=1\nGCMarkAssistEnd dt=25\n"
                            "GCSweepBegin dt=5 stack=1\nGoStop dt=5 reason_string=2 stack=1\n"
                            "GCSweepEnd dt=5 swept_value=1 reclaimed_value=2\n"
                            "HeapAlloc dt=1 heapalloc_value=4096\n"
                            "HeapAlloc dt=1 heapalloc_value=1024\n"),
            WEFT_PROFILE_SYNC, NULL);
    assert_int_equal(result.status, 0);
    /* The sweep ended without the goroutine that began it. */
    assert_int_equal(goroutine(&result, 1)->ranges.count, 1);
    assert_int_equal(result.first_range[0], 25);
    assert_int_equal(result.totals->ranges.count, 2);
    assert_int_equal(result.totals->ranges.at[1].time, 10);
    assert_string_equal(result.totals->ranges.at[1].name.data, "GC incremental sweep");
    assert_int_equal(result.totals->heap.first, 4096);
    assert_int_equal(result.totals->heap.last, 1024);
    assert_int_equal(result.totals->heap.most, 4096);
    release(&result);
}

/* Regions "work; hard" on goroutine 1: from 1110 to 1150, and within it from 1120 to 1135. */
static void profile_of_regions(void **state)
{
    struct result result;
    struct memory out = {0};
    (void)state;
    analyse(&result,
            TRACE(THREAD(7) "ProcStatus dt=50 p=0 pstatus=1\nGoStatus dt=50 g=1 m=7 gstatus=2\n"
                            "UserRegionBegin dt=10 task=0 name_string=7 stack=1\n"
                            "UserRegionBegin dt=10 task=0 name_string=7 stack=2\n"
                            "UserRegionEnd dt=15 task=0 name_string=7 stack=2\n"
                            "UserRegionEnd dt=15 task=0 name_string=7 stack=1\n"),
            WEFT_PROFILE_REGION, "work; hard");
    assert_int_equal(result.status, 0);
    assert_int_equal(weft_export_folded(result.profile, memory_write, &out), 0);
    assert_int_equal(memory_write(&out, "", 1), 0);
    assert_non_null(strstr((char *)out.data, "root;leaf 40\n"));
    assert_non_null(strstr((char *)out.data, "root 15\n"));
    free(out.data);
    release(&result);
}

static void profile_counts_from_the_first_running_on(void **state)
{
    struct result result;
    uint64_t count;
    int64_t time;
    (void)state;
    analyse(&result, TWO_GOROUTINES, WEFT_PROFILE_SCHED, NULL);
    weft_profile_total(result.profile, &count, &time);
    assert_int_equal(count, 1); /* not the 30 ns of goroutine 2 before it ran */
    assert_int_equal(time, 30);
    release(&result);
    analyse(&result, TWO_GOROUTINES, WEFT_PROFILE_SYNC, NULL);
    weft_profile_total(result.profile, &count, &time);
    assert_int_equal(count, 1);
    assert_int_equal(time, 40);
    release(&result);
}

/* For a stack that cannot be walked Go's tracer writes one blank frame. */
static void no_stack_and_a_blank_frame_are_one(void **state)
{
    struct result result;
    weft_sample sample;
    static const char text[] =
        TRACE("EventBatch gen=1 m=" NO_ID " time=1000 size=auto\n"
              "Stacks\nStack id=4 nframes=1\n\tpc=0 func=0 file=0 line=0\n" THREAD(7) ONE_RUNS
              "GoStop dt=10 reason_string=2 stack=0\nGoStart dt=5 g=1 g_seq=1\n"
              "GoStop dt=10 reason_string=2 stack=4\nGoStart dt=7 g=1 g_seq=2\n");
    (void)state;
    analyse(&result, text, WEFT_PROFILE_SCHED, NULL);
    assert_int_equal(result.status, 0);
    assert_int_equal(weft_profile_samples(result.profile), 1);
    assert_int_equal(weft_profile_sample(result.profile, 0, &sample), 0);
    assert_int_equal(sample.count, 2);
    assert_int_equal(sample.time, 5 + 7);
    release(&result);
}

static void cut_off_trace_keeps_what_was_sound(void **state)
{
    struct result result;
    (void)state;
    static const char text[] = HEADER CLOCK TABLES THREAD(
        7) "ProcStatus dt=50 p=0 pstatus=1\nGoStatus dt=50 g=1 m=7 gstatus=2\n" END
           "EventBatch gen=2 m=7 time=2000 size=auto\nGoStop dt=1 reason_string=1 stack=0\n";
    analyse(&result, text, WEFT_PROFILE_SYNC, NULL);
    assert_int_equal(result.status, -74 /* EBADMSG */);
    assert_int_equal(result.totals->goroutines, 1);
    assert_int_equal(result.totals->generations, 1);
    release(&result);
}

static void histogram_finds_quantiles(void **state)
{
    static weft_histogram histogram;
    (void)state;
    assert_int_equal(weft_histogram_quantile(&histogram, 0.5), 0);
    for (int64_t i = 1; i <= 1000; i++)
        weft_histogram_add(&histogram, i * 1000);
    weft_histogram_add(&histogram, -5);
    assert_int_equal(histogram.count, 1001);
    assert_int_equal(histogram.max, 1000000);
    assert_in_range(weft_histogram_quantile(&histogram, 0.5), 500000, 500000 * 17 / 16);
    assert_in_range(weft_histogram_quantile(&histogram, 0.99), 990000, 1000000);
    assert_int_equal(weft_histogram_quantile(&histogram, 1), 1000000);
    weft_histogram_add(&histogram, INT64_MAX);
    assert_int_equal(histogram.sum, INT64_MAX);
    assert_int_equal(histogram.buckets[WEFT_HISTOGRAM_BUCKETS - 1], 1);
    int64_t next = 0, low, high;
    for (size_t i = 0; i < WEFT_HISTOGRAM_BUCKETS; i++) {
        weft_histogram_bucket(i, &low, &high);
        assert_int_equal(low, next);
        assert_true(high >= low);
        next = high == INT64_MAX ? 0 : high + 1;
    }
    assert_int_equal(next, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_are_credited_to_states),
        cmocka_unit_test(groups_are_sums_of_goroutines),
        cmocka_unit_test(watch_tells_states_and_relations),
        cmocka_unit_test(syscall_is_blocked_once_its_proc_is_gone),
        cmocka_unit_test(the_end_of_a_syscall_hides_no_loss_of_its_former_proc),
        cmocka_unit_test(blocking_for_ever_ends_a_goroutine),
        cmocka_unit_test(ranges_are_credited_to_scope_and_context),
        cmocka_unit_test(profile_of_regions),
        cmocka_unit_test(profile_counts_from_the_first_running_on),
        cmocka_unit_test(no_stack_and_a_blank_frame_are_one),
        cmocka_unit_test(cut_off_trace_keeps_what_was_sound),
        cmocka_unit_test(histogram_finds_quantiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
