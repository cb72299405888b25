-- ARGV: the value, milliseconds to live ('0' is for ever), the condition as the number of
-- Go's store.Condition, and the value that must be there. Returns 1 and nothing, or 0 and
-- what is there.
local current = ARGV[3] ~= '0' and redis.call('GET', KEYS[1])
if ARGV[3] == '1' then
  if current then return { 0, current } end
elseif ARGV[3] == '2' and current ~= ARGV[4] then
  return { 0, current }
end
if ARGV[2] == '0' then
  redis.call('SET', KEYS[1], ARGV[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return { 1 }
