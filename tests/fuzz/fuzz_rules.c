/* SPDX-License-Identifier: MIT */
/* link: worker/sync/rules worker/sync/rules_parse worker/sync/rules_read worker/sync/select worker/sync/select_match */
/* link: worker/sync/select_partition */
/* link: common/embed embed common/err common/mem common/log common/clock */
/*
 * fuzz_rules - a rules file. What is accepted selects from a small market: members are distinct and within the limit.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/sync/select.h"

#define SYMBOLS 6
#define LIVE_STOCK (SNAPSHOT_ACTIVE | SNAPSHOT_STOCK)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char *symbols[SYMBOLS] = {"A", "B", "C", "D", "E", "F"};
static const char *names[SYMBOLS] = {"Cloud Nine",     "Total Bond", "Gold Miners",
                                     "S&P 500 Growth", "Gone",       "Unknown"};
static uint32_t sectors[SYMBOLS] = {1, 2, 3, 0, 1, 0}, industries[SYMBOLS] = {1, 1, 1, 0, 1, 0},
                none[SYMBOLS];
static int64_t caps[SYMBOLS] = {INT64_MAX, 900, 500, 50, 700, 1};
static int32_t dates[SYMBOLS] = {100, 70, 69, 100, 100, SNAPSHOT_NO_DATE};
static uint8_t flags[SYMBOLS] = {LIVE_STOCK,     LIVE_STOCK, LIVE_STOCK, SNAPSHOT_ACTIVE | SNAPSHOT_ETF,
                                 SNAPSHOT_STOCK, LIVE_STOCK};
static uint32_t ranking[] = {0, 1, 2, 3, 5};
static const char *sector_texts[] = {"Unknown", "Oil & Gas", "Tech", "Oil and Gas"};
static const char *industry_texts[] = {"Unknown", "Chips"}, *texts[] = {"Unknown"};

static const struct snapshot snap = {.count = SYMBOLS,
                                     .market_date = 100,
                                     .symbol = symbols,
                                     .name = names,
                                     .sector = sectors,
                                     .industry = industries,
                                     .exchange = none,
                                     .market = none,
                                     .etf_type = none,
                                     .issuer = none,
                                     .cap = caps,
                                     .stored_cap = caps,
                                     .list_date = dates,
                                     .flags = flags,
                                     .sectors = {4, sector_texts},
                                     .industries = {2, industry_texts},
                                     .texts = {1, texts},
                                     .ranking = ranking,
                                     .ranking_count = 5};

static const uint32_t *
previous(const char *universe, size_t *count, void *arg)
{
    static const uint32_t was[] = {1, 2, 5};

    (void)universe;
    (void)arg;
    *count = 3;
    return was;
}

static void
check(const struct selected *u)
{
    bool seen[SYMBOLS] = {false};
    struct rules_output output;

    if (u->count == 0 || u->count > SYMBOLS || u->first_count > u->count ||
        (u->rule->limit != 0 && u->first_count > u->rule->limit) || strlen(u->key) > RULES_KEY_MAX)
        abort();
    for (size_t i = 0; i < u->count; i++) {
        if (u->ids[i] >= SYMBOLS || seen[u->ids[i]])
            abort();
        seen[u->ids[i]] = true;
    }
    for (size_t o = 0; o < u->rule->output_count; o++)
        selected_output(u, o, &output);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct sync_rules *rules = NULL;
    struct selection *sel = NULL;
    struct cs_err err = {0};

    if (rules_parse((const char *)data, len, &rules, &err) != CS_OK) {
        if (err.msg[0] == '\0' || strpbrk(err.msg, "\r\n") != NULL)
            abort();
        return 0;
    }
    for (int buffered = 0; buffered < 2; buffered++) {
        if (select_run(&snap, rules, ~0u, buffered ? previous : NULL, NULL, &sel, &err) != CS_OK)
            abort();
        for (size_t i = 0; i < sel->count; i++)
            check(&sel->items[i]);
        selection_free(sel);
    }
    rules_free(rules);
    return 0;
}
