/* SPDX-License-Identifier: MIT */
/*
 * Goroutines' records and stacks.
 *
 * Stacks are cut from slabs of reserved address space, so that thousands of them share one mapping.
 * Layout of one:
 *
 *     low  | guard page | … stack, grows down … | struct g | high
 *
 * A goroutine that has run a little has touched one page: that with its record and its first
 * frames.
 */
#include "sched/goroutine.h"

#include <errno.h>
#include <string.h>

#include "base/pages.h"
#include "sched/context.h"
#include "sched/debug_env.h"
#include "sched/coroutine.h"
#include "sched/schedule.h"
#include "sched/scope.h"
#include "sched/stack_report.h"
#include "sched/thread_lock.h"
#include "sched/trace_hooks.h"
#include "sched/user_annotations.h"

enum { SLAB_BYTES = 64 * 1024 * 1024, POOL_MAX_LOCAL = 64, GOID_BATCH = 16 };

struct slab {
    struct slab *next;
    char *memory;
    size_t size;
};

/* Dead Gs. What is used last is used next; what nobody has used between two ticks of the trimmer
 * rests, and loses its memory but for the record's page. */
struct shelf {
    struct g_list warm, resting, trimmed;
};

static struct {
    base_lock lock;         /* rank GPOOL */
    struct shelf standard;  /* lock: lock; of sched.stack_size */
    struct shelf odd;       /* lock: lock; of other sizes */
    struct slab *slabs;     /* lock: lock */
    char *cut, *cut_end;    /* lock: lock; what is left of the latest slab */
    struct g *all;          /* atomic; pushed under lock, walked without */
    uint64_t stacks, bytes; /* lock: lock; all that exist */
} pool = {.lock = BASE_LOCK_INIT(GPOOL)};

/* Goroutines made and ended by who held each P; atomic, owner: that M. Apart from the Ps, so that
 * they can be read at any time. */
static struct {
    uint64_t created, ended;
} __attribute__((aligned(BASE_CACHE_LINE))) counts[MAX_PROCS];
static uint64_t created_without_p; /* atomic */

void goroutines_count_reset(void)
{
    memset(counts, 0, sizeof counts);
    atomic_store_relaxed(&created_without_p, 0);
}

void goroutines_count(uint64_t *created, uint64_t *alive)
{
    uint64_t ended = 0;
    *created = atomic_load_relaxed(&created_without_p);
    for (uint32_t i = 0; i < MAX_PROCS; i++) {
        ended += atomic_load_relaxed(&counts[i].ended);
        *created += atomic_load_relaxed(&counts[i].created);
    }
    *alive = *created > ended ? *created - ended : 0; /* the counts are not of one moment */
}

static uint64_t shelf_count(const struct shelf *shelf)
{
    return (uint64_t)shelf->warm.count + shelf->resting.count + shelf->trimmed.count;
}

void goroutines_stacks(weft_stats *stats)
{
    lock_acquire(&pool.lock);
    stats->stacks = pool.stacks;
    stats->stack_bytes = pool.bytes;
    stats->stacks_trimmed = pool.standard.trimmed.count + pool.odd.trimmed.count;
    stats->stacks_free = shelf_count(&pool.standard) + shelf_count(&pool.odd);
    lock_release(&pool.lock);
}

struct g *goroutines_first(void)
{
    return atomic_load_acquire(&pool.all); /* pairs with list_record() */
}

static void list_record(struct g *g)
{
    g->all_next = pool.all;
    g->trace.index = pool.all ? pool.all->trace.index + 1 : 1;
    atomic_store_release(&pool.all, g); /* pairs with goroutines_first() */
}

static char *slab_cut(size_t size)
{
    if ((size_t)(pool.cut_end - pool.cut) < size) {
        size_t bytes = size > SLAB_BYTES ? size : SLAB_BYTES;
        struct slab *slab = base_pages_alloc(sizeof *slab);
        if (!slab)
            return NULL;
        slab->memory = base_pages_alloc(bytes);
        if (!slab->memory) {
            base_pages_free(slab, sizeof *slab);
            return NULL;
        }
        base_pages_no_huge(slab->memory,
                           bytes); /* one touched page of a stack must not become 2 MiB */
        slab->size = bytes;
        slab->next = pool.slabs;
        pool.slabs = slab;
        pool.cut = slab->memory;
        pool.cut_end = slab->memory + bytes;
    }
    char *memory = pool.cut;
    pool.cut += size;
    return memory;
}

