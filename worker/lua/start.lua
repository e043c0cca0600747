-- start: a pending job runs, if this consumer still owns its entry and no other job syncs its environment. Until release or
--        finish say otherwise it is in doubt: it may have committed. A cancel ends it only when it is not.
-- KEYS  1 P:commands 2 P:job:<id> 3 P:pending:<environment> 4 P:running:<environment>
-- ARGV  1 group 2 consumer 3 entry 4 job id 5 start time 6 "mode|force|dry_run|as_of" 7 ms that the mark of the
--       environment lives
-- Returns {started, <attempt 1..>, <in doubt before>, <cancel>} | {busy, <job id>} | {cancelled} | {ended} | {gone} (there is no hash: admit again)
--         | {lost} (another owns the entry)
local P = string.match(KEYS[1], '^(.*)commands$')
if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2]) == 0 then return {'lost'} end
local have = redis.call('HMGET', KEYS[2], 'status', 'cancel', 'in_doubt', 'worker')
if not have[1] then return {'gone'} end
if have[1] == 'completed' or have[1] == 'failed' then return {'ended'} end
if have[2] and not have[3] then return {'cancelled'} end
local holder = redis.call('GET', KEYS[4])
if holder and holder ~= ARGV[4] then
    local at = redis.call('HMGET', P .. 'job:' .. holder, 'status', 'worker', 'entry_id')
    if at[1] == 'running' and at[2] and at[3] and redis.call('EXISTS', P .. 'worker:' .. at[2]) == 1 and
        #redis.call('XPENDING', KEYS[1], ARGV[1], at[3], at[3], 1, at[2]) > 0 then
        return {'busy', holder}
    end
end
local waiting = redis.call('HGET', KEYS[3], ARGV[6])
-- The answer was lost when it runs here already: it is the same attempt.
local attempt = redis.call('HINCRBY', KEYS[2], 'attempts', have[1] == 'running' and have[4] == ARGV[2] and 0 or 1)
redis.pcall('HSET', KEYS[2], 'status', 'running', 'start_time', ARGV[5], 'worker', ARGV[2], 'in_doubt', '1')
redis.pcall('HDEL', KEYS[2], 'due_ms')
redis.pcall('SET', KEYS[4], ARGV[4], 'PX', ARGV[7])
if #redis.pcall('XRANGE', KEYS[1], ARGV[3], ARGV[3]) > 0 then -- the lease begins; XCLAIM would drop an entry that is gone
    redis.pcall('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[3], 'RETRYCOUNT', 1, 'JUSTID')
end
if waiting == ARGV[4] then redis.pcall('HDEL', KEYS[3], ARGV[6]) end
return {'started', attempt, have[3] or '', have[2] or ''}
