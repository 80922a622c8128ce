"""The path through notes that sound together that is worth most, as a melody would go.

Each note is worth something; going from one to the next costs by the interval, by what is cut off, and
by silence. This is the search of melody trackers (Salamon & Gómez 2012, "Melody extraction from
polyphonic music signals using pitch contour characteristics"), on notes instead of contours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_NOTES = 50_000
"""Notes among which a path is looked for; of a longer part the top line is taken."""

_SEEN = 30
"""Notes before one that it may follow."""
_INTERVAL, _FREE_INTERVAL = 1.8, 2.0
_CUT, _SILENCE, _LONGEST_SILENCE = 0.5, 0.3, 2.0
_APART = 0.04
"""Seconds between the onsets of notes that follow one another."""


def best_path(
    onset: NDArray[np.float64],
    end: NDArray[np.float64],
    pitch: NDArray[np.float64],
    worth: NDArray[np.float64],
) -> NDArray[np.intp]:
    """Find the path through notes that is worth most.

    Parameters
    ----------
    onset, end : ndarray of float64, shape (n,)
        Seconds; onsets do not decrease, and there is at least one.
    pitch : ndarray of float64, shape (n,)
        MIDI note numbers.
    worth : ndarray of float64, shape (n,)
        Of each note.

    Returns
    -------
    ndarray of intp, shape (m,)
        Places of the notes, their onsets at least `_APART` seconds apart.
    """
    best = np.concatenate([np.full(_SEEN, -np.inf), worth])
    costs = _costs(onset, end, pitch)
    before = np.full(len(costs), -1)
    for k, cost in enumerate(costs):  # `best` is ahead by `_SEEN`
        total = best[k : k + _SEEN] - cost
        chosen = int(total.argmax())
        if total[chosen] > 0:  # else the line had better begin here
            best[k + _SEEN] += total[chosen]
            before[k] = k - _SEEN + chosen
    path = [int(np.argmax(best[_SEEN:]))]
    while before[path[-1]] >= 0:
        path.append(int(before[path[-1]]))
    return np.array(path[::-1], np.intp)


def _costs(
    onset: NDArray[np.float64], end: NDArray[np.float64], pitch: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return what it costs to go to each note from each of the `_SEEN` before it; notes by onset.

    Infinite where the two begin together.
    """

    def earlier(values: NDArray[np.float64], filler: float) -> NDArray[np.float64]:
        padded = np.concatenate([np.full(_SEEN, filler), values])
        return np.lib.stride_tricks.sliding_window_view(padded, _SEEN)[:-1]

    here = onset[:, None]
    leap = np.clip(np.abs(pitch[:, None] - earlier(pitch, 0.0)) - _FREE_INTERVAL, 0, 24) / 12
    over = earlier(end, 0.0) - here
    shortest = np.maximum(earlier(end - onset, 1.0), 0.05)
    cost = (
        _INTERVAL * leap
        + _CUT * np.maximum(over, 0) / shortest
        + _SILENCE * np.clip(-over, 0, _LONGEST_SILENCE)
    )
    return np.where(earlier(onset, -np.inf) > here - _APART, np.inf, cost)