static struct g *make_locked(size_t size)
{
    char *memory = torture_refuse("stack") ? NULL : slab_cut(size);
    if (!memory)
        return NULL;
    size_t page = base_page_size();
    /* A refused guard is an error, never an unguarded stack. */
    if (base_guard_install(memory, page)) {
        pool.cut -= size;
        return NULL;
    }
    size_t record = (sizeof(struct g) + BASE_CACHE_LINE - 1) & ~(size_t)(BASE_CACHE_LINE - 1);
    struct g *g = (struct g *)(void *)(memory + size - record);
    g->stack_low = memory + page;
    g->stack_of = g;
    g->stack_size = size;
#ifdef BASE_TSAN
    g->fiber = __tsan_create_fiber(0);
#endif
    g->stack_id = context_stack_register(g->stack_low, (char *)g - 1);
    context_root_add(g->stack_low, size - page);
    list_record(g);
    pool.stacks++;
    pool.bytes += size;
    return g;
}

/* The first of that size. */
static struct g *take_from(struct g_list *list, size_t size)
{
    for (struct g *previous = NULL, *g = list->head; g; previous = g, g = g->next) {
        if (g->stack_size != size)
            continue;
        if (previous)
            previous->next = g->next;
        else
            list->head = g->next;
        if (list->tail == g)
            list->tail = previous;
        list->count--;
        return g;
    }
    return NULL;
}

/* pool.lock is held. */
static struct shelf *shelf_of(size_t size)
{
    return size == sched.stack_size ? &pool.standard : &pool.odd;
}

/* The warmest. pool.lock is held. */
static struct g *shelf_take(size_t size)
{
    struct shelf *shelf = shelf_of(size);
    struct g *g = take_from(&shelf->warm, size);
    if (!g)
        g = take_from(&shelf->resting, size);
    return g ? g : take_from(&shelf->trimmed, size);
}

static void push_front(struct g_list *list, struct g *g)
{
    g->next = list->head;
    list->head = g;
    if (!list->tail)
        list->tail = g;
    list->count++;
}

struct g *goroutine_get(struct m *m, size_t stack_size)
{
    size_t page = base_page_size();
    size_t size = (stack_size + page - 1) & ~(page - 1);
    struct p *p = m ? m->p : NULL;
    if (size == sched.stack_size && p && p->gfree) {
        struct g *g = p->gfree;
        p->gfree = g->next;
        atomic_store_relaxed(&p->gfree_count, p->gfree_count - 1);
        return g;
    }
    lock_acquire(&pool.lock);
    struct g *g = shelf_take(size);
    if (!g)
        g = make_locked(size);
    lock_release(&pool.lock);
    return g;
}

static void put(struct m *m, struct g *g)
{
    struct p *p = m->p;
    if (unlikely(debug_env.stacks))
        stack_report_note(g);
    if (g->stack_size == sched.stack_size && p->gfree_count < POOL_MAX_LOCAL) {
        g->next = p->gfree;
        p->gfree = g;
        atomic_store_relaxed(&p->gfree_count, p->gfree_count + 1);
        return;
    }
    lock_acquire(&pool.lock);
    push_front(&shelf_of(g->stack_size)->warm, g);
    lock_release(&pool.lock);
}

void goroutine_put(struct m *m, struct g *g)
{
    while (unlikely(g->stack_of != g)) { /* it has ended in weft_call_on_stack */
        struct g *lender = g->stack_of;
        g->stack_of = lender->outer;
        put(m, lender);
    }
    put(m, g);
}

/* ---- Giving memory back ---- */

/* What an idle P keeps goes to the common shelf: nobody has that P. sched.lock is held. */
static void collect_from(struct p *p)
{
    while (p->idle && p->gfree) {
        struct g *g = p->gfree;
        p->gfree = g->next;
        atomic_store_relaxed(&p->gfree_count, p->gfree_count - 1);
        g_list_push(&pool.standard.warm, g);
    }
}

/* True: there is something to trim, now or later. */
static bool shelf_tick(struct shelf *shelf)
{
    if (!shelf->resting.head) { /* else the trimmer is behind */
        shelf->resting = shelf->warm;
        shelf->warm = (struct g_list){0};
    }
    return shelf->resting.head || shelf->warm.head;
}

