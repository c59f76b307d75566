/* SPDX-License-Identifier: MIT */
#include "reader/quote.h"

#include <stdbool.h>
#include <string.h>

struct quoted {
    const char *at, *end;
    uint8_t *out;
};

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_digits(struct quoted *q, unsigned n, unsigned base, uint32_t *value)
{
    *value = 0;
    for (; n > 0; n--) {
        int d = q->at < q->end ? digit(*q->at++) : -1;
        if (d < 0 || (unsigned)d >= base)
            return false;
        *value = *value * base + (unsigned)d;
    }
    return true;
}

static void put_rune(struct quoted *q, uint32_t rune)
{
    if (rune < 0x80) {
        *q->out++ = (uint8_t)rune;
    } else if (rune < 0x800) {
        *q->out++ = (uint8_t)(0xc0 | rune >> 6);
        *q->out++ = (uint8_t)(0x80 | (rune & 63));
    } else if (rune < 0x10000) {
        *q->out++ = (uint8_t)(0xe0 | rune >> 12);
        *q->out++ = (uint8_t)(0x80 | (rune >> 6 & 63));
        *q->out++ = (uint8_t)(0x80 | (rune & 63));
    } else {
        *q->out++ = (uint8_t)(0xf0 | rune >> 18);
        *q->out++ = (uint8_t)(0x80 | (rune >> 12 & 63));
        *q->out++ = (uint8_t)(0x80 | (rune >> 6 & 63));
        *q->out++ = (uint8_t)(0x80 | (rune & 63));
    }
}

static bool take_rune(struct quoted *q, unsigned digits)
{
    uint32_t rune;
    if (!take_digits(q, digits, 16, &rune) || rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000))
        return false;
    put_rune(q, rune);
    return true;
}

static bool take_byte(struct quoted *q, unsigned digits, unsigned base)
{
    uint32_t byte;
    if (!take_digits(q, digits, base, &byte) || byte > 255)
        return false;
    *q->out++ = (uint8_t)byte;
    return true;
}

/* What follows a backslash. */
static bool take_escape(struct quoted *q, char quote)
{
    static const char letters[] = "abfnrtv\\", bytes[] = "\a\b\f\n\r\t\v\\";
    if (q->at == q->end)
        return false;
    char c = *q->at;
    if (c >= '0' && c <= '7')
        return take_byte(q, 3, 8);
    q->at++;
    if (c == 'x')
        return take_byte(q, 2, 16);
    if (c == 'u' || c == 'U')
        return take_rune(q, c == 'u' ? 4 : 8);
    const char *found = c ? strchr(letters, c) : NULL;
    if (!found && c != quote)
        return false;
    *q->out++ = (uint8_t)(found ? bytes[found - letters] : c);
    return true;
}

static bool take_all(struct quoted *q, char quote)
{
    while (q->at < q->end) {
        char c = *q->at++;
        if (quote == '`') {
            if (c == '`')
                return false;
            if (c != '\r')
                *q->out++ = (uint8_t)c;
        } else if (c == quote || c == '\n') {
            return false;
        } else if (c != '\\') {
            *q->out++ = (uint8_t)c;
        } else if (!take_escape(q, quote)) {
            return false;
        }
    }
    return true;
}

ptrdiff_t reader_unquote(const char *text, size_t size, uint8_t *out)
{
    char quote = size >= 2 ? text[0] : 0;
    if ((quote != '"' && quote != '`' && quote != '\'') || text[size - 1] != quote)
        return -1;
    struct quoted q = {text + 1, text + size - 1, out};
    return take_all(&q, quote) ? q.out - out : -1;
}
