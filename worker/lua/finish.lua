-- finish: a job ends: final hash, index, counters, universes, events, dead letter and acknowledgement in one step.
-- KEYS  1 P:commands 2 P:job:<id> 3 P:jobs 4 P:events 5 P:daily:<date> 6 P:universes:<env> 7 P:dead
-- ARGV  1 group 2 consumer ("": an entry that nobody has read) 3 entry 4 job id 5 kind (job, ping, none: no job)
--       6 status 7 created ms 8 now ms 9 retention ms 10 jobs kept 11 duration ms ("": did not run) 12 events maxlen
--       then four lists, each a count of strings and the strings:
--       hash fields, universes (count -1: leave them), events (channel, event), dead letter fields
-- Returns ok | known (had ended: acknowledged) | lost (another owns the entry)
local function ack()
    redis.call('XACK', KEYS[1], ARGV[1], ARGV[3])
    redis.call('XDEL', KEYS[1], ARGV[3])
end
if ARGV[2] ~= '' then
    if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2]) == 0 then
        return 'lost'
    end
else
    local read = redis.pcall('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1)
    if (not read.err and #read > 0) or #redis.call('XRANGE', KEYS[1], ARGV[3], ARGV[3]) == 0 then
        return 'lost'
    end
end
if ARGV[5] ~= 'none' then
    local have = redis.call('HMGET', KEYS[2], 'status', 'entry_id')
    if have[1] == 'completed' or have[1] == 'failed' or (have[2] and have[2] ~= ARGV[3]) then
        ack()
        return 'known'
    end
end
local at = 13
local function list()
    local n = tonumber(ARGV[at])
    local from = at + 1
    at = from + math.max(n, 0)
    return from, at - 1, n
end
local from, to = list()
if ARGV[5] ~= 'none' then
    for i = from, to, 2 do
        redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
    end
    redis.call('HSET', KEYS[2], 'status', ARGV[6])
    redis.call('HDEL', KEYS[2], 'progress')
    redis.call('PEXPIRE', KEYS[2], ARGV[5] == 'ping' and 60000 or ARGV[9])
end
if ARGV[5] == 'job' then
    redis.call('ZADD', KEYS[3], ARGV[7], ARGV[4])
    redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', '(' .. string.format('%.0f', ARGV[8] - ARGV[9]))
    local over = redis.call('ZCARD', KEYS[3]) - tonumber(ARGV[10])
    if over > 0 then
        local prefix = string.sub(KEYS[2], 1, #KEYS[2] - #ARGV[4])
        for _, id in ipairs(redis.call('ZRANGE', KEYS[3], 0, math.min(over, 100) - 1)) do
            local status = redis.call('HGET', prefix .. id, 'status')
            if status ~= 'pending' and status ~= 'running' then
                redis.call('DEL', prefix .. id)
                redis.call('ZREM', KEYS[3], id)
            end
        end
    end
    redis.call('HINCRBY', KEYS[5], 'total', 1)
    redis.call('HINCRBY', KEYS[5], ARGV[6], 1)
    if ARGV[11] ~= '' then
        redis.call('HINCRBY', KEYS[5], 'ran', 1)
        redis.call('HINCRBY', KEYS[5], 'duration_ms', ARGV[11])
    end
    redis.call('PEXPIRE', KEYS[5], ARGV[9])
end
local n
from, to, n = list()
if n >= 0 then
    redis.call('DEL', KEYS[6])
    for i = from, to, 2 do
        redis.call('HSET', KEYS[6], ARGV[i], ARGV[i + 1])
    end
end
from, to = list()
for i = from, to, 2 do
    redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[12], '*', 'channel', ARGV[i], 'event', ARGV[i + 1])
    redis.call('PUBLISH', ARGV[i], ARGV[i + 1])
end
from, to = list()
if to > from then
    redis.call('XADD', KEYS[7], 'MAXLEN', '~', 10000, '*', unpack(ARGV, from, to))
end
ack()
return 'ok'
