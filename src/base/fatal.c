/* SPDX-License-Identifier: MIT */
#include "base/fatal.h"

#include "base/atomic.h"
#include "base/os.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

/* A message longer than this is cut: there is no memory to be had where this code runs. */
#define MESSAGE_MAX 1024

typedef struct text {
    size_t size;
    char bytes[MESSAGE_MAX];
} text;

static void (*fatal_hook)(void); /* atomic */
static uint64_t fatal_thread;    /* atomic: the thread whose fatal() runs, or 0 */

static void put_char(text *t, char c)
{
    if (t->size < sizeof t->bytes - 1) /* the last byte is kept for the newline */
        t->bytes[t->size++] = c;
}

static void put_string(text *t, const char *s)
{
    if (!s)
        s = "(null)";
    while (*s)
        put_char(t, *s++);
}

static void put_number(text *t, uint64_t value, unsigned base)
{
    char digits[20];
    int n = 0;
    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    while (n > 0)
        put_char(t, digits[--n]);
}

static void put_signed(text *t, int64_t value)
{
    if (value < 0)
        put_char(t, '-');
    put_number(t, value < 0 ? -(uint64_t)value : (uint64_t)value, 10);
}

/* longs: how many l (or z, t, j) stood before the letter. */
static uint64_t take_unsigned(va_list *args, int longs)
{
    return longs ? va_arg(*args, unsigned long) : va_arg(*args, unsigned);
}

static int64_t take_signed(va_list *args, int longs)
{
    return longs ? va_arg(*args, long) : va_arg(*args, int);
}

static void put_argument(text *t, char letter, int longs, va_list *args)
{
    switch (letter) {
    case 's':
        put_string(t, va_arg(*args, const char *));
        break;
    case 'd':
    case 'i':
        put_signed(t, take_signed(args, longs));
        break;
    case 'u':
        put_number(t, take_unsigned(args, longs), 10);
        break;
    case 'x':
        put_number(t, take_unsigned(args, longs), 16);
        break;
    case 'p':
        put_string(t, "0x");
        put_number(t, (uintptr_t)va_arg(*args, void *), 16);
        break;
    case 'c':
        put_char(t, (char)va_arg(*args, int));
        break;
    default:
        put_char(t, letter);
    }
}

_Static_assert(sizeof(long) == sizeof(long long) && sizeof(long) == sizeof(size_t),
               "the formatter takes l, ll, z, j and t for one size");

static void put_format(text *t, const char *format, va_list *args)
{
    for (const char *p = format; *p; p++) {
        int longs = 0;
        if (*p != '%') {
            put_char(t, *p);
            continue;
        }
        for (p++; *p == 'l' || *p == 'z' || *p == 'j' || *p == 't'; p++)
            longs++;
        if (!*p)
            return;
        put_argument(t, *p, longs, args);
    }
}

static void write_line(const char *prefix, const char *format, va_list *args)
{
    text t;
    t.size = 0;
    put_string(&t, prefix);
    put_format(&t, format, args);
    t.bytes[t.size++] = '\n';
    os_write_stderr(t.bytes, t.size); /* one write, so that lines of several threads do not mix */
}

/* Leaves one thread to end the process. */
static void fatal_elect(void)
{
    uint64_t self = os_thread_id(), first = 0;
    if (atomic_cas_acqrel(&fatal_thread, &first, self))
        return;
    if (first == self)
        abort(); /* the hook itself has failed */
    for (;;)
        os_sleep_ns(1000000000);
}

void fatal(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line("weft: fatal: ", format, &args);
    va_end(args);
    fatal_elect();
    void (*hook)(void) = atomic_load_acquire(&fatal_hook); /* pairs with base_fatal_hook() */
    if (hook)
        hook();
    abort();
}

void base_warn(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line("weft: ", format, &args);
    va_end(args);
}

void base_print(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line("", format, &args);
    va_end(args);
}

void base_fatal_hook(void (*hook)(void))
{
    atomic_store_release(&fatal_hook, hook); /* pairs with fatal() */
}
