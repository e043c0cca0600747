-- renew: reset the idle clock and the delivery count of the entries that this consumer still owns.
-- KEYS  1 P:commands
-- ARGV  1 group 2 consumer 3.. entries
-- Returns the entries that it owns no more. One that is gone from the stream stays as it is: XCLAIM would drop it.
local lost = {}
for i = 3, #ARGV do
    if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2]) == 0 then
        lost[#lost + 1] = ARGV[i]
    elseif #redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i]) > 0 then
        redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'RETRYCOUNT', 1, 'JUSTID')
    end
end
return lost
