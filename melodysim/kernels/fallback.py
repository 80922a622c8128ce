"""The kernels in numba, used where the compiled ones are missing: same functions, same results.

`melodysim.align.prefilter` and `melodysim.align.dtw` explain the methods; the functions here take and
fill the arrays that those of `melodysim.kernels._native` do (docstrings: ``help(_native)``).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from melodysim.kernels import DISPLACEMENT_REACH, FURTHEST
from melodysim.kernels.numba_path import pitch_path
from melodysim.kernels.numba_salience import first_look, listen_many, transpositions

__all__ = [
    "align_path", "align_scores", "first_look", "listen_many", "pitch_path", "scan", "transpositions",
]  # fmt: skip

_CEILING = 115
"""Scores saturate here, because int8 wraps at 127; the compiled kernels saturate at 127. The caller
cuts both to `melodysim.align.prefilter.CEILING`."""
_FLOOR = -100
_NOWHERE = 127
"""A sum of two intervals that equals none of the query's."""
_NEVER = 9999
_SLACK = np.float32(0.01)
"""Bits by which what a move can lead to at most may seem less than it is, as sums are rounded."""
_WIDTH = 2 * DISPLACEMENT_REACH + 1


@njit(nogil=True, cache=True)
def _scan_block(  # pragma: no cover
    pair,
    pair_interval,
    pair_ratio,
    interval_table,
    ratio_table,
    step,
    step2,
    interval,
    ratio,
    gap_open,
    gap_extend,
    moved,
    padding,
    middle,
    best,
):
    """Fill `best` with the best local score of the query in each lane of one block.

    `score` holds the current row of the reference and the two before it, in turn, with two rows of
    zeros before the query's first note. Every intermediate is cast back to int8, or LLVM widens the
    loop and loses its speed.
    """
    notes, lanes = pair.shape[0], interval.shape[1]
    zero, ceiling = np.int8(0), np.int8(_CEILING)
    score = np.zeros((3, notes + 2, lanes), np.int8)
    left = np.full((notes, lanes), _FLOOR, np.int8)
    profile = np.empty((pair_interval.shape[0], lanes), np.int8)
    up = np.empty(lanes, np.int8)
    # The reference's interval in semitones, and its sum with the one before.
    one, two = np.full(lanes, _NOWHERE, np.int8), np.full(lanes, _NOWHERE, np.int8)
    for row in range(interval.shape[0]):
        for k in range(profile.shape[0]):
            by_interval, by_ratio = interval_table[pair_interval[k]], ratio_table[pair_ratio[k]]
            for lane in range(lanes):
                here = by_interval[interval[row, lane] & 63]  # never past the table's 64 entries
                profile[k, lane] = here + by_ratio[ratio[row, lane] & 63]
        now, before, earlier = score[row % 3], score[(row + 2) % 3], score[(row + 1) % 3]
        for lane in range(lanes):
            symbol = interval[row, lane]
            here = np.int8(symbol) - np.int8(middle)
            two[lane] = one[lane] + here if row > 0 and symbol != padding else _NOWHERE
            one[lane] = here if symbol != padding else _NOWHERE
        up[:] = _FLOOR
        for i in range(notes):
            here, from_left, scores = now[i + 2], left[i], profile[pair[i]]
            by_one, by_two = step[i], step2[i]
            # Query over one note or two, reference over one or two.
            from11, from21, from12, from22 = before[i + 1], before[i], earlier[i + 1], earlier[i]
            for lane in range(lanes):
                value = np.int8(from11[lane] + scores[lane])
                kept = from22[lane] if two[lane] == by_two else zero
                more = from21[lane] if one[lane] == by_two else zero
                less = from12[lane] if two[lane] == by_one else zero
                kept = np.int8(max(max(kept, more), less) - moved)
                value = max(max(value, kept), zero)
                gap_left, gap_up = from_left[lane], up[lane]
                value = min(max(max(value, gap_left), gap_up), ceiling)
                here[lane] = value
                opened = np.int8(value - gap_open)
                from_left[lane] = max(np.int8(gap_left - gap_extend), opened)
                up[lane] = max(np.int8(gap_up - gap_extend), opened)
                best[lane] = max(best[lane], value)


def scan(*arrays) -> None:
    """Run the first pass over blocks of references side by side; fill `best`."""
    *query, interval, ratio, begin, blocks, best, _, costs = arrays
    pair, pair_interval, pair_ratio, interval_table, ratio_table, step, step2 = query
    tables = (interval_table.view(np.int8), ratio_table.view(np.int8))
    rules = (*(np.int8(cost) for cost in costs[:3]), *costs[3:])
    for row, block in enumerate(blocks):
        rows = slice(begin[block], begin[block + 1])
        places = (step, step2, interval[rows], ratio[rows], *rules, best[row].view(np.int8))
        _scan_block(*(pair, pair_interval, pair_ratio, *tables, *places))


