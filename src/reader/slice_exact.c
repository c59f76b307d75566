/* SPDX-License-Identifier: MIT */
/*
 * A piece of a trace from one event to another.
 *
 * Design: the trace is read twice. The first pass counts the events before the cut; the second
 * stops there and has the ordering state at the cut in hand. It is written down as status events,
 * which is what a generation begins with; the events behind the cut follow, each in its thread's
 * stream, as in the trace but for what depends on the events before:
 *  - sequence numbers restart with a status, so those of resources that had theirs before the cut
 *    are lowered by where they were;
 *  - ranges under way are told by the statuses' Active events, so the trace's own are left out, and
 *    the collector's numbers are lowered by those that are;
 *  - ids of strings and stacks become indices.
 * Later generations need only the last of these. The end of the slice needs nothing: what comes
 * before an event in the total order holds without it.
 *
 * Corners
 *  - A cut at the begin of a generation needs no statuses: the generation has its own.
 *  - Statuses of what is bound to a thread stand at the head of that thread's stream, since its
 *    events without a sequence number need them there; all others are in the stream of no thread.
 *  - A stop of the world under way has no Active event: it begins anew at the cut.
 */
#include <errno.h>
#include <stdio.h>

#include "reader/reader.h"
#include "reader/rewrite.h"
#include "reader/splice.h"

/* Where a batch of the generation at hand is read to. */
struct position {
    uint32_t at;
    uint64_t units;
};

struct exact {
    weft_reader *reader;
    struct rewrite rewrite;
    int64_t from, to;
    uint64_t skip;      /* events before the cut */
    uint64_t last_wire; /* offset of the last wire event */
    READER_VEC(struct position) positions;
    struct reader_map g_base, p_base; /* id → index of bases */
    READER_VEC(uint64_t) bases;       /* sequence numbers at the cut */
    struct reader_map stack_of;       /* goroutine → its last stack in this generation */
    uint64_t collector;               /* the collector's events that were left out */
    bool begun;                       /* the sync of a generation has been read */
    bool open;                        /* a generation is being written */
    bool cut;                         /* it is the one that is cut */
    bool cut_first;                   /* … and the first of the trace: ranges tell themselves */
    uint64_t seen;                    /* wire events of the generation */
};

/* -------- the events of the trace -------- */

/* Public events that follow from one wire event share its offset. */
static bool is_wire_event(struct exact *exact, const weft_event *event)
{
    if (event->kind == WEFT_EVENT_SYNC || event->wire == WIRE_EV_CPU_SAMPLE ||
        exact->reader->offset == exact->last_wire)
        return false;
    exact->last_wire = exact->reader->offset;
    return true;
}

/* A generation has been opened: nothing of its batches is read yet. */
static int new_generation(struct exact *exact)
{
    const struct reader_generation *gen = &exact->reader->gen;
    exact->positions.count = 0;
    exact->begun = true;
    exact->seen = 0;
    exact->last_wire = UINT64_MAX;
    reader_map_clear(&exact->stack_of);
    for (uint32_t i = 0; i < gen->batches.count; i++) {
        struct position *position = READER_PUSH(&exact->positions);
        if (!position)
            return -ENOMEM;
        *position = (struct position){0, gen->batches.at[i].time};
    }
    return 0;
}

