/* SPDX-License-Identifier: MIT */
/*
 * inspect_schema - what a sync needs of the tables: columns, rights on them, indexes. One list, three questions.
 */
#include <stddef.h>

#include "worker/sync/inspect_checks.h"

/* Each column that a sync touches, and how: r SELECT, a INSERT, w UPDATE. deploy/postgresql/roles.sql grants these. */
#define USED_SQL                                                                                             \
    "(VALUES "                                                                                               \
    "('symbols', 'r', '{symbol,name,exchange,primary_exchange,market,type,active,market_cap,"                \
    "weighted_shares_outstanding,sector,industry,list_date,etf_type,issuer,aum_millions}'::text[]),"         \
    "('symbols', 'w', '{market_cap,last_updated}'),"                                                         \
    "('ohlcv_daily', 'r', '{symbol,date,close}'),"                                                           \
    "('cache_entries', 'r', '{type,name,key,value,environment,updated_at,universe,cache_type,content}'),"    \
    "('cache_entries', 'a', '{type,name,key,value,environment,created_at,updated_at}'),"                     \
    "('cache_entries', 'w', '{value,updated_at}'),"                                                          \
    "('sync_changes_log', 'r', '{id,universe,symbol,action,environment,created_at}'),"                       \
    "('sync_changes_log', 'a', '{job_id,change_type,universe,symbol,action,reason,metadata,environment,"     \
    "created_at}'),"                                                                                         \
    "('cache_sync_runs', 'r', '{job_id,environment,market_date,committed_at,result}'),"                      \
    "('cache_sync_runs', 'a', '{job_id,mode,environment,market_date,started_at,committed_at,total_changes,"  \
    "result}'),"                                                                                             \
    "('cache_sync_rows', 'r', "                                                                              \
    "'{environment,type,name,key,universe,cache_type,digest,row_xmin,updated_at}'),"                         \
    "('cache_sync_rows', 'a', "                                                                              \
    "'{environment,type,name,key,universe,cache_type,digest,row_xmin,updated_at}'),"                         \
    "('cache_sync_rows', 'w', '{universe,cache_type,digest,row_xmin,updated_at}')"                           \
    ") AS u (tab, way, cols)"

static const char columns_sql[] =
    "SELECT u.tab, string_agg(DISTINCT c.name, ', ' ORDER BY c.name) FROM " USED_SQL
    " CROSS JOIN unnest(u.cols) AS c (name)"
    " WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = to_regclass(u.tab) AND a.attname = "
    "c.name"
    " AND NOT a.attisdropped) GROUP BY u.tab ORDER BY u.tab";

static const char rights_sql[] =
    "SELECT m.priv || ' on ' || m.obj FROM ("
    "SELECT p.priv || ' (' || string_agg(c.name, ', ' ORDER BY c.name) || ')' AS priv, u.tab AS obj "
    "FROM " USED_SQL " CROSS JOIN unnest(u.cols) AS c (name)"
    " JOIN (VALUES ('r', 'SELECT'), ('a', 'INSERT'), ('w', 'UPDATE')) AS p (way, priv) ON p.way = u.way"
    " JOIN pg_attribute a ON a.attrelid = to_regclass(u.tab) AND a.attname = c.name AND NOT a.attisdropped"
    " WHERE NOT has_column_privilege(to_regclass(u.tab), a.attnum, p.priv) GROUP BY p.priv, u.tab"
    " UNION ALL SELECT 'DELETE', t.name FROM (VALUES ('cache_entries'), ('cache_sync_rows')) AS t (name)"
    " WHERE NOT has_table_privilege(to_regclass(t.name), 'DELETE')"
    " UNION ALL SELECT 'USAGE', s.name FROM (SELECT pg_get_serial_sequence(t.name, 'id') AS name"
    " FROM (VALUES ('cache_entries'), ('sync_changes_log')) AS t (name) WHERE to_regclass(t.name) IS NOT "
    "NULL) s"
    " WHERE NOT has_sequence_privilege(s.name, 'USAGE')"
    " UNION ALL SELECT 'EXECUTE', p.oid::regprocedure::text FROM pg_proc p"
    " WHERE p.oid = to_regprocedure('universe_as_of(text, text, timestamptz)')"
    " AND NOT has_function_privilege(p.oid, 'EXECUTE')"
    " UNION ALL SELECT 'TEMPORARY', 'database ' || current_database()"
    " WHERE NOT has_database_privilege(current_database(), 'TEMPORARY')"
    ") m ORDER BY 1";

