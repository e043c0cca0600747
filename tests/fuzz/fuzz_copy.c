/* SPDX-License-Identifier: MIT */
/* link: worker/sync/snapshot worker/sync/snapshot_sql worker/sync/write worker/sync/previous worker/sync/pg */
/* link: common/uri common/resolve common/clock common/json common/json_valid common/log common/mem common/err */
/*
 * fuzz_copy - the text of COPY, both ways. The first byte is the shape of what is written, the rest texts, each ended by a NUL:
 * rows of symbols and closes. PostgreSQL is played here by two functions that do what its manual says.
 *
 * What PostgreSQL sends reads as the same texts. What is written reads, by COPY's rules and as JSON, as the same texts again; and
 * the members read back from that JSON are the members.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/utf8.h"
#include "worker/sync/previous.h"
#include "worker/sync/snapshot_load.h"
#include "worker/sync/write.h"

#define COLUMNS 15
#define NULLABLE 8 /* the first column that may be NULL */
#define NULLABLE_LAST 13
#define ROWS_MAX 40
#define MARK_NULL '\xff' /* begins a text that stands for NULL */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char *rows[ROWS_MAX][COLUMNS];
static size_t row_count, rows_sent;

/* What was written so far. */
static char *written;
static size_t written_len, written_room;

/* ---- in place of the server ---- */

static int server; /* stands for a connection and its results */

/* As the manual says that COPY TO writes a text. Returns where it ends. */
static char *
escape(char *out, const char *text)
{
    static const char codes[] = "\b\f\n\r\t\v\\", names[] = "bfnrtv\\";

    for (; *text != '\0'; text++) {
        const char *at = strchr(codes, *text);

        if (at != NULL)
            *out++ = '\\';
        *out++ = at != NULL ? names[at - codes] : *text;
    }
    return out;
}

static const char *
text_of(size_t row, int column)
{
    const char *text = rows[row][column];

    return column >= NULLABLE && column <= NULLABLE_LAST && *text == MARK_NULL ? NULL : text;
}

int
PQgetCopyData(PGconn *conn, char **buffer, int async)
{
    size_t room = 2;
    char *at;

    (void)conn, (void)async;
    if (rows_sent == row_count)
        return -1;
    for (int c = 0; c < COLUMNS; c++)
        room += 2 * strlen(rows[rows_sent][c]) + 3;
    at = *buffer = malloc(room);
    if (at == NULL)
        abort();
    for (int c = 0; c < COLUMNS; c++) {
        at = text_of(rows_sent, c) != NULL ? escape(at, text_of(rows_sent, c)) : stpcpy(at, "\\N");
        *at++ = c + 1 < COLUMNS ? '\t' : '\n';
    }
    *at = '\0';
    rows_sent++;
    return (int)(at - *buffer);
}

int
PQputCopyData(PGconn *conn, const char *buffer, int nbytes)
{
    (void)conn;
    if (written_len + (size_t)nbytes > written_room) {
        written_room = 2 * (written_len + (size_t)nbytes);
        written = realloc(written, written_room);
        if (written == NULL)
            abort();
    }
    memcpy(written + written_len, buffer, (size_t)nbytes);
    written_len += (size_t)nbytes;
    return 1;
}

PGresult *
PQexec(PGconn *conn, const char *query)
{
    (void)conn, (void)query;
    return (PGresult *)&server;
}

ExecStatusType
PQresultStatus(const PGresult *res)
{
    (void)res;
    return PGRES_COPY_OUT;
}

PGresult *
PQgetResult(PGconn *conn)
{
    (void)conn;
    return NULL;
}

void
PQclear(PGresult *res)
{
    (void)res;
}

void
PQfreemem(void *p)
{
    free(p);
}

/* As the manual says that COPY FROM reads a text up to its delimiter, which *in is moved past. NULL: SQL NULL. In place. */
static char *
unescape(char **in, char delimiter)
{
    static const char names[] = "bfnrtv", codes[] = "\b\f\n\r\t\v";
    char *start = *in, *out = start, *end = written + written_len;
    bool null = false;

    for (; *in < end && **in != '\t' && **in != '\n'; (*in)++) {
        char c = **in;

        if (c == '\r' || (c == '\\' && *in + 1 == end))
            abort();
        if (c == '\\') {
            const char *at = strchr(names, *++*in);

            c = **in;
            null = c == 'N' && out == start && *in == start + 1 && (*in)[1] == delimiter;
            if ((c >= '0' && c <= '7') || c == 'x' || c == '.' || c == '\0')
                abort(); /* octal, hexadecimal, the end of the data: never meant */
            c = at != NULL ? codes[at - names] : c;
        }
        *out++ = c;
    }
    if (*in == end || **in != delimiter)
        abort();
    (*in)++;
    *out = '\0';
    return null ? NULL : start;
}

/* ---- what must hold ---- */

static void
must_equal(const char *got, const char *wanted)
{
    if (got == NULL || strcmp(got, wanted) != 0)
        abort();
}

static void
must_read(const char *got, const char *sent)
{
    must_equal(got, *sent != '\0' ? sent : "Unknown");
}

