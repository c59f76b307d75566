/* SPDX-License-Identifier: MIT */
#include "reader/fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "reader/memory.h"

static void locate(struct reader_fault *fault, const char *rule, uint64_t generation,
                   uint64_t offset)
{
    fault->error = (weft_reader_error){rule, generation, offset, fault->text};
}

void reader_make_printable(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

int reader_fail(struct reader_fault *fault, const char *rule, uint64_t generation, uint64_t offset,
                const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(fault->text, sizeof fault->text, format, args);
    va_end(args);
    reader_make_printable(fault->text);
    locate(fault, rule, generation, offset);
    return -EBADMSG;
}

int reader_fail_memory(struct reader_fault *fault, uint64_t generation, uint64_t offset)
{
    locate(fault, "MEM", generation, offset);
    if (fault->budget && fault->budget->exceeded)
        snprintf(fault->text, sizeof fault->text, "more than the limit of %zu bytes of memory",
                 fault->budget->limit);
    else
        snprintf(fault->text, sizeof fault->text, "out of memory");
    return -ENOMEM;
}

int reader_fail_input(struct reader_fault *fault, int error, uint64_t generation, uint64_t offset)
{
    locate(fault, "IO", generation, offset);
    snprintf(fault->text, sizeof fault->text, "cannot read: %s", strerror(-error));
    return error;
}
