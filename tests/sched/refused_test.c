/* SPDX-License-Identifier: MIT */
/*
 * Refused memory. Each situation is run again and again, with the n-th allocation of weft's refused
 * (malloc, mmap, the making of a thread), n = 1, 2, … until none is left; once that alone, once all
 * from there on. The program may be told by an error or stop with a message; it never crashes or
 * hangs, and what could not be made is not kept.
 *
 * The linker puts the functions below between weft and the C library (--wrap), so what the C
 * library allocates for itself is not refused.
 */
#define _GNU_SOURCE
#include "sched/support.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- The allocator ---- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
char *__real_realpath(const char *path, char *out);
void __real_free(void *memory);
void *__real_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *at, size_t size);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                          void *arg);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_realpath(const char *path, char *out);
void __wrap_free(void *memory);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
int __wrap_munmap(void *at, size_t size);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                          void *arg);

static struct {
    uint32_t armed;  /* atomic */
    uint32_t count;  /* atomic: since then */
    uint32_t first;  /* which one is refused */
    bool all_behind; /* and those after it */
    int64_t blocks;  /* atomic: of the heap, that are there */
    int64_t pages;   /* atomic: bytes mapped */
} memory;

static bool refused(void)
{
    if (!atomic_load_relaxed(&memory.armed))
        return false;
    uint32_t n = atomic_add_relaxed(&memory.count, 1) + 1;
    if (n < memory.first || (n > memory.first && !memory.all_behind))
        return false;
    errno = ENOMEM;
    return true;
}

static void *counted(void *block)
{
    if (block)
        atomic_add_relaxed(&memory.blocks, 1);
    return block;
}

void *__wrap_malloc(size_t size)
{
    return refused() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
    return refused() ? NULL : counted(__real_calloc(n, size));
}

void *__wrap_realloc(void *old, size_t size)
{
    if (refused())
        return NULL;
    return old ? __real_realloc(old, size) : counted(__real_realloc(old, size));
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return refused() ? NULL : counted(__real_aligned_alloc(alignment, size));
}

char *__wrap_strdup(const char *text)
{
    return refused() ? NULL : counted(__real_strdup(text));
}

char *__wrap_realpath(const char *path, char *out)
{
    if (refused())
        return NULL;
    char *real = __real_realpath(path, out);
    return out ? real : counted(real);
}

void __wrap_free(void *block)
{
    if (block)
        atomic_sub_relaxed(&memory.blocks, 1);
    __real_free(block);
}

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (refused())
        return MAP_FAILED;
    void *pages = __real_mmap(at, size, protection, flags, fd, offset);
    if (pages != MAP_FAILED)
        atomic_add_relaxed(&memory.pages, (int64_t)size);
    return pages;
}

int __wrap_munmap(void *at, size_t size)
{
    int rc = __real_munmap(at, size);
    if (rc == 0)
        atomic_sub_relaxed(&memory.pages, (int64_t)size);
    return rc;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                          void *arg)
{
    return refused() ? EAGAIN : __real_pthread_create(thread, attributes, fn, arg);
}

/* ---- One run ---- */

static void start_and_stop(void) {}

static void (*situation)(void);

static int main_goroutine(void *arg)
{
    (void)arg;
    situation();
    return 0;
}

static void run_once(void)
{
    weft_options options = {.size = sizeof options, .procs = 2};
    (void)!weft_run(&options, main_goroutine, NULL);
}

enum { REFUSED_NOTHING = 40, LEAKS = 41 };

/* The child: once as a rehearsal, which makes what stays, then with refusals. Leaks are looked for
 * where the situation has ended in order. */
