-- finish: a job ends: final hash, index, counters, universes, events, dead letter and acknowledgement in one step.
-- KEYS  1 P:commands 2 P:job:<id> 3 P:jobs 4 P:events 5 P:daily:<date> 6 P:universes:<environment> 7 P:dead 8 P:metrics
--       9 P:pending:<environment> 10 P:running:<environment> 11 P:entries 12 P:waiters:<id> 13 P:duplicates:<id>
-- ARGV  1 JSON object of strings: group, consumer, entry, job_id, kind (job; none: the entry fits no job id),
--       held (owner: in our hands | unread: in nobody's | waiter: no entry, it waits for another job | trimmed: its entry
--       is gone), status, mode, environment, slot ("mode|force|dry_run|as_of"), created_ms, now_ms, retention_ms,
--       retention_jobs, duration_ms ("": did not run), events_maxlen, cancelled ("1": its waiters go on without it),
--       committed ("1": a sync), market_date, churn, settle (the event of those that wait, see settle.lua)
--       then four lists, each a count of strings and the strings:
--       hash fields, universes (count -1: leave them), events (channel, event), dead letter fields
-- Returns {word, warning}: ok | settle (ended; others wait for it) | known (had ended: acknowledged) | lost (not ours to end)
local a = cjson.decode(ARGV[1])
local P = string.match(KEYS[1], '^(.*)commands$')
local warning
-- After the first write nothing may raise: a refusal is told, not thrown.
local function try(...)
    local r = redis.pcall(...)
    if type(r) == 'table' and r.err and not warning then warning = r.err end
    return r
end
local function ack()
    if a.held == 'waiter' then return end
    try('HDEL', KEYS[11], a.entry)
    try('XACK', KEYS[1], a.group, a.entry)
    try('XDEL', KEYS[1], a.entry)
