-- end_orphan: a job that says it waits or runs, but whose entry is gone, ends as failed. No worker can ever end it.
-- KEYS  1 P:job:<id> 2 P:commands
-- ARGV  1 group 2 end time 3 error_details JSON 4 retention ms
-- Returns 1, or 0 when it has an entry, or has ended.
local have = redis.call('HMGET', KEYS[1], 'status', 'entry_id')
if (have[1] ~= 'pending' and have[1] ~= 'running') or not have[2] then
    return 0
end
local there = redis.pcall('XRANGE', KEYS[2], have[2], have[2])
local held = redis.pcall('XPENDING', KEYS[2], ARGV[1], have[2], have[2], 1)
if #there > 0 or #held > 0 then
    return 0
end
redis.call('HSET', KEYS[1], 'status', 'failed', 'end_time', ARGV[2], 'error_details', ARGV[3])
redis.call('HDEL', KEYS[1], 'progress')
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
