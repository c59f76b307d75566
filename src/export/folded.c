/* SPDX-License-Identifier: MIT */
/* Folded stacks: text, one stack a line. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <weft/export.h>

#include "export/output.h"

/* A function's name; what would end a frame or a line is replaced. */
static void put_function(struct export_output *output, weft_text name, uint64_t pc)
{
    char address[32];
    if (name.size == 0) {
        snprintf(address, sizeof address, "0x%llx", (unsigned long long)pc);
        name = (weft_text){address, strlen(address)};
    }
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i] == ';' ? ':' : name.data[i];
        export_put(output, (unsigned char)c < 0x20 ? "?" : &c, 1);
    }
}

static void put_sample(struct export_output *output, const weft_profile *profile,
                       const weft_sample *sample)
{
    char number[32];
    for (size_t i = sample->depth; i-- > 0;) {
        weft_profile_frame frame;
        if (weft_profile_frame_get(profile, sample->frames[i], &frame) != 0)
            continue;
        put_function(output, weft_profile_text(profile, frame.function), frame.pc);
        if (i)
            export_put(output, ";", 1);
    }
    if (sample->depth == 0)
        export_put(output, "(no stack)", 10);
    if (weft_profile_kind_get(profile) == WEFT_PROFILE_CPU)
        snprintf(number, sizeof number, " %llu\n", (unsigned long long)sample->count);
    else
        snprintf(number, sizeof number, " %lld\n", (long long)sample->time);
    export_put(output, number, strlen(number));
}

int weft_export_folded(const weft_profile *profile, weft_write_fn write, void *context)
{
    struct export_output *output = malloc(sizeof *output);
    if (!output)
        return -ENOMEM;
    *output = (struct export_output){.write = write, .context = context};
    weft_sample sample;
    for (size_t i = 0; weft_profile_sample(profile, i, &sample) == 0; i++)
        if (sample.count)
            put_sample(output, profile, &sample);
    int status = export_flush(output);
    free(output);
    return status;
}
