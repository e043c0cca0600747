/* SPDX-License-Identifier: MIT */
/*
 * snapshot - the columns, their loading and their look-up.
 *
 * Owns: the query, interning, the ranking. Does not: decide who is a member. Session's thread.
 */
#include "worker/sync/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "worker/sync/snapshot_load.h"

#define STEP_ROWS 1024 /* between two words of progress */

enum column {
    SYMBOL,
    NAME,
    SECTOR,
    INDUSTRY,
    EXCHANGE,
    MARKET,
    ETF_TYPE,
    ISSUER,
    TYPE,
    STORED,
    CAP,
    AUM,
    LISTED,
    CLOSED,
    ACTIVE,
    COLUMNS
};

/* Interning: open addressing over ids, doubled at half full. */
struct intern {
    struct snapshot_dict *dict;
    uint32_t *slots;
    uint32_t mask, room;
};

static uint32_t
text_hash(const char *s)
{
    uint32_t h = 2166136261U;
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 16777619U;
    return h;
}

static void
intern_init(struct intern *in, struct snapshot_dict *dict)
{
    in->dict = dict;
    in->room = 256;
    in->mask = 2 * in->room - 1;
    in->slots = cs_xcalloc(in->mask + 1, sizeof *in->slots);
    dict->texts = cs_xmalloc(in->room * sizeof *dict->texts);
    dict->texts[0] = "Unknown";
    dict->count = 1;
}

static void
intern_grow(struct intern *in)
{
    in->room *= 2;
    in->mask = 2 * in->room - 1;
    in->dict->texts = cs_xrealloc(in->dict->texts, in->room * sizeof *in->dict->texts);
    free(in->slots);
    in->slots = cs_xcalloc(in->mask + 1, sizeof *in->slots);
    for (uint32_t id = 1; id < in->dict->count; id++) {
        uint32_t i = text_hash(in->dict->texts[id]) & in->mask;
        while (in->slots[i])
            i = (i + 1) & in->mask;
        in->slots[i] = id;
    }
}

static uint32_t
intern(struct intern *in, struct cs_arena *arena, const char *s)
{
    if (!*s)
        return 0;
    uint32_t i = text_hash(s) & in->mask;
    for (; in->slots[i]; i = (i + 1) & in->mask)
        if (strcmp(in->dict->texts[in->slots[i]], s) == 0)
            return in->slots[i];
    char *copy = cs_arena_strndup(arena, s, strlen(s));
    if (!copy)
        return SNAPSHOT_NONE;
    uint32_t id = in->dict->count++;
    in->dict->texts[id] = copy;
    in->slots[i] = id;
    if (in->dict->count == in->room)
        intern_grow(in);
    return id;
}

/* Split one COPY text line in place; NULL fields become NULL pointers. */
static bool
split(char *line, char *fields[COLUMNS])
{
    int n = 0;
    char *in = line;
    while (n < COLUMNS) {
        char *out = in;
        fields[n++] = strncmp(in, "\\N", 2) == 0 && (in[2] == '\t' || in[2] == '\n') ? NULL : in;
        for (; *in != '\t' && *in != '\n' && *in; in++) {
            if (*in == '\\' && in[1]) {
                static const char names[] = "btnvfr", codes[] = "\b\t\n\v\f\r";
                const char *at = strchr(names, *++in);
                *out++ = at ? codes[at - names] : *in;
            } else {
                *out++ = *in;
            }
        }
        bool last = *in != '\t';
        *out = '\0';
        if (last)
            break;
        in++;
    }
    return n == COLUMNS;
}

static bool
reserve(struct snapshot *s, size_t room)
{
#define GROW(column)                                                                                         \
    do {                                                                                                     \
        void *p = realloc(s->column, room * sizeof *s->column);                                              \
        if (!p)                                                                                              \
            return false;                                                                                    \
        s->column = p;                                                                                       \
    } while (0)
    GROW(symbol);
    GROW(name);
    GROW(sector);
    GROW(industry);
    GROW(exchange);
    GROW(market);
    GROW(etf_type);
    GROW(issuer);
    GROW(cap);
    GROW(stored_cap);
    GROW(list_date);
    GROW(flags);
    GROW(ranking);
#undef GROW
    return true;
}

