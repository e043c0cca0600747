-- autostart: one full sync per data import, however many daemons heard of it.
-- KEYS  1 P:commands
-- ARGV  1 "P:idem:" 2 run id ("" when it has none) 3 message
-- Returns the job id, or nothing when the import has its sync already.
local run = ARGV[2]
if run == '' then
    run = redis.sha1hex(ARGV[3])
end
local key = 'import:' .. run
if redis.call('EXISTS', ARGV[1] .. key) == 1 then
    return false
end
local id = redis.call('XADD', KEYS[1], '*', 'mode', 'full', 'triggered_by', 'pipeline', 'idempotency_key', key)
local ms, seq = string.match(id, '(%d+)-(%d+)')
ms = tonumber(ms)
local job = string.format('%08x-%04x-7000-8000-%012x', math.floor(ms / 65536), ms % 65536, tonumber(seq))
redis.call('SET', ARGV[1] .. key, job, 'EX', 86400)
return job
