/* SPDX-License-Identifier: MIT */
/* link: worker/sync/previous worker/sync/pg worker/sync/rules worker/sync/rules_parse worker/sync/rules_read */
/* link: worker/sync/snapshot worker/sync/snapshot_sql common/config common/config_file common/uri common/embed embed common/err common/mem common/log common/clock */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "worker/sync/previous.h"

/* The members of a JSON text, in brackets, each followed by ';'. */
static const char *
members(const char *json)
{
    static char out[1000];
    struct cs_arena *arena = cs_arena_new(4096);
    const char **list;
    size_t count;

    cr_assert(previous_members(arena, json, &list, &count));
    snprintf(out, sizeof out, "%zu:", count);
    for (size_t i = 0; i < count; i++) {
        strcat(out, list[i]);
        strcat(out, ";");
    }
    cs_arena_free(arena);
    return out;
}

Test(previous, strings_of_the_array_are_members)
{
    static const struct {
        const char *json, *wanted;
    } cases[] = {
        {"[]", "0:"},
        {"[\"A\", \"BRK/B\"]", "2:A;BRK/B;"},
        {"[\"a\\\"b\", \"c\\\\d\", \"e\\nf\\tg\", \"\\u0001\\u001f\"]", "4:a\"b;c\\d;e\nf\tg;\x01\x1f;"},
        {"[\"\\b\\f\\r\\/\"]", "1:\b\f\r/;"},
        {"[1, null, true, \"A\", -1e400, {\"k\": \"v\", \"l\": [\"x\"]}, [\"y\", [\"z\"]], \"B\"]", "2:A;B;"},
        {"[\"]\", \"[\", \"{\", \"}\", \",\"]", "5:];[;{;};,;"},
        {"[\"\xc3\xa9\", \"\xe6\x97\xa5\"]", "2:\xc3\xa9;\xe6\x97\xa5;"},
        {"[\"\"]", "1:;"},
        /* What is no array has none, and what is broken does no harm. */
        {"", "0:"},
        {"null", "0:"},
        {"[\"A", "1:A;"},
        {"[\"A\\", "1:A\\;"},
        {"]]]\"A\"", "0:"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_str_eq(members(cases[i].json), cases[i].wanted, "%s", cases[i].json);
}

static const char *tickers[] = {"A", "B", "C"};
static const char *kept[] = {"C", "GONE", "A"};
static struct previous_row rows[] = {
    {.type = "stock_universe",
     .name = "market_cap",
     .key = "mega_cap",
     .universe = "mega_cap",
     .exists = true,
     .members = kept,
     .member_count = 3},
    {.type = "stock_universe", .name = "themes", .key = "ai", .universe = "ai", .exists = false},
    {.type = "themes", .name = "AI", .key = "list", .universe = "ai", .exists = true},
};
static const struct previous prev = {.count = 3, .rows = rows};
static const struct snapshot snap = {.count = 3, .symbol = tickers};

Test(previous, a_row_is_found_by_its_name)
{
    struct rules_output output = {.type = "themes", .name = "AI", .key = "list"};

    cr_expect_eq(previous_find(&prev, &output), &rows[2]);
    strcpy(output.key, "lisu");
    cr_expect_null(previous_find(&prev, &output));
    cr_expect_null(previous_find(&(struct previous){0}, &output));
}

Test(previous, the_row_that_tells_the_members)
{
    struct rules_output outputs[] = {{.type = "stock_universe", .name = "themes", .key = "ai"},
                                     {.type = "themes", .name = "AI", .key = "list"}};

    cr_expect_eq(previous_of(&prev, "ai", outputs, 2), &rows[2], "the first that is there");
    cr_expect_eq(previous_of(&prev, "ai", outputs, 1), &rows[1], "else one that was");
    cr_expect_eq(previous_of(&prev, "mega_cap", NULL, 0), &rows[0]);
    cr_expect_null(previous_of(&prev, "none", NULL, 0));
}

Test(previous, ids_are_sorted_and_known)
{
    struct previous_scratch scratch = {0};
    size_t count;
    const uint32_t *ids = previous_ids(&prev, &snap, "mega_cap", &scratch, &count);

    cr_assert_eq(count, 2);
    cr_expect(ids[0] == 0 && ids[1] == 2);
    cr_expect_null(previous_ids(&prev, &snap, "none", &scratch, &count));
    cr_expect_eq(count, 0);
    free(scratch.ids);
}
