"""Melodies that are played by bending a note, on a wheel, a ribbon or an MPE controller.

Where the bend of a channel comes to rest a semitone or more from where a note began, a new note of the
melody is heard. What passes quickly is a slide, what swings is vibrato; neither is a note.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

_USUAL_RANGE, _MPE_RANGE = 2.0, 48.0
"""Semitones that the wheel reaches, unless a file says otherwise (MIDI 1.0; MPE 1.0, section 2.4)."""
_CENTRE = 8192
_RPN_LOW, _RPN_HIGH, _DATA, _NRPN = 100, 101, 6, (98, 99)
_AUDIBLE = 0.5
"""Semitones below which a bend is tuning or vibrato."""
_HELD = 0.1
"""Seconds that a pitch is held at least to be a note."""

Control = tuple[int, int, int, int]


def mpe_zones(controls: Iterable[Control]) -> bool:
    """Say whether a track sets up a zone of MPE, whose notes have a channel each.

    Parameters
    ----------
    controls : iterable of (tick, status, data, data)
    """
    return any(number == 6 for _, number, _ in _registered(controls))


def _registered(controls: Iterable[Control]) -> Iterable[tuple[int, int, int]]:
    """Yield channel, number and value of the registered parameters (RPN) that are set."""
    chosen: dict[int, list[int]] = {}
    for _, status, what, value in controls:
        if status & 0xF0 != 0xB0:
            continue
        channel = status & 15
        low_high = chosen.setdefault(channel, [127, 127])
        if what == _RPN_LOW:
            low_high[0] = value
        elif what == _RPN_HIGH:
            low_high[1] = value
        elif what in _NRPN:
            low_high[:] = [127, 127]
        elif what == _DATA and low_high[1] == 0:
            yield channel, low_high[0], value


def channel_bends(controls: Iterable[Control]) -> dict[int, tuple[NDArray, NDArray]]:
    """Read the pitch bends of each channel that bends at all.

    Parameters
    ----------
    controls : iterable of (tick, status, data, data)
        In order of time.

    Returns
    -------
    dict of int to (ndarray of int64, ndarray of float64)
        By channel: ticks, and semitones from then on.
    """
    controls = list(controls)
    raw: dict[int, list[tuple[int, int]]] = {}
    for tick, status, low, high in controls:
        if status & 0xF0 == 0xE0:
            raw.setdefault(status & 15, []).append((tick, (high << 7 | low) - _CENTRE))
    if not any(value for bends in raw.values() for _, value in bends):
        return {}
    reach = dict.fromkeys(range(16), _USUAL_RANGE)
    for channel, number, value in _registered(controls):
        if number == 6 and value:  # MPE's members; each may set its own range afterwards
            members = range(1, 1 + value) if channel == 0 else range(15 - value, 15)
            reach |= dict.fromkeys(members, _MPE_RANGE)
        elif number == 0:
            reach[channel] = float(value)
    found = {}
    for channel, bends in raw.items():
        tick, value = np.array(bends, np.int64).T
        semitones = value * (reach[channel] / (_CENTRE - 1))
        if np.abs(semitones).max() >= _AUDIBLE:
            found[channel] = (tick, semitones)
    return found


def held_pitches(
    seconds: NDArray[np.float64], pitch: NDArray[np.float64], end: float
) -> list[tuple[float, float]]:
    """Return the pitches at which a bent note rests: the second from which it does, and the pitch.

    Parameters
    ----------
    seconds, pitch : ndarray of float64, shape (n,)
        Changes of pitch while the note sounds; the first is its onset.
    end : float
        When the note ends.

    Examples
    --------
    A note that is bent up by a tone after half a second, passing the semitone between:

    >>> held_pitches(np.array([0, 0.5, 0.52]), np.array([60.0, 61.0, 62.0]), 1.0)
    [(0.0, 60.0), (0.5, 62.0)]
    """
    held: list[tuple[float, float]] = []
    arriving = float(seconds[0])
    semitone = np.rint(pitch)
    # Runs of one semitone: what sways within it is one pitch.
    first = np.flatnonzero(np.append(True, np.diff(semitone) != 0))
    for a, b in pairwise([*seconds[first].tolist(), end]):
        tone = float(semitone[first][np.searchsorted(seconds[first], a)])
        if b - a < _HELD:
            continue
        if not held or held[-1][1] != tone:
            held.append((arriving, tone))
        arriving = b
    if not held:
        held = [(float(seconds[0]), float(np.rint(np.median(pitch))))]
    return [(float(seconds[0]), held[0][1]), *held[1:]]
