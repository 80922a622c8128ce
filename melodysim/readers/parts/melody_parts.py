"""Choice of the melody among the parts of a symbolic file: candidates, the likeliest first.

Every part is scored on what sets tunes apart from accompaniment (Rizo, Ponce de León, Pérez-Sancho,
Pertusa & Iñesta 2006, "A pattern recognition approach for melody track selection in MIDI files"):
its name, how much of it is one voice, its register, how much of the piece it fills, how seldom it
leaps, and that it moves. The runners-up are kept, because a verdict must not hang on one guess.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from melodysim.melody import FEWEST_NOTES, Melody
from melodysim.readers.parts.inner_lines import inner_lines, written_voices
from melodysim.readers.parts.part_line import many_voices, part_lines, part_melody
from melodysim.readers.parts.part_names import ACCOMPANIES, TRANSCRIBED, sings
from melodysim.readers.parts.plain_line import plain_line
from melodysim.readers.parts.score import Part, Score, joined

MAX_MELODIES = 16
"""Candidate melodies of one piece; of more parts, the least likely are named and not compared."""
MAX_TRACKS = 64
"""Tracks of a project that are checked."""
TOP_LINE = "top line"
"""Name of the highest voice of all parts together."""

# Weights of the evidence, each feature in 0..1 (a name: -1, 0 or 1). A named melody outweighs the rest.
# Without names they put the melody of 278 pop songs first in 97 % (docs/research/reading.md).
_NAME_WEIGHT, _MONOPHONY_WEIGHT, _REGISTER_WEIGHT = 3.0, 1.5, 1.0
_COVER_WEIGHT, _RATE_WEIGHT, _HEIGHT_WEIGHT, _LEAP_WEIGHT = 1.0, 1.0, 0.5, 1.0
_PLAIN_LINES = 2
"""Likeliest lines of which the plain line is a candidate too."""
_SUNG_REGISTER = 67.0
_REGISTER_WIDTH = 14.0
_USUAL_RATE = 2.0
"""Notes a second at which a line moves as tunes do; more count no more."""
_LEAP = 7
"""Semitones beyond which an interval is a leap."""
_GRID, _MOST_STEPS = 0.1, 100_000
"""Seconds of the raster on which it is counted how much of the piece a part fills, and its size."""


def melody_evidence(parts: list[Part], lines: list[Melody], piece_end: float) -> list[float]:
    """Score how likely each part is to carry the tune; higher is likelier.

    Parameters
    ----------
    parts : list of Part
        Each with at least one note.
    lines : list of Melody
        The line of each part.
    piece_end : float
        End of the piece in seconds.
    """
    heights = [float(np.average(part.pitch, weights=part.duration)) for part in parts]
    lowest = min(heights, default=0.0)
    spread = max(max(heights, default=0.0) - lowest, 1e-9)
    found = []
    for part, line, height in zip(parts, lines, heights, strict=True):
        name = int(sings(part.name)) or -int(bool(ACCOMPANIES.search(part.name)))
        distance = (float(np.median(part.pitch)) - _SUNG_REGISTER) / _REGISTER_WIDTH
        found.append(
            _NAME_WEIGHT * name
            + _MONOPHONY_WEIGHT * _monophony(part)
            + _REGISTER_WEIGHT * float(np.exp(-(distance**2)))
            + _COVER_WEIGHT * _cover(part, piece_end)
            + _RATE_WEIGHT * min(1.0, len(line) / (_USUAL_RATE * max(piece_end, 1e-9)))
            + _HEIGHT_WEIGHT * (height - lowest) / spread
            - _LEAP_WEIGHT * _leaps(line)
        )
    return found


def _monophony(part: Part) -> float:
    """Return the share of notes that begin when the notes before have ended, or nearly."""
    ends = np.maximum.accumulate(part.onset + part.duration)
    overlapping = part.onset[1:] < ends[:-1] - 0.05
    return 1.0 - float(overlapping.mean()) if len(part) > 1 else 1.0


def _cover(part: Part, piece_end: float) -> float:
    """Return the share of the piece in which a part sounds."""
    step = max(_GRID, piece_end / _MOST_STEPS)
    frames = int(piece_end / step) + 2
    first = np.clip(part.onset / step, 0, frames - 1).astype(np.int64)
    last = np.clip((part.onset + part.duration) / step + 1, 0, frames - 1).astype(np.int64)
    changes = np.bincount(first, minlength=frames) - np.bincount(last, minlength=frames)
    return float((np.cumsum(changes) > 0).mean())


def _leaps(line: Melody) -> float:
    return float((np.abs(np.diff(line.pitch)) > _LEAP).mean()) if len(line) > 1 else 0.0


def candidate_melodies(score: Score) -> tuple[Melody, ...]:
    """Choose the parts that may be the tune.

    Returns
    -------
    tuple of Melody
        At most `MAX_MELODIES`, the likeliest first. Of a polyphonic part its line; then the plain lines
        of the likeliest; the voices that a staff is written in; last, lines inside polyphonic parts,
        unless another part is known to be the tune. Where no part's name suggests the tune, the top
        line of all parts together is a candidate too. Empty if no line has `FEWEST_NOTES` notes. What
        `melodysim transcribe` wrote keeps its order.
    """
    if score.parts and all(part.name in TRANSCRIBED for part in score.parts):
        lines = (part_melody(part) for part in score.parts)
        return tuple(line for line in lines if len(line) >= FEWEST_NOTES)
    parts = _whole_parts(list(score.parts))
    together = []
    if len(parts) > 1 and not any(sings(part.name) for part in parts):
        together = [joined(score.parts, TOP_LINE)]
    return _ranked(parts, score.duration, together)[:MAX_MELODIES]


def track_melodies(score: Score) -> tuple[Melody, ...]:
    """Return the melody of every part of a project, the likeliest first, at most `MAX_TRACKS`."""
    return _ranked(list(score.parts), score.duration)[:MAX_TRACKS]


def _whole_parts(parts: list[Part]) -> list[Part]:
    """Join parts of one name that are one voice together: a verse and a chorus on two tracks."""
    by_name: dict[str, list[Part]] = {}
    for part in parts:
        by_name.setdefault(part.name, []).append(part)
    whole = []
    for name, same in by_name.items():
        one = joined(tuple(same), name) if name and len(same) > 1 else None
        if one is not None and not many_voices(one.onset, one.onset + one.duration, one.pitch):
            whole.append(one)
        else:
            whole += same
    return whole


def left_out(score: Score, melodies: tuple[Melody, ...]) -> tuple[str, ...]:
    """Name the parts that could be a tune but are not among the melodies, for want of room."""
    if len(melodies) < MAX_MELODIES:
        return ()
    counts: dict[str, int] = {}
    for melody in melodies:
        counts[melody.voice] = counts.get(melody.voice, 0) + 1
    missing = []
    for part in score.parts:
        if counts.get(part.name, 0):
            counts[part.name] -= 1
        elif len(part) >= FEWEST_NOTES:
            missing.append(part.name or "a part without a name")
    return tuple(missing)


def _ranked(parts: list[Part], end: float, together: Sequence[Part] = ()) -> tuple[Melody, ...]:
    """Return the lines of parts that are long enough, the likeliest melody first.

    Of `together`, parts that are others joined, no lines inside are looked for.
    """
    single = [part for part in parts if len(part) >= FEWEST_NOTES]
    parts = [*single, *(part for part in together if len(part) >= FEWEST_NOTES)]
    named = any(
        sings(part.name) and not many_voices(part.onset, part.onset + part.duration, part.pitch)
        for part in parts
    )
    lines = [part_lines(part, accompanies=named) for part in parts]
    evidence = melody_evidence(parts, [line[0] for line in lines], end)
    order = sorted(range(len(parts)), key=lambda k: -evidence[k])
    likely = [line for k in order for line in lines[k]]
    plain = [one for line in likely[:_PLAIN_LINES] if (one := plain_line(line)) is not None]
    # Whatever sounds above a tune hides it from the top line, unless a part is known to be the tune.
    inside = [k for k in order if k < len(single) and not named]
    voices = {k: written_voices(parts[k], lines[k]) for k in order if k < len(single)}
    written = [line for found in voices.values() for line in found]
    inner = [line for k in inside for line in inner_lines(parts[k], lines[k] + voices[k])]
    return tuple(line for line in likely + plain + written + inner if len(line) >= FEWEST_NOTES)