@njit(nogil=True, cache=True)
def _steps(reference, step, repeats):  # pragma: no cover
    """Fill `step` [a, j] with semitones from note j - a to note j, `repeats` with repeated notes."""
    for j in range(reference.shape[0]):
        for a in range(1, FURTHEST + 1):
            step[a, j] = reference[j] - reference[j - a] if j >= a else _NEVER
        repeats[j] = j > 1 and (
            reference[j - 1] == reference[j] or reference[j - 1] == reference[j - 2]
        )


@njit(inline="always")
def _reach(step):  # pragma: no cover
    """Return the column of `Rarity.displacement` for a step in semitones."""
    return min(max(step + DISPLACEMENT_REACH, 0), _WIDTH - 1)


@njit(inline="always")
def _followed(before, tempo, earned, gain, lag, rules):  # pragma: no cover
    """Return score and tempo after a move from an aligned pair of notes."""
    slope, loss, drift = rules
    one = np.float32(1)
    away = lag - tempo
    earned += max(gain - slope * abs(away), -loss)
    return before + earned, tempo + drift * min(max(away, -one), one)


@njit(inline="always")
def _take(found, move, before, tempo, worth, fresh, gain, lag, rules):  # pragma: no cover
    """Return the better of `found` and a move from an aligned pair of notes."""
    earned = min(worth, fresh * worth)
    if before > 0 and before + earned + gain + _SLACK > found[0]:
        total, follows = _followed(before, tempo, earned, gain, lag, rules)
        if total > found[0]:
            return total, follows, move
    return found


@njit(nogil=True, cache=True)
def _align(  # noqa: C901 - as functions of their own the moves take up to 27 times as long  # pragma: no cover
    query,
    query_gap,
    query_bits,
    query_fresh,
    reference,
    reference_gap,
    surprisal,
    timing,
    reference_fresh,
    displacement,
    moves,
    costs,
    score,
    tempo,
    move,
    rows,
):
    """Fill `score`, `tempo` and `move`; return the best score and its pair of notes.

    Row i of `score` and `tempo` is at ``i & rows``: -1 keeps them all, 3 only as many as a move reaches
    back. Column j is at j + 3, behind three columns of zeros, so that no index is below 0; unsigned
    indices let the compiler rely on it. The nine moves are written out, since a loop over them takes
    twice the time. The move over one interval of each melody comes first: only it may begin an
    alignment or change the transposition. `move` is filled if it has a row for each note.
    """
    repetition, octave, mistuned, different = costs[0], costs[1], costs[2], costs[3]
    share, rules, same_note = costs[4], (costs[5], costs[6], costs[7]), costs[8]
    n, m = query.shape[0], reference.shape[0]
    zero = np.float32(0)
    first, second, third = np.uintp(1), np.uintp(2), np.uintp(3)
    best, best_i, best_j = zero, 0, 0
    keep_moves = move.shape[0] == n
    score[:, : m + 3] = 0
    step = np.empty((FURTHEST + 1, m), np.int32)
    repeats = np.empty(m, np.bool_)
    _steps(reference, step, repeats)
    step_1, step_2, step_3 = step[1], step[2], step[3]
    gap_1, gap_2, gap_3 = reference_gap[1], reference_gap[2], reference_gap[3]
    for i in range(1, n):
        by_1 = np.int32(query[i] - query[i - 1])
        by_2 = np.int32(query[i] - query[i - 2] if i > 1 else -_NEVER)
        by_3 = np.int32(query[i] - query[i - 3] if i > 2 else -_NEVER)
        query_repeats = i > 1 and (query[i - 1] == query[i] or query[i - 1] == query[i - 2])
        row, row_1, row_2, row_3 = (
            score[i & rows],
            score[(i - 1) & rows],
            score[(i - 2) & rows],
            score[(i - 3) & rows],
        )
        now, tempo_1, tempo_2, tempo_3 = (
            tempo[i & rows],
            tempo[(i - 1) & rows],
            tempo[(i - 2) & rows],
            tempo[(i - 3) & rows],
        )
        lag_1, lag_2, lag_3 = query_gap[1, i], query_gap[2, i], query_gap[3, i]
        bits, kept = query_bits[i], moves[1, 1] if by_1 != 0 else same_note
        for j in range(first, np.uintp(m)):
            at_1, at_2, at_3 = j + second, j + first, j  # where notes j - 1, j - 2 and j - 3 are
            top, top_tempo, top_move = zero, zero, 0
            said = min(surprisal[j], bits)
            fresh = max(reference_fresh[j], query_fresh[i])
            gain = fresh * (share * timing[j])
            before, earned, allowed = row_1[at_1], different, True
            to_1, to_2, to_3 = step_1[j], step_2[j], step_3[j]
            off = by_1 - to_1
            if off == 0:
                earned = said + kept
                earned = min(earned, fresh * earned)
            elif before <= zero:
                allowed = False
            elif off == 12 or off == -12:
                earned = said + octave
            elif (off == 1 or off == -1) and by_1 != 0 and to_1 != 0 and (by_1 > 0) == (to_1 > 0):
                earned = mistuned
            if allowed and before + earned + gain + _SLACK > zero:
                faster = lag_1 - gap_1[j]
                total, follows = before + earned, faster
                if before > zero:
                    total, follows = _followed(before, tempo_1[at_1], earned, gain, faster, rules)
                if total > top:
                    top, top_tempo, top_move = total, follows, 5
            found = top, top_tempo, top_move
            if by_1 == to_2:
                worth = displacement[2, _reach(to_2)] + moves[1, 2]
                if repeats[j]:
                    worth = displacement[1, _reach(to_2)] + repetition
                found = _take(
                    found, 6, row_1[at_2], tempo_1[at_2], worth, fresh, gain, lag_1 - gap_2[j], rules
                )
            if by_1 == to_3:
                worth = displacement[3, _reach(to_3)] + moves[1, 3]
                found = _take(
                    found, 7, row_1[at_3], tempo_1[at_3], worth, fresh, gain, lag_1 - gap_3[j], rules
                )
            if by_2 == to_1:
                worth = said + repetition
                if not query_repeats:
                    worth = displacement[1, _reach(to_1)] + moves[2, 1]
                found = _take(
                    found, 9, row_2[at_1], tempo_2[at_1], worth, fresh, gain, lag_2 - gap_1[j], rules
                )
            if by_2 == to_2:
                worth = displacement[2, _reach(to_2)] + moves[2, 2]
                found = _take(
                    found, 10, row_2[at_2], tempo_2[at_2], worth, fresh, gain, lag_2 - gap_2[j], rules
                )
            if by_2 == to_3:
                worth = displacement[3, _reach(to_3)] + moves[2, 3]
                found = _take(
                    found, 11, row_2[at_3], tempo_2[at_3], worth, fresh, gain, lag_2 - gap_3[j], rules
                )
            if by_3 == to_1:
                worth = displacement[1, _reach(to_1)] + moves[3, 1]
                found = _take(
                    found, 13, row_3[at_1], tempo_3[at_1], worth, fresh, gain, lag_3 - gap_1[j], rules
                )
            if by_3 == to_2:
                worth = displacement[2, _reach(to_2)] + moves[3, 2]
                found = _take(
                    found, 14, row_3[at_2], tempo_3[at_2], worth, fresh, gain, lag_3 - gap_2[j], rules
                )
            if by_3 == to_3:
                worth = displacement[3, _reach(to_3)] + moves[3, 3]
                found = _take(
                    found, 15, row_3[at_3], tempo_3[at_3], worth, fresh, gain, lag_3 - gap_3[j], rules
                )
            top, top_tempo, top_move = found
            row[j + third] = top
            now[j + third] = top_tempo
            if keep_moves:
                move[i, j] = top_move
            if top > best:
                best, best_i, best_j = top, i, np.int64(j)
    return best, best_i, best_j


