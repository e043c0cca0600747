/* SPDX-License-Identifier: MIT */
/*
 * metrics - families of /metrics in the text format of Prometheus (version 0.0.4). Any one thread.
 */
#ifndef CS_HTTP_METRICS_H
#define CS_HTTP_METRICS_H

#include <stdbool.h>

#include "common/command.h"
#include "worker/http/text.h"

struct http_app;

#define HTTP_METRICS_WORKERS 100

/* One worker of P:workers, as its hash says. */
struct http_worker {
    char name[128];
    int64_t value[12]; /* in the order of the table in metrics_text.c */
    bool live;         /* has read the stream lately */
    bool found;        /* its hash is there */
};

void http_metrics_gauge(struct text *out, const char *name, const char *help, double value);

/* All that P:metrics counts; what is absent is 0. */
void http_metrics_counters(struct text *out, const struct cs_field *fields, size_t count, int64_t now_ms);
/* Take a worker's hash; then all of them as families. */
void http_metrics_worker(struct http_worker *worker, const struct cs_field *fields, size_t count,
                         int64_t now_ms);
void http_metrics_workers(struct text *out, const struct http_worker *workers, size_t count);
/* What the adapter counts of itself. */
void http_metrics_adapter(struct text *out, const struct http_app *app);

#endif
