-- find_orphans: one page of the job index, as the ids of jobs that say they wait or run but have no entry. Changes nothing.
-- KEYS  1 P:jobs 2 P:commands
-- ARGV  1 group 2 "P:job:" 3 first rank 4 index entries of the page
-- Returns {next rank, or -1 at the end; then the ids}
local function waits(status)
    return status == 'pending' or status == 'running'
end
local function has_entry(id)
    local there = redis.pcall('XRANGE', KEYS[2], id, id)
    local held = redis.pcall('XPENDING', KEYS[2], ARGV[1], id, id, 1)
    return #there > 0 or #held > 0
end
local from, count = tonumber(ARGV[3]), tonumber(ARGV[4])
local page = redis.call('ZRANGE', KEYS[1], from, from + count - 1)
local found = {#page == count and from + count or -1}
for _, id in ipairs(page) do
    local have = redis.call('HMGET', ARGV[2] .. id, 'status', 'entry_id', 'coalesced_into')
    local first = have[3] and redis.call('HGET', ARGV[2] .. have[3], 'status')
    if waits(have[1]) and have[2] and not waits(first) and not has_entry(have[2]) then
        found[#found + 1] = id
    end
end
return found
