/* SPDX-License-Identifier: MIT */
/* States of goroutines by stack, as folded stacks: time by what was done where. */
#include <errno.h>
#include <stdio.h>

#include <weft/export.h>

#include "export/output.h"
#include "export/scene.h"

struct share {
    uint32_t stack, entry, name; /* stack 0: the entry function stands for it */
    int64_t time;
};

struct states {
    struct analysis_intern intern;
    struct analysis_timeline timeline;
    struct scene_names names;
    struct reader_map stack_of, entry_of; /* number and name → share */
    READER_VEC(struct share) shares;
};

static int end_stay(void *context, const weft_stay *stay)
{
    struct states *states = context;
    uint32_t name = scene_state_name(&states->names, &states->intern, stay);
    if (name == READER_ABSENT)
        return -ENOMEM;
    struct reader_map *map = stay->stack ? &states->stack_of : &states->entry_of;
    uint64_t key = (uint64_t)(stay->stack ? stay->stack : stay->name) << 32 | name;
    uint32_t index = reader_map_find(map, key);
    if (index == READER_ABSENT) {
        index = states->shares.count;
        struct share *share = READER_PUSH(&states->shares);
        if (!share || !reader_map_add(map, key, index))
            return -ENOMEM;
        *share = (struct share){stay->stack, stay->name, name, 0};
    }
    int64_t *time = &states->shares.at[index].time, span;
    if (__builtin_sub_overflow(stay->end, stay->begin, &span) ||
        __builtin_add_overflow(*time, span, time))
        *time = INT64_MAX;
    return 0;
}

static int read_all(struct states *states, weft_reader *reader)
{
    weft_event event;
    int status, failed = 0;
    while (!failed && (status = weft_reader_next(reader, &event)) == 1) {
        if (event.kind == WEFT_EVENT_SYNC)
            analysis_intern_forget(&states->intern);
        failed = analysis_timeline_event(&states->timeline, &event);
    }
    if (!failed)
        failed = analysis_timeline_finish(&states->timeline);
    return failed ? failed : status;
}

static void put_function(struct export_output *output, weft_text name)
{
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i] == ';' ? ':' : name.data[i];
        export_put(output, (unsigned char)c < 0x20 ? "?" : &c, 1);
    }
    if (name.size == 0)
        export_put(output, "?", 1);
    export_put(output, ";", 1);
}

static void put_share(struct states *states, struct export_output *output,
                      const struct share *share)
{
    char number[32];
    size_t depth = analysis_intern_depth(&states->intern, share->stack);
    if (share->stack == 0)
        put_function(output, analysis_intern_get(&states->intern, share->entry));
    for (size_t i = share->stack ? depth : 0; i-- > 0;) {
        weft_place place;
        if (analysis_intern_place(&states->intern, share->stack, i, &place) == 0)
            put_function(output, place.function);
    }
    weft_text name = analysis_intern_get(&states->intern, share->name);
    export_put(output, "[", 1);
    for (size_t i = 0; i < name.size; i++)
        export_put(output,
                   name.data[i] == ';'                  ? ":"
                   : (unsigned char)name.data[i] < 0x20 ? "?"
                                                        : &name.data[i],
                   1);
    int size = snprintf(number, sizeof number, "] %lld\n", (long long)share->time);
    export_put(output, number, (size_t)size);
}

static int write_all(struct states *states, weft_write_fn write, void *context)
{
    struct export_output *output = malloc(sizeof *output);
    if (!output)
        return -ENOMEM;
    *output = (struct export_output){.write = write, .context = context};
    for (uint32_t i = 0; i < states->shares.count; i++)
        if (states->shares.at[i].time > 0)
            put_share(states, output, &states->shares.at[i]);
    int status = export_flush(output);
    free(output);
    return status;
}

int weft_export_states(weft_reader *reader, weft_write_fn write, void *context)
{
    struct states *states = calloc(1, sizeof *states);
    int status = -ENOMEM;
    if (!states)
        return status;
    if (analysis_intern_init(&states->intern, reader) &&
        analysis_timeline_init(&states->timeline, &states->intern, NULL, end_stay, states)) {
        status = read_all(states, reader);
        int written = status == -ENOMEM ? status : write_all(states, write, context);
        status = written ? written : status;
    }
    analysis_timeline_fini(&states->timeline);
    analysis_intern_fini(&states->intern);
    scene_names_fini(&states->names);
    reader_map_fini(&states->stack_of);
    reader_map_fini(&states->entry_of);
    READER_VEC_FINI(&states->shares);
    free(states);
    return status;
}
