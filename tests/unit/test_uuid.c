/* SPDX-License-Identifier: MIT */
/* link: common/uuid */
#include <criterion/criterion.h>

#include "common/uuid.h"

Test(uuid, entry_id_becomes_version_7)
{
    static const struct {
        struct cs_entry_id id;
        const char *uuid;
    } known[] = {
        {{0, 0}, "00000000-0000-7000-8000-000000000000"},
        {{UINT64_C(0x017f22e279b0), 1}, "017f22e2-79b0-7000-8000-000000000001"},
        {{UINT64_C(0xffffffffffff), UINT64_C(0x3fffffffffffffff)}, "ffffffff-ffff-7000-bfff-ffffffffffff"},
        {{1, UINT64_C(1) << 48}, "00000000-0001-7000-8001-000000000000"},
    };
    char out[CS_UUID_LEN + 1];
    struct cs_entry_id back;

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        cr_expect_eq(cs_uuid_from_entry(&known[i].id, out), CS_OK);
        cr_expect_str_eq(out, known[i].uuid);
        cr_expect_eq(cs_uuid_to_entry(out, &back), CS_OK);
        cr_expect_eq(back.ms, known[i].id.ms);
        cr_expect_eq(back.seq, known[i].id.seq);
    }
}

Test(uuid, refuses_entries_that_do_not_fit)
{
    char out[CS_UUID_LEN + 1];

    cr_assert_eq(cs_uuid_from_entry(&(struct cs_entry_id){UINT64_C(1) << 48, 0}, out), CS_EINVAL);
    cr_assert_eq(cs_uuid_from_entry(&(struct cs_entry_id){0, UINT64_C(1) << 62}, out), CS_EINVAL);
}

Test(uuid, other_uuids_are_no_entries)
{
    static const char *const other[] = {
        "017f22e2-79b0-4000-8000-000000000001", /* version 4 */
        "017f22e2-79b0-7001-8000-000000000001", /* rand_a */
        "017f22e2-79b0-7000-0000-000000000001", /* variant */
        "017f22e2-79b0-7000-c000-000000000001", "017f22e279b070008000000000000001", "",
    };
    struct cs_entry_id id;

    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++)
        cr_expect_eq(cs_uuid_to_entry(other[i], &id), CS_ENOTFOUND, "%s", other[i]);
}

Test(uuid, entry_ids_parse_strictly)
{
    static const char *const bad[] = {
        "", "1", "1-", "-1", "1-2-3", "+1-2", " 1-2", "1- 2", "1-2 ", "0x1-2", "18446744073709551616-0"};
    char out[CS_ENTRY_ID_LEN + 1];
    struct cs_entry_id id;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect_eq(cs_entry_id_parse(bad[i], &id), CS_EINVAL, "%s", bad[i]);
    cr_assert_eq(cs_entry_id_parse("18446744073709551615-18446744073709551615", &id), CS_OK);
    cr_assert_eq(id.ms, UINT64_MAX);
    cs_entry_id_format(&id, out);
    cr_assert_str_eq(out, "18446744073709551615-18446744073709551615");
}

Test(uuid, normalize_lowers_and_checks)
{
    char out[CS_UUID_LEN + 1];

    cr_assert_eq(cs_uuid_normalize("ABCDEF01-2345-6789-abcd-EF0123456789", 36, out), CS_OK);
    cr_assert_str_eq(out, "abcdef01-2345-6789-abcd-ef0123456789");
    cr_assert_eq(cs_uuid_normalize("ABCDEF01-2345-6789-abcd-EF012345678", 35, out), CS_EINVAL);
    cr_assert_eq(cs_uuid_normalize("ABCDEF01-2345-6789-abcd-EF012345678g", 36, out), CS_EINVAL);
    cr_assert_eq(cs_uuid_normalize("ABCDEF01+2345-6789-abcd-EF0123456789", 36, out), CS_EINVAL);
    cr_assert_eq(cs_uuid_normalize("ABCDEF0--2345-6789-abcd-EF0123456789", 36, out), CS_EINVAL);
    cr_assert_eq(cs_uuid_normalize("abcdef01-2345-6789-abcd-ef012345\0789", 36, out), CS_EINVAL);
}
