/* SPDX-License-Identifier: MIT */
/* Raw text: round trips, and every way in which a text is wrong. */
#include "trace_text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

#include "reader/quote.h"

static struct memory print(struct memory *from)
{
    struct memory text = {0};
    weft_reader_error error;
    from->read = 0;
    if (weft_raw_print(memory_read, from, memory_write, &text, &error) != 0)
        fail_msg("%s: %s", error.rule, error.message);
    return text;
}

static struct memory assemble(const char *text, size_t size)
{
    struct memory m = {0};
    weft_reader_error error;
    if (memory_assemble(&m, text, size, &error) != 0)
        fail_msg("line %llu: %s", (unsigned long long)error.offset, error.message);
    return m;
}

static void bytes_to_text_and_back_are_the_same(void **state)
{
    (void)state;
    static char archive[1 << 16];
    FILE *file = fopen(TRACES "/every_event.test", "rb");
    assert_non_null(file);
    archive[fread(archive, 1, sizeof archive - 1, file)] = 0;
    fclose(file);
    const char *text = strstr(archive, "Trace Go");
    struct memory first = assemble(text, strlen(text));
    struct memory printed = print(&first);
    struct memory second = assemble((char *)printed.data, printed.size);
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.data, second.data, first.size);
    struct memory again = print(&second);
    assert_int_equal(again.size, printed.size);
    assert_memory_equal(again.data, printed.data, printed.size);
    free(first.data), free(printed.data), free(second.data), free(again.data);
}

static void the_text_is_as_documented(void **state)
{
    (void)state;
    static const char text[] = "Trace Go1.26\n"
                               "EventBatch gen=1 m=18446744073709551615 time=1000 size=9\n"
                               "Stacks\n"
                               "Stack id=1 nframes=1\n"
                               "\tpc=4096 func=1 file=2 line=3\n"
                               "EventBatch gen=1 m=7 time=1000 size=14\n"
                               "Strings\n"
                               "String id=1\n"
                               "\tdata=\"a\\n\\\"\\\\\\xff\\x00\"\n"
                               "String id=2\n"
                               "ExperimentalBatch exp=1 gen=1 m=7 time=5\n"
                               "\tdata=\"xyz\"\n"
                               "GoSwitch dt=1 g=2 g_seq=300\n"
                               "EndOfGeneration\n";
    struct memory bytes = assemble(text, sizeof text - 1);
    struct memory printed = print(&bytes);
    assert_int_equal(printed.size, sizeof text - 1);
    assert_memory_equal(printed.data, text, printed.size);
    free(bytes.data), free(printed.data);
}

static void layout_of_the_text_is_free(void **state)
{
    (void)state;
    static const char plain[] = "Trace Go1.26\nEventBatch gen=1 m=2 time=3 size=auto\n"
                                "Stacks\nStack id=1 nframes=1\npc=1 func=2 file=3 line=4\n"
                                "String id=1\ndata=\"ab\"\n";
    static const char loose[] =
        "\n# comment\r\n  Trace  Go1.26 \r\n\n  EventBatch\tgen=1  m=2 time=3 size=13\r\n"
        "Stacks\n  Stack id=1 nframes=1\n# between\n\n\t pc=1\tfunc=2 file=3 line=4\n"
        "String id=1\n#\n  data = `ab`  ";
    struct memory a = assemble(plain, sizeof plain - 1), b = assemble(loose, sizeof loose - 1);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    free(a.data), free(b.data);
}

