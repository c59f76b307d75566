/* SPDX-License-Identifier: MIT */
/*
 * Input and output in the trace: who waits for a socket or pipe waits for "network", in the public
 * function that was called; who uses a file is in a system call.
 */
#include "net/loopback.h"

#include "trace/check.h"
#include "weft/file.h"

static weft_waitgroup finished;
static weft_conn *stream[2], *datagram[2], *through[2];

/* Not a tail call: the function stays on the stack. */
#define stay() __asm__ volatile("")

static void io_recv_fd(void)
{
    char byte;
    int fd;
    CHECK_EQ(weft_conn_recv_fd(stream[0], &byte, 1, &fd), 1);
    stay();
}

static void io_recvfrom(void)
{
    char byte;
    CHECK_EQ(weft_conn_recvfrom(datagram[0], &byte, 1, NULL), 1);
    stay();
}

static void io_readv(void)
{
    char byte;
    CHECK_EQ(weft_conn_readv(through[0], &(struct iovec){&byte, 1}, 1), 1);
    stay();
}

static void io_file(void)
{
    CHECK_EQ(weft_file_sync(-1), -EBADF);
    stay();
}

struct situation {
    void (*fn)(void);
    const char *name, *function;
    weft_state to;
    unsigned seen;
};

static struct situation situations[] = {
    {io_recv_fd, "io_recv_fd", "weft_conn_recv_fd", WEFT_STATE_WAITING, 0},
    {io_recvfrom, "io_recvfrom", "weft_conn_recvfrom", WEFT_STATE_WAITING, 0},
    {io_readv, "io_readv", "weft_conn_readv", WEFT_STATE_WAITING, 0},
    {io_file, "io_file", "weft_file_sync", WEFT_STATE_SYSCALL, 0},
};
enum { SITUATIONS = sizeof situations / sizeof situations[0] };

static void be_in(void *arg)
{
    ((struct situation *)arg)->fn();
    weft_waitgroup_done(&finished);
}

static void run_all(void)
{
    CHECK_EQ(weft_unix_pair(false, stream), 0);
    CHECK_EQ(weft_unix_pair(true, datagram), 0);
    CHECK_EQ(weft_pipe(through), 0);
    weft_waitgroup_add(&finished, SITUATIONS);
    for (size_t i = 0; i < SITUATIONS; i++)
        go(be_in, &situations[i]);
    await_parked(stream[0], POLL_READ, 1);
    await_parked(datagram[0], POLL_READ, 1);
    await_parked(through[0], POLL_READ, 1);
    CHECK_EQ(weft_conn_write(stream[1], "x", 1), 1);
    CHECK_EQ(weft_conn_write(datagram[1], "x", 1), 1);
    CHECK_EQ(weft_conn_write(through[1], "x", 1), 1);
    weft_waitgroup_wait(&finished);
    pair_close((struct pair){stream[0], stream[1]});
    pair_close((struct pair){datagram[0], datagram[1]});
    pair_close((struct pair){through[0], through[1]});
}

static bool text_is(const weft_reader *reader, weft_string string, const char *text)
{
    weft_text t = weft_reader_string(reader, string);
    return t.size == strlen(text) && memcmp(t.data, text, t.size) == 0;
}

static bool is_in(const weft_reader *reader, weft_stack stack, const char *name)
{
    weft_frame frame;
    for (size_t i = 0; i < weft_reader_stack_depth(reader, stack); i++)
        if (weft_reader_stack_frame(reader, stack, i, &frame) == 0 &&
            text_is(reader, frame.function, name))
            return true;
    return false;
}

static void see(void *arg, weft_reader *reader, const weft_event *event)
{
    (void)arg;
    if (event->kind != WEFT_EVENT_STATE_TRANSITION || event->resource != WEFT_RESOURCE_GOROUTINE ||
        event->from != WEFT_STATE_RUNNING)
        return;
    for (struct situation *s = situations; s < situations + SITUATIONS; s++)
        if (event->to == s->to && is_in(reader, event->resource_stack, s->name) &&
            is_in(reader, event->resource_stack, s->function))
            s->seen += s->to == WEFT_STATE_SYSCALL || text_is(reader, event->name, "network");
}

static sink trace;

static void trace_all(void)
{
    weft_trace_stream *to;
    CHECK_EQ(weft_trace_start_callback(weft_tracer_default(), sink_write, &trace, NULL, &to), 0);
    run_all();
    CHECK_EQ(weft_trace_stop(to, NULL), 0);
}

static void check_on(unsigned procs)
{
    char name[32];
    run_on(procs, trace_all);
    snprintf(name, sizeof name, "io_%u", procs);
    sink_save(&trace, name);
    const char *complaint = check_sink(&trace, see, NULL);
    if (complaint)
        fail_msg("%s", complaint);
    sink_free(&trace);
    for (struct situation *s = situations; s < situations + SITUATIONS; s++) {
        if (s->seen == 0)
            fail_msg("%s is not in the trace", s->name);
        s->seen = 0;
    }
}

static void test_io_is_in_the_trace_with_reason_and_stack(void **state)
{
    (void)state;
    check_on(1);
    check_on(2);
    check_on(4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(io_is_in_the_trace_with_reason_and_stack)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
