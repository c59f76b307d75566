/* SPDX-License-Identifier: MIT */
#include "reader/order.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int clock_snapshot(struct reader_order *order, const struct reader_wire_event *event,
                          weft_event *out)
{
    (void)event, (void)out;
    return reader_reject(order, "DEC-5", "clock snapshot in a stream of events");
}

const reader_order_fn reader_order_handlers[256] = {
    [WIRE_EV_PROCS_CHANGE] = reader_order_procs_change,
    [WIRE_EV_PROC_START] = reader_order_proc_start,
    [WIRE_EV_PROC_STOP] = reader_order_proc_stop,
    [WIRE_EV_PROC_STEAL] = reader_order_proc_steal,
    [WIRE_EV_PROC_STATUS] = reader_order_proc_status,
    [WIRE_EV_GO_CREATE] = reader_order_go_create,
    [WIRE_EV_GO_CREATE_BLOCKED] = reader_order_go_create,
    [WIRE_EV_GO_CREATE_SYSCALL] = reader_order_go_create_syscall,
    [WIRE_EV_GO_START] = reader_order_go_start,
    [WIRE_EV_GO_DESTROY] = reader_order_go_destroy,
    [WIRE_EV_GO_DESTROY_SYSCALL] = reader_order_go_destroy_syscall,
    [WIRE_EV_GO_STOP] = reader_order_go_stop,
    [WIRE_EV_GO_BLOCK] = reader_order_go_stop,
    [WIRE_EV_GO_UNBLOCK] = reader_order_go_unblock,
    [WIRE_EV_GO_SYSCALL_BEGIN] = reader_order_go_syscall_begin,
    [WIRE_EV_GO_SYSCALL_END] = reader_order_go_syscall_end,
    [WIRE_EV_GO_SYSCALL_END_BLOCKED] = reader_order_go_syscall_end_blocked,
    [WIRE_EV_GO_STATUS] = reader_order_go_status,
    [WIRE_EV_GO_STATUS_STACK] = reader_order_go_status,
    [WIRE_EV_GO_SWITCH] = reader_order_go_switch,
    [WIRE_EV_GO_SWITCH_DESTROY] = reader_order_go_switch,
    [WIRE_EV_STW_BEGIN] = reader_order_stw_begin,
    [WIRE_EV_STW_END] = reader_order_stw_end,
    [WIRE_EV_GC_ACTIVE] = reader_order_gc_active,
    [WIRE_EV_GC_BEGIN] = reader_order_gc_begin,
    [WIRE_EV_GC_END] = reader_order_gc_end,
    [WIRE_EV_GC_SWEEP_ACTIVE] = reader_order_sweep_active,
    [WIRE_EV_GC_SWEEP_BEGIN] = reader_order_sweep_begin,
    [WIRE_EV_GC_SWEEP_END] = reader_order_sweep_end,
    [WIRE_EV_GC_MARK_ASSIST_ACTIVE] = reader_order_assist_active,
    [WIRE_EV_GC_MARK_ASSIST_BEGIN] = reader_order_assist_begin,
    [WIRE_EV_GC_MARK_ASSIST_END] = reader_order_assist_end,
    [WIRE_EV_HEAP_ALLOC] = reader_order_heap,
    [WIRE_EV_HEAP_GOAL] = reader_order_heap,
    [WIRE_EV_GO_LABEL] = reader_order_go_label,
    [WIRE_EV_USER_TASK_BEGIN] = reader_order_task_begin,
    [WIRE_EV_USER_TASK_END] = reader_order_task_end,
    [WIRE_EV_USER_REGION_BEGIN] = reader_order_region_begin,
    [WIRE_EV_USER_REGION_END] = reader_order_region_end,
    [WIRE_EV_USER_LOG] = reader_order_user_log,
    [WIRE_EV_CLOCK_SNAPSHOT] = clock_snapshot,
    [WIRE_EV_SPAN... WIRE_EV_GOROUTINE_STACK_FREE] = reader_order_experimental,
};

