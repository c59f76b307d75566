/* SPDX-License-Identifier: MIT */
#include "reader/header.h"

#include "wire/batch.h"

/*
 * Takes one blank: Unicode white space except line feed, in UTF-8. Carriage return counts unless a
 * line feed follows. Returns 1, 0 if something else is next (nothing is taken then, or the header
 * is malformed anyway).
 */
static int take_blank(struct reader_source *source)
{
    int byte = reader_source_peek(source);
    if (byte == '\r') {
        reader_source_byte(source);
        return reader_source_peek(source) != '\n';
    }
    if (byte == '\t' || byte == '\v' || byte == '\f' || byte == ' ') {
        reader_source_byte(source);
        return 1;
    }
    if (byte == 0xc2) {
        reader_source_byte(source);
        int next = reader_source_byte(source);
        return next == 0x85 || next == 0xa0; /* next line, no-break space */
    }
    if (byte < 0xe1 || byte > 0xe3)
        return 0;
    reader_source_byte(source);
    int second = reader_source_byte(source), third = reader_source_byte(source);
    unsigned rune =
        (unsigned)(byte & 15) << 12 | (unsigned)(second & 63) << 6 | (unsigned)(third & 63);
    if (second < 0 || third < 0 || (second & 0xc0) != 0x80 || (third & 0xc0) != 0x80)
        return 0;
    return rune == 0x1680 || (rune >= 0x2000 && rune <= 0x200a) || rune == 0x2028 ||
           rune == 0x2029 || rune == 0x202f || rune == 0x205f || rune == 0x3000;
}

static bool take_blanks(struct reader_source *source, unsigned at_least)
{
    unsigned n = 0;
    while (take_blank(source))
        n++;
    return n >= at_least;
}

static bool take_bytes(struct reader_source *source, const char *bytes, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (reader_source_byte(source) != (uint8_t)bytes[i])
            return false;
    return true;
}

static bool take_number(struct reader_source *source, uint64_t *number)
{
    unsigned digits = 0;
    uint64_t value = 0;
    for (int byte; byte = reader_source_peek(source), byte >= '0' && byte <= '9'; digits++) {
        reader_source_byte(source);
        value = value * 10 + (uint64_t)(byte - '0');
        if (value > UINT32_MAX)
            return false;
    }
    *number = value;
    return digits > 0;
}

int reader_header_read(struct reader_source *source, unsigned *version, struct reader_fault *fault)
{
    uint64_t number = 0;
    bool match = take_bytes(source, "go", 2) && take_blanks(source, 1) &&
                 take_bytes(source, "1.", 2) && take_blanks(source, 0) &&
                 take_number(source, &number) && take_blanks(source, 1) &&
                 take_bytes(source, "trace\0\0\0", 8);
    if (source->error)
        return reader_fail_input(fault, source->error, 0, source->offset);
    if (!match)
        return reader_fail(fault, "HDR-1", 0, 0,
                           "not an execution trace: the header does not match at byte %llu",
                           (unsigned long long)source->offset);
    *version = (unsigned)number;
    if (number == 11 || number == 19 || number == 21)
        return reader_fail(fault, "HDR-3", 0, 0,
                           "trace of the older format (Go 1.%u); weft reads 1.22 and later",
                           *version);
    if (!wire_version_is_known(*version))
        return reader_fail(fault, "HDR-2", 0, 0, "unknown trace version 1.%u", *version);
    return 0;
}
