"""The kernels of `melodysim.align.salience_dtw` and `first_look`, which explain the methods.

In a module of their own, because importing numba takes longer than a check of notes.
"""

from __future__ import annotations

import numpy as np
from numba import njit, uint64

_OUTSIDE = -10000


@njit(nogil=True, cache=True)
def _lengths(nominal, shortest, longest):  # pragma: no cover
    """Return four lengths in steps that a note may take, and the nominal length."""
    first = max(1, int(np.floor(nominal * shortest + 0.5)))
    last = max(first, int(np.floor(nominal * longest + 0.5)))
    usual = min(max(1, int(np.floor(nominal + 0.5)), first), last)
    third = last - first
    return first, first + (third + 1) // 3, first + (2 * third + 1) // 3, last, usual


@njit(nogil=True, cache=True)
def _advance(  # pragma: no cover
    now, before, total, next_entry, out, free, backs, usual, pad, skip, unusual
):
    """Advance by one reference note at all times; return the best score.

    `free` is the score less what the next note costs to enter: its cumulative evidence, so that adding
    that at a later time leaves the evidence in between, less the evidence that it begins here. Places
    are unsigned: numba would look at the sign of others, and make no vectors of the loop.
    """
    best = np.int16(0)
    a, b, c, d = (
        uint64(pad - backs[0]), uint64(pad - backs[1]), uint64(pad - backs[2]), uint64(pad - backs[3]),
    )  # fmt: skip
    here, there = uint64(pad), uint64(pad - usual)
    for k in range(uint64(out.shape[0] - pad)):
        x = uint64(k)
        hurried = np.int16(max(now[x + a], now[x + d]) - unusual)
        entered = max(hurried, max(now[x + b], now[x + c]))
        sung = np.int16(entered + total[x + here])
        passed = np.int16(before[x + there] - skip)
        value = max(max(sung, passed), np.int16(0))
        out[x + here] = value
        free[x + here] = np.int16(value - next_entry[x + here])
        best = max(best, value)
    return best


@njit(nogil=True, cache=True)
def _levels_of(nominal, longer):  # pragma: no cover
    """Return the level of evidence of each note: longer ones count for less."""
    levels = np.zeros(nominal.shape[0], np.int64)
    for j in range(nominal.shape[0]):
        for length in longer:
            levels[j] += nominal[j] > length
    return levels


@njit(nogil=True, cache=True)
def _listen_in_lane(block, entry, pad, place, nominal, rules, score, free):  # pragma: no cover
    """Return the score of the best local alignment of a reference in one transposition.

    `block` holds a row of cumulative evidence for each level and pitch, `entry` the same less the
    evidence that a note begins; `place` is the row of each note. `score` and `free` are [2, entries]:
    before and after the current note, in turn.
    """
    shortest, longest, skip, unusual = rules
    score[:, :pad] = _OUTSIDE
    free[:, :pad] = _OUTSIDE
    score[0, pad:] = 0
    first = entry[place[0]]
    for x in range(pad, first.shape[0]):
        free[0, x] = -first[x]
    best = np.int16(0)
    for j in range(place.shape[0]):
        next_entry = entry[place[min(j + 1, place.shape[0] - 1)]]
        a, b, c, d, usual = _lengths(nominal[j], shortest, longest)
        before, after = j % 2, (j + 1) % 2
        reached = _advance(
            free[before], score[before], block[place[j]], next_entry, score[after], free[after],
            (a, b, c, d), usual, pad, skip, unusual,
        )  # fmt: skip
        best = max(best, reached)
    return best


@njit(nogil=True, cache=True)
def _listen_at(  # pragma: no cover
    stretch, block, entry, pad, columns, column, row, gap, cap, longer, rules, score, free
):
    """Listen for one reference, whose notes last `stretch` times their inter-onset intervals.

    Returns its score and transposition, the first of those that score as much.
    """
    nominal = np.minimum(gap * stretch, cap)
    levels = _levels_of(nominal, longer)
    place = np.empty(row.shape[0], np.int64)
    best, best_lane = np.int16(0), 0
    for lane in range(column.shape[1]):
        for j in range(row.shape[0]):
            place[j] = columns * levels[j] + column[row[j], lane]
        reached = _listen_in_lane(block, entry, pad, place, nominal, rules, score, free)
        if reached > best:
            best, best_lane = reached, lane
    return best, best_lane


