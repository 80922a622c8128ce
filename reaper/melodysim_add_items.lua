-- @description Add selected items to the reference library (melodysim)
-- @version 0.1.0
-- @author melodysim
-- @about Needs melodysim: pip install melodysim. See docs/daw.md.
-- @provides [nomain] melodysim.lua

local folder = debug.getinfo(1, "S").source:match("^@?(.*[/\\])") or "./"
local M = dofile(folder .. "melodysim.lua")
M.add()
