-- start: a pending job runs, if this consumer still owns its entry.
-- KEYS  1 P:commands 2 P:job:<id>
-- ARGV  1 group 2 consumer 3 entry 4 start time
-- Returns the attempt's number (1..), 0 when another owns the entry, -1 when the job has ended.
local own = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2])
if #own == 0 then
    return 0
end
local status = redis.call('HGET', KEYS[2], 'status')
if status == 'completed' or status == 'failed' then
    return -1
end
redis.call('HSET', KEYS[2], 'status', 'running', 'start_time', ARGV[4], 'worker', ARGV[2])
return redis.call('HINCRBY', KEYS[2], 'attempts', 1)