/* The batch with the byte at an offset: they are in file order. */
static uint32_t batch_at(const struct reader_generation *gen, uint64_t offset)
{
    uint32_t low = 0, high = gen->batches.count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (gen->batches.at[middle].offset <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

struct wire_event {
    unsigned tag;
    uint64_t m, units, args[WIRE_TIMED_MAX_ARGS];
};

/* Reads the next event of the batch that the reader's last event stands in. */
static int next_wire_event(struct exact *exact, struct wire_event *event)
{
    const struct reader_generation *gen = &exact->reader->gen;
    uint32_t index = batch_at(gen, exact->reader->offset);
    const struct reader_batch *batch = &gen->batches.at[index];
    struct position *position = &exact->positions.at[index];
    const uint8_t *at = batch->data + position->at, *end = batch->data + batch->size;
    uint64_t delta = 0;
    event->tag = *at++;
    event->m = batch->m;
    at = wire_varint_decode_slow(at, end, &delta);
    for (unsigned i = 0; at && i < wire_event_specs[event->tag].argc; i++)
        at = wire_varint_decode_slow(at, end, &event->args[i]);
    if (!at)
        return -EBADMSG;
    position->at = (uint32_t)(at - batch->data);
    position->units += delta;
    event->units = position->units;
    return 0;
}

/* -------- the cut -------- */

static int keep_base(struct exact *exact, struct reader_map *map,
                     const struct reader_resource *resource)
{
    if (resource->gen != exact->reader->gen.number || !resource->seq)
        return 0;
    uint64_t *base = READER_PUSH(&exact->bases);
    if (!base || !reader_map_add(map, resource->id, exact->bases.count - 1))
        return -ENOMEM;
    *base = resource->seq;
    return 0;
}

static void write_ranges(struct exact *exact, uint64_t m, uint64_t units,
                         const struct reader_resource *resource)
{
    const struct reader_order *order = &exact->reader->order;
    for (uint32_t i = resource->ranges; i != READER_ABSENT; i = order->ranges.at[i].next) {
        const struct reader_range *range = &order->ranges.at[i];
        uint64_t args[2] = {resource->id, 0};
        if (range->kind == WIRE_EV_GC_SWEEP_BEGIN) {
            rewrite_event(&exact->rewrite, m, units, WIRE_EV_GC_SWEEP_ACTIVE, args);
        } else if (range->kind == WIRE_EV_GC_MARK_ASSIST_BEGIN) {
            rewrite_event(&exact->rewrite, m, units, WIRE_EV_GC_MARK_ASSIST_ACTIVE, args);
        } else {
            args[0] = reader_order_string(order, range->description);
            rewrite_event(&exact->rewrite, m, units, WIRE_EV_STW_BEGIN, args);
        }
    }
}

static int write_proc(struct exact *exact, uint64_t m, uint64_t units,
                      const struct reader_resource *p)
{
    const uint64_t args[2] = {p->id, p->status};
    rewrite_event(&exact->rewrite, m, units, WIRE_EV_PROC_STATUS, args);
    write_ranges(exact, m, units, p);
    return keep_base(exact, &exact->p_base, p);
}

static int write_goroutine(struct exact *exact, uint64_t m, uint64_t units,
                           const struct reader_resource *g)
{
    uint32_t stack = reader_map_find(&exact->stack_of, g->id);
    const uint64_t args[4] = {g->id, m, g->status, stack};
    bool with_stack = stack != READER_ABSENT && exact->reader->version >= 23;
    rewrite_event(&exact->rewrite, m, units,
                  with_stack ? WIRE_EV_GO_STATUS_STACK : WIRE_EV_GO_STATUS, args);
    write_ranges(exact, m, units, g);
    return keep_base(exact, &exact->g_base, g);
}

static bool is_bound_p(const struct reader_thread *thread, const struct reader_resource *p)
{
    return p && p->live && p->id == thread->p &&
           (p->status == WIRE_P_RUNNING || p->status == WIRE_P_SYSCALL);
}

static bool is_bound_g(const struct reader_thread *thread, const struct reader_resource *g)
{
    return g && g->live && g->id == thread->g &&
           (g->status == WIRE_G_RUNNING || g->status == WIRE_G_SYSCALL);
}

/* What is bound to threads, then all else. told marks what has been written. */
static int write_bound(struct exact *exact, uint64_t units, uint8_t *told_p, uint8_t *told_g)
{
    struct reader_order *order = &exact->reader->order;
    int status = 0;
    for (uint32_t i = 1; i < order->threads.count && !status; i++) {
        const struct reader_thread *thread = &order->threads.at[i];
        struct reader_resource *p = reader_resource_get(&order->procs, thread->p);
        struct reader_resource *g = reader_resource_get(&order->goroutines, thread->g);
        if (is_bound_p(thread, p) && !told_p[p - order->procs.at.at]) {
            told_p[p - order->procs.at.at] = 1;
            status = write_proc(exact, thread->id, units, p);
        }
        if (!status && is_bound_g(thread, g) && !told_g[g - order->goroutines.at.at]) {
            told_g[g - order->goroutines.at.at] = 1;
            status = write_goroutine(exact, thread->id, units, g);
        }
    }
    return status;
}

static int write_others(struct exact *exact, uint64_t units, const uint8_t *told_p,
                        const uint8_t *told_g)
{
    const struct reader_order *order = &exact->reader->order;
    int status = 0;
    for (uint32_t i = 0; i < order->procs.at.count && !status; i++)
        if (order->procs.at.at[i].live && !told_p[i])
            status = write_proc(exact, WIRE_NO_ID, units, &order->procs.at.at[i]);
    for (uint32_t i = 0; i < order->goroutines.at.count && !status; i++)
        if (order->goroutines.at.at[i].live && !told_g[i])
            status = write_goroutine(exact, WIRE_NO_ID, units, &order->goroutines.at.at[i]);
    return status;
}

/* The state of everything at the cut. */
static int write_state(struct exact *exact, uint64_t units)
{
    const struct reader_order *order = &exact->reader->order;
    uint8_t *told_p = calloc(order->procs.at.count + 1, 1);
    uint8_t *told_g = calloc(order->goroutines.at.count + 1, 1);
    int status = told_p && told_g ? write_bound(exact, units, told_p, told_g) : -ENOMEM;
    if (!status)
        status = write_others(exact, units, told_p, told_g);
    if (!status && order->gc == READER_GC_RUNNING)
        rewrite_event(&exact->rewrite, WIRE_NO_ID, units, WIRE_EV_GC_ACTIVE, &order->gc_seq);
    free(told_p);
    free(told_g);
    return status;
}

/* The cut in units of time, rounded down: not after the first event behind it. */
static uint64_t cut_units(const struct exact *exact)
{
    double units = (double)exact->from / exact->reader->gen.unit;
    return units >= 0 && units < 18446744073709551616.0 ? (uint64_t)units : 0;
}

/* Whether an event would tell what the statuses at the cut have told. */
static bool is_told(struct exact *exact, unsigned tag)
{
    if (!exact->cut || exact->cut_first)
        return false;
    exact->collector += tag == WIRE_EV_GC_ACTIVE;
    return tag == WIRE_EV_GC_ACTIVE || tag == WIRE_EV_GC_SWEEP_ACTIVE ||
           tag == WIRE_EV_GC_MARK_ASSIST_ACTIVE;
}

/* -------- renumbering -------- */

static uint64_t lower(const struct exact *exact, const struct reader_map *map, uint64_t id,
                      uint64_t seq)
{
    uint32_t index = exact->cut ? reader_map_find(map, id) : READER_ABSENT;
    return index == READER_ABSENT ? seq : seq - exact->bases.at[index];
}

static void renumber_sequence(struct exact *exact, struct wire_event *wire, unsigned i, uint64_t p)
{
    switch (wire->tag) {
    case WIRE_EV_GC_ACTIVE:
    case WIRE_EV_GC_BEGIN:
    case WIRE_EV_GC_END:
        wire->args[i] -= exact->collector;
        break;
    case WIRE_EV_GO_SYSCALL_BEGIN:
        wire->args[i] = lower(exact, &exact->p_base, p, wire->args[i]);
        break;
    case WIRE_EV_PROC_START:
    case WIRE_EV_PROC_STEAL:
        wire->args[i] = lower(exact, &exact->p_base, wire->args[0], wire->args[i]);
        break;
    default:
        wire->args[i] = lower(exact, &exact->g_base, wire->args[0], wire->args[i]);
    }
}

/* Statuses and creations restart the numbers of their resource. */
static void forget_base(struct exact *exact, const struct wire_event *wire)
{
    switch (wire->tag) {
    case WIRE_EV_PROC_STATUS:
        reader_map_remove(&exact->p_base, wire->args[0]);
        break;
    case WIRE_EV_GO_STATUS:
    case WIRE_EV_GO_STATUS_STACK:
    case WIRE_EV_GO_CREATE:
    case WIRE_EV_GO_CREATE_BLOCKED:
    case WIRE_EV_GO_CREATE_SYSCALL:
        reader_map_remove(&exact->g_base, wire->args[0]);
        break;
    default:
        break;
    }
}

static uint64_t index_of(const struct reader_idmap *map, uint64_t id)
{
    uint32_t index = reader_idmap_find(map, id);
    return index == READER_ABSENT ? 0 : index;
}

static void renumber(struct exact *exact, struct wire_event *wire, uint64_t p)
{
    const struct reader_generation *gen = &exact->reader->gen;
    const struct wire_event_spec *spec = &wire_event_specs[wire->tag];
    forget_base(exact, wire);
    for (unsigned i = 0; i < spec->argc; i++) {
        if (spec->args[i].kind == WIRE_ARG_STRING)
            wire->args[i] = index_of(&gen->string_of, wire->args[i]);
        else if (spec->args[i].kind == WIRE_ARG_STACK || spec->args[i].kind == WIRE_ARG_NEW_STACK)
            wire->args[i] = index_of(&gen->stack_of, wire->args[i]);
        else if (spec->args[i].kind == WIRE_ARG_SEQ)
            renumber_sequence(exact, wire, i, p);
    }
}

/* -------- the slice -------- */

/* Where a goroutine was last, for the status at the cut. */
static int note_stack(struct exact *exact, const weft_event *event)
{
    if (event->kind != WEFT_EVENT_STATE_TRANSITION || !event->resource_stack ||
        event->resource != WEFT_RESOURCE_GOROUTINE)
        return 0;
    reader_map_remove(&exact->stack_of, event->id);
    return reader_map_add(&exact->stack_of, event->id, event->resource_stack) ? 0 : -ENOMEM;
}

static void close_generation(struct exact *exact)
{
    if (exact->open)
        rewrite_end(&exact->rewrite, exact->reader->version);
    exact->open = exact->cut = false;
}

static void open_generation(struct exact *exact, uint64_t least)
{
    rewrite_begin(&exact->rewrite, &exact->reader->gen, least, exact->from, exact->to);
    exact->open = true;
}

/* Passes over the events before the cut. Returns 0 or a negative errno value. */
static int skip_events(struct exact *exact)
{
    weft_event event;
    struct wire_event wire;
    int status = 1, failed = 0;
    for (uint64_t i = 0; i < exact->skip && !failed && status == 1; i++) {
        status = weft_reader_next(exact->reader, &event);
        if (status == 1 && event.kind == WEFT_EVENT_SYNC)
            failed = new_generation(exact);
        else if (status == 1)
            failed = note_stack(exact, &event);
        if (status == 1 && !failed && is_wire_event(exact, &event)) {
            failed = next_wire_event(exact, &wire);
            exact->seen++;
        }
    }
    return failed ? failed : status == 1 ? 0 : status ? status : -ENODATA;
}

/* The ordering state is still that at the cut, but the first event behind it is not yet read. */
static int begin_cut(struct exact *exact)
{
    const weft_reader *reader = exact->reader;
    if (exact->seen == 0) {
        if (exact->begun) /* the sync before the cut is that of its generation */
            open_generation(exact, 0);
        return 0;
    }
    exact->cut = true;
    exact->cut_first = reader_order_in_first(&reader->order);
    uint64_t units = cut_units(exact);
    open_generation(exact, units);
    return write_state(exact, units);
}

static int take_event(struct exact *exact, const weft_event *event)
{
    struct wire_event wire;
    if (event->kind == WEFT_EVENT_SYNC) {
        close_generation(exact);
        if (!exact->reader->sync_has_data)
            return 0;
        int status = new_generation(exact);
        open_generation(exact, 0);
        return status;
    }
    if (!is_wire_event(exact, event))
        return 0;
    int status = next_wire_event(exact, &wire);
    if (status || is_told(exact, wire.tag))
        return status;
    renumber(exact, &wire, event->p);
    rewrite_event(&exact->rewrite, wire.m, wire.units, wire.tag, wire.args);
    return 0;
}

static int write_slice(struct exact *exact)
{
    weft_event event;
    int status = skip_events(exact);
    if (status)
        return status;
    rewrite_head(&exact->rewrite, exact->reader->version);
    status = begin_cut(exact);
    int read = 1;
    while (!status && !exact->rewrite.status &&
           (read = weft_reader_next(exact->reader, &event)) == 1) {
        bool wire = event.kind == WEFT_EVENT_SYNC || exact->reader->offset != exact->last_wire;
        if (event.time >= exact->to && wire)
            break;
        status = take_event(exact, &event);
    }
    close_generation(exact);
    if (!status)
        status = exact->rewrite.status;
    return status ? status : read < 0 ? read : 0;
}

static void exact_fini(struct exact *exact)
{
    weft_reader_free(exact->reader);
    rewrite_fini(&exact->rewrite);
    READER_VEC_FINI(&exact->positions);
    READER_VEC_FINI(&exact->bases);
    reader_map_fini(&exact->g_base);
    reader_map_fini(&exact->p_base);
    reader_map_fini(&exact->stack_of);
}

/* Counts the events before the first that is not before `from`. 0, -ENODATA or another. */
static int count_events(struct exact *exact, weft_open_fn open, void *context)
{
    weft_event event;
    int status = open(context, &exact->reader);
    exact->skip = 0;
    while (status >= 0 && (status = weft_reader_next(exact->reader, &event)) == 1) {
        bool sync = event.kind == WEFT_EVENT_SYNC;
        if (sync)
            exact->last_wire = UINT64_MAX;
        if ((is_wire_event(exact, &event) || sync) && event.time >= exact->from)
            break;
        exact->skip++;
    }
    bool found = status == 1 && event.time < exact->to &&
                 (event.kind != WEFT_EVENT_SYNC || exact->reader->sync_has_data);
    return status < 0 ? status : found ? 0 : -ENODATA;
}

/* -------- by way of a file: what is written has been read -------- */

static int write_file(void *context, const void *data, size_t size)
{
    return fwrite(data, 1, size, context) == size ? 0 : errno ? -errno : -EIO;
}

static ptrdiff_t read_file(void *context, void *data, size_t size)
{
    size_t n = fread(data, 1, size, context);
    return n > 0 || !ferror((FILE *)context) ? (ptrdiff_t)n : -EIO;
}

static int open_file(void *context, weft_reader **reader)
{
    rewind(context);
    return weft_reader_open_callback(reader, read_file, context);
}

static int make_file(struct exact *exact, weft_open_fn open, void *context, FILE *file,
                     weft_reader_error *error)
{
    exact->rewrite.write = write_file;
    exact->rewrite.context = file;
    exact->last_wire = UINT64_MAX;
    int status = count_events(exact, open, context);
    if (!status) {
        weft_reader_free(exact->reader);
        exact->last_wire = UINT64_MAX;
        status = open(context, &exact->reader);
        if (!status)
            status = write_slice(exact);
    }
    if (status == -EBADMSG && exact->reader)
        splice_keep_error(exact->reader, error);
    if (!status && fflush(file) != 0)
        status = -errno;
    return status;
}

int weft_slice_exact(weft_open_fn open, void *open_context, int64_t from, int64_t to,
                     weft_write_fn write, void *write_context, weft_slice_info *info,
                     weft_reader_error *error)
{
    if (error)
        *error = (weft_reader_error){"", 0, 0, ""};
    struct exact *exact = calloc(1, sizeof *exact);
    FILE *file = tmpfile();
    int status = !exact ? -ENOMEM : !file ? -errno : 0;
    if (exact)
        *exact = (struct exact){.from = from, .to = to};
    if (!status)
        status = make_file(exact, open, open_context, file, error);
    if (!status) {
        struct splice_part part = {file, 1, UINT64_MAX};
        status = splice_write(open_file, &part, 1, write, write_context, info, error);
    }
    if (exact)
        exact_fini(exact);
    free(exact);
    if (file)
        fclose(file);
    return status;
}