static bool add_name(struct reader_order *order, const char *name)
{
    uint32_t text = reader_pool_add(&order->pool, name, strlen(name));
    if (text == READER_ABSENT)
        return false;
    reader_pool_hold(&order->pool, text);
    return true;
}

static bool add_names(struct reader_order *order)
{
    static const char *const names[] = {
        [READER_NAME_PROCS] = "/sched/gomaxprocs:threads",
        [READER_NAME_HEAP] = "/memory/classes/heap/objects:bytes",
        [READER_NAME_HEAP_GOAL] = "/gc/heap/goal:bytes",
        [READER_NAME_GC] = "GC concurrent mark phase",
        [READER_NAME_SWEEP] = "GC incremental sweep",
        [READER_NAME_ASSIST] = "GC mark assist",
        [READER_NAME_ALLOC_FREE] = "AllocFree",
    };
    for (unsigned i = 0; i < READER_NAME_EXPERIMENTAL; i++)
        if (!add_name(order, names[i]))
            return false;
    for (unsigned id = WIRE_EV_SPAN; id < WIRE_EVENT_LIMIT; id++)
        if (!add_name(order, wire_event_specs[id].name))
            return false;
    return true;
}

static void bind_budget(struct reader_order *order, struct reader_budget *budget)
{
    order->threads.budget = order->thread_of.budget = budget;
    order->procs.at.budget = order->procs.of.budget = budget;
    order->goroutines.at.budget = order->goroutines.of.budget = budget;
    order->ranges.budget = order->stw_of.budget = order->regions.budget = budget;
    order->tasks.budget = order->task_of.budget = budget;
    reader_holders_init(&order->holders, budget);
}

bool reader_order_init(struct reader_order *order, struct reader_budget *budget)
{
    *order = (struct reader_order){
        .free_range = READER_ABSENT, .free_region = READER_ABSENT, .free_task = READER_ABSENT};
    order->procs.free = order->goroutines.free = READER_ABSENT;
    bind_budget(order, budget);
    struct reader_thread *none = READER_PUSH(&order->threads);
    if (!none || !reader_pool_init_within(&order->pool, budget))
        return false;
    *none = (struct reader_thread){WEFT_ID_NONE, WEFT_ID_NONE, WEFT_ID_NONE, 0, 0};
    return add_names(order);
}

void reader_order_fini(struct reader_order *order)
{
    READER_VEC_FINI(&order->threads);
    READER_VEC_FINI(&order->procs.at);
    READER_VEC_FINI(&order->goroutines.at);
    reader_holders_fini(&order->holders);
    READER_VEC_FINI(&order->ranges);
    reader_map_fini(&order->stw_of);
    READER_VEC_FINI(&order->regions);
    READER_VEC_FINI(&order->tasks);
    reader_map_fini(&order->thread_of);
    reader_map_fini(&order->procs.of);
    reader_map_fini(&order->goroutines.of);
    reader_map_fini(&order->task_of);
    reader_pool_fini(&order->pool);
}

void reader_order_set_generation(struct reader_order *order, struct reader_generation *gen,
                                 bool has_events)
{
    order->gen = gen;
    if (!order->started && has_events) {
        order->started = true;
        order->first_gen = gen->number;
    }
    reader_pool_sweep(&order->pool);
}

uint32_t reader_order_thread(struct reader_order *order, uint64_t m, bool make)
{
    uint32_t known = reader_map_find(&order->thread_of, m);
    if (known != READER_ABSENT || !make)
        return known;
    uint32_t index = order->threads.count;
    struct reader_thread *thread = READER_PUSH(&order->threads);
    if (!thread || !reader_map_add(&order->thread_of, m, index))
        return READER_ABSENT;
    *thread = (struct reader_thread){m, WEFT_ID_NONE, WEFT_ID_NONE, 0, 0};
    return index;
}

int reader_reject(struct reader_order *order, const char *rule, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(order->message, sizeof order->message, format, args);
    va_end(args);
    order->rule = rule;
    return -EBADMSG;
}

