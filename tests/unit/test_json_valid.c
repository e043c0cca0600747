/* SPDX-License-Identifier: MIT */
/* link: common/json_valid */
#include "common/json.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

static const char *const good[] = {
    "null",
    " true ",
    "false",
    "0",
    "-0",
    "12",
    "-1.5",
    "1e5",
    "1.25E-3",
    "\"\"",
    "\"a\\n\\\"\\\\\\/\\u00e9\\ud83d\\ude00\"",
    "\"\xc3\xa4\xf0\x9f\x98\x80\"",
    "[]",
    "[ ]",
    "{}",
    "{ }",
    "[1,2 , [3]]",
    "{\"a\":1,\"b\":{\"c\":[null,true]}}",
    "\t\r\n[\n1\r]\t",
};

static const char *const bad[] = {
    "",
    " ",
    "nul",
    "nullx",
    "True",
    "01",
    "1.",
    ".5",
    "+1",
    "-",
    "1e",
    "1e+",
    "0x1",
    "NaN",
    "\"",
    "\"a",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\u00g0\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\\ud800\\u0041\"",
    "\"\\udc00\"",
    "\"\n\"",
    "\"\xff\"",
    "\"\xc3\"",
    "[",
    "]",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[1 2]",
    "{",
    "{a:1}",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{\"a\" 1}",
    "{\"a\":1 \"b\":2}",
    "{1:2}",
    "[}",
    "{]",
    "1 2",
    "'a'",
    "[1]x",
};

static bool
jansson_takes(const char *text, size_t len)
{
    json_t *value = json_loadb(text, len, JSON_DECODE_ANY, NULL);
    bool takes = value != NULL;

    json_decref(value);
    return takes;
}

/* Numbers that jansson may find too large to hold. */
static bool
has_long_digits(const char *text, size_t len)
{
    for (size_t i = 0; i + 2 < len; i++)
        if (strspn(text + i, "0123456789") >= 3)
            return true;
    return false;
}

Test(json_valid, tells_good_from_bad)
{
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        cr_expect(cs_json_valid(good[i], strlen(good[i])), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect_not(cs_json_valid(bad[i], strlen(bad[i])), "%s", bad[i]);
}

Test(json_valid, nests_so_deep_and_no_deeper)
{
    char text[2 * 200 + 1];

    for (size_t depth = 1; depth <= 200; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        cr_expect_eq(cs_json_valid(text, 2 * depth), depth <= 128, "%zu", depth);
    }
}

/* Texts with some bytes changed, cut out or doubled: the verdict is jansson's. */
Test(json_valid, agrees_with_jansson)
{
    static const char letters[] = "{}[]\",:\\u0dtrefalsn1.-eE \n\xc3\xa4\xff";
    uint64_t draw = 88172645463325252U;

    for (int round = 0; round < 200000; round++) {
        const char *seed = good[round % (int)(sizeof good / sizeof good[0])];
        char text[96];
        size_t len = strlen(seed);

        memset(text, 0, sizeof text);
        memcpy(text, seed, len);
        for (int change = 0; change < 1 + round % 3 && len > 0; change++) {
            draw ^= draw << 13;
            draw ^= draw >> 7;
            draw ^= draw << 17;
            size_t at = (size_t)(draw >> 8) % len;

            if (draw % 3 == 0)
                memmove(text + at, text + at + 1, --len - at);
            else if (draw % 3 == 1 && len < sizeof text - 1)
                memmove(text + at + 1, text + at, len++ - at);
            else
                text[at] = letters[(draw >> 40) % (sizeof letters - 1)];
        }
        if (!has_long_digits(text, len))
            cr_assert_eq(cs_json_valid(text, len), jansson_takes(text, len), "%.*s", (int)len, text);
    }
}
