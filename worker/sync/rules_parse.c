/* SPDX-License-Identifier: MIT */
/*
 * rules_parse - the format of universes.json: tables of fields, and the checks that tie fields together.
 * Thread: any.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/sync/rules.h"
#include "worker/sync/rules_read.h"

#define CHUNK_BYTES 65536
#define BYTES_MAX (4u << 20)
#define DOLLARS_MAX 9e15
#define PATTERN_MAX 50 /* of a partition's key */
#define COUNT_OF(a) (sizeof(a) / sizeof(a)[0])

static const char *const families[] = {"market_cap", "market_leader", "sector", "industry", "theme", "etf",
                                       "ipo",        "complete",      "combo",  "stats",    NULL};
static const char *const assets[] = {"stock", "etf", "both", NULL};
static const char *const orders[] = {"cap", "symbol", "list_date", NULL};
static const char *const pers[] = {"none", "sector", "industry", NULL};
static const char *const shapes[] = {"stocks", "tickers", "etfs_detail", "combo_detail", "stats", NULL};

#define AT(s, member) offsetof(struct s, member)

static const struct rules_field limit_fields[] = {
    {"stale_days", RULES_READ_INT32, false, AT(rules_limits, stale_days), 0, 3650, NULL},
    {"min_close_share", RULES_READ_REAL, false, AT(rules_limits, min_close_share), 0, 1, NULL},
    {"max_shrink", RULES_READ_REAL, false, AT(rules_limits, max_shrink), 0, 1, NULL},
    {"shrink_min_members", RULES_READ_INT32, false, AT(rules_limits, shrink_min_members), 0, 1e9, NULL},
    {"max_cap_change", RULES_READ_REAL, false, AT(rules_limits, max_cap_change), 0, 1, NULL},
    {"churn_warning", RULES_READ_REAL, false, AT(rules_limits, churn_warning), 0, 1, NULL},
    {"significant_cap_move", RULES_READ_REAL, false, AT(rules_limits, significant_cap_move), 0, 1, NULL},
    {"cap_jump_factor", RULES_READ_REAL, false, AT(rules_limits, cap_jump_factor), 0, 1e6, NULL},
    {"new_listing_rank", RULES_READ_INT32, false, AT(rules_limits, new_listing_rank), 0, 1e6, NULL},
};

static const struct rules_field filter_fields[] = {
    {"asset", RULES_READ_CHOICE, true, AT(rules_filter, asset), 0, 0, assets},
    {"symbols", RULES_READ_LIST, false, AT(rules_filter, symbols), 0, 0, NULL},
    {"sectors", RULES_READ_LIST, false, AT(rules_filter, sectors), 0, 0, NULL},
    {"industries", RULES_READ_LIST, false, AT(rules_filter, industries), 0, 0, NULL},
    {"name_any", RULES_READ_WORDS, false, AT(rules_filter, name_any), 0, 0, NULL},
    {"name_none", RULES_READ_WORDS, false, AT(rules_filter, name_none), 0, 0, NULL},
    {"industry_any", RULES_READ_WORDS, false, AT(rules_filter, industry_any), 0, 0, NULL},
    {"any_of_lists", RULES_READ_BOOL, false, AT(rules_filter, any_of_lists), 0, 0, NULL},
    {"known_sector", RULES_READ_BOOL, false, AT(rules_filter, known_sector), 0, 0, NULL},
    {"known_industry", RULES_READ_BOOL, false, AT(rules_filter, known_industry), 0, 0, NULL},
    {"cap_min", RULES_READ_INT64, false, AT(rules_filter, cap_min), 0, DOLLARS_MAX, NULL},
    {"cap_max", RULES_READ_INT64, false, AT(rules_filter, cap_max), 0, DOLLARS_MAX, NULL},
    {"listed_within_days", RULES_READ_INT32, false, AT(rules_filter, listed_within_days), 0, 36500, NULL},
};

