/* SPDX-License-Identifier: MIT */
#include "moment.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* -------- lengths -------- */

static int64_t unit_of(const char *name, int64_t alone)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"ns", 1}, {"us", 1000}, {"µs", 1000}, {"ms", 1000000}, {"s", 1000000000}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(name, units[i].name) == 0)
            return units[i].ns;
    return *name ? 0 : alone;
}

/* The digits behind a point, in billionths; what is beyond makes no nanosecond. */
static const char *parse_fraction(const char *at, int64_t *billionths)
{
    int64_t scale = 1000000000;
    *billionths = 0;
    for (; isdigit((unsigned char)*at); at++)
        *billionths += (scale /= 10) * (*at - '0');
    return at;
}

static bool parse(const char *text, int64_t alone, int64_t *ns)
{
    int64_t whole = 0, billionths = 0;
    const char *at = text;
    for (; isdigit((unsigned char)*at); at++)
        if (__builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, *at - '0', &whole))
            return false;
    if (at != text && *at == '.')
        at = parse_fraction(at + 1, &billionths);
    int64_t unit = unit_of(at, alone);
    return at != text && unit && !__builtin_mul_overflow(whole, unit, &whole) &&
           !__builtin_add_overflow(whole, (billionths * unit + 500000000) / 1000000000, ns);
}

bool cli_duration_parse(const char *text, int64_t *ns)
{
    return parse(text, 1, ns);
}

bool cli_seconds_parse(const char *text, int64_t *ns)
{
    return parse(text, 1000000000, ns);
}

/* -------- points -------- */

static bool parse_wall(const char *text, struct cli_moment *moment)
{
    struct tm parts = {0};
    int used = 0;
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &parts.tm_year, &parts.tm_mon, &parts.tm_mday,
               &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &used) != 6)
        return false;
    parts.tm_year -= 1900;
    parts.tm_mon--;
    const char *at = text + used;
    moment->kind = CLI_MOMENT_WALL;
    moment->sec = timegm(&parts);
    moment->ns = 0;
    if (*at == '.')
        at = parse_fraction(at + 1, &moment->ns);
    if (*at == 'Z')
        at++;
    return *at == 0;
}

bool cli_moment_parse(const char *text, struct cli_moment *moment)
{
    *moment = (struct cli_moment){0};
    return cli_duration_parse(text, &moment->ns) || parse_wall(text, moment);
}

static int64_t saturate(int64_t time, int64_t add)
{
    int64_t sum;
    return __builtin_add_overflow(time, add, &sum) ? (add < 0 ? INT64_MIN : INT64_MAX) : sum;
}

int cli_moment_locate(const struct cli_moment *moment, const struct cli_origin *origin,
                      int64_t *time)
{
    int64_t seconds, ns;
    if (moment->kind == CLI_MOMENT_END) {
        *time = INT64_MAX;
    } else if (moment->kind == CLI_MOMENT_OFFSET) {
        *time = saturate(origin->begin, moment->ns);
    } else {
        if (!origin->has_wall || __builtin_sub_overflow(moment->sec, origin->wall_sec, &seconds))
            return -ENODATA;
        if (__builtin_mul_overflow(seconds, 1000000000, &ns))
            ns = seconds < 0 ? INT64_MIN : INT64_MAX;
        *time = saturate(saturate(origin->trace_time, ns), moment->ns - (int64_t)origin->wall_nsec);
    }
    return 0;
}
