/* SPDX-License-Identifier: MIT */
/*
 * write - one writer, two sinks: what is hashed is what is written.
 *
 * Owns: the shapes of the values, as the readers of cache_entries know them. Does not: decide what is written. Session's thread.
 */
#include "worker/sync/write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

struct sink {
    PGconn *conn; /* NULL: hash */
    uint64_t h1, h2;
    uint64_t bytes; /* flushed */
    uint64_t texts; /* bytes of strings, unescaped */
    bool failed;
    size_t used;
    char buf[32768];
};

struct write_copy {
    struct sink sink;
};

/* Two lanes over words of eight bytes; all flushes but the last are of whole words. */
static void
hash(struct sink *k)
{
    for (size_t i = 0; i < k->used; i += 8) {
        uint64_t word = 0;
        memcpy(&word, k->buf + i, k->used - i < 8 ? k->used - i : 8);
        k->h1 = (k->h1 ^ word) * 0xFF51AFD7ED558CCDULL;
        k->h1 ^= k->h1 >> 32;
        k->h2 = (k->h2 + word) * 0x9E3779B97F4A7C15ULL;
        k->h2 ^= k->h2 >> 29;
    }
}

static void
flush(struct sink *k)
{
    if (k->conn) {
        if (k->used && PQputCopyData(k->conn, k->buf, (int)k->used) != 1)
            k->failed = true;
    } else {
        hash(k);
    }
    k->bytes += k->used;
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
    static const bool special[256] = {[0 ... 0x1f] = true, ['"'] = true, ['\\'] = true};
    puts_(k, "\"");
    for (const char *run = s;; s++) {
        while (!special[(unsigned char)*s])
            s++;
        unsigned char c = (unsigned char)*s;
        put(k, run, (size_t)(s - run));
        k->texts += (uint64_t)(s - run);
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
    char text[24], *at = text + sizeof text;
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do
        *--at = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        *--at = '-';
    puts_(k, label);
    put(k, at, (size_t)(text + sizeof text - at));
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

/* A sum of caps, which are not negative. */
static void
put_sum(struct sink *k, const char *label, __int128 value)
{
    char text[48], *at = text + sizeof text - 1;
    *at = '\0';
    do {
        *--at = (char)('0' + (int)(value % 10));
        value /= 10;
    } while (value > 0);
    puts_(k, label);
    puts_(k, at);
}

static void
put_stats(struct sink *k, const struct write_row *row, const char *last_updated)
{
    const struct write_stats *t = row->stats;
    __int128 n = t->total_stocks;
    put_number(k, "{\"overview\":{\"total_stocks\":", t->total_stocks);
    put_number(k, ",\"unique_exchanges\":", t->unique_exchanges);
    put_number(k, ",\"unique_sectors\":", t->unique_sectors);
    put_sum(k, ",\"total_market_cap\":", t->total_market_cap);
    put_sum(k, ",\"average_market_cap\":", n ? (2 * t->total_market_cap + n) / (2 * n) : 0);
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

uint64_t
write_digest(const struct write_row *row, char out[33])
{
    struct sink k;
    k.conn = NULL;
    k.h1 = 14695981039346656037ULL;
    k.h2 = 0x243F6A8885A308D3ULL;
    k.failed = false;
    k.bytes = k.texts = 0;
    k.used = 0;
    put_value(&k, row, NULL);
    flush(&k);
    snprintf(out, 33, "%016" PRIx64 "%016" PRIx64, k.h1, k.h2);
    return k.texts;
}

struct write_copy *
write_copy_open(PGconn *conn)
{
    struct write_copy *copy = cs_xcalloc(1, sizeof *copy);
    copy->sink.conn = conn;
    return copy;
}

void
write_copy_give_up(struct write_copy *copy)
{
    if (!copy)
        return;
    copy->sink.used = 0;
    copy->sink.failed = true;
}

bool
write_copy_close(struct write_copy *copy)
{
    if (!copy)
        return true;
    flush(&copy->sink);
    bool sent = !copy->sink.failed;
    free(copy);
    return sent;
}

uint64_t
write_copy_value(struct write_copy *copy, const struct write_row *row, const char *last_updated)
{
    uint64_t before = copy->sink.bytes + copy->sink.used;
    put_value(&copy->sink, row, last_updated);
    return copy->sink.bytes + copy->sink.used - before;
}

void
write_copy_text(struct write_copy *copy, const char *text)
{
    static const char special[] = "\\\t\n\r", names[] = "\\tnr";
    struct sink *k = &copy->sink;
    if (!text) {
        puts_(k, "\\N");
        return;
    }
    for (;;) {
        size_t plain = strcspn(text, special);
        put(k, text, plain);
        text += plain;
        if (!*text)
            return;
        put(k, "\\", 1);
        put(k, &names[strchr(special, *text++) - special], 1);
    }
}

void
write_copy_next(struct write_copy *copy, bool end_of_line)
{
    put(&copy->sink, end_of_line ? "\n" : "\t", 1);
}

void
write_copy_line(struct write_copy *copy, const char *const *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        write_copy_text(copy, fields[i]);
        write_copy_next(copy, i + 1 == count);
    }
}
