-- find_jobs: one page of the job index, newest first, as the ids that pass the filters. Changes nothing.
-- KEYS  1 P:jobs
-- ARGV  1 "P:job:" 2 first rank 3 index entries of the page 4 created at or after, ms 5.. field, value: what the hash must hold
-- Returns {next rank, or -1 at the end; then the ids}
local from, count, since = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local fields = {'job_id'}
for i = 5, #ARGV, 2 do
    fields[#fields + 1] = ARGV[i]
end
local page = redis.call('ZREVRANGE', KEYS[1], from, from + count - 1, 'WITHSCORES')
local found = {#page == 2 * count and from + count or -1}
for i = 1, #page, 2 do
    if tonumber(page[i + 1]) < since then
        found[1] = -1
        break
    end
    local have = redis.call('HMGET', ARGV[1] .. page[i], unpack(fields))
    local passes = have[1]
    for k = 2, #fields do
        passes = passes and have[k] == ARGV[4 + 2 * (k - 1)]
    end
    if passes then
        found[#found + 1] = page[i]
    end
end
return found
