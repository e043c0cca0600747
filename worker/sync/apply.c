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

#include "common/clock.h"
#include "common/failpoint.h"
#include "common/mem.h"

static enum cs_rc
copy_begin(PGconn *conn, const char *sql, struct write_copy **copy, struct cs_err *err)
{
    PGresult *res = PQexec(conn, sql);
    enum cs_rc rc =
        PQresultStatus(res) == PGRES_COPY_IN ? CS_OK : pg_error(conn, res, "starting a COPY", err);
    PQclear(res);
    *copy = rc == CS_OK ? write_copy_open(conn) : NULL;
    return rc;
}

static enum cs_rc
copy_end(PGconn *conn, struct write_copy *copy, const char *what, struct cs_err *err)
{
    enum cs_rc rc = CS_OK;
    bool sent = write_copy_close(copy);
    if (PQputCopyEnd(conn, sent ? NULL : "the writer failed") != 1)
        return pg_error(conn, NULL, what, err);
    for (PGresult *res; (res = PQgetResult(conn)); PQclear(res))
        if (rc == CS_OK && PQresultStatus(res) != PGRES_COMMAND_OK)
            rc = pg_error(conn, res, what, err);
    return rc;
}

/* ---- market caps ---- */

static bool
cap_moved(const struct snapshot *snap, size_t i)
{
    return (snap->flags[i] & SNAPSHOT_PRICED) && snap->cap[i] != snap->stored_cap[i];
}

enum cs_rc
apply_caps(const struct apply *a, int64_t *changed, struct cs_err *err)
{
    const struct snapshot *snap = a->snap;
    struct write_copy *copy;
    *changed = 0;
    for (size_t i = 0; i < snap->count; i++)
        *changed += cap_moved(snap, i);
    if (!*changed || a->req->dry_run)
        return CS_OK;
    enum cs_rc rc = pg_exec(a->conn, "preparing the caps",
                            "CREATE TEMP TABLE IF NOT EXISTS cs_caps (symbol text PRIMARY KEY, cap bigint) "
                            "ON COMMIT DELETE ROWS",
                            err);
    if (rc == CS_OK)
        rc = copy_begin(a->conn, "COPY cs_caps FROM STDIN", &copy, err);
    if (rc != CS_OK)
        return rc;
    for (size_t i = 0; i < snap->count; i++) {
        char cap[24];
        if (!cap_moved(snap, i))
            continue;
        snprintf(cap, sizeof cap, "%" PRId64, snap->cap[i]);
        write_copy_line(copy, (const char *const[]){snap->symbol[i], cap}, 2);
    }
    rc = copy_end(a->conn, copy, "sending market caps", err);
    if (rc != CS_OK)
        return rc;
    return pg_exec(
        a->conn, "storing market caps",
        "SELECT pg_advisory_xact_lock(hashtext('cachesync'), hashtext('symbols'));"
        "WITH locked AS (SELECT s.symbol, c.cap FROM symbols s JOIN cs_caps c ON c.symbol = s.symbol "
        "ORDER BY s.symbol FOR NO KEY UPDATE OF s) "
        "UPDATE symbols s SET market_cap = l.cap, last_updated = now() AT TIME ZONE 'UTC' "
        "FROM locked l WHERE s.symbol = l.symbol AND s.market_cap IS DISTINCT FROM l.cap",
        err);
}

/* ---- rows ---- */

#define JSONB_MAX_BYTES 268435455u /* of the elements of an array or object */

/* A line with a value is written, one without is deleted. Values pass through once: compressing them is lost time. */
static const char stage_sql[] =
    "CREATE TEMP TABLE cs_rows (type text, name text, key text, universe text, family text, "
    "digest text, value text) ON COMMIT DELETE ROWS; ALTER TABLE cs_rows ALTER value SET STORAGE EXTERNAL";
static const char upsert_sql[] =
    "WITH up AS (INSERT INTO cache_entries AS c (type, name, key, value, environment, created_at, "
    "updated_at) "
    "SELECT type, name, key, value::jsonb, $1, $2::timestamptz AT TIME ZONE 'UTC', $2::timestamptz AT TIME "
    "ZONE 'UTC' "
    "FROM (SELECT * FROM cs_rows WHERE value IS NOT NULL ORDER BY type, name, key OFFSET 0) s "
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
static const char delete_sql[] =
    "WITH gone AS (DELETE FROM cache_entries c USING cs_rows s WHERE s.value IS NULL AND c.environment = $1 "
    "AND c.type = s.type AND c.name = s.name AND c.key = s.key) "
    "DELETE FROM cache_sync_rows r USING cs_rows s WHERE s.value IS NULL AND r.environment = $1 "
    "AND r.type = s.type AND r.name = s.name AND r.key = s.key";

