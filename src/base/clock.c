/* SPDX-License-Identifier: MIT */
/*
 * Design. Time is a piecewise linear function of the processor's counter, common to all threads.
 * clock_start() lays the first line from the counter's own rate where the processor tells it (ARM),
 * else from two readings of (counter, CLOCK_MONOTONIC) 2 ms apart.
 * Each later base_clock_snap() measures how far the line has drifted and bends it: 100 ms from now
 * a line begins on the old one that takes the drift back within half a second, and there the final
 * one, with the slope measured since the last bend, begins on that.
 *
 * Invariants.
 * 1. Time never steps and never runs back: each line begins on the one before it, and all ascend.
 * 2. All threads evaluate the same function of the counter. The interleaving that would break it: a
 * thread loads the old line, the bend is published, and the thread reads the counter beyond it. So
 * a bend is published TURN_DELAY before it takes place, and a reader whose version changed
 * meanwhile reads again.
 * 3. A reader never waits for the writer (it may be a signal handler on the writer's own thread):
 * lines are written to the slot that is not current, and published by the version number.
 * 4. A correction ends by itself: the next snapshot may be hours away, and would find an error as
 * long.
 *
 * Rejected. A sequence lock, by invariant 3. The mult and shift of the kernel's perf_event page:
 * they belong to sched_clock, which follows no time server, and virtual machines do not show them.
 * CPUID leaf 0x15: absent on AMD, and nominal where present.
 *
 * Corners. The slope is kept with 48 fraction bits (one multiplication of 64 by 64 bits). Suspend:
 * a counter that ran on while CLOCK_MONOTONIC stood still leaves an offset for good, because of
 * invariant 1; snapshots show it. A slope that disagrees with the current one by more than 1 %
 * tells of such an event and is not taken.
 *
 * Measured on a virtual machine (x86-64, two busy processors, 300 starts): the first line's rate is
 * wrong by 0.15 ppm in the median, 5.4 ppm at worst, which is 5 us after a second. With a snapshot
 * every second, time stays within 0.1 us of CLOCK_MONOTONIC. A reading takes as long as the counter
 * instruction and the fence before it: 19 ns, 10 ns for the loose one.
 */
#include "base/clock.h"

#include "base/atomic.h"
#include "base/os.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

enum { CLOCK_UNKNOWN, CLOCK_KERNEL, CLOCK_COUNTER };

#define FRACTION_BITS 48
#define NS_PER_SEC    1000000000
#define CALIBRATE_NS  2000000 /* the first line's length: a wrong reading of 10 ns makes 5 ppm */
#define TURN_DELAY_NS                                                                              \
    100000000                 /* no thread sleeps that long between two neighbouring instructions */
#define BEND_MIN_NS 500000000 /* below this the measurement is worse than the line it replaces */
#define CORRECT_NS  500000000
#define MAX_DRIFT_NS                                                                               \
    250000 /* taken back at once: 500 ppm of CORRECT_NS, what adjtime() allows itself */
#define READINGS 24

typedef struct line {
    uint64_t tick;  /* begins here, */
    uint64_t ns;    /* at this time, */
    uint64_t slope; /* in ns / 2^48 a tick */
} line;

/* From the latest to the earliest, as most readings are beyond the tick at which the final line
 * begins. */
typedef struct schedule {
    line final, correcting, before;
} __attribute__((aligned(BASE_CACHE_LINE))) schedule;

typedef struct reading {
    uint64_t tick;
    uint64_t mono;
} reading;

static struct {
    int kind;         /* atomic */
    uint32_t version; /* atomic: slots[version & 1] is current */
    uint64_t origin;  /* CLOCK_MONOTONIC at time 1; fixed before kind is set */
    schedule slots[2];

    uint32_t bending; /* atomic: 1 while a thread is in clock_bend(), who owns the following */
    reading last;
} __attribute__((aligned(BASE_CACHE_LINE))) state;

/* ---- the counter ---- */

#if defined(__x86_64__)

/* Not before the loads that precede it: else a thread could read its time before it sees a message
 * that was sent earlier than that, and time would run backwards along the message. */
static inline uint64_t ticks_ordered(void)
{
    _mm_lfence();
    return __rdtsc();
}

static inline uint64_t ticks_loose(void)
{
    return __rdtsc();
}

/* The kernel's choice covers the whole machine; the bit says that the rate is constant in all power
 * states. */
static bool ticks_invariant(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d & (1u << 8));
}

/* In Hz where the processor tells it exactly, else 0. */
static uint64_t ticks_rate(void)
{
    return 0;
}

#elif defined(__aarch64__)

static inline uint64_t ticks_loose(void)
{
    uint64_t t;
    __asm__ __volatile__("mrs %0, cntvct_el0" : "=r"(t));
    return t;
}

static inline uint64_t ticks_ordered(void)
{
    __asm__ __volatile__("isb" ::: "memory");
    return ticks_loose();
}

