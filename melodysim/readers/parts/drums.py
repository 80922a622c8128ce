"""Whether notes beat time instead of carrying a tune, by their name, their keys and how they move."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from melodysim.readers.parts.part_names import names_drums, names_instrument, sings

_KIT = (35, 36, 38, 40, 42, 44, 46)
"""Bass drums, snares and hi-hats of General MIDI: what a drum kit mostly plays."""
KIT_SHARE = 0.15
"""Share of such keys from which on notes are taken for those of a kit."""
_LOWEST_TUNE = 55.0
"""MIDI note number above which the middle of a tune lies, and that of a drum kit hardly ever."""
_FEWEST_PITCHES = 5
_TOGETHER = 0.2
"""Share of notes that begin with another: a beat has its hits together."""
_STEPS = 0.5
"""Share of moves by at most a fourth: tunes keep to them, a drummer does not know of them."""
_MOVES = 0.5
"""Share of notes that leave the pitch before: a shaker does not move."""


def beats_time(name: str, onset: NDArray[np.float64], pitch: NDArray[np.float64]) -> bool:
    """Say whether notes on the drums' channel, or under the name of drums, are drums.

    Parameters
    ----------
    name : str
        Of the part.
    onset, pitch : ndarray of float64, shape (n,)
        Seconds, in order, and MIDI note numbers.
    """
    if moves_like_a_tune(onset, pitch):
        return False
    return names_drums(name) or not (sings(name) or names_instrument(name))


def kit_share(pitch: NDArray[np.float64]) -> float:
    """Return the share of notes that are keys of a drum kit's bass drum, snare or hi-hats."""
    return float(np.isin(pitch, _KIT).mean()) if len(pitch) else 0.0


def moves_like_a_tune(onset: NDArray[np.float64], pitch: NDArray[np.float64]) -> bool:
    """Say whether notes move like a tune, and not like hits on the keys of a drum kit."""
    if len(pitch) < 2:
        return False
    together = np.mean(np.diff(onset) < 0.02)
    moves = np.abs(np.diff(pitch))
    stepping = moves[moves > 0] <= 5
    return bool(
        kit_share(pitch) < KIT_SHARE
        and np.median(pitch) >= _LOWEST_TUNE
        and len(np.unique(pitch)) >= _FEWEST_PITCHES
        and together < _TOGETHER
        and (moves > 0).mean() >= _MOVES
        and stepping.mean() >= _STEPS
    )
