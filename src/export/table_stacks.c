/* SPDX-License-Identifier: MIT */
/* Stacks, in the order in which the trace names them first: that of their numbers. */
#include <errno.h>
#include <string.h>

#include "export/table.h"

struct stacks {
    uint32_t given; /* the highest number given so far */
    char *text;     /* of the row at hand */
    size_t size, room;
};

static const weft_column stack_columns[] = {
    {"id", TABLE_INTEGER, 1, "what columns named stack refer to"},
    {"depth", TABLE_INTEGER, 0, "number of frames"},
    {"leaf", TABLE_TEXT, 0, "the innermost function"},
    {"root", TABLE_TEXT, 0, "the outermost function"},
    {"folded", TABLE_TEXT, 0, "all functions, outermost first, joined by ;"},
};

static bool append(struct stacks *stacks, const char *data, size_t size)
{
    if (stacks->size + size > stacks->room) {
        size_t room = 2 * (stacks->size + size);
        char *text = realloc(stacks->text, room);
        if (!text)
            return false;
        stacks->text = text;
        stacks->room = room;
    }
    if (size)
        memcpy(stacks->text + stacks->size, data, size);
    stacks->size += size;
    return true;
}

static bool fold(weft_rows *rows, struct stacks *stacks, uint32_t stack)
{
    weft_place place;
    bool ok = true;
    stacks->size = 0;
    for (size_t i = analysis_intern_depth(table_intern(rows), stack); i-- > 0 && ok;) {
        ok = analysis_intern_place(table_intern(rows), stack, i, &place) == 0 &&
             append(stacks, place.function.data, place.function.size) &&
             (i == 0 || append(stacks, ";", 1));
    }
    return ok;
}

static int stack_row(weft_rows *rows, struct stacks *stacks, uint32_t stack)
{
    weft_place leaf = {0}, root = {0};
    size_t depth = analysis_intern_depth(table_intern(rows), stack);
    if (depth) {
        (void)analysis_intern_place(table_intern(rows), stack, 0, &leaf);
        (void)analysis_intern_place(table_intern(rows), stack, depth - 1, &root);
    }
    if (!fold(rows, stacks, stack) || table_row(rows) != 0)
        return -ENOMEM;
    table_integer(rows, stack);
    table_integer(rows, (int64_t)depth);
    table_text(rows, leaf.function);
    table_text(rows, root.function);
    table_text(rows, (weft_text){stacks->text, stacks->size});
    return 0;
}

/* An event names two stacks at most; a new one has the number after the last. */
static uint32_t next_stack(weft_rows *rows, struct stacks *stacks, weft_stack stack)
{
    uint32_t number = analysis_intern_stack(table_intern(rows), stack);
    if (number <= stacks->given)
        return 0;
    stacks->given = number;
    return number;
}

/* The texts of a pass's rows hold until the next event: one text for each row of an event. */
struct two_stacks {
    struct stacks own, resource;
};

static int stacks_event(weft_rows *rows, void *state, const weft_event *event)
{
    struct two_stacks *two = state;
    uint32_t number = next_stack(rows, &two->own, event->stack);
    int status = number ? stack_row(rows, &two->own, number) : 0;
    two->resource.given = two->own.given;
    number = next_stack(rows, &two->resource, event->resource_stack);
    two->own.given = two->resource.given;
    return status || !number ? status : stack_row(rows, &two->resource, number);
}

static void stacks_stop(void *state)
{
    struct two_stacks *two = state;
    free(two->own.text);
    free(two->resource.text);
}

const struct table_maker table_stacks = {
    .table = {"stacks", "stacks that events name", TABLE_COLUMNS(stack_columns), 0},
    .state_size = sizeof(struct two_stacks),
    .event = stacks_event,
    .stop = stacks_stop,
};

/* -------- frames -------- */

static const weft_column frame_columns[] = {
    {"stack", TABLE_INTEGER, 1, "stacks.id"},   {"depth", TABLE_INTEGER, 0, "0 is the innermost"},
    {"pc", TABLE_INTEGER, 0, "address"},        {"function", TABLE_TEXT, 0, "its name"},
    {"file", TABLE_TEXT, 0, "where it stands"}, {"line", TABLE_INTEGER, 0, "where in the file"},
};

static int frame_rows(weft_rows *rows, uint32_t stack)
{
    size_t depth = analysis_intern_depth(table_intern(rows), stack);
    for (size_t i = 0; i < depth; i++) {
        weft_place place;
        if (analysis_intern_place(table_intern(rows), stack, i, &place) != 0 ||
            table_row(rows) != 0)
            return -ENOMEM;
        table_integer(rows, stack);
        table_integer(rows, (int64_t)i);
        table_integer(rows, (int64_t)place.pc);
        table_text(rows, place.function);
        table_text(rows, place.file);
        table_integer(rows, (int64_t)place.line);
    }
    return 0;
}

static int frames_event(weft_rows *rows, void *state, const weft_event *event)
{
    const weft_stack named[] = {event->stack, event->resource_stack};
    int status = 0;
    for (unsigned i = 0; i < 2 && !status; i++) {
        uint32_t number = next_stack(rows, state, named[i]);
        if (number)
            status = frame_rows(rows, number);
    }
    return status;
}

const struct table_maker table_frames = {
    .table = {"frames", "frames of stacks", TABLE_COLUMNS(frame_columns), 0},
    .state_size = sizeof(struct stacks),
    .event = frames_event,
};