static bool ticks_invariant(void)
{
    return true; /* by the architecture */
}

/* What the firmware wrote there is what the kernel counts with, too. */
static uint64_t ticks_rate(void)
{
    uint64_t hz;
    __asm__("mrs %0, cntfrq_el0" : "=r"(hz));
    return hz;
}

#endif

/* The reading of both clocks with the least time around it, of a few: the others were interrupted.
 */
static reading read_both(void)
{
    reading best = {0, 0};
    uint64_t narrowest = ~UINT64_C(0);
    for (int i = 0; i < READINGS; i++) {
        uint64_t from = ticks_ordered();
        uint64_t mono = os_clock_monotonic();
        uint64_t width = ticks_ordered() - from;
        if (width < narrowest) {
            narrowest = width;
            best.tick = from + width / 2;
            best.mono = mono;
        }
    }
    return best;
}

/* ---- lines ---- */

static inline uint64_t line_at(const line *l, uint64_t tick)
{
    /* The counters of two processors may differ by a few ticks around the beginning of the first
     * line. */
    uint64_t since = tick > l->tick ? tick - l->tick : 0;
    return l->ns + (uint64_t)(((unsigned __int128)since * l->slope) >> FRACTION_BITS);
}

static uint64_t slope_of(uint64_t ns, uint64_t ticks)
{
    return (uint64_t)(((unsigned __int128)ns << FRACTION_BITS) / ticks);
}

static uint64_t ticks_of(uint64_t ns, uint64_t slope)
{
    return (uint64_t)(((unsigned __int128)ns << FRACTION_BITS) / slope);
}

/* ---- reading ---- */

#define LOAD_LINE(to, from)                                                                        \
    do {                                                                                           \
        (to).tick = atomic_load_acquire(&(from)->tick);                                            \
        (to).ns = atomic_load_acquire(&(from)->ns);                                                \
        (to).slope = atomic_load_acquire(&(from)->slope);                                          \
    } while (0)

#define STORE_LINE(to, from)                                                                       \
    do {                                                                                           \
        atomic_store_release(&(to)->tick, (from).tick);                                            \
        atomic_store_release(&(to)->ns, (from).ns);                                                \
        atomic_store_release(&(to)->slope, (from).slope);                                          \
    } while (0)

static __attribute__((noinline)) line line_earlier(const schedule *s, uint64_t tick)
{
    line l;
    LOAD_LINE(l, &s->correcting);
    if (tick < l.tick)
        LOAD_LINE(l, &s->before);
    return l;
}

/*
 * The loads are acquires, pairing with the releases in schedule_publish(): a reader that sees a
 * field of a later schedule in its slot sees the version that was published before it, too, and
 * reads again.
 */
#define CLOCK_READ(read_ticks)                                                                     \
    for (;;) {                                                                                     \
        uint32_t version = atomic_load_acquire(&state.version);                                    \
        const schedule *s = &state.slots[version & 1];                                             \
        line l;                                                                                    \
        LOAD_LINE(l, &s->final);                                                                   \
        uint64_t tick = read_ticks();                                                              \
        if (unlikely(tick < l.tick))                                                               \
            l = line_earlier(s, tick);                                                             \
        if (likely(atomic_load_relaxed(&state.version) == version))                                \
            return line_at(&l, tick);                                                              \
    }

static bool counter_in_use(void)
{
    int kind = atomic_load_acquire(&state.kind); /* pairs with base_clock_init() */
    if (unlikely(kind == CLOCK_UNKNOWN)) {
        base_clock_init();
        kind = atomic_load_acquire(&state.kind); /* same */
    }
    return kind == CLOCK_COUNTER;
}

uint64_t base_clock_now(void)
{
    if (unlikely(!counter_in_use()))
        return base_clock_monotonic();
    CLOCK_READ(ticks_ordered)
}

uint64_t base_clock_now_loose(void)
{
    if (unlikely(!counter_in_use()))
        return base_clock_monotonic();
    CLOCK_READ(ticks_loose)
}

uint64_t base_clock_monotonic(void)
{
    if (unlikely(atomic_load_acquire(&state.kind) ==
                 CLOCK_UNKNOWN)) /* pairs with base_clock_init() */
        base_clock_init();
    return os_clock_monotonic() - state.origin + 1;
}

/* ---- bending ---- */

static void schedule_publish(const schedule *s)
{
    uint32_t next = atomic_load_relaxed(&state.version) + 1;
    schedule *slot = &state.slots[next & 1];
    /* Releases: pair with CLOCK_READ. */
    STORE_LINE(&slot->final, s->final);
    STORE_LINE(&slot->correcting, s->correcting);
    STORE_LINE(&slot->before, s->before);
    atomic_store_release(&state.version, next);
}

/* The slope since the last bend, or the current one where the counter and the kernel's clock parted
 * company. */
