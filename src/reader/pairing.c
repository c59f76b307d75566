/* SPDX-License-Identifier: MIT */
#include "reader/pairing.h"

static bool is_less(const struct reader_pairing *pairing, uint32_t a, uint32_t b)
{
    int64_t left = pairing->at.at[a].key, right = pairing->at.at[b].key;
    return left < right || (left == right && a < b);
}

uint32_t reader_pairing_meld(struct reader_pairing *pairing, uint32_t a, uint32_t b)
{
    if (a == READER_ABSENT || b == READER_ABSENT)
        return a == READER_ABSENT ? b : a;
    pairing->melds++;
    uint32_t top = is_less(pairing, a, b) ? a : b, under = top == a ? b : a;
    struct reader_pair *above = &pairing->at.at[top], *below = &pairing->at.at[under];
    if (above->child != READER_ABSENT)
        pairing->at.at[above->child].prev = under;
    below->next = above->child;
    below->prev = top;
    above->child = under;
    return top;
}

/* The heap of a list of heaps: melds pairs from left to right, then all of them from the right. */
static uint32_t meld_list(struct reader_pairing *pairing, uint32_t first)
{
    struct reader_pair *at = pairing->at.at;
    uint32_t pairs = READER_ABSENT;
    while (first != READER_ABSENT) {
        uint32_t a = first, b = at[a].next;
        first = b == READER_ABSENT ? b : at[b].next;
        a = reader_pairing_meld(pairing, a, b);
        at[a].next = pairs;
        pairs = a;
    }
    uint32_t root = READER_ABSENT;
    while (pairs != READER_ABSENT) {
        uint32_t next = at[pairs].next;
        root = reader_pairing_meld(pairing, root, pairs);
        pairs = next;
    }
    return root;
}

/* Takes an element that is no root from its siblings. */
static void cut(struct reader_pair *at, uint32_t index)
{
    uint32_t prev = at[index].prev, next = at[index].next;
    if (at[prev].child == index)
        at[prev].child = next;
    else
        at[prev].next = next;
    if (next != READER_ABSENT)
        at[next].prev = prev;
}

uint32_t reader_pairing_remove(struct reader_pairing *pairing, uint32_t heap, uint32_t index)
{
    bool is_root = heap == index;
    if (!is_root)
        cut(pairing->at.at, index);
    uint32_t rest = meld_list(pairing, pairing->at.at[index].child);
    return is_root ? rest : reader_pairing_meld(pairing, heap, rest);
}