int reader_order_context_fail(struct reader_order *order, unsigned need)
{
    const struct reader_thread *self = reader_order_self(order);
    if ((need & READER_NEED_M) && self->id == WEFT_ID_NONE)
        return reader_reject(order, "CTX-1", "expected a thread but didn't have one");
    if ((need & READER_NEED_P) && self->p == WEFT_ID_NONE)
        return reader_reject(order, "CTX-2", "expected a proc but didn't have one");
    if ((need & READER_NEED_NO_P) && self->p != WEFT_ID_NONE)
        return reader_reject(order, "CTX-3", "expected no proc but had proc %llu",
                             (unsigned long long)self->p);
    if ((need & READER_NEED_G) && self->g == WEFT_ID_NONE)
        return reader_reject(order, "CTX-4", "expected a goroutine but didn't have one");
    return reader_reject(order, "CTX-5", "expected no goroutine but had goroutine %llu",
                         (unsigned long long)self->g);
}

struct reader_resource *reader_resource_add(struct reader_order *order,
                                            struct reader_resources *resources, uint64_t id,
                                            unsigned status)
{
    struct reader_resource *resource;
    if (resources->free != READER_ABSENT)
        resource = &resources->at.at[resources->free];
    else if (!(resource = READER_PUSH(&resources->at)))
        return NULL;
    else
        *resource = (struct reader_resource){.ranges = READER_ABSENT};
    /* From here on the record is in the array; it stays dead if the table cannot grow. */
    if (!reader_map_add(&resources->of, id, reader_resource_index(resources, resource)))
        return NULL;
    if (resources->free != READER_ABSENT)
        resources->free = resource->ranges;
    *resource = (struct reader_resource){.id = id,
                                         .gen = order->gen->number,
                                         .ranges = READER_ABSENT,
                                         .single = READER_ABSENT,
                                         .regions = READER_ABSENT,
                                         .status = (uint8_t)status,
                                         .live = true};
    return resource;
}

static void free_regions(struct reader_order *order, uint32_t first)
{
    while (first != READER_ABSENT) {
        uint32_t next = order->regions.at[first].next;
        reader_pool_release(&order->pool, order->regions.at[first].text);
        order->regions.at[first].next = order->free_region;
        order->free_region = first;
        first = next;
    }
}

void reader_goroutine_remove(struct reader_order *order, struct reader_resource *g)
{
    while (g->ranges != READER_ABSENT)
        reader_range_remove(order, g, g->ranges);
    free_regions(order, g->regions);
    reader_map_remove(&order->goroutines.of, g->id);
    g->live = false;
    g->ranges = order->goroutines.free;
    order->goroutines.free = reader_resource_index(&order->goroutines, g);
}

uint32_t reader_order_text(struct reader_order *order, weft_string string)
{
    struct reader_string *of = &order->gen->strings.at[string];
    if (of->pool == READER_ABSENT)
        of->pool = reader_pool_add(&order->pool, of->data, of->size);
    return of->pool;
}

static const char *const g_names[] = {"Bad", "Runnable", "Running", "Syscall", "Waiting"};
static const char *const p_names[] = {"Bad", "Running", "Idle", "Syscall", "SyscallAbandoned"};

const char *reader_g_status_name(unsigned status)
{
    return status < WIRE_G_STATUS_LIMIT ? g_names[status] : "?";
}

const char *reader_p_status_name(unsigned status)
{
    return status < WIRE_P_STATUS_LIMIT ? p_names[status] : "?";
}

weft_state reader_g_state(unsigned status)
{
    static const uint8_t states[] = {WEFT_STATE_UNDETERMINED, WEFT_STATE_RUNNABLE,
                                     WEFT_STATE_RUNNING, WEFT_STATE_SYSCALL, WEFT_STATE_WAITING};
    return status < WIRE_G_STATUS_LIMIT ? states[status] : WEFT_STATE_UNDETERMINED;
}

weft_state reader_p_state(unsigned status)
{
    static const uint8_t states[] = {WEFT_STATE_UNDETERMINED, WEFT_STATE_RUNNING, WEFT_STATE_IDLE,
                                     WEFT_STATE_RUNNING, WEFT_STATE_IDLE};
    return status < WIRE_P_STATUS_LIMIT ? states[status] : WEFT_STATE_UNDETERMINED;
}
