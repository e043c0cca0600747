/* SPDX-License-Identifier: MIT */
/* link: common/mem */
#include <criterion/criterion.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

Test(mem, arena_blocks_are_aligned_and_apart)
{
    struct cs_arena *a = cs_arena_new(1000);
    unsigned char *blocks[500];
    char *strings[500];

    for (size_t i = 0; i < 500; i++) {
        size_t len = i * 7 % 613;

        blocks[i] = cs_arena_alloc(a, len);
        strings[i] = cs_arena_strndup(a, "abcdefghij", i % 11);
        cr_assert_eq((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
        memset(blocks[i], (int)(i & 0xff), len);
    }
    for (size_t i = 0; i < 500; i++) {
        for (size_t k = 0; k < i * 7 % 613; k++)
            cr_assert_eq(blocks[i][k], i & 0xff);
        cr_assert_eq(strlen(strings[i]), i % 11);
        cr_assert_eq(strncmp(strings[i], "abcdefghij", i % 11), 0);
    }
    cs_arena_free(a);
}

Test(mem, arena_strings_are_packed)
{
    struct cs_arena *a = cs_arena_new(65536);
    size_t before;

    cr_assert_not_null(cs_arena_strndup(a, "x", 1));
    before = cs_arena_bytes(a);
    for (int i = 0; i < 32000; i++)
        cr_assert_not_null(cs_arena_strndup(a, "x", 1));
    cr_assert_eq(cs_arena_bytes(a), before);
    cs_arena_free(a);
}

Test(mem, arena_refuses_impossible_sizes)
{
    struct cs_arena *a = cs_arena_new(64);

    cr_assert_null(cs_arena_alloc(a, SIZE_MAX));
    cr_assert_null(cs_arena_strndup(a, "", SIZE_MAX));
    cr_assert_not_null(cs_arena_alloc(a, 100000));
    cr_assert_geq(cs_arena_bytes(a), 100000);
    cs_arena_free(a);
    cs_arena_free(NULL);
}

Test(mem, strings)
{
    char *s = cs_xasprintf("%s-%d", "a", 7);
    char *cut = cs_xstrndup("abcdef", 3);

    cr_assert_str_eq(s, "a-7");
    cr_assert_str_eq(cut, "abc");
    cr_assert_null(cs_xstrdup(NULL));
    free(s);
    free(cut);
}
