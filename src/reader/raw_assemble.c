/* SPDX-License-Identifier: MIT */
/*
 * From raw text to a trace's bytes: trace-format.md 11. What is written is what the text says,
 * right or wrong: tests make malformed traces so. Beyond Go's format, the size of an EventBatch may
 * be `auto`, and a String without a data= line is empty.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <weft/reader.h>

#include "reader/memory.h"
#include "reader/fault.h"
#include "reader/quote.h"
#include "reader/source.h"
#include "wire/batch.h"

#define LINE_MAX_SIZE 65535

typedef unsigned long long ull;

struct assembler {
    struct reader_source source;
    weft_write_fn write;
    void *context;
    struct reader_fault *fault;
    char line[LINE_MAX_SIZE + 2];
    size_t size;
    uint64_t number; /* of the line, from 1 */
    bool kept;       /* the line was read ahead and is still to be used */
    unsigned version;
    READER_VEC(uint8_t) out;
    bool open; /* out holds the payload of a batch whose header waits for its size */
    uint64_t header[3];
    uint8_t data[LINE_MAX_SIZE + 1]; /* of a data= line */
};

WEFT_PRINTF(2, 3)
static int fail(struct assembler *a, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return reader_fail(a->fault, "TEXT", 0, a->number, "%s", text);
}

/* -------- lines and words -------- */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Reads a line without its end. 1, 0 at the end of the text, or a negative errno value. */
static int read_line(struct assembler *a)
{
    if (a->kept) {
        a->kept = false;
        return 1;
    }
    a->size = 0;
    a->number++;
    int byte;
    while ((byte = reader_source_byte(&a->source)) >= 0 && byte != '\n') {
        if (a->size == LINE_MAX_SIZE)
            return fail(a, "line of more than %d bytes", LINE_MAX_SIZE);
        a->line[a->size++] = (char)byte;
    }
    if (a->source.error)
        return reader_fail_input(a->fault, a->source.error, 0, a->source.offset);
    if (byte < 0 && a->size == 0)
        return 0;
    while (a->size > 0 && is_space(a->line[a->size - 1]))
        a->size--;
    a->line[a->size] = 0;
    return 1;
}

/* The next line that says something, without leading white space. */
static int next_line(struct assembler *a, char **line)
{
    for (;;) {
        int status = read_line(a);
        if (status <= 0)
            return status;
        char *at = a->line;
        while (is_space(*at))
            at++;
        if (at != a->line + a->size && *at != '#') {
            *line = at;
            return 1;
        }
    }
}

/* Takes a word off the line: its start, with its end marked by NUL; NULL if there is none. */
static char *take_word(char **line)
{
    char *word = *line;
    while (is_space(*word))
        word++;
    if (!*word)
        return NULL;
    char *end = word;
    while (*end && !is_space(*end))
        end++;
    *line = *end ? end + 1 : end;
    *end = 0;
    return word;
}

static bool parse_number(const char *text, uint64_t *value)
{
    uint64_t v = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || v > UINT64_MAX / 10 ||
            v * 10 > UINT64_MAX - (uint64_t)(*text - '0'))
            return false;
        v = v * 10 + (uint64_t)(*text - '0');
    }
    *value = v;
    return true;
}

/* Takes name=value. automatic, if not NULL, allows the value `auto`. */
static int take_argument(struct assembler *a, char **line, const char *name, uint64_t *value,
                         bool *automatic)
{
    char *word = take_word(line);
    size_t size = strlen(name);
    if (!word || strncmp(word, name, size) != 0 || word[size] != '=')
        return fail(a, "expected %s=, found %s", name, word ? word : "the end of the line");
    if (automatic && strcmp(word + size + 1, "auto") == 0)
        *automatic = true;
    else if (!parse_number(word + size + 1, value))
        return fail(a, "%s is not an unsigned decimal of 64 bits", word);
    return 0;
}

