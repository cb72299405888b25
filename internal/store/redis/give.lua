-- ARGV[3] is when the piece was taken.
if not value then return 0 end
local taken, at = tonumber(ARGV[3]), clock()
for i = first, last do
  if open[i] == taken then
    table.remove(open, i)
    table.remove(texts, i)
    last = last - 1
    keep()
    return 1
  end
end
if taken >= 0 and taken <= at then
  tat = max(0, tat - max(0, every - (at - taken)))
end
keep()
return 1