bool goroutines_trim_tick(void)
{
    lock_acquire(&sched.lock);
    lock_acquire(&pool.lock);
    bool more = shelf_tick(&pool.standard);
    more |= shelf_tick(&pool.odd);
    uint32_t n = atomic_load_relaxed(&sched.proc_count);
    for (uint32_t i = 0; i < n; i++)
        collect_from(sched.all_p[i]);
    more |= pool.standard.warm.head != NULL;
    lock_release(&pool.lock);
    lock_release(&sched.lock);
    return more;
}

static bool trim_some(struct shelf *shelf)
{
    enum { BATCH = 64 };
    struct g_list batch = {0};
    struct g *g;
    lock_acquire(&pool.lock);
    while (batch.count < BATCH && (g = g_list_pop(&shelf->resting)))
        g_list_push(&batch, g);
    bool more = shelf->resting.head;
    lock_release(&pool.lock);
    for (g = batch.head; g; g = g->next)
        base_pages_discard(g->stack_low, (size_t)(goroutine_top_page(g) - g->stack_low));
    lock_acquire(&pool.lock);
    while ((g = g_list_pop(&batch)))
        g_list_push(&shelf->trimmed, g);
    lock_release(&pool.lock);
    return more;
}

bool goroutines_trim_some(void)
{
    bool more = trim_some(&pool.standard);
    more |= trim_some(&pool.odd);
    return more;
}

uint64_t goroutine_new_id(struct m *m)
{
    struct p *p = m ? m->p : NULL;
    if (!p)
        return atomic_add_relaxed(&sched.goid, 1) + 1;
    if (p->goid_next == p->goid_end) {
        p->goid_next = atomic_add_relaxed(&sched.goid, GOID_BATCH) + 1;
        p->goid_end = p->goid_next + GOID_BATCH;
    }
    return p->goid_next++;
}

struct g *goroutine_new_system(void)
{
    struct g *g = base_pages_alloc(sizeof *g);
    if (!g)
        return NULL;
    g->system = true;
    g->stack_of = g;
    g->trace.id = goroutine_new_id(NULL);
    lock_acquire(&pool.lock);
    list_record(g);
    lock_release(&pool.lock);
    return g;
}

/* ---- Life of a goroutine ---- */

/* First thing on a new goroutine's stack (arch/). */
void goroutine_begin(void);
/* Last thing, when its function has returned. Only the main goroutine's has a result. */
_Noreturn void goroutine_end(int result);

void goroutine_begin(void)
{
    context_arrived(NULL);
    struct m *m = m_self();
    sched_arrive(m);
    rt_exit(m);
}

void goroutines_count_ended(struct m *m)
{
    uint64_t *ended = &counts[m->p->id].ended;
    atomic_store_relaxed(ended, *ended + 1);
}

static _Noreturn void end_current(struct m *m, int result)
{
    struct g *g = m->g;
    if (unlikely(g->locks))
        thread_lock_drop(g);
    if (g->scope)
        scope_leave(m, g->scope, result);
    annotations_drop(g);
    goroutines_count_ended(m);
    if (unlikely(g->coro))
        coroutine_end(m);
    hook_go_end(m);
    sched_switch_away(m, AFTER_FREE, g);
    fatal("a goroutine that has ended was continued");
}

void goroutine_end(int result)
{
    struct m *m = rt_enter();
    if (!m)
        fatal("the function of a goroutine has returned in the child of a fork()");
    if (m->g->trace.id == MAIN_GOROUTINE) {
        sched.main_result = result;
        atomic_store_relaxed(&sched.main_runs, 0);
        base_note_post(&sched.main_done);
    }
    end_current(m, result);
}

void weft_goexit(void)
{
    struct m *m = rt_enter();
    if (!m)
        rt_not_a_goroutine("weft_goexit");
    end_current(m, 0);
}

void goroutines_count_created(struct m *m)
{
    if (m && m->p) {
        uint64_t *created = &counts[m->p->id].created;
        atomic_store_relaxed(created, *created + 1);
    } else {
        atomic_add_relaxed(&created_without_p, 1);
    }
}