static enum cs_rc
make_stage(PGconn *conn, struct cs_err *err)
{
    PGresult *res = NULL;
    enum cs_rc rc =
        pg_query(conn, "preparing the rows", "SELECT to_regclass('pg_temp.cs_rows')", 0, NULL, &res, err);
    bool missing = rc == CS_OK && PQgetisnull(res, 0, 0);
    PQclear(res);
    return missing ? pg_exec(conn, "preparing the rows", stage_sql, err) : rc;
}

struct rows {
    const struct apply *a;
    struct apply_counts *counts;
    struct write_copy *copy; /* NULL: a dry run */
    bool *kept;              /* by index in prev: a row of this sync */
    size_t done, total, sent;
    bool stopped;                    /* the caller said so, or a value is too large: no further row */
    bool too_large;                  /* the largest is beyond jsonb */
    char largest[RULES_KEY_MAX + 1]; /* universe of the largest value */
    uint64_t largest_bytes;
};

static void
remember_largest(struct rows *r, const char *universe, uint64_t bytes)
{
    if (bytes <= r->largest_bytes)
        return;
    r->largest_bytes = bytes;
    snprintf(r->largest, sizeof r->largest, "%s", universe);
}

static void
send_row(struct rows *r, const struct write_row *row, const char *universe, const char *family,
         const char *digest)
{
    const char *const fields[] = {
        row->output->type, row->output->name, row->output->key, universe, family, digest};
    if (!r->copy)
        return;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        write_copy_text(r->copy, fields[i]);
        write_copy_next(r->copy, false);
    }
    uint64_t bytes = write_copy_value(r->copy, row, r->a->now);
    write_copy_next(r->copy, true);
    r->sent++;
    remember_largest(r, universe, bytes);
}

/* Asked where no statement runs that could be cancelled. */
static bool
stopped(const struct sync_request *req)
{
    return req->stopped && req->stopped(req->arg);
}

static enum cs_rc
say_stopped(struct cs_err *err)
{
    return cs_err_code(err, CS_ECANCELED, "cancelled", "the sync was cancelled while rows were written");
}

static void
stage(struct rows *r, const struct write_row *row, const char *universe, enum rules_family family)
{
    const struct previous_row *was = previous_find(r->a->prev, row->output);
    struct apply_family *count = &r->counts->families[family];
    int64_t begin_us = cs_clock_mono_us();
    char digest[33];
    uint64_t bytes = write_digest(row, digest);
    if (bytes > JSONB_MAX_BYTES) {
        remember_largest(r, universe, bytes);
        r->too_large = r->stopped = true;
        return;
    }
    if (was)
        r->kept[was - r->a->prev->rows] = true;
    if (was && was->trusted && strcmp(was->digest, digest) == 0) {
        count->unchanged++;
    } else {
        count->written++;
        json_object_set_new(r->counts->fresh, universe, json_true());
        send_row(r, row, universe, rules_family_name(family), digest);
    }
    count->took_us += cs_clock_mono_us() - begin_us;
    step_tell(&r->a->step, ++r->done, r->total);
    (void)CS_FAILPOINT("sync.row");
    r->stopped = r->stopped || stopped(r->a->req);
}

static void
stage_all(struct rows *r, const struct write_stats *stats)
{
    const struct apply *a = r->a;
    struct rules_output output;
    for (size_t i = 0; i < a->sel->count; i++)
        r->total += a->sel->items[i].rule->output_count;
    for (size_t i = 0; i < a->sel->count; i++)
        for (size_t o = 0; !r->stopped && o < a->sel->items[i].rule->output_count; o++) {
            selected_output(&a->sel->items[i], o, &output);
            stage(r, &(struct write_row){a->snap, &a->sel->items[i], &output, NULL}, a->sel->items[i].key,
                  a->sel->items[i].rule->family);
        }
    for (size_t i = 0; i < a->rules->count; i++)
        if (a->rules->universes[i].family == RULES_STATS && (a->mask & 1U << RULES_STATS))
            stage(r, &(struct write_row){a->snap, NULL, &a->rules->universes[i].outputs[0], stats},
                  a->rules->universes[i].key, RULES_STATS);
}

/* Ours of the covered families that this sync does not fill. */
static void
stage_deletes(struct rows *r)
{
    for (size_t i = 0; i < r->a->prev->count; i++) {
        const struct previous_row *row = &r->a->prev->rows[i];
        int f = 0;
        while (f < RULES_FAMILY_COUNT &&
               strcmp(row->cache_type, rules_family_name((enum rules_family)f)) != 0)
            f++;
        if (f == RULES_FAMILY_COUNT || !(r->a->mask & 1U << f) || !row->universe || r->kept[i])
            continue;
        r->counts->families[f].deleted++;
        if (r->copy)
            write_copy_line(r->copy,
                            (const char *const[]){row->type, row->name, row->key, NULL, NULL, NULL, NULL}, 7);
        r->sent++;
    }
}

