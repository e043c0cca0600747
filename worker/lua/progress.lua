-- progress: where a running job is, for its hash and its followers.
-- KEYS  1 P:commands 2 P:job:<id> 3 P:events
-- ARGV  1 group 2 consumer 3 entry 4 progress JSON 5 events maxlen 6 channel 7 event
-- Returns 1, or 0 when another owns the entry or the job does not run.
if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2]) == 0 then return 0 end
if redis.call('HGET', KEYS[2], 'status') ~= 'running' then return 0 end
redis.call('HSET', KEYS[2], 'progress', ARGV[4])
redis.pcall('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*', 'channel', ARGV[6], 'event', ARGV[7])
redis.pcall('PUBLISH', ARGV[6], ARGV[7])
return 1
