-- Load a session, run an action of ours as Ardour does, save: folder, script, how many times.
load_session(arg[1], "song")
function ardour() end -- declares a script; here it is only run
local run = assert(loadfile(arg[2]))
run()
for _ = 1, tonumber(arg[3]) do factory()() end
Session:save_state("")
close_session()
