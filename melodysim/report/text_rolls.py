"""Piano rolls for the terminal: two semitones a character, in half blocks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from melodysim.intervals import note_name
from melodysim.report.passage import Passage

MOST_ROWS = 12
"""Rows of one roll: two octaves; what lies further out is drawn at the edge."""
_STYLES = {"same": "cyan", "octave": "magenta", "differs": "yellow", "alone": "bright_black"}
_LABEL = 7
"""Characters for the pitch names of a line: two names, if both pitches sound."""


def block_rolls(passage: Passage, width: int) -> list[Text]:
    """Draw the piano roll of the track's passage, and below it the reference's.

    Parameters
    ----------
    passage : Passage
    width : int
        Characters in a line.

    Returns
    -------
    list of Text
        Lines, each with its pitches at the left. The rolls can be compared without colour too: the same
        notes stand at the same height and time.
    """
    columns = width - _LABEL - 1
    begin = float(min([passage.placed[0, 0], *passage.track.onset[passage.mine][:1]]))
    end = float(passage.placed[:, 1].max())
    scale = columns / max(end - begin, 1e-9)
    theirs = passage.placed
    own = passage.track.onset[passage.mine]
    mine = np.stack([own, own + passage.track.duration[passage.mine]], axis=1)
    low, high = _range(passage)
    lines = []
    known = tuple(
        "same" if h else r for h, r in zip(passage.heard, passage.reference_relation, strict=True)
    )
    for name, times, pitch, relation in (
        ("track", mine, passage.pitch, passage.relation),
        ("reference, moved to it", theirs, passage.reference_pitch, known),
    ):
        cells = _cells((times - begin) * scale, pitch, relation, columns, low, high)
        lines.append(Text(f"{'':>{_LABEL}} {name}", "dim"))
        lines += _lines(cells, low)
    return lines


def _range(passage: Passage) -> tuple[int, int]:
    """Return the lowest and highest pitch drawn: the reference's, and the track's if near enough."""
    low, high = int(passage.reference_pitch.min()), int(passage.reference_pitch.max())
    near = passage.pitch[(passage.pitch >= low - 3) & (passage.pitch <= high + 3)]
    low, high = min([low, *near.tolist()]), max([high, *near.tolist()])
    if high - low >= 2 * MOST_ROWS:
        middle = int(np.median(passage.reference_pitch))
        low = max(low, middle - MOST_ROWS)
        high = low + 2 * MOST_ROWS - 1
    return low, high + (high - low + 1) % 2


def _cells(
    span: NDArray[np.float64],
    pitch: NDArray[np.int64],
    relation: tuple[str, ...],
    columns: int,
    low: int,
    high: int,
) -> NDArray[np.object_]:
    """Return the relation of the note in each cell, or None; a row a semitone, the lowest first."""
    cells = np.full((high - low + 1, columns), None, dtype=object)
    for (a, b), p, kind in zip(span, pitch, relation, strict=True):
        first = int(np.clip(round(float(a)), 0, columns - 1))
        last = max(first + 1, min(columns, round(float(b)) - (1 if b - a > 2.5 else 0)))
        cells[int(np.clip(p, low, high)) - low, first:last] = kind
    return cells


def _lines(cells: NDArray[np.object_], low: int) -> list[Text]:
    """Draw cells, two semitones a line, the highest first; name those that sound at the left."""
    lines = []
    for row in range(len(cells) - 2, -1, -2):
        sound = [note_name(low + k) for k in (row + 1, row) if any(cells[k])]
        line = Text(f"{' '.join(sound):>{_LABEL}} ", "dim")
        for below, above in zip(cells[row], cells[row + 1], strict=True):
            if above and below:
                line.append("█", _STYLES[above])
            elif above or below:
                line.append("▀" if above else "▄", _STYLES[above or below])
            else:
                line.append(" ")
        line.rstrip()
        lines.append(line)
    return lines
