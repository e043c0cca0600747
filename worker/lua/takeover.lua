-- takeover: claim what a dead consumer left, and delete consumers that are gone and empty. What this consumer holds it renews: an
--           entry of its own that is idle for a lease came with an answer that was lost, and is given once more.
-- KEYS  1 P:commands 2 P:entries 3 P:metrics
-- ARGV  1 group 2 consumer 3 lease ms 4 count 5 most deliveries without a sign of life
-- Returns {{entry, fields, verdict, job id}, ...}. Verdicts: take (claimed) | poison (claimed; delivered too often, and
--         never admitted) | trimmed (not claimed: its content is gone and its worker too; fields are empty).
--         The job id is "" unless the entry's own id is not its job's.
local P = string.match(KEYS[1], '^(.*)commands$')
local function known(entry, fields)
    local id = redis.call('HGET', KEYS[2], entry) or ''
    for i = 1, #fields, 2 do
        if fields[i] == 'job_id' and id == '' then id = string.lower(fields[i + 1]) end
    end
    return id
end
local function implied(entry)
    local ms, seq = string.match(entry, '^(%d+)-(%d+)$')
    local high = string.format('%012x', tonumber(ms))
    return string.format('%s-%s-7000-%04x-%012x', string.sub(high, 1, 8), string.sub(high, 9, 12),
        0x8000 + math.floor(tonumber(seq) / 2 ^ 48), tonumber(seq) % 2 ^ 48)
end
local found, count = {}, tonumber(ARGV[4])
if count > 0 then
    for _, p in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], 'IDLE', ARGV[3], '-', '+', count + 100)) do
        if #found >= count then break end
        local entry, owner, deliveries = p[1], p[2], p[4]
        local content = redis.call('XRANGE', KEYS[1], entry, entry)[1]
        if not content then
            if redis.call('EXISTS', P .. 'worker:' .. owner) == 0 then
                found[#found + 1] = {entry, {}, 'trimmed', known(entry, {})}
            end
        else
            local id = known(entry, content[2])
            local verdict = 'take'
            if deliveries >= tonumber(ARGV[5]) and
                redis.call('EXISTS', P .. 'job:' .. (id ~= '' and id or implied(entry))) == 0 then
                verdict = 'poison'
            end
            local claimed = redis.pcall('XCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], entry, 'RETRYCOUNT', deliveries + 1, 'JUSTID')
            if claimed.err then return claimed end -- the first one: Redis refuses all of them or none
            if #claimed > 0 then
                found[#found + 1] = {entry, content[2], verdict, id}
                if deliveries > 0 and owner ~= ARGV[2] then redis.pcall('HINCRBY', KEYS[3], 'takeovers', 1) end
            end
        end
    end
end
-- What was claimed must be told, whatever Redis allows of the rest.
local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
for _, c in ipairs(consumers.err and {} or consumers) do
    local at = {}
    for i = 1, #c, 2 do at[c[i]] = c[i + 1] end
    if at.pending == 0 and at.name ~= ARGV[2] and at.idle > tonumber(ARGV[3]) and
        redis.call('EXISTS', P .. 'worker:' .. at.name) == 0 then
        redis.pcall('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], at.name)
    end
end
return found
