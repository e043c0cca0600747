/* SPDX-License-Identifier: MIT */
/* link: common/err */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "common/err.h"

Test(err, set_fills_and_returns)
{
    struct cs_err err = {.sys_errno = 7, .code = "old"};

    cr_assert_eq(cs_err_set(&err, CS_EINVAL, "mode=%s", "x\ny"), CS_EINVAL);
    cr_assert_eq(err.rc, CS_EINVAL);
    cr_assert_str_eq(err.msg, "mode=x?y");
    cr_assert_eq(err.sys_errno, 0);
    cr_assert_str_eq(err.code, "");
}

Test(err, null_record_is_fine)
{
    cr_assert_eq(cs_err_set(NULL, CS_EFULL, "x"), CS_EFULL);
    cr_assert_eq(cs_err_errno(NULL, ENOENT, "x"), CS_EIO);
    cr_assert_eq(cs_err_code(NULL, CS_EREFUSED, "c", "x"), CS_EREFUSED);
}

Test(err, errno_is_named)
{
    struct cs_err err;

    cr_assert_eq(cs_err_errno(&err, ENOENT, "cannot open %s", "/a"), CS_EIO);
    cr_assert_eq(err.sys_errno, ENOENT);
    cr_assert_str_eq(err.msg, "cannot open /a: No such file or directory");
}

Test(err, code_is_kept_under_a_prefix)
{
    struct cs_err err;

    cr_assert_eq(cs_err_code(&err, CS_EREFUSED, "empty_market", "no rows"), CS_EREFUSED);
    cr_assert_eq(cs_err_prefix(&err, "job %d", 4), CS_EREFUSED);
    cr_assert_str_eq(err.code, "empty_market");
    cr_assert_str_eq(err.msg, "job 4: no rows");
}

Test(err, long_messages_are_cut)
{
    char big[2000];
    struct cs_err err;

    memset(big, 'a', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    cs_err_set(&err, CS_EINVAL, "%s", big);
    cr_assert_eq(strlen(err.msg), sizeof err.msg - 1);
    cs_err_prefix(&err, "%s", big);
    cr_assert_eq(strlen(err.msg), sizeof err.msg - 1);
}

Test(err, own_message_may_be_an_argument)
{
    struct cs_err err;

    cs_err_set(&err, CS_EIO, "inner");
    cs_err_set(&err, CS_EINVAL, "outer %s", err.msg);
    cr_assert_str_eq(err.msg, "outer inner");
}

Test(err, every_code_has_a_name)
{
    for (int rc = CS_OK; rc <= CS_EREFUSED; rc++)
        cr_assert_str_neq(cs_rc_name((enum cs_rc)rc), "unknown");
    cr_assert_str_eq(cs_rc_name((enum cs_rc)999), "unknown");
}
