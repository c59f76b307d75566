/* SPDX-License-Identifier: MIT */
/*
 * Tasks, regions, logs and labels of goroutines.
 *
 * Design. What the user has begun lies in the user's storage and says which goroutine began it, so
 * that an end can be checked and refused without any list. A goroutine counts its open regions; a
 * region knows its depth, and only the innermost may end. Refusing matters: a reader rejects the
 * whole trace for one end that does not match.
 *
 * Corners
 *   The name of a region is not copied. A name that changed meanwhile would be such an end that
 *     does not match; therefore its bytes are hashed at both ends.
 *   A region that was begun while tracing was on counts until its end, even if tracing is off by
 *     then; one that was begun while tracing was off does not count at all.
 */
#include "sched/user_annotations.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "sched/trace_hooks.h"
#include "weft/annotate.h"

enum { TEXT_MAX = 1024 }; /* as much as a trace keeps of a text */

struct weft_annotate_words weft_annotate_words;

static uint64_t last_task; /* atomic */

int annotations_init(void)
{
    const char *text = getenv("WEFT_TRACE_WAITS");
    bool on = text && strcmp(text, "1") == 0;
    if (text && *text && !on && strcmp(text, "0") != 0) {
        base_warn("WEFT_TRACE_WAITS=%s is neither 0 nor 1", text);
        return -EINVAL;
    }
    atomic_store_relaxed(&sched.waits, on);
    return 0;
}

int weft_annotate_waits(int on)
{
    return (int)atomic_swap_acqrel(&sched.waits, on != 0);
}

static struct hook_text text_of(const void *data, size_t size)
{
    return (struct hook_text){data, size < TEXT_MAX ? size : TEXT_MAX};
}

/* ---- Tasks ---- */

weft_task weft_task_begin_bytes(weft_task parent, const void *name, size_t size)
{
    if (!weft_annotate_enabled())
        return WEFT_TASK_NONE;
    struct m *m = rt_enter();
    if (!m)
        return WEFT_TASK_NONE;
    weft_task task = atomic_add_relaxed(&last_task, 1) + 1;
    if (parent == WEFT_TASK_NONE)
        parent = m->g->task;
    else if (parent == WEFT_TASK_BACKGROUND)
        parent = 0;
    hook_task_begin(m, task, parent, text_of(name, size));
    rt_exit(m);
    return task;
}

void weft_task_end_begun(weft_task task)
{
    if (task == WEFT_TASK_NONE || task == WEFT_TASK_BACKGROUND || !weft_annotate_enabled())
        return;
    struct m *m = rt_enter();
    if (!m)
        return;
    hook_task_end(m, task);
    rt_exit(m);
}

void weft_task_enter_begun(weft_task_stay *stay, weft_task task)
{
    struct m *m = m_self();
    struct g *g = m ? m->g : NULL;
    stay->goroutine = g ? g->trace.id : 0;
    if (!g)
        return;
    stay->outer = g->task;
    atomic_store_relaxed(&g->task, task == WEFT_TASK_BACKGROUND ? 0 : task);
}

int weft_task_leave_entered(weft_task_stay *stay)
{
    struct m *m = m_self();
    struct g *g = m ? m->g : NULL;
    if (!g || g->trace.id != stay->goroutine)
        return -EPERM;
    atomic_store_relaxed(&g->task, stay->outer);
    stay->goroutine = 0;
    return 0;
}

weft_task weft_task_current(void)
{
    struct m *m = m_self();
    return m && m->g ? m->g->task : WEFT_TASK_NONE;
}

/* ---- Regions ---- */

void weft_region_begin_bytes(weft_region *region, const void *name, size_t size)
{
    region->goroutine = 0;
    if (!weft_annotate_enabled())
        return;
    struct m *m = rt_enter();
    if (!m)
        return;
    struct hook_text text = text_of(name, size);
    struct g *g = m->g;
    *region = (weft_region){.goroutine = g->trace.id,
                            .task = g->task,
                            .name = name,
                            .check = base_hash(text.data, text.size),
                            .size = (uint32_t)text.size,
                            .depth = ++g->open_regions};
    hook_region_begin(m, region->task, text);
    rt_exit(m);
}

static int check_end(const weft_region *region, const struct g *g)
{
    struct hook_text name = {region->name, region->size};
    if (region->goroutine != g->trace.id)
        return -EPERM;
    if (region->depth != g->open_regions)
        return -EINVAL;
    return base_hash(name.data, name.size) == region->check ? 0 : -EILSEQ;
}

int weft_region_end_begun(weft_region *region)
{
    if (region->goroutine == 0)
        return 0;
    struct m *m = rt_enter();
    if (!m)
        return -EPERM;
    int error = check_end(region, m->g);
    if (!error) {
        m->g->open_regions--;
        hook_region_end(m, region->task, (struct hook_text){region->name, region->size});
    }
    rt_exit(m);
    return error;
}

/* ---- Logs ---- */

void weft_log_bytes(const void *key, size_t key_size, const void *value, size_t value_size)
{
    if (!weft_annotate_enabled())
        return;
    struct m *m = rt_enter();
    if (!m)
        return;
    hook_log(m, text_of(key, key_size), text_of(value, value_size));
    rt_exit(m);
}

void weft_log_format(const char *key, const char *format, ...)
{
    char value[TEXT_MAX + 1];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(value, sizeof value, format, arguments);
    va_end(arguments);
    struct m *m = length < 0 ? NULL : rt_enter();
    if (!m)
        return;
    hook_log(m, text_of(key, strlen(key)), text_of(value, (size_t)length));
    rt_exit(m);
}

/* ---- Labels ---- */

void label_release(struct label *label)
{
    if (atomic_sub_acqrel(&label->users, 1) == 1) /* pairs with itself: the last user frees */
        free(label);
}

static struct label *label_new(struct hook_text text)
{
    struct label *label = torture_refuse("label") ? NULL : malloc(sizeof *label + text.size);
    if (!label)
        return NULL;
    label->users = 1;
    label->size = (uint32_t)text.size;
    memcpy(label->text, text.data, text.size);
    return label;
}

int weft_label_set_bytes(const void *text, size_t size)
{
    if (!weft_in_goroutine())
        return -EPERM;
    struct label *label = size ? label_new(text_of(text, size)) : NULL;
    if (size && !label)
        return -ENOMEM;
    struct m *m = rt_enter();
    if (!m) { /* an attached thread, and the runtime has ended */
        free(label);
        return -EPERM;
    }
    annotations_drop(m->g);
    compiler_barrier(); /* complete before cpu_running() can see it */
    m->g->label = label;
    if (label)
        atomic_store_relaxed(&weft_annotate_words.labels, 1);
    hook_label(m);
    rt_exit(m);
    return 0;
}

size_t weft_label_get(char *text, size_t size)
{
    struct m *m = m_self();
    const struct label *label = m && m->g ? m->g->label : NULL;
    size_t length = label ? label->size : 0;
    if (size == 0)
        return length;
    memcpy(text, label ? label->text : "", length < size ? length : size - 1);
    text[length < size ? length : size - 1] = 0;
    return length;
}
