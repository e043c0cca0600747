/* SPDX-License-Identifier: MIT */
/* link: worker/sync/rules worker/sync/rules_parse worker/sync/rules_read */
/* link: common/embed embed common/err common/mem common/log common/clock */
#include <criterion/criterion.h>
#include <string.h>

#include "worker/sync/rules.h"

#define OUTPUT "{\"type\":\"stock_universe\",\"name\":\"market_cap\",\"key\":\"a\",\"shape\":\"stocks\"}"
#define HEAD "{\"version\":1,\"universes\":[{\"family\":\"market_cap\",\"key\":\"a\",\"title\":\"A\","
#define TAIL "\"outputs\":[" OUTPUT "]}]}"
#define SELECT "\"select\":{\"asset\":\"stock\"},"

static enum cs_rc
parse(const char *text, struct cs_err *err)
{
    struct sync_rules *rules;
    enum cs_rc rc = rules_parse(text, strlen(text), &rules, err);

    rules_free(rules);
    return rc;
}

Test(rules, built_in_rules_declare_every_universe)
{
    static const size_t wanted[RULES_FAMILY_COUNT] = {5, 7, 1, 1, 21, 10, 1, 2, 1, 1};
    size_t seen[RULES_FAMILY_COUNT] = {0};
    struct sync_rules *rules;
    struct cs_err err = {0};

    cr_assert_eq(rules_load(NULL, &rules, &err), CS_OK, "%s", err.msg);
    for (size_t i = 0; i < rules->count; i++)
        seen[rules->universes[i].family]++;
    for (int f = 0; f < RULES_FAMILY_COUNT; f++)
        cr_expect_eq(seen[f], wanted[f], "%s: %zu", rules_family_name((enum rules_family)f), seen[f]);
    cr_expect_eq(strlen(rules->digest), 32);
    cr_expect_eq(rules->limits.stale_days, 5);
    rules_free(rules);
}

