-- settle: the next of those that wait for an ended job end with it; when none is left its entry is acknowledged.
-- KEYS  1 P:commands 2 P:job:<id> of the ended job 3 P:events 4 P:daily:<date> 5 P:metrics 6 P:entries
--       7 P:waiters:<id> 8 P:duplicates:<id>
-- ARGV  1 group 2 consumer 3 entry 4 most jobs of this call 5 retention ms 6 events maxlen 7 channel
-- Returns how many still wait (0: acknowledged), or -1 when another owns the entry.
local P = string.match(KEYS[1], '^(.*)commands$')
if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2]) == 0 then return -1 end
for i, want in pairs({[3] = 'stream', [4] = 'hash', [5] = 'hash', [6] = 'hash', [7] = 'list', [8] = 'list'}) do
    local t = redis.call('TYPE', KEYS[i]).ok
    if t ~= 'none' and t ~= want then
        return redis.error_reply('WRONGTYPE ' .. KEYS[i] .. ' holds a ' .. t .. ', not our ' .. want)
    end
end
local copied = {'status', 'start_time', 'end_time', 'duration_seconds', 'total_changes', 'universes_updated', 'error_details'}
local values = redis.call('HMGET', KEYS[2], unpack(copied))
local status = values[1]
-- The event with a blank for each of job id, mode and the job that did the work; it has no line break of its own.
local a, b, c, d = string.match(redis.call('HGET', KEYS[2], 'settle') or '', '^(.-)\n(.-)\n(.-)\n(.*)$')

local function take_duplicates(id) -- those of a waiter end here too
    local others = redis.pcall('LRANGE', P .. 'duplicates:' .. id, 0, -1)
    for _, other in ipairs(others.err and {} or others) do
        redis.pcall('RPUSH', KEYS[8], other)
    end
    redis.pcall('DEL', P .. 'duplicates:' .. id)
end
local function settle(id)
    local key = P .. 'job:' .. id
    local have = redis.pcall('HMGET', key, 'status', 'mode', 'coalesced_into', 'created_at')
    if have.err or have[1] ~= 'pending' then return end
    for i, name in ipairs(copied) do
        local value = values[i]
        if value and name == 'start_time' and have[4] and value < have[4] then value = have[4] end -- a duplicate of a running job
        if value then redis.pcall('HSET', key, name, value) end
    end
    redis.pcall('HDEL', key, 'cancel')
    redis.pcall('PEXPIRE', key, ARGV[5])
    redis.pcall('HINCRBY', KEYS[4], 'total', 1)
    redis.pcall('HINCRBY', KEYS[4], status, 1)
    redis.pcall('HINCRBY', KEYS[5], 'jobs:' .. have[2] .. ':' .. status, 1)
    if a then
        local event = a .. id .. b .. have[2] .. c .. (have[3] or '') .. d
        redis.pcall('XADD', KEYS[3], 'MAXLEN', '~', ARGV[6], '*', 'channel', ARGV[7], 'event', event)
        redis.pcall('PUBLISH', ARGV[7], event)
    end
    take_duplicates(id)
end
local function left() return redis.call('LLEN', KEYS[7]) + redis.call('LLEN', KEYS[8]) end
if status and left() > 0 then
    for _ = 1, tonumber(ARGV[4]) do
        local id = redis.call('LPOP', KEYS[7]) or redis.call('LPOP', KEYS[8])
        if not id then break end
        settle(id)
    end
end
if left() == 0 or not status then
    redis.pcall('HDEL', KEYS[2], 'settle')
    redis.pcall('HDEL', KEYS[6], ARGV[3])
    redis.pcall('XACK', KEYS[1], ARGV[1], ARGV[3])
    redis.pcall('XDEL', KEYS[1], ARGV[3])
    return 0
end
return left()