static const struct rules_field universe_fields[] = {
    {"family", RULES_READ_CHOICE, true, AT(rules_universe, family), 0, 0, families},
    {"key", RULES_READ_TEXT, true, AT(rules_universe, key), 0, RULES_KEY_MAX, NULL},
    {"title", RULES_READ_TEXT, true, AT(rules_universe, title), 0, RULES_KEY_MAX, NULL},
    {"comment", RULES_READ_OTHER, false, 0, 0, 0, NULL},
    {"select", RULES_READ_OTHER, false, 0, 0, 0, NULL},
    {"also", RULES_READ_OTHER, false, 0, 0, 0, NULL},
    {"per", RULES_READ_CHOICE, false, AT(rules_universe, per), 0, 0, pers},
    {"per_limit", RULES_READ_INT32, false, AT(rules_universe, per_limit), 0, 100000, NULL},
    {"per_min", RULES_READ_INT32, false, AT(rules_universe, per_min), 0, 1e9, NULL},
    {"order", RULES_READ_CHOICE, false, AT(rules_universe, order), 0, 0, orders},
    {"limit", RULES_READ_INT32, false, AT(rules_universe, limit), 0, 1e9, NULL},
    {"buffer", RULES_READ_REAL, false, AT(rules_universe, buffer), 0, 1e9, NULL},
    {"exempt_from_shrink", RULES_READ_BOOL, false, AT(rules_universe, exempt_from_shrink), 0, 0, NULL},
    {"outputs", RULES_READ_OTHER, true, 0, 0, 0, NULL},
};

static const struct rules_field output_fields[] = {
    {"type", RULES_READ_TEXT, true, AT(rules_output, type), 0, RULES_TYPE_MAX, NULL},
    {"name", RULES_READ_TEXT, true, AT(rules_output, name), 0, RULES_KEY_MAX, NULL},
    {"key", RULES_READ_TEXT, true, AT(rules_output, key), 0, RULES_KEY_MAX, NULL},
    {"shape", RULES_READ_CHOICE, true, AT(rules_output, shape), 0, 0, shapes},
};

static const struct rules_field file_fields[] = {
    {"$schema", RULES_READ_OTHER, false, 0, 0, 0, NULL},  {"version", RULES_READ_OTHER, true, 0, 0, 0, NULL},
    {"comment", RULES_READ_OTHER, false, 0, 0, 0, NULL},  {"limits", RULES_READ_OTHER, false, 0, 0, 0, NULL},
    {"universes", RULES_READ_OTHER, true, 0, 0, 0, NULL},
};

/* Which (type, name) belongs to which family, and the shapes that its readers understand. NULL: any name. */
static const struct home {
    const char *type, *name;
    enum rules_family family;
    unsigned shapes;
} homes[] = {
    {"stock_universe", "market_cap", RULES_MARKET_CAP, 1u << RULES_SHAPE_STOCKS},
    {"stock_universe", "market_leaders", RULES_MARKET_LEADER, 1u << RULES_SHAPE_STOCKS},
    {"stock_universe", "sector_leaders", RULES_SECTOR, 1u << RULES_SHAPE_STOCKS},
    {"stock_universe", "industry", RULES_INDUSTRY, 1u << RULES_SHAPE_STOCKS},
    {"stock_universe", "themes", RULES_THEME, 1u << RULES_SHAPE_STOCKS},
    {"stock_universe", "ipo", RULES_IPO, 1u << RULES_SHAPE_STOCKS},
    {"stock_universe", "complete", RULES_COMPLETE, 1u << RULES_SHAPE_STOCKS},
    {"themes", NULL, RULES_THEME, 1u << RULES_SHAPE_TICKERS},
    {"etf_universe", "complete", RULES_COMPLETE, 1u << RULES_SHAPE_TICKERS | 1u << RULES_SHAPE_ETFS_DETAIL},
    {"etf_universe", NULL, RULES_ETF, 1u << RULES_SHAPE_TICKERS | 1u << RULES_SHAPE_ETFS_DETAIL},
    {"stock_etf_combo", "stock_etf_test", RULES_COMBO,
     1u << RULES_SHAPE_TICKERS | 1u << RULES_SHAPE_COMBO_DETAIL},
    {"stock_stats", "universe", RULES_STATS, 1u << RULES_SHAPE_STATS},
};

