-- ARGV: what to add, milliseconds to live from the creation on ('0' is for ever), and the
-- bound for sums that don't fit. Returns the sum as text: Lua has no 64-bit numbers.
local before = redis.call('GET', KEYS[1])
local sum = redis.pcall('INCRBY', KEYS[1], ARGV[1])
if type(sum) == 'table' and sum.err then
  if string.find(sum.err, 'overflow', 1, true) then
    redis.call('SET', KEYS[1], ARGV[3], 'KEEPTTL')
  elseif string.find(sum.err, 'not an integer', 1, true) then
    return redis.error_reply('CORRUPT no number')
  else
    return sum
  end
end
if not before and ARGV[2] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return redis.call('GET', KEYS[1])
