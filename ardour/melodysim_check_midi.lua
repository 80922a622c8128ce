ardour {
  ["type"] = "EditorAction",
  name = "Check Melody (melodysim)",
  license = "Apache-2.0",
  author = "melodysim",
  description = [[
Asks melodysim whether the selected MIDI regions, or all of the session where none is selected, follow a
melody of the reference library, and puts a range marker over every passage that does. Markers of the last
check are taken away first. Needs melodysim: see its docs/daw.md.]],
}

function factory () return function ()

local MARK = "melodysim "            -- how our range markers begin
local LIKELY, REVIEW = 0.0001, 0.005 -- the rates of `melodysim check`
local TICKS = 1920                   -- of a quarter note

-- Words and numbers ---------------------------------------------------------------------------

local function list(numbers)
  local words = {}
  for k, number in ipairs(numbers) do
    -- A point, whatever the language of the system is.
    words[k] = (string.format("%.6f", number):gsub(",", "."))
  end
  return "[" .. table.concat(words, ",") .. "]"
end

local function clock(seconds)
  local minutes = math.floor(seconds / 60)
  return string.format("%d:%04.1f", minutes, seconds - 60 * minutes)
end

-- In a window; in a terminal where there are none.
local function say(text)
  if LuaDialog then
    LuaDialog.Message("melodysim", text, LuaDialog.MessageType.Info, LuaDialog.ButtonType.Close):run()
  else
    print(text)
  end
end

-- Notes ---------------------------------------------------------------------------------------

local function ticks_of(beats)
  local whole, rest = beats:str():match("^(%-?%d+):(%d+)$")
  return TICKS * tonumber(whole) + tonumber(rest)
end

local function seconds_at(ticks)
  return Temporal.timepos_t.from_ticks(ticks):samples() / Session:nominal_sample_rate()
end

