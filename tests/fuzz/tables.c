/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a query and a trace, split at the first zero byte: the tables and SQL over them
 * neither crash nor hang, and one pass over all tables gives as many rows as each alone.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <weft/sql.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Steps of SQLite's machine, and rows that are looked at. */
enum { BUDGET = 200000, ROWS = 2000 };

typedef struct {
    const uint8_t *data;
    size_t size;
    unsigned used;
} input;

typedef struct {
    const input *in;
    size_t at;
} view;

static view views[64];

static ptrdiff_t read_view(void *context, void *data, size_t size)
{
    view *v = context;
    if (size > v->in->size - v->at)
        size = v->in->size - v->at;
    memcpy(data, v->in->data + v->at, size);
    v->at += size;
    return (ptrdiff_t)size;
}

/* More readers than this are refused: a query may open a table again and again. */
static int open_view(void *context, weft_reader **reader)
{
    input *in = context;
    *reader = NULL;
    if (in->used == sizeof views / sizeof *views)
        return -EMFILE;
    view *v = &views[in->used++];
    *v = (view){in, 0};
    return weft_reader_open_callback(reader, read_view, v);
}

static void run_query(input *in, const char *text, size_t size)
{
    weft_sql *sql;
    size_t used;
    if (weft_sql_new(&sql, open_view, in) != 0)
        return;
    weft_sql_budget(sql, BUDGET);
    if (weft_sql_prepare(sql, text, size, &used) == 1) {
        for (unsigned rows = 0; rows < ROWS && weft_sql_step(sql) == 1; rows++)
            for (size_t i = 0; i < weft_sql_columns(sql); i++)
                (void)weft_sql_value(sql, i);
    }
    weft_sql_free(sql);
}

static size_t count_rows(weft_tables *tables, const weft_table *const *which, size_t count)
{
    weft_rows *rows;
    size_t n = 0;
    if (weft_rows_open_many(&rows, tables, which, count) == 0)
        while (weft_rows_next(rows) == 1)
            n++;
    weft_rows_close(rows);
    return n;
}

static void read_tables(input *in)
{
    weft_tables *tables;
    const weft_table *all[16];
    size_t count = 0, alone = 0;
    if (weft_tables_new(&tables, open_view, in) != 0)
        abort();
    while ((all[count] = weft_table_get(count)))
        count++;
    for (size_t i = 0; i < count; i++)
        alone += count_rows(tables, &all[i], 1);
    if (count_rows(tables, all, count) != alone)
        abort();
    weft_tables_free(tables);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char standard[] =
        "SELECT i.state, sum(i.duration), g.name, max(s.folded) FROM intervals i JOIN goroutines g "
        "ON g.id = i.g LEFT JOIN stacks s ON s.id = i.stack WHERE i.end < 1000000 GROUP BY 1, 3";
    const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
    bool whole = size > 3 && memcmp(data, "go ", 3) == 0;
    size_t split = whole || !zero ? 0 : (size_t)(zero - data) + 1;
    input in = {data + split, size - split, 0};
    read_tables(&in);
    in.used = 0;
    run_query(&in, standard, sizeof standard - 1);
    in.used = 0;
    if (split)
        run_query(&in, (const char *)data, split - 1);
    return 0;
}
