-- autostart: one full sync per data import, however many daemons heard of it.
-- KEYS  1 P:commands 2 P:metrics
-- ARGV  1 "P:idem:" 2 run id ("" when it has none) 3 message
-- Returns the job id, or nothing when the import has its sync already.
local run = ARGV[2]
if run == '' or #run > 121 or string.find(run, '[^ -~]') then -- what cannot stand in an idempotency key
    run = redis.sha1hex(ARGV[3])
end
local key = 'import:' .. run
if redis.call('EXISTS', ARGV[1] .. key) == 1 then
    return false
end
local id = redis.call('XADD', KEYS[1], '*', 'mode', 'full', 'triggered_by', 'pipeline', 'idempotency_key', key)
local ms, seq = string.match(id, '(%d+)-(%d+)')
local high = string.format('%012x', tonumber(ms))
seq = tonumber(seq)
local job = string.format('%s-%s-7000-%04x-%012x', string.sub(high, 1, 8), string.sub(high, 9, 12),
    0x8000 + math.floor(seq / 2 ^ 48), seq % 2 ^ 48)
redis.pcall('SET', ARGV[1] .. key, job, 'EX', 86400)
redis.pcall('HINCRBY', KEYS[2], 'autostarts', 1)
return job
