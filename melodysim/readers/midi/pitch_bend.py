"""Melodies that are played by bending a note, on a wheel, a ribbon or an MPE controller.

Where the bend of a channel comes to rest a semitone or more from where a note began, a new note of the
melody is heard. What passes quickly is a slide, what swings is vibrato; neither is a note.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_USUAL_RANGE, _MPE_RANGE = 2.0, 48.0
"""Semitones that the wheel reaches, unless a file says otherwise (MIDI 1.0; MPE 1.0, section 2.4)."""
_CENTRE = 8192
_RPN_LOW, _RPN_HIGH, _DATA, _NRPN = 100, 101, 6, (98, 99)
_MPE, _RESET = 6, 121
AUDIBLE = 0.5
"""Semitones below which a bend is tuning or vibrato."""
_STEADY = 0.35
"""Semitones within which a pitch rests."""
_HELD = 0.1
"""Seconds that a pitch is held at least to be a note."""

Control = tuple[int, int, int, int]


def mpe_members(controls: Iterable[Control]) -> frozenset[int]:
    """Return the channels of the zones of MPE that a track sets up, counted from 0.

    Parameters
    ----------
    controls : iterable of (tick, status, data, data)
    """
    members: set[int] = set()
    for _, channel, number, value in _registered(controls):
        if number == _MPE and channel in (0, 15):
            members |= _zone(channel, value)
    return frozenset(members)


def _zone(master: int, size: int) -> set[int]:
    """Return the channels of a zone with its master; none if the zone is switched off."""
    if not size:
        return set()
    return set(range(0, size + 1)) if master == 0 else set(range(15 - size, 16))


def _registered(controls: Iterable[Control]) -> Iterable[tuple[int, int, int, int]]:
    """Yield tick, channel, number and value of the registered parameters (RPN) that are set."""
    chosen: dict[int, list[int]] = {}
    for tick, status, what, value in controls:
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
            yield tick, channel, low_high[0], value


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
    if not any(status & 0xF0 == 0xE0 and (low, high) != (0, 64) for _, status, low, high in controls):
        return {}
    reach = dict.fromkeys(range(16), _USUAL_RANGE)
    settings = list(_registered(controls))
    found: dict[int, list[tuple[int, float]]] = {}
    for tick, status, low, high in controls:
        while settings and settings[0][0] <= tick:
            _set_range(reach, *settings.pop(0)[1:])
        channel = status & 15
        if status & 0xF0 == 0xE0:
            bend = ((high << 7 | low) - _CENTRE) * reach[channel] / (_CENTRE - 1)
            found.setdefault(channel, []).append((tick, bend))
        elif status & 0xF0 == 0xB0 and low == _RESET:
            found.setdefault(channel, []).append((tick, 0.0))
    bends = {channel: np.array(rows, np.float64).T for channel, rows in found.items()}
    return {
        channel: (tick.astype(np.int64), semitones)
        for channel, (tick, semitones) in bends.items()
        if np.abs(semitones).max() >= AUDIBLE
    }


def _set_range(reach: dict[int, float], channel: int, number: int, value: int) -> None:
    """Set the range of bends of a channel, or of the members of a zone."""
    if number == _MPE and value:
        reach |= dict.fromkeys(_zone(channel, value) - {channel}, _MPE_RANGE)
    elif number == 0:
        reach[channel] = float(value)


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
    until = [*seconds[1:].tolist(), end]
    begins, pitches = seconds.tolist(), pitch.tolist()
    held: list[tuple[float, float]] = []
    arriving, k = begins[0], 0
    while k < len(begins):
        low = high = pitches[k]
        last = k
        while last + 1 < len(begins):
            low, high = min(low, pitches[last + 1]), max(high, pitches[last + 1])
            if high - low > _STEADY:
                break
            last += 1
        if until[last] - begins[k] < _HELD:
            k += 1
            continue
        tone = _median(pitches[k : last + 1], np.diff([*begins[k : last + 1], until[last]]))
        if not held or held[-1][1] != tone:
            held.append((arriving, tone))
        arriving, k = until[last], last + 1
    if not held:
        return [(begins[0], _median(pitches, np.diff([*begins, end])))]
    return [(begins[0], held[0][1]), *held[1:]]


def _median(pitch: list[float], weight: NDArray[np.float64]) -> float:
    """Return the semitone on either side of which a pitch is for half of the time."""
    order = np.argsort(pitch)
    share = np.cumsum(weight[order])
    return float(np.rint(pitch[order[np.searchsorted(share, share[-1] / 2)]]))
