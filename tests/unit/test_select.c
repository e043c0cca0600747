/* SPDX-License-Identifier: MIT */
/* link: worker/sync/select worker/sync/select_match worker/sync/select_partition worker/sync/rules worker/sync/rules_parse worker/sync/rules_read */
/* link: common/embed embed common/err common/mem common/log common/clock */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "worker/sync/select.h"

#define S (SNAPSHOT_ACTIVE | SNAPSHOT_STOCK)
#define OUT(name, key)                                                                                       \
    "\"outputs\":[{\"type\":\"stock_universe\",\"name\":\"" name "\",\"key\":\"" key                         \
    "\",\"shape\":\"stocks\"}]}"

/* A to F; D is an ETF, E is inactive, F has no known sector. Ranking: B (900), A and C (500), F (100), D
 * (50). */
static const char *symbols[] = {"A", "B", "C", "D", "E", "F"};
static const char *names[] = {"Alpha Cloud Inc", "Beta", "Gamma", "Delta Bond ETF", "Epsilon", "Cloudy"};
static uint32_t sectors[] = {1, 2, 3, 0, 1, 0}, industries[] = {1, 1, 1, 0, 1, 0};
static int64_t caps[] = {500, 900, 500, 50, 700, 100};
static int32_t dates[] = {100, 70, 69, 100, 100, SNAPSHOT_NO_DATE};
static uint8_t flags[] = {S, S, S, SNAPSHOT_ACTIVE | SNAPSHOT_ETF, SNAPSHOT_STOCK, S};
static uint32_t ranking[] = {1, 0, 2, 5, 3};
static const char *sector_texts[] = {"Unknown", "Oil & Gas", "Tech", "Oil and Gas"},
                  *industry_texts[] = {"Unknown", "Chips"};

static const struct snapshot snap = {.count = 6,
                                     .market_date = 100,
                                     .symbol = symbols,
                                     .name = names,
                                     .sector = sectors,
                                     .industry = industries,
                                     .cap = caps,
                                     .list_date = dates,
                                     .flags = flags,
                                     .sectors = {4, sector_texts},
                                     .industries = {2, industry_texts},
                                     .ranking = ranking,
                                     .ranking_count = 5};

static const uint32_t *
previous(const char *universe, size_t *count, void *arg)
{
    static const uint32_t was[] = {2};

    (void)universe;
    (void)arg;
    *count = 1;
    return was;
}

/* Selects by one rule and writes "key:AB key:C" to out. */
static void
select_text(const char *rule, select_previous_fn *fn, char *out)
{
    char text[2000];
    struct sync_rules *rules;
    struct selection *sel;
    struct cs_err err = {0};
    int n = snprintf(text, sizeof text, "{\"version\":1,\"universes\":[%s]}", rule);

    cr_assert_eq(rules_parse(text, (size_t)n, &rules, &err), CS_OK, "%s", err.msg);
    cr_assert_eq(select_run(&snap, rules, ~0u, fn, NULL, &sel, &err), CS_OK, "%s", err.msg);
    *out = 0;
    for (size_t i = 0; i < sel->count; i++) {
        struct rules_output o;

        selected_output(&sel->items[i], 0, &o);
        cr_expect_str_eq(o.key, sel->items[i].key);
        sprintf(out + strlen(out), "%s%s:", i ? " " : "", sel->items[i].key);
        for (size_t m = 0; m < sel->items[i].count; m++)
            strcat(out, symbols[sel->items[i].ids[m]]);
    }
    selection_free(sel);
    rules_free(rules);
}

#define RULE(family, key, more) "{\"family\":\"" family "\",\"key\":\"" key "\",\"title\":\"T\"," more ","

