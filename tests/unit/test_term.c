/* SPDX-License-Identifier: MIT */
/* link: worker/cli/term */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "worker/cli/term.h"

static void
expect_harmless(const char *text, const char *wanted)
{
    char copy[64];

    strcpy(copy, text);
    cr_expect_str_eq(term_harmless(copy), wanted);
}

Test(term, what_steers_a_terminal_is_replaced)
{
    expect_harmless("plain", "plain");
    expect_harmless("", "");
    expect_harmless("\033[31mred\033[0m", "?[31mred?[0m");
    expect_harmless("a\tb\r\nc\x7f", "a?b??c?");
    expect_harmless("\xc2\x9b"
                    "31m",
                    "??31m"); /* U+009B is CSI in eight bits */
    expect_harmless("caf\xc3\xa9 \xe2\x82\xac", "caf\xc3\xa9 \xe2\x82\xac");
    expect_harmless("\xc2", "?"); /* cut short: nothing is read beyond it */
    expect_harmless("\x9b"
                    "31m \xff\xfe",
                    "?31m ??");
    expect_harmless("\xed\xa0\x80", "???"); /* a surrogate */
}

Test(term, width_counts_characters)
{
    cr_expect_eq(term_width(""), 0);
    cr_expect_eq(term_width("abc"), 3);
    cr_expect_eq(term_width("caf\xc3\xa9 \xe2\x82\xac"), 6);
}

static void
expect_cut(const char *text, size_t columns, const char *wanted)
{
    char copy[64];

    strcpy(copy, text);
    cr_expect_str_eq(term_cut(copy, columns), wanted);
}

Test(term, text_is_cut_between_characters)
{
    expect_cut("abc", 3, "abc");
    expect_cut("abc", 2, "ab");
    expect_cut("abc", 0, "");
    expect_cut("caf\xc3\xa9 \xe2\x82\xac", 4, "caf\xc3\xa9");
    expect_cut("caf\xc3\xa9 \xe2\x82\xac", 3, "caf");
    expect_cut("caf\xc3\xa9 \xe2\x82\xac", 5, "caf\xc3\xa9 ");
}

Test(term, a_file_is_no_terminal)
{
    FILE *f = tmpfile();
    int columns, lines;

    cr_assert_not_null(f);
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    cr_expect_not(term_is_terminal(f));
    cr_expect_not(term_has_color(f));
    cr_expect_str_eq(term_begin(f, TERM_RED), "");
    cr_expect_str_eq(term_end(f, TERM_RED), "");
    term_size(f, &columns, &lines);
    cr_expect_eq(columns, 80);
    cr_expect_eq(lines, 24);
    fclose(f);
}

Test(term, words_have_styles)
{
    cr_expect_eq(term_style_of("completed"), TERM_GREEN);
    cr_expect_eq(term_style_of("failed"), TERM_RED);
    cr_expect_eq(term_style_of("problem"), TERM_RED);
    cr_expect_eq(term_style_of("something else"), TERM_PLAIN);
}
