#!/bin/bash
# The dashboard (deploy/dashboard) in headless Chromium, against the real adapter and daemon. `make check-dashboard` brings
# what it needs. SHOTS=DIR keeps pictures of it.
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"

KEY=a-key-of-the-test
ADAPTER_PORT=$((21000 + $$ % 10000)) PAGE_PORT=$((ADAPTER_PORT + 10000)) CROSS_PORT=$((ADAPTER_PORT + 20000))
here=$ROOT/tests/dashboard
start_postgres
start_redis
migrate
sql "INSERT INTO symbols (symbol, name, exchange, market, type, active, market_cap, weighted_shares_outstanding, sector, industry)
     SELECT 'S' || n, '<img src=x onerror=injected=1> ' || n, 'XNYS', 'stocks', 'CS', true, n * 1000000000::bigint, n * 10000000::bigint,
            'Technology', '<script>injected=1</script>' FROM generate_series(1, 60) n" >/dev/null
sql "INSERT INTO ohlcv_daily (symbol, date, open, high, low, close, volume)
     SELECT symbol, current_date - 1, 100, 100, 100, 100, 1000 FROM symbols" >/dev/null
start_daemon
env TICKSTOCKPL_PORT=$ADAPTER_PORT TICKSTOCKPL_API_KEY=$KEY CACHESYNC_CORS_ORIGIN=http://127.0.0.1:$CROSS_PORT \
    "$BUILD/cachesync-http" 2>>"$SCRATCH/http.log" &
PIDS+=($!)
node "$here/serve.mjs" "$ROOT/deploy/dashboard" $PAGE_PORT $ADAPTER_PORT 2>>"$SCRATCH/serve.log" &
PIDS+=($!)
node "$here/serve.mjs" "$ROOT/deploy/dashboard" $CROSS_PORT $ADAPTER_PORT 2>>"$SCRATCH/serve.log" &
PIDS+=($!)
wait_until 10 'the page is served and the adapter is healthy' curl -fsS "http://127.0.0.1:$PAGE_PORT/health"

# A sync waits for as long as somebody else holds the table.
cat >"$SCRATCH/hold" <<END
#!/bin/bash
psql -X -q -d "$DATABASE_URI" -c "SET application_name = holder; BEGIN; LOCK TABLE cache_entries; SELECT pg_sleep(120)" >/dev/null 2>&1 &
until [ "\$(psql -X -qAt -d "$DATABASE_URI" -c "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE a.application_name = 'holder' AND l.granted AND l.mode = 'AccessExclusiveLock'")" = 1 ]; do sleep 0.02; done
END
cat >"$SCRATCH/release" <<END
#!/bin/bash
psql -X -q -d "$DATABASE_URI" -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'"
END
chmod +x "$SCRATCH/hold" "$SCRATCH/release"
PAGE=http://127.0.0.1:$PAGE_PORT/ CROSS=http://127.0.0.1:$CROSS_PORT/ ADAPTER=http://127.0.0.1:$ADAPTER_PORT KEY=$KEY \
    HOLD=$SCRATCH/hold RELEASE=$SCRATCH/release node "$here/dashboard.mjs" | tee "$SCRATCH/out"
read -r p _ f _ < <(tail -1 "$SCRATCH/out" | tr -d ,)
PASSED=$((PASSED + ${p:-0})) FAILED=$((FAILED + ${f:-1}))
finish