static void quoting_is_that_of_go(void **state)
{
    (void)state;
    static const struct {
        const char *quoted, *plain;
        ptrdiff_t size;
    } cases[] = {
        {"\"\"", "", 0},
        {"\"a b\"", "a b", 3},
        {"\"\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\"", "\a\b\f\n\r\t\v\\\"", 9},
        {"\"\\x41\\101\\u00e9\\U0001F600\"", "AA\xc3\xa9\xf0\x9f\x98\x80", 8},
        {"`a\\n\"`", "a\\n\"", 4},
        {"'x'", "x", 1},
        {"'\\''", "'", 1},
        {"\"\\000\"", "\0", 1},
        {"\"", NULL, -1},
        {"abc", NULL, -1},
        {"\"abc", NULL, -1},
        {"\"a\"b\"", NULL, -1},
        {"\"\\q\"", NULL, -1},
        {"\"\\x4\"", NULL, -1},
        {"\"\\400\"", NULL, -1},
        {"\"\\ud800\"", NULL, -1},
        {"\"\\U00110000\"", NULL, -1},
        {"\"\\\"", NULL, -1},
        {"\"\\'\"", NULL, -1},
        {"`a`b`", NULL, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t out[64];
        ptrdiff_t size = reader_unquote(cases[i].quoted, strlen(cases[i].quoted), out);
        if (size != cases[i].size)
            fail_msg("%s: %td", cases[i].quoted, size);
        if (size > 0)
            assert_memory_equal(out, cases[i].plain, (size_t)size);
    }
}

static void a_wrong_text_is_told_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
        unsigned line;
    } cases[] = {
        {"", "the first line must be", 1},
        {"Trace Go1.24\n", "the first line must be", 1},
        {"Trace Go1.26 x\n", "the first line must be", 1},
        {"Hello\n", "the first line must be", 1},
        {"Trace Go1.26\nNonsense a=1\n", "is named Nonsense", 2},
        {"Trace Go1.22\nGoSwitch dt=1 g=1 g_seq=1\n", "no event of version 1.22 is named", 2},
        {"Trace Go1.26\nGoStart dt=1 g=1\n", "expected g_seq=, found the end", 2},
        {"Trace Go1.26\nGoStart dt=1 g_seq=1 g=1\n", "expected g=, found g_seq=1", 2},
        {"Trace Go1.26\nGoStart dt=1 g=1 g_seq=1 x=2\n", "unexpected x=2", 2},
        {"Trace Go1.26\nProcStop dt=1 # no\n", "unexpected #", 2},
        {"Trace Go1.26\nProcStop dt=-1\n", "not an unsigned decimal", 2},
        {"Trace Go1.26\nProcStop dt=0x1\n", "not an unsigned decimal", 2},
        {"Trace Go1.26\nProcStop dt=18446744073709551616\n", "not an unsigned decimal", 2},
        {"Trace Go1.26\nProcStop dt=\n", "not an unsigned decimal", 2},
        {"Trace Go1.26\n\nStack id=1 nframes=2\npc=1 func=0 file=0 line=0\n", "ends inside a stack",
         5},
        {"Trace Go1.26\nStack id=1 nframes=1\nStrings\n", "expected pc=", 3},
        {"Trace Go1.26\nString id=1\ndata=abc\n", "not a quoted text", 3},
        {"Trace Go1.26\nExperimentalBatch exp=1 gen=1 m=1 time=1\nStrings\n", "expected data=", 3},
        {"Trace Go1.26\nExperimentalBatch exp=256 gen=1 m=1 time=1\ndata=\"\"\n", "one byte", 2},
        {"Trace Go1.26\nEventBatch gen=1 m=1 time=1 size=auto more=1\n", "unexpected more", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct memory m = {0};
        weft_reader_error error;
        int status = memory_assemble(&m, cases[i].text, strlen(cases[i].text), &error);
        if (status != -EBADMSG || !strstr(error.message, cases[i].message) ||
            error.offset != cases[i].line)
            fail_msg("%s: %d line %llu: %s", cases[i].text, status,
                     (unsigned long long)error.offset, error.message);
        free(m.data);
    }
}

static void lines_end_at_65535_bytes(void **state)
{
    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        struct memory text = {0}, m = {0};
        memory_write(&text, "Trace Go1.26\n#", 14);
        for (size_t i = 0; i < 65534 + extra; i++)
            memory_write(&text, "x", 1);
        weft_reader_error error;
        int status = memory_assemble(&m, (char *)text.data, text.size, &error);
        assert_int_equal(status, extra ? -EBADMSG : 0);
        free(text.data), free(m.data);
    }
}

static int refuse(void *context, const void *data, size_t size)
{
    (void)context, (void)data, (void)size;
    return -ENOSPC;
}

static void failed_writes_are_told(void **state)
{
    (void)state;
    static const char text[] = "Trace Go1.26\nEndOfGeneration\n";
    struct memory from = {(uint8_t *)(uintptr_t)text, sizeof text - 1, 0, 0, 0};
    assert_int_equal(weft_raw_assemble(memory_read, &from, refuse, NULL, NULL), -ENOSPC);
    struct memory bytes = assemble(text, sizeof text - 1);
    assert_int_equal(weft_raw_print(memory_read, &bytes, refuse, NULL, NULL), -ENOSPC);
    free(bytes.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_to_text_and_back_are_the_same),
        cmocka_unit_test(the_text_is_as_documented),
        cmocka_unit_test(layout_of_the_text_is_free),
        cmocka_unit_test(quoting_is_that_of_go),
        cmocka_unit_test(a_wrong_text_is_told_with_its_line),
        cmocka_unit_test(lines_end_at_65535_bytes),
        cmocka_unit_test(failed_writes_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
