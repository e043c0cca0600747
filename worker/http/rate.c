/* SPDX-License-Identifier: MIT */
/*
 * rate - requests a second for each key and address. A fixed table: what was not seen for longest makes room.
 *
 * A bucket holds the time at which it would be full again (the generic cell rate algorithm). IPv6 counts by /64.
 */
#include <event2/util.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "worker/http/http.h"

#define SETS 512
#define WAYS 8
#define SECOND_US INT64_C(1000000)

struct bucket {
    uint64_t id;
    int64_t full_us;
};

struct http_rate {
    int64_t cost_us;
    uint64_t seed;
    struct bucket buckets[SETS][WAYS];
};

struct http_rate *
http_rate_new(int64_t per_s)
{
    struct http_rate *rate;

    if (per_s <= 0)
        return NULL;
    rate = cs_xcalloc(1, sizeof *rate);
    rate->cost_us = SECOND_US / per_s;
    evutil_secure_rng_get_bytes(&rate->seed, sizeof rate->seed);
    return rate;
}

void
http_rate_free(struct http_rate *rate)
{
    free(rate);
}

static uint64_t
mix(uint64_t x)
{
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ x >> 33;
}

static uint64_t
identity(const struct http_rate *rate, int key, const struct http_address *address)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    uint64_t half[2];

    memcpy(half, address->bytes, sizeof half);
    if (memcmp(address->bytes, mapped, sizeof mapped) != 0)
        half[1] = 0;
    return mix(mix(mix(rate->seed ^ (uint64_t)(key + 1)) ^ half[0]) ^ half[1]);
}

int64_t
http_rate_wait(struct http_rate *rate, int key, const struct http_address *address, int64_t now_us)
{
    uint64_t id = identity(rate, key, address);
    struct bucket *set = rate->buckets[id % SETS], *mine = set;
    int64_t full_us;

    for (size_t i = 0; i < WAYS && mine->id != id; i++)
        if (set[i].id == id || set[i].full_us < mine->full_us)
            mine = &set[i];
    full_us = (mine->id == id && mine->full_us > now_us ? mine->full_us : now_us) + rate->cost_us;
    if (full_us > now_us + SECOND_US)
        return (full_us - now_us - SECOND_US + SECOND_US - 1) / SECOND_US;
    *mine = (struct bucket){id, full_us};
    return 0;
}
