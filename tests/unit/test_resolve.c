/* SPDX-License-Identifier: MIT */
/* link: common/resolve common/mem common/log common/clock common/err */
#include "common/resolve.h"

#include <criterion/criterion.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

struct answer {
    struct event_base *base;
    char address[64], why[128];
    int calls;
};

static void
on_answer(const char *address, const char *why, void *arg)
{
    struct answer *a = arg;

    snprintf(a->address, sizeof a->address, "%s", address ? address : "");
    snprintf(a->why, sizeof a->why, "%s", why ? why : "");
    a->calls++;
    event_base_loopbreak(a->base);
}

/* Ask, and run the loop until the answer is there. */
static struct answer
ask(const char *host)
{
    struct answer a = {.base = event_base_new()};

    if (cs_resolve_start(a.base, host, on_answer, &a))
        event_base_dispatch(a.base);
    event_base_free(a.base);
    return a;
}

Test(resolve, a_numeric_address_comes_back_at_once)
{
    static const char *const hosts[] = {"127.0.0.1", "::1", "2001:db8::7"};
    struct answer a = {0};

    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        a.base = event_base_new();
        cr_expect_null(cs_resolve_start(a.base, hosts[i], on_answer, &a));
        cr_expect_str_eq(a.address, hosts[i]);
        cr_expect_eq(a.calls, (int)i + 1);
        event_base_free(a.base);
    }
}

Test(resolve, a_name_becomes_its_ipv4_address)
{
    struct answer a = ask("localhost");

    cr_expect_eq(a.calls, 1);
    cr_expect_str_eq(a.address, "127.0.0.1");
}

Test(resolve, a_name_that_cannot_be_says_why)
{
    struct answer a = ask("no such name");

    cr_expect_eq(a.calls, 1);
    cr_expect_str_eq(a.address, "");
    cr_expect_neq(a.why[0], '\0');
}

Test(resolve, a_cancelled_question_has_no_answer)
{
    struct answer a = {.base = event_base_new()};
    struct cs_resolve *r = cs_resolve_start(a.base, "localhost", on_answer, &a);

    cr_assert_not_null(r);
    cs_resolve_cancel(r);
    event_base_loop(a.base, EVLOOP_NONBLOCK);
    cr_expect_eq(a.calls, 0);
    event_base_free(a.base);
    cs_resolve_cancel(NULL);
}
