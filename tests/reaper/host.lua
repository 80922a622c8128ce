-- A host as far as the actions see it: REAPER's functions over one project, which a test describes.
--
--   lua host.lua SIGNATURES PROJECT ACTION
--
-- PROJECT gives a table: tempo map (quarter note from which on, beats a minute), items, answers. Every
-- call is checked against REAPER's own list of functions; what happens is printed, a line each.

local signatures = {}
for line in io.lines(arg[1]) do
  local name, given = line:match("reaper%.([%w_]+)%((.*)%)")
  if name then
    local kinds = {}
    for kind in given:gmatch("([%w_]+) [%w_]+") do kinds[#kinds + 1] = kind end
    signatures[name] = kinds
  end
end

local project = dofile(arg[2])
local host, regions, state, undone = {}, {}, project.state or {}, nil
local function say(...)
  io.write(table.concat({...}, "\t"), "\n")
end

-- Seconds at a quarter note, by the tempo map.
local function seconds_at(quarter)
  local seconds, before, tempo = 0, 0, project.tempo[1][2]
  for _, change in ipairs(project.tempo) do
    if change[1] >= quarter then break end
    seconds = seconds + (change[1] - before) * 60 / tempo
    before, tempo = change[1], change[2]
  end
  return seconds + (quarter - before) * 60 / tempo
end

function host.CountSelectedMediaItems() return #project.items end
function host.GetSelectedMediaItem(_, k) return project.items[k + 1] end
function host.GetActiveTake(item) return item.take end
function host.TakeIsMIDI(take) return take.notes ~= nil end
function host.GetTakeName(take) return take.name end
function host.GetMediaItemInfo_Value(item, name)
  return ({D_POSITION = item.position, D_LENGTH = item.length})[name]
end
function host.GetMediaItemTakeInfo_Value(take, name)
  return ({D_STARTOFFS = take.offset, D_PLAYRATE = take.rate})[name]
end
function host.MIDI_CountEvts(take) return true, #take.notes, 0, 0 end
function host.MIDI_GetNote(take, k)
  local note = take.notes[k + 1]
  return true, false, note.muted or false, note[1], note[2], note.channel or 0, note[3], 96
end
-- A take that plays faster has its quarter notes nearer together; its offset is in quarter notes here.
function host.MIDI_GetProjTimeFromPPQPos(take, ppq)
  return seconds_at(take.start + (ppq / 960 - take.offset) / take.rate)
end
function host.GetMediaItemTake_Source(take) return take.source end
function host.GetMediaSourceParent(source) return source.parent end
function host.GetMediaSourceFileName(source) return source.file end
function host.GetResourcePath() return project.folder end
function host.GetExtState(section, key) return state[section .. "/" .. key] or "" end
function host.SetExtState(section, key, value) state[section .. "/" .. key] = value end
function host.GetUserInputs(_, _, _, given) return true, project.command or given end
function host.ExecProcess(line)
  local pipe = io.popen(line .. " 2>&1", "r")
  local output = pipe:read("a")
  local _, _, status = pipe:close()
  if status == 127 then return nil end
  return tostring(status) .. "\n" .. output
end
function host.ColorToNative(r, g, b) return r | g << 8 | b << 16 end
function host.AddProjectMarker2(_, region, first, last, name, _, colour)
  assert(undone, "outside an undo block")
  regions[#regions + 1] = name
  say("region", string.format("%.6f", first), string.format("%.6f", last), name, tostring(region), colour)
  return #regions
end
function host.Undo_BeginBlock() undone = #regions end
function host.Undo_EndBlock(words)
  say("undo", words, #regions - undone)
  undone = nil
end
function host.UpdateArrange() end
function host.ShowMessageBox(words) say("message", (words:gsub("%s+", " "))) return 1 end
function host.defer() return true end

local kinds = {
  integer = function(x) return math.type(x) == "integer" end,
  number = function(x) return type(x) == "number" end,
  string = function(x) return type(x) == "string" end,
  boolean = function(x) return type(x) == "boolean" end,
  ["function"] = function(x) return type(x) == "function" end,
  ReaProject = function(x) return x == 0 end,
}
reaper = setmetatable({}, {__index = function(_, name)
  local wanted = assert(signatures[name], name .. " is no function of REAPER's list")
  return function(...)
    local given = table.pack(...)
    assert(given.n == #wanted, name .. ": " .. given.n .. " arguments, not " .. #wanted)
    for k, kind in ipairs(wanted) do
      local right = kinds[kind] or function(x) return type(x) == "table" end
      assert(right(given[k]), name .. ": argument " .. k .. " is no " .. kind)
    end
    return assert(host[name], name .. " is not in this host")(...)
  end
end})
gfx = {w = 720, h = 100}
for _, name in ipairs({"init", "setfont", "set", "rect", "update", "quit"}) do gfx[name] = function() end end
function gfx.drawstr(words) say("table", words) end
function gfx.getchar() return -1 end

dofile(arg[3])
