/* SPDX-License-Identifier: MIT */
/* link: common/json common/mem common/err */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"

static void
expect_text(const char *bytes, size_t len, const char *want)
{
    json_t *value = cs_json_text(bytes, len);

    cr_assert_not_null(value);
    cr_expect_str_eq(json_string_value(value), want);
    json_decref(value);
}

Test(json, text_becomes_utf8)
{
    expect_text("", 0, "");
    expect_text("plain", 5, "plain");
    expect_text("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    expect_text("a\0b", 3,
                "a\xef\xbf\xbd"
                "b");
    expect_text("\xff"
                "a",
                2,
                "\xef\xbf\xbd"
                "a");
    expect_text("\xc0\x80", 2, "\xef\xbf\xbd\xef\xbf\xbd");                 /* overlong */
    expect_text("\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); /* surrogate */
    expect_text("\xe2\x82", 2, "\xef\xbf\xbd\xef\xbf\xbd");                 /* cut short */
    expect_text("\xf4\x90\x80\x80", 4, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

Test(json, every_pair_of_bytes_is_dumpable)
{
    for (int i = 0; i < 65536; i++) {
        char bytes[2] = {(char)(i >> 8), (char)i};
        json_t *value = cs_json_text(bytes, sizeof bytes);
        char *text = cs_json_dump(value);
        struct cs_err err;
        json_t *back = cs_json_parse(text, strlen(text), 100, &err);

        cr_assert_not_null(back, "%04x: %s", (unsigned)i, err.msg);
        cr_assert(json_equal(value, back), "%04x", (unsigned)i);
        json_decref(back);
        free(text);
        json_decref(value);
    }
}

Test(json, dump_keeps_insertion_order)
{
    json_t *o = json_pack("{s:i,s:b,s:n}", "z", 1, "a", 1, "m");
    char *text = cs_json_dump(o);

    cr_assert_str_eq(text, "{\"z\":1,\"a\":true,\"m\":null}");
    free(text);
    json_decref(o);
}

Test(json, parse_bounds_and_explains)
{
    struct cs_err err;

    cr_assert_null(cs_json_parse("[1,2]", 5, 4, &err));
    cr_assert_eq(err.rc, CS_EINVAL);
    cr_assert_null(cs_json_parse("{\"a\":1,}", 8, 100, &err));
    cr_assert_not_null(strstr(err.msg, "line 1, column"), "%s", err.msg);
    cr_assert_null(cs_json_parse("{\"a\":1,\"a\":2}", 13, 100, &err));
    cr_assert_null(cs_json_parse("[1] x", 5, 100, &err));
    cr_assert_null(cs_json_parse("", 0, 100, &err));
}
