#!/bin/bash
# Connections cut, frozen, half open, slow and refused, to Redis and to PostgreSQL, while jobs come in.
# shellcheck disable=SC2317 # called through ok
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/fault.sh
. "$(dirname "$0")/../support/fault.sh"

fault_servers
proxies
daemon a "${VIA[@]}" CACHESYNC_MAX_ATTEMPTS=50
daemon b "${VIA[@]}" CACHESYNC_MAX_ATTEMPTS=50
submit mode full force 1
ok 'through the proxies a job runs' settled 20

# The proxies do what they say.
tell redis refuse >/dev/null
ok 'refuse: nobody gets in' test "$(redis-cli -p "${PROXY_PORT[redis]}" PING 2>&1 | grep -c refused)" = 1
tell redis freeze >/dev/null
is "$(timeout 1 redis-cli -p "${PROXY_PORT[redis]}" PING 2>&1)" '' 'freeze: no answer'
tell redis 'swallow up' >/dev/null
is "$(timeout 1 redis-cli -p "${PROXY_PORT[redis]}" PING 2>&1)" '' 'swallow: no answer'
tell redis pass >/dev/null
is "$(redis-cli -p "${PROXY_PORT[redis]}" PING 2>&1)" PONG 'pass: an answer'
like "$(tell redis stats)" 'resets=[1-9].*lost=[1-9]' 'what was lost is counted'
like "$(tell redis nonsense)" 'error: unknown order' 'an unknown order is refused'

for link in redis postgres; do
    for order in cut freeze 'swallow up' 'swallow down' 'slow 30000 20' refuse; do
        churn
        submit mode full force 1
        # shellcheck disable=SC2086 # an order has several words
        tell $link $order >/dev/null
        submit mode full force 1
        submit command ping
        sleep 0.3 # how long the fault lasts; nothing is awaited
        tell $link pass >/dev/null
        ok "$link, $order: every job ends" settled 40
    done
done
history_is_sound 'after all of it the history is sound'

# ---- long enough to be noticed
last_said() { [ "$(grep -o ' redis_[ud][a-z]*' "$SCRATCH/a.log" | tail -1)" = " $1" ]; }
for order in freeze 'swallow down'; do
    wait_until 30 "redis, $order: the daemon is there" last_said redis_up
    # shellcheck disable=SC2086
    tell redis $order >/dev/null
    wait_until 30 "redis, $order: the daemon notices and says so" last_said redis_down
    submit mode full force 1
    tell redis pass >/dev/null
    ok "redis, $order: it comes back and works" settled 40
done
history_is_sound 'and the history is sound'
finish
