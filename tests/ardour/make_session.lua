-- Make a session with one MIDI track, at 48 kHz: folder.
create_session(arg[1], "song", 48000)
local midi = ARDOUR.ChanCount(ARDOUR.DataType("midi"), 1)
Session:new_midi_track(midi, midi, true, ARDOUR.PluginInfo(), nil, nil, 1, "Lead",
  ARDOUR.PresentationInfo.max_order, ARDOUR.TrackMode.Normal, true)
Session:save_state("")
close_session()
