/* SPDX-License-Identifier: MIT */
/*
 * events - the envelopes of the events, from a job and the engine's result document. Pure functions; knows
 * no Redis.
 *
 * Every function adds channel and event text to a list, ready for the scripts.
 */
#ifndef CS_DAEMON_EVENTS_H
#define CS_DAEMON_EVENTS_H

#include <jansson.h>

#include "common/command.h"
#include "worker/daemon/args.h"
#include "worker/sync/sync.h"

/* What an ended job has to say. Borrowed. */
struct event_end {
    const char *job_id;
    const char *mode;
    enum cs_status status;
    double duration_s;
    const json_t *doc;           /* the engine's result; NULL when there is none */
    const json_t *error_details; /* NULL when completed */
    const char *coalesced_into;  /* NULL: none */
};

void events_triggered(struct args *out, const char *job_id, const struct cs_command *cmd, int64_t now_ms);
void events_progress(struct args *out, const char *job_id, const struct sync_progress *p, int64_t start_ms,
                     int64_t now_ms);
void events_changes(struct args *out, const char *job_id, const json_t *doc, int64_t now_ms);
void events_complete(struct args *out, const struct event_end *end, int64_t now_ms);

/* severity: critical, error, warning. context: borrowed, may be NULL. error_id is made unique from job, code
 * and the context's universe. */
void events_error(struct args *out, const char *job_id, const char *severity, const char *code,
                  const char *message, const json_t *context, int64_t now_ms);

/* The JSON of job field progress. Gives a string to free(). */
char *events_progress_field(const struct sync_progress *p);

#endif