-- MIDI regions: the selected ones, or all; and whether they were selected.
local function regions()
  local found = {}
  if Editor then
    for region in Editor:get_selection().regions:regionlist():iter() do
      if not region:to_midiregion():isnil() then found[#found + 1] = region end
    end
  end
  if #found > 0 then return found, true end
  for route in Session:get_tracks():iter() do
    for region in route:to_track():playlist():region_list():iter() do
      if not region:to_midiregion():isnil() then found[#found + 1] = region end
    end
  end
  return found, false
end

-- Notes of a region as far as they sound: within it, not muted, not drums.
local function notes_of(region)
  local onsets, durations, pitches = {}, {}, {}
  if region:muted() then return onsets, durations, pitches end
  local start = region:start():ticks()
  local place, length = region:position():ticks(), region:length():ticks()
  local heard = {}
  for note in ARDOUR.LuaAPI.note_list(region:to_midiregion():model()):iter() do
    local first = ticks_of(note:time()) - start
    local last = math.min(first + ticks_of(note:length()), length)
    if note:channel() ~= 9 and first >= 0 and last > first then
      heard[#heard + 1] = {seconds_at(place + first), seconds_at(place + last), note:note()}
    end
  end
  table.sort(heard, function(a, b) return a[1] < b[1] or a[1] == b[1] and a[3] < b[3] end)
  for k, note in ipairs(heard) do
    onsets[k], durations[k], pitches[k] = note[1], note[2] - note[1], note[3]
  end
  return onsets, durations, pitches
end

-- Asking --------------------------------------------------------------------------------------

local SETTINGS = ARDOUR.user_config_directory(-1) .. "/melodysim-command.txt"

-- As one word of a shell's line; cmd, Windows' own, knows no other quotes than these.
local function quoted(path)
  if os.getenv("COMSPEC") then return '"' .. path .. '"' end
  return "'" .. path:gsub("'", "'\\''") .. "'"
end

-- Path of the command: what was typed once, or the name that the shell finds it by.
local function path_of_command()
  local file = io.open(SETTINGS, "r")
  local named = file and file:read("l")
  if file then file:close() end
  return named and named ~= "" and named or "melodysim"
end

-- The command as words of a shell's line. In the environment it is written so, as elsewhere.
local function command()
  return os.getenv("MELODYSIM_COMMAND") or quoted(path_of_command())
end

local function ask_for_command()
  if not LuaDialog then return end
  local answer = LuaDialog.Dialog("melodysim", {
    {type = "label", title = "melodysim was not found. In a terminal, `which melodysim` tells its path."},
    {type = "entry", key = "path", default = path_of_command(), title = "Path of the command"},
  }):run()
  local file = answer and answer["path"] ~= "" and io.open(SETTINGS, "w")
  if file then
    file:write(answer["path"], "\n")
    file:close()
    say("Saved. Run the action again.")
  end
end

-- Ask about notes; gives rows of words, or nothing and why, or nothing after it has said why.
local function ask(onsets, durations, pitches)
  local path = os.tmpname()
  local file = io.open(path, "wb")
  if not file then return say("The question cannot be written to " .. path) end
  file:write('{"do":"check_notes","with":{"onsets":' .. list(onsets) .. ',"durations":' .. list(durations)
    .. ',"pitches":' .. list(pitches) .. "}}")
  file:close()
  local line = command() .. " ask --format lines " .. quoted(path) .. " 2>&1"
  -- cmd takes away the first and the last quote of a line that begins with one.
  local pipe = io.popen(os.getenv("COMSPEC") and '"' .. line .. '"' or line, "r")
  local said = pipe:read("a")
  local done, _, status = pipe:close()
  os.remove(path)
  if status == 126 or status == 127 then return ask_for_command() end
  if not done then return nil, (said:gsub("^Error: ", ""):gsub("%s+$", "")) end
  local rows = {}
  for line in said:gmatch("[^\r\n]+") do
    local row = {}
    for word in (line .. "\t"):gmatch("(.-)\t") do row[#row + 1] = word end
    rows[#rows + 1] = row
  end
  return rows
end

-- Showing -------------------------------------------------------------------------------------

local function level(row)
  local e_value, status = tonumber(row[4]), row[8]
  if status == "accepted" then return nil end -- somebody has settled it
  if status ~= "in-copyright" and status ~= "unknown" then
    return e_value < REVIEW and "free" or nil
  end
  return e_value < LIKELY and "likely" or e_value < REVIEW and "review" or nil
end

local function clear_marks()
  local old = {}
  for mark in Session:locations():list():iter() do
    if mark:name():sub(1, #MARK) == MARK then old[#old + 1] = mark end
  end
  for _, mark in ipairs(old) do Session:locations():remove(mark) end
end

-- Put range markers over the passages of an answer; gives lines to read.
local function mark(rows, name)
  local lines, rate = {}, Session:nominal_sample_rate()
  for _, row in ipairs(rows) do
    if row[1] == "verdict" then
      lines[#lines + 1] = string.format(
        "%s: %s  (%d %%)", name, row[2]:upper(), math.min(99, math.floor(100 * tonumber(row[3]))))
    elseif row[1] == "reason" then
      lines[#lines + 1] = "  " .. row[2]
    elseif row[1] == "match" and level(row) then
      local first, last = tonumber(row[2]), tonumber(row[3])
      local title = row[9] .. (row[10] ~= "" and " (" .. row[10] .. ")" or "")
      local range = Session:locations():add_range(
        Temporal.timepos_t(math.floor(first * rate + 0.5)), Temporal.timepos_t(math.floor(last * rate + 0.5)))
      range:set_name(MARK .. level(row) .. ": " .. title)
      lines[#lines + 1] = string.format(
        "  %-7s %s-%s  %s notes  %s", level(row), clock(first), clock(last), row[5], title)
    end
  end
  return lines
end

-- The action ----------------------------------------------------------------------------------

local checked, selected = regions()
if #checked == 0 then return say("The session has no MIDI regions.") end
local answers, lines = {}, {}
for _, region in ipairs(checked) do
  local onsets, durations, pitches = notes_of(region)
  if #onsets > 0 then
    local rows, why = ask(onsets, durations, pitches)
    if rows then
      answers[#answers + 1] = {rows, region:name()}
    elseif why and why:find("too few") then -- of this region: the others are checked all the same
      lines[#lines + 1] = region:name() .. ": " .. why:gsub("^notes: ", "")
    else
      if why then say(why) end
      return -- the marks of the last check stay
    end
  elseif selected then
    lines[#lines + 1] = region:name() .. ": no notes to check"
  end
end
clear_marks()
for _, answer in ipairs(answers) do
  for _, line in ipairs(mark(answer[1], answer[2])) do lines[#lines + 1] = line end
end
say(#lines > 0 and table.concat(lines, "\n") or "No notes to check.")

end end
