/* SPDX-License-Identifier: MIT */
/*
 * faulty MODE: a program with one fault, or none, between goroutines, for the sanitizers.
 *
 *   race, locked, handed     two goroutines write a variable: without order, under a lock, in turns
 *   overflow, returned       a goroutine writes beyond its array after a switch; one reads
 * another's frame that is gone frames                   frames of goroutines that are there:
 * nothing to report
 */
#include <stdio.h>
#include <string.h>

#include <weft/weft.h>

enum { ROUNDS = 1000 };

static long shared;
static int started; /* atomic */
static weft_mutex lock;
static weft_waitgroup done;
static weft_chan *turn;

static __attribute__((noinline)) void write_shared(void)
{
    shared++;
}

static void write_unordered(void *arg)
{
    (void)arg;
    __atomic_add_fetch(&started, 1, __ATOMIC_RELAXED); /* orders nothing */
    while (__atomic_load_n(&started, __ATOMIC_RELAXED) < 2)
        ;
    for (int i = 0; i < ROUNDS; i++)
        write_shared();
    weft_waitgroup_done(&done);
}

static void write_locked(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        weft_mutex_lock(&lock);
        write_shared();
        weft_mutex_unlock(&lock);
    }
    weft_waitgroup_done(&done);
}

static void write_in_turn(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        weft_chan_recv(turn, NULL);
        write_shared();
        weft_chan_send(turn, "x");
    }
    weft_waitgroup_done(&done);
}

static void run_two(void (*fn)(void *))
{
    turn = weft_chan_new(1, 1);
    weft_chan_send(turn, "x");
    weft_waitgroup_add(&done, 2);
    weft_go(fn, NULL);
    weft_go(fn, NULL);
    weft_waitgroup_wait(&done);
    weft_chan_free(turn);
}

/* ---- Frames ---- */

static volatile int beyond = 8; /* of 8 */

static __attribute__((noinline)) void write_beyond(void)
{
    char array[8];
    char *volatile at = array;
    for (int i = 0; i < 100; i++)
        weft_yield();
    at[beyond] = 1;
}

static void overflows(void *arg)
{
    (void)arg;
    write_beyond();
    weft_waitgroup_done(&done);
}

static char *volatile published;

static __attribute__((noinline)) void publish_frame(void)
{
    char local[16] = {1};
    published = local;
    weft_yield();
}

static void leaves_its_frame(void *arg)
{
    (void)arg;
    publish_frame();
    weft_chan_send(turn, "x");
    weft_chan_send(turn, "x"); /* it is still there while the other reads */
}

static int read_after_return(void)
{
    turn = weft_chan_new(1, 0);
    weft_go(leaves_its_frame, NULL);
    weft_chan_recv(turn, NULL);
    int value = *published;
    weft_chan_recv(turn, NULL);
    weft_chan_free(turn);
    return value == 1;
}

static void fill(void *arg)
{
    memset(arg, 1, 64);
    weft_waitgroup_done(&done);
}

static void fill_each_others(void *arg)
{
    char frame[64] = {0};
    (void)arg;
    weft_waitgroup_add(&done, 1);
    weft_call_on_stack(64 * 1024, fill, frame);
    weft_yield();
    if (frame[63] != 1)
        fprintf(stderr, "not filled\n");
    weft_waitgroup_done(&done);
}

static int run_mode(void *arg)
{
    const char *mode = arg;
    if (strcmp(mode, "race") == 0)
        run_two(write_unordered);
    else if (strcmp(mode, "locked") == 0)
        run_two(write_locked);
    else if (strcmp(mode, "handed") == 0)
        run_two(write_in_turn);
    else if (strcmp(mode, "overflow") == 0)
        run_two(overflows);
    else if (strcmp(mode, "returned") == 0)
        return read_after_return();
    else
        run_two(fill_each_others);
    return 0;
}

int main(int argc, char **argv)
{
    weft_options options = {.size = sizeof options, .procs = 2};
    return argc < 2 ? 2 : weft_run(&options, run_mode, argv[1]);
}
