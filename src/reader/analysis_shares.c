/* SPDX-License-Identifier: MIT */
/* Lists of time by name. */
#include "reader/analysis_summary.h"

uint32_t analysis_node_push(struct weft_summary *summary, uint32_t *list, uint32_t name)
{
    uint32_t index = summary->free_node;
    struct analysis_node *node;
    if (index != READER_ABSENT) {
        node = &summary->nodes.at[index];
        summary->free_node = node->next;
    } else {
        node = READER_PUSH(&summary->nodes);
        if (!node)
            return READER_ABSENT;
        index = summary->nodes.count - 1;
    }
    *node = (struct analysis_node){.name = name, .next = *list};
    *list = index;
    return index;
}

uint32_t analysis_node_get(struct weft_summary *summary, uint32_t *list, uint32_t name)
{
    for (uint32_t i = *list; i != READER_ABSENT; i = summary->nodes.at[i].next)
        if (summary->nodes.at[i].name == name)
            return i;
    return analysis_node_push(summary, list, name);
}

void analysis_node_add(struct weft_summary *summary, uint32_t node, int64_t time)
{
    struct analysis_node *to = &summary->nodes.at[node];
    to->count++;
    analysis_add(&to->time, time);
    analysis_raise(&to->max, time);
}

void analysis_node_remove(struct weft_summary *summary, uint32_t *list, uint32_t node)
{
    while (*list != node)
        list = &summary->nodes.at[*list].next;
    *list = summary->nodes.at[node].next;
    summary->nodes.at[node].next = summary->free_node;
    summary->free_node = node;
}

bool analysis_list_merge(struct weft_summary *summary, uint32_t *to, uint32_t *from)
{
    while (*from != READER_ABSENT) {
        struct analysis_node node = summary->nodes.at[*from];
        uint32_t into = analysis_node_get(summary, to, node.name);
        if (into == READER_ABSENT)
            return false;
        struct analysis_node *sum = &summary->nodes.at[into];
        sum->count += node.count;
        analysis_add(&sum->time, node.time);
        analysis_raise(&sum->max, node.max);
        analysis_node_remove(summary, from, *from);
    }
    return true;
}

static int by_time(const void *left, const void *right)
{
    const weft_share *a = left, *b = right;
    return (a->time < b->time) - (a->time > b->time);
}

void analysis_shares_sort(weft_share *shares, size_t count)
{
    if (count > 1)
        qsort(shares, count, sizeof *shares, by_time);
}
