-- end_orphans: one page of the job index, as the ids of jobs that say they wait or run though no entry stands for them, and
--              that no worker can ever end; ends them as failed if told to.
-- KEYS  1 P:jobs 2 P:commands
-- ARGV  1 group 2 "P:job:" 3 first rank 4 index entries of the page 5 end time ("": only look) 6 error_details JSON
--       7 retention ms
-- Returns {next rank, or -1 at the end; then the ids}
local function job(id) return ARGV[2] .. id end
local function there(entry)
    local unread = redis.pcall('XRANGE', KEYS[2], entry, entry)
    local held = redis.pcall('XPENDING', KEYS[2], ARGV[1], entry, entry, 1)
    return #unread > 0 or #held > 0
end
-- The entry that an id without a hash stands for: nobody has read it yet.
local function implied(id)
    local a, b, c, d = string.match(id, '^(%x%x%x%x%x%x%x%x)%-(%x%x%x%x)%-7000%-([89ab]%x%x%x)%-(%x%x%x%x%x%x%x%x%x%x%x%x)$')
    return a and string.format('%.0f-%.0f', tonumber(a .. b, 16), (tonumber(c, 16) - 0x8000) * 2 ^ 48 + tonumber(d, 16))
end
-- A job that waits for another stands on that one's entry.
local function stands(id, depth)
    local have = redis.call('HMGET', job(id), 'entry_id', 'coalesced_into')
    local entry = have[1] or implied(id)
    return entry and there(entry) or have[2] and depth < 8 and stands(have[2], depth + 1)
end
local from, count = tonumber(ARGV[3]), tonumber(ARGV[4])
local page = redis.call('ZRANGE', KEYS[1], from, from + count - 1)
local found = {#page == count and from + count or -1}
for _, id in ipairs(page) do
    local status = redis.call('HGET', job(id), 'status')
    if (status == 'pending' or status == 'running') and not stands(id, 0) then
        found[#found + 1] = id
        if ARGV[5] ~= '' then
            redis.call('HSET', job(id), 'status', 'failed', 'end_time', ARGV[5], 'error_details', ARGV[6])
            redis.call('HDEL', job(id), 'progress', 'due_ms', 'cancel', 'in_doubt')
            redis.call('PEXPIRE', job(id), ARGV[7])
        end
    end
end
return found
