/* SPDX-License-Identifier: MIT */
/*
 * apply - COPY into a staging table, then one statement for all rows.
 *
 * Owns: every write to symbols, cache_entries, cache_sync_rows and sync_changes_log. Session's thread.
 */
#include "worker/sync/apply.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

static enum cs_rc
copy_begin(PGconn *conn, const char *sql, struct cs_err *err)
{
    PGresult *res = PQexec(conn, sql);
    enum cs_rc rc =
        PQresultStatus(res) == PGRES_COPY_IN ? CS_OK : pg_error(conn, res, "starting a COPY", err);
    PQclear(res);
    return rc;
}

static enum cs_rc
copy_end(PGconn *conn, bool sent, const char *what, struct cs_err *err)
{
    enum cs_rc rc = CS_OK;
    if (PQputCopyEnd(conn, sent ? NULL : "the writer failed") != 1)
        return pg_error(conn, NULL, what, err);
    for (PGresult *res; (res = PQgetResult(conn)); PQclear(res))
        if (rc == CS_OK && PQresultStatus(res) != PGRES_COMMAND_OK)
            rc = pg_error(conn, res, what, err);
    return rc;
}

/* One line of a COPY from texts. */
static bool
copy_line(PGconn *conn, const char *const *fields, size_t count)
{
    bool sent = true;
    for (size_t i = 0; sent && i < count; i++)
        sent = write_copy_text(conn, fields[i]) && PQputCopyData(conn, i + 1 < count ? "\t" : "\n", 1) == 1;
    return sent;
}

enum cs_rc
apply_caps(PGconn *conn, const struct snapshot *snap, int64_t *changed, struct cs_err *err)
{
    bool sent = true;
    *changed = 0;
    enum cs_rc rc = pg_exec(conn, "preparing the caps",
                            "CREATE TEMP TABLE IF NOT EXISTS cs_caps (symbol text PRIMARY KEY, cap bigint) "
                            "ON COMMIT DELETE ROWS",
                            err);
    if (rc == CS_OK)
        rc = copy_begin(conn, "COPY cs_caps FROM STDIN", err);
    if (rc != CS_OK)
        return rc;
    for (size_t i = 0; sent && i < snap->count; i++) {
        if (snap->cap[i] == snap->stored_cap[i] || !(snap->flags[i] & SNAPSHOT_PRICED))
            continue;
        char cap[24];
        snprintf(cap, sizeof cap, "%" PRId64, snap->cap[i]);
        sent = copy_line(conn, (const char *const[]){snap->symbol[i], cap}, 2);
        ++*changed;
    }
    rc = copy_end(conn, sent, "sending market caps", err);
    if (rc != CS_OK || !*changed)
        return rc;
    return pg_exec(
        conn, "storing market caps",
        "SELECT pg_advisory_xact_lock(hashtext('cachesync'), hashtext('symbols'));"
        "WITH locked AS (SELECT s.symbol, c.cap FROM symbols s JOIN cs_caps c ON c.symbol = s.symbol "
        "ORDER BY s.symbol FOR NO KEY UPDATE OF s) "
        "UPDATE symbols s SET market_cap = l.cap, last_updated = now() AT TIME ZONE 'UTC' "
        "FROM locked l WHERE s.symbol = l.symbol AND s.market_cap IS DISTINCT FROM l.cap",
        err);
}

struct rows {
    PGconn *conn;
    const struct previous *prev;
    const char *now;
    struct apply_counts *counts;
    bool *kept; /* by index in prev: a row of this sync */
    bool sent;
};

static void
stage(struct rows *r, const struct write_row *row, const char *universe, const char *family)
{
    const struct previous_row *was = previous_find(r->prev, row->output);
    char digest[33];
    write_digest(row, digest);
    if (was)
        r->kept[was - r->prev->rows] = true;
    if (was && was->trusted && strcmp(was->digest, digest) == 0) {
        r->counts->unchanged++;
        return;
    }
    r->counts->written++;
    json_object_set_new(r->counts->fresh, universe, json_true());
    const char *const fields[] = {
        row->output->type, row->output->name, row->output->key, universe, family, digest};
    for (size_t i = 0; r->sent && i < sizeof fields / sizeof *fields; i++)
        r->sent = write_copy_text(r->conn, fields[i]) && PQputCopyData(r->conn, "\t", 1) == 1;
    r->sent = r->sent && write_copy(r->conn, row, r->now) && PQputCopyData(r->conn, "\n", 1) == 1;
}

