/* SPDX-License-Identifier: MIT */
/*
 * What each event needs of the thread that emits it (ordering.md 4.1): every event that says so
 * before anything else, on threads that lack this or that.
 */
#include "trace_text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

enum { M = 1, P = 2, G = 4, NO_G = 8, ALL = M | P | G };

static const struct {
    const char *text;
    unsigned needs;
} events[] = {
    {"ProcsChange dt=1 procs_value=1 stack=0", ALL},
    {"GoLabel dt=1 label_string=1", ALL},
    {"UserLog dt=1 task=0 key_string=1 value_string=1 stack=0", ALL},
    {"UserTaskBegin dt=1 task=1 parent_task=0 name_string=1 stack=0", ALL},
    {"UserTaskEnd dt=1 task=1 stack=0", ALL},
    {"UserRegionBegin dt=1 task=0 name_string=1 stack=0", ALL},
    {"UserRegionEnd dt=1 task=0 name_string=1 stack=0", ALL},
    {"STWBegin dt=1 kind_string=1 stack=0", ALL},
    {"STWEnd dt=1", ALL},
    {"GCMarkAssistBegin dt=1 stack=0", ALL},
    {"GCMarkAssistEnd dt=1", ALL},
    {"GoStop dt=1 reason_string=1 stack=0", ALL},
    {"GoBlock dt=1 reason_string=1 stack=0", ALL},
    {"GoDestroy dt=1", ALL},
    {"GoSyscallBegin dt=1 p_seq=1 stack=0", ALL},
    {"GoSyscallEnd dt=1", ALL},
    {"GoSwitch dt=1 g=9 g_seq=1", ALL},
    {"GoSwitchDestroy dt=1 g=9 g_seq=1", ALL},
    {"GoCreate dt=1 new_g=9 new_stack=0 stack=0", M | P},
    {"GoCreateBlocked dt=1 new_g=9 new_stack=0 stack=0", M | P},
    {"HeapAlloc dt=1 heapalloc_value=1", M | P},
    {"HeapGoal dt=1 heapgoal_value=1", M | P},
    {"GCSweepBegin dt=1 stack=0", M | P},
    {"GCSweepEnd dt=1 swept_value=0 reclaimed_value=0", M | P},
    {"GoSyscallEndBlocked dt=1", M | G},
    {"GoDestroySyscall dt=1", M | G},
    {"GoCreateSyscall dt=1 new_g=9", M | NO_G},
    {"Span dt=1 id=1 npages_value=1 kindclass=1", M},
    {"SpanAlloc dt=1 id=1 npages_value=1 kindclass=1", M},
    {"SpanFree dt=1 id=1", M},
    {"HeapObject dt=1 id=1 type=1", M},
    {"HeapObjectAlloc dt=1 id=1 type=1", M},
    {"HeapObjectFree dt=1 id=1", M},
    {"GoroutineStack dt=1 id=1 order=1", M},
    {"GoroutineStackAlloc dt=1 id=1 order=1", M},
    {"GoroutineStackFree dt=1 id=1", M},
};

static const struct {
    const char *batch;
    unsigned has;
} threads[] = {
    {NOBODY, 0},
    {BATCH, M},
    {BATCH "ProcStatus dt=1 p=0 pstatus=1\n", M | P},
    {BATCH "GoStatus dt=1 g=1 m=7 gstatus=2\n", M | G},
    {BATCH RUNNING, ALL},
};

/* The rule that is broken, NULL if none. */
static const char *expected(unsigned needs, unsigned has)
{
    unsigned lacks = needs & ~has;
    if (lacks & M)
        return "CTX-1";
    if (lacks & P)
        return "CTX-2";
    if (lacks & G)
        return "CTX-4";
    return (needs & NO_G) && (has & G) ? "CTX-5" : NULL;
}

/* Leaves the input for the comparison with Go's reader (compare.sh). */
static void dump(const struct memory *m, size_t event, size_t thread)
{
    const char *dir = getenv("WEFT_DUMP_DIR");
    char path[4096];
    if (!dir)
        return;
    snprintf(path, sizeof path, "%s/context-%zu-%zu.trace", dir, event, thread);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(m->data, 1, m->size, file), m->size);
    assert_int_equal(fclose(file), 0);
}

static struct memory assemble(size_t event, size_t thread, bool with_event)
{
    char text[2048];
    struct memory m = {0};
    snprintf(text, sizeof text, "Trace Go1.26\n" SYNC STRINGS "%s%s\n" END, threads[thread].batch,
             with_event ? events[event].text : "");
    assert_int_equal(memory_assemble(&m, text, strlen(text), NULL), 0);
    return m;
}

static void check(size_t event, size_t thread)
{
    struct memory m = assemble(event, thread, true), without = assemble(event, thread, false);
    dump(&m, event, thread);
    weft_reader *reader;
    weft_event read;
    int status = weft_reader_open_callback(&reader, memory_read, &m);
    while (status >= 0 && (status = weft_reader_next(reader, &read)) == 1)
        ;
    const weft_reader_error *error = weft_reader_error_get(reader);
    const char *rule = expected(events[event].needs, threads[thread].has);
    if (rule ? strcmp(error->rule, rule) != 0 : strncmp(error->rule, "CTX", 3) == 0)
        fail_msg("%s%s: %s, not %s: %s", threads[thread].batch, events[event].text, error->rule,
                 rule ? rule : "no rule of contexts", error->message);
    if (rule) {
        size_t name = strcspn(events[event].text, " ");
        assert_int_equal(status, -EBADMSG);
        assert_int_equal(error->generation, 1);
        assert_int_equal(error->offset, without.size - 1); /* where the end mark is without it */
        assert_memory_equal(error->message, events[event].text, name);
        assert_non_null(strstr(error->message, "expected "));
    }
    weft_reader_free(reader);
    free(m.data);
    free(without.data);
}

static void each_event_has_the_context_that_it_needs(void **state)
{
    (void)state;
    for (size_t event = 0; event < sizeof events / sizeof *events; event++)
        for (size_t thread = 0; thread < sizeof threads / sizeof *threads; thread++)
            check(event, thread);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_event_has_the_context_that_it_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
