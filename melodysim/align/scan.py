"""First pass: one melody against every reference at once, coarsely.

Local alignment of intervals and of ratios of inter-onset intervals (Smith & Waterman 1981, with the
affine gaps of Gotoh 1982), and with moves that keep the transposition: two intervals against two of
the same sum (one note changed), or two against one (one note more or less). It is scored with rows of
8-bit integers for `LANES` references side by side, as SWIPE does for proteins (Rognes 2011, "Faster
Smith-Waterman database searches with inter-sequence SIMD parallelisation"). Nothing is left out:
every reference gets a score, and the best go on to `melodysim.align.notes`.

Conventions: scores are small integers without a unit and saturate at `CEILING`; a saturated score is
a near-certain candidate whatever its exact value. Every intermediate is cast back to int8, or LLVM
widens the loop and loses its speed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from melodysim.align.corpus import Corpus, in_threads
from melodysim.sequence import MAX_INTERVAL, MAX_RATIO, Sequence

LANES = 192
"""References side by side; 128 to 256 were measured to be fastest."""
CEILING = 115
"""int8 wraps at 127, and one match adds at most 6."""
REPEAT, STEP, LEAP, WIDE_LEAP = 2, 3, 4, 6
"""Scores of the same interval: 0, 1 to 2, 3 to 4, and more semitones."""
OFF_BY_ONE = 1
"""The same direction, a semitone off: another mode, or a tuning error."""
DIFFERENT = -3
RATIO_SCORES = (0, 0, -1, -1, -2)
"""By distance of the quantised ratios of inter-onset intervals; farther ones like the last."""
GAP_OPEN, GAP_EXTEND = 6, 2
CHANGED, ADDED = -1, -1
"""One note changed, or one more or less, the transposition kept: at most 0, so that no alignment
begins with it."""

_INTERVALS = 2 * MAX_INTERVAL + 1
_RATIOS = 2 * MAX_RATIO + 1
_PAD = _INTERVALS
_FLOOR = -100
_NOWHERE, _NEVER = 127, 126
"""Sums that equal none of the query's, and none of a reference's."""


@dataclass(frozen=True, eq=False)
class Lanes:
    """References of like length side by side, in blocks of `LANES`.

    Attributes
    ----------
    order : ndarray of int64, shape (blocks * LANES,)
        Which melody is in which lane; -1 in lanes that are left over.
    begin : ndarray of int64, shape (blocks + 1,)
        First row of each block.
    interval, ratio : ndarray of uint8, shape (rows, LANES)
        Symbols, one row a place in the melodies.
    """

    order: NDArray[np.int64]
    begin: NDArray[np.int64]
    interval: NDArray[np.uint8]
    ratio: NDArray[np.uint8]


def lay_in_lanes(corpus: Corpus) -> Lanes:
    """Sort references by length and put them side by side.

    Parameters
    ----------
    corpus : Corpus

    Returns
    -------
    Lanes
    """
    lengths = np.maximum(corpus.lengths - 1, 0)
    blocks = -(-len(lengths) // LANES)
    order = np.full(blocks * LANES, -1, np.int64)
    order[: len(lengths)] = np.argsort(lengths, kind="stable")
    heights = [int(lengths[block[block >= 0]].max(initial=0)) for block in order.reshape(blocks, LANES)]
    begin = np.concatenate([[0], np.cumsum(heights)]).astype(np.int64)
    interval = np.full((begin[-1], LANES), _PAD, np.uint8)
    ratio = np.full((begin[-1], LANES), MAX_RATIO, np.uint8)
    for place, melody in enumerate(order):
        if melody >= 0:
            rows = slice(begin[place // LANES], begin[place // LANES] + lengths[melody])
            notes = slice(corpus.start[melody], corpus.start[melody] + lengths[melody])
            interval[rows, place % LANES] = corpus.interval[notes].astype(np.int16) + MAX_INTERVAL
            ratio[rows, place % LANES] = corpus.ratio[notes] + MAX_RATIO
    return Lanes(order, begin, interval, ratio)


def interval_scores() -> NDArray[np.int8]:
    """Score of each query interval against each reference interval (last column: padding)."""
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
    """Score of each query ratio against each reference ratio."""
    far = len(RATIO_SCORES) - 1
    distance = np.abs(np.subtract.outer(np.arange(_RATIOS), np.arange(_RATIOS)))
    return np.array(RATIO_SCORES, np.int8)[np.minimum(distance, far)]


@njit(nogil=True, cache=True)
def _scan_block(  # pragma: no cover
    query_interval,
    query_ratio,
    query_step,
    query_step2,
    interval,
    ratio,
    interval_table,
    ratio_table,
    gap_open,
    gap_extend,
    changed,
    added,
    ceiling,
    best,
):
    """Best local score of the query in each lane of one block.

    Scores of the present row of the reference and of the two before it, in turn; two rows of zeros
    before the query's first note.
    """
    notes, lanes = query_interval.shape[0], interval.shape[1]
    zero = np.int8(0)
    score = np.zeros((3, notes + 2, lanes), np.int8)
    left = np.full((notes, lanes), _FLOOR, np.int8)
    by_interval = np.empty((interval_table.shape[0], lanes), np.int8)
    by_ratio = np.empty((ratio_table.shape[0], lanes), np.int8)
    up = np.empty(lanes, np.int8)
    # The reference's interval in semitones, and its sum with the one before.
    one, two = np.full(lanes, _NOWHERE, np.int8), np.full(lanes, _NOWHERE, np.int8)
    for row in range(interval.shape[0]):
        for a in range(interval_table.shape[0]):
            table, profile = interval_table[a], by_interval[a]
            for lane in range(lanes):
                profile[lane] = table[interval[row, lane]]
        for b in range(ratio_table.shape[0]):
            table, profile = ratio_table[b], by_ratio[b]
            for lane in range(lanes):
                profile[lane] = table[ratio[row, lane]]
        now, before, earlier = score[row % 3], score[(row + 2) % 3], score[(row + 1) % 3]
        for lane in range(lanes):
            symbol = interval[row, lane]
            step = np.int8(symbol) - np.int8(MAX_INTERVAL)
            two[lane] = one[lane] + step if row > 0 and symbol != _PAD else _NOWHERE
            one[lane] = step if symbol != _PAD else _NOWHERE
        up[:] = _FLOOR
        for i in range(notes):
            here, from_left = now[i + 2], left[i]
            pitch_score, time_score = by_interval[query_interval[i]], by_ratio[query_ratio[i]]
            by_one, by_two = query_step[i], query_step2[i]
            # Query over one note or two, reference over one or two.
            from11, from21, from12, from22 = before[i + 1], before[i], earlier[i + 1], earlier[i]
            for lane in range(lanes):
                value = np.int8(from11[lane] + np.int8(pitch_score[lane] + time_score[lane]))
                kept = np.int8(from22[lane] + changed) if two[lane] == by_two else zero
                more = np.int8(from21[lane] + added) if one[lane] == by_two else zero
                less = np.int8(from12[lane] + added) if two[lane] == by_one else zero
                value = max(max(value, kept), max(more, less))
                gap_left, gap_up = from_left[lane], up[lane]
                value = min(max(max(value, gap_left), gap_up), ceiling)
                here[lane] = value
                opened = np.int8(value - gap_open)
                from_left[lane] = max(np.int8(gap_left - gap_extend), opened)
                up[lane] = max(np.int8(gap_up - gap_extend), opened)
                best[lane] = max(best[lane], value)


def scan(query: Sequence, lanes: Lanes, melodies: int, threads: int = 1) -> NDArray[np.int8]:
    """Score a query against every reference.

    Parameters
    ----------
    query : Sequence
    lanes : Lanes
        Of the references.
    melodies : int
        Number of references.
    threads : int, optional
        Threads to use.

    Returns
    -------
    ndarray of int8, shape (melodies,)
        Best local score against each, 0..`CEILING`.
    """
    scores = np.zeros(melodies, np.int8)
    if len(query) < 2 or not melodies:
        return scores
    tables = interval_scores(), ratio_scores()
    query_interval = (query.interval.astype(np.int16) + MAX_INTERVAL).astype(np.uint8)
    query_ratio = (query.ratio + MAX_RATIO).astype(np.uint8)
    query_step2 = np.full(len(query.interval), _NEVER, np.int8)
    query_step2[1:] = query.interval[1:] + query.interval[:-1]

    def work(blocks: NDArray[np.int64]) -> NDArray[np.int8]:
        best = np.zeros((len(blocks), LANES), np.int8)
        for row, block in enumerate(blocks):
            rows = slice(lanes.begin[block], lanes.begin[block + 1])
            _scan_block(
                query_interval,
                query_ratio,
                query.interval,
                query_step2,
                lanes.interval[rows],
                lanes.ratio[rows],
                *tables,
                np.int8(GAP_OPEN),
                np.int8(GAP_EXTEND),
                np.int8(CHANGED),
                np.int8(ADDED),
                np.int8(CEILING),
                best[row],
            )
        return best

    found = in_threads(work, np.arange(len(lanes.begin) - 1), threads).reshape(-1)
    used = lanes.order >= 0
    scores[lanes.order[used]] = found[used]
    return scores
