/* SPDX-License-Identifier: MIT */
/* What Go's tests of package context try beyond context_test.c (docs/ports.md). Names in brackets
 * are Go's. */
#include "sched/support.h"

/* ---- Layers ---- */

enum { LAYERS = 40 };

struct layers {
    weft_context *contexts[LAYERS];
    int values[LAYERS];
    bool valued[LAYERS];
};

/* Contexts of random kinds on top of each other, at least one with a deadline. */
static void build_layers(struct layers *l, uint32_t seed, int64_t timeout)
{
    for (int i = 0; i < LAYERS; i++) {
        weft_context *below = i > 0 ? l->contexts[i - 1] : NULL;
        uint32_t kind = i == 0 ? 2 : random_next(&seed) % 3;
        l->values[i] = i;
        l->valued[i] = kind == 0;
        l->contexts[i] = kind == 0   ? weft_context_with_value(below, &l->values[i], &l->values[i])
                         : kind == 1 ? weft_context_new(below)
                                     : weft_context_with_timeout(below, timeout + i);
    }
}

static void check_values(const struct layers *l)
{
    for (int i = 0; i < LAYERS; i++) {
        void *found = weft_context_value(l->contexts[LAYERS - 1], &l->values[i]);
        CHECK(found == (l->valued[i] ? &l->values[i] : NULL));
    }
}

/* In an order that depends on the seed. */
static void free_layers(struct layers *l, uint32_t seed)
{
    int step = seed % 2 ? 1 : LAYERS - 1;
    for (int i = 0, k = (int)(seed % LAYERS); i < LAYERS; i++, k = (k + step) % LAYERS)
        weft_context_free(l->contexts[k]);
}

/* [LayersCancel]: the end of any layer ends all above it, and none below. */
static void any_layer_ends_those_above_it(void)
{
    for (uint32_t seed = 1; seed <= 60; seed++) {
        struct layers l;
        build_layers(&l, seed, 1000 * WEFT_SECOND);
        int ended = (int)(seed * 7 % LAYERS);
        check_values(&l);
        CHECK_EQ(weft_context_error(l.contexts[LAYERS - 1]), 0);
        weft_context_cancel(l.contexts[ended], -EIO);
        for (int i = 0; i < LAYERS; i++) {
            CHECK_EQ(weft_context_error(l.contexts[i]), i < ended ? 0 : -ECANCELED);
            CHECK_EQ(weft_context_cause(l.contexts[i]), i < ended ? 0 : -EIO);
        }
        check_values(&l);
        free_layers(&l, seed);
    }
}

/* [LayersTimeout]: the lowest deadline is the first. */
static void a_deadline_below_ends_all_layers(void)
{
    for (uint32_t seed = 1; seed <= 20; seed++) {
        struct layers l;
        build_layers(&l, seed, 100 * WEFT_MICROSECOND);
        CHECK_EQ(weft_context_wait(l.contexts[LAYERS - 1]), -ETIMEDOUT);
        for (int i = 0; i < LAYERS; i++)
            CHECK_EQ(weft_context_error(l.contexts[i]), -ETIMEDOUT);
        check_values(&l);
        free_layers(&l, seed);
    }
}

/* [Deadline]: of two deadlines on top of each other the earlier one counts, wherever it is. */
static void the_earlier_of_two_deadlines_counts(void)
{
    int64_t now = weft_now(), soon = now + 1000 * WEFT_SECOND, late = soon + 1;
    for (int k = 0; k < 2; k++) {
        weft_context *below = weft_context_with_deadline(NULL, k ? soon : late);
        weft_context *between = weft_context_with_value(below, &now, NULL);
        weft_context *above = weft_context_with_deadline(between, k ? late : soon);
        weft_context *detached = weft_context_detached(above);
        CHECK_EQ(weft_context_deadline(below), k ? soon : late);
        CHECK_EQ(weft_context_deadline(between), k ? soon : late);
        CHECK_EQ(weft_context_deadline(above), soon);
        CHECK_EQ(weft_context_deadline(detached), WEFT_NEVER);
        weft_context_free(detached);
        weft_context_free(above);
        weft_context_free(between);
        weft_context_free(below);
    }
}

/* Deadlines that have come before the context is made, or never come. */
static void deadlines_at_the_ends_of_time(void)
{
    static const int64_t past[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1};
    for (size_t i = 0; i < sizeof past / sizeof *past; i++) {
        weft_context *context = weft_context_with_deadline(NULL, past[i]);
        weft_context *child = weft_context_with_timeout(context, WEFT_SECOND);
        CHECK_EQ(weft_context_wait(child), -ETIMEDOUT);
        CHECK_EQ(weft_context_error(context), -ETIMEDOUT);
        weft_context_free(child);
        weft_context_free(context);
    }
    static const int64_t durations[] = {INT64_MAX, INT64_MAX - 1, INT64_MAX / 2};
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        weft_context *context = weft_context_with_timeout(NULL, durations[i]);
        CHECK(weft_context_deadline(context) > weft_now());
        CHECK_EQ(weft_context_error(context), 0);
        weft_context_free(context);
    }
    weft_context *ended = weft_context_with_timeout(NULL, INT64_MIN);
    CHECK_EQ(weft_context_wait(ended), -ETIMEDOUT);
    weft_context_free(ended);
}