/* Everything but the first change of state. */
static struct g *make(struct m *m, size_t stack_size, void (*fn)(void *), void *arg, bool system)
{
    struct g *g = goroutine_get(m, stack_size);
    if (!g)
        return NULL;
    weft_trace_g_renew(&g->trace);
    atomic_store_relaxed(&g->trace.id, m || system ? goroutine_new_id(m) : MAIN_GOROUTINE);
    g->fn = fn;
    g->arg = arg;
    atomic_store_relaxed(&g->system, system);
    atomic_store_relaxed(&g->coro, NULL);
    g_set_place(g, NULL, (uintptr_t)fn);
    annotations_inherit(g, m ? m->g : NULL);
    g->context = NULL;
    g->scope = NULL;
    context_clean(g->stack_low, (size_t)((char *)g - g->stack_low));
    context_make(&g->saved, (void *)((uintptr_t)g & ~(uintptr_t)15), fn, arg);
    if (!system)
        goroutines_count_created(m);
    return g;
}

struct g *sched_make(struct m *m, size_t stack_size, void (*fn)(void *), void *arg, bool system)
{
    struct g *g = make(m, stack_size, fn, arg, system);
    if (g)
        hook_go_create(m, g);
    return g;
}

struct g *goroutine_new_waiting(void (*fn)(void *arg))
{
    struct g *g = make(NULL, STACK_MIN, fn, NULL, true);
    if (!g)
        return NULL;
    g->wait_reason = WEFT_TRACE_BLOCK_SYSTEM;
    hook_set_status(g, G_WAITING);
    return g;
}

struct g *sched_make_blocked(struct m *m, size_t stack_size, void (*fn)(void *), void *arg,
                             uintptr_t entry)
{
    struct g *g = make(m, stack_size, fn, arg, false);
    if (!g)
        return NULL;
    g->fn = (void (*)(void *))entry;
    g_set_place(g, NULL, entry);
    hook_go_create_blocked(m, g);
    return g;
}

int sched_spawn(struct m *m, size_t stack_size, void (*fn)(void *), void *arg, bool system)
{
    struct g *g = sched_make(m, stack_size, fn, arg, system);
    if (!g)
        return -ENOMEM;
    sched_enqueue_new(m, g);
    return 0;
}

int weft_go_stack(size_t stack_size, void (*fn)(void *), void *arg)
{
    struct m *m = rt_enter_or_attach();
    if (!m)
        return -EPERM;
    int error = stack_size < STACK_MIN || stack_size > STACK_MAX
                    ? -EINVAL
                    : sched_spawn(m, stack_size, fn, arg, false);
    rt_exit(m);
    return error;
}

int weft_go(void (*fn)(void *), void *arg)
{
    struct m *m = rt_enter_or_attach();
    if (!m)
        return -EPERM;
    int error = sched_spawn(m, sched.stack_size, fn, arg, false);
    rt_exit(m);
    return error;
}

uint64_t weft_goid(void)
{
    struct m *m = m_self();
    return m && m->g ? m->g->trace.id : 0;
}

int weft_in_goroutine(void)
{
    struct m *m = m_self();
    return m && m->g;
}

/* ---- End of the runtime ---- */

static void forget_stack(struct g *g)
{
    context_stack_unregister(g->stack_id);
    context_root_remove(g->stack_low, g->stack_size - base_page_size());
}

static void free_records(void)
{
    for (struct g *g = pool.all, *next; g; g = next) {
        next = g->all_next;
        annotations_drop(g);
#ifdef BASE_TSAN
        if (g->fiber)
            __tsan_destroy_fiber(g->fiber);
#endif
        if (g->stack_low)
            forget_stack(g);
        else
            base_pages_free(g, sizeof *g);
    }
}

void goroutines_free(bool some_are_out)
{
    /* Stacks of goroutines that still compute cannot be unmapped; their number is bounded by that
     * of threads, so all of this run's slabs are left rather than sorted. */
    if (!some_are_out) {
        free_records();
        for (struct slab *slab = pool.slabs, *next; slab; slab = next) {
            next = slab->next;
            context_clean(slab->memory, slab->size); /* whoever maps that address next */
            base_pages_free(slab->memory, slab->size);
            base_pages_free(slab, sizeof *slab);
        }
    }
    pool.standard = pool.odd = (struct shelf){0};
    pool.slabs = NULL;
    pool.stacks = pool.bytes = 0;
    pool.cut = pool.cut_end = NULL;
    atomic_store_relaxed(&pool.all, NULL);
}
