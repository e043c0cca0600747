-- release: a job stops running without an end: to be tried again when due, or handed back to any worker.
-- KEYS  1 P:commands 2 P:job:<id> 3 P:pending:<environment> 4 P:running:<environment> 5 P:metrics
-- ARGV  1 group 2 consumer 3 entry 4 job id 5 "mode|force|dry_run|as_of" 6 "retry" or "back" 7 attempts to refund
--       8 due ms (0: at once) 9 "1": it may have committed
-- Returns ok | lost (another owns the entry) | trimmed (back: its entry is gone from the stream; nothing was changed)
if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2]) == 0 then return 'lost' end
local status = redis.call('HGET', KEYS[2], 'status')
if ARGV[6] == 'back' and #redis.call('XRANGE', KEYS[1], ARGV[3], ARGV[3]) == 0 then return 'trimmed' end
local holder = redis.call('GET', KEYS[4])
if ARGV[9] == '1' and (status == 'running' or status == 'pending') then
    redis.call('HSET', KEYS[2], 'in_doubt', '1') -- absorbs nothing: it may have read the market before the others came
else
    redis.call('HSETNX', KEYS[3], ARGV[5], ARGV[4])
end
if holder == ARGV[4] then redis.pcall('DEL', KEYS[4]) end
if status == 'running' then
    redis.pcall('HSET', KEYS[2], 'status', 'pending')
    redis.pcall('HDEL', KEYS[2], 'progress', 'worker', 'start_time')
    if ARGV[9] ~= '1' then redis.pcall('HDEL', KEYS[2], 'in_doubt') end
    if ARGV[7] ~= '0' then redis.pcall('HINCRBY', KEYS[2], 'attempts', -tonumber(ARGV[7])) end
    if ARGV[6] == 'retry' then redis.pcall('HINCRBY', KEYS[5], 'retries', 1) end
end
if ARGV[8] ~= '0' then redis.pcall('HSET', KEYS[2], 'due_ms', ARGV[8]) end
if ARGV[6] == 'back' then
    redis.pcall('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[3], 'IDLE', 3600000, 'RETRYCOUNT', 0, 'JUSTID')
end
return 'ok'
