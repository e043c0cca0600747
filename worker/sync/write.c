/* SPDX-License-Identifier: MIT */
/*
 * write - one writer, two sinks: what is hashed is what is written.
 *
 * Owns: the value shapes of contract section 4. Does not: decide what is written. Session's thread.
 */
#include "worker/sync/write.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct sink {
    PGconn *conn; /* NULL: hash */
    uint64_t h1, h2;
    bool failed;
    size_t used;
    char buf[16384];
};

static void
flush(struct sink *k)
{
    if (k->conn) {
        if (k->used && PQputCopyData(k->conn, k->buf, (int)k->used) != 1)
            k->failed = true;
    } else {
        for (size_t i = 0; i < k->used; i++) {
            unsigned char c = (unsigned char)k->buf[i];
            k->h1 = (k->h1 ^ c) * 1099511628211ULL;
            k->h2 = (k->h2 + c + 1) * 0x9E3779B97F4A7C15ULL;
            k->h2 ^= k->h2 >> 29;
        }
    }
    k->used = 0;
}

static void
put(struct sink *k, const char *s, size_t len)
{
    while (len) {
        size_t n = sizeof k->buf - k->used;
        if (n > len)
            n = len;
        memcpy(k->buf + k->used, s, n);
        k->used += n;
        s += n;
        len -= n;
        if (k->used == sizeof k->buf)
            flush(k);
    }
}

static void
puts_(struct sink *k, const char *s)
{
    put(k, s, strlen(s));
}

/* A JSON string; the backslash of an escape is doubled, since COPY takes one away. */
static void
put_string(struct sink *k, const char *s)
{
    puts_(k, "\"");
    for (const char *run = s;; s++) {
        unsigned char c = (unsigned char)*s;
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        put(k, run, (size_t)(s - run));
        if (!c)
            break;
        char esc[12];
        if (c == '"')
            snprintf(esc, sizeof esc, "\\\\\"");
        else if (c == '\\')
            snprintf(esc, sizeof esc, "\\\\\\\\");
        else
            snprintf(esc, sizeof esc, "\\\\u%04x", c);
        puts_(k, esc);
        run = s + 1;
    }
    puts_(k, "\"");
}

static void
put_field(struct sink *k, const char *label, const char *value)
{
    puts_(k, label);
    put_string(k, value);
}

static void
put_number(struct sink *k, const char *label, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, value);
    puts_(k, label);
    puts_(k, text);
}

static void
put_tickers(struct sink *k, const struct write_row *row)
{
    puts_(k, "[");
    for (size_t i = 0; i < row->sel->count; i++) {
        if (i)
            puts_(k, ",");
        put_string(k, row->snap->symbol[row->sel->ids[i]]);
    }
    puts_(k, "]");
}

static void
put_stocks(struct sink *k, const struct write_row *row, size_t count)
{
    const struct snapshot *s = row->snap;
    puts_(k, ",\"stocks\":[");
    for (size_t i = 0; i < count; i++) {
        uint32_t id = row->sel->ids[i];
        put_field(k, i ? ",{\"ticker\":" : "{\"ticker\":", s->symbol[id]);
        put_field(k, ",\"name\":", s->name[id]);
        put_number(k, ",\"rank\":", (int64_t)i + 1);
        put_field(k, ",\"sector\":", s->sectors.texts[s->sector[id]]);
        put_field(k, ",\"industry\":", s->industries.texts[s->industry[id]]);
        put_field(k, ",\"exchange\":", s->texts.texts[s->exchange[id]]);
        put_number(k, ",\"market_cap\":", s->cap[id]);
        put_field(k, ",\"market\":", s->texts.texts[s->market[id]]);
        puts_(k, "}");
    }
    puts_(k, "]");
}