/* Of a unique index any order of its columns will do; another must lead with them in this order. */
static const char indexes_sql[] =
    "SELECT w.tab, array_to_string(w.cols, ', '), w.uniq, w.why FROM (VALUES "
    "('ohlcv_daily', '{symbol,date}'::text[], false, 'the latest closes are looked up by it'),"
    "('symbols', '{symbol}', true, 'each symbol must stand once'),"
    "('cache_entries', '{environment,key,name,type}', true, 'rows are written by it'),"
    "('cache_sync_runs', '{job_id}', true, 'a job takes effect once by it'),"
    "('cache_sync_runs', '{environment,committed_at}', false, 'the last sync is looked up by it'),"
    "('cache_sync_rows', '{environment,key,name,type}', true, 'rows of ours are known by it'),"
    "('sync_changes_log', '{environment,universe,symbol,created_at}', false, 'memberships are read by it')"
    ") AS w (tab, cols, uniq, why)"
    " WHERE to_regclass(w.tab) IS NOT NULL AND NOT EXISTS (SELECT FROM pg_index i"
    " CROSS JOIN LATERAL (SELECT array_agg(a.attname::text ORDER BY CASE WHEN w.uniq THEN a.attname::text "
    "END, k.nr)"
    " AS cols FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, nr)"
    " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum"
    " WHERE k.nr <= CASE WHEN w.uniq THEN i.indnkeyatts ELSE cardinality(w.cols) END) h"
    " WHERE i.indrelid = to_regclass(w.tab) AND i.indisvalid AND i.indpred IS NULL"
    " AND (i.indisunique OR NOT w.uniq) AND h.cols = w.cols) ORDER BY w.tab";

void
inspect_columns(const struct inspect *in)
{
    PGresult *res = inspect_ask(in, "database.tables", columns_sql, 0, NULL);
    int missing = PQntuples(res);

    for (int i = 0; i < missing; i++)
        inspect_say(in, INSPECT_PROBLEM, "database.tables",
                    "run cachesync migrate; columns of symbols and ohlcv_daily are the importer's to add",
                    "%s lacks %s", PQgetvalue(res, i, 0), PQgetvalue(res, i, 1));
    if (res != NULL && missing == 0)
        inspect_say(in, INSPECT_OK, "database.tables", NULL, "every table and column is there");
    PQclear(res);
}

void
inspect_rights(const struct inspect *in)
{
    PGresult *res = inspect_ask(in, "database.rights", rights_sql, 0, NULL);
    int missing = PQntuples(res);

    for (int i = 0; i < missing; i++)
        inspect_say(in, INSPECT_PROBLEM, "database.rights", "grant it (docs/security.md has the role)",
                    "user %s lacks %s", PQuser(in->conn), PQgetvalue(res, i, 0));
    if (res != NULL && missing == 0)
        inspect_say(in, INSPECT_OK, "database.rights", NULL, "user %s may do all that a sync does",
                    PQuser(in->conn));
    PQclear(res);
}

void
inspect_indexes(const struct inspect *in)
{
    PGresult *res = inspect_ask(in, "database.indexes", indexes_sql, 0, NULL);
    int missing = PQntuples(res);

    for (int i = 0; i < missing; i++)
        inspect_say(in, INSPECT_PROBLEM, "database.indexes",
                    "create it (docs/sql.md), or run cachesync migrate", "%s has no %sindex on (%s): %s",
                    PQgetvalue(res, i, 0), PQgetvalue(res, i, 2)[0] == 't' ? "unique " : "",
                    PQgetvalue(res, i, 1), PQgetvalue(res, i, 3));
    if (res != NULL && missing == 0)
        inspect_say(in, INSPECT_OK, "database.indexes", NULL, "all that a sync relies on");
    PQclear(res);
}
