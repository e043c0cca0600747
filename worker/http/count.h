/* SPDX-License-Identifier: MIT */
/*
 * count - what the adapter counts of itself for /metrics. Plain data. Loop thread.
 */
#ifndef CS_HTTP_COUNT_H
#define CS_HTTP_COUNT_H

#include <stdint.h>

#define HTTP_ROUTES_MAX 12
#define HTTP_NO_ROUTE (HTTP_ROUTES_MAX - 1)
#define HTTP_STATUSES_MAX 20

struct http_count {
    uint64_t requests[HTTP_ROUTES_MAX][HTTP_STATUSES_MAX];
    uint64_t served_us[HTTP_ROUTES_MAX];
    uint64_t accepted;  /* connections */
    uint64_t cut;       /* requests not complete in time */
    uint64_t made_room; /* connections closed for newer ones */
    uint64_t paused;    /* times that no descriptor was left */
};

#endif
