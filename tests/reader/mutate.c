/* SPDX-License-Identifier: MIT */
/*
 * mutate FILE DIR COUNT SEED: writes COUNT damaged copies of a small trace to DIR/mNNNNN.trace, for
 * comparing readers. Half are damaged as bytes; the others as raw text, line by line, so that they
 * are well-formed and reach the rules of the ordering.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/reader.h>

struct bytes {
    char *at;
    size_t size, capacity, read;
};

static uint64_t state;

static uint64_t draw(uint64_t below)
{
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return below ? (state * 0x2545f4914f6cdd1dull >> 16) % below : 0;
}

static void *must(void *pointer)
{
    if (!pointer) {
        fputs("mutate: out of memory\n", stderr);
        exit(2);
    }
    return pointer;
}

static int append(void *context, const void *data, size_t size)
{
    struct bytes *b = context;
    if (b->size + size + 1 > b->capacity) {
        b->capacity = (b->size + size + 1) * 2;
        b->at = must(realloc(b->at, b->capacity));
    }
    if (size)
        memcpy(b->at + b->size, data, size);
    b->size += size;
    b->at[b->size] = 0;
    return 0;
}

static ptrdiff_t take(void *context, void *data, size_t size)
{
    struct bytes *b = context;
    size_t n = b->size - b->read < size ? b->size - b->read : size;
    memcpy(data, b->at + b->read, n);
    b->read += n;
    return (ptrdiff_t)n;
}

static struct bytes load(const char *path)
{
    struct bytes b = {0};
    FILE *file = fopen(path, "rb");
    char chunk[4096];
    size_t n;
    while (file && (n = fread(chunk, 1, sizeof chunk, file)) > 0)
        append(&b, chunk, n);
    if (!file || b.size == 0) {
        fprintf(stderr, "mutate: cannot read %s\n", path);
        exit(2);
    }
    fclose(file);
    return b;
}

static void save(const char *dir, unsigned number, const struct bytes *b)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/m%05u.trace", dir, number);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(b->at, 1, b->size, file) != b->size || fclose(file) != 0) {
        fprintf(stderr, "mutate: cannot write %s\n", path);
        exit(2);
    }
}

/* -------- bytes -------- */

static void splice(struct bytes *b, size_t at, size_t remove, const char *data, size_t insert)
{
    struct bytes out = {0};
    append(&out, b->at, at);
    append(&out, data, insert);
    append(&out, b->at + at + remove, b->size - at - remove);
    free(b->at);
    *b = out;
}

static void damage_bytes(struct bytes *b)
{
    static const unsigned char likely[] = {0,  1,  2,   3,   4,   8,   49, 50,
                                           51, 52, 127, 128, 136, 137, 255};
    size_t at = draw(b->size);
    char byte = (char)(draw(2) ? draw(256) : likely[draw(sizeof likely)]);
    switch (draw(6)) {
    case 0:
        b->at[at] ^= (char)(1 << draw(8));
        break;
    case 1:
        splice(b, at, 1, NULL, 0);
        break;
    case 2:
        splice(b, at, 0, &byte, 1);
        break;
    case 3:
        if (draw(4) == 0)
            b->size = at;
        break;
    default:
        b->at[at] = byte;
    }
}

/* -------- text -------- */

struct lines {
    char **at;
    size_t count;
    char *
        *owned; /* what the lines lie in: a line may stand in several places, or in none any more */
    size_t owned_count;
};

static char *keep(struct lines *l, char *memory)
{
    l->owned = must(realloc(l->owned, (l->owned_count + 1) * sizeof *l->owned));
    l->owned[l->owned_count++] = must(memory);
    return memory;
}

static void lines_free(struct lines *l)
{
    for (size_t i = 0; i < l->owned_count; i++)
        free(l->owned[i]);
    free(l->owned);
    free(l->at);
}

