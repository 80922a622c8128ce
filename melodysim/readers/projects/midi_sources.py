"""MIDI that a project keeps in files beside it, or writes out inline, as notes in quarter notes."""

from __future__ import annotations

from pathlib import Path

from melodysim.readers.bounds import gunzipped
from melodysim.readers.midi.events import TrackEvents, midi_events
from melodysim.readers.midi.note_pairing import pair_notes
from melodysim.readers.projects.daw_clips import ClipNote

LARGEST_SOURCE = 8 << 20
"""Bytes of a MIDI file beside a project."""


def notes_of(tracks: tuple[TrackEvents, ...], quarter: float) -> list[ClipNote]:
    """Return the notes of tracks, all together, in quarter notes.

    Parameters
    ----------
    tracks : tuple of TrackEvents
    quarter : float
        Ticks of a quarter note.
    """
    notes = pair_notes(tracks, quarter)
    columns = (notes.onset, notes.end - notes.onset, notes.pitch, notes.channel)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [ClipNote(a / quarter, b / quarter, float(pitch), channel) for a, b, pitch, channel in rows]


def missing_words(name: str) -> str:
    """Say that a MIDI file of a project was not read."""
    return f"the project's MIDI file {name} is not there, or cannot be read"


def notes_of_file(path: Path) -> list[ClipNote] | None:
    """Read a MIDI file that a project refers to; None if it is not there, or cannot be read as one."""
    try:
        if not path.is_file() or path.stat().st_size > LARGEST_SOURCE:
            return None
        events = midi_events(gunzipped(path.read_bytes()))
    except Exception:
        return None
    if events.ticks_per_second:
        return None
    return notes_of(events.tracks, float(events.division))
