"""Choice of the melody among the parts of a symbolic file: candidates, the likeliest first.

Every part is scored on what sets tunes apart from accompaniment (Rizo, Ponce de León, Pérez-Sancho,
Pertusa & Iñesta 2006, "A pattern recognition approach for melody track selection in MIDI files"):
its name, how much of it is one voice, its register, its share of the piece, and how varied its turns
are (a tune repeats itself, an ostinato does nothing else). The runners-up are kept, because a verdict
must not hang on one guess.
"""

from __future__ import annotations

import re

import numpy as np

from melodysim.melody import FEWEST_NOTES, Melody
from melodysim.readers.score import Part, Score, joined, part_melody

MAX_MELODIES = 4
"""Candidate melodies kept of one piece."""
MAX_TRACKS = 64
"""Tracks of a project that are checked."""

_SINGS = re.compile(
    r"melod|vocal|voice|voix|sing|sang|lead|tune|theme|solo|chant|canto|gesang|主旋|旋律|メロディ|vox|lyric",
    re.IGNORECASE,
)
_ACCOMPANIES = re.compile(
    r"bass|drum|perc|pad|chord|string|accomp|backing|choir|rhythm|arp|harmony|left|\blh\b|"
    r"伴奏|和弦|bridge|piano",
    re.IGNORECASE,
)
# Weights of the evidence, each feature in 0..1 (a name: -1, 0 or 1). A named melody outweighs the
# rest; the order of the other weights follows the information gain reported by Rizo et al.
_NAME_WEIGHT, _MONOPHONY_WEIGHT, _REGISTER_WEIGHT = 3.0, 1.5, 1.0
_SHARE_WEIGHT, _VARIETY_WEIGHT = 1.0, 1.0
_SUNG_REGISTER = 67.0
_REGISTER_WIDTH = 14.0


def melody_evidence(part: Part, piece_end: float) -> float:
    """Score how likely a part is to carry the tune; higher is likelier.

    Parameters
    ----------
    part : Part
        With at least one note.
    piece_end : float
        End of the piece in seconds.
    """
    name = int(bool(_SINGS.search(part.name))) or -int(bool(_ACCOMPANIES.search(part.name)))
    ends = np.maximum.accumulate(part.onset + part.duration)
    overlapping = part.onset[1:] < ends[:-1] - 0.05
    monophony = 1.0 - float(overlapping.mean()) if len(part) > 1 else 1.0
    distance = (float(np.median(part.pitch)) - _SUNG_REGISTER) / _REGISTER_WIDTH
    share = min(1.0, float(part.duration.sum()) / max(piece_end, 1e-9))
    return (
        _NAME_WEIGHT * name
        + _MONOPHONY_WEIGHT * monophony
        + _REGISTER_WEIGHT * float(np.exp(-(distance**2)))
        + _SHARE_WEIGHT * share
        + _VARIETY_WEIGHT * _variety(part)
    )


def _variety(part: Part) -> float:
    """Return twice the share of distinct four-interval n-grams among all, at most 1."""
    melody = part_melody(part)
    interval = np.rint(np.diff(melody.pitch)).astype(np.int64)
    if len(interval) < 4:
        return 0.0
    turns = np.lib.stride_tricks.sliding_window_view(interval, 4)
    return min(1.0, 2.0 * len(np.unique(turns, axis=0)) / len(turns))


def candidate_melodies(score: Score) -> tuple[Melody, ...]:
    """Choose the parts that may be the tune.

    Returns
    -------
    tuple of Melody
        At most `MAX_MELODIES`, the likeliest first. Of a polyphonic part the top line. Where no
        part's name suggests the tune, the top line of all parts together is a candidate too. Empty
        if no line has `FEWEST_NOTES` notes.
    """
    end = score.duration
    parts = [part for part in score.parts if len(part) >= FEWEST_NOTES]
    parts.sort(key=lambda part: -melody_evidence(part, end))
    lines = [part_melody(part) for part in parts[:MAX_MELODIES]]
    if len(score.parts) > 1 and not any(_SINGS.search(part.name) for part in parts):
        lines = [*lines[: MAX_MELODIES - 1], part_melody(joined(score.parts, "top line"))]
    return tuple(line for line in lines if len(line) >= FEWEST_NOTES)


def track_melodies(score: Score) -> tuple[Melody, ...]:
    """Return the melody of every part of a project, the likeliest first, at most `MAX_TRACKS`."""
    end = score.duration
    parts = sorted(score.parts, key=lambda part: -melody_evidence(part, end))
    lines = (part_melody(part) for part in parts if len(part) >= FEWEST_NOTES)
    return tuple(line for line in lines if len(line) >= FEWEST_NOTES)[:MAX_TRACKS]