static void run_refusing(void *arg)
{
    (void)arg;
    run_once();
    int64_t blocks = atomic_load_relaxed(&memory.blocks),
            pages = atomic_load_relaxed(&memory.pages);
    atomic_store_relaxed(&memory.armed, 1);
    run_once();
    atomic_store_relaxed(&memory.armed, 0);
    bool any = atomic_load_relaxed(&memory.count) >= memory.first;
    int64_t more = atomic_load_relaxed(&memory.blocks) - blocks,
            more_pages = atomic_load_relaxed(&memory.pages) - pages;
    if (more > 0 || more_pages > 0) {
        fprintf(stderr, "left behind: %lld blocks, %lld bytes mapped\n", (long long)more,
                (long long)more_pages);
        _exit(LEAKS);
    }
    _exit(any ? 0 : REFUSED_NOTHING);
}

static bool is_message_of_weft(const death *d)
{
    return death_signal(d) == SIGABRT && strstr(d->text, "weft: fatal: ") != NULL;
}

/* Whether anything was refused. */
static bool try_one(const char *name, uint32_t n, bool all_behind)
{
    memory.first = n;
    memory.all_behind = all_behind;
    memory.count = 0;
    death d = death_of(run_refusing, NULL);
    if (WIFEXITED(d.status) && WEXITSTATUS(d.status) == REFUSED_NOTHING)
        return false;
    if (d.status != 0 && !is_message_of_weft(&d))
        fail_msg("%s: allocation %u%s: status %x, and: %s", name, n,
                 all_behind ? " and those behind it" : "", (unsigned)d.status, d.text);
    return true;
}

enum { AT_MOST = 2000 };

/* Those of the start alone, which is the same in all situations and tried once. */
static uint32_t of_the_start;

static void refuse_each(const char *name, void (*fn)(void))
{
    situation = fn;
    for (int all = 0; all < 2; all++) {
        uint32_t n = of_the_start + 1;
        while (n < AT_MOST && try_one(name, n, all))
            n++;
        assert_in_range(n, 2, AT_MOST - 1);
        printf("%s: %u allocations refused, %s\n", name, n - 1, all ? "with all behind" : "each");
    }
}

#define REFUSED(name)                                                                              \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        refuse_each(#name, name);                                                                  \
    }

/* ---- Situations. Each gives up what it has when something cannot be had. ---- */

static void leave(void *group)
{
    weft_waitgroup_done(group);
}

static void spawn(void)
{
    weft_waitgroup group = {0};
    for (int i = 0; i < 5; i++) {
        size_t size = i % 2 ? (size_t)(64 * 1024) << i : 0;
        weft_waitgroup_add(&group, 1);
        if ((size ? weft_go_stack(size, leave, &group) : weft_go(leave, &group)) != 0)
            weft_waitgroup_done(&group);
    }
    weft_waitgroup_wait(&group);
}

static void send_one(void *chan)
{
    int n = 1;
    (void)!weft_chan_send(chan, &n);
}

static void channels_and_select(void)
{
    enum { CASES = 20 };
    weft_chan *chan = weft_chan_new(sizeof(int), 0);
    weft_select_case cases[CASES] = {{0}};
    if (!chan)
        return;
    int n;
    for (int i = 0; i < CASES; i++)
        cases[i] = (weft_select_case){.chan = chan, .recv = &n};
    if (weft_go(send_one, chan) == 0 && weft_select(cases, CASES, WEFT_NEVER) < 0)
        CHECK_EQ(weft_chan_recv(chan, &n), 0);
    weft_chan_free(chan);
}

