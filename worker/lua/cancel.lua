-- cancel: remember that a job is to be cancelled, wherever it is.
-- KEYS  1 P:job:<id>
-- Returns {word, ...}: marked (whoever owns or takes it ends it) | waiter, field, value, ... of its hash (it waits for
--         another job and is in nobody's hands) | ended | unknown
local have = redis.call('HMGET', KEYS[1], 'status', 'coalesced_into')
if not have[1] then return {'unknown'} end
if have[1] ~= 'pending' and have[1] ~= 'running' then return {'ended'} end
if have[2] then return {'waiter', unpack(redis.call('HGETALL', KEYS[1]))} end
redis.call('HSET', KEYS[1], 'cancel', '1')
return {'marked'}