static enum cs_rc
check_key(struct rules_reader *r, const char *path, const char *key, bool partition)
{
    const char *hole = strstr(key, "{key}"), *rest = key;

    if (!hole != !partition)
        return rules_wrong(
            r, path,
            partition ? "\"%s\" lacks {key}, which stands for the value of the partition; add it"
                      : "\"%s\" has {key}, but the universe has no \"per\"; remove one or add the other",
            key);
    if (partition && strlen(key) > PATTERN_MAX)
        return rules_wrong(r, path, "\"%s\" leaves too little room for the value; use at most %d bytes", key,
                           PATTERN_MAX);
    for (; *rest; rest++) {
        if (rest == hole)
            rest += 5;
        if (!*rest)
            break;
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_", *rest))
            return rules_wrong(r, path, "\"%s\" is no key; use lower-case letters, digits and _ only", key);
    }
    return CS_OK;
}

static enum cs_rc
check_output(struct rules_reader *r, const char *path, const struct rules_universe *u,
             const struct rules_output *o)
{
    const struct home *h = NULL;
    char at[RULES_PATH_MAX + 16], names[200] = "";

    for (size_t i = 0; i < COUNT_OF(homes) && !h; i++)
        if (strcmp(homes[i].type, o->type) == 0 && (!homes[i].name || strcmp(homes[i].name, o->name) == 0))
            h = &homes[i];
    if (!h || h->family != u->family) {
        for (size_t i = 0; i < COUNT_OF(homes); i++) {
            size_t n = strlen(names);

            if (homes[i].family == u->family)
                snprintf(names + n, sizeof names - n, "%s%s/%s", n ? " or " : "", homes[i].type,
                         homes[i].name ? homes[i].name : "...");
        }
        return rules_wrong(r, path, "type/name %s/%.40s is not of family %s; write to %s", o->type, o->name,
                           rules_family_name(u->family), names);
    }
    if (!(h->shapes & 1u << o->shape)) {
        snprintf(at, sizeof at, "%s/shape", path);
        return rules_wrong(r, at, "readers of %s do not understand shape %s; see docs/rules.md", o->type,
                           shapes[o->shape]);
    }
    snprintf(at, sizeof at, "%s/key", path);
    return check_key(r, at, o->key, u->per != RULES_PER_NONE);
}

static enum cs_rc
read_outputs(struct rules_reader *r, const json_t *list, const char *path, struct rules_universe *u)
{
    size_t count = json_array_size(list);
    char at[RULES_PATH_MAX];
    bool named = false;

    snprintf(at, sizeof at, "%s/outputs", path);
    if (!json_is_array(list) || count < 1 || count > RULES_OUTPUTS_MAX)
        return rules_wrong(r, at, "must be a list of 1 to %d outputs", RULES_OUTPUTS_MAX);
    for (size_t i = 0; i < count; i++) {
        struct rules_output *o = &u->outputs[i];
        enum cs_rc rc;

        snprintf(at, sizeof at, "%s/outputs/%zu", path, i);
        if ((rc = rules_read(r, json_array_get(list, i), at, output_fields, COUNT_OF(output_fields), o)) ||
            (rc = check_output(r, at, u, o)))
            return rc;
        named = named || strcmp(o->key, u->key) == 0;
    }
    u->output_count = count;
    if (!named) {
        snprintf(at, sizeof at, "%s/outputs", path);
        return rules_wrong(r, at, "none has the universe's key \"%.60s\"; give it to one of them", u->key);
    }
    return CS_OK;
}

static enum cs_rc
read_filter(struct rules_reader *r, const json_t *object, const char *path, struct rules_filter *f)
{
    enum cs_rc rc;
    char at[RULES_PATH_MAX + 16];

    f->listed_within_days = -1;
    rc = rules_read(r, object, path, filter_fields, COUNT_OF(filter_fields), f);
    if (rc)
        return rc;
    snprintf(at, sizeof at, "%s/cap_max", path);
    if (f->cap_max && f->cap_max <= f->cap_min)
        return rules_wrong(r, at, "is not above cap_min; nothing could be selected");
    snprintf(at, sizeof at, "%s/any_of_lists", path);
    if (f->any_of_lists && f->symbols.count + f->sectors.count + f->industries.count + f->name_any.count +
                                   f->industry_any.count ==
                               0)
        return rules_wrong(r, at, "there is no list to choose from; add one or remove the key");
    return CS_OK;
}