static void timers(void)
{
    weft_timer *timer = weft_timer_new_chan();
    if (timer) {
        weft_timer_start(timer, WEFT_MICROSECOND, 0);
        (void)!weft_chan_recv(weft_timer_chan(timer), NULL);
        weft_timer_free(timer);
    }
    weft_sleep(10 * WEFT_MICROSECOND);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void contexts(void)
{
    weft_context *root = weft_context_new(NULL);
    weft_context *timed = weft_context_with_timeout(root, WEFT_MILLISECOND);
    weft_context *value = weft_context_with_value(timed, &root, &timed);
    weft_context *detached = weft_context_detached(value);
    if (timed) {
        weft_after *after = weft_context_after(timed, nothing, NULL);
        (void)weft_context_done(timed);
        CHECK(weft_context_wait(timed) != 0);
        if (after)
            (void)weft_after_stop(after);
    }
    weft_context_free(detached);
    weft_context_free(value);
    weft_context_free(timed);
    weft_context_free(root);
}

static int return_one(void *arg)
{
    (void)arg;
    return 1;
}

static void scopes(void)
{
    weft_scope *scope = weft_scope_new(NULL, 2);
    if (!scope)
        return;
    for (int i = 0; i < 3; i++)
        (void)!weft_scope_go(scope, return_one, NULL);
    (void)!weft_scope_end(scope);
}

static void dial_back(void *arg)
{
    char address[32];
    weft_conn *conn;
    snprintf(address, sizeof address, "127.0.0.1:%d", weft_listener_port(arg));
    if (weft_tcp_dial(address, WEFT_NEVER, &conn) == 0) {
        (void)!weft_conn_write(conn, "x", 1);
        weft_conn_close(conn);
    }
}

static void open_and_accept(void)
{
    weft_listener *listener;
    weft_conn *conn, *ends[2];
    char byte;
    if (weft_pipe(ends) == 0) {
        CHECK_EQ(weft_conn_write(ends[1], "x", 1), 1);
        weft_conn_close(ends[0]);
        weft_conn_close(ends[1]);
    }
    if (weft_tcp_listen("127.0.0.1:0", &listener) != 0)
        return;
    weft_listener_set_deadline(listener, weft_now() + 200 * WEFT_MILLISECOND);
    if (weft_go(dial_back, listener) == 0 && weft_tcp_accept(listener, &conn) == 0) {
        (void)!weft_conn_read(conn, &byte, 1);
        weft_conn_close(conn);
    }
    weft_listener_close(listener);
}

static void trace_start_and_stop(void)
{
    weft_trace_stream *stream;
    if (weft_trace_start_path(weft_tracer_default(), "/dev/null", NULL, &stream) != 0)
        return;
    spawn();
    (void)!weft_trace_stop(stream, NULL);
}

static void record_and_write(void)
{
    weft_trace_recorder *recorder;
    if (weft_trace_recorder_new(weft_tracer_default(), NULL, &recorder) != 0)
        return;
    if (weft_trace_recorder_start(recorder) == 0) {
        spawn();
        (void)!weft_trace_snapshot_path(recorder, "/dev/null", NULL);
    }
    (void)!weft_trace_recorder_free(recorder);
}

static void children(void)
{
    static const char *const argv[] = {"echo", "x", NULL};
    weft_process_output output;
    (void)!weft_process_capture(argv, NULL, NULL, 0, 100, &output);
    weft_process_output_free(&output);
}

static void subscribe(void)
{
    weft_chan *chan = weft_chan_new(sizeof(int), 1);
    weft_context *context;
    int number = SIGUSR1;
    if (chan && weft_signal_notify(chan, &number, 1) == 0)
        weft_signal_stop(chan);
    weft_chan_free(chan);
    if (weft_signal_context(NULL, &number, 1, &context) == 0)
        weft_signal_context_free(context);
}

static void test_start_and_stop(void **state)
{
    (void)state;
    refuse_each("start_and_stop", start_and_stop);
    while (try_one("start_and_stop", of_the_start + 1, false))
        of_the_start++;
}

REFUSED(spawn)
REFUSED(channels_and_select)
REFUSED(timers)
REFUSED(contexts)
REFUSED(scopes)
REFUSED(open_and_accept)
REFUSED(trace_start_and_stop)
REFUSED(record_and_write)
REFUSED(children)
REFUSED(subscribe)

int main(int argc, char **argv)
{
    choose_tests(argc, argv);
    const struct CMUnitTest tests[] = {
        TEST(start_and_stop),
        TEST(spawn),
        TEST(channels_and_select),
        TEST(timers),
        TEST(contexts),
        TEST(scopes),
        TEST(open_and_accept),
        TEST(trace_start_and_stop),
        TEST(record_and_write),
        TEST(children),
        TEST(subscribe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
