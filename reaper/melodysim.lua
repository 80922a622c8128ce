-- melodysim for REAPER: what its actions have in common.
--
-- An action gathers notes or a source, asks melodysim in a process of its own (`melodysim ask`), puts a
-- region over every passage that follows a melody of the library, and shows a table. Times are project
-- times; one Undo takes all regions away again. Standard Lua and REAPER's own functions, nothing else.

local M = {}

M.SECTION = "melodysim"
M.LIKELY, M.REVIEW = 0.0001, 0.005 -- the rates of `melodysim check`
M.TIMEOUT = 600000               -- milliseconds: long recordings take a while
M.COLOURS = {
  likely = {200, 60, 50},
  review = {225, 160, 40},
  free = {110, 130, 160},
}

-- Words and numbers ---------------------------------------------------------------------------

local function quoted(text)
  local escaped = text:gsub('[%c"\\]', function(c) return string.format("\\u%04x", c:byte()) end)
  return '"' .. escaped .. '"'
end

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

function M.say(text)
  reaper.ShowMessageBox(text, "melodysim", 0)
end

-- Asking --------------------------------------------------------------------------------------

function M.command()
  local command = reaper.GetExtState(M.SECTION, "command")
  if command ~= "" then return command end
  local ok, named = reaper.GetUserInputs("melodysim", 1, "Path of the command,extrawidth=300", "melodysim")
  if not ok or named == "" then return nil end
  reaper.SetExtState(M.SECTION, "command", named, true)
  return named
end

