/* SPDX-License-Identifier: MIT */
/*
 * universes - the verbs that ask the database about universes: members at a moment, and what changed. Any one thread.
 */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/cli/output.h"
#include "worker/sync/ask.h"

#define STATEMENT_TIMEOUT_MS 30000u

/* The newest memberships stand in the rows; those of a moment are folded from the log. */
static const char members_now_sql[] =
    "SELECT s.symbol FROM (SELECT content FROM cache_entries c"
    "  WHERE c.universe = $1 AND c.environment = $2 AND c.cache_type IS NOT NULL ORDER BY EXISTS"
    "  (SELECT FROM cache_sync_rows r WHERE (r.environment, r.type, r.name, r.key) ="
    "   (c.environment, c.type, c.name, c.key)) DESC, type, name LIMIT 1) e,"
    " LATERAL (SELECT m.text AS symbol, m.nr FROM jsonb_array_elements_text(e.content->'symbols')"
    "  WITH ORDINALITY AS m (text, nr)) s ORDER BY s.nr";
static const char members_at_sql[] =
    "SELECT symbol FROM universe_as_of($1::text, $2::text, $3::timestamptz) AS symbol";
static const char known_sql[] =
    "SELECT 1 WHERE EXISTS (SELECT FROM cache_entries WHERE universe = $1 AND environment = $2"
    "  AND cache_type IS NOT NULL)"
    " OR EXISTS (SELECT FROM sync_changes_log WHERE universe = $1 AND environment = $2)";
static const char history_sql[] =
    "SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') AS created_at,"
    " action, symbol, coalesce(reason, '') AS reason, coalesce(job_id::text, '') AS job_id FROM "
    "sync_changes_log"
    " WHERE universe = universe_logged_as($1, $2) AND environment = $2 ORDER BY created_at DESC, id DESC "
    "LIMIT "
    "$3::int";

struct question {
    const char *verb;
    const char *universe;
    const char *environment;
    const char *at; /* NULL: now */
};

static enum cs_rc
ask(const struct cli *cli, const char *what, const char *sql, int count, const char *const *params,
    json_t **rows, struct cs_err *err)
{
    const struct sync_ask how = {.database_uri = cli->cfg.database_uri,
                                 .application_name = "cachesync",
                                 .statement_timeout_ms = STATEMENT_TIMEOUT_MS};

    return sync_ask(&how, what, sql, count, params, rows, err);
}

static enum cs_rc
check_known(const struct cli *cli, const struct question *q, struct cs_err *err)
{
    const char *params[] = {q->universe, q->environment};
    json_t *rows = NULL;
    enum cs_rc rc = ask(cli, "look for the universe", known_sql, 2, params, &rows, err);

    if (rc == CS_OK && json_array_size(rows) == 0)
        rc = cs_err_set(err, CS_ENOTFOUND, "no universe %s in environment %s; cachesync stats lists them",
                        q->universe, q->environment);
    json_decref(rows);
    return rc;
}

/* What PostgreSQL's refusals mean here. */
static enum cs_rc
explain(struct cs_err *err)
{
    static const struct {
        const char *sqlstate, *code, *msg;
    } table[] = {
        {"42P01", "schema_missing", "the database lacks the schema: run cachesync migrate"},
        {"42703", "schema_missing", "the database lacks a column of the schema: run cachesync migrate"},
        {"42883", "schema_missing", "the database lacks universe_as_of: run cachesync migrate"},
        {"22007", "invalid_time", "--at is not a time: write it as 2024-06-03T20:00:00Z"},
        {"22008", "invalid_time", "--at is out of range: write it as 2024-06-03T20:00:00Z"},
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(err->sqlstate, table[i].sqlstate) == 0)
            return cs_err_code(err, CS_EINVAL, table[i].code, "%s", table[i].msg);
    return err->rc;
}

/* An object with the rows under name; rows of one column as plain text. */
static void
print_json(const struct question *q, const char *name, json_t *rows)
{
    json_t *items = json_array();
    json_t *doc = json_pack("{s:s, s:s, s:s?, s:o}", "universe", q->universe, "environment", q->environment,
                            "at", q->at, name, items);
    size_t i;
    json_t *row;

    json_array_foreach (rows, i, row)
        json_array_append(items,
                          json_object_size(row) == 1 ? json_object_iter_value(json_object_iter(row)) : row);
    json_dumpf(doc, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(doc);
}

/* A row a line, tab-separated. */
static void
print_lines(json_t *rows)
{
    size_t i;
    json_t *row;

    json_array_foreach (rows, i, row)
        for (void *at = json_object_iter(row), *next; at != NULL; at = next) {
            char *text = cli_cell(json_object_iter_value(at));

            next = json_object_iter_next(row, at);
            printf("%s%c", text, next != NULL ? '\t' : '\n');
            free(text);
        }
}

/* Ask sql about q and print the answer. Returns an exit code. */
static int
answer(struct cli *cli, const struct question *q, const char *name, const char *sql, int count,
       const char *const *params)
{
    struct cs_err err = {0};
    json_t *rows = NULL;
    enum cs_rc rc = ask(cli, "ask the database", sql, count, params, &rows, &err);

    if (rc == CS_OK && json_array_size(rows) == 0)
        rc = check_known(cli, q, &err);
    if (rc != CS_OK) {
        explain(&err);
        json_decref(rows);
        return cli_fail(cli, q->verb, &err);
    }
    if (cli->json)
        print_json(q, name, rows);
    else
        print_lines(rows);
    json_decref(rows);
    return CLI_OK;
}

int
verb_members(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {{"at", required_argument, NULL, 't'},
                                            {"environment", required_argument, NULL, 'e'},
                                            {"json", no_argument, NULL, 'j'},
                                            {0}};
    struct question q = {.verb = "members", .environment = cli->cfg.environment};
    const char *params[3];
    int opt;

    optind = 0;
    opterr = 0;
    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (opt == 't')
            q.at = optarg;
        else if (opt == 'e')
            q.environment = optarg;
        else if (opt == 'j')
            cli->json = true;
        else
            return cli_usage("members", "unknown option or missing value: %s", argv[optind - 1]);
    }
    if (argc - optind != 1)
        return cli_usage("members", "name one universe");
    q.universe = argv[optind];
    params[0] = q.universe;
    params[1] = q.environment;
    params[2] = q.at;
    return answer(cli, &q, "symbols", q.at != NULL ? members_at_sql : members_now_sql, q.at != NULL ? 3 : 2,
                  params);
}

int
cli_universe_history(struct cli *cli, const char *universe, const char *environment, int limit)
{
    struct question q = {.verb = "history",
                         .universe = universe,
                         .environment = environment != NULL ? environment : cli->cfg.environment};
    char limit_text[16];
    const char *params[] = {q.universe, q.environment, limit_text};

    snprintf(limit_text, sizeof limit_text, "%d", limit);
    return answer(cli, &q, "changes", history_sql, 3, params);
}