static const char upsert_sql[] =
    "WITH up AS (INSERT INTO cache_entries AS c (type, name, key, value, environment, created_at, "
    "updated_at) "
    "SELECT type, name, key, value::jsonb, $1, $2::timestamptz AT TIME ZONE 'UTC', $2::timestamptz AT TIME "
    "ZONE 'UTC' "
    "FROM cs_rows ORDER BY type, name, key "
    "ON CONFLICT (type, name, key, environment) DO UPDATE SET value = excluded.value, updated_at = "
    "excluded.updated_at "
    "RETURNING c.type, c.name, c.key) "
    "INSERT INTO cache_sync_rows AS r (environment, type, name, key, universe, cache_type, digest, row_xmin, "
    "updated_at) "
    "SELECT $1, s.type, s.name, s.key, s.universe, s.family, s.digest, "
    "(pg_current_xact_id()::text::numeric % 4294967296)::bigint, $2::timestamptz FROM cs_rows s JOIN up "
    "USING (type, name, key) "
    "ON CONFLICT (environment, type, name, key) DO UPDATE SET universe = excluded.universe, "
    "cache_type = excluded.cache_type, digest = excluded.digest, row_xmin = excluded.row_xmin, "
    "updated_at = excluded.updated_at";

static enum cs_rc
delete_rest(struct rows *r, uint32_t mask, const char *environment, struct cs_err *err)
{
    enum cs_rc rc = CS_OK;
    for (size_t i = 0; rc == CS_OK && i < r->prev->count; i++) {
        const struct previous_row *row = &r->prev->rows[i];
        bool covered = false;
        for (int f = 0; f < RULES_FAMILY_COUNT; f++)
            covered |=
                (mask & 1U << f) && strcmp(row->cache_type, rules_family_name((enum rules_family)f)) == 0;
        if (!covered || !row->universe || r->kept[i])
            continue;
        const char *params[] = {environment, row->type, row->name, row->key};
        rc = pg_query(
            r->conn, "deleting a row",
            "WITH gone AS (DELETE FROM cache_entries WHERE environment = $1 AND type = $2 AND name = $3 AND "
            "key = $4) DELETE FROM cache_sync_rows WHERE environment = $1 AND type = $2 AND name = $3 AND "
            "key = $4",
            4, params, NULL, err);
        r->counts->deleted++;
    }
    return rc;
}

enum cs_rc
apply_rows(PGconn *conn, const struct snapshot *snap, const struct sync_rules *rules,
           const struct selection *sel, const struct previous *prev, const struct write_stats *stats,
           uint32_t mask, const struct sync_request *req, const char *now, struct apply_counts *counts,
           struct cs_err *err)
{
    struct rows r = {conn, prev, now, counts, cs_xcalloc(prev->count + 1, sizeof(bool)), true};
    struct rules_output output;
    *counts = (struct apply_counts){.fresh = json_object()};
    enum cs_rc rc =
        pg_exec(conn, "preparing the rows",
                "CREATE TEMP TABLE IF NOT EXISTS cs_rows (type text, name text, key text, universe text, "
                "family text, digest text, value text) ON COMMIT DELETE ROWS",
                err);
    if (rc == CS_OK)
        rc = copy_begin(conn, "COPY cs_rows FROM STDIN", err);
    if (rc != CS_OK)
        goto out;
    for (size_t i = 0; i < sel->count; i++)
        for (size_t o = 0; o < sel->items[i].rule->output_count; o++) {
            selected_output(&sel->items[i], o, &output);
            stage(&r, &(struct write_row){snap, &sel->items[i], &output, NULL}, sel->items[i].key,
                  rules_family_name(sel->items[i].rule->family));
        }
    for (size_t i = 0; i < rules->count; i++)
        if (rules->universes[i].family == RULES_STATS && (mask & 1U << RULES_STATS))
            stage(&r, &(struct write_row){snap, NULL, &rules->universes[i].outputs[0], stats},
                  rules->universes[i].key, rules_family_name(RULES_STATS));
    rc = copy_end(conn, r.sent, "sending rows", err);
    if (rc == CS_OK && counts->written) {
        const char *params[] = {req->environment, now};
        rc = pg_query(conn, "writing cache_entries", upsert_sql, 2, params, NULL, err);
    }
    if (rc == CS_OK)
        rc = delete_rest(&r, mask, req->environment, err);
out:
    free(r.kept);
    return rc;
}

enum cs_rc
apply_log(PGconn *conn, const struct diff *d, const struct sync_request *req, const char *logged_at,
          struct cs_err *err)
{
    bool sent = true;
    if (!d->log_count)
        return CS_OK;
    enum cs_rc rc =
        copy_begin(conn,
                   "COPY sync_changes_log (job_id, change_type, universe, symbol, action, reason, "
                   "environment, created_at) FROM STDIN",
                   err);
    if (rc != CS_OK)
        return rc;
    for (size_t i = 0; sent && i < d->log_count; i++) {
        const struct diff_log *l = &d->log[i];
        const char *const fields[] = {req->job_id, l->change_type, l->universe,      l->symbol,
                                      l->action,   l->reason,      req->environment, logged_at};
        sent = copy_line(conn, fields, sizeof fields / sizeof *fields);
    }
    return copy_end(conn, sent, "writing sync_changes_log", err);
}
