"""Tempo maps: from places in a file to seconds, and back.

Places are in whatever unit the format counts in (quarter notes, MIDI ticks). From each place on the
tempo is constant, or goes to the next in a straight line, as automation in a workstation does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

DEFAULT_TEMPO = 120.0
"""Quarter notes a minute where the file gives no tempo: MIDI's default."""
_SLOWEST, _FASTEST = 1.0, 2000.0
_STEADY = 1e-9
"""Change of tempo a unit below which a stretch counts as constant."""


@dataclass(frozen=True, eq=False)
class TempoMap:
    """Tempo over places; made by `constant_tempi` or `sloping_tempi`.

    Attributes
    ----------
    place : ndarray of float64, shape (n,)
        Where each stretch begins, not decreasing; n is at least 1, the first is at most 0.
    pace : ndarray of float64, shape (n,)
        Seconds per unit at its beginning.
    tempo, slope : ndarray of float64, shape (n,)
        Units a minute at its beginning, and their change per unit; the last stretch is constant.
    elapsed : ndarray of float64, shape (n,)
        Seconds from the first place to its beginning.
    """

    place: NDArray[np.float64]
    pace: NDArray[np.float64]
    tempo: NDArray[np.float64]
    slope: NDArray[np.float64]
    elapsed: NDArray[np.float64]

    @cached_property
    def _zero(self) -> float:
        """Seconds from the first place to place 0."""
        return float(np.interp(0.0, self.place, self.elapsed)) if self.place[0] < 0 else 0.0

    def seconds(self, place: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the time of places: the integral of 60 / tempo from place 0 on, exact."""
        k = np.searchsorted(self.place, place, side="right") - 1
        k = np.clip(k, 0, len(self.place) - 1)
        return self.elapsed[k] + self._spent(k, place - self.place[k]) - self._zero

    def places(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the places at some times in seconds: the inverse of `seconds`."""
        time = np.asarray(seconds, np.float64) + self._zero
        k = np.clip(np.searchsorted(self.elapsed, time, side="right") - 1, 0, len(self.place) - 1)
        left, slope, tempo = time - self.elapsed[k], self.slope[k], self.tempo[k]
        steady = np.abs(slope) < _STEADY
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            curved = tempo / slope * np.expm1(slope * left / 60.0)
        return self.place[k] + np.where(steady, left / self.pace[k], curved)

    def _spent(self, k: NDArray[np.intp], inside: NDArray) -> NDArray[np.float64]:
        """Return the seconds from the beginning of stretch k to `inside` units after it."""
        slope, tempo = self.slope[k], self.tempo[k]
        straight: NDArray[np.float64] = inside * self.pace[k]
        if not slope.any():
            return straight
        there = np.maximum(tempo + slope * inside, _SLOWEST)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            curved = 60.0 / slope * np.log(there / tempo)
        return np.where(np.abs(slope) < _STEADY, straight, curved)


def plausible_tempo(tempo: float) -> float:
    """Return a tempo in quarter notes a minute, brought to the nearest that music can have."""
    return min(max(tempo, _SLOWEST), _FASTEST)


def constant_tempi(place: NDArray, pace: NDArray[np.float64]) -> TempoMap:
    """Make a tempo map of stretches of constant tempo.

    Parameters
    ----------
    place : ndarray, shape (n,)
        Where each begins, not decreasing; the first is 0.
    pace : ndarray of float64, shape (n,)
        Seconds a unit.

    Examples
    --------
    Two quarter notes at 120 a minute, then 60:

    >>> slower = constant_tempi(np.array([0, 2]), np.array([0.5, 1.0]))
    >>> slower.seconds(np.array([1, 2, 3])).tolist()
    [0.5, 1.0, 2.0]
    >>> slower.places(np.array([0.5, 2.0])).tolist()
    [1.0, 3.0]
    """
    elapsed = np.concatenate([[0.0], np.cumsum(np.diff(place) * pace[:-1])])
    return TempoMap(place, pace, 60.0 / pace, np.zeros(len(place)), elapsed)


def sloping_tempi(place: NDArray[np.float64], tempo: NDArray[np.float64]) -> TempoMap:
    """Make a tempo map of straight lines between points, constant before and after.

    Parameters
    ----------
    place : ndarray of float64, shape (n,)
        Of the points, in any order; where two are the same, the tempo jumps from the first to the
        second.
    tempo : ndarray of float64, shape (n,)
        Units a minute there, at least 1.
    """
    order = np.argsort(place, kind="stable")
    place, tempo = place[order], tempo[order]
    at = np.concatenate([[min(0.0, place[0])], place])
    tempi = np.concatenate([[tempo[0]], tempo])
    length, rise = np.diff(at), np.diff(tempi)
    slope = np.divide(rise, length, out=np.zeros_like(rise), where=length > 1e-6)
    lines = TempoMap(at, 60.0 / tempi, tempi, np.append(slope, 0.0), np.zeros(len(at)))
    spent = lines._spent(np.arange(len(length)), length)
    elapsed = np.concatenate([[0.0], np.cumsum(spent)])
    return TempoMap(lines.place, lines.pace, lines.tempo, lines.slope, elapsed)