end
local function others_wait() return redis.call('EXISTS', KEYS[12], KEYS[13]) > 0 end
-- An entry of its own for a job that has none: who reads it goes on with the job.
local command = {'mode', 'force', 'dry_run', 'as_of', 'environment', 'triggered_by'}
local function enqueue(id)
    local fields, values = {'job_id', id}, redis.call('HMGET', P .. 'job:' .. id, unpack(command))
    for i, name in ipairs(command) do
        if values[i] then
            fields[#fields + 1] = name
            fields[#fields + 1] = values[i]
        end
    end
    local entry = try('XADD', KEYS[1], '*', unpack(fields))
    try('HSET', P .. 'job:' .. id, 'entry_id', entry)
    try('HSET', KEYS[11], entry, id)
end

-- ---- nothing of another's in our places
for i, want in ipairs({'stream', 'hash', 'zset', 'stream', 'hash', 'hash', 'stream', 'hash', 'hash', 'string', 'hash', 'list', 'list'}) do
    local t = redis.call('TYPE', KEYS[i]).ok
    if t ~= 'none' and t ~= want and not (i == 2 and a.kind == 'none') then
        return redis.error_reply('WRONGTYPE ' .. KEYS[i] .. ' holds a ' .. t .. ', not our ' .. want)
    end
end

-- ---- who may end it
local pending = redis.pcall('XPENDING', KEYS[1], a.group, a.entry, a.entry, 1)
local owner = not pending.err and pending[1] and pending[1][2]
-- The stream was deleted under a job that this consumer runs: nobody else will end it.
local function bereft()
    local have = redis.pcall('HMGET', KEYS[2], 'status', 'worker', 'entry_id')
    return not owner and not have.err and have[1] == 'running' and have[2] == a.consumer and have[3] == a.entry and
        #redis.call('XRANGE', KEYS[1], a.entry, a.entry) == 0
end
if a.held == 'owner' and owner ~= a.consumer and not bereft() then return {'lost'} end
if a.held == 'unread' and (owner or #redis.call('XRANGE', KEYS[1], a.entry, a.entry) == 0) then return {'lost'} end
if a.held == 'trimmed' and (not owner or #redis.call('XRANGE', KEYS[1], a.entry, a.entry) > 0) then return {'lost'} end
if a.kind == 'job' then
    local have = redis.call('HMGET', KEYS[2], 'status', 'entry_id', 'coalesced_into')
    if have[1] == 'completed' or have[1] == 'failed' or (have[2] and have[2] ~= a.entry) then
        if have[2] == a.entry and others_wait() then
            if a.held == 'owner' then return {'settle'} end
            if a.held == 'unread' then return {'known'} end -- whoever reads the entry settles
            enqueue(a.job_id)
        end
        ack()
        return {'known', warning}
    end
    if a.held == 'waiter' then
        local into = have[3] or ''
        if redis.call('LREM', P .. 'waiters:' .. into, 1, a.job_id) + redis.call('LREM', P .. 'duplicates:' .. into, 1, a.job_id) == 0 then
            return {'lost'}
        end
    end
end
local at = 2
local function list()
    local n = tonumber(ARGV[at])
    local from = at + 1
    at = from + math.max(n, 0)
    return from, at - 1, n
end

-- ---- the hash: the write that decides
local from, to = list()
if a.kind == 'job' then
    redis.call('HSET', KEYS[2], 'status', a.status, unpack(ARGV, from, to))
    try('HDEL', KEYS[2], 'progress', 'due_ms', 'cancel', 'in_doubt')
    try('PEXPIRE', KEYS[2], a.retention_ms)
end

-- ---- index, with what has outlived its retention
local function forget(ids, keep)
    for _, id in ipairs(ids) do
        local status = redis.pcall('HGET', P .. 'job:' .. id, 'status')
        if not keep(status) then
            try('DEL', P .. 'job:' .. id)
            try('ZREM', KEYS[3], id)
        end
    end
end
local function index()
    try('ZADD', KEYS[3], a.created_ms, a.job_id)
    local oldest = string.format('(%.0f', a.now_ms - a.retention_ms)
    forget(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', oldest, 'LIMIT', 0, 20), function(status) return status end)
    local over = redis.call('ZCARD', KEYS[3]) - a.retention_jobs
    if over > 0 then
        forget(redis.call('ZRANGE', KEYS[3], 0, math.min(over, 100) - 1),
            function(status) return status == 'pending' or status == 'running' end)
    end
end

-- ---- counters
local bounds = {50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 120000, 300000, 600000, 1800000}
local function count()
    try('HINCRBY', KEYS[5], 'total', 1)
    try('HINCRBY', KEYS[5], a.status, 1)
    try('HINCRBY', KEYS[8], 'jobs:' .. a.mode .. ':' .. a.status, 1)
    if a.cancelled == '1' then try('HINCRBY', KEYS[8], 'cancelled', 1) end
    if a.held == 'trimmed' then try('HINCRBY', KEYS[8], 'trimmed', 1) end
    if a.churn ~= '0' then try('HINCRBY', KEYS[8], 'churn_warnings', a.churn) end
    if a.duration_ms ~= '' then
        local bucket = 'inf'
        for i = #bounds, 1, -1 do
            if tonumber(a.duration_ms) <= bounds[i] then bucket = string.format('%d', bounds[i]) end
        end
        try('HINCRBY', KEYS[5], 'ran', 1)
        try('HINCRBY', KEYS[5], 'duration_ms', a.duration_ms)
        try('HINCRBY', KEYS[8], 'duration_bucket:' .. bucket, 1)
        try('HINCRBY', KEYS[8], 'duration_ms', a.duration_ms)
        try('HINCRBY', KEYS[8], 'duration_count', 1)
    end
    if a.committed == '1' then
        try('HSET', KEYS[8], 'last_success_ms:' .. a.environment, a.now_ms)
        if a.market_date ~= '' then try('HSET', KEYS[8], 'market_date:' .. a.environment, a.market_date) end
    end
    try('PEXPIRE', KEYS[5], a.retention_ms)
end
if a.kind == 'job' then
    index()
    count()
end

-- ---- universes, events, dead letter
local n
from, to, n = list()
if n >= 0 then
    try('DEL', KEYS[6])
    for i = from, to, 2 do try('HSET', KEYS[6], ARGV[i], ARGV[i + 1]) end
end
from, to = list()
for i = from, to, 2 do
    try('XADD', KEYS[4], 'MAXLEN', '~', a.events_maxlen, '*', 'channel', ARGV[i], 'event', ARGV[i + 1])
    try('PUBLISH', ARGV[i], ARGV[i + 1])
end
from, to = list()
if to > from then
    try('XADD', KEYS[7], 'MAXLEN', 10000, '*', unpack(ARGV, from, to))
    try('HINCRBY', KEYS[8], 'dead_letters', 1)
end

-- ---- those that waited for a cancelled job: the oldest takes its place, with all whose wish it covers
local function promote()
    local rest = redis.call('LRANGE', KEYS[12], 0, -1)
    try('DEL', KEYS[12])
    while #rest > 0 do
        local heir, covered, left = rest[1], nil, {}
        covered = redis.pcall('HGET', P .. 'job:' .. heir, 'mode')
        enqueue(heir)
        try('HDEL', P .. 'job:' .. heir, 'coalesced_into')
        for i = 2, #rest do
            local mode = redis.pcall('HGET', P .. 'job:' .. rest[i], 'mode')
            if covered == 'full' or mode == covered then
                try('HSET', P .. 'job:' .. rest[i], 'coalesced_into', heir)
                try('RPUSH', P .. 'waiters:' .. heir, rest[i])
            else
                left[#left + 1] = rest[i]
            end
        end
        rest = left
    end
end

-- ---- make room, and acknowledge
if a.kind == 'job' then
    if redis.call('HGET', KEYS[9], a.slot) == a.job_id then try('HDEL', KEYS[9], a.slot) end
    if redis.call('GET', KEYS[10]) == a.job_id then try('DEL', KEYS[10]) end
    if a.cancelled == '1' then promote() end
    if others_wait() then
        try('HSET', KEYS[2], 'settle', a.settle)
        if a.held == 'owner' then return {'settle', warning} end
        if a.held == 'unread' then return {'ok', warning} end -- whoever reads the entry settles
        enqueue(a.job_id)
    end
end
ack()
return {'ok', warning}
