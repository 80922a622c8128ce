"""Clips of workstation projects, laid on the time line as they play.

The readers of projects share this module. A clip plays from its start mark on;
its loop repeats as often as it fits and is cut off where the clip ends.

Conventions: places are in quarter notes until a tempo map turns them into seconds.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from melodysim.errors import ReadError
from melodysim.readers.midi import SHORTEST_NOTE
from melodysim.readers.score import Part, Score
from melodysim.readers.tempo import TempoMap

LARGEST = 512 << 20
"""Most bytes of XML: a larger file is a decompression bomb, not a project."""
MOST_NOTES = 2_000_000

Note = tuple[float, float, float]
"""Onset and duration in quarter notes, and pitch."""
Element = ElementTree.Element


@contextmanager
def project_errors(path: Path, kind: str) -> Iterator[None]:
    """Turn the exceptions of parsing a damaged project into a `ReadError` that names the file."""
    again = "save the project again"
    try:
        yield
    except ReadError as error:
        raise ReadError(error.reason, again, path) from error
    except (
        ElementTree.ParseError, zipfile.BadZipFile, zlib.error, EOFError, KeyError, OSError, ValueError,
        NotImplementedError, RuntimeError, RecursionError,
    ) as error:  # fmt: skip
        raise ReadError(f"damaged, or no {kind} ({error})", again, path) from error


def unrolled(
    notes: list[Note], start: float, length: float, play_from: float, loop: tuple[float, float] | None
) -> list[Note]:
    """Lay the notes of a clip on the time line as they play, in order of onset.

    Parameters
    ----------
    notes : list of (float, float, float)
        In the clip's own time.
    start, length : float
        Of the clip, on the time line.
    play_from : float
        Place in the clip at which it begins to play.
    loop : (float, float) or None
        Begin and end of the loop in the clip, if it has one.

    Examples
    --------
    Two notes, looped every two quarter notes, in a clip of five that begins at 8:

    >>> unrolled([(0, 1, 60), (1, 3, 62)], 8, 5, 1, (0, 2))
    [(8, 1, 62), (9, 1, 60), (10, 1, 62), (11, 1, 60), (12, 1, 62)]
    """
    stretches = [(play_from, play_from + length, start)]
    if loop is not None and loop[1] - loop[0] > 1e-6:
        first, last = loop
        stretches = [(play_from, min(max(last, play_from), play_from + length), start)]
        at = start + stretches[0][1] - play_from
        while at < start + length - 1e-9:
            rest = min(last - first, start + length - at)
            stretches.append((first, first + rest, at))
            at += last - first
            if len(stretches) * max(len(notes), 1) > MOST_NOTES:
                raise ReadError("a clip repeats millions of notes")
    return sorted(
        (at + onset - first, min(duration, last - onset), pitch)
        for first, last, at in stretches
        for onset, duration, pitch in notes
        if first <= onset < last and duration > 0
    )


def number_of(element: Element | None, name: str, default: float) -> float:
    """Read a number from an attribute, or the default if it is absent; refuse NaN and infinity."""
    said = None if element is None else element.get(name)
    if said is None:
        return default
    number = float(said)
    if not math.isfinite(number):
        raise ReadError(f"{name} is {said}")
    return number


def project_score(
    tracks: list[tuple[str, list[Note]]],
    tempo: TempoMap,
    bar: float,
    title: str | None = None,
    creator: str | None = None,
) -> Score:
    """Make a score of the notes of tracks, each with its name."""
    parts = []
    taken: dict[str, int] = {}
    for name, notes in tracks:
        if not notes:
            continue
        beat, length, pitch = np.array(sorted(notes), np.float64).T
        onset = tempo.seconds(beat)
        duration = np.maximum(tempo.seconds(beat + length) - onset, SHORTEST_NOTE)
        kept = (pitch >= 0) & (pitch <= 127) & (onset >= 0)
        taken[name] = taken.get(name, 0) + 1
        if taken[name] > 1:  # names must differ: a match is reported by its track's name
            name = f"{name} ({taken[name]})"
        parts.append(Part(name, onset[kept], duration[kept], pitch[kept], beat[kept]))
    return Score(tuple(part for part in parts if len(part)), title, creator, bar)
