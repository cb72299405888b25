-- The bucket of KEYS[1], by the rule of Go's store.BucketState, number for number.
-- ARGV: microseconds for one piece, the time in microseconds ('' is the server's), then
-- what the script after this needs.
local OPEN, FEW, FOR, AHEAD, EXACT, DEEPEST = 256, 32, 600000000, 60000000, 9007199254740992, 4503599627370496
local LATEST = EXACT - 1 - 86400000000000
local every = tonumber(ARGV[1])
-- Open takes are open[first] to open[last], and as text texts[first] to texts[last].
local tat, open, texts, first, last = 0, {}, {}, 1, 0
local moved = false
local max, find = math.max, string.find

local function text(number) return string.format('%.0f', number) end

local function quotient(a, b) return (a - math.fmod(a, b)) / b end

local function pieces(us) return quotient(us + every - 1, every) end

local function read(value)
  if #value > (OPEN + 1) * 17 or not find(value, '^%d[%d ]*$') or find(value, ' $') or find(value, '  ', 1, true)
    or find(value, '^0%d') or find(value, ' 0%d') then return end
  local arrival, times, words, n, newest = nil, {}, {}, 0, 0
  for f in string.gmatch(value, '%d+') do
    local t = tonumber(f)
    if t >= EXACT then return end
    if not arrival then
      arrival = t
    else
      if t < newest or n == OPEN then return end
      n = n + 1
      times[n], words[n], newest = t, f, t
    end
  end
  tat, open, texts, last = arrival, times, words, n
end

local now = tonumber(ARGV[2])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000000 + t[2]
end
now = math.min(max(now, 0), EXACT - 1)

local function newest() return first <= last and open[last] or 0 end

local function clock() return max(now, newest()) end

local function arrive(before, at) return math.min(max(before, at) + every, LATEST) end

local function arrival()
  local sum = tat
  for i = first, last do sum = arrive(sum, open[i]) end
  return sum
end

local function keep()
  local us = max(0, arrival() - clock())
  if first <= last then us = max(us, FOR + 1000000) end
  local ms = quotient(us + 999, 1000)
  if ms == 0 then
    redis.call('DEL', KEYS[1])
    return
  end
  local record = text(tat)
  if first <= last then record = record .. ' ' .. table.concat(texts, ' ', first, last) end
  redis.call('SET', KEYS[1], record, 'PX', text(ms))
end

local value = redis.call('GET', KEYS[1])
if value then read(value) end

local ahead = newest() - now
if ahead > AHEAD then
  moved, tat = true, max(0, tat - ahead)
  for i = first, last do
    open[i] = max(0, open[i] - ahead)
    texts[i] = text(open[i])
  end
end