Test(rules, mistakes_name_place_and_remedy)
{
    static const struct {
        const char *text, *place, *words;
    } cases[] = {
        {"", "1:0: ", "correct"},
        {"{\"version\":1,\n \"universes\":[,]}", "2:", "correct"},
        {"{\"version\":1,\"version\":1}", "1:", "duplicate"},
        {"[]", "/: ", "object"},
        {"{\"universes\":[]}", "/: ", "lacks \"version\""},
        {"{\"version\":2,\"universes\":[]}", "/version: ", "version 1"},
        {"{\"version\":1,\"universes\":{}}", "/universes: ", "list"},
        {"{\"version\":1,\"universes\":[],\"a/b\":1}", "/a~1b: ", "known here"},
        {"{\"version\":1,\"universes\":[7]}", "/universes/0: ", "must be an object"},
        {"{\"version\":1,\"limits\":{\"max_shrink\":2},\"universes\":[]}",
         "/limits/max_shrink: ", "from 0 to 1"},
        {HEAD TAIL, "/universes/0/select: ", "missing"},
        {HEAD "\"select\":{}," TAIL, "/universes/0/select: ", "lacks \"asset\""},
        {HEAD "\"select\":{\"asset\":\"bond\"}," TAIL, "/universes/0/select/asset: ", "stock, etf, both"},
        {HEAD "\"select\":{\"asset\":\"etf\",\"symbols\":[]}," TAIL,
         "/universes/0/select/symbols: ", "empty"},
        {HEAD "\"select\":{\"asset\":\"etf\",\"symbols\":[\"A\",3]}," TAIL,
         "/universes/0/select/symbols/1: ", "text"},
        {HEAD "\"select\":{\"asset\":\"etf\",\"symbols\":[\"A\",\"A\"]}," TAIL,
         "/universes/0/select/symbols: ", "twice"},
        {HEAD "\"select\":{\"asset\":\"etf\",\"name_any\":[\" x\"]}," TAIL,
         "/universes/0/select/name_any/0: ", "whole words"},
        {HEAD "\"select\":{\"asset\":\"etf\",\"cap_mim\":1}," TAIL,
         "/universes/0/select/cap_mim: ", "cap_min"},
        {HEAD "\"select\":{\"asset\":\"etf\",\"cap_min\":-1}," TAIL,
         "/universes/0/select/cap_min: ", "from 0"},
        {HEAD "\"select\":{\"asset\":\"etf\",\"cap_min\":1.5}," TAIL,
         "/universes/0/select/cap_min: ", "whole"},
        {HEAD "\"select\":{\"asset\":\"etf\",\"cap_min\":5,\"cap_max\":5}," TAIL,
         "/universes/0/select/cap_max: ", "above"},
        {HEAD "\"select\":{\"asset\":\"etf\",\"any_of_lists\":true}," TAIL,
         "/universes/0/select/any_of_lists: ", "list"},
        {HEAD SELECT "\"per\":\"country\"," TAIL, "/universes/0/per: ", "sector"},
        {HEAD SELECT "\"per\":\"sector\"," TAIL, "/universes/0/key: ", "{key}"},
        {HEAD SELECT "\"per_min\":3," TAIL, "/universes/0: ", "\"per\""},
        {HEAD SELECT "\"buffer\":3," TAIL, "/universes/0/buffer: ", "neither"},
        {HEAD SELECT "\"limit\":3,\"buffer\":3," TAIL, "/universes/0/buffer: ", "below the limit"},
        {HEAD SELECT "\"limit\":\"3\"," TAIL, "/universes/0/limit: ", "number"},
        {HEAD SELECT "\"outputs\":[]}]}", "/universes/0/outputs: ", "1 to 4"},
        {HEAD SELECT "\"outputs\":[" OUTPUT "," OUTPUT "]}]}", "/universes/0: ", "is the row of"},
        {HEAD SELECT
         "\"outputs\":[{\"type\":\"app_settings\",\"name\":\"x\",\"key\":\"a\",\"shape\":\"stocks\"}]}]}",
         "/universes/0/outputs/0: ", "stock_universe/market_cap"},
        {HEAD SELECT "\"outputs\":[{\"type\":\"stock_universe\",\"name\":\"market_cap\",\"key\":\"a\","
                     "\"shape\":\"tickers\"}]}]}",
         "/universes/0/outputs/0/shape: ", "tickers"},
        {"{\"version\":1,\"universes\":[{\"family\":\"combo\",\"key\":\"a\",\"title\":\"T\"," SELECT
         "\"outputs\":[{\"type\":\"stock_etf_combo\",\"name\":\"mine\",\"key\":\"a\",\"shape\":\"tickers\"}]}"
         "]}",
         "/universes/0/outputs/0: ", "stock_etf_combo/mine"},
        {HEAD SELECT "\"outputs\":[{\"type\":\"stock_universe\",\"name\":\"market_cap\",\"key\":\"A\","
                     "\"shape\":\"stocks\"}]}]}",
         "/universes/0/outputs/0/key: ", "lower-case"},
        {HEAD SELECT "\"outputs\":[{\"type\":\"stock_universe\",\"name\":\"market_cap\",\"key\":\"b\","
                     "\"shape\":\"stocks\"}]}]}",
         "/universes/0/outputs: ", "universe's key"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cs_err err = {0};

        cr_expect_eq(parse(cases[i].text, &err), CS_EINVAL, "%s", cases[i].text);
        cr_expect_eq(strncmp(err.msg, cases[i].place, strlen(cases[i].place)), 0, "%s: %s", cases[i].text,
                     err.msg);
        cr_expect(strstr(err.msg, cases[i].words) != NULL, "%s: %s", cases[i].text, err.msg);
    }
}

Test(rules, a_sound_file_is_read)
{
    struct cs_err err = {0};

    cr_expect_eq(parse(HEAD SELECT "\"limit\":3,\"buffer\":1," TAIL, &err), CS_OK, "%s", err.msg);
}

Test(rules, no_cut_of_the_built_in_text_is_taken)
{
    static const char text[] = HEAD SELECT TAIL;
    struct sync_rules *rules;
    struct cs_err err;

    for (size_t n = 0; n < sizeof text - 1; n++)
        cr_expect_eq(rules_parse(text, n, &rules, &err), CS_EINVAL, "%zu bytes", n);
}

Test(rules, missing_file_is_named)
{
    struct sync_rules *rules;
    struct cs_err err = {0};

    cr_expect_eq(rules_load("/nonexistent/u.json", &rules, &err), CS_EIO);
    cr_expect(strstr(err.msg, "/nonexistent/u.json") != NULL);
}

Test(rules, keys_are_normalised)
{
    static const char *const cases[][2] = {{"Health Care", "health_care"},
                                           {"Oil & Gas", "oil_and_gas"},
                                           {" Medicinal  Chemicals ", "medicinal_chemicals"},
                                           {"Accident &Health", "accident_andhealth"},
                                           {"S&P", "sandp"},
                                           {"", "other"},
                                           {"--", "other"},
                                           {"caf\xc3\xa9 9", "caf_9"}};
    char key[RULES_KEY_MAX + 1], large[400];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rules_key(cases[i][0], strlen(cases[i][0]), key);
        cr_expect_str_eq(key, cases[i][1]);
    }
    memset(large, '&', sizeof large);
    rules_key(large, sizeof large, key);
    cr_expect_eq(strlen(key), RULES_KEY_MAX);
    memset(large, 'a', sizeof large);
    large[99] = ' ';
    rules_key(large, sizeof large, key);
    cr_expect_eq(strlen(key), 99);
}

Test(rules, phrases_match_whole_words)
{
    const char *items[] = {"Bond", "S&P 500"};
    struct rules_texts t = {2, items};
    static const struct {
        const char *text;
        bool holds;
    } cases[] = {{"Total Bond Fund", true}, {"bond", true},     {"Bonds", false},
                 {"Vagabond", false},       {"x (BOND)", true}, {"SPDR s&p 500", true},
                 {"S&P 5000", false},       {"S&P 50", false},  {"", false},
                 {"bond-like", true}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_eq(rules_words_match(&t, cases[i].text, strlen(cases[i].text)), cases[i].holds, "%s",
                     cases[i].text);
}
