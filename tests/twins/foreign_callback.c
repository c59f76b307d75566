/* SPDX-License-Identifier: MIT */
/*
 * Twin of TestTraceCgoCallback: ten goroutines each make a thread, which calls into weft, from
 * there out again in a blocking call, and back; it comes several times, attached and not, and ends
 * without detaching. Thread ids are used again.
 */
#include "twins/twin_walk.h"

#include <pthread.h>
#include <unistd.h>

#include "wire/events.h"

enum { CALLERS = 10, VISITS = 3 };

static weft_waitgroup done;
static weft_chan *answers;

static void answer(void *arg)
{
    check(weft_chan_send(answers, &arg) == 0);
}

/* In, out, and in again. */
static __attribute__((noinline)) void visit(void)
{
    void *value;
    check(weft_go(answer, NULL) == 0);
    check(weft_chan_recv(answers, &value) == 0);
    weft_blocking_enter();
    usleep(200);
    weft_blocking_exit();
    weft_log("callback", "back");
    weft_yield();
    TWIN_FRAME_STAYS();
}

static void *foreign_thread(void *arg)
{
    (void)arg;
    for (int i = 0; i < VISITS; i++) {
        check(weft_thread_attach() == 0);
        visit();
        check(weft_thread_detach() == 0);
        weft_waitgroup_add(&done, 1);
        check(weft_go((void (*)(void *))(uintptr_t)weft_waitgroup_done, &done) == 0);
    }
    check(weft_thread_attach() == 0);
    visit();
    return NULL;
}

static void call(void *arg)
{
    pthread_t thread;
    (void)arg;
    weft_blocking_enter();
    check(pthread_create(&thread, NULL, foreign_thread, NULL) == 0);
    check(pthread_join(thread, NULL) == 0);
    weft_blocking_exit();
    weft_waitgroup_done(&done);
}

static void body(void)
{
    check(answers = weft_chan_new(sizeof(void *), 0));
    weft_trace_stream *stream = twin_start(0);
    weft_waitgroup_add(&done, CALLERS);
    for (int i = 0; i < CALLERS; i++)
        check(weft_go(call, NULL) == 0);
    weft_waitgroup_wait(&done);
    twin_stop(stream);
    weft_chan_free(answers);
}

struct found {
    unsigned created, destroyed, logs;
};

static bool is_called_by(const weft_reader *reader, weft_stack stack, const char *function)
{
    for (size_t i = 1; i < weft_reader_stack_depth(reader, stack); i++)
        if (twin_frame_is(reader, stack, i, function))
            return true;
    return false;
}

static void seen(void *arg, const weft_reader *reader, const weft_event *event)
{
    struct found *found = arg;
    found->created += event->wire == WIRE_EV_GO_CREATE_SYSCALL;
    found->destroyed += event->wire == WIRE_EV_GO_DESTROY_SYSCALL;
    found->logs += event->kind == WEFT_EVENT_LOG && twin_text_is(reader, event->name, "callback") &&
                   is_called_by(reader, event->stack, "visit") &&
                   is_called_by(reader, event->stack, "foreign_thread");
}

static void verify(void)
{
    struct found found = {0};
    twin_walk(twin_path(0), seen, &found);
    check(found.created == CALLERS * (2 * VISITS + 1));
    check(found.destroyed == found.created);
    check(found.logs == CALLERS * (VISITS + 1));
}

int main(int argc, char **argv)
{
    return twin_main(argc, argv, body, verify);
}