static enum cs_rc
check_buffer(struct rules_reader *r, const char *path, const struct rules_universe *u)
{
    bool band = u->filter.cap_min || u->filter.cap_max;
    char at[RULES_PATH_MAX + 16];

    snprintf(at, sizeof at, "%s/buffer", path);
    if (u->buffer <= 0)
        return CS_OK;
    if (!u->limit && !band)
        return rules_wrong(r, at, "there is neither a limit nor a cap bound to apply it to; remove it");
    if (u->limit && (u->buffer >= u->limit || u->buffer != floor(u->buffer)))
        return rules_wrong(r, at, "%g must be a whole number of ranks below the limit %u", u->buffer,
                           u->limit);
    if (!u->limit && u->buffer >= 100)
        return rules_wrong(r, at, "%g must be a percentage below 100", u->buffer);
    return CS_OK;
}

static enum cs_rc
check_universe(struct rules_reader *r, const char *path, const struct rules_universe *u, const json_t *object)
{
    char at[RULES_PATH_MAX + 16];
    enum cs_rc rc;

    snprintf(at, sizeof at, "%s/select", path);
    if ((u->family == RULES_STATS) != !json_object_get(object, "select"))
        return rules_wrong(r, at,
                           u->family == RULES_STATS ? "statistics have no members; remove the key"
                                                    : "is missing; say what is selected");
    snprintf(at, sizeof at, "%s/also", path);
    if (u->also && u->per != RULES_PER_NONE)
        return rules_wrong(r, at, "cannot stand together with \"per\"; remove one");
    if (u->per == RULES_PER_NONE && (u->per_limit || u->per_min))
        return rules_wrong(r, path, "per_limit and per_min need \"per\"; add it or remove them");
    snprintf(at, sizeof at, "%s/key", path);
    if ((rc = check_key(r, at, u->key, u->per != RULES_PER_NONE)))
        return rc;
    return check_buffer(r, path, u);
}

static enum cs_rc
read_universe(struct rules_reader *r, const json_t *object, const char *path, struct rules_universe *u)
{
    const json_t *selects = json_object_get(object, "select"), *also = json_object_get(object, "also");
    char at[RULES_PATH_MAX];
    enum cs_rc rc = rules_read(r, object, path, universe_fields, COUNT_OF(universe_fields), u);

    u->filter.listed_within_days = -1;
    snprintf(at, sizeof at, "%s/select", path);
    if (!rc && selects)
        rc = read_filter(r, selects, at, &u->filter);
    if (!rc && also) {
        u->also = cs_arena_alloc(r->arena, sizeof *u->also);
        if (!u->also)
            return cs_err_set(r->err, CS_ENOMEM, "no memory for the rules");
        memset(u->also, 0, sizeof *u->also);
        snprintf(at, sizeof at, "%s/also", path);
        rc = read_filter(r, also, at, u->also);
    }
    if (!rc)
        rc = check_universe(r, path, u, object);
    return rc ? rc : read_outputs(r, json_object_get(object, "outputs"), path, u);
}

static bool
same_row(const struct rules_output *a, const struct rules_output *b)
{
    return strcmp(a->key, b->key) == 0 && strcmp(a->name, b->name) == 0 && strcmp(a->type, b->type) == 0;
}