-- Ask a question; given is a table of names and values as JSON. Gives rows of words, or nothing after
-- it has said why.
function M.ask(question, given)
  local command = M.command()
  if not command then return nil end
  local parts = {}
  for name, value in pairs(given) do parts[#parts + 1] = quoted(name) .. ":" .. value end
  local path = reaper.GetResourcePath() .. "/melodysim-request.json"
  local file, why = io.open(path, "wb")
  if not file then
    M.say("The question cannot be written: " .. tostring(why))
    return nil
  end
  file:write('{"do":' .. quoted(question) .. ',"with":{' .. table.concat(parts, ",") .. "}}")
  file:close()
  local said = reaper.ExecProcess('"' .. command .. '" ask --format lines "' .. path .. '"', M.TIMEOUT)
  os.remove(path)
  if not said then
    reaper.SetExtState(M.SECTION, "command", "", true) -- so that the next time asks for it
    M.say("melodysim cannot be started as\n" .. command .. "\nInstall it, and give the whole path of its command.")
    return nil
  end
  local status, output = said:match("^(%-?%d+)\r?\n(.*)$")
  if status ~= "0" then
    M.say((output or said):gsub("^Error: ", ""))
    return nil
  end
  local rows = {}
  for line in output:gmatch("[^\r\n]+") do
    local row = {}
    for word in (line .. "\t"):gmatch("(.-)\t") do row[#row + 1] = word end
    rows[#rows + 1] = row
  end
  return rows
end

-- What is selected ----------------------------------------------------------------------------

function M.selected_items()
  local items = {}
  for k = 0, reaper.CountSelectedMediaItems(0) - 1 do
    local item = reaper.GetSelectedMediaItem(0, k)
    local take = reaper.GetActiveTake(item)
    if take then
      local start = reaper.GetMediaItemInfo_Value(item, "D_POSITION")
      items[#items + 1] = {
        item = item,
        take = take,
        midi = reaper.TakeIsMIDI(take),
        name = reaper.GetTakeName(take),
        start = start,
        finish = start + reaper.GetMediaItemInfo_Value(item, "D_LENGTH"),
      }
    end
  end
  return items
end

-- Notes of a MIDI item in project time, as far as they sound: not muted, not drums, not cut off.
function M.notes(item)
  local onsets, durations, pitches = {}, {}, {}
  local _, count = reaper.MIDI_CountEvts(item.take)
  for k = 0, count - 1 do
    local _, _, muted, first, last, channel, pitch = reaper.MIDI_GetNote(item.take, k)
    local onset = reaper.MIDI_GetProjTimeFromPPQPos(item.take, first)
    local finish = math.min(reaper.MIDI_GetProjTimeFromPPQPos(item.take, last), item.finish)
    if not muted and channel ~= 9 and onset >= item.start - 1e-6 and finish - onset > 1e-4 then
      local n = #onsets + 1
      onsets[n], durations[n], pitches[n] = onset, finish - onset, pitch
    end
  end
  return {onsets = list(onsets), durations = list(durations), pitches = list(pitches), count = #onsets}
end

-- The file behind an audio item, and how its time maps to the project's.
function M.source(item)
  local source = reaper.GetMediaItemTake_Source(item.take)
  while reaper.GetMediaSourceParent(source) do source = reaper.GetMediaSourceParent(source) end
  local offset = reaper.GetMediaItemTakeInfo_Value(item.take, "D_STARTOFFS")
  local rate = reaper.GetMediaItemTakeInfo_Value(item.take, "D_PLAYRATE")
  return reaper.GetMediaSourceFileName(source), function(seconds)
    return item.start + (seconds - offset) / rate
  end
end

-- Showing -------------------------------------------------------------------------------------

local function level(row)
  local e_value, status = tonumber(row[4]), row[8]
  if status == "accepted" then return nil end -- somebody has settled it
  if status ~= "in-copyright" and status ~= "unknown" then
    return e_value < M.REVIEW and "free" or nil
  end
  return e_value < M.LIKELY and "likely" or e_value < M.REVIEW and "review" or nil
end

-- Put regions over the passages of an answer; gives lines for the table.
function M.mark(rows, to_project, item)
  local lines = {}
  for _, row in ipairs(rows) do
    if row[1] == "verdict" then
      lines[#lines + 1] = {item.name .. ": " .. row[2]:upper() .. string.format("  (%d %%)", math.min(99, math.floor(100 * tonumber(row[3])))), row[2]}
    elseif row[1] == "reason" then
      lines[#lines + 1] = {"  " .. row[2]}
    elseif row[1] == "match" then
      local which = level(row)
      local first = math.max(to_project(tonumber(row[2])), item.start)
      local last = math.min(to_project(tonumber(row[3])), item.finish)
      if which and last > first then
        local title = row[9] .. (row[10] ~= "" and " (" .. row[10] .. ")" or "")
        local colour = M.COLOURS[which]
        local native = reaper.ColorToNative(colour[1], colour[2], colour[3]) | 0x1000000
        reaper.AddProjectMarker2(0, true, first, last, which .. ": " .. title, -1, native)
        lines[#lines + 1] = {
          string.format("  %-7s %s-%s  %s notes  %s", which, clock(first), clock(last), row[5], title), which,
        }
      end
    end
  end
  return lines
end

-- A small window; it closes with Escape.
function M.show(lines)
  gfx.init("melodysim", 720, 40 + 18 * #lines)
  gfx.setfont(1, "Arial", 15)
  local function draw()
    gfx.set(0.12, 0.12, 0.13, 1)
    gfx.rect(0, 0, gfx.w, gfx.h, 1)
    for k, line in ipairs(lines) do
      local colour = M.COLOURS[line[2]] or {220, 220, 220}
      gfx.set(colour[1] / 255, colour[2] / 255, colour[3] / 255, 1)
      gfx.x, gfx.y = 14, 14 + 18 * (k - 1)
      gfx.drawstr(line[1])
    end
    gfx.update()
    local key = gfx.getchar()
    if key ~= -1 and key ~= 27 then reaper.defer(draw) else gfx.quit() end
  end
  draw()
end

-- Actions -------------------------------------------------------------------------------------

-- Check every selected item of a kind.
function M.check(midi)
  local items, lines = {}, {}
  for _, item in ipairs(M.selected_items()) do
    if item.midi == midi then items[#items + 1] = item end
  end
  if #items == 0 then
    return M.say("Select " .. (midi and "a MIDI" or "an audio") .. " item first.")
  end
  reaper.Undo_BeginBlock()
  for _, item in ipairs(items) do
    local rows, to_project
    if midi then
      local notes = M.notes(item)
      rows = M.ask("check_notes", {onsets = notes.onsets, durations = notes.durations, pitches = notes.pitches})
      to_project = function(seconds) return seconds end
    else
      local path
      path, to_project = M.source(item)
      rows = M.ask("check_file", {path = quoted(path)})
    end
    if rows then
      for _, line in ipairs(M.mark(rows, to_project, item)) do lines[#lines + 1] = line end
    end
  end
  reaper.Undo_EndBlock("melodysim: check selected items", -1)
  reaper.UpdateArrange()
  if #lines > 0 then M.show(lines) end
end

-- Add the selected MIDI items to the reference library, as one's own.
function M.add()
  local lines = {}
  for _, item in ipairs(M.selected_items()) do
    if item.midi then
      local notes = M.notes(item)
      local rows = M.ask("add", {
        onsets = notes.onsets, durations = notes.durations, pitches = notes.pitches,
        title = quoted(item.name), rights = quoted("own"),
      })
      if rows then lines[#lines + 1] = {"added as “" .. rows[1][2] .. "”, your own"} end
    else
      lines[#lines + 1] = {item.name .. ": recordings are added with `melodysim library import`"}
    end
  end
  if #lines == 0 then return M.say("Select MIDI items first.") end
  M.show(lines)
end

return M
