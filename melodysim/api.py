"""Functions for scripts, in a DAW or outside: they take notes, return reports and print nothing.

Beside the functions of `melodysim.checking`, these make melodies of loose notes and of MIDI data.
docs/scripting.md has worked examples.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from melodysim.checking import DEFAULT_TOP, piece_of
from melodysim.errors import InvalidNotesError, ReadError
from melodysim.library import Library
from melodysim.melody import Melody, Piece, numbers, require_sounding
from melodysim.readers.parts.inner_lines import inner_lines
from melodysim.readers.parts.part_line import highest_voice
from melodysim.readers.parts.score import Part
from melodysim.report.reports import Report


def melody_of_midi(content: bytes) -> Melody:
    """Read the likeliest melody of a Standard MIDI file.

    Parameters
    ----------
    content : bytes
        Of the file.

    Raises
    ------
    InvalidNotesError
        If it is not bytes.
    ReadError
        If it is no MIDI file, or has no melody.
    MissingDependencyError
        If symusic is not installed.
    """
    from melodysim.readers.midi import read_midi
    from melodysim.readers.parts.melody_parts import candidate_melodies

    if not isinstance(content, bytes | bytearray | memoryview):
        raise InvalidNotesError(f"MIDI data is bytes, not {type(content).__name__}")
    found = candidate_melodies(read_midi(Path("MIDI data"), bytes(content)))
    if not found:
        raise ReadError("no melody in it", "drums and single notes are none", "MIDI data")
    return found[0]


def melody_of(onsets: ArrayLike, durations: ArrayLike, pitches: ArrayLike) -> Melody:
    """Make a melody of notes in any order; of chords and several voices, take the highest.

    Notes are read as those of a track of a MIDI file are: chords may be played unevenly, a note may
    last into the next (legato), a bass far below the rest is left out.

    Parameters
    ----------
    onsets, durations : array_like, shape (n,)
        Seconds.
    pitches : array_like, shape (n,)
        MIDI note numbers.

    Raises
    ------
    InvalidNotesError
        If they are no notes.

    Examples
    --------
    A chord and a note before it, as a MIDI editor may give them:

    >>> melody_of([0.5, 0.5, 0.0], [0.5, 0.5, 0.5], [60, 67, 62]).pitch.tolist()
    [62.0, 67.0]
    """
    return _highest_melody(_part(onsets, durations, pitches))


def piece_of_notes(onsets: ArrayLike, durations: ArrayLike, pitches: ArrayLike) -> Piece:
    """Make a piece of notes in any order: its melody, and lines inside that may be one.

    Parameters
    ----------
    onsets, durations, pitches
        As for `melody_of`.

    Raises
    ------
    InvalidNotesError
        If they are no notes.
    """
    part = _part(onsets, durations, pitches)
    highest = _highest_melody(part)
    piece = piece_of(highest)
    melodies = (*piece.melodies, *inner_lines(part, [highest]))
    begin = float(part.onset.min(initial=0.0))
    lasts = float((part.onset + part.duration - begin).max(initial=0.0))
    return replace(piece, melodies=melodies, duration=lasts)


def _part(onsets: ArrayLike, durations: ArrayLike, pitches: ArrayLike) -> Part:
    """Return notes as a part, in order of onset, the highest first; parameters as in `melody_of`."""
    onset, duration, pitch = map(numbers, (onsets, durations, pitches))
    if onset.ndim != 1 or not onset.shape == duration.shape == pitch.shape:
        raise InvalidNotesError("onsets, durations and pitches must be lists of the same length")
    require_sounding(duration, pitch, onset)
    order = np.lexsort((-pitch, onset))
    onset, duration, pitch = onset[order], duration[order], pitch[order]
    return Part("", onset, duration, pitch, onset)


def _highest_melody(part: Part) -> Melody:
    """Return the highest voice of notes."""
    # As in a file: players' chords never begin at the very same moment.
    line = highest_voice(part) if len(part) > 1 else np.arange(len(part))
    return Melody.from_overlapping(part.onset[line], part.duration[line], part.pitch[line])


def check_notes(
    onsets: ArrayLike,
    durations: ArrayLike,
    pitches: ArrayLike,
    library: Library | str | Path | None = None,
    top: int = DEFAULT_TOP,
) -> Report:
    """Check notes against a library; lines inside chords are tried too, each at its share of chance.

    Parameters
    ----------
    onsets, durations : array_like, shape (n,)
        Seconds.
    pitches : array_like, shape (n,)
        MIDI note numbers.
    library : Library, str or Path, optional
        The library or its path; by default the user's own. An open one saves a few milliseconds.
    top : int, optional
        Matches to report, significant or not.

    Raises
    ------
    InvalidNotesError
        If they are no notes.
    ReadError
        If they are too few for a melody.
    LibraryError
        If the library cannot be opened, or is empty.
    """
    opened = library if isinstance(library, Library) else Library(library)
    return opened.check(piece_of_notes(onsets, durations, pitches), top)
