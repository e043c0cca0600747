/* SPDX-License-Identifier: MIT */
/* link: worker/http/text common/mem */
#include "worker/http/text.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void
expect(const struct text *t, const char *want)
{
    cr_expect(t->len == strlen(want) && memcmp(t->at, want, t->len) == 0, "%.*s for %s", (int)t->len, t->at,
              want);
}

Test(text, grows_and_is_cut)
{
    struct text t = {NULL, 0, 0};

    text_cut(&t, 0);
    text_add(&t, "", 0);
    cr_expect_null(t.at);
    for (int i = 0; i < 10000; i++)
        text_add(&t, "0123456789", 10);
    cr_expect_eq(t.len, 100000);
    text_cut(&t, 99995);
    expect(&t, "56789");
    text_cut(&t, 5);
    cr_expect_eq(t.len, 0);
    text_fini(&t);
    cr_expect_null(t.at);
}

Test(text, a_large_one_is_given_back)
{
    struct text t = {NULL, 0, 0};

    text_puts(&t, "small");
    text_clear(&t);
    cr_expect_not_null(t.at);
    text_need(&t, 1000000);
    text_clear(&t);
    cr_expect_null(t.at);
    text_fini(&t);
}

Test(text, numbers)
{
    static const int64_t numbers[] = {0, 7, -7, 10, 1234567890, INT64_MAX, INT64_MIN};
    char want[32];

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct text t = {NULL, 0, 0};

        snprintf(want, sizeof want, "%" PRId64, numbers[i]);
        text_int(&t, numbers[i]);
        expect(&t, want);
        text_fini(&t);
    }
}

Test(text, a_format_longer_than_its_first_room)
{
    char word[2000], want[2100];
    struct text t = {NULL, 0, 0};

    memset(word, 'w', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    snprintf(want, sizeof want, "<%s> and 5", word);
    text_printf(&t, "<%s> and %d", word, 5);
    expect(&t, want);
    text_fini(&t);
}

Test(text, json_strings)
{
    static const struct {
        const char *bytes, *json;
    } known[] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"\"\\\n\r\t\b\x1f", "\"\\\"\\\\\\n\\r\\t\\u0008\\u001f\""},
        {"\xc3\xa4\xf0\x9f\x98\x80", "\"\xc3\xa4\xf0\x9f\x98\x80\""},
        {"a\xff", "\"a\xef\xbf\xbd\""},
        {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xc3", "\"\xef\xbf\xbd\""},
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct text t = {NULL, 0, 0};

        text_json(&t, known[i].bytes, strlen(known[i].bytes));
        expect(&t, known[i].json);
        text_fini(&t);
    }
}
