-- SPDX-License-Identifier: MIT
-- Put one command into the stream, unless its idempotency key is known or too many wait.
--
-- KEYS[1]  P:commands
-- KEYS[2]  P:idem:<key>; only when ARGV[2] is 1
-- ARGV[1]  most entries that may wait
-- ARGV[2]  1: KEYS[2] counts, 0: there is no idempotency key
-- ARGV[3..] name, value, ... of the entry
-- Returns  {'known', job_id}, {'full', entries waiting} or {'added', entry id}
local keyed = ARGV[2] == '1'
if keyed then
    local known = redis.call('GET', KEYS[2])
    if known then return {'known', known} end
end
local waiting = redis.call('XLEN', KEYS[1])
if waiting > tonumber(ARGV[1]) then return {'full', tostring(waiting)} end
local id = redis.call('XADD', KEYS[1], '*', unpack(ARGV, 3))
if keyed then
    -- The entry id as a version 7 UUID (common/uuid.h). Numbers are exact up to 2^53.
    local ms, seq = string.match(id, '^(%d+)-(%d+)$')
    ms, seq = tonumber(ms), tonumber(seq)
    if ms < 2 ^ 48 and seq < 2 ^ 53 then
        local high = string.format('%012x', ms)
        local job_id = string.format('%s-%s-7000-%04x-%012x', string.sub(high, 1, 8), string.sub(high, 9, 12),
            0x8000 + math.floor(seq / 2 ^ 48), seq % 2 ^ 48)
        redis.call('SET', KEYS[2], job_id, 'EX', 86400)
    end
end
return {'added', id}
