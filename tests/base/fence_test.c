/* SPDX-License-Identifier: MIT */
/*
 * The lease handshake in miniature. One thread enters and leaves in a loop; another revokes in a
 * loop and, where it finds the first outside, owns the counter. Both change it without atomics: an
 * update lost is a moment with two owners.
 */
#include "base/atomic.h"
#include "base/clock.h"
#include "base/fence.h"
#include "base/thread.h"

#include "base/cmocka_all.h"

typedef struct lease {
    uint32_t in __attribute__((aligned(BASE_CACHE_LINE)));     /* atomic: owner: the enterer */
    uint32_t revoke __attribute__((aligned(BASE_CACHE_LINE))); /* atomic: owner: the revoker */
    uint32_t over;                                             /* atomic */
    uint32_t running;                                          /* atomic: has entered once */
    uint64_t counter
        __attribute__((aligned(BASE_CACHE_LINE))); /* owner: whoever won the handshake */
    uint64_t entered, revoked, refused;
    bool fences;
} lease;

#define ROUNDS    300000
#define BUDGET_NS UINT64_C(4000000000)

static inline void light(const lease *l)
{
    if (l->fences)
        fence_light();
    else
        compiler_barrier();
}

static inline void heavy(const lease *l)
{
    if (l->fences)
        fence_heavy();
    else
        compiler_barrier();
}

static void wait_for_return(lease *l)
{
    unsigned spins = 0;
    while (fence_load(&l->revoke) && !atomic_load_relaxed(&l->over))
        base_backoff(&spins);
}

/* User code between two entries: without it the mark is up nearly always, and no revocation
 * succeeds. */
static void stay_outside(uint64_t round)
{
    for (uint64_t n = round * 5 % 43; n > 0; n--)
        compiler_barrier();
}

static void *enter_and_leave(void *arg)
{
    lease *l = arg;
    while (!atomic_load_relaxed(&l->over)) {
        fence_store(&l->in, 1);
        light(l);
        if (fence_load(&l->revoke)) {
            fence_store(&l->in, 0);
            wait_for_return(l);
            continue;
        }
        l->counter++;
        l->entered++;
        fence_store(&l->in, 0);
        atomic_store_relaxed(&l->running, 1);
        stay_outside(l->entered);
    }
    return NULL;
}

/* The wait at the end spreads the moments of revocation over the other side's loop. */
static void revoke_once(lease *l, uint64_t round)
{
    fence_store(&l->revoke, 1);
    heavy(l);
    if (fence_load(&l->in)) {
        l->refused++;
    } else {
        l->counter++;
        l->revoked++;
    }
    fence_store(&l->revoke, 0);
    for (uint64_t n = round * 7 % 61; n > 0; n--)
        cpu_relax();
}

/* A busy machine may not run the new thread before all rounds are over. */
static void wait_until_running(lease *l)
{
    unsigned spins = 0;
    while (!atomic_load_relaxed(&l->running))
        base_backoff(&spins);
}

static uint64_t lost_updates(bool fences, const char *name)
{
    static lease l;
    l = (lease){.fences = fences};
    pthread_t enterer;
    assert_int_equal(base_thread_start(&enterer, "enterer", enter_and_leave, &l), 0);
    wait_until_running(&l);
    uint64_t end = base_clock_now() + BUDGET_NS;
    for (uint64_t round = 0; round < ROUNDS && base_clock_now() < end; round++)
        revoke_once(&l, round);
    atomic_store_relaxed(&l.over, 1);
    pthread_join(enterer, NULL);
    uint64_t lost = l.entered + l.revoked - l.counter;
    print_message("%s: %llu entries, %llu revocations, %llu refused, %llu updates lost\n", name,
                  (unsigned long long)l.entered, (unsigned long long)l.revoked,
                  (unsigned long long)l.refused, (unsigned long long)lost);
    assert_true(l.entered > 0 && l.revoked > 0);
    return lost;
}

static void fence_pair_loses_no_update(void **unused)
{
    (void)unused;
    assert_int_equal(lost_updates(true, "fence pair"), 0);
}

static void compiler_barriers_alone_are_reported(void **unused)
{
    (void)unused;
#ifdef BASE_TSAN
    skip(); /* it would report the race that is the point here */
#else
    lost_updates(false, "compiler barriers alone");
#endif
}

static void initialisation_can_be_repeated(void **unused)
{
    (void)unused;
    bool before = base_fence_asymmetric;
    base_fence_init();
    assert_int_equal(base_fence_asymmetric, before);
#ifdef BASE_TSAN
    assert_false(before);
#endif
    print_message("asymmetric: %s\n", before ? "yes" : "no");
    fence_heavy();
}

#ifndef BASE_TSAN
/* What a kernel without membarrier gets. */
static void full_fences_lose_no_update(void **unused)
{
    (void)unused;
    bool before = base_fence_asymmetric;
    base_fence_asymmetric = false;
    uint64_t lost = lost_updates(true, "full fences");
    base_fence_asymmetric = before;
    assert_int_equal(lost, 0);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(initialisation_can_be_repeated),
        cmocka_unit_test(fence_pair_loses_no_update),
#ifndef BASE_TSAN
        cmocka_unit_test(full_fences_lose_no_update),
#endif
        cmocka_unit_test(compiler_barriers_alone_are_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