/* ---- Races ---- */

struct race {
    weft_context *context, *child;
    weft_waitgroup group;
};

static void cancel_with_a_cause(void *arg)
{
    struct race *r = arg;
    weft_context_cancel(r->context, -EIO);
    weft_waitgroup_done(&r->group);
}

/* [WithCancelSimultaneouslyCanceledParent] */
static void a_child_that_is_born_while_its_parent_ends_ends(void)
{
    for (int i = 0; i < ROUNDS(4000); i++) {
        struct race r = {.context = weft_context_new(NULL)};
        weft_waitgroup_add(&r.group, 1);
        go(cancel_with_a_cause, &r);
        if (i % 2)
            weft_yield();
        weft_context *child = weft_context_new(r.context);
        CHECK_EQ(weft_context_wait(child), -ECANCELED);
        CHECK_EQ(weft_context_cause(child), -EIO);
        weft_context_free(child);
        weft_waitgroup_wait(&r.group);
        weft_context_free(r.context);
    }
}

/* [CauseRace, ContextErrDoneRace]: who sees that it has ended sees why, and finds the channel
 * closed. */
static void the_end_is_seen_with_its_cause_and_its_channel(void)
{
    for (int i = 0; i < ROUNDS(4000); i++) {
        struct race r = {.context = weft_context_new(NULL)};
        weft_chan *done = weft_context_done(r.context);
        weft_waitgroup_add(&r.group, 1);
        go(cancel_with_a_cause, &r);
        int cause;
        while (i % 2 && weft_context_error(r.context) == 0)
            weft_yield();
        while ((cause = weft_context_cause(r.context)) == 0)
            weft_yield();
        CHECK_EQ(cause, -EIO);
        CHECK_EQ(weft_context_error(r.context), -ECANCELED);
        CHECK_EQ(weft_chan_recv(done, NULL), -EPIPE);
        weft_waitgroup_wait(&r.group);
        weft_context_free(r.context);
    }
}

static void cancel_the_child_after_the_parent(void *arg)
{
    struct race *r = arg;
    CHECK_EQ(weft_context_wait(r->context), -ECANCELED);
    weft_context_cancel(r->child, -ENOENT);
    weft_waitgroup_done(&r->group);
}

/* [InterlockedCancels]: a cancel that is answered by a cancel below. */
static void a_child_is_cancelled_by_who_sees_its_parent_end(void)
{
    for (int i = 0; i < ROUNDS(2000); i++) {
        struct race r = {.context = weft_context_new(NULL)};
        r.child = weft_context_new(r.context);
        weft_waitgroup_add(&r.group, 2);
        go(cancel_the_child_after_the_parent, &r);
        go(cancel_with_a_cause, &r);
        CHECK_EQ(weft_context_wait(r.child), -ECANCELED);
        weft_waitgroup_wait(&r.group);
        int cause = weft_context_cause(r.child); /* a parent ends before its children do */
        CHECK(cause == -EIO || cause == -ENOENT);
        weft_context_free(r.child);
        weft_context_free(r.context);
    }
}

static uint64_t timers_set(void)
{
    weft_stats stats = {.size = sizeof stats};
    weft_stats_get(&stats);
    return stats.timers;
}

/* [CancelRemoves, and Go's tests for leaks]: what has ended below a context that goes on leaves
 * nothing there. LeakSanitizer sees what is not freed; here it is the timers that must be gone. */
static void a_context_keeps_nothing_of_children_that_have_ended(void)
{
    weft_context *root = weft_context_with_timeout(NULL, 1000 * WEFT_SECOND);
    uint64_t before = timers_set();
    for (int i = 0; i < ROUNDS(2000); i++) {
        weft_context *child = weft_context_with_timeout(root, 100 * WEFT_SECOND);
        CHECK(weft_context_done(child));
        CHECK_EQ(timers_set(), before + 1);
        if (i % 2)
            weft_context_cancel(child, 0);
        weft_context_free(child);
    }
    CHECK_EQ(timers_set(), before);
    CHECK_EQ(weft_context_error(root), 0);
    weft_context_free(root);
}

ON_ALL_PROCS(any_layer_ends_those_above_it)
ON_ALL_PROCS(a_deadline_below_ends_all_layers)
ON_ALL_PROCS(the_earlier_of_two_deadlines_counts)
ON_ALL_PROCS(deadlines_at_the_ends_of_time)
ON_ALL_PROCS(a_child_that_is_born_while_its_parent_ends_ends)
ON_ALL_PROCS(the_end_is_seen_with_its_cause_and_its_channel)
ON_ALL_PROCS(a_child_is_cancelled_by_who_sees_its_parent_end)
ON_ALL_PROCS(a_context_keeps_nothing_of_children_that_have_ended)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(any_layer_ends_those_above_it),
        TEST(a_deadline_below_ends_all_layers),
        TEST(the_earlier_of_two_deadlines_counts),
        TEST(deadlines_at_the_ends_of_time),
        TEST(a_child_that_is_born_while_its_parent_ends_ends),
        TEST(the_end_is_seen_with_its_cause_and_its_channel),
        TEST(a_child_is_cancelled_by_who_sees_its_parent_end),
        TEST(a_context_keeps_nothing_of_children_that_have_ended),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
