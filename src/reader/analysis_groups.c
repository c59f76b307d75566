/* SPDX-License-Identifier: MIT */
/* Goroutines by entry function: sums over those that have ended. */
#include <errno.h>
#include <string.h>

#include "reader/analysis_summary.h"

static uint32_t group_find(struct weft_summary *summary, uint32_t name)
{
    while (summary->group_of.count <= name) {
        uint32_t *slot = READER_PUSH(&summary->group_of);
        if (!slot)
            return READER_ABSENT;
        *slot = 0;
    }
    if (summary->group_of.at[name])
        return summary->group_of.at[name] - 1;
    struct analysis_group *group = READER_PUSH(&summary->groups);
    if (!group)
        return READER_ABSENT;
    *group =
        (struct analysis_group){.name = name, .blocked = READER_ABSENT, .ranges = READER_ABSENT};
    summary->group_of.at[name] = summary->groups.count;
    return summary->groups.count - 1;
}

static void times_add(weft_times *to, const weft_times *from)
{
    for (unsigned i = 0; i < WEFT_SPENT_LIMIT; i++) {
        analysis_add(&to->time[i], from->time[i]);
        to->count[i] += from->count[i];
        analysis_raise(&to->max[i], from->max[i]);
    }
}

int analysis_group_add(struct weft_summary *summary, struct analysis_goroutine *g, int64_t time)
{
    uint32_t index = group_find(summary, g->name);
    if (index == READER_ABSENT)
        return -ENOMEM;
    struct analysis_group *group = &summary->groups.at[index];
    group->goroutines++;
    analysis_add(&group->lifetime, analysis_span(g->created, time));
    times_add(&group->times, &g->times);
    times_add(&summary->totals.times, &g->times);
    return analysis_list_merge(summary, &group->blocked, &g->blocked) &&
                   analysis_list_merge(summary, &group->ranges, &g->ranges)
               ? 0
               : -ENOMEM;
}

bool analysis_name_is_system(weft_text name)
{
    static const char prefix[] = "runtime.", program[] = "runtime.main";
    if (name.size == 0)
        return true;
    if (name.size == sizeof program - 1 && memcmp(name.data, program, name.size) == 0)
        return false;
    return name.size >= sizeof prefix - 1 && memcmp(name.data, prefix, sizeof prefix - 1) == 0;
}

size_t weft_summary_groups(const weft_summary *summary)
{
    return summary->groups.count;
}

int weft_summary_group(weft_summary *summary, size_t index, weft_group_stats *group)
{
    if (index >= summary->groups.count)
        return -ERANGE;
    const struct analysis_group *of = &summary->groups.at[index];
    *group = (weft_group_stats){.name = analysis_intern_get(&summary->intern, of->name),
                                .goroutines = of->goroutines,
                                .lifetime = of->lifetime,
                                .times = of->times};
    group->is_system = analysis_name_is_system(group->name);
    group->blocked = ANALYSIS_SHOW(summary, of->blocked, &summary->shown_blocked);
    group->ranges = ANALYSIS_SHOW(summary, of->ranges, &summary->shown_ranges);
    return 0;
}
