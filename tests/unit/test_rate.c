/* SPDX-License-Identifier: MIT */
/* link: worker/http/rate common/mem */
#include <criterion/criterion.h>
#include <string.h>

#include "worker/http/http.h"

#define SECOND INT64_C(1000000)

static struct http_address
v4(unsigned char last)
{
    return (struct http_address){{[10] = 0xff, [11] = 0xff, [12] = 10, [15] = last}};
}

static int
taken(struct http_rate *rate, int key, struct http_address address, int64_t now_us, int tries)
{
    int count = 0;

    for (int i = 0; i < tries; i++)
        count += http_rate_wait(rate, key, &address, now_us) == 0;
    return count;
}

Test(rate, zero_is_no_limit)
{
    cr_expect_null(http_rate_new(0));
}

Test(rate, a_seconds_worth_at_once_then_so_many_a_second)
{
    struct http_rate *rate = http_rate_new(10);

    cr_expect_eq(taken(rate, 0, v4(1), SECOND, 50), 10);
    cr_expect_eq(taken(rate, 0, v4(1), SECOND + SECOND / 10, 50), 1);
    cr_expect_eq(taken(rate, 0, v4(1), SECOND + SECOND / 2, 50), 4);
    cr_expect_eq(taken(rate, 0, v4(1), 100 * SECOND, 50), 10, "a pause is not saved up");
    http_rate_free(rate);
}

Test(rate, waiting_as_told_is_enough)
{
    struct http_rate *rate = http_rate_new(1);
    struct http_address address = v4(1);
    int64_t now = SECOND, wait;

    cr_expect_eq(http_rate_wait(rate, 0, &address, now), 0);
    wait = http_rate_wait(rate, 0, &address, now);
    cr_expect_eq(wait, 1);
    cr_expect_eq(http_rate_wait(rate, 0, &address, now + wait * SECOND), 0);
    http_rate_free(rate);
}

Test(rate, each_key_and_address_by_itself)
{
    struct http_rate *rate = http_rate_new(5);

    cr_expect_eq(taken(rate, 0, v4(1), SECOND, 9), 5);
    cr_expect_eq(taken(rate, 1, v4(1), SECOND, 9), 5);
    cr_expect_eq(taken(rate, -1, v4(1), SECOND, 9), 5);
    cr_expect_eq(taken(rate, 0, v4(2), SECOND, 9), 5);
    cr_expect_eq(taken(rate, 0, v4(1), SECOND, 9), 0);
    http_rate_free(rate);
}

Test(rate, an_ipv6_network_counts_as_one)
{
    struct http_rate *rate = http_rate_new(5);
    struct http_address one = {{0x20, 1, 0xd, 0xb8, [7] = 1, [15] = 1}}, other = one, far = one;

    other.bytes[15] = 2;
    far.bytes[7] = 2;
    cr_expect_eq(taken(rate, 0, one, SECOND, 9), 5);
    cr_expect_eq(taken(rate, 0, other, SECOND, 9), 0);
    cr_expect_eq(taken(rate, 0, far, SECOND, 9), 5);
    http_rate_free(rate);
}

/* The table is fixed: many addresses push out those that were full again first, and nobody is refused for it. */
Test(rate, more_addresses_than_the_table_holds)
{
    struct http_rate *rate = http_rate_new(1);
    struct http_address address = v4(0);

    for (unsigned i = 0; i < 100000; i++) {
        memcpy(address.bytes + 12, &i, sizeof i);
        cr_assert_eq(http_rate_wait(rate, 0, &address, SECOND + i), 0);
    }
    http_rate_free(rate);
}
