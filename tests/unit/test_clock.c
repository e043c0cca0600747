/* SPDX-License-Identifier: MIT */
/* link: common/clock */
#include <criterion/criterion.h>

#include "common/clock.h"

Test(clock, formats_known_moments)
{
    static const struct {
        int64_t ms;
        const char *text;
    } known[] = {{0, "1970-01-01T00:00:00.000Z"},
                 {INT64_C(1715284800000), "2024-05-09T20:00:00.000Z"},
                 {INT64_C(951782400001), "2000-02-29T00:00:00.001Z"},
                 {-1, "1969-12-31T23:59:59.999Z"},
                 {INT64_C(253402300799999), "9999-12-31T23:59:59.999Z"}};
    char out[CS_TIME_LEN + 1];
    int64_t back;

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        cs_time_format(known[i].ms, out);
        cr_expect_str_eq(out, known[i].text);
        cr_expect_eq(cs_time_parse(out, &back), CS_OK);
        cr_expect_eq(back, known[i].ms);
    }
}

Test(clock, formats_extremes_without_overrun)
{
    char out[CS_TIME_LEN + 1];

    cs_time_format(INT64_MAX, out);
    cr_assert_str_eq(out, "9999-12-31T23:59:59.999Z");
    cs_time_format(INT64_MIN, out);
    cr_assert_str_eq(out, "0000-01-01T00:00:00.000Z");
}

Test(clock, parses_zones_and_fractions)
{
    int64_t ms;

    cr_assert_eq(cs_time_parse("2024-05-09T16:00:00-04:00", &ms), CS_OK);
    cr_assert_eq(ms, INT64_C(1715284800000));
    cr_assert_eq(cs_time_parse("2024-05-10T01:30:00.123456+05:30", &ms), CS_OK);
    cr_assert_eq(ms, INT64_C(1715284800123));
}

Test(clock, refuses_what_is_no_time)
{
    static const char *const bad[] = {"",
                                      "2024-05-09",
                                      "2024-05-09T20:00:00",
                                      "2024-05-09 20:00:00Z",
                                      "2024-02-30T20:00:00Z",
                                      "2024-05-09T24:00:00Z",
                                      "2024-05-09T20:60:00Z",
                                      "2024-05-09T20:00:00.Z",
                                      "2024-05-09T20:00:00Zx",
                                      "2024-05-09T20:00:00+1:00",
                                      "1900-01-01T02:00:00+03:00",
                                      "9999-12-31T23:00:00-02:00"};
    int64_t ms;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect_eq(cs_time_parse(bad[i], &ms), CS_EINVAL, "%s", bad[i]);
}

Test(clock, knows_the_calendar)
{
    cr_expect(cs_date_valid("2024-02-29"));
    cr_expect(cs_date_valid("2000-02-29"));
    cr_expect(cs_date_valid("9999-12-31"));
    cr_expect_not(cs_date_valid("2023-02-29"));
    cr_expect_not(cs_date_valid("1900-02-29"));
    cr_expect_not(cs_date_valid("1899-12-31"));
    cr_expect_not(cs_date_valid("2024-00-10"));
    cr_expect_not(cs_date_valid("2024-13-10"));
    cr_expect_not(cs_date_valid("2024-04-31"));
    cr_expect_not(cs_date_valid("2024-4-3"));
    cr_expect_not(cs_date_valid("2024-04-03 "));
    cr_expect_not(cs_date_valid(""));
}

Test(clock, days_and_dates_are_inverse)
{
    char out[CS_DATE_LEN + 1];

    for (int32_t days = cs_date_days("1900-01-01"); days <= cs_date_days("2200-12-31"); days++) {
        cs_date_format(days, out);
        cr_assert(cs_date_valid(out), "%s", out);
        cr_assert_eq(cs_date_days(out), days, "%s", out);
    }
    cr_assert_eq(cs_date_days("1970-01-01"), 0);
    cr_assert_eq(cs_date_days("2000-03-01"), 11017);
}

Test(clock, monotonic_does_not_go_back)
{
    int64_t before = cs_clock_mono_us();

    for (int i = 0; i < 1000; i++) {
        int64_t now = cs_clock_mono_us();

        cr_assert_geq(now, before);
        before = now;
    }
    cr_assert_gt(cs_clock_wall_ms(), INT64_C(1700000000000));
}
