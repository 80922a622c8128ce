"""Beats and bar lines for passages, so that both can be written as notation.

A reference from a score or a MIDI file knows its beats; a recording does not. The track is laid on
the reference's beats by a map that follows the tempo but not the single note: what is sung early or
late stays early or late. Where nothing knows the beats, the period that onsets fit best is taken; bar
lines are always estimated, since the library keeps no time signatures, and reports say so.

Conventions: beats are quarter notes, ticks are `TICKS` to a quarter note.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from melodysim.melody import Melody
from melodysim.report.passage import Passage, stretched

TICKS = 24
"""To a quarter note: triplets and thirty-seconds are whole numbers."""
GRIDS = (6, 8, 3, 4)
"""Steps in ticks that a beat may be divided in, the likeliest first: sixteenths, triplets,
thirty-seconds, sextuplets."""
_GRID_COST = (0.0, 1.0, 1.8, 2.4)
"""Ticks a note, on average, by which each grid must fit better than sixteenths."""
_EXACT = 0.6
"""Ticks within which all notes of a beat count as on a grid: then no further grid is tried."""
FOLLOWED_BEATS = 4.0
"""Width of the window that follows the tempo."""
BAR_LENGTHS = (4, 3, 2)
"""Quarter notes in a bar that are tried."""
_RARER = {4: 0.0, 3: 0.0, 2: 0.2}
_OFF_BEAT = 0.1
"""Beats a bar by which a rarer bar length, and bar lines between beats, must fit better."""
_SLOWEST, _FASTEST = 60.0, 150.0
"""Quarter notes a minute, where they have to be estimated."""


def reference_beats(melody: Melody) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the onsets and ends of a melody's notes in beats.

    Parameters
    ----------
    melody : Melody
        With at least two notes.

    Returns
    -------
    onset, end : ndarray of float64, shape (n,)
        From the source where it has beats, otherwise by `fitted_period`.
    """
    end = melody.onset + melody.duration
    if melody.beat is not None:
        return melody.beat, stretched(end, melody.onset, melody.beat)
    period = fitted_period(melody.onset)
    start = melody.onset[0]
    return (melody.onset - start) / period, (end - start) / period


def fitted_period(onset: NDArray[np.float64]) -> float:
    """Estimate the beat length that a melody's inter-onset intervals fit best.

    Parameters
    ----------
    onset : ndarray of float64, shape (n,)
        Seconds.

    Returns
    -------
    float
        Seconds, between 0.4 and 1: the period whose half multiples the intervals are nearest to.

    Examples
    --------
    >>> round(fitted_period(np.array([0, 0.5, 1.0, 1.25, 1.5, 2.0, 3.0])), 2)
    0.5
    """
    gap = np.diff(onset)
    gap = gap[gap < 4.0]
    periods = 60.0 / np.geomspace(_SLOWEST, _FASTEST, 120)
    if not len(gap):
        return 0.5
    halves = gap[None, :] / (periods[:, None] / 2)
    error = np.abs(halves - np.maximum(np.rint(halves), 0.5))
    # Beats near 100 a minute are likeliest (Parncutt 1994): the prior only decides between multiples.
    unlikely = 0.05 * np.abs(np.log2(periods * 100 / 60))
    return float(periods[np.argmin(np.minimum(error, 0.5).mean(axis=1) + unlikely)])


