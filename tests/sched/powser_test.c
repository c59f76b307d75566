/* SPDX-License-Identifier: MIT */
/*
 * Power series as goroutines (M. D. McIlroy, "Squinting at Power Series", 1990; Go's
 * test/chan/powser1.go and powser2.go do the same): each series is a goroutine that is asked for
 * its next coefficient on one channel and delivers it on another. Products and substitutions start
 * more of them as they go, so that a handful of coefficients keeps hundreds of goroutines waiting
 * for each other; the end of a context ends them all.
 */
#include "sched/support.h"

struct rational {
    int64_t num, den; /* in lowest terms, den > 0 */
};

struct series {
    weft_chan *demand, *data;
};

/* A series that somebody computes, from others and a number. */
struct node {
    struct node *next;
    void (*fn)(struct node *);
    struct series out, a, b;
    struct rational c;
    struct memory *memory;
};

/* Coefficients of a series that is read twice. */
enum { MOST = 64 };
struct memory {
    struct memory *next;
    weft_mutex mutex;
    uint32_t count; /* atomic: how many there are */
    struct rational values[MOST];
};

static struct world {
    weft_context *context;
    weft_waitgroup group;
    weft_mutex mutex;
    struct node *nodes;
    struct memory *memories;
    uint32_t count;
} world;

/* ---- Rational numbers ---- */

static int64_t common_divisor(int64_t a, int64_t b)
{
    return b == 0 ? (a < 0 ? -a : a) : common_divisor(b, a % b);
}

static struct rational ratio(int64_t num, int64_t den)
{
    int64_t d = common_divisor(num, den);
    d = den < 0 ? -d : d;
    return (struct rational){num / d, den / d};
}

static struct rational plus(struct rational a, struct rational b)
{
    return ratio(a.num * b.den + b.num * a.den, a.den * b.den);
}

static struct rational times(struct rational a, struct rational b)
{
    return ratio(a.num * b.num, a.den * b.den);
}

/* ---- Series ---- */

/* All three are false once the context has ended. */
static bool get(struct series s, struct rational *out)
{
    return weft_chan_send(s.demand, NULL) == 0 && weft_chan_recv(s.data, out) == 0;
}

static bool asked(struct node *n)
{
    return weft_chan_recv(n->out.demand, NULL) == 0;
}

static bool put(struct node *n, struct rational value)
{
    return weft_chan_send(n->out.data, &value) == 0;
}

static struct node *make(void (*fn)(struct node *))
{
    struct node *n = calloc(1, sizeof *n);
    n->fn = fn;
    n->out = (struct series){weft_chan_new(0, 0), weft_chan_new(sizeof(struct rational), 0)};
    weft_mutex_lock(&world.mutex);
    n->next = world.nodes;
    world.nodes = n;
    world.count++;
    weft_mutex_unlock(&world.mutex);
    return n;
}

static void live(void *arg)
{
    struct node *n = arg;
    weft_context_enter(world.context);
    n->fn(n);
    weft_waitgroup_done(&world.group);
}

static struct series start(struct node *n)
{
    weft_waitgroup_add(&world.group, 1);
    go(live, n);
    return n->out;
}

static struct series of(void (*fn)(struct node *), struct series a, struct series b,
                        struct rational c)
{
    struct node *n = make(fn);
    n->a = a;
    n->b = b;
    n->c = c;
    return start(n);
}

static const struct series none;
static const struct rational zero = {0, 1}, one = {1, 1}, minus_one = {-1, 1};

/* ---- Operations ---- */

static void repeat_fn(struct node *n)
{
    while (asked(n) && put(n, n->c))
        ;
}

static void relay(struct node *n, struct series s)
{
    struct rational value;
    while (asked(n) && get(s, &value) && put(n, value))
        ;
}

static void add_fn(struct node *n)
{
    struct rational a, b;
    while (asked(n) && get(n->a, &a) && get(n->b, &b) && put(n, plus(a, b)))
        ;
}

static void scale_fn(struct node *n)
{
    struct rational a;
    while (asked(n) && get(n->a, &a) && put(n, times(n->c, a)))
        ;
}

/* c + x·a */
static void shift_fn(struct node *n)
{
    if (asked(n) && put(n, n->c))
        relay(n, n->a);
}

static void derive_fn(struct node *n)
{
    struct rational a;
    if (!asked(n) || !get(n->a, &a))
        return;
    for (int i = 1; get(n->a, &a) && put(n, times(ratio(i, 1), a)) && asked(n); i++)
        ;
}

/* c + ∫a */
static void integrate_fn(struct node *n)
{
    struct rational a;
    if (!asked(n) || !put(n, n->c))
        return;
    for (int i = 1; asked(n) && get(n->a, &a) && put(n, times(ratio(1, i), a)); i++)
        ;
}

/* The coefficient of that number, which whoever comes first fetches. What is there is read without
 * the lock: its holder may wait for us. */
static bool recall(struct node *n, uint32_t i, struct rational *out)
{
    struct memory *m = n->memory;
    bool there = atomic_load_acquire(&m->count) > i;
    if (!there && weft_mutex_lock_until(&m->mutex, WEFT_NEVER) == 0) {
        CHECK(i < MOST);
        there = m->count > i || get(n->a, &m->values[i]);
        if (there && m->count == i)
            atomic_store_release(&m->count, i + 1);
        weft_mutex_unlock(&m->mutex);
    }
    if (there)
        *out = m->values[i];
    return there;
}

static void split_fn(struct node *n)
{
    struct rational value;
    for (uint32_t i = 0; asked(n) && recall(n, i, &value) && put(n, value); i++)
        ;
}

