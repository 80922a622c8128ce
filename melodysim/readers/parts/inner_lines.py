"""Lines inside a part of many voices: a tune under a pad, between arpeggios, or in the left hand.

The top line misses a tune that anything sounds above. The lines inside a part are the voices that it is
written in, if a score says so, and those that go most smoothly, as tunes do. What they find is in
docs/research/reading.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from melodysim.melody import FEWEST_NOTES, Melody, top_line
from melodysim.readers.parts.note_path import MOST_NOTES, best_path
from melodysim.readers.parts.part_line import COVERS, hides_lines, line_of
from melodysim.readers.parts.part_names import line_name
from melodysim.readers.parts.score import Part

INNER_LINES = 2
"""Lines of a part that are looked for inside it; a third found nothing more."""
WRITTEN_VOICES = 4
"""Voices of a staff that are looked at; notation knows no more."""
_INNER = "inner line"
_NOTE, _LENGTH, _USUAL_LENGTH = 0.6, 0.15, 0.15
"""What a note is worth, what one twice as long is worth more, and seconds."""
_RESTRUCK, _AT_ONCE = 0.8, 0.1
"""Share of its notes that a part keeps at most where many are struck again; seconds between these."""
_LEAP, _LEAPING = 4.0, 0.6
"""Semitones of a leap, and the share of a part's intervals that are wider where it is broken chords. Of
300 pop songs' melodies no more than a third are."""
_VARIED = 4
"""Pitches that the tops of figures have at least."""
_SAME = 0.9
"""Share of notes in common from which on two lines are one."""


def inner_lines(part: Part, known: list[Melody]) -> list[Melody]:
    """Find the lines inside a part of many voices that go most smoothly, as tunes do.

    Parameters
    ----------
    part : Part
    known : list of Melody
        Lines of the part that are candidates already.

    Returns
    -------
    list of Melody
        At most `INNER_LINES`; one more where many notes are struck again: chords that are would draw a
        line to themselves, since nothing is smoother than one pitch; and the lowest notes. Of a part
        of one voice that leaps to and fro, the tops of its figures; of any other, none.
    """
    if len(part) > MOST_NOTES:
        return []
    if not hides_lines(part):
        tops = _tops_of_figures(part)
        return _others([line_of(part, tops, line_name(part.name, _INNER))], known) if len(tops) else []
    chosen = [(part, path) for path in islice(_paths(part), INNER_LINES)]
    held = _held(part)
    if len(held) < _RESTRUCK * len(part):
        chosen += [(held, path) for path in islice(_paths(held), 1)]
    # A left hand that goes in step with the chords above it: nothing is smoother than they are.
    chosen.append((part, top_line(part.onset, np.minimum(part.duration, COVERS), -part.pitch)))
    return _others((line_of(*one, line_name(part.name, _INNER)) for one in chosen), known)


def written_voices(part: Part, known: list[Melody]) -> list[Melody]:
    """Return the voices that a part is written in, such as the tenor and the bass of one staff.

    Parameters
    ----------
    part : Part
    known : list of Melody
        Lines of the part that are candidates already.

    Returns
    -------
    list of Melody
        At most `WRITTEN_VOICES`: the highest note of each voice at a time. None of a part that is one
        voice, or does not say.
    """
    if part.written is None or not part.written.any():
        return []
    lines = []
    for voice in range(min(int(part.written.max()) + 1, WRITTEN_VOICES)):
        notes = np.flatnonzero(part.written == voice)
        if len(notes) >= FEWEST_NOTES:
            order = notes[np.lexsort((-part.pitch[notes], part.onset[notes]))]
            lines.append(line_of(part, order, line_name(part.name, f"voice {voice + 1}")))
    return _others(lines, known)


def _others(lines: Iterable[Melody], known: list[Melody]) -> list[Melody]:
    """Leave out lines that are the same as one before, or as one that is known."""
    taken, found = [_notes(line) for line in known], []
    for line in lines:
        notes = _notes(line)
        if all(len(notes & other) < _SAME * max(len(notes), len(other)) for other in taken):
            found.append(line)
            taken.append(notes)
    return found


def _tops_of_figures(part: Part) -> NDArray[np.intp]:
    """Choose the notes of broken chords that are higher than those around; none of what is no figure.

    A line that leaps to and fro is heard as more than one (Bregman 1990, "Auditory scene analysis").
    """
    order = np.lexsort((part.pitch, part.onset))
    pitch = part.pitch[order]
    step = np.diff(pitch)
    if len(step) < FEWEST_NOTES or (np.abs(step) > _LEAP).mean() < _LEAPING:
        return np.zeros(0, np.intp)
    up, down = np.concatenate([[1.0], step]), np.concatenate([step, [-1.0]])
    tops = (up >= 0) & (down <= 0) & ((up > 0) | (down < 0))
    varied = len(np.unique(pitch[tops])) >= _VARIED  # not the fifths of a bass
    return order[tops] if varied else np.zeros(0, np.intp)


def _notes(line: Melody) -> set[tuple[float, float]]:
    """Return the onset and pitch of each note."""
    return set(zip(line.onset.tolist(), line.pitch.tolist(), strict=True))


def _paths(part: Part) -> Iterator[NDArray[np.intp]]:
    """Yield the best path through the notes of a part, then the best through those that are left."""
    left = np.lexsort((part.pitch, part.onset))
    while len(left) >= FEWEST_NOTES:
        onset, duration = part.onset[left], part.duration[left]
        worth = _NOTE + _LENGTH * np.log2(np.clip(duration, 0.03, 1.0) / _USUAL_LENGTH)
        path = best_path(onset, onset + duration, part.pitch[left], worth)
        yield left[path]
        left = np.delete(left, path)


def _held(part: Part) -> Part:
    """Join notes of one pitch that follow each other at once to a note that is held."""
    order = np.lexsort((part.onset, part.pitch))
    onset, pitch = part.onset[order], part.pitch[order]
    end = onset + part.duration[order]
    again = (np.diff(pitch) == 0) & (onset[1:] - end[:-1] < _AT_ONCE)
    first = np.flatnonzero(np.append(True, ~again))
    end = np.maximum.reduceat(end, first)
    in_time = np.lexsort((pitch[first], onset[first]))
    notes = order[first][in_time]
    duration = end[in_time] - part.onset[notes]
    return Part(part.name, part.onset[notes], duration, part.pitch[notes], part.beat[notes])


def is_inner(line: Melody) -> bool:
    """Say whether a melody is a line inside a part, by its name."""
    return line.voice.endswith(_INNER)