/* false for what is beyond bigint, "Infinity" included; *value is then the nearest bigint. */
static bool
parse_int(const char *text, int64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoll(text, &end, 10);
    if (end == text) {
        *value = *text == '-' ? INT64_MIN : INT64_MAX;
        return false;
    }
    return errno == 0;
}

struct loader {
    struct snapshot *snap;
    struct snapshot_caps *caps;
    struct intern sectors, industries, texts;
    const struct snapshot_opts *opts;
};

static void
set_cap(struct loader *l, size_t i, char *const f[COLUMNS])
{
    struct snapshot *s = l->snap;
    int64_t computed = 0;
    bool have = f[CAP] && parse_int(f[CAP], &computed);
    if (f[CAP] && !have && l->opts->compute && l->caps->overflow++ == 0)
        snprintf(l->caps->overflow_symbol, sizeof l->caps->overflow_symbol, "%.20s", f[SYMBOL]);
    s->stored_cap[i] = INT64_MIN;
    if (f[STORED] && !parse_int(f[STORED], &s->stored_cap[i]))
        s->stored_cap[i] = INT64_MIN;
    l->caps->priced += have;
    if (l->opts->compute && have) {
        s->cap[i] = computed;
        s->flags[i] |= SNAPSHOT_PRICED;
    } else if (s->stored_cap[i] != INT64_MIN)
        s->cap[i] = s->stored_cap[i];
    else if (!(s->flags[i] & SNAPSHOT_ETF) || !f[AUM])
        s->cap[i] = 0;
    else if (!parse_int(f[AUM], &s->cap[i])) /* absurd, and still in its place */
        s->cap[i] = s->cap[i] > 0 ? INT64_MAX : INT64_MIN;
}

static bool
add_row(struct loader *l, char *const f[COLUMNS])
{
    struct snapshot *s = l->snap;
    size_t i = s->count;
    const char *type = f[TYPE] ? f[TYPE] : "";
    s->symbol[i] = cs_arena_strndup(s->arena, f[SYMBOL], strlen(f[SYMBOL]));
    s->name[i] = *f[NAME] ? cs_arena_strndup(s->arena, f[NAME], strlen(f[NAME])) : "Unknown";
    s->sector[i] = intern(&l->sectors, s->arena, f[SECTOR]);
    s->industry[i] = intern(&l->industries, s->arena, f[INDUSTRY]);
    s->exchange[i] = intern(&l->texts, s->arena, f[EXCHANGE]);
    s->market[i] = intern(&l->texts, s->arena, f[MARKET]);
    s->etf_type[i] = intern(&l->texts, s->arena, f[ETF_TYPE]);
    s->issuer[i] = intern(&l->texts, s->arena, f[ISSUER]);
    s->flags[i] =
        (uint8_t)((*f[ACTIVE] == 't' ? SNAPSHOT_ACTIVE : 0) | (strcmp(type, "CS") == 0 ? SNAPSHOT_STOCK : 0) |
                  (strcmp(type, "ETF") == 0 ? SNAPSHOT_ETF : 0));
    s->list_date[i] = f[LISTED] ? (int32_t)strtol(f[LISTED], NULL, 10) : SNAPSHOT_NO_DATE;
    int32_t closed = f[CLOSED] ? (int32_t)strtol(f[CLOSED], NULL, 10) : SNAPSHOT_NO_DATE;
    s->ranking[i] = (uint32_t)closed;
    if (closed > s->market_date && (s->flags[i] & SNAPSHOT_ACTIVE))
        s->market_date = closed;
    set_cap(l, i, f);
    s->count++;
    return s->symbol[i] && s->name[i] && s->sector[i] != SNAPSHOT_NONE && s->industry[i] != SNAPSHOT_NONE;
}

static int
by_cap(const void *a, const void *b, void *arg)
{
    const int64_t *cap = arg;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    if (cap[x] != cap[y])
        return cap[x] > cap[y] ? -1 : 1;
    return x < y ? -1 : 1; /* ids are in symbol order */
}

