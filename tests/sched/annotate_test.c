/* SPDX-License-Identifier: MIT */
/* Annotations: what a program says about itself is in its trace, and nothing that it says makes the
 * trace invalid. */
#define _GNU_SOURCE
#include "sched/support.h"

#include "sched/goroutine.h"
#include "trace/check.h"

#include <pthread.h>
#include <unistd.h>

/* ---- One trace ---- */

static sink trace;
static weft_trace_stream *stream;

static void trace_on(unsigned format)
{
    /* Also in a torture build, whose short generations take the leases that the monitor should. */
    weft_trace_options options = {
        .size = sizeof options, .format = format, .generation_ns = WEFT_SECOND};
    trace = (sink){0};
    CHECK_EQ(
        weft_trace_start_callback(weft_tracer_default(), sink_write, &trace, &options, &stream), 0);
}

static void trace_off(void)
{
    weft_trace_result result = {.size = sizeof result};
    CHECK_EQ(weft_trace_stop(stream, &result), 0);
    CHECK_EQ(result.lost_generations, 0);
}

static void next_generation(void)
{
    CHECK_EQ(weft_trace_advance(weft_tracer_default()), 0);
}

/* What is looked for; counted is every event that agrees in all that is given. */
struct wanted {
    unsigned kind;
    const char *name, *message;
    uint64_t id, g; /* 0: any */
    uint64_t parent;
    /* of the latest that agreed */
    unsigned count;
    uint64_t found_id, found_g;
    size_t depth;
};

static bool text_agrees(const weft_reader *reader, weft_string string, const char *text)
{
    weft_text t = weft_reader_string(reader, string);
    return !text || (t.size == strlen(text) && memcmp(t.data, text, t.size) == 0);
}

static void compare(void *arg, weft_reader *reader, const weft_event *event)
{
    struct wanted *w = arg;
    bool task = event->kind == WEFT_EVENT_TASK_BEGIN || event->kind == WEFT_EVENT_TASK_END;
    if (event->kind != w->kind || !text_agrees(reader, event->name, w->name) ||
        !text_agrees(reader, event->message, w->message) || (w->id && w->id != event->id) ||
        (w->g && w->g != event->g) || (w->parent && (!task || w->parent != event->u.parent)))
        return;
    w->count++;
    w->found_id = event->id;
    w->found_g = event->g;
    w->depth = weft_reader_stack_depth(reader, event->stack);
}

/* How often it is there; the trace must be valid. */
static unsigned find(struct wanted *w)
{
    w->count = 0;
    const char *complaint = check_sink(&trace, compare, w);
    if (complaint) {
        fprintf(stderr, "%s\n", complaint);
        abort();
    }
    return w->count;
}

#define COUNT(...) find(&(struct wanted){__VA_ARGS__})

static void trace_done(const char *name)
{
    sink_save(&trace, name);
    sink_free(&trace);
}

/* ---- Waiting for each other ---- */

static uint32_t steps;

static void step(void)
{
    __atomic_add_fetch(&steps, 1, __ATOMIC_RELEASE);
}

static void await_steps(uint32_t n)
{
    while (__atomic_load_n(&steps, __ATOMIC_ACQUIRE) < n)
        weft_yield();
}

/* ---- Tasks, regions, logs ---- */

static void work_for_a_task(void *arg)
{
    (void)arg;
    {
        WEFT_REGION("inherited");
        weft_log("where", "child");
    }
    step();
}

