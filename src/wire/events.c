/* SPDX-License-Identifier: MIT */
#include "wire/events.h"

#include <string.h>

const struct wire_event_spec wire_event_specs[WIRE_EVENT_LIMIT] = {
#define WIRE_ARG(name, kind) {#name, WIRE_ARG_##kind},
#define WIRE_EVENT(id, symbol, name, since, shape, args)                                           \
    [id] = {name, WIRE_SHAPE_##shape, since, WIRE_ARGC_##symbol, {args}},
#include "wire/events.def"
};

bool wire_event_has_name(unsigned id, unsigned version)
{
    if (id >= WIRE_EVENT_LIMIT || wire_event_specs[id].shape == WIRE_SHAPE_UNUSED)
        return false;
    const struct wire_event_spec *spec = &wire_event_specs[id];
    return version >= (spec->shape == WIRE_SHAPE_EXPERIMENT ? 26u : spec->since);
}

int wire_event_by_name(const char *name, uint64_t length, unsigned version)
{
    for (unsigned id = 1; id < WIRE_EVENT_LIMIT; id++) {
        if (!wire_event_has_name(id, version))
            continue;
        const char *known = wire_event_specs[id].name;
        if (strlen(known) == length && memcmp(known, name, length) == 0)
            return (int)id;
    }
    return -1;
}
