"""First pass: one melody against every reference at once, coarsely.

Local alignment of intervals and of ratios of inter-onset intervals (Smith & Waterman 1981, with the
affine gaps of Gotoh 1982), and with moves that keep the transposition: two intervals against two of
the same sum (one note changed), or two against one (one note more or less). It is scored with rows of
8-bit integers for `LANES` references side by side, as SWIPE does for proteins (Rognes 2011, "Faster
Smith-Waterman database searches with inter-sequence SIMD parallelisation"). Nothing is left out:
every reference gets a score, and the best go on to `melodysim.align.dtw`.

Conventions: scores are small integers without a unit and saturate at `CEILING`; a saturated score is
a near-certain candidate whatever its exact value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from melodysim.align.corpus import PackedMelodies, in_threads
from melodysim.intervals import MAX_INTERVAL, MAX_RATIO, Sequence
from melodysim.kernels import kernels

LANES = 128
"""References side by side: as many bytes as two of the widest vectors (512 bits) hold."""
CEILING = 115
"""Eight bits end at 127, and one match adds at most 6."""
REPEAT, STEP, LEAP, WIDE_LEAP = 2, 3, 4, 6
"""Scores of the same interval: 0, 1 to 2, 3 to 4, and more semitones."""
OFF_BY_ONE = 1
"""The same direction, a semitone off: another mode, or a tuning error."""
DIFFERENT = -3
RATIO_SCORES = (0, 0, -1, -1, -2)
"""Scores by distance of the quantised ratios of inter-onset intervals; the last for all beyond."""
GAP_OPEN, GAP_EXTEND = 6, 2
MOVED = 1
"""Cost of one note changed, or one more or less, the transposition kept."""

_INTERVALS = 2 * MAX_INTERVAL + 1
_RATIOS = 2 * MAX_RATIO + 1
_PAD = _INTERVALS
_NEVER = 126
"""A sum of two intervals that equals none of a reference's."""
_TABLE = 64
"""Entries of a table of scores, one a reference symbol: as many as four SIMD shuffles look up."""


@dataclass(frozen=True, eq=False)
class Lanes:
    """References of like length side by side, in blocks of `LANES`.

    Attributes
    ----------
    order : ndarray of int64, shape (blocks * LANES,)
        Number of the melody in each lane; -1 in unused lanes.
    begin : ndarray of int64, shape (blocks + 1,)
        First row of each block.
    interval, ratio : ndarray of uint8, shape (rows, LANES)
        Symbols; row k of a block is interval k of its melodies.
    """

    order: NDArray[np.int64]
    begin: NDArray[np.int64]
    interval: NDArray[np.uint8]
    ratio: NDArray[np.uint8]


