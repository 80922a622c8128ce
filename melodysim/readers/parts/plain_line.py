"""The plain line of a melody: without grace notes, repetitions as one note.

More syllables, a gate or an ornament before every note leave a tune what it is, and make two notes of
each. An alignment that drops every other note then has nothing left to tell it from chance
(docs/research/reading.md).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from melodysim.melody import FEWEST_NOTES, Melody
from melodysim.readers.parts.part_names import line_name

_PLAIN = "plain line"
_ADDED = 0.35
"""Share of a melody's notes that must be added ones, for the line without them to be tried."""
_GRACE_SECONDS, _GRACE_SHARE = 0.1, 0.6
"""Longest grace note, and the largest share of the note after it that it may last."""
_REST = 1.0
"""Seconds of silence from which on a repeated pitch is a note of its own."""


def plain_line(melody: Melody) -> Melody | None:
    """Leave out grace notes, and join notes in a row that have one pitch class.

    Parameters
    ----------
    melody : Melody

    Returns
    -------
    Melody or None
        None if few notes are of these kinds, or too few are left.
    """
    if len(melody) < FEWEST_NOTES:
        return None
    kept = np.flatnonzero(~_graces(melody))
    first = _first_of_repetitions(melody, kept)
    notes = kept[first]
    if len(notes) > (1 - _ADDED) * len(melody) or len(notes) < FEWEST_NOTES:
        return None
    end = np.maximum.reduceat((melody.onset + melody.duration)[kept], np.flatnonzero(first))
    name = line_name(melody.voice, _PLAIN)
    onset, sure = melody.onset[notes], melody.confidence[notes]
    beat = None if melody.beat is None else melody.beat[notes]
    return Melody.from_overlapping(onset, end - onset, melody.pitch[notes], sure, name, beat)


def is_plain(line: Melody) -> bool:
    """Say whether a melody is the plain line of another, by its name."""
    return line.voice.endswith(_PLAIN)


def _graces(melody: Melody) -> NDArray[np.bool_]:
    """Mark the notes that are short, and shorter than the next."""
    apart = np.append(np.diff(melody.onset), np.inf)
    following = np.append(apart[1:-1], [melody.duration[-1], 0.0])
    return (apart < _GRACE_SECONDS) & (apart < _GRACE_SHARE * following)


def _first_of_repetitions(melody: Melody, kept: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Mark, of some notes, those that do not repeat the pitch class of the one before."""
    onset, end = melody.onset[kept], (melody.onset + melody.duration)[kept]
    same = np.rint(np.diff(melody.pitch[kept])) % 12 == 0
    return np.append(True, ~(same & (onset[1:] - end[:-1] < _REST)))