static void everything(unsigned format)
{
    steps = 0;
    trace_on(format);
    {
        WEFT_TASK("request");
        WEFT_REGION("outer");
        weft_task child = weft_task_begin(WEFT_TASK_NONE, "part");
        {
            WEFT_REGION("inner");
            weft_logf("count", "%d of %s", 3, "four");
        }
        weft_task_end(child);
        go(work_for_a_task, NULL);
        await_steps(1);
    }
    weft_log("after", "");
    trace_off();
    struct wanted task = {.kind = WEFT_EVENT_TASK_BEGIN, .name = "request"};
    CHECK_EQ(find(&task), 1);
    CHECK(task.depth > 0 && task.found_g == weft_goid());
    uint64_t id = task.found_id;
    CHECK_EQ(COUNT(.kind = WEFT_EVENT_TASK_END, .name = "request", .id = id), 1);
    CHECK_EQ(COUNT(.kind = WEFT_EVENT_TASK_BEGIN, .name = "part", .parent = id), 1);
    CHECK_EQ(COUNT(.kind = WEFT_EVENT_REGION_BEGIN, .name = "outer", .id = id), 1);
    CHECK_EQ(COUNT(.kind = WEFT_EVENT_REGION_END, .name = "outer", .id = id), 1);
    CHECK_EQ(COUNT(.kind = WEFT_EVENT_REGION_END, .name = "inner", .id = id), 1);
    CHECK_EQ(COUNT(.kind = WEFT_EVENT_LOG, .name = "count", .message = "3 of four", .id = id), 1);
    CHECK_EQ(COUNT(.kind = WEFT_EVENT_REGION_END, .name = "inherited", .id = id), 1);
    CHECK_EQ(COUNT(.kind = WEFT_EVENT_LOG, .name = "where", .message = "child", .id = id), 1);
    CHECK_EQ(COUNT(.kind = WEFT_EVENT_LOG, .name = "after", .message = "", .id = id), 0);
    CHECK_EQ(COUNT(.kind = WEFT_EVENT_LOG, .name = "after", .message = ""), 1);
    char name[32];
    snprintf(name, sizeof name, "annotations_%u", format);
    trace_done(name);
}

static void everything_in_every_format(void)
{
    static const unsigned formats[] = {22, 23, 25, 26};
    for (size_t i = 0; i < 4; i++)
        everything(formats[i]);
}
ON_ALL_PROCS(everything_in_every_format)

static void run_in_background(void *arg)
{
    weft_task_stay *outer = arg;
    CHECK_EQ(weft_task_leave(outer), -EPERM);
    weft_task_stay stay;
    weft_task_enter(&stay, WEFT_TASK_BACKGROUND);
    CHECK_EQ(weft_task_current(), WEFT_TASK_NONE);
    CHECK_EQ(weft_task_leave(&stay), 0);
    CHECK(weft_task_current() != WEFT_TASK_NONE);
    step();
}

static void a_task_is_left_where_it_was_entered(void)
{
    steps = 0;
    trace_on(26);
    weft_task task = weft_task_begin(WEFT_TASK_BACKGROUND, "task");
    CHECK(task != WEFT_TASK_NONE && weft_task_current() == WEFT_TASK_NONE);
    weft_task_stay stay;
    weft_task_enter(&stay, task);
    CHECK_EQ(weft_task_current(), task);
    go(run_in_background, &stay);
    await_steps(1);
    trace_off();
    trace_done("task_stays");
    CHECK_EQ(weft_task_leave(&stay), 0);
    CHECK_EQ(weft_task_current(), WEFT_TASK_NONE);
    CHECK_EQ(weft_task_leave(&stay), 0); /* there is nothing to leave any more */
    weft_task_end(task);
}
ON_ALL_PROCS(a_task_is_left_where_it_was_entered)

/* ---- Texts ---- */

static char *long_text(size_t size, char last)
{
    char *text = malloc(size + 1);
    CHECK(text);
    for (size_t i = 0; i < size; i++)
        text[i] = (char)(1 + i % 255);
    text[size - 1] = last;
    text[size] = 0;
    return text;
}

static void annotate_with(const char *text)
{
    weft_task task = weft_task_begin(WEFT_TASK_NONE, text);
    weft_region region;
    weft_region_begin(&region, text);
    weft_log(text, text);
    weft_logf(text, "%s", text);
    CHECK_EQ(weft_label_set(text), 0);
    CHECK_EQ(weft_region_end(&region), 0);
    weft_task_end(task);
    CHECK_EQ(weft_label_set(""), 0);
}

