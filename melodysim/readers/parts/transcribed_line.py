"""The melody among notes that a program transcribed from sound (basic-pitch's MIDI and its kin).

Such notes have ghosts: overtones an octave, a twelfth or two octaves above what was played. The highest
note is then the wrong one. The line is the path through the notes that is worth most
(`melodysim.readers.parts.note_path`): notes are worth their loudness and length, less what their
register and overtones cost. The weights were tuned on 60 recordings that were rendered for it, and
measured on 60 others (docs/research/reading.md).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from melodysim.readers.parts.note_path import MOST_NOTES, best_path
from melodysim.readers.parts.score import Part

_OVERTONES = (12, 19, 24, 28, 31, 34, 36, 38, 40, 43)
"""Semitones of the second to twelfth harmonics above their fundamental."""
_LOUDNESS, _USUAL_LOUDNESS = 3.5, 0.7
_LENGTH, _USUAL_LENGTH = 0.3, 0.15
_HEIGHT = 0.35
_REGISTER, _MIDDLE = 0.26, 65.0
_GHOST, _GHOST_LOUDNESS = 5.0, 0.73
_NOTE = 0.2
_ON_GRID = 0.7
"""Share of onsets on the grid of a bar from which on notes were written or quantised."""
_NEAR_GRID = 0.008
"""Quarter notes."""


def is_transcribed(part: Part) -> bool:
    """Say whether a part looks like a transcription of sound: uneven onsets and uneven loudness.

    A performance on a keyboard looks the same; there the line does as well as the top line.

    Parameters
    ----------
    part : Part
    """
    if part.velocity is None or len(part) > MOST_NOTES or len(np.unique(part.velocity)) < 4:
        return False
    sixteenths, triplets = part.beat * 4, part.beat * 6
    off = np.minimum(
        np.abs(sixteenths - np.rint(sixteenths)) / 4, np.abs(triplets - np.rint(triplets)) / 6
    )
    return float((off < _NEAR_GRID).mean()) < _ON_GRID


def transcribed_line(part: Part) -> NDArray[np.intp]:
    """Find the melody among the notes of a part that was transcribed from sound.

    Parameters
    ----------
    part : Part
        With velocities.

    Returns
    -------
    ndarray of intp, shape (m,)
        Notes of the part, their onsets strictly increasing.
    """
    assert part.velocity is not None
    order = np.lexsort((part.pitch, part.onset))
    onset, duration, pitch = part.onset[order], part.duration[order], part.pitch[order]
    loudness = part.velocity[order] / np.quantile(part.velocity, 0.9)
    worth = _worth(onset, onset + duration, pitch, loudness)
    return order[best_path(onset, onset + duration, pitch, worth)]


def _worth(
    onset: NDArray[np.float64],
    end: NDArray[np.float64],
    pitch: NDArray[np.float64],
    loudness: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return what each note is worth for a melody; notes are in order of onset."""
    duration = end - onset
    middle = float(np.average(pitch, weights=duration * loudness))
    return (
        _NOTE
        + _LOUDNESS * (loudness - _USUAL_LOUDNESS)
        + _LENGTH * np.log2(np.clip(duration, 0.03, 1.0) / _USUAL_LENGTH)
        + _HEIGHT * (pitch - middle) / 12
        - _REGISTER * np.abs(pitch - _MIDDLE) / 12
        - _GHOST * _ghosts(onset, end, pitch, loudness)
    )


def _ghosts(
    onset: NDArray[np.float64],
    end: NDArray[np.float64],
    pitch: NDArray[np.float64],
    loudness: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Mark with 1 the notes that may be an overtone of a louder one that sounds at the same time."""
    count = len(onset)
    ghost = np.zeros(count)
    for step in (*range(-16, 0), *range(1, 8)):
        mine = np.arange(max(0, -step), min(count, count - step))
        other = mine + step
        common = np.minimum(end[other], end[mine]) - np.maximum(onset[other], onset[mine])
        overtone = (
            np.isin(np.rint(pitch[mine] - pitch[other]), _OVERTONES)
            & (common > 0.5 * (end - onset)[mine])
            & (onset[other] <= onset[mine] + 0.06)
            & (loudness[other] * _GHOST_LOUDNESS >= loudness[mine])
        )
        ghost[mine[overtone]] = 1.0
    return ghost
