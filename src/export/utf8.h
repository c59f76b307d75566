/* SPDX-License-Identifier: MIT */
#ifndef WEFT_EXPORT_UTF8_H
#define WEFT_EXPORT_UTF8_H

/* Texts of traces are any bytes; what other tools read must be UTF-8. Source: RFC 3629. */

#include <stdbool.h>
#include <stddef.h>

/* Length of the character at text, or 0 where there is none. */
static inline size_t utf8_length(const unsigned char *text, size_t size)
{
    if (text[0] < 0x80)
        return 1;
    size_t length = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
    if (text[0] < 0xc2 || text[0] > 0xf4 || length > size)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xf0 && text[1] < 0x90);
    bool outside = (text[0] == 0xed && text[1] >= 0xa0) || (text[0] == 0xf4 && text[1] >= 0x90);
    return overlong || outside ? 0 : length;
}

/* Puts question marks in place of bytes that are part of no character. */
static inline void utf8_repair(unsigned char *text, size_t size)
{
    for (size_t i = 0; i < size;) {
        size_t length = utf8_length(text + i, size - i);
        if (!length)
            text[i] = '?';
        i += length ? length : 1;
    }
}

#endif
