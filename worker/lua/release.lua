-- release: a job stops running without an end: to be tried again here, or handed back to any worker.
-- KEYS  1 P:commands 2 P:job:<id>
-- ARGV  1 group 2 consumer 3 entry 4 "back" or "retry" 5 attempts to refund
-- Returns 1, or 0 when another owns the entry.
local own = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2])
if #own == 0 then
    return 0
end
if redis.call('HGET', KEYS[2], 'status') == 'running' then
    redis.call('HSET', KEYS[2], 'status', 'pending')
    redis.call('HDEL', KEYS[2], 'progress')
    if tonumber(ARGV[5]) > 0 then
        redis.call('HINCRBY', KEYS[2], 'attempts', -tonumber(ARGV[5]))
    end
end
if ARGV[4] == 'back' then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[3], 'IDLE', 3600000, 'RETRYCOUNT', 0, 'JUSTID')
end
return 1
