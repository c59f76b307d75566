/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void cli_printf(const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    cli_put_text(line);
}

/* Bytes of UTF-8 that continue a character take no column. */
static bool begins_character(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

void cli_put_name(weft_text text, size_t width)
{
    size_t columns = 0;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        columns += begins_character(c);
        if (width && columns > width)
            break;
        cli_put_char((unsigned char)c < 0x20 || c == 0x7f ? '?' : c);
    }
    for (; columns < width; columns++)
        cli_put_char(' ');
}

void cli_put_right(const char *text, size_t width)
{
    size_t columns = 0;
    for (const char *at = text; *at; at++)
        columns += begins_character(*at);
    for (; columns < width; columns++)
        cli_put_char(' ');
    cli_put_text(text);
}

/* Three significant digits, but none lost before the point. */
static struct cli_number scaled(double value, const char *unit)
{
    struct cli_number number;
    int digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    snprintf(number.text, sizeof number.text, "%.*f %s", digits, value, unit);
    return number;
}

struct cli_number cli_duration(int64_t ns)
{
    static const char *const units[] = {"ns", "µs", "ms", "s"};
    struct cli_number number;
    if (ns < 1000) {
        snprintf(number.text, sizeof number.text, "%lld ns", (long long)ns);
        return number;
    }
    double value = (double)ns;
    unsigned unit = 0;
    for (; value >= 999.5 && unit < 3; unit++)
        value /= 1000;
    return scaled(value, units[unit]);
}

struct cli_number cli_bytes(uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    struct cli_number number;
    if (bytes < 1024) {
        snprintf(number.text, sizeof number.text, "%llu B", (unsigned long long)bytes);
        return number;
    }
    double value = (double)bytes;
    unsigned unit = 0;
    for (; value >= 1023.5 && unit < 6; unit++)
        value /= 1024;
    return scaled(value, units[unit]);
}

struct cli_number cli_percent(int64_t part, int64_t whole)
{
    struct cli_number number = {"-"};
    if (whole > 0)
        snprintf(number.text, sizeof number.text, "%.1f %%", 100 * (double)part / (double)whole);
    return number;
}

void cli_put_shares(weft_shares shares, size_t most)
{
    for (size_t i = 0; i < shares.count && (!most || i < most); i++) {
        const weft_share *share = &shares.at[i];
        if (i)
            cli_put_text(", ");
        cli_put_name(share->name.size ? share->name : (weft_text){"(no reason given)", 17}, 0);
        cli_printf(" %s (%llu)", cli_duration(share->time).text, (unsigned long long)share->count);
    }
    if (most && shares.count > most)
        cli_put_text(", …");
}

void cli_put_place(const weft_place *place)
{
    cli_put_name(place->function, 0);
    if (place->file.size == 0)
        return;
    cli_put_text("  ");
    cli_put_name(place->file, 0);
    cli_printf(":%llu", (unsigned long long)place->line);
}

int64_t cli_sum_times(const weft_times *times)
{
    int64_t sum = 0;
    for (unsigned i = 0; i < WEFT_SPENT_LIMIT; i++)
        if (__builtin_add_overflow(sum, times->time[i], &sum))
            return INT64_MAX;
    return sum;
}

int cli_finish(const char *path, const weft_reader *reader, int status)
{
    if (status >= 0)
        return 0;
    const weft_reader_error *error = weft_reader_error_get(reader);
    if (*error->rule)
        cli_report(path, error);
    else
        cli_message("%s: %s\n", cli_file_name(path), strerror(-status));
    cli_message("%s: incomplete: what is shown ends there\n", cli_file_name(path));
    return 1;
}

int cli_summary_read(weft_reader *reader, weft_summary *summary)
{
    weft_event event;
    int status = 1, failed = 0;
    while (!failed && (status = weft_reader_next(reader, &event)) == 1)
        failed = weft_summary_event(summary, &event);
    if (!failed)
        failed = weft_summary_finish(summary);
    return failed ? failed : status;
}

bool cli_number_parse(const char *text, uint64_t *number)
{
    *number = 0;
    for (const char *at = text; *at; at++) {
        if (*at < '0' || *at > '9' || __builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, (uint64_t)(*at - '0'), number))
            return false;
    }
    return *text != 0;
}
