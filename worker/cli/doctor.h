/* SPDX-License-Identifier: MIT */
/*
 * doctor - what the files of the doctor share: one finding a line, each with its verdict and remedy. Main thread.
 *
 *   doctor.c          configuration, database, the verb     doctor_acl.c      rights in Redis
 *   doctor_redis.c    the server                            doctor_daemons.c  workers, adapter
 *   doctor_queue.c    keys, group, entries, orphans         health_get.c      GET /health
 */
#ifndef CS_CLI_DOCTOR_H
#define CS_CLI_DOCTOR_H

#include <jansson.h>
#include <stdbool.h>

#include "worker/cli/cli.h"
#include "worker/sync/rules.h"

enum doctor_verdict { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_PROBLEM, DOCTOR_FIXED, DOCTOR_VERDICTS };

struct doctor {
    struct cli *cli;
    bool fix;
    const char *role; /* whose rights in Redis are checked: "daemon", "adapter", "producer", "operator" */
    struct sync_rules *rules; /* NULL when they cannot be read */
    size_t live_workers;
    json_t *findings;
    size_t counts[DOCTOR_VERDICTS];
};

/* Report one finding. check: "redis.version" ...; remedy NULL: none. */
void doctor_say(struct doctor *d, enum doctor_verdict verdict, const char *check, const char *remedy,
                const char *fmt, ...) CS_PRINTF(5, 6);

/*
 * One command on the connection. Gives a reply; NULL after reporting what was refused as a warning of check, so that a
 * user with few rights sees what cannot be checked.
 */
struct cs_reply *doctor_ask(struct doctor *d, const char *check, int argc, const char **argv);

/* A name of a role as an option's value; target: const char *. */
bool doctor_read_role(const char *text, void *target);

void doctor_redis(struct doctor *d); /* the server; the other three need it to be there */
void doctor_acl(struct doctor *d);
void doctor_queue(struct doctor *d);
void doctor_daemons(struct doctor *d);
void doctor_adapter(struct doctor *d);

/*
 * GET /health from host:port within timeout_ms.
 *
 * Gives the whole answer, head and body, as text to free() in *answer. Returns CS_OK; CS_EDOWN, CS_ETIMEOUT.
 */
enum cs_rc health_get(const char *host, int port, int timeout_ms, char **answer,
                      struct cs_err *err) CS_MUSTCHECK;

#endif