static struct lines split(const struct bytes *text)
{
    struct lines l = {.at = must(calloc(text->size + 1, sizeof(char *)))};
    char *copy = keep(&l, strdup(text->at));
    for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n")) {
        char *size = strncmp(line, "EventBatch", 10) == 0 ? strstr(line, "size=") : NULL;
        if (size) {
            char *longer = keep(&l, malloc((size_t)(size - line) + sizeof "size=auto"));
            sprintf(longer, "%.*ssize=auto", (int)(size - line), line);
            line = longer;
        }
        l.at[l.count++] = line;
    }
    return l;
}

/* The line with one of its numbers changed. */
static char *change_number(struct lines *l, const char *line)
{
    char *starts[16];
    unsigned n = 0;
    char *copy = keep(l, malloc(strlen(line) + 32));
    strcpy(copy, line);
    for (char *at = copy; (at = strchr(at, '=')) && n < 16; at++)
        if (at[1] >= '0' && at[1] <= '9')
            starts[n++] = at + 1;
    if (n == 0)
        return copy;
    char *at = starts[draw(n)], *end;
    unsigned long long value = strtoull(at, &end, 10);
    static const unsigned long long likely[] = {
        0, 1, 2, 3, 4, 5, 7, 255, 256, 258, 1ull << 32, 1ull << 63, ~0ull, ~0ull - 1};
    switch (draw(4)) {
    case 0:
        value++;
        break;
    case 1:
        value--;
        break;
    default:
        value = likely[draw(sizeof likely / sizeof *likely)];
    }
    char *rest = must(strdup(end));
    sprintf(at, "%llu%s", value, rest);
    free(rest);
    return copy;
}

static void damage_line(struct lines *l)
{
    size_t i = 1 + draw(l->count - 1), j = 1 + draw(l->count - 1);
    char *line = l->at[i];
    switch (draw(6)) {
    case 0: /* drop */
        memmove(l->at + i, l->at + i + 1, (l->count - i - 1) * sizeof *l->at);
        l->count--;
        break;
    case 1: /* exchange with the next */
        if (i + 1 < l->count) {
            l->at[i] = l->at[i + 1];
            l->at[i + 1] = line;
        }
        break;
    case 2: /* replace by another */
        l->at[i] = l->at[j];
        break;
    default:
        l->at[i] = change_number(l, line);
    }
}

static bool damage_text(const struct bytes *text, struct bytes *out)
{
    struct lines l = split(text);
    for (uint64_t n = 1 + draw(3); n > 0 && l.count > 2; n--)
        damage_line(&l);
    struct bytes damaged = {0};
    for (size_t i = 0; i < l.count; i++) {
        append(&damaged, l.at[i], strlen(l.at[i]));
        append(&damaged, "\n", 1);
    }
    out->size = 0;
    bool good = weft_raw_assemble(take, &damaged, append, out, NULL) == 0;
    free(damaged.at);
    lines_free(&l);
    return good;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fputs("usage: mutate FILE DIR COUNT SEED\n", stderr);
        return 2;
    }
    struct bytes trace = load(argv[1]), text = {0};
    unsigned count = (unsigned)atoi(argv[3]);
    state = strtoull(argv[4], NULL, 10) * 2 + 1;
    for (unsigned i = 0; i < 20; i++)
        draw(2);
    trace.read = 0;
    if (weft_raw_print(take, &trace, append, &text, NULL) < 0) {
        fputs("mutate: the trace has no text\n", stderr);
        return 2;
    }
    for (unsigned i = 0; i < count;) {
        struct bytes out = {0};
        bool good = true;
        if (draw(2)) {
            good = damage_text(&text, &out);
        } else {
            append(&out, trace.at, trace.size);
            for (uint64_t n = 1 + draw(3); n > 0 && out.size > 20; n--)
                damage_bytes(&out);
        }
        if (good)
            save(argv[2], i++, &out);
        free(out.at);
    }
    free(text.at);
    free(trace.at);
    return 0;
}
