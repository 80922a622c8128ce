"""Lines inside a part of many voices: a tune under a pad, between arpeggios, or in the left hand.

The top line misses a tune that anything sounds above. The lines inside a part are those that go most
smoothly, as tunes do. What they find is in docs/research/reading.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from melodysim.melody import FEWEST_NOTES, Melody
from melodysim.readers.parts.note_path import MOST_NOTES, best_path
from melodysim.readers.parts.part_line import hides_lines, line_of
from melodysim.readers.parts.score import Part

INNER_LINES = 2
"""Lines of a part that are looked for inside it; a third found nothing more."""
_INNER = "inner line"
_NOTE, _LENGTH, _USUAL_LENGTH = 0.6, 0.15, 0.15
"""What a note is worth, what one twice as long is worth more, and seconds."""
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
        At most `INNER_LINES`; none of a part of one voice.
    """
    if len(part) > MOST_NOTES or not hides_lines(part):
        return []
    taken, found = [_notes(line) for line in known], []
    for path in islice(_paths(part), INNER_LINES):
        line = line_of(part, path, f"{part.name}, {_INNER}".lstrip(", "))
        notes = _notes(line)
        if all(len(notes & other) < _SAME * max(len(notes), len(other)) for other in taken):
            found.append(line)
            taken.append(notes)
    return found


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


def is_inner(line: Melody) -> bool:
    """Say whether a melody is a line inside a part, by its name."""
    return line.voice.endswith(_INNER)