static void texts_of_any_length_and_content(void)
{
    static const size_t sizes[] = {1, 1023, 1024, 1025, 65536, 70000, 1 << 20};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    trace_on(26);
    for (size_t i = 0; i < SIZES; i++) {
        char *one = long_text(sizes[i], 'x'), *other = long_text(sizes[i], 'y');
        annotate_with(one);
        annotate_with(other); /* from 1025 on: the same first 1024 bytes */
        free(one);
        free(other);
    }
    weft_log_bytes("zero\0inside", 11, "\0\xff", 2);
    trace_off();
    char *cut = long_text(1025, 'x');
    cut[1024] = 0;
    CHECK_EQ(COUNT(.kind = WEFT_EVENT_TASK_END, .name = cut), 2 * 4);
    CHECK_EQ(COUNT(.kind = WEFT_EVENT_REGION_END, .name = cut), 2 * 4);
    CHECK_EQ(COUNT(.kind = WEFT_EVENT_LOG, .name = cut, .message = cut), 2 * 2 * 4);
    CHECK_EQ(COUNT(.kind = WEFT_EVENT_LABEL, .name = cut), 2 * 4);
    unsigned leases = COUNT(.kind = WEFT_EVENT_LOG, .name = "weft.lease");
    CHECK_EQ(COUNT(.kind = WEFT_EVENT_LOG), 2 * 2 * SIZES + 1 + leases);
    free(cut);
    trace_done("long_texts");
}
ON_ALL_PROCS(texts_of_any_length_and_content)

/* ---- Misuse ---- */

static void end_anothers_region(void *arg)
{
    CHECK_EQ(weft_region_end(arg), -EPERM);
    step();
}

static void ends_that_do_not_match_are_refused(void)
{
    char name[] = "renamed";
    weft_region outer, inner, renamed;
    steps = 0;
    trace_on(26);
    weft_region_begin(&outer, "outer");
    weft_region_begin(&inner, "inner");
    go(end_anothers_region, &inner);
    await_steps(1);
    CHECK_EQ(weft_region_end(&outer), -EINVAL);
    CHECK_EQ(weft_region_end(&inner), 0);
    CHECK_EQ(weft_region_end(&inner), -EINVAL);
    CHECK_EQ(weft_region_end(&outer), 0);
    weft_region_begin(&renamed, name);
    name[0] = 'R';
    CHECK_EQ(weft_region_end(&renamed), -EILSEQ);
    name[0] = 'r';
    CHECK_EQ(weft_region_end(&renamed), 0);
    trace_off();
    CHECK_EQ(COUNT(.kind = WEFT_EVENT_REGION_BEGIN), 3);
    CHECK_EQ(COUNT(.kind = WEFT_EVENT_REGION_END), 3);
    trace_done("refused_ends");
}
ON_ALL_PROCS(ends_that_do_not_match_are_refused)

/* ---- Tracing begins and ends in between ---- */

static int evaluated(void)
{
    step();
    return 1;
}

