/* SPDX-License-Identifier: MIT */
/*
 * snapshot_sql - the one statement that reads the market. Any thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/sync/snapshot_load.h"

/*
 * COPY takes no parameters. The first %s is a relation of RELATIONS, the second "" or a condition built from a date that
 * cs_date_valid accepted. A close that is infinite is left to overflow; dates that no calendar has count as missing.
 */
#define DATES "date '0001-01-01' AND date '9999-12-31'"
#define SNAPSHOT_SQL                                                                                         \
    "COPY (SELECT s.symbol, coalesce(s.name, ''), "                                                          \
    "CASE WHEN s.sector = 'Unknown' THEN '' ELSE coalesce(s.sector, '') END, "                               \
    "CASE WHEN s.industry = 'Unknown' THEN '' ELSE coalesce(s.industry, '') END, "                           \
    "coalesce(nullif(s.exchange, ''), s.primary_exchange, ''), coalesce(s.market, ''), "                     \
    "coalesce(s.etf_type, ''), coalesce(s.issuer, ''), s.type, s.market_cap, "                               \
    "CASE WHEN s.weighted_shares_outstanding > 0 "                                                           \
    "THEN round(c.close::numeric * s.weighted_shares_outstanding::numeric) END, "                            \
    "CASE WHEN s.aum_millions <> 'NaN' THEN trunc(s.aum_millions * 1000000) END, "                           \
    "CASE WHEN s.list_date BETWEEN " DATES " THEN s.list_date - date '1970-01-01' END, "                     \
    "CASE WHEN c.close IS NOT NULL THEN c.date - date '1970-01-01' END, s.active "                           \
    "FROM %s s LEFT JOIN LATERAL (SELECT o.date, CASE WHEN o.close > 0 AND o.close <> 'NaN' THEN o.close "   \
    "END AS close FROM ohlcv_daily o "                                                                       \
    "WHERE o.symbol = s.symbol AND o.date BETWEEN " DATES " %s ORDER BY o.date DESC LIMIT 1) c ON true "     \
    "ORDER BY s.symbol COLLATE \"C\") TO STDOUT"

#define COLUMNS_READ                                                                                         \
    "symbol, name, sector, industry, exchange, primary_exchange, market, etf_type, issuer, type, "           \
    "market_cap, weighted_shares_outstanding, aum_millions, list_date, coalesce(active, false) AS active"

#define RELATION_ACTIVE "(SELECT " COLUMNS_READ " FROM symbols WHERE active)"

/* The same columns, and what the query %s names as m beside the active symbols. */
#define RELATION_AND                                                                                         \
    "(WITH members AS MATERIALIZED (%s) "                                                                    \
    "SELECT " COLUMNS_READ " FROM symbols WHERE active OR symbol IN (SELECT m FROM members) UNION ALL "      \
    "SELECT m, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false "         \
    "FROM members WHERE NOT EXISTS (SELECT FROM symbols WHERE symbol = m))"

/* Of the environment %s, a literal. */
#define MEMBERS_OF                                                                                           \
    "SELECT DISTINCT m FROM cache_entries, LATERAL jsonb_array_elements_text(content->'symbols') m "         \
    "WHERE environment = %s AND cache_type IN ('market_cap', 'theme', 'ipo') AND m IS NOT NULL"

/* Who is loaded, as a relation. Gives a string to free(); NULL when memory is short. */
static char *
relation_of(PGconn *conn, const struct snapshot_opts *opts)
{
    const char *text = opts->with_members_of ? opts->with_members_of : opts->with_symbol;
    char *literal, *query, *relation;
    if (!text)
        return cs_xstrdup(RELATION_ACTIVE);
    literal = PQescapeLiteral(conn, text, strlen(text));
    if (!literal)
        return NULL;
    query = opts->with_members_of ? cs_xasprintf(MEMBERS_OF, literal)
                                  : cs_xasprintf("SELECT %s::text AS m", literal);
    relation = cs_xasprintf(RELATION_AND, query);
    PQfreemem(literal);
    free(query);
    return relation;
}

char *
snapshot_statement(PGconn *conn, const struct snapshot_opts *opts)
{
    char until[48] = "", *relation = relation_of(conn, opts), *sql;
    if (opts->as_of)
        snprintf(until, sizeof until, "AND o.date <= date '%.10s'", opts->as_of);
    sql = relation ? cs_xasprintf(SNAPSHOT_SQL, relation, until) : NULL;
    free(relation);
    return sql;
}
