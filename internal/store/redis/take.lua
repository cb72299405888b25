-- ARGV[3] is the burst. Returns whether a piece was taken, when, how many are in use and
-- how long to wait.
local burst, depth = tonumber(ARGV[3]), nil
if burst > quotient(DEEPEST, every) then depth = max(DEEPEST, every) else depth = burst * every end
local most = math.min(max(FEW, 2 * burst), OPEN)
local at, from, before = clock(), first, tat
while first <= last and (last - first + 1 >= most or open[first] < at - FOR) do
  tat = arrive(tat, open[first])
  first = first + 1
end
local used = max(arrival(), at)
local over = used + every - at - depth
if over > 0 then
  if moved then
    first, tat = from, before
    keep()
  end
  return { 0, 0, pieces(used - at), over }
end
last = last + 1
open[last], texts[last] = at, text(at)
keep()
return { 1, at, pieces(used + every - at), 0 }