Test(select, members_are_in_order_and_within_limits)
{
    static const struct {
        const char *rule, *wanted;
        select_previous_fn *fn;
    } cases[] = {
        {RULE("market_leader", "x", "\"select\":{\"asset\":\"stock\"}") OUT("market_leaders", "x"), "x:BACF",
         NULL},
        {RULE("market_leader", "x", "\"select\":{\"asset\":\"stock\"},\"limit\":2")
             OUT("market_leaders", "x"),
         "x:BA", NULL},
        {RULE("market_leader", "x", "\"select\":{\"asset\":\"both\"},\"order\":\"symbol\"")
             OUT("market_leaders", "x"),
         "x:ABCDF", NULL},
        {RULE("market_leader", "x", "\"select\":{\"asset\":\"stock\"},\"limit\":2,\"buffer\":1")
             OUT("market_leaders", "x"),
         "x:BC", previous},
        {RULE("market_cap", "x", "\"select\":{\"asset\":\"stock\",\"cap_min\":500,\"cap_max\":900}")
             OUT("market_cap", "x"),
         "x:AC", NULL},
        {RULE("market_cap", "x", "\"select\":{\"asset\":\"stock\",\"cap_min\":510},\"buffer\":10")
             OUT("market_cap", "x"),
         "x:BC", previous},
        {RULE("ipo", "x",
              "\"select\":{\"asset\":\"stock\",\"listed_within_days\":30},\"order\":\"list_date\"")
             OUT("ipo", "x"),
         "x:AB", NULL},
        {RULE("theme", "x", "\"select\":{\"asset\":\"stock\",\"name_any\":[\"cloud\"]}") OUT("themes", "x"),
         "x:A", NULL},
        {RULE("theme", "x",
              "\"select\":{\"asset\":\"stock\",\"any_of_lists\":true,\"symbols\":[\"F\",\"E\"],\"sectors\":["
              "\"Tech\"]}") OUT("themes", "x"),
         "x:BF", NULL},
        {RULE("theme", "x", "\"select\":{\"asset\":\"stock\",\"symbols\":[\"E\",\"D\"]}") OUT("themes", "x"),
         "", NULL},
        {RULE("sector", "top_{key}", "\"select\":{\"asset\":\"stock\"},\"per\":\"sector\"")
             OUT("sector_leaders", "top_{key}"),
         "top_oil_and_gas:AC top_tech:B", NULL},
        {RULE("market_leader", "top_tech", "\"select\":{\"asset\":\"stock\"},\"limit\":1")
             OUT("market_leaders", "top_tech") "," RULE("sector", "top_{key}",
                                                        "\"select\":{\"asset\":\"stock\"},\"per\":\"sector\"")
                 OUT("sector_leaders", "top_{key}"),
         "top_tech:B top_oil_and_gas:AC top_tech_sector:B", NULL},
        {RULE("sector", "top_{key}", "\"select\":{\"asset\":\"stock\"},\"per\":\"sector\",\"per_limit\":1")
             OUT("sector_leaders", "top_{key}"),
         "top_oil_and_gas:AC", NULL},
        {RULE("sector", "top_{key}",
              "\"select\":{\"asset\":\"stock\",\"cap_min\":510},\"buffer\":10,\"per\":\"sector\",\"per_min\":"
              "2") OUT("sector_leaders", "top_{key}"),
         "", previous}, /* A and C are of one sector, and only C is within its buffer */
        {RULE("industry", "{key}",
              "\"select\":{\"asset\":\"stock\"},\"per\":\"industry\",\"per_min\":3,\"limit\":2")
             OUT("industry", "{key}"),
         "chips:BA", NULL},
        {RULE("industry", "{key}", "\"select\":{\"asset\":\"stock\"},\"per\":\"industry\",\"per_min\":4")
             OUT("industry", "{key}"),
         "", NULL},
        {RULE("market_leader", "x",
              "\"select\":{\"asset\":\"stock\"},\"limit\":1,\"also\":{\"asset\":\"both\",\"symbols\":[\"D\","
              "\"B\",\"A\"]}") OUT("market_leaders", "x"),
         "x:BAD", NULL},
    };
    char got[500];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        select_text(cases[i].rule, cases[i].fn, got);
        cr_expect_str_eq(got, cases[i].wanted, "%s: %s, not %s", cases[i].rule, got, cases[i].wanted);
    }
}

static void
count_failed(bool holds, const char *condition, const char *figures, void *arg)
{
    cr_expect(*condition && *figures);
    *(int *)arg += !holds;
}

Test(select, explain_agrees_with_matches)
{
    const struct rules_filter f = {
        .asset = RULES_STOCK, .cap_min = 500, .known_sector = true, .listed_within_days = 30};

    for (uint32_t id = 0; id < snap.count; id++) {
        int failed = 0;
        bool explained = select_explain(&snap, &f, id, count_failed, &failed);

        cr_expect_eq(explained, select_matches(&snap, &f, id));
        cr_expect_eq(explained, failed == 0);
    }
}
