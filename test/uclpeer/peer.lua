-- Reads records from the file named in UCLPEER_IN, parses each with libucl, and writes
-- a record with its tree as JSON or with the error. A record is a line with its kind
-- and its length in bytes, and as many bytes and a line break.
local ucl = require "ucl"

local function answer(kind, text)
  io.write(kind, " ", #text, "\n", text, "\n")
end

local input = assert(io.open(os.getenv("UCLPEER_IN"), "rb"))
for line in input:lines() do
  local kind, size = line:match("^(%a+) (%d+)$")
  local data = tonumber(size) > 0 and input:read(tonumber(size)) or ""
  input:read(1)
  local parser = ucl.parser()
  parser:register_variables({ CONFDIR = "/etc/rmilter" })
  local ok, err
  if kind == "file" then
    ok, err = parser:parse_file(data)
  else
    ok, err = parser:parse_string(data)
  end
  if ok then
    answer("ok", parser:get_object_wrapped():tostring("json-compact"))
  else
    answer("error", tostring(err))
  end
end