def lay_in_lanes(notes: PackedMelodies) -> Lanes:
    """Sort references by length and put them side by side.

    Parameters
    ----------
    notes : PackedMelodies
        Of the references.
    """
    lengths = np.maximum(notes.lengths - 1, 0)
    blocks = -(-len(lengths) // LANES)
    order = np.full(blocks * LANES, -1, np.int64)
    order[: len(lengths)] = np.argsort(lengths, kind="stable")
    placed = np.where(order >= 0, lengths[order], 0) if len(lengths) else np.zeros(0, np.int64)
    heights = placed.reshape(blocks, LANES).max(axis=1, initial=0)
    begin = np.concatenate([[0], np.cumsum(heights)]).astype(np.int64)
    interval = np.full((begin[-1], LANES), _PAD, np.uint8)
    ratio = np.full((begin[-1], LANES), MAX_RATIO, np.uint8)
    lane = np.repeat(np.arange(len(order)), placed)
    row = np.arange(len(lane)) - np.repeat(np.cumsum(placed) - placed, placed)
    note = np.repeat(notes.start[order], placed) + row
    place = (begin[lane // LANES] + row) * LANES + lane % LANES
    interval.reshape(-1)[place] = notes.interval[note].astype(np.int16) + MAX_INTERVAL
    ratio.reshape(-1)[place] = notes.ratio[note] + MAX_RATIO
    return Lanes(order, begin, interval, ratio)


def interval_scores() -> NDArray[np.int8]:
    """Return scores of each query interval against each reference interval (last column: padding)."""
    table = np.full((_INTERVALS, _INTERVALS + 1), DIFFERENT, np.int8)
    for a in range(-MAX_INTERVAL, MAX_INTERVAL + 1):
        size = abs(a)
        same = REPEAT if size == 0 else STEP if size <= 2 else LEAP if size <= 4 else WIDE_LEAP
        table[a + MAX_INTERVAL, a + MAX_INTERVAL] = same
        for b in (a - 1, a + 1):
            if a * b > 0 and abs(b) <= MAX_INTERVAL:
                table[a + MAX_INTERVAL, b + MAX_INTERVAL] = OFF_BY_ONE
    table[:, _PAD] = -CEILING // 2
    return table


def ratio_scores() -> NDArray[np.int8]:
    """Return the score of each query ratio against each reference ratio."""
    far = len(RATIO_SCORES) - 1
    distance = np.abs(np.subtract.outer(np.arange(_RATIOS), np.arange(_RATIOS)))
    return np.array(RATIO_SCORES, np.int8)[np.minimum(distance, far)]


def _prepared(query: Sequence) -> tuple[NDArray, ...]:
    """Return a query as the kernel reads it: numbered symbols and the scores of each.

    In order: the pair of interval and ratio at each place, uint16 [n]; of each pair the row in either
    table of scores, uint16 [pairs] twice; the tables of intervals and of ratios by symbol of the
    reference, int8 as bytes [k, 64]; intervals, and their sums with the one before, int8 [n].
    """
    intervals, interval = np.unique(query.interval.astype(np.int64), return_inverse=True)
    ratios, ratio = np.unique(query.ratio.astype(np.int64), return_inverse=True)
    pairs, pair = np.unique(interval * _TABLE + ratio, return_inverse=True)
    step2 = np.full(len(query.interval), _NEVER, np.int8)
    step2[1:] = query.interval[1:] + query.interval[:-1]
    return (
        pair.astype(np.uint16),
        (pairs // _TABLE).astype(np.uint16),
        (pairs % _TABLE).astype(np.uint16),
        _rows(interval_scores()[intervals + MAX_INTERVAL]),
        _rows(ratio_scores()[ratios + MAX_RATIO]),
        np.ascontiguousarray(query.interval),
        step2,
    )


def _rows(scores: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Pad rows of scores with zeros to the size of a table, and view them as bytes."""
    table = np.zeros((len(scores), _TABLE), np.int8)
    table[:, : scores.shape[1]] = scores
    return table.view(np.uint8)


def scan(query: Sequence, lanes: Lanes, melodies: int, threads: int = 1) -> NDArray[np.int8]:
    """Score a query against every reference.

    Parameters
    ----------
    query : Sequence
    lanes : Lanes
        Of the references.
    melodies : int
        Number of references.

    Returns
    -------
    ndarray of int8, shape (melodies,)
        Best local score against each, 0..`CEILING`.
    """
    scores = np.zeros(melodies, np.int8)
    if len(query) < 2 or not melodies:
        return scores
    prepared = _prepared(query)
    costs = (GAP_OPEN, GAP_EXTEND, MOVED, _PAD, MAX_INTERVAL)

    def work(blocks: NDArray[np.int64]) -> NDArray[np.uint8]:
        best = np.zeros((len(blocks), LANES), np.uint8)
        places = (lanes.interval, lanes.ratio, lanes.begin, np.ascontiguousarray(blocks))
        kernels().scan(*prepared, *places, best, LANES, costs)
        return best

    found = in_threads(work, np.arange(len(lanes.begin) - 1), threads).reshape(-1)
    used = lanes.order >= 0
    scores[lanes.order[used]] = np.minimum(found[used], CEILING)
    return scores
