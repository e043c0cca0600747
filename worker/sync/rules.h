/* SPDX-License-Identifier: MIT */
/*
 * rules - universes.json read into plain, read-only data: what every universe selects and where it is written.
 *
 * Format: docs/rules.md and deploy/rules/universes.schema.json. Knows no PostgreSQL. Thread: any; immutable once loaded.
 */
#ifndef CS_SYNC_RULES_H
#define CS_SYNC_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define RULES_KEY_MAX 100 /* varchar(100) of cache_entries.key and .name */
#define RULES_TYPE_MAX 50

/* cache_type; the order is the order of evaluation and of reports. */
enum rules_family {
    RULES_MARKET_CAP,
    RULES_MARKET_LEADER,
    RULES_SECTOR,
    RULES_INDUSTRY,
    RULES_THEME,
    RULES_ETF,
    RULES_IPO,
    RULES_COMPLETE,
    RULES_COMBO,
    RULES_STATS,
    RULES_FAMILY_COUNT
};

const char *rules_family_name(enum rules_family f); /* "market_cap" ... */

/* What is selected from. */
enum rules_asset { RULES_STOCK, RULES_ASSET_ETF, RULES_ASSET_BOTH };

/* How members are put in order before the limit is applied. */
enum rules_order { RULES_BY_CAP, RULES_BY_SYMBOL, RULES_BY_LIST_DATE /* newest first, then symbol */ };

/* Partition: one universe for each value of a column. */
enum rules_per { RULES_PER_NONE, RULES_PER_SECTOR, RULES_PER_INDUSTRY };

/* Shape of the JSON in cache_entries.value. */
enum rules_shape {
    RULES_SHAPE_STOCKS,       /* {"count","symbols","stocks":[...],"last_updated","metadata"} */
    RULES_SHAPE_TICKERS,      /* ["AAPL", ...] */
    RULES_SHAPE_ETFS_DETAIL,  /* {"count","symbols","etfs":[...]} */
    RULES_SHAPE_COMBO_DETAIL, /* the same with "stocks" too */
    RULES_SHAPE_STATS         /* {"overview":{...}} */
};

/* A set of texts; matching as each field says. */
struct rules_texts {
    size_t count;
    const char **items; /* sorted by bytes where order does not matter */
};

/* One row of cache_entries that a universe is written to. In a partition "{key}" and "{name}" stand for the value. */
struct rules_output {
    char type[RULES_TYPE_MAX + 1];
    char name[RULES_KEY_MAX + 1];
    char key[RULES_KEY_MAX + 1];
    enum rules_shape shape;
};

#define RULES_OUTPUTS_MAX 4

/* The filter: every condition that is set must hold. */
struct rules_filter {
    enum rules_asset asset;
    struct rules_texts symbols;      /* explicit list; count 0: any */
    struct rules_texts sectors;      /* exact; count 0: any */
    struct rules_texts industries;   /* exact; count 0: any */
    struct rules_texts name_any;     /* whole words, case-insensitive: at least one; count 0: any */
    struct rules_texts name_none;    /* none of these */
    struct rules_texts industry_any; /* the same of industry */
    bool any_of_lists; /* one of the lists is enough (all but name_none), instead of all of them */
    bool known_sector; /* sector is not NULL, '', 'Unknown' */
    bool known_industry;
    int64_t cap_min;            /* inclusive, dollars; 0: none */
    int64_t cap_max;            /* exclusive; 0: none */
    int32_t listed_within_days; /* list_date in [market date - n, market date]; -1: any */
};

/* One universe, or one partition that becomes many. */
struct rules_universe {
    enum rules_family family;
    char key[RULES_KEY_MAX + 1]; /* canonical universe name; a partition has "{key}" in it ("top_10_{key}") */
    char title[RULES_KEY_MAX + 1];
    struct rules_filter filter;
    enum rules_per per;
    uint32_t per_limit; /* partition: the N values with the most members; 0: all */
    uint32_t per_min;   /* partition: a value needs this many members */
    enum rules_order order;
    uint32_t limit;          /* 0: all */
    double buffer;           /* ranks for a limit, percent for cap bounds; 0: none */
    bool exempt_from_shrink; /* the ipo family */
    /* Second part of a combination (combo_test): appended after the first, in symbol order. */
    struct rules_filter *also; /* NULL: none */
    size_t output_count;
    struct rules_output outputs[RULES_OUTPUTS_MAX];
};

/* Limits of the validation checks; fractions 0..1. */
struct rules_limits {
    int32_t stale_days;          /* 5 */
    double min_close_share;      /* 0.80 */
    double max_shrink;           /* 0.20 */
    uint32_t shrink_min_members; /* 20 */
    double max_cap_change;       /* 0.15 */
    double churn_warning;        /* 0.20 */
    double significant_cap_move; /* 0.05 */
    double cap_jump_factor;      /* 2; below 1: off */
    uint32_t new_listing_rank;   /* 100; 0: off */
};

struct sync_rules {
    struct rules_limits limits;
    size_t count;
    struct rules_universe *universes; /* in file order */
    char digest[33];                  /* of the file's text, hexadecimal: tells two rule sets apart */
    void *owned;                      /* arena */
};

/*
 * Load rules. path NULL: the compiled-in deploy/rules/universes.json.
 *
 * out      gives rules to rules_free.
 * Returns  CS_OK; CS_EIO; CS_EINVAL with one line: place (line:column for a syntax error, JSON pointer otherwise),
 *          what is wrong, remedy.
 */
enum cs_rc rules_load(const char *path, struct sync_rules **out, struct cs_err *err) CS_MUSTCHECK;
enum cs_rc rules_parse(const char *text, size_t len_bytes, struct sync_rules **out,
                       struct cs_err *err) CS_MUSTCHECK;
void rules_free(struct sync_rules *rules);

/*
 * Normalise a text as a key: lower case, '&' is "and", any other run of characters outside
 * [a-z0-9] one '_', none at either end, empty is "other", cut at RULES_KEY_MAX - room for a prefix is the caller's.
 * out holds RULES_KEY_MAX + 1 bytes.
 */
void rules_key(const char *text, size_t len_bytes, char *out);

/* Whether one of the phrases stands in text as whole words, ASCII case ignored. */
bool rules_words_match(const struct rules_texts *phrases, const char *text, size_t len_bytes);

#endif
