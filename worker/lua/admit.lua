-- admit: a decoded command becomes a pending job, once, or joins a job that does its work.
-- KEYS  1 P:commands 2 P:job:<id> 3 P:jobs 4 P:events 5 P:metrics 6 P:pending:<environment> 7 P:entries
--       8 P:idem:<key>, when there is one
-- ARGV  1 group 2 consumer 3 entry 4 job id 5 created ms 6 events maxlen 7 most waiters of a job 8 mode
--       9 "force|dry_run|as_of" 10 "1": the id is not the entry's own 11 channel 12 triggered event
--       13.. field, value of the hash
-- Returns {word, ...}: new | again, <due ms>, <cancel>, <in doubt> (a redelivery) | attached, <job id> (acknowledged: it ends with
--         that job) | first, <job id> (that job holds the idempotency key and has ended) | known (ended before:
--         acknowledged) | settle (ended, but those that wait for it have not) | lost (another owns the entry)
--         | foreign (the hash's key holds something else)
local P = string.match(KEYS[1], '^(.*)commands$')
local function job(id) return P .. 'job:' .. id end
local function final(status) return status == 'completed' or status == 'failed' or status == 'error' end
local function type_of(key) return redis.call('TYPE', key).ok end
local function ack()
    redis.pcall('HDEL', KEYS[7], ARGV[3])
    redis.pcall('XACK', KEYS[1], ARGV[1], ARGV[3])
    redis.pcall('XDEL', KEYS[1], ARGV[3])
end
-- Whether the entry that a job id stands for is still in the stream.
local function in_stream(id)
    local a, b, c, d = string.match(id, '^(%x%x%x%x%x%x%x%x)%-(%x%x%x%x)%-7000%-([89ab]%x%x%x)%-(%x%x%x%x%x%x%x%x%x%x%x%x)$')
    if not a then return false end
    local entry = string.format('%.0f-%.0f', tonumber(a .. b, 16), (tonumber(c, 16) - 0x8000) * 2 ^ 48 + tonumber(d, 16))
    return #redis.call('XRANGE', KEYS[1], entry, entry) > 0
end

if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2]) == 0 then return {'lost'} end
local own = type_of(KEYS[2])
if own ~= 'none' and own ~= 'hash' then return {'foreign'} end
local types = {[3] = 'zset', [4] = 'stream', [5] = 'hash', [6] = 'hash', [7] = 'hash'}
for i, want in pairs(types) do
    local t = type_of(KEYS[i])
    if t ~= 'none' and t ~= want then
        return redis.error_reply('WRONGTYPE ' .. KEYS[i] .. ' holds a ' .. t .. ', not our ' .. want)
    end
end

local slot = ARGV[8] .. '|' .. ARGV[9]
local have = redis.call('HMGET', KEYS[2], 'status', 'entry_id', 'coalesced_into', 'due_ms', 'cancel', 'in_doubt')
if have[1] then
    if have[2] ~= ARGV[3] then
        ack()
        return {'known'}
    end
    if final(have[1]) then
        if redis.call('EXISTS', P .. 'waiters:' .. ARGV[4], P .. 'duplicates:' .. ARGV[4]) > 0 then return {'settle'} end
        ack()
        return {'known'}
    end
    if have[3] then
        if redis.call('HGET', job(have[3]), 'status') then return {'first', have[3]} end
        redis.call('HDEL', KEYS[2], 'coalesced_into') -- that job is forgotten: it runs itself
    end
    if have[1] == 'pending' and not have[6] then redis.call('HSETNX', KEYS[6], slot, ARGV[4]) end
    return {'again', have[4] or '0', have[5] or '', have[6] or ''}
end

local first, ended
if KEYS[8] then
    first = redis.call('GET', KEYS[8])
    if first and first ~= ARGV[4] then
        local status = redis.call('HGET', job(first), 'status')
        ended = final(status)
        if not status and not in_stream(first) then first = nil end
    else
        first = nil
    end
end
local into = first
if not first then
    for _, mode in ipairs({ARGV[8], 'full'}) do
        local leader = redis.call('HGET', KEYS[6], mode .. '|' .. ARGV[9])
        if not into and leader and leader ~= ARGV[4] and redis.call('HGET', job(leader), 'status') == 'pending' and
            redis.call('LLEN', P .. 'waiters:' .. leader) < tonumber(ARGV[7]) then
            into = leader
        end
    end
end
local list = first and not ended and P .. 'duplicates:' .. first or into and not first and P .. 'waiters:' .. into
if list and type_of(list) ~= 'none' and type_of(list) ~= 'list' then
    return redis.error_reply('WRONGTYPE ' .. list .. ' is not our list')
end

-- The first write raises when Redis takes none; nothing behind it may.
redis.call('HSET', KEYS[2], 'status', 'pending', unpack(ARGV, 13))
if KEYS[8] and not first then redis.pcall('SET', KEYS[8], ARGV[4], 'EX', 86400) end
redis.pcall('ZADD', KEYS[3], ARGV[5], ARGV[4])
redis.pcall('XADD', KEYS[4], 'MAXLEN', '~', ARGV[6], '*', 'channel', ARGV[11], 'event', ARGV[12])
redis.pcall('PUBLISH', ARGV[11], ARGV[12])
if first then redis.pcall('HINCRBY', KEYS[5], 'duplicates', 1) end
if into then redis.pcall('HSET', KEYS[2], 'coalesced_into', into) end
if first and ended then return {'first', first} end
if list then
    if not first then redis.pcall('HINCRBY', KEYS[5], 'coalesced', 1) end
    redis.pcall('RPUSH', list, ARGV[4])
    ack()
    return {'attached', into}
end
redis.pcall('HSET', KEYS[6], slot, ARGV[4])
if ARGV[10] == '1' then redis.pcall('HSET', KEYS[7], ARGV[3], ARGV[4]) end
return {'new'}
