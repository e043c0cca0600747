-- renew: reset the idle clock of the entries that this consumer still owns.
-- KEYS  1 P:commands
-- ARGV  1 group 2 consumer 3.. entries
-- Returns the entries that it owns no more.
local lost = {}
for i = 3, #ARGV do
    local own = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])
    if #own == 0 then
        lost[#lost + 1] = ARGV[i]
    else
        redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID')
    end
end
return lost