@njit(nogil=True, cache=True)
def listen_many(  # pragma: no cover
    block, entry, pad, columns, column, lanes, row, gap, start, melodies, median, tempi, cap, longer,
    rules, out
):  # fmt: skip
    """Fill `out` [melodies, 2] with the score and tempo index of each best alignment."""
    size = block.shape[1]
    score = np.empty((2, size), np.int16)
    free = np.empty((2, size), np.int16)
    for k in range(melodies.shape[0]):
        m = melodies[k]
        mine = slice(start[m], start[m + 1])
        for tempo in range(tempi.shape[0] if start[m] < start[m + 1] else 0):
            best, _ = _listen_at(
                tempi[tempo] / median[m], block, entry, pad, columns, column,
                row[mine], gap[mine], cap, longer, rules, score, free,
            )  # fmt: skip
            if best > out[k, 0]:
                out[k, 0], out[k, 1] = best, tempo


@njit(nogil=True, cache=True)
def transpositions(  # pragma: no cover
    block, entry, pad, columns, column, lanes, row, gap, start, melodies, median, tempi, cap, longer,
    rules, out
):  # fmt: skip
    """Fill `out` [melodies] with the lane of each best alignment, each at a tempo of its own."""
    size = block.shape[1]
    score = np.empty((2, size), np.int16)
    free = np.empty((2, size), np.int16)
    for k in range(melodies.shape[0]):
        m = melodies[k]
        mine = slice(start[m], start[m + 1])
        out[k] = 0
        if start[m] < start[m + 1]:
            _, out[k] = _listen_at(
                tempi[k] / median[m], block, entry, pad, columns, column,
                row[mine], gap[mine], cap, longer, rules, score, free,
            )  # fmt: skip


@njit(nogil=True, cache=True)
def _look(before, after, short, usual, long, backs, pad, bias, skip):  # pragma: no cover
    """Advance by one reference note in one transposition; return the best score.

    `short`, `usual` and `long` are what speaks for the note over each length; places are unsigned as in
    `_advance`.
    """
    a, b, c = uint64(pad - backs[0]), uint64(pad - backs[1]), uint64(pad - backs[2])
    here, highest = uint64(pad), np.int16(0)
    for k in range(uint64(usual.shape[0])):
        x = uint64(k)
        going_on = np.int16(before[x + b])
        sung = max(
            max(np.int16(before[x + a] + short[x]), np.int16(before[x + c] + long[x])),
            np.int16(going_on + usual[x]),
        )
        # Sums saturate at 255, as 8 bits do.
        sung = np.int16(min(sung, np.int16(255)) - bias)
        value = max(max(sung, np.int16(going_on - skip)), np.int16(0))
        after[x + here] = value
        highest = max(highest, value)
    return highest


@njit(nogil=True, cache=True)
def _look_at(heard, lengths, symbol, rules, score):  # pragma: no cover
    """Return the best rough score of one reference at one tempo.

    `heard` is in int16 here, and so is `score` [2, pad + width]: numba has no sums that saturate.
    """
    bias, skip = np.int16(rules[0]), np.int16(rules[1])
    pad, highest = heard.shape[0], np.int16(0)
    for lane in range(12):
        score[:] = 0
        for j in range(symbol.shape[0]):
            code, row = symbol[j] // 12, symbol[j] % 12 + lane
            a, b, c = lengths[code, 0], lengths[code, 1], lengths[code, 2]
            reached = _look(
                score[(j + 1) % 2], score[j % 2], heard[a - 1, row], heard[b - 1, row],
                heard[c - 1, row], (a, b, c), pad, bias, skip,
            )  # fmt: skip
            highest = max(highest, reached)
    return highest


@njit(nogil=True, cache=True)
def first_look(  # pragma: no cover
    heard, lengths, length, tempi, rules, symbol, start, low, high, out
):
    """Raise `out` [high - low] to the rough score of each reference where that is higher."""
    wide = heard.astype(np.int16)
    score = np.zeros((2, lengths + heard.shape[2]), np.int16)
    for m in range(low, high):
        for tempo in range(tempi):
            notes = symbol[start[m] : start[m + 1]]
            best = _look_at(wide, length[tempo], notes, rules, score)
            out[m - low] = max(out[m - low], best)