static void
check_snapshot(const struct snapshot *s)
{
    if (s->count != row_count)
        abort();
    for (size_t i = 0; i < s->count; i++) {
        must_equal(s->symbol[i], rows[i][0]);
        must_read(s->name[i], rows[i][1]);
        must_read(s->sectors.texts[s->sector[i]], rows[i][2]);
        must_read(s->industries.texts[s->industry[i]], rows[i][3]);
        must_read(s->texts.texts[s->exchange[i]], rows[i][4]);
        must_read(s->texts.texts[s->market[i]], rows[i][5]);
        must_read(s->texts.texts[s->etf_type[i]], rows[i][6]);
        must_read(s->texts.texts[s->issuer[i]], rows[i][7]);
    }
    for (size_t i = 1; i < s->ranking_count; i++)
        if (s->cap[s->ranking[i - 1]] < s->cap[s->ranking[i]])
            abort();
}

/* The lines of texts that write_copy_line wrote. */
static void
check_lines(char **in)
{
    for (size_t i = 0; i < row_count; i++)
        for (int c = 0; c < COLUMNS; c++) {
            const char *got = unescape(in, c + 1 < COLUMNS ? '\t' : '\n'), *sent = text_of(i, c);

            if (sent != NULL)
                must_equal(got, sent);
            else if (got != NULL)
                abort();
        }
}

static void
check_members(const json_t *symbols, const struct snapshot *s)
{
    struct cs_arena *arena = cs_arena_new(4096);
    char *text = json_dumps(symbols, 0);
    const char **members;
    size_t count;

    if (arena == NULL || text == NULL || !previous_members(arena, text, &members, &count) ||
        count != s->count)
        abort();
    for (size_t i = 0; i < count; i++) {
        must_equal(json_string_value(json_array_get(symbols, i)), s->symbol[i]);
        must_equal(members[i], s->symbol[i]);
    }
    free(text);
    cs_arena_free(arena);
}

static bool
all_utf8(void)
{
    for (size_t i = 0; i < row_count; i++)
        for (int c = 0; c < NULLABLE; c++) {
            const char *text = rows[i][c];

            for (size_t left = strlen(text), n; left > 0; left -= n, text += n) {
                n = cs_utf8_len((const unsigned char *)text, left);
                if (n == 0)
                    return false;
            }
        }
    return true;
}

static void
check_value(const char *json, const struct write_row *row)
{
    json_t *value;

    if (row->sel != NULL && !all_utf8()) /* the database's encoding keeps them out */
        return;
    if (json == NULL || !cs_json_valid(json, strlen(json)))
        abort();
    if (row->sel == NULL)
        return;
    value = cs_json_parse(json, strlen(json), SIZE_MAX, NULL);
    check_members(json_is_array(value) ? value : json_object_get(value, "symbols"), row->snap);
    json_decref(value);
}

/* ---- a run ---- */

static void
write_and_check(const struct snapshot *s, enum rules_shape shape)
{
    struct rules_universe rule = {.per = RULES_PER_INDUSTRY};
    struct rules_output output = {.shape = shape};
    struct selected sel = {.rule = &rule, .count = s->count, .first_count = s->count / 2};
    struct write_stats stats = {.total_stocks = (int64_t)s->count};
    struct write_row row = {s, shape == RULES_SHAPE_STATS ? NULL : &sel, &output, &stats};
    struct write_copy *copy = write_copy_open((PGconn *)&server);
    char first[33], second[33], *in;

    sel.ids = calloc(s->count + 1, sizeof *sel.ids);
    if (sel.ids == NULL)
        abort();
    for (size_t i = 0; i < s->count; i++) {
        const char *texts[COLUMNS];

        sel.ids[i] = (uint32_t)i;
        stats.total_market_cap += s->cap[i] > 0 ? s->cap[i] : 0;
        for (int c = 0; c < COLUMNS; c++)
            texts[c] = text_of(i, c);
        write_copy_line(copy, texts, COLUMNS);
    }
    write_copy_value(copy, &row, "2024-05-09T20:00:00.000Z");
    write_copy_next(copy, true);
    write_digest(&row, first);
    write_digest(&row, second);
    if (strcmp(first, second) != 0 || !write_copy_close(copy))
        abort();
    in = written;
    check_lines(&in);
    check_value(unescape(&in, '\n'), &row);
    if (in != written + written_len)
        abort();
    free(sel.ids);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct snapshot_opts opts = {.compute = len > 1 && data[1] % 2 == 0};
    struct snapshot_caps caps;
    struct snapshot *s = NULL;
    struct cs_err err;
    char *text = malloc(len + 1), *at;
    size_t columns = 0;

    if (text == NULL || len == 0)
        return free(text), 0;
    memcpy(text, data, len);
    text[len] = '\0';
    for (at = text + 1; at < text + len && columns < (size_t)ROWS_MAX * COLUMNS;
         at += strlen(at) + 1, columns++)
        rows[columns / COLUMNS][columns % COLUMNS] = at;
    row_count = columns / COLUMNS;
    rows_sent = written_len = 0;
    if (snapshot_load((PGconn *)&server, &opts, &s, &caps, &err) != CS_OK)
        abort();
    check_snapshot(s);
    write_and_check(s, (enum rules_shape)(data[0] % (RULES_SHAPE_STATS + 1)));
    snapshot_free(s);
    free(written);
    written = NULL;
    written_room = 0;
    free(text);
    return 0;
}