/* Refuses a universe whose key or row another one has. */
static enum cs_rc
check_unique(struct rules_reader *r, const char *path, const struct sync_rules *rules, size_t i)
{
    const struct rules_universe *u = &rules->universes[i];

    for (size_t o = 0; o < u->output_count; o++)
        for (size_t v = 0; v <= i; v++)
            for (size_t p = 0; p < (v == i ? o : rules->universes[v].output_count); p++)
                if (same_row(&u->outputs[o], &rules->universes[v].outputs[p]))
                    return rules_wrong(
                        r, path, "output %zu is the row of /universes/%zu too; give it another key or name",
                        o, v);
    for (size_t v = 0; v < i; v++)
        if (strcmp(u->key, rules->universes[v].key) == 0)
            return rules_wrong(r, path, "key \"%s\" is that of /universes/%zu too; choose another", u->key,
                               v);
    return CS_OK;
}

static enum cs_rc
read_file(struct rules_reader *r, const json_t *root, struct sync_rules *rules)
{
    const json_t *list = json_object_get(root, "universes"), *limits = json_object_get(root, "limits");
    enum cs_rc rc = rules_read(r, root, "", file_fields, COUNT_OF(file_fields), rules);

    if (rc)
        return rc;
    if (json_integer_value(json_object_get(root, "version")) != 1)
        return rules_wrong(r, "/version", "is not 1; this program reads version 1 only");
    if (limits &&
        (rc = rules_read(r, limits, "/limits", limit_fields, COUNT_OF(limit_fields), &rules->limits)))
        return rc;
    rules->count = json_array_size(list);
    if (!json_is_array(list) || rules->count < 1 || rules->count > 10000)
        return rules_wrong(r, "/universes", "must be a list of 1 to 10000 universes");
    rules->universes = cs_arena_alloc(r->arena, rules->count * sizeof rules->universes[0]);
    if (!rules->universes)
        return cs_err_set(r->err, CS_ENOMEM, "no memory for the rules");
    memset(rules->universes, 0, rules->count * sizeof rules->universes[0]);
    for (size_t i = 0; i < rules->count; i++) {
        char path[40];

        snprintf(path, sizeof path, "/universes/%zu", i);
        if ((rc = read_universe(r, json_array_get(list, i), path, &rules->universes[i])) ||
            (rc = check_unique(r, path, rules, i)))
            return rc;
    }
    return CS_OK;
}

/* Two FNV-1a of 64 bits with different starts. */
static void
digest(const char *text, size_t len_bytes, char out[33])
{
    uint64_t a = 0xcbf29ce484222325u, b = 0x84222325cbf29ce4u;

    for (size_t i = 0; i < len_bytes; i++) {
        a = (a ^ (unsigned char)text[i]) * 0x100000001b3u;
        b = (b ^ (unsigned char)(text[i] + 91)) * 0x100000001b3u;
    }
    snprintf(out, 33, "%016llx%016llx", (unsigned long long)a, (unsigned long long)b);
}

enum cs_rc
rules_parse(const char *text, size_t len_bytes, struct sync_rules **out, struct cs_err *err)
{
    static const struct rules_limits defaults = {5, 0.80, 0.20, 20, 0.15, 0.20, 0.05, 2, 100};
    struct rules_reader r = {.err = err};
    struct sync_rules *rules;
    json_error_t where;
    json_t *root;
    enum cs_rc rc;

    *out = NULL;
    if (len_bytes > BYTES_MAX)
        return cs_err_set(err, CS_EINVAL, "rules have %zu bytes, %u are allowed; split long symbol lists",
                          len_bytes, BYTES_MAX);
    root = json_loadb(text, len_bytes, JSON_REJECT_DUPLICATES, &where);
    if (!root)
        return cs_err_set(err, CS_EINVAL, "%d:%d: %s; correct the JSON there", where.line, where.column,
                          where.text);
    rules = calloc(1, sizeof *rules);
    r.arena = cs_arena_new(CHUNK_BYTES);
    if (!rules || !r.arena) {
        rc = cs_err_set(err, CS_ENOMEM, "no memory for the rules");
        cs_arena_free(r.arena);
        free(rules);
    } else {
        rules->owned = r.arena;
        rules->limits = defaults;
        digest(text, len_bytes, rules->digest);
        rc = read_file(&r, root, rules);
        if (rc)
            rules_free(rules);
        else
            *out = rules;
    }
    json_decref(root);
    return rc;
}
