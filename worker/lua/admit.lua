-- admit: a decoded command becomes a pending job, once.
-- KEYS  1 P:commands 2 P:job:<id> 3 P:jobs 4 P:events 5 P:idem:<key> (or "")
-- ARGV  1 group 2 consumer 3 entry 4 job id 5 kind (job, ping) 6 created ms 7 events maxlen 8 triggered event
--       9 channel 10.. field, value of the hash
-- Returns {word, ...}: new | again (a redelivery) | known (ended before: acknowledged) | lost (another owns the entry)
--         | first, <job id> (the idempotency key belongs to that job)
local own = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2])
if #own == 0 then
    return {'lost'}
end
local have = redis.call('HMGET', KEYS[2], 'status', 'entry_id')
if have[1] then
    if have[2] == ARGV[3] and (have[1] == 'pending' or have[1] == 'running') then
        local into = redis.call('HGET', KEYS[2], 'coalesced_into')
        if into then
            return {'first', into}
        end
        return {'again'}
    end
    redis.call('XACK', KEYS[1], ARGV[1], ARGV[3])
    redis.call('XDEL', KEYS[1], ARGV[3])
    return {'known'}
end
local first = false
if KEYS[5] ~= '' then
    if not redis.call('SET', KEYS[5], ARGV[4], 'NX', 'EX', 86400) then
        first = redis.call('GET', KEYS[5])
        if first == ARGV[4] then
            first = false
        end
    end
end
for i = 10, #ARGV, 2 do
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
end
redis.call('HSET', KEYS[2], 'status', 'pending')
if ARGV[5] == 'ping' then
    redis.call('EXPIRE', KEYS[2], 60)
    return {'new'}
end
redis.call('ZADD', KEYS[3], ARGV[6], ARGV[4])
redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[7], '*', 'channel', ARGV[9], 'event', ARGV[8])
redis.call('PUBLISH', ARGV[9], ARGV[8])
if first then
    redis.call('HSET', KEYS[2], 'coalesced_into', first)
    return {'first', first}
end
return {'new'}
