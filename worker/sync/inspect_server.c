/* SPDX-License-Identifier: MIT */
/*
 * inspect_server - the settings that matter, and whether the market data would pass a sync's checks.
 */
#include <stdlib.h>
#include <string.h>

#include "worker/sync/inspect_checks.h"

#define SYNC_AGE_WARNING_DAYS 4.0 /* a long weekend and a day */

/* What a setting must be; the message says what follows otherwise. */
static const struct setting {
    const char *name, *wanted;
    enum inspect_verdict verdict;
    const char *message, *remedy;
} settings[] = {
    {"server_encoding", "UTF8", INSPECT_PROBLEM, "names may not be representable",
     "create the database with ENCODING 'UTF8'"},
    {"transaction_read_only", "off", INSPECT_PROBLEM, "nothing can be written",
     "connect to the primary; check default_transaction_read_only of the user and the database"},
    {"fsync", "on", INSPECT_WARNING, "a crash of the machine can destroy the database", "set fsync = on"},
    {"full_page_writes", "on", INSPECT_WARNING, "a crash of the machine can destroy the database",
     "set full_page_writes = on"},
    {"synchronous_commit", "on", INSPECT_WARNING, "a crash can lose a sync that was reported as completed",
     "set synchronous_commit = on"},
    {"autovacuum", "on", INSPECT_WARNING, "tables grow with every change", "set autovacuum = on"},
};

/* Any value of synchronous_commit but off waits for the disk. */
static bool
is_good(const struct setting *s, const char *value)
{
    if (strcmp(s->name, "synchronous_commit") == 0)
        return strcmp(value, "off") != 0;
    return strcmp(value, s->wanted) == 0;
}

static void
check_connections(const struct inspect *in)
{
    PGresult *res =
        inspect_ask(in, "database.connections",
                    "SELECT current_setting('max_connections')::int - "
                    "current_setting('superuser_reserved_connections')::int,"
                    " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')",
                    0, NULL);
    long most, used;

    if (res == NULL)
        return;
    most = strtol(PQgetvalue(res, 0, 0), NULL, 10);
    used = strtol(PQgetvalue(res, 0, 1), NULL, 10);
    PQclear(res);
    inspect_say(in, most - used > in->req->connections ? INSPECT_OK : INSPECT_WARNING, "database.connections",
                "raise max_connections, or lower CACHESYNC_WORKERS", "%ld of %ld in use, a daemon needs %lld",
                used, most, (long long)in->req->connections);
}

void
inspect_settings(const struct inspect *in)
{
    const size_t count = sizeof settings / sizeof settings[0];
    size_t good = 0;

    for (size_t i = 0; i < count; i++) {
        const char *params[] = {settings[i].name};
        PGresult *res = inspect_ask(in, "database.settings", "SELECT current_setting($1)", 1, params);

        if (res == NULL)
            continue;
        if (is_good(&settings[i], PQgetvalue(res, 0, 0)))
            good++;
        else
            inspect_say(in, settings[i].verdict, "database.settings", settings[i].remedy, "%s is %s: %s",
                        settings[i].name, PQgetvalue(res, 0, 0), settings[i].message);
        PQclear(res);
    }
    if (good == count)
        inspect_say(in, INSPECT_OK, "database.settings", NULL,
                    "encoding, durability and vacuum as they should be");
    check_connections(in);
}

/* As the engine sees it: the newest of the latest closes is the market date. */
static const char market_sql[] =
    "WITH latest AS (SELECT s.type, c.date FROM symbols s LEFT JOIN LATERAL (SELECT o.date, o.close"
    " FROM ohlcv_daily o WHERE o.symbol = s.symbol ORDER BY o.date DESC LIMIT 1) c"
    " ON c.close > 0 AND c.close < 'Infinity' WHERE s.active),"
    " newest AS (SELECT max(date) AS date FROM latest)"
    " SELECT n.date, (now() AT TIME ZONE 'America/New_York')::date - n.date,"
    " count(*) FILTER (WHERE l.type = 'CS'), count(*) FILTER (WHERE l.type = 'CS' AND l.date = n.date)"
    " FROM newest n LEFT JOIN latest l ON true GROUP BY n.date";

static void
judge_market(const struct inspect *in, const PGresult *res)
{
    const struct rules_limits *limits = in->req->limits;
    long age_days = strtol(PQgetvalue(res, 0, 1), NULL, 10);
    double stocks = strtod(PQgetvalue(res, 0, 2), NULL), closed = strtod(PQgetvalue(res, 0, 3), NULL);
    double share = stocks > 0 ? closed / stocks : 1;
    const char *date = PQgetvalue(res, 0, 0);

    if (PQgetisnull(res, 0, 0))
        inspect_say(in, INSPECT_PROBLEM, "database.market", "import market data",
                    "no active symbol has a usable close: a sync is refused");
    else if (age_days > limits->stale_days)
        inspect_say(in, INSPECT_PROBLEM, "database.market", "import newer market data",
                    "the newest close is of %s, %ld days old, more than %d: a sync is refused", date,
                    age_days, (int)limits->stale_days);
    else if (share < limits->min_close_share)
        inspect_say(in, INSPECT_PROBLEM, "database.market", "finish the import",
                    "%.0f of %.0f active stocks have a close on %s, under %.0f %%: a sync is refused", closed,
                    stocks, date, 100 * limits->min_close_share);
    else
        inspect_say(in, INSPECT_OK, "database.market", NULL,
                    "closes of %s, %ld days old, for %.0f of %.0f stocks", date, age_days, closed, stocks);
}

static void
check_last_sync(const struct inspect *in)
{
    const char *params[] = {in->req->environment};
    PGresult *res = inspect_ask(
        in, "database.last_sync",
        "SELECT to_char(committed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), market_date,"
        " extract(epoch FROM now() - committed_at) / 86400 FROM cache_sync_runs WHERE environment = $1"
        " ORDER BY committed_at DESC LIMIT 1",
        1, params);

    if (res == NULL)
        return;
    if (PQntuples(res) == 0)
        inspect_say(in, INSPECT_WARNING, "database.last_sync", "run cachesync trigger --wait",
                    "environment %s was never synced", in->req->environment);
    else
        inspect_say(
            in, strtod(PQgetvalue(res, 0, 2), NULL) <= SYNC_AGE_WARNING_DAYS ? INSPECT_OK : INSPECT_WARNING,
            "database.last_sync", "see cachesync history --status failed, and the timer that triggers it",
            "environment %s was synced at %s with the market of %s", in->req->environment,
            PQgetvalue(res, 0, 0), PQgetvalue(res, 0, 1));
    PQclear(res);
}

void
inspect_market(const struct inspect *in)
{
    PGresult *res = inspect_ask(in, "database.market", market_sql, 0, NULL);

    if (res != NULL)
        judge_market(in, res);
    PQclear(res);
    check_last_sync(in);
}
