/* SPDX-License-Identifier: MIT */
/* JSON to the command's output, one value a line. */
#include <string.h>

#include "report.h"

#define DEPTH 16

static struct {
    char closing[DEPTH];
    unsigned depth;
    bool follows; /* a value stands before, in the same brackets */
} json;

/* Length of the UTF-8 character at text, or 0 where there is none. */
static size_t utf8_length(const unsigned char *text, size_t size)
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

void cli_json_quote(weft_text text)
{
    const unsigned char *at = (const unsigned char *)text.data;
    size_t left = text.size;
    cli_put_char('"');
    while (left > 0) {
        size_t length = utf8_length(at, left);
        if (length == 0)
            cli_put_text("\xef\xbf\xbd");
        else if (*at < 0x20)
            cli_printf("\\u%04x", *at);
        else if (*at == '"' || *at == '\\')
            cli_printf("\\%c", *at);
        else
            cli_put((const char *)at, length);
        length += length == 0;
        at += length;
        left -= length;
    }
    cli_put_char('"');
}

static void new_line(void)
{
    cli_put_char('\n');
    for (unsigned i = 0; i < json.depth; i++)
        cli_put_text("  ");
}

/* What stands before a value. */
static void put_key(const char *key)
{
    if (json.follows)
        cli_put_char(',');
    if (json.depth)
        new_line();
    if (key) {
        cli_json_quote((weft_text){key, strlen(key)});
        cli_put_text(": ");
    }
    json.follows = true;
}

void cli_json_begin(const char *key, char bracket)
{
    put_key(key);
    cli_put_char(bracket);
    if (json.depth < DEPTH)
        json.closing[json.depth] = bracket == '{' ? '}' : ']';
    json.depth++;
    json.follows = false;
}

void cli_json_end(void)
{
    json.depth--;
    if (json.follows)
        new_line();
    cli_put_char(json.closing[json.depth]);
    json.follows = json.depth > 0;
    if (json.depth == 0)
        cli_put_char('\n');
}

void cli_json_unsigned(const char *key, uint64_t number)
{
    put_key(key);
    cli_put_unsigned(number);
}

void cli_json_signed(const char *key, int64_t number)
{
    put_key(key);
    cli_put_signed(number);
}

void cli_json_real(const char *key, double number)
{
    put_key(key);
    cli_printf("%.6g", number);
}

void cli_json_bool(const char *key, bool value)
{
    put_key(key);
    cli_put_text(value ? "true" : "false");
}

void cli_json_null(const char *key)
{
    put_key(key);
    cli_put_text("null");
}

void cli_json_string(const char *key, const char *string)
{
    cli_json_text(key, (weft_text){string, strlen(string)});
}

void cli_json_text(const char *key, weft_text text)
{
    put_key(key);
    cli_json_quote(text);
}

void cli_json_id(const char *key, uint64_t id)
{
    if (id == WEFT_ID_NONE)
        cli_json_null(key);
    else
        cli_json_unsigned(key, id);
}

void cli_json_lengths(const weft_histogram *lengths)
{
    cli_json_unsigned("count", lengths->count);
    cli_json_signed("sum_ns", lengths->sum);
    cli_json_signed("p50_ns", weft_histogram_quantile(lengths, 0.5));
    cli_json_signed("p90_ns", weft_histogram_quantile(lengths, 0.9));
    cli_json_signed("p99_ns", weft_histogram_quantile(lengths, 0.99));
    cli_json_signed("p999_ns", weft_histogram_quantile(lengths, 0.999));
    cli_json_signed("max_ns", lengths->max);
}

void cli_json_shares(const char *key, weft_shares shares)
{
    cli_json_begin(key, '[');
    for (size_t i = 0; i < shares.count; i++) {
        cli_json_begin(NULL, '{');
        cli_json_text("name", shares.at[i].name);
        cli_json_unsigned("count", shares.at[i].count);
        cli_json_signed("ns", shares.at[i].time);
        cli_json_signed("max_ns", shares.at[i].max);
        cli_json_end();
    }
    cli_json_end();
}

void cli_json_place(const char *key, const weft_place *place)
{
    cli_json_begin(key, '{');
    cli_json_unsigned("pc", place->pc);
    cli_json_text("function", place->function);
    cli_json_text("file", place->file);
    cli_json_unsigned("line", place->line);
    cli_json_end();
}

void cli_json_times(const weft_times *times, weft_shares blocked, weft_shares ranges)
{
    static const char *const keys[] = {"running", "runnable", "blocked", "syscall",
                                       "syscall_blocked"};
    cli_json_begin("states", '{');
    for (unsigned i = 0; i < WEFT_SPENT_LIMIT; i++) {
        cli_json_begin(keys[i], '{');
        cli_json_unsigned("count", times->count[i]);
        cli_json_signed("ns", times->time[i]);
        cli_json_signed("max_ns", times->max[i]);
        cli_json_end();
    }
    cli_json_end();
    cli_json_shares("blocked_by_reason", blocked);
    cli_json_shares("ranges", ranges);
}
