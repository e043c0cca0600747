/* SPDX-License-Identifier: MIT */
/* link: common/keys */
#include <criterion/criterion.h>
#include <string.h>

#include "common/keys.h"

Test(keys, fixed_and_variable_names)
{
    char out[CS_KEY_MAX];
    struct cs_keys keys;

    cs_keys_init(&keys, "tickstock:cache-sync");
    cr_expect_str_eq(keys.commands, "tickstock:cache-sync:commands");
    cr_expect_str_eq(keys.jobs, "tickstock:cache-sync:jobs");
    cr_expect_str_eq(keys.control, "tickstock:cache-sync:control");
    cr_expect_str_eq(keys.dead, "tickstock:cache-sync:dead");
    cr_expect_str_eq(keys.events, "tickstock:cache-sync:events");
    cr_expect_str_eq(cs_key_job(&keys, "id", out), "tickstock:cache-sync:job:id");
    cr_expect_str_eq(cs_key_universes(&keys, "DEFAULT", out), "tickstock:cache-sync:universes:DEFAULT");
    cr_expect_str_eq(cs_key_daily(&keys, "2024-05-09", out), "tickstock:cache-sync:daily:2024-05-09");
    cr_expect_str_eq(cs_key_worker(&keys, "h-1", out), "tickstock:cache-sync:worker:h-1");
    cr_expect_str_eq(cs_key_idem(&keys, "k", out), "tickstock:cache-sync:idem:k");
    cr_expect_str_eq(cs_key_waiters(&keys, "id", out), "tickstock:cache-sync:waiters:id");
    cr_expect_str_eq(cs_key_pending(&keys, "X", out), "tickstock:cache-sync:pending:X");
    cr_expect_str_eq(cs_key_running(&keys, "X", out), "tickstock:cache-sync:running:X");
    cr_expect_str_eq(cs_key_duplicates(&keys, "id", out), "tickstock:cache-sync:duplicates:id");
}

Test(keys, longest_key_fits)
{
    char prefix[CS_KEY_PREFIX_MAX + 1], idem[129], out[CS_KEY_MAX];
    struct cs_keys keys;

    memset(prefix, 'p', sizeof prefix - 1);
    memset(idem, 'i', sizeof idem - 1);
    prefix[sizeof prefix - 1] = idem[sizeof idem - 1] = '\0';
    cs_keys_init(&keys, prefix);
    cr_assert_eq(strlen(cs_key_idem(&keys, idem, out)), 64 + strlen(":idem:") + 128);
}

Test(keys, modes_and_statuses_read_back)
{
    enum cs_status status;
    enum cs_mode mode;

    for (int i = 0; i < CS_MODE_COUNT; i++) {
        cr_assert(cs_mode_parse(cs_mode_name((enum cs_mode)i), &mode));
        cr_assert_eq(mode, (enum cs_mode)i);
    }
    for (int i = 0; i < CS_STATUS_COUNT; i++) {
        cr_assert(cs_status_parse(cs_status_name((enum cs_status)i), &status));
        cr_assert_eq(status, (enum cs_status)i);
    }
    cr_assert_not(cs_mode_parse("Full", &mode));
    cr_assert_not(cs_mode_parse("", &mode));
    cr_assert_not(cs_status_parse("done", &status));
}

Test(keys, only_ended_jobs_are_final)
{
    cr_assert_not(cs_status_final(CS_STATUS_PENDING));
    cr_assert_not(cs_status_final(CS_STATUS_RUNNING));
    cr_assert(cs_status_final(CS_STATUS_COMPLETED));
    cr_assert(cs_status_final(CS_STATUS_FAILED));
    cr_assert(cs_status_final(CS_STATUS_ERROR));
}

Test(keys, tasks_are_named_as_readers_know_them)
{
    cr_assert_str_eq(cs_task_name(CS_TASK_MARKET_CAP), "market_cap_update");
    cr_assert_str_eq(cs_task_name(CS_TASK_DELISTING), "delisting_cleanup");
    cr_assert_str_eq(cs_task_name(CS_TASK_IPO), "ipo_assignment");
    cr_assert_str_eq(cs_task_name(CS_TASK_THEME), "theme_rebalancing");
    cr_assert_str_eq(cs_task_name(CS_TASK_ETF), "etf_maintenance");
}
