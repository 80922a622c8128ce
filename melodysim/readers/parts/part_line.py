"""The line of a part: its notes one after another, or the melody on top of its chords.

Notes that overlap the next by any length are still one voice (a legato, a string left ringing). A part
has many voices if notes begin together, or one begins and ends while another sounds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from melodysim.melody import Melody, top_line
from melodysim.readers.parts.part_names import line_name
from melodysim.readers.parts.score import Part
from melodysim.readers.parts.transcribed_line import is_transcribed, transcribed_line

_TOGETHER = 0.1
"""Share of the longer intervals between onsets within which notes begin together: players and programs
that listen are 20 or 30 ms uneven."""
CHORDAL_SHARE = 0.1
"""Share of notes in chords, or under others, from which on a part has many voices."""
_SELDOM = 0.03
"""Share of notes that begin together below which they do so by chance."""
COVERS = 4.0
"""Seconds for which a held note hides the notes below it, or above a lowest line; one without an end
hides no more."""
_APART = 12
"""Semitones without a note between key switches, or a bass, and the line above."""
_SWITCH_SECONDS = 0.2
"""Longest key switch, unless it is held."""
_SWITCHES_BELOW, _MOST_SWITCHES = 50.0, 0.6
"""Highest key of a key switch, and the largest share of the notes that are any."""
_UNDER = 0.8
"""Share of low notes that sound together with higher ones, where these are a voice of their own."""


def many_voices(onset: NDArray, end: NDArray, pitch: NDArray) -> bool:
    """Say whether notes are more than one voice: chords, or notes under others.

    Parameters
    ----------
    onset, end, pitch : ndarray, shape (n,)
        In any order and unit of time.
    """
    return chordal_share(onset, end, pitch) >= CHORDAL_SHARE


def chordal_share(onset: NDArray, end: NDArray, pitch: NDArray) -> float:
    """Return the share of notes that begin together with another, or lie inside another's time."""
    if len(onset) < 2:
        return 0.0
    order = np.lexsort((-pitch, onset))
    onset, end = onset[order], end[order]
    apart = np.diff(onset)
    apart = apart[apart > 0]
    close = _TOGETHER * float(np.quantile(apart, 0.75)) if len(apart) else 0.0
    # A grace note begins close to its note, and has ended when that sounds.
    sounding = end[:-1] > onset[1:] + np.minimum(close, 0.25 * (end[1:] - onset[1:]))
    together = np.append(False, (np.diff(onset) <= close) & sounding)
    # Strings left ringing: notes lie inside others, but none begin together.
    if together.mean() < _SELDOM:
        return float(together.mean())
    # A note that ends before an earlier one does: a voice below or above it.
    latest = np.append(-np.inf, np.maximum.accumulate(end)[:-1])
    inside = end < latest - close
    return float((together | inside).mean())


def part_melody(part: Part) -> Melody:
    """Return the likeliest line of a part as a melody; see `part_lines`."""
    return part_lines(part)[0]


def _voices(part: Part) -> tuple[NDArray[np.intp], bool]:
    """Leave out what is no tune (`_upper_notes`), and say whether the rest is more than one voice."""
    upper = _upper_notes(part)
    onset, duration, pitch = part.onset[upper], part.duration[upper], part.pitch[upper]
    return upper, many_voices(onset, onset + duration, pitch)


def _one_or_highest(part: Part, upper: NDArray[np.intp], many: bool) -> NDArray[np.intp]:
    """Return the notes of the only voice, or of the highest of many."""
    onset, duration, pitch = part.onset[upper], part.duration[upper], part.pitch[upper]
    if not many:
        return upper[np.lexsort((-pitch, onset))]
    return upper[top_line(onset, np.minimum(duration, COVERS), pitch)]


def highest_voice(part: Part) -> NDArray[np.intp]:
    """Choose the notes of a part that has one voice, or of its highest voice.

    Parameters
    ----------
    part : Part

    Returns
    -------
    ndarray of intp
        Places in the part, in order of onset. Notes that begin together may be among them, the highest
        first.
    """
    return _one_or_highest(part, *_voices(part))


def part_lines(part: Part, accompanies: bool = False) -> list[Melody]:
    """Return the lines of a part that may be its melody, notes cut off where the next begins.

    Parameters
    ----------
    part : Part
    accompanies : bool, optional
        Whether another part is known to be the tune: the top of the chords is then line enough.

    Returns
    -------
    list of Melody
        One line, or two for a part that looks like a transcription of sound: a performance on a
        keyboard looks the same, and there the top line is the better one as often.
    """
    upper, many = _voices(part)
    top = _one_or_highest(part, upper, many)
    inside = part if accompanies else _taken(part, upper)
    if not many or accompanies or not is_transcribed(inside):
        return [line_of(part, top, part.name)]
    followed = upper[transcribed_line(inside)]
    return [
        line_of(part, followed, part.name),
        line_of(part, top, line_name(part.name, "top line")),
    ]


def hides_lines(part: Part) -> bool:
    """Say whether a part is more than one voice, what is no part of its top line counted too."""
    upper, many = _voices(part)
    return many or len(upper) < len(part)


def line_of(part: Part, notes: NDArray[np.intp], name: str) -> Melody:
    """Return some notes of a part as a melody, each cut off where the next begins."""
    onset, duration, pitch = part.onset[notes], part.duration[notes], part.pitch[notes]
    return Melody.from_overlapping(onset, duration, pitch, voice=name, beat=part.beat[notes])


def _taken(part: Part, notes: NDArray[np.intp]) -> Part:
    """Return some notes of a part as a part."""
    velocity = None if part.velocity is None else part.velocity[notes]
    columns = (part.onset[notes], part.duration[notes], part.pitch[notes], part.beat[notes])
    return Part(part.name, *columns, velocity)


def _upper_notes(part: Part) -> NDArray[np.intp]:
    """Leave out key switches, and a bass that is far below the rest of the part."""
    everything = np.arange(len(part))
    height = np.unique(part.pitch)
    gaps = np.diff(height)
    for k in np.flatnonzero(gaps > _APART)[::-1].tolist():
        low = part.pitch <= height[k]
        if low.mean() > _MOST_SWITCHES:
            continue
        short = np.quantile(part.duration[low], 0.9) <= _SWITCH_SECONDS
        shorter = np.median(part.duration[low]) <= np.median(part.duration[~low])
        switches = short and shorter and height[k] <= _SWITCHES_BELOW
        if switches or _sounds_under(part, low):
            return everything[~low]
    return everything


def _sounds_under(part: Part, low: NDArray[np.bool_]) -> bool:
    """Say whether most of the low notes sound together with a higher one."""
    onset, end = part.onset[~low], (part.onset + part.duration)[~low]
    latest = np.maximum.accumulate(end)
    begun = np.searchsorted(onset, (part.onset + part.duration)[low] - 0.01) - 1
    over = (begun >= 0) & (latest[np.maximum(begun, 0)] > part.onset[low] + 0.01)
    return bool(over.mean() >= _UNDER)