static int expect_end(struct assembler *a, char **line)
{
    char *word = take_word(line);
    return word ? fail(a, "unexpected %s", word) : 0;
}

/* -------- output -------- */

static int put_bytes(struct assembler *a, const void *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t *at = READER_PUSH(&a->out);
        if (!at)
            return reader_fail_memory(a->fault, 0, a->number);
        *at = ((const uint8_t *)data)[i];
    }
    return 0;
}

static int put_number(struct assembler *a, uint64_t value)
{
    uint8_t bytes[WIRE_VARINT_MAX];
    return put_bytes(a, bytes, (size_t)(wire_varint_encode(bytes, value) - bytes));
}

static int flush(struct assembler *a)
{
    int status = 0;
    if (a->open) {
        uint8_t header[WIRE_BATCH_HEADER_MAX];
        uint8_t *end = header;
        *end++ = WIRE_EV_EVENT_BATCH;
        for (unsigned i = 0; i < 3; i++)
            end = wire_varint_encode(end, a->header[i]);
        end = wire_varint_encode(end, a->out.count);
        status = a->write(a->context, header, (size_t)(end - header));
        a->open = false;
    }
    if (!status && a->out.count)
        status = a->write(a->context, a->out.at, a->out.count);
    a->out.count = 0;
    return status;
}

/* -------- events -------- */

static int event_batch(struct assembler *a, char **line)
{
    static const char *const names[] = {"gen", "m", "time"};
    uint64_t size = 0;
    bool automatic = false;
    int status = flush(a);
    for (unsigned i = 0; i < 3 && !status; i++)
        status = take_argument(a, line, names[i], &a->header[i], NULL);
    if (!status)
        status = take_argument(a, line, "size", &size, &automatic);
    if (status)
        return status;
    if (automatic) {
        a->open = true;
        return 0;
    }
    uint8_t tag = WIRE_EV_EVENT_BATCH;
    status = put_bytes(a, &tag, 1);
    for (unsigned i = 0; i < 3 && !status; i++)
        status = put_number(a, a->header[i]);
    return status ? status : put_number(a, size);
}

/* The data= line that follows, or nothing at all where that is allowed. */
static int data_line(struct assembler *a, bool optional)
{
    char *line;
    int status = next_line(a, &line);
    if (status < 0)
        return status;
    bool found = status > 0 && strncmp(line, "data", 4) == 0;
    if (found) {
        line += 4;
        while (is_space(*line))
            line++;
        found = *line == '=';
    }
    if (!found && !optional)
        return fail(a, "expected data=");
    if (!found) {
        a->kept = status > 0;
        return put_number(a, 0);
    }
    line++;
    while (is_space(*line))
        line++;
    ptrdiff_t size = reader_unquote(line, (size_t)(a->line + a->size - line), a->data);
    if (size < 0)
        return fail(a, "data is not a quoted text");
    status = put_number(a, (uint64_t)size);
    return status ? status : put_bytes(a, a->data, (size_t)size);
}

static int frame_lines(struct assembler *a, uint64_t count)
{
    static const char *const names[] = {"pc", "func", "file", "line"};
    for (uint64_t i = 0; i < count; i++) {
        char *line;
        int status = next_line(a, &line);
        if (status == 0)
            return fail(a, "the text ends inside a stack");
        for (unsigned j = 0; j < 4 && status >= 0; j++) {
            uint64_t value = 0;
            status = take_argument(a, &line, names[j], &value, NULL);
            if (!status)
                status = put_number(a, value);
            if (status)
                return status;
        }
        if (status >= 0)
            status = expect_end(a, &line);
        if (status)
            return status;
    }
    return 0;
}