static void what_is_off_is_not_recorded(void)
{
    weft_region before, during, second;
    steps = 0;
    weft_region_begin(&before, "before");
    weft_task early = weft_task_begin(WEFT_TASK_NONE, "early");
    CHECK_EQ(early, WEFT_TASK_NONE);
    weft_logf("off", "%d", evaluated());
    CHECK_EQ(steps, 0);
    trace_on(26);
    weft_logf("on", "%d", evaluated());
    CHECK_EQ(steps, 1);
    weft_region_begin(&during, "during");
    weft_task late = weft_task_begin(WEFT_TASK_NONE, "late");
    trace_off();
    CHECK_EQ(COUNT(.kind = WEFT_EVENT_REGION_BEGIN), 1);
    CHECK_EQ(COUNT(.kind = WEFT_EVENT_TASK_BEGIN), 1);
    CHECK_EQ(COUNT(.kind = WEFT_EVENT_LOG, .name = "off"), 0);
    CHECK_EQ(COUNT(.kind = WEFT_EVENT_LOG, .name = "on"), 1);
    trace_done("begun_before");

    trace_on(26);
    weft_region_begin(&second, "second");
    CHECK_EQ(weft_region_end(&second), 0);
    CHECK_EQ(weft_region_end(&during), 0);
    CHECK_EQ(weft_region_end(&before), 0);
    weft_task_end(late);
    trace_off();
    CHECK_EQ(COUNT(.kind = WEFT_EVENT_REGION_END, .name = "during"), 1);
    CHECK_EQ(COUNT(.kind = WEFT_EVENT_REGION_END, .name = "before"), 0);
    trace_done("ended_after");
}
ON_ALL_PROCS(what_is_off_is_not_recorded)

static void *annotate_outside(void *arg)
{
    (void)arg;
    WEFT_TASK("foreign");
    WEFT_REGION("foreign");
    weft_log("foreign", "");
    CHECK_EQ(weft_label_set("foreign"), -EPERM);
    CHECK_EQ(weft_task_current(), WEFT_TASK_NONE);
    return NULL;
}