static void
rank(struct loader *l)
{
    struct snapshot *s = l->snap;
    for (uint32_t i = 0; i < s->count; i++) {
        bool stock = (s->flags[i] & (SNAPSHOT_ACTIVE | SNAPSHOT_STOCK)) == (SNAPSHOT_ACTIVE | SNAPSHOT_STOCK);
        l->caps->active_stocks += stock;
        if ((int32_t)s->ranking[i] == s->market_date && s->market_date != SNAPSHOT_NO_DATE) {
            s->flags[i] |= SNAPSHOT_CLOSED;
            l->caps->closed_stocks += stock;
        }
    }
    for (uint32_t i = 0; i < s->count; i++)
        if (snapshot_is_stock(s, i) || snapshot_is_etf(s, i))
            s->ranking[s->ranking_count++] = i;
    if (s->ranking_count)
        qsort_r(s->ranking, s->ranking_count, sizeof *s->ranking, by_cap, s->cap);
}

static enum cs_rc
read_rows(PGconn *conn, struct loader *l, struct cs_err *err)
{
    size_t room = 0;
    char *line;
    int len;
    enum cs_rc rc = CS_OK;
    while ((len = PQgetCopyData(conn, &line, 0)) > 0) {
        char *f[COLUMNS];
        if (rc == CS_OK && l->snap->count == room) {
            room = room ? 2 * room : 8192;
            if (!reserve(l->snap, room))
                rc = cs_err_set(err, CS_ENOMEM, "no memory for %zu symbols", room);
        }
        if (rc == CS_OK && (!split(line, f) || !add_row(l, f)))
            rc = cs_err_set(err, CS_ENOMEM, "no memory for the text of %zu symbols", l->snap->count);
        PQfreemem(line);
        if (l->snap->count % STEP_ROWS == 0)
            step_tell(&l->opts->step, l->snap->count, l->opts->expected);
    }
    if (len == -2)
        return pg_error(conn, NULL, "reading the market", err);
    for (PGresult *res; (res = PQgetResult(conn)); PQclear(res))
        if (rc == CS_OK && PQresultStatus(res) != PGRES_COMMAND_OK)
            rc = pg_error(conn, res, "reading the market", err);
    return rc;
}

enum cs_rc
snapshot_load(PGconn *conn, const struct snapshot_opts *opts, struct snapshot **out,
              struct snapshot_caps *caps, struct cs_err *err)
{
    if (opts->as_of && !cs_date_valid(opts->as_of))
        return cs_err_set(err, CS_EINVAL, "as_of %.20s is not a date YYYY-MM-DD", opts->as_of);
    char *sql = snapshot_statement(conn, opts);
    if (!sql)
        return cs_err_set(err, CS_ENOMEM, "no memory to ask for the market");
    PGresult *res = PQexec(conn, sql);
    free(sql);
    if (PQresultStatus(res) != PGRES_COPY_OUT) {
        enum cs_rc rc = pg_error(conn, res, "reading the market", err);
        PQclear(res);
        return rc;
    }
    PQclear(res);
    struct loader l = {.snap = cs_xcalloc(1, sizeof *l.snap), .caps = caps, .opts = opts};
    *caps = (struct snapshot_caps){0};
    l.snap->market_date = SNAPSHOT_NO_DATE;
    l.snap->arena = cs_arena_new(256 * 1024);
    intern_init(&l.sectors, &l.snap->sectors);
    intern_init(&l.industries, &l.snap->industries);
    intern_init(&l.texts, &l.snap->texts);
    enum cs_rc rc =
        l.snap->arena ? read_rows(conn, &l, err) : cs_err_set(err, CS_ENOMEM, "no memory for the market");
    free(l.sectors.slots);
    free(l.industries.slots);
    free(l.texts.slots);
    if (rc == CS_OK) {
        rank(&l);
        *out = l.snap;
    } else {
        snapshot_free(l.snap);
    }
    return rc;
}

void
snapshot_free(struct snapshot *s)
{
    if (!s)
        return;
    void *const columns[] = {s->symbol,   s->name,          s->sector,           s->industry,
                             s->exchange, s->market,        s->etf_type,         s->issuer,
                             s->cap,      s->stored_cap,    s->list_date,        s->flags,
                             s->ranking,  s->sectors.texts, s->industries.texts, s->texts.texts};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        free(columns[i]);
    cs_arena_free(s->arena);
    free(s);
}

uint32_t
snapshot_find(const struct snapshot *snap, const char *symbol, size_t len_bytes)
{
    size_t low = 0, high = snap->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = strncmp(snap->symbol[mid], symbol, len_bytes);
        if (c == 0 && snap->symbol[mid][len_bytes])
            c = 1;
        if (c == 0)
            return (uint32_t)mid;
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return SNAPSHOT_NONE;
}