def track_beats(
    passage: Passage, beats: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lay the track's passage on the beats of the reference.

    Parameters
    ----------
    passage : Passage
    beats : ndarray of float64, shape (n,)
        Onsets of `passage.theirs`.

    Returns
    -------
    onset, end : ndarray of float64, shape (m,)
        Beats of `passage.mine`.
    """
    seconds, known = passage.placed[:, 0], beats
    if len(passage.pairs) >= 2:
        seconds = passage.track.onset[passage.mine[passage.pairs[:, 0]]]
        known = beats[passage.pairs[:, 1]]
    onset = passage.track.onset[passage.mine]
    end = onset + passage.track.duration[passage.mine]
    slope, offset = _line(seconds, known)
    residual = known - (offset + slope * seconds)
    at = np.concatenate([onset, end])
    straight = offset + slope * at
    # Local linear regression (Cleveland 1979), which does not bend at the ends as an average would.
    apart = (straight[:, None] - (offset + slope * seconds)[None, :]) / FOLLOWED_BEATS
    weight = np.exp(-0.5 * apart**2) + 1e-9
    total = weight.sum(axis=1)
    centre = (weight * apart).sum(axis=1) / total
    level = (weight * residual).sum(axis=1) / total
    spread = (weight * (apart - centre[:, None]) ** 2).sum(axis=1)
    lean = (weight * (apart - centre[:, None]) * residual).sum(axis=1) / np.maximum(spread, 1e-9)
    mapped = straight + level - lean * centre
    order = np.argsort(at, kind="stable")
    mapped[order] = np.maximum.accumulate(mapped[order])
    return mapped[: len(onset)], mapped[len(onset) :]


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Fit a rising straight line to points, and return its slope and offset."""
    if len(x) > 1 and np.ptp(x) > 0:
        slope, offset = np.polyfit(x, y, 1)
        if slope > 0:
            return float(slope), float(offset)
    return 2.0, float(y[0] - 2.0 * x[0]) if len(x) else 0.0


def fitted_bars(onset: NDArray[np.float64], end: NDArray[np.float64]) -> tuple[int, float]:
    """Estimate bar lines from where notes begin and how long they last.

    Long notes tend to begin on a bar line, and few are held over one (Lerdahl & Jackendoff 1983,
    metrical preference rules 5a and 3).

    Parameters
    ----------
    onset, end : ndarray of float64, shape (n,)
        Beats.

    Returns
    -------
    length : int
        Beats in a bar.
    phase : float
        Beat at which some bar begins.

    Examples
    --------
    A waltz with an upbeat of one beat:

    >>> onset = np.array([2, 3, 5, 6, 8, 9, 11, 12.0])
    >>> fitted_bars(onset, np.append(onset[1:], 14.0))
    (3, 0.0)
    """
    duration = np.minimum(end - onset, 4.0)
    best, found = -np.inf, (BAR_LENGTHS[0], 0.0)
    for length in BAR_LENGTHS:
        for phase in np.arange(0, length, 0.5):
            place = (onset - phase) % length
            begins = np.minimum(place, length - place) < 0.1
            held = (place + (end - onset) > length + 0.1) & ~begins
            bars = max(1.0, float(end[-1] - onset[0]) / length)
            score = float((duration * begins).sum() - 0.7 * held.sum()) / bars
            score -= _OFF_BEAT * (phase % 1 != 0) + _RARER[length]
            if score > best + 1e-9:
                best, found = score, (length, float(phase))
    return found


def quantise(
    onset: NDArray[np.float64], end: NDArray[np.float64], grids_tried: int = len(GRIDS)
) -> tuple[NDArray[np.int64], NDArray[np.int64], dict[int, int]]:
    """Quantise notes to ticks, each beat on the grid that its notes fit best.

    Parameters
    ----------
    onset, end : ndarray of float64, shape (n,)
        Beats, onsets rising.
    grids_tried : int, optional
        How many of `GRIDS` a beat may be divided by: 1 for what was transcribed from a recording, whose
        onsets are not exact enough for more.

    Returns
    -------
    begin, finish : ndarray of int64, shape (n,)
        Ticks; onsets rise strictly, and no note runs into the next. A gap shorter than an eighth note
        is closed.
    grids : dict of int to int
        Of each beat that is not divided into sixteenths, the ticks of its step.
    """
    if not len(onset):
        return np.zeros(0, np.int64), np.zeros(0, np.int64), {}
    cell = np.floor(onset + 1e-6).astype(np.int64)
    grids = {int(c): _grid(onset[cell == c] - c, grids_tried) for c in np.unique(cell)}
    begin = np.empty(len(onset), np.int64)
    earliest = -(2**31)
    for k, time in enumerate(onset):
        step = grids[int(cell[k])]
        place = int(cell[k]) * TICKS + round((time - cell[k]) * TICKS / step) * step
        begin[k] = place if place >= earliest else _on_grid(earliest, grids)
        earliest = int(begin[k]) + 1
    finish = np.empty(len(onset), np.int64)
    for k in range(len(onset)):
        beat = int(np.floor(end[k] + 1e-6))
        step = grids.get(beat, GRIDS[0])
        place = beat * TICKS + round((end[k] - beat) * TICKS / step) * step
        if place <= begin[k]:
            place = _on_grid(int(begin[k]) + 1, grids)
        if k + 1 < len(begin) and begin[k + 1] - place < TICKS / 2:
            place = int(begin[k + 1])
        finish[k] = place
    return begin, finish, {c: step for c, step in grids.items() if step != GRIDS[0]}


def _grid(place: NDArray[np.float64], tried: int) -> int:
    """Return the step in ticks that the notes of a beat fit best; `place` is in 0..1."""
    ticks = place * TICKS
    costs = []
    for step, cost in zip(GRIDS[:tried], _GRID_COST, strict=False):
        rounded = np.rint(ticks / step)
        off = np.abs(ticks - rounded * step)
        crowded = len(rounded) - len(np.unique(rounded))
        if not crowded and off.max() <= _EXACT:
            return step
        costs.append(float(off.mean()) + cost + 24 * crowded)
    return GRIDS[int(np.argmin(costs))]


def _on_grid(tick: int, grids: dict[int, int]) -> int:
    """Return the first place on the grid at or after a tick."""
    beat = tick // TICKS
    step = grids.get(beat, GRIDS[0])
    return beat * TICKS + -(-(tick - beat * TICKS) // step) * step
