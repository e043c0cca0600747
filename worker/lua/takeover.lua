-- takeover: claim what a dead consumer left, and delete consumers that are gone and empty.
-- KEYS  1 P:commands
-- ARGV  1 group 2 consumer 3 lease ms 4 count 5 "P:worker:"
-- Returns the claimed entries as XCLAIM does.
local taken = {}
local count = tonumber(ARGV[4])
if count > 0 then
    local idle = redis.call('XPENDING', KEYS[1], ARGV[1], 'IDLE', ARGV[3], '-', '+', count + 100)
    for _, p in ipairs(idle) do
        if #taken < count and p[2] ~= ARGV[2] then
            local got = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], p[1])
            if got[1] then
                taken[#taken + 1] = got[1]
            end
        end
    end
end
for _, c in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
    local at = {}
    for i = 1, #c, 2 do
        at[c[i]] = c[i + 1]
    end
    if at.pending == 0 and at.name ~= ARGV[2] and at.idle > tonumber(ARGV[3]) and
        redis.call('EXISTS', ARGV[5] .. at.name) == 0 then
        redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], at.name)
    end
end
return taken