static enum cs_rc
say_too_large(const struct rows *r, struct cs_err *err)
{
    return cs_err_code(
        err, CS_ENOMEM, "value_too_large",
        "a value of cache_entries is beyond what jsonb holds (256 MiB); the largest is %s with "
        "%" PRIu64 " MiB: give that universe a limit in the rules file",
        r->largest, r->largest_bytes >> 20);
}

/* Texts that fit may still be too much with what jsonb adds. It says which limit was hit, not which row hit it. */
static enum cs_rc
explain_size(const struct rows *r, enum cs_rc rc, struct cs_err *err)
{
    return rc == CS_EDB && strcmp(err->sqlstate, "54000") == 0 ? say_too_large(r, err) : rc;
}

static enum cs_rc
write_rows(struct rows *r, const struct write_stats *stats, struct cs_err *err)
{
    const struct apply *a = r->a;
    enum cs_rc rc = CS_OK;
    if (!a->req->dry_run)
        rc = make_stage(a->conn, err);
    if (rc == CS_OK && !a->req->dry_run)
        rc = copy_begin(a->conn, "COPY cs_rows FROM STDIN", &r->copy, err);
    if (rc != CS_OK)
        return rc;
    stage_all(r, stats);
    stage_deletes(r);
    if (r->stopped) {
        write_copy_give_up(r->copy);
        rc = a->req->dry_run ? CS_OK : copy_end(a->conn, r->copy, "sending rows", err);
        return rc == CS_EDOWN ? rc : r->too_large ? say_too_large(r, err) : say_stopped(err);
    }
    if (a->req->dry_run)
        return CS_OK;
    rc = copy_end(a->conn, r->copy, "sending rows", err);
    if (rc == CS_OK && r->sent)
        rc = pg_query(a->conn, "writing cache_entries", upsert_sql, 2,
                      (const char *[]){a->req->environment, a->now}, NULL, err);
    if (rc == CS_OK && r->sent)
        rc = pg_query(a->conn, "deleting rows", delete_sql, 1, (const char *[]){a->req->environment}, NULL,
                      err);
    return explain_size(r, rc, err);
}

enum cs_rc
apply_rows(const struct apply *a, const struct write_stats *stats, struct apply_counts *counts,
           struct cs_err *err)
{
    struct rows r = {.a = a, .counts = counts, .kept = cs_xcalloc(a->prev->count + 1, sizeof(bool))};
    *counts = (struct apply_counts){.fresh = json_object()};
    enum cs_rc rc = write_rows(&r, stats, err);
    free(r.kept);
    return rc;
}

/* ---- the log ---- */

struct log_lines {
    const struct apply *a;
    struct write_copy *copy;
};

static void
log_line(struct log_lines *l, const char *change_type, const struct diff_universe *u, const char *symbol,
         const char *action, const char *reason)
{
    const char *const fields[] = {l->a->req->job_id,      change_type, u->universe, symbol, action, reason,
                                  l->a->req->environment, l->a->now};
    write_copy_line(l->copy, fields, sizeof fields / sizeof *fields);
}

/* The baseline of all universes comes first: it tells what stood before. */
static void
log_lines(struct log_lines *l, const struct diff *d)
{
    for (size_t i = 0; i < d->count; i++) {
        const struct diff_universe *u = &d->items[i];
        for (size_t k = 0; k < u->missing.count; k++)
            log_line(l, "baseline", u, u->missing.symbols[k], "added", "baseline");
        for (size_t k = 0; k < u->surplus.count; k++)
            log_line(l, "baseline", u, u->surplus.symbols[k], "removed", "baseline");
    }
    for (size_t i = 0; i < d->count; i++) {
        const struct diff_universe *u = &d->items[i];
        for (size_t k = 0; k < u->removed.count; k++)
            log_line(l, "membership", u, u->removed.symbols[k], "removed",
                     diff_reason_name((enum diff_reason)u->reasons[k]));
        for (size_t k = 0; k < u->added.count; k++)
            log_line(l, "membership", u, u->added.symbols[k], "added", diff_reason_name(DIFF_RULES));
    }
}

enum cs_rc
apply_log(const struct apply *a, struct cs_err *err)
{
    struct log_lines l = {.a = a};
    if (a->req->dry_run)
        return CS_OK;
    enum cs_rc rc =
        copy_begin(a->conn,
                   "COPY sync_changes_log (job_id, change_type, universe, symbol, action, reason, "
                   "environment, created_at) FROM STDIN",
                   &l.copy, err);
    if (rc != CS_OK)
        return rc;
    log_lines(&l, a->diff);
    return copy_end(a->conn, l.copy, "writing sync_changes_log", err);
}
