"""The kernels of `melodysim.align.salience_dtw`, which explains the method.

In a module of their own, because importing numba takes longer than a check of notes, and only
recordings need them.
"""

from __future__ import annotations

import numpy as np
from numba import njit

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
def _advance(e0, e1, e2, e3, total, before, skip, unusual, next_entry, out, free):  # pragma: no cover
    """Advance by one reference note at all times and transpositions; return the best score.

    `free` is the score less what the next note costs to enter: its cumulative evidence, so that adding
    that at a later time leaves the evidence in between, less the evidence that it begins here.
    """
    best = np.int16(0)
    for x in range(out.shape[0]):
        hurried = np.int16(max(e0[x], e3[x]) - unusual)
        entered = max(hurried, max(e1[x], e2[x]))
        sung = np.int16(entered + total[x])
        passed = np.int16(before[x] - skip)
        value = max(max(sung, passed), np.int16(0))
        out[x] = value
        free[x] = np.int16(value - next_entry[x])
        best = max(best, value)
    return best


@njit(nogil=True, cache=True)
def weighted_rows(row, nominal, rows, longer):  # pragma: no cover
    """Return the row of each note: rows for longer notes stand after those for shorter ones."""
    weighted = np.empty(row.shape[0], np.int64)
    for j in range(row.shape[0]):
        level = 0
        for length in longer:
            level += nominal[j] > length
        weighted[j] = row[j] + rows * level
    return weighted


@njit(nogil=True, cache=True)
def listen(block, entry, pad, lanes, row, nominal, rules, score, free, locate):  # pragma: no cover
    """Return score, last note and place of the best local alignment of one reference at one tempo.

    `block` holds a row of cumulative evidence for each pitch of a reference, `lanes` transpositions at
    each time, `entry` the same less the evidence that a note begins; `row` is the row of each note. The
    place is found only with `locate`: to search for it at every new best score takes longer than all
    the rest. `score` and `free` are [2, entries]: before and after the current note, in turn.
    """
    shortest, longest, skip, unusual = rules
    size = score.shape[1] - pad
    score[:, :pad] = _OUTSIDE
    free[:, :pad] = _OUTSIDE
    score[0, pad:] = 0
    first = entry[row[0]]
    for x in range(pad, first.shape[0]):
        free[0, x] = -first[x]
    best, last, place = np.int16(0), 0, 0
    for j in range(row.shape[0]):
        total = block[row[j]]
        next_entry = entry[row[min(j + 1, row.shape[0] - 1)]]
        a, b, c, d, usual = _lengths(nominal[j], shortest, longest)
        now, after = free[j % 2], free[(j + 1) % 2]
        reached = _advance(
            now[pad - a * lanes : pad - a * lanes + size],
            now[pad - b * lanes : pad - b * lanes + size],
            now[pad - c * lanes : pad - c * lanes + size],
            now[pad - d * lanes : pad - d * lanes + size],
            total[pad:],
            score[j % 2][pad - usual * lanes : pad - usual * lanes + size],
            skip,
            unusual,
            next_entry[pad:],
            score[(j + 1) % 2][pad:],
            after[pad:],
        )
        if reached > best:
            best, last = reached, j
            for x in range(size if locate else 0):
                if score[(j + 1) % 2, pad + x] == reached:
                    place = x
                    break
    return best, last, place


@njit(nogil=True, cache=True)
def _listen_at(  # pragma: no cover
    stretch, block, entry, pad, lanes, row, rows, gap, cap, longer, rules, score, free, locate
):
    """Listen for one reference, whose notes last `stretch` times their inter-onset intervals."""
    nominal = np.minimum(gap * stretch, cap)
    weighted = weighted_rows(row, nominal, rows, longer)
    return listen(block, entry, pad, lanes, weighted, nominal, rules, score, free, locate)


@njit(nogil=True, cache=True)
def listen_many(  # pragma: no cover
    block, entry, pad, lanes, row, rows, gap, start, melodies, median, tempi, cap, longer, rules, out
):
    """Fill `out` [melodies, 2] with the score and tempo index of each best alignment."""
    size = block.shape[1]
    score = np.empty((2, size), np.int16)
    free = np.empty((2, size), np.int16)
    for k in range(melodies.shape[0]):
        m = melodies[k]
        mine = slice(start[m], start[m + 1])
        for tempo in range(tempi.shape[0]):
            best, _, _ = _listen_at(
                tempi[tempo] / median[m], block, entry, pad, lanes,
                row[mine], rows, gap[mine], cap, longer, rules, score, free, False,
            )  # fmt: skip
            if best > out[k, 0]:
                out[k, 0], out[k, 1] = best, tempo


@njit(nogil=True, cache=True)
def transpositions(  # pragma: no cover
    block, entry, pad, lanes, row, rows, gap, start, melodies, median, tempi, cap, longer, rules, out
):
    """Fill `out` [melodies] with the lane of each best alignment, each at a tempo of its own."""
    size = block.shape[1]
    score = np.empty((2, size), np.int16)
    free = np.empty((2, size), np.int16)
    for k in range(melodies.shape[0]):
        m = melodies[k]
        mine = slice(start[m], start[m + 1])
        _, _, place = _listen_at(
            tempi[k] / median[m], block, entry, pad, lanes,
            row[mine], rows, gap[mine], cap, longer, rules, score, free, True,
        )  # fmt: skip
        out[k] = place % lanes


@njit(nogil=True, cache=True)
def trace(block, entry, pad, lanes, row, nominal, rules, steps, lane, last):  # pragma: no cover
    """Return moves [notes + 1, steps + 1] of one transposition: 0 none, +d heard, -d passed over."""
    shortest, longest, skip, unusual = rules
    notes = last + 1
    score = np.zeros((notes + 1, steps + 1), np.int32)
    move = np.zeros((notes + 1, steps + 1), np.int16)
    for j in range(notes):
        total, before = block[row[j]], entry[row[j]]
        a, b, c, d, usual = _lengths(nominal[j], shortest, longest)
        for t in range(steps + 1):
            best, how = 0, 0
            for length in (a, b, c, d):
                if length <= t:
                    here = total[pad + t * lanes + lane] - before[pad + (t - length) * lanes + lane]
                    value = score[j, t - length] + here
                    if (length == a and a != b) or (length == d and d != c):
                        value -= unusual
                    if value > best:
                        best, how = value, length
            if usual <= t:
                value = score[j, t - usual] - skip
                if value > best:
                    best, how = value, -usual
            score[j + 1, t] = best
            move[j + 1, t] = how
    return move
