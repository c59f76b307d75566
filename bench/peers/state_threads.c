/* SPDX-License-Identifier: MIT */
/*
 * state_threads: what bench/sched measures, on State Threads, which has one thread and no channels:
 * a yield is a sleep of 0, a round trip goes over two condition variables.
 */
#include <st.h>

#include "../rounds.h"

static void *yield_loop(void *arg)
{
    for (long n = *(long *)arg; n-- > 0;)
        st_usleep(0);
    return NULL;
}

static void yields(long n)
{
    long half = n / 2;
    st_thread_t other = st_thread_create(yield_loop, &half, 1, 0);
    yield_loop(&half);
    st_thread_join(other, NULL);
}

static st_cond_t there, back;
static int state; /* whose turn it is */

static void *answer(void *arg)
{
    for (long n = *(long *)arg; n-- > 0;) {
        while (state == 0)
            st_cond_wait(there);
        state = 0;
        st_cond_signal(back);
    }
    return NULL;
}

static void round_trips(long n)
{
    st_thread_t other = st_thread_create(answer, &n, 1, 0);
    for (long i = 0; i < n; i++) {
        state = 1;
        st_cond_signal(there);
        while (state == 1)
            st_cond_wait(back);
    }
    st_thread_join(other, NULL);
}

static void *nothing(void *arg)
{
    return arg;
}

static void spawns(long n)
{
    while (n-- > 0)
        st_thread_join(st_thread_create(nothing, NULL, 1, 0), NULL);
}

int main(void)
{
    if (st_init() != 0)
        return 1;
    there = st_cond_new();
    back = st_cond_new();
    bench_print("st/gosched", yields, 100000);
    bench_print("st/chan_pingpong", round_trips, 50000);
    bench_print("st/spawn_join", spawns, 10000);
    return 0;
}