@njit(nogil=True, cache=True)
def align_scores(  # pragma: no cover
    query,
    query_gap,
    query_bits,
    query_fresh,
    pitch,
    gap,
    surprisal,
    timing,
    fresh,
    displacement,
    moves,
    costs,
    start,
    melodies,
    out,
):
    """Run the second pass on some references; fill `out` with their best scores."""
    longest = 0
    for k in melodies:
        longest = max(longest, start[k + 1] - start[k])
    score = np.empty((FURTHEST + 1, longest + 3), np.float32)
    tempo = np.empty((FURTHEST + 1, longest + 3), np.float32)
    none = np.empty((0, 0), np.int8)
    for k in range(melodies.shape[0]):
        lo, hi = start[melodies[k]], start[melodies[k] + 1]
        out[k] = _align(
            query,
            query_gap,
            query_bits,
            query_fresh,
            pitch[lo:hi],
            gap[:, lo:hi],
            surprisal[lo:hi],
            timing[lo:hi],
            fresh[lo:hi],
            displacement,
            moves,
            costs,
            score,
            tempo,
            none,
            FURTHEST,
        )[0]


def align_path(*arrays) -> tuple[float, int, int]:
    """Run the second pass on the reference at low:high; fill `move`, return score and last pair."""
    *query, pitch, gap, surprisal, timing, fresh, displacement, moves, costs, low, high, move = arrays
    here = slice(low, high)
    reference = (pitch[here], gap[:, here], surprisal[here], timing[here], fresh[here])
    rows = np.zeros((2, len(query[0]), high - low + 3), np.float32)
    best, i, j = _align(*(*query, *reference, displacement, moves, costs, *rows, move, -1))
    return float(best), int(i), int(j)