static void
put_etfs(struct sink *k, const struct write_row *row, size_t first)
{
    const struct snapshot *s = row->snap;
    puts_(k, ",\"etfs\":[");
    for (size_t i = first; i < row->sel->count; i++) {
        uint32_t id = row->sel->ids[i];
        put_field(k, i > first ? ",{\"symbol\":" : "{\"symbol\":", s->symbol[id]);
        put_field(k, ",\"ticker\":", s->symbol[id]);
        put_field(k, ",\"name\":", s->name[id]);
        put_field(k, ",\"etf_type\":", s->texts.texts[s->etf_type[id]]);
        put_field(k, ",\"issuer\":", s->texts.texts[s->issuer[id]]);
        put_field(k, ",\"exchange\":", s->texts.texts[s->exchange[id]]);
        puts_(k, "}");
    }
    puts_(k, "]");
}

static void
put_head(struct sink *k, const struct write_row *row)
{
    put_number(k, "{\"count\":", (int64_t)row->sel->count);
    puts_(k, ",\"symbols\":");
    put_tickers(k, row);
}

static void
put_updated(struct sink *k, const char *last_updated)
{
    if (last_updated)
        put_field(k, ",\"last_updated\":", last_updated);
}

static void
put_stats(struct sink *k, const struct write_row *row, const char *last_updated)
{
    const struct write_stats *t = row->stats;
    char text[96];
    put_number(k, "{\"overview\":{\"total_stocks\":", t->total_stocks);
    put_number(k, ",\"unique_exchanges\":", t->unique_exchanges);
    put_number(k, ",\"unique_sectors\":", t->unique_sectors);
    snprintf(text, sizeof text, ",\"total_market_cap\":%.0f,\"average_market_cap\":%.0f", t->total_market_cap,
             t->total_stocks ? t->total_market_cap / (double)t->total_stocks : 0.0);
    puts_(k, text);
    put_updated(k, last_updated);
    puts_(k, "}}");
}

static void
put_value(struct sink *k, const struct write_row *row, const char *last_updated)
{
    switch (row->output->shape) {
    case RULES_SHAPE_STATS:
        put_stats(k, row, last_updated);
        break;
    case RULES_SHAPE_TICKERS:
        put_tickers(k, row);
        break;
    case RULES_SHAPE_ETFS_DETAIL:
        put_head(k, row);
        put_etfs(k, row, 0);
        put_updated(k, last_updated);
        puts_(k, "}");
        break;
    case RULES_SHAPE_COMBO_DETAIL:
        put_head(k, row);
        put_stocks(k, row, row->sel->first_count);
        put_etfs(k, row, row->sel->first_count);
        put_updated(k, last_updated);
        puts_(k, "}");
        break;
    case RULES_SHAPE_STOCKS:
        put_head(k, row);
        put_stocks(k, row, row->sel->count);
        put_updated(k, last_updated);
        if (row->sel->rule->per == RULES_PER_INDUSTRY)
            put_field(k, ",\"sector\":", row->snap->sectors.texts[row->sel->sector]);
        puts_(k, ",\"metadata\":{}}");
        break;
    }
}

void
write_digest(const struct write_row *row, char out[33])
{
    struct sink k = {.h1 = 14695981039346656037ULL, .h2 = 0x243F6A8885A308D3ULL};
    put_value(&k, row, NULL);
    flush(&k);
    snprintf(out, 33, "%016" PRIx64 "%016" PRIx64, k.h1, k.h2);
}

bool
write_copy(PGconn *conn, const struct write_row *row, const char *last_updated)
{
    struct sink k = {.conn = conn};
    put_value(&k, row, last_updated);
    flush(&k);
    return !k.failed;
}

bool
write_copy_text(PGconn *conn, const char *text)
{
    struct sink k = {.conn = conn};
    for (; *text; text++) {
        const char *special = strchr("\\\t\n\r", *text);
        if (special)
            put(&k, "\\", 1);
        put(&k,
            special && *special != '\\' ? (*special == '\t'   ? "t"
                                           : *special == '\n' ? "n"
                                                              : "r")
                                        : text,
            1);
    }
    flush(&k);
    return !k.failed;
}
