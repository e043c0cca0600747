#!/usr/bin/env bash
# The latest close of each symbol by index: one look-up a symbol however long the history is, and never a scan of it.
# shellcheck source=../support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=../support/market.sh
. "$(dirname "$0")/../support/market.sh"
start_postgres
start_redis
migrate
sql "ALTER TABLE ohlcv_daily SET (autovacuum_enabled = off);
     INSERT INTO symbols (symbol, name, type, active, weighted_shares_outstanding) SELECT 'S' || to_char(n, 'FM000'), 'Stock ' || n, 'CS', true, 1000 FROM generate_series(1, 300) n;
     INSERT INTO ohlcv_daily (symbol, date, close) SELECT symbol, '$TODAY'::date - d, right(symbol, 3)::int * 1000 + d FROM symbols, generate_series(0, 699) d"
start_daemon
# What was read of ohlcv_daily (and its partitions): scans, and rows fetched by index. A session hands its figures over when it ends.
read_of() {
    sql "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE application_name LIKE 'cachesyncd/%'" >/dev/null
    sql "SELECT sum(seq_scan) || ' ' || sum(idx_tup_fetch) FROM pg_stat_user_tables WHERE relname LIKE 'ohlcv_daily%'"
}
# costs NAME MODE [FIELD VALUE...]: a sync reads the history by index, at most two rows a symbol
costs() {
    local name=$1 before after; shift
    before=$(read_of)
    synced "$@"
    after=$(read_of)
    is "${after% *}" "${before% *}" "$name: no scan of the history"
    ok "$name: one row a symbol, or two" test $((${after#* } - ${before#* })) -le 700
    ok "$name: which is counted" test $((${after#* } - ${before#* })) -ge 300
}
costs 'never analyzed' full
sql 'ANALYZE'
costs analyzed full
costs 'as of an old day' full as_of "$(day -600)" force 1
is "$(sql "SELECT value->'stocks'->0->>'market_cap' FROM cache_entries WHERE key = 'all_stocks'")" 300600000 'whose closes rank'
costs themes themes force 1

# ---- the same of a table in partitions by date, as a hypertable is
sql "ALTER TABLE ohlcv_daily RENAME TO old_closes;
     CREATE TABLE ohlcv_daily (LIKE old_closes, PRIMARY KEY (symbol, date)) PARTITION BY RANGE (date);
     DO \$\$ BEGIN FOR i IN 0..9 LOOP
         EXECUTE format('CREATE TABLE ohlcv_daily_%s PARTITION OF ohlcv_daily FOR VALUES FROM (%L) TO (%L)', i, '$TODAY'::date - 699 + 70 * i, '$TODAY'::date - 699 + 70 * (i + 1));
     END LOOP; END \$\$;
     INSERT INTO ohlcv_daily SELECT * FROM old_closes; DROP TABLE old_closes; ANALYZE"
costs 'in partitions' full force 1
is "$(sql "SELECT value->'stocks'->0->>'market_cap' FROM cache_entries WHERE key = 'all_stocks'")" 300000000 'the newest closes rank'
finish
