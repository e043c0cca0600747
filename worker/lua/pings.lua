-- pings: jobs that do nothing end, all of a batch in one step. They leave a hash for 60 s and nothing else.
-- KEYS  1 P:commands
-- ARGV  1 group 2 consumer 3 start time 4 end time 5 seconds
--       then for each: entry, job id, created_at, mode, environment, triggered_by
-- Returns how many ended; those that another consumer owns are left alone, a known job id is acknowledged only.
local P = string.match(KEYS[1], '^(.*)commands$') .. 'job:'
local call, pcall, owned, acked, ended = redis.call, redis.pcall, {}, {}, 0
for _, p in ipairs(call('XPENDING', KEYS[1], ARGV[1], ARGV[6], ARGV[#ARGV - 5], 4096, ARGV[2])) do owned[p[1]] = true end
for i = 6, #ARGV, 6 do
    local entry, id = ARGV[i], ARGV[i + 1]
    if owned[entry] then
        local key, refused = P .. id, nil
        if call('EXISTS', key) == 0 then
            local r = pcall('HSET', key, 'job_id', id, 'entry_id', entry, 'command', 'ping', 'mode', ARGV[i + 3],
                'environment', ARGV[i + 4], 'triggered_by', ARGV[i + 5], 'status', 'completed', 'created_at', ARGV[i + 2],
                'start_time', ARGV[3], 'end_time', ARGV[4], 'duration_seconds', ARGV[5], 'attempts', '1', 'worker', ARGV[2])
            refused = type(r) == 'table' and r.err and r
            if refused and ended == 0 then return refused end
            if not refused then
                pcall('EXPIRE', key, 60)
                ended = ended + 1
            end
        end
        if not refused then acked[#acked + 1] = entry end
    end
end
if #acked > 0 then
    pcall('XACK', KEYS[1], ARGV[1], unpack(acked))
    pcall('XDEL', KEYS[1], unpack(acked))
end
return ended
