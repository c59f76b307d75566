/* SPDX-License-Identifier: MIT */
#include "sched/stack_report.h"

#include <stdlib.h>
#include <string.h>

#include "base/pages.h"
#include "sched/goroutine.h"
#include "trace/symbols.h"

enum { FUNCTIONS = 512 };

#define NO_SANITIZE __attribute__((no_sanitize("address"), no_sanitize("thread"), noinline))

struct usage {
    void (*fn)(void *);
    size_t most, size;
    unsigned long count;
};

static struct {
    base_lock lock; /* rank LEAF */
    struct usage functions[FUNCTIONS];
    unsigned used;
    unsigned long others; /* goroutines of functions for which there was no place */
} report = {.lock = BASE_LOCK_INIT(LEAF)};

/* ---- Measuring ---- */

/* The lowest word that is not zero. The stack may be in use, and what is poisoned counts. */
NO_SANITIZE static const char *first_used(const char *low, const char *high)
{
    const volatile uintptr_t *word = (const volatile uintptr_t *)(const void *)low;
    while ((const char *)(uintptr_t)word < high && *word == 0)
        word++;
    return (const char *)(uintptr_t)word;
}

static size_t used_bytes(struct g *g)
{
    const char *high = (const char *)g;
    size_t untouched =
        base_pages_untouched(g->stack_low, (size_t)(goroutine_top_page(g) - g->stack_low));
    return (size_t)(high - first_used(g->stack_low + untouched, high));
}

NO_SANITIZE static void wipe(char *low, const char *high)
{
    for (volatile char *at = low; at < high; at++)
        *at = 0;
}

/* ---- The table ---- */

/* report.lock is held. NULL: full. */
static struct usage *find(void (*fn)(void *))
{
    for (unsigned i = 0; i < report.used; i++)
        if (report.functions[i].fn == fn)
            return &report.functions[i];
    if (report.used == FUNCTIONS)
        return NULL;
    report.functions[report.used] = (struct usage){.fn = fn};
    return &report.functions[report.used++];
}

static void add(struct g *g)
{
    size_t used = used_bytes(g);
    lock_acquire(&report.lock);
    struct usage *usage = find(g->fn);
    if (usage) {
        usage->count++;
        if (used >= usage->most) {
            usage->most = used;
            usage->size = (size_t)((char *)g - g->stack_low);
        }
    } else {
        report.others++;
    }
    lock_release(&report.lock);
}

void stack_report_note(struct g *g)
{
    add(g);
    base_pages_discard(g->stack_low, (size_t)(goroutine_top_page(g) - g->stack_low));
    wipe(goroutine_top_page(g), (const char *)g);
}

/* ---- Printing ---- */

static int deeper_first(const void *a, const void *b)
{
    const struct usage *x = a, *y = b;
    return x->most < y->most ? 1 : x->most > y->most ? -1 : 0;
}

static void print_usage(trace_symbols *symbols, const struct usage *usage)
{
    trace_frame frame = {.func = "?"};
    (void)trace_symbols_resolve(symbols, (uintptr_t)usage->fn, true, &frame, 1);
    base_print("weft: stacks: %s: %lu bytes of %lu at most, in %lu %s", frame.func,
               (unsigned long)usage->most, (unsigned long)usage->size, usage->count,
               usage->count == 1 ? "goroutine" : "goroutines");
}

static void add_living(void)
{
    for (struct g *g = goroutines_first(); g; g = g->all_next)
        if (g->stack_low && !atomic_load_relaxed(&g->system) &&
            atomic_load_relaxed(&g->status) != G_DEAD)
            add(g);
}

void stack_report_print(void)
{
    add_living();
    trace_symbols *symbols = trace_symbols_new();
    lock_acquire(&report.lock);
    qsort(report.functions, report.used, sizeof *report.functions, deeper_first);
    unsigned used = report.used;
    lock_release(&report.lock);
    for (unsigned i = 0; i < used; i++)
        print_usage(symbols, &report.functions[i]);
    if (report.others)
        base_print("weft: stacks: %lu goroutines of other functions", report.others);
    trace_symbols_free(symbols);
    report.used = 0;
    report.others = 0;
}