static void a_plain_thread_records_nothing(void)
{
    pthread_t thread;
    trace_on(26);
    weft_blocking_enter();
    CHECK_EQ(pthread_create(&thread, NULL, annotate_outside, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    weft_blocking_exit();
    trace_off();
    CHECK_EQ(COUNT(.kind = WEFT_EVENT_LOG, .name = "foreign"), 0);
    CHECK_EQ(COUNT(.kind = WEFT_EVENT_REGION_BEGIN), 0);
    trace_done("plain_thread");
}
ON_ALL_PROCS(a_plain_thread_records_nothing)

/* ---- Labels ---- */

static void check_label(const char *expected)
{
    char label[64];
    CHECK_EQ(weft_label_get(label, sizeof label), strlen(expected));
    CHECK(strcmp(label, expected) == 0);
}

static uint64_t labelled_child;

static void labelled(void *arg)
{
    (void)arg;
    check_label("request 7");
    labelled_child = weft_goid();
    step();
    await_steps(2);
    weft_yield();
    step();
}

static void labels_are_inherited_and_repeated(void)
{
    char tiny[4];
    steps = 0;
    trace_on(26);
    check_label("");
    CHECK_EQ(weft_label_set("request 7"), 0);
    check_label("request 7");
    CHECK_EQ(weft_label_get(tiny, sizeof tiny), 9);
    CHECK(strcmp(tiny, "req") == 0);
    go(labelled, NULL);
    await_steps(1);
    next_generation();
    step();
    await_steps(3);
    CHECK_EQ(weft_label_set(""), 0);
    check_label("");
    trace_off();
    CHECK(COUNT(.kind = WEFT_EVENT_LABEL, .name = "request 7", .g = labelled_child) >= 2);
    CHECK(COUNT(.kind = WEFT_EVENT_LABEL, .name = "request 7", .g = weft_goid()) >= 1);
    trace_done("labels");
    CHECK_EQ(weft_label_set("while off"), 0);
    trace_on(26);
    weft_yield();
    trace_off();
    CHECK_EQ(COUNT(.kind = WEFT_EVENT_LABEL, .name = "while off"), 1);
    trace_done("label_from_before");
    CHECK_EQ(weft_label_set(""), 0);
}
ON_ALL_PROCS(labels_are_inherited_and_repeated)

/* ---- What the runtime says ---- */

static void pass_time(void *arg)
{
    bool sleeps = arg;
    int64_t start = weft_now();
    weft_stats stats = {.size = sizeof stats};
    weft_stats_get(&stats);
    uint64_t before = stats.revocations;
    while (weft_now() - start < 20 * WEFT_MILLISECOND || stats.revocations == before) {
        if (sleeps)
            usleep(10000);
        weft_stats_get(&stats);
    }
    step();
}

/* Whether a revocation with that text is in the trace of one that hogs or sleeps. On a busy machine
 * the thread of a sleeper may wait for a CPU at the moment at which it is looked at. */
static bool is_revoked_as(const char *text, bool sleeps)
{
    uint32_t before = steps;
    trace_on(26);
    go(pass_time, (void *)(uintptr_t)sleeps);
    await_steps(before + 1);
    trace_off();
    bool found = COUNT(.kind = WEFT_EVENT_LOG, .name = "weft.lease", .message = text) > 0;
    trace_done(text);
    return found;
}

static void revocations_are_marked(void)
{
    while (!is_revoked_as("computing", false))
        ;
    while (!is_revoked_as("blocking", true))
        ;
}

static void test_revocations_are_marked(void **state)
{
    (void)state;
    run_on(1, revocations_are_marked);
}

static weft_mutex mutex;
static weft_cond cond;
static weft_waitgroup group;
static weft_chan *chan, *other_chan;

static void wait_for_mutex(void *arg)
{
    (void)arg;
    weft_mutex_lock(&mutex);
    weft_mutex_unlock(&mutex);
    step();
}

static void wait_for_cond(void *arg)
{
    (void)arg;
    weft_mutex_lock(&mutex);
    weft_cond_wait(&cond, &mutex);
    weft_mutex_unlock(&mutex);
    step();
}

static void wait_for_group(void *arg)
{
    (void)arg;
    weft_waitgroup_wait(&group);
    step();
}

static void wait_for_chan(void *arg)
{
    (void)arg;
    CHECK_EQ(weft_chan_recv(chan, NULL), -EPIPE);
    step();
}

static void wait_for_ever(void *arg)
{
    (void)arg;
    weft_chan_recv(NULL, NULL);
}

static void wait_for_one_of_two(void *arg)
{
    (void)arg;
    weft_select_case cases[] = {{.chan = other_chan}, {.chan = chan}};
    CHECK(weft_select(cases, 2, WEFT_NEVER) >= 0);
    step();
}

static unsigned count_waiting(void)
{
    unsigned n = 0;
    for (struct g *g = goroutines_first(); g; g = g->all_next)
        n += !g->system && atomic_load_relaxed(&g->status) == G_WAITING;
    return n;
}

/* Starts fn and lets it run until it waits. */
static void go_until_it_waits(void (*fn)(void *))
{
    unsigned before = count_waiting();
    go(fn, NULL);
    while (count_waiting() == before)
        weft_yield();
}

static void expect_wait(const char *format, const void *object)
{
    char text[128];
    snprintf(text, sizeof text, format, (unsigned long)(uintptr_t)object);
    CHECK(COUNT(.kind = WEFT_EVENT_LOG, .name = "weft.wait", .message = text) >= 1);
}

static void wait_for_everything(void)
{
    weft_mutex_lock(&mutex);
    weft_waitgroup_add(&group, 1);
    go_until_it_waits(wait_for_mutex);
    go_until_it_waits(wait_for_group);
    go_until_it_waits(wait_for_chan);
    go_until_it_waits(wait_for_ever);
    go_until_it_waits(wait_for_one_of_two);
    weft_mutex_unlock(&mutex);
    weft_waitgroup_done(&group);
    weft_chan_close(chan);
    await_steps(4);
    go_until_it_waits(wait_for_cond);
    weft_cond_signal(&cond);
    await_steps(5);
}

static void what_goroutines_wait_for(void)
{
    steps = 0;
    chan = weft_chan_new(0, 0);
    other_chan = weft_chan_new(0, 0);
    CHECK_EQ(weft_annotate_waits(1), 0);
    trace_on(26);
    wait_for_everything();
    CHECK_EQ(weft_annotate_waits(0), 1);
    weft_sleep(1);
    trace_off();
    expect_wait("mutex 0x%lx", &mutex);
    expect_wait("cond 0x%lx", &cond);
    expect_wait("waitgroup 0x%lx", &group);
    expect_wait("chan 0x%lx", chan);
    expect_wait("chan 0x0", NULL);
    char pair[64], swapped[64];
    unsigned long a = (uintptr_t)chan, b = (uintptr_t)other_chan;
    snprintf(pair, sizeof pair, "select 0x%lx 0x%lx", a, b);
    snprintf(swapped, sizeof swapped, "select 0x%lx 0x%lx", b, a);
    CHECK_EQ(COUNT(.kind = WEFT_EVENT_LOG, .message = pair) +
                 COUNT(.kind = WEFT_EVENT_LOG, .message = swapped),
             1);
    trace_done("waits");
    weft_chan_free(chan);
    weft_chan_free(other_chan);
}
ON_ALL_PROCS(what_goroutines_wait_for)

/* ---- Goroutines that do nothing for a long time ---- */

static uint64_t sleeper_id;

static __attribute__((noinline)) void sit(void *arg)
{
    (void)arg;
    sleeper_id = weft_goid();
    step();
    CHECK_EQ(weft_chan_recv(chan, NULL), -EPIPE);
    step();
}

struct stacks {
    unsigned described, with_stack, generations;
};

static void look_for_stack(void *arg, weft_reader *reader, const weft_event *event)
{
    struct stacks *s = arg;
    weft_frame frame;
    if (event->kind == WEFT_EVENT_SYNC)
        s->generations++;
    if (event->kind != WEFT_EVENT_STATE_TRANSITION || event->resource != WEFT_RESOURCE_GOROUTINE ||
        event->id != sleeper_id || event->to != WEFT_STATE_WAITING)
        return;
    s->described++;
    s->with_stack += weft_reader_stack_depth(reader, event->resource_stack) >= 2 &&
                     weft_reader_stack_frame(reader, event->resource_stack, 0, &frame) == 0 &&
                     text_agrees(reader, frame.function, "weft_chan_recv") &&
                     weft_reader_stack_frame(reader, event->resource_stack, 1, &frame) == 0 &&
                     text_agrees(reader, frame.function, "sit");
}

static void a_blocked_goroutine_has_its_stack_in_every_generation(void)
{
    steps = 0;
    chan = weft_chan_new(0, 0);
    go(sit, NULL);
    await_steps(1);
    weft_sleep(5 * WEFT_MILLISECOND);
    weft_trace_stream *keeper;
    static sink all;
    CHECK_EQ(weft_trace_start_callback(weft_tracer_default(), sink_write, &all, NULL, &keeper), 0);
    for (int i = 0; i < 3; i++) {
        trace_on(26);
        trace_off();
        struct stacks found = {0};
        CHECK(!check_sink(&trace, look_for_stack, &found));
        CHECK(found.described > 0);
        CHECK_EQ(found.described, found.generations - 1); /* several, where the machine is busy */
        CHECK_EQ(found.with_stack, found.described);
        trace_done("blocked_for_long");
    }
    weft_chan_close(chan);
    await_steps(2);
    CHECK_EQ(weft_trace_stop(keeper, NULL), 0);
    sink_save(&all, "blocked_for_long_all");
    sink_free(&all);
    weft_chan_free(chan);
}
ON_ALL_PROCS(a_blocked_goroutine_has_its_stack_in_every_generation)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(everything_in_every_format),
        TEST(a_task_is_left_where_it_was_entered),
        TEST(texts_of_any_length_and_content),
        TEST(ends_that_do_not_match_are_refused),
        TEST(what_is_off_is_not_recorded),
        TEST(a_plain_thread_records_nothing),
        TEST(labels_are_inherited_and_repeated),
        TEST(revocations_are_marked),
        TEST(what_goroutines_wait_for),
        TEST(a_blocked_goroutine_has_its_stack_in_every_generation),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