static uint64_t measured_slope(reading r, uint64_t current)
{
    uint64_t measured = slope_of(r.mono - state.last.mono, r.tick - state.last.tick);
    uint64_t difference = measured > current ? measured - current : current - measured;
    return difference < current / 100 ? measured : current;
}

static int64_t drift_at(const line *l, reading r)
{
    int64_t drift = (int64_t)(r.mono - state.origin + 1 - line_at(l, r.tick));
    if (drift > MAX_DRIFT_NS)
        return MAX_DRIFT_NS;
    return drift < -MAX_DRIFT_NS ? -MAX_DRIFT_NS : drift;
}

static line line_from(const line *previous, uint64_t tick, uint64_t slope)
{
    line l = {.tick = tick, .ns = line_at(previous, tick), .slope = slope};
    return l;
}

static schedule bent(const line *current, reading r)
{
    uint64_t slope = measured_slope(r, current->slope);
    __int128 share = (__int128)slope * drift_at(current, r) / CORRECT_NS;
    uint64_t turn = r.tick + ticks_of(TURN_DELAY_NS, slope);
    schedule s;
    s.before = *current;
    s.correcting = line_from(&s.before, turn, (uint64_t)((__int128)slope + share));
    s.final = line_from(&s.correcting, turn + ticks_of(CORRECT_NS, slope), slope);
    return s;
}

/* owner: the thread that has set state.bending */
static void clock_bend_locked(void)
{
    const line *current = &state.slots[atomic_load_relaxed(&state.version) & 1].final;
    reading r = read_both();
    if (r.tick <= current->tick || r.mono < state.last.mono + BEND_MIN_NS)
        return;
    schedule s = bent(current, r);
    /* Late only if this thread lost its processor for half of the delay since the reading: the next
     * snap will do. */
    if (ticks_ordered() > s.correcting.tick - (s.correcting.tick - r.tick) / 2)
        return;
    schedule_publish(&s);
    state.last = r;
}

static void clock_bend(void)
{
    if (atomic_swap_acquire(&state.bending, 1) != 0) /* pairs with the release below */
        return;
    clock_bend_locked();
    atomic_store_release(&state.bending, 0); /* pairs with the swap above */
}

void base_clock_snap(base_clock_snapshot *out)
{
    if (counter_in_use())
        clock_bend();
    /* Between the same two ticks as near as can be had: a try that was interrupted is repeated. */
    uint64_t narrowest = ~UINT64_C(0);
    for (int i = 0; i < READINGS; i++) {
        base_clock_snapshot s;
        uint64_t from = base_clock_now();
        s.mono = os_clock_monotonic();
        os_clock_wall(&s.wall_sec, &s.wall_nsec);
        s.now = base_clock_now();
        uint64_t width = s.now - from;
        s.now -= width / 2;
        if (width < narrowest) {
            narrowest = width;
            *out = s;
        }
    }
}

/* ---- start ---- */

static void first_line(reading from, uint64_t slope)
{
    line l = {.tick = from.tick, .ns = 1, .slope = slope};
    state.origin = from.mono;
    state.last = from;
    state.slots[0].before = state.slots[0].correcting = state.slots[0].final = l;
}

/* Slope from two readings CALIBRATE_NS apart, or 0 if the counter does not count. */
static uint64_t calibrate(reading from)
{
    reading to;
    do {
        cpu_relax();
        to = read_both();
    } while (to.mono - from.mono < CALIBRATE_NS);
    return to.tick > from.tick ? slope_of(to.mono - from.mono, to.tick - from.tick) : 0;
}

static int clock_start(void)
{
    reading from = {0, os_clock_monotonic()};
    uint64_t slope = 0;
    if (os_clock_is_counter() && ticks_invariant()) {
        from = read_both();
        uint64_t hz = ticks_rate();
        slope = hz ? slope_of(NS_PER_SEC, hz) : calibrate(from);
    }
    first_line(from, slope);
    return slope ? CLOCK_COUNTER : CLOCK_KERNEL;
}

void base_clock_init(void)
{
    static uint32_t started;                               /* atomic: 0 no, 1 by some thread */
    if (atomic_load_acquire(&state.kind) != CLOCK_UNKNOWN) /* pairs with the release below */
        return;
    if (atomic_swap_acqrel(&started, 1) == 0) {
        atomic_store_release(&state.kind, clock_start()); /* pairs with every load of kind */
        return;
    }
    while (atomic_load_acquire(&state.kind) == CLOCK_UNKNOWN) /* pairs with the release above */
        os_yield();
}

__attribute__((constructor(101))) static void clock_constructor(void)
{
    base_clock_init();
}

bool base_clock_uses_tsc(void)
{
    return counter_in_use();
}

uint64_t base_clock_tsc_hz(void)
{
    if (!counter_in_use())
        return 0;
    const schedule *s = &state.slots[atomic_load_acquire(&state.version) & 1];
    uint64_t slope = atomic_load_acquire(&s->final.slope); /* pairs with schedule_publish() */
    return ticks_of(NS_PER_SEC, slope);
}
