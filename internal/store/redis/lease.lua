-- ARGV: who wants it, and milliseconds to live; '0' gives it up. Returns who has it.
local has = redis.call('GET', KEYS[1])
if has and has ~= ARGV[1] then return has end
if ARGV[2] == '0' then
  if has then redis.call('DEL', KEYS[1]) end
  return ''
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
