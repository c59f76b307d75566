/* SPDX-License-Identifier: MIT */
/* Typed channels: the macros of weft/chan_typed.h. What must not compile is in typed_errors.sh. */
#include "sched/support.h"

#include "weft/chan_typed.h"

struct point {
    int x, y;
};

typedef WEFT_CHAN(long) long_chan;
typedef WEFT_CHAN(struct point) point_chan;
typedef WEFT_CHAN(const char *) text_chan;

static void values_arrive_with_their_types(void)
{
    long_chan longs;
    point_chan points;
    text_chan texts;
    CHECK(WEFT_CHAN_NEW(&longs, 2) && WEFT_CHAN_NEW(&points, 1) && WEFT_CHAN_NEW(&texts, 1));
    long number;
    struct point point = {3, 4}, other;
    const char *text;
    CHECK_EQ(WEFT_SEND(longs, 1), 0); /* converted to long */
    double fraction = 2.9;
    CHECK_EQ(WEFT_SEND(longs, fraction), 0);
    CHECK_EQ(WEFT_TRY_SEND(longs, 'a'), -EAGAIN);
    CHECK_EQ(WEFT_SEND_UNTIL(longs, 3, 1), -ETIMEDOUT);
    CHECK_EQ(WEFT_RECV(longs, &number), 0);
    CHECK_EQ(number, 1);
    CHECK_EQ(WEFT_TRY_RECV(longs, &number), 0);
    CHECK_EQ(number, 2);
    CHECK_EQ(WEFT_RECV_UNTIL(longs, &number, 1), -ETIMEDOUT);
    CHECK_EQ(WEFT_SEND(points, point), 0);
    CHECK_EQ(WEFT_RECV(points, &other), 0);
    CHECK(other.x == 3 && other.y == 4);
    CHECK_EQ(WEFT_SEND(points, ((struct point){.x = 5})), 0);
    CHECK_EQ(WEFT_RECV(points, NULL), 0);
    CHECK_EQ(WEFT_SEND(texts, (const char *)"weft"), 0);
    CHECK_EQ(WEFT_RECV(texts, &text), 0);
    CHECK(strcmp(text, "weft") == 0);
    WEFT_CLOSE(longs);
    CHECK_EQ(WEFT_RECV(longs, &number), -EPIPE);
    weft_chan_free(longs.chan);
    weft_chan_free(points.chan);
    weft_chan_free(texts.chan);
}

static void cases_of_a_select_have_types(void)
{
    long_chan in, out;
    CHECK(WEFT_CHAN_NEW(&in, 1) && WEFT_CHAN_NEW(&out, 1));
    long value = 7, got = 0;
    weft_select_case cases[] = {WEFT_CASE_RECV(in, &got), WEFT_CASE_SEND(out, &value)};
    CHECK_EQ(weft_select(cases, 2, WEFT_NEVER), 1);
    CHECK_EQ(WEFT_RECV(out, &got), 0);
    CHECK_EQ(got, 7);
    CHECK_EQ(WEFT_SEND(in, 8), 0);
    CHECK_EQ(WEFT_SEND(out, 9), 0);
    CHECK_EQ(weft_select(cases, 2, WEFT_NEVER), 0);
    CHECK_EQ(got, 8);
    weft_chan_free(in.chan);
    weft_chan_free(out.chan);
}

ON_ALL_PROCS(values_arrive_with_their_types)
ON_ALL_PROCS(cases_of_a_select_have_types)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(values_arrive_with_their_types),
        TEST(cases_of_a_select_have_types),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