static int experimental_batch(struct assembler *a, char **line)
{
    static const char *const names[] = {"exp", "gen", "m", "time"};
    uint8_t tag = WIRE_EV_EXPERIMENTAL_BATCH;
    int status = flush(a);
    if (!status)
        status = put_bytes(a, &tag, 1);
    for (unsigned i = 0; i < 4 && !status; i++) {
        uint64_t value = 0;
        status = take_argument(a, line, names[i], &value, NULL);
        if (!status && i == 0 && value > UINT8_MAX)
            status = fail(a, "exp is one byte");
        uint8_t byte = (uint8_t)value;
        if (!status)
            status = i == 0 ? put_bytes(a, &byte, 1) : put_number(a, value);
    }
    if (!status)
        status = expect_end(a, line);
    return status ? status : data_line(a, false);
}

static int other_event(struct assembler *a, unsigned id, char **line)
{
    const struct wire_event_spec *spec = &wire_event_specs[id];
    uint8_t tag = (uint8_t)id;
    uint64_t value = 0;
    int status = put_bytes(a, &tag, 1);
    if (!status && wire_event_is_timed(id)) {
        status = take_argument(a, line, "dt", &value, NULL);
        if (!status)
            status = put_number(a, value);
    }
    for (unsigned i = 0; i < spec->argc && !status; i++) {
        status = take_argument(a, line, spec->args[i].name, &value, NULL);
        if (!status)
            status = put_number(a, value);
    }
    if (!status)
        status = expect_end(a, line);
    if (!status && id == WIRE_EV_STRING)
        status = data_line(a, true);
    else if (!status && id == WIRE_EV_STACK)
        status = frame_lines(a, value);
    return status;
}

static int assemble_event(struct assembler *a, char *line)
{
    char *name = take_word(&line);
    int id = wire_event_by_name(name, strlen(name), a->version);
    if (id < 0)
        return fail(a, "no event of version 1.%u is named %s", a->version, name);
    if (id == WIRE_EV_EVENT_BATCH) {
        int status = event_batch(a, &line);
        return status ? status : expect_end(a, &line);
    }
    if (id == WIRE_EV_EXPERIMENTAL_BATCH)
        return experimental_batch(a, &line);
    if (id == WIRE_EV_END_OF_GENERATION && a->open) {
        int status = flush(a);
        if (status)
            return status;
    }
    return other_event(a, (unsigned)id, &line);
}

static int assemble_header(struct assembler *a)
{
    char *line;
    int status = next_line(a, &line);
    if (status < 0)
        return status;
    uint64_t version = 0;
    char *first = status ? take_word(&line) : NULL, *second = status ? take_word(&line) : NULL;
    if (!first || !second || strcmp(first, "Trace") != 0 || strncmp(second, "Go1.", 4) != 0 ||
        !parse_number(second + 4, &version) || version > 99 ||
        !wire_version_is_known((unsigned)version) || take_word(&line))
        return fail(a, "the first line must be Trace Go1.22, 1.23, 1.25 or 1.26");
    a->version = (unsigned)version;
    uint8_t header[WIRE_HEADER_SIZE];
    wire_header_encode(header, a->version);
    return a->write(a->context, header, sizeof header);
}

static int assemble(struct assembler *a)
{
    int status = assemble_header(a);
    char *line;
    while (!status && (status = next_line(a, &line)) > 0)
        status = assemble_event(a, line);
    int flushed = flush(a);
    return status ? status : flushed;
}

int weft_raw_assemble(weft_read_fn read, void *read_context, weft_write_fn write,
                      void *write_context, weft_reader_error *error)
{
    static _Thread_local struct reader_fault fault;
    fault = (struct reader_fault){.error = {"", 0, 0, ""}};
    struct assembler *a = calloc(1, sizeof *a);
    int status;
    if (!a || !reader_source_init(&a->source, read, read_context)) {
        status = reader_fail_memory(&fault, 0, 0);
    } else {
        a->write = write;
        a->context = write_context;
        a->fault = &fault;
        status = assemble(a);
        READER_VEC_FINI(&a->out);
        reader_source_fini(&a->source);
    }
    free(a);
    if (error)
        *error = fault.error;
    return status;
}