static struct memory *make_memory(void)
{
    struct memory *memory = calloc(1, sizeof *memory);
    weft_mutex_lock(&world.mutex);
    memory->next = world.memories;
    world.memories = memory;
    weft_mutex_unlock(&world.mutex);
    return memory;
}

/* The series twice. */
static void split(struct series s, struct series out[2])
{
    struct memory *memory = make_memory();
    for (int i = 0; i < 2; i++) {
        struct node *n = make(split_fn);
        n->a = s;
        n->memory = memory;
        out[i] = start(n);
    }
}

/* (a0 + x·a)(b0 + x·b) = a0·b0 + x·(a0·b + b0·a + x·a·b) */
static void multiply_fn(struct node *n)
{
    struct rational a0, b0;
    struct series a[2], b[2];
    if (!asked(n) || !get(n->a, &a0) || !get(n->b, &b0) || !put(n, times(a0, b0)) || !asked(n))
        return;
    split(n->a, a);
    split(n->b, b);
    struct series outer =
        of(add_fn, of(scale_fn, b[0], none, a0), of(scale_fn, a[0], none, b0), zero);
    struct series inner = of(shift_fn, of(multiply_fn, a[1], b[1], zero), none, zero);
    struct series sum = of(add_fn, outer, inner, zero);
    struct rational value;
    while (get(sum, &value) && put(n, value) && asked(n))
        ;
}

/* a(b(x)), where b begins with 0: a0 + x·b'·a'(b) */
static void substitute_fn(struct node *n)
{
    struct rational a0, b0;
    struct series b[2];
    if (!asked(n) || !get(n->a, &a0) || !put(n, a0) || !asked(n))
        return;
    split(n->b, b);
    if (!get(b[0], &b0))
        return;
    CHECK_EQ(b0.num, 0);
    struct series product = of(multiply_fn, b[0], of(substitute_fn, n->a, b[1], zero), zero);
    struct rational value;
    while (get(product, &value) && put(n, value) && asked(n))
        ;
}

/* e^a, where a begins with 0: the solution of z = 1 + ∫ a'·z, which feeds itself. */
static struct series exponential(struct series a)
{
    struct node *z = make(integrate_fn);
    struct series twice[2];
    split(z->out, twice);
    z->a = of(multiply_fn, of(derive_fn, a, none, zero), twice[1], zero);
    z->c = one;
    start(z);
    return twice[0];
}

static struct series constant(struct rational c)
{
    return of(repeat_fn, none, none, c);
}

/* x, times c */
static struct series linear(struct rational c)
{
    return of(shift_fn, of(shift_fn, constant(zero), none, c), none, zero);
}

/* ln(1 + x) = ∫ 1 - x + x² - … */
static struct series logarithm(void)
{
    struct node *alternating = make(shift_fn);
    struct series twice[2];
    split(alternating->out, twice);
    alternating->a = of(scale_fn, twice[1], none, minus_one);
    alternating->c = one;
    start(alternating);
    return of(integrate_fn, twice[0], none, zero);
}

/* ---- Checks ---- */

static void begin_world(void)
{
    world = (struct world){.context = weft_context_new(NULL)};
}

static void end_world(void)
{
    weft_context_cancel(world.context, 0);
    weft_waitgroup_wait(&world.group);
    weft_context_free(world.context);
    for (struct node *n = world.nodes, *next; n; n = next) {
        next = n->next;
        weft_chan_free(n->out.demand);
        weft_chan_free(n->out.data);
        free(n);
    }
    for (struct memory *m = world.memories, *next; m; m = next) {
        next = m->next;
        free(m);
    }
}

static void check_next(struct series s, int64_t num, int64_t den)
{
    struct rational value;
    CHECK(get(s, &value));
    CHECK_EQ(value.num, num);
    CHECK_EQ(value.den, den);
}

enum { TERMS = 7 };

static void exponentials_are_those_of_the_textbook(void)
{
    begin_world();
    struct series e = exponential(linear(one));
    int64_t factorial = 1;
    for (int i = 0; i < TERMS; i++) {
        factorial *= i > 0 ? i : 1;
        check_next(e, 1, factorial);
    }
    end_world();
}

static void a_series_times_its_inverse_is_one(void)
{
    begin_world();
    struct series product =
        of(multiply_fn, exponential(linear(one)), exponential(linear(minus_one)), zero);
    for (int i = 0; i < TERMS; i++)
        check_next(product, i == 0, 1);
    CHECK(world.count > 40);
    end_world();
}

static void a_logarithm_in_an_exponential_vanishes(void)
{
    begin_world();
    struct series s = of(substitute_fn, exponential(linear(one)), logarithm(), zero);
    for (int i = 0; i < TERMS; i++)
        check_next(s, i < 2, 1);
    end_world();
}

static void a_derivative_of_an_integral_is_what_was_there(void)
{
    begin_world();
    struct series squares = of(multiply_fn, constant(one), constant(one), zero); /* 1/(1-x)² */
    struct series s = of(derive_fn, of(integrate_fn, squares, none, ratio(5, 3)), none, zero);
    for (int i = 0; i < TERMS; i++)
        check_next(s, i + 1, 1);
    end_world();
}

ON_ALL_PROCS(exponentials_are_those_of_the_textbook)
ON_ALL_PROCS(a_series_times_its_inverse_is_one)
ON_ALL_PROCS(a_logarithm_in_an_exponential_vanishes)
ON_ALL_PROCS(a_derivative_of_an_integral_is_what_was_there)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(exponentials_are_those_of_the_textbook),
        TEST(a_series_times_its_inverse_is_one),
        TEST(a_logarithm_in_an_exponential_vanishes),
        TEST(a_derivative_of_an_integral_is_what_was_there),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
