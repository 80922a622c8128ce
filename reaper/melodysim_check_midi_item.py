"""Check the selected MIDI items, as a Python ReaScript: melodysim loaded into REAPER itself.

For those who have set up Python in REAPER (Preferences, Plug-ins, ReaScript), one that melodysim is
installed in; the Lua actions need no such set-up. Never raises: an exception could take REAPER down.
"""

from reaper_python import *

COLOURS = {"likely": (200, 60, 50), "review": (225, 160, 40), "free": (110, 130, 160)}


def notes_of(item, take):
    """Give the notes that sound, in project time: onsets, durations and pitches."""
    begin = RPR_GetMediaItemInfo_Value(item, "D_POSITION")
    end = begin + RPR_GetMediaItemInfo_Value(item, "D_LENGTH")
    found = []
    for k in range(RPR_MIDI_CountEvts(take, 0, 0, 0)[2]):
        note = RPR_MIDI_GetNote(take, k, 0, 0, 0, 0, 0, 0, 0)
        muted, first, last, channel, pitch = note[4:9]
        onset = RPR_MIDI_GetProjTimeFromPPQPos(take, first)
        finish = min(RPR_MIDI_GetProjTimeFromPPQPos(take, last), end)
        if not muted and channel != 9 and onset >= begin - 1e-6 and finish - onset > 1e-4:
            found.append((onset, finish - onset, pitch))
    return [list(column) for column in zip(*found)] or [[], [], []]


def check(item):
    """Check one item and put regions over what it follows; gives lines to show."""
    import melodysim

    take = RPR_GetActiveTake(item)
    report = melodysim.check_notes(*notes_of(item, take))
    for match in report.matches:
        level = melodysim.level_of(match.e_value, melodysim.Rates())
        level = level if match.reference.rights.protected else "free" if level != "clear" else level
        if level != "clear":
            colour = RPR_ColorToNative(*COLOURS[level]) | 0x1000000
            first, last = match.query.seconds
            words = f"{level}: {match.reference.title}"
            RPR_AddProjectMarker2(0, True, first, last, words, -1, colour)
    return [report.verdict.level.upper(), *report.verdict.reasons]


def main():
    """Check every selected MIDI item."""
    lines = []
    RPR_Undo_BeginBlock()
    try:
        for k in range(RPR_CountSelectedMediaItems(0)):
            item = RPR_GetSelectedMediaItem(0, k)
            if RPR_TakeIsMIDI(RPR_GetActiveTake(item)):
                lines += check(item)
    except Exception as error:
        lines.append(str(error) or type(error).__name__)
    RPR_Undo_EndBlock("melodysim: check selected items", -1)
    RPR_ShowMessageBox("\n".join(lines) or "Select a MIDI item first.", "melodysim", 0)


main()
