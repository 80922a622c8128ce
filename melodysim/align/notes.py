"""Second pass: a melody against a reference, note by note, with the path.

Local dynamic time warping over intervals. A move leads from one pair of aligned notes to the next,
over one to three notes of either melody, and keeps the transposition if both melodies have moved by
the same number of semitones. So one changed note costs one move over two intervals with the same
sum, not two broken intervals; an ornament or a left-out note is a move of two intervals against one.
Mongeau & Sankoff (1990) call these fragmentation and consolidation.

The score is a sum of bits: what a note says (`melodysim.rarity`; in the reference or in the query,
whichever is less), less what the move costs. The timing is compared with the tempo ratio that the
alignment has followed so far, which may drift: a lengthened note breaks one comparison, not two.

Conventions: query note i against reference note j; `path` holds the pairs at which a move ends, and
the pair at which the alignment begins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from melodysim.align.corpus import Corpus, in_threads
from melodysim.rarity import own_surprisal
from melodysim.sequence import Sequence

# Bits. Learnt by coordinate ascent (docs/how-it-works.md) from passages of pop songs hidden, with 15
# and 30 % of their notes changed, in other songs: the share of them that stands out from what the same
# number of unrelated songs shows by chance. Folk variants, not used for it, confirmed the direction.
MATCH = 0.0
"""The same interval: added to what the note says."""
SUBSTITUTED = -4.0
"""Two intervals against two of the same sum: one note changed."""
ORNAMENT = -3.5
"""Two intervals against one of the same sum: one note more or less."""
REPETITION = -1.0
"""The same, where the note more is a repeated one: a syllable more or less."""
LONGER_MOVES = ((-6.0, 1, 3), (-6.0, 3, 1), (-6.5, 2, 3), (-6.5, 3, 2), (-6.0, 3, 3))
"""Cost, notes of the query, notes of the reference."""
OCTAVE = -3.0
"""The same interval but for an octave."""
MISTUNED = -3.0
"""A semitone off in the same direction; nothing is earned."""
DIFFERENT = -6.0
"""Any other interval: the transposition changes."""
TIMING_SHARE, TIMING_SLOPE, TIMING_LOSS = 0.4, 5.0, 4.5
"""Share of the timing's surprisal that is earned where it is as expected; bits lost per octave of
deviation; most bits lost."""
TEMPO_DRIFT = 0.3
"""Share of a deviation that the tempo ratio follows."""
_FURTHEST = 3
_NEVER = 9999


def _move_costs() -> NDArray[np.float32]:
    costs = np.full((_FURTHEST + 1, _FURTHEST + 1), -9.0, np.float32)
    costs[1, 1], costs[2, 2], costs[1, 2], costs[2, 1] = MATCH, SUBSTITUTED, ORNAMENT, ORNAMENT
    for cost, a, b in LONGER_MOVES:
        costs[a, b] = cost
    return costs


_MOVE_COSTS = _move_costs()
_COSTS = np.array(
    [REPETITION, OCTAVE, MISTUNED, DIFFERENT, TIMING_SHARE, TIMING_SLOPE, TIMING_LOSS, TEMPO_DRIFT],
    np.float32,
)
_PITCH_ONLY_COSTS = np.where(np.isin(np.arange(len(_COSTS)), (4, 5, 6)), 0, _COSTS).astype(np.float32)
"""The same, with nothing earned or lost by timing."""


@dataclass(frozen=True, eq=False)
class NoteAlignment:
    """A passage of a query that follows a passage of a reference.

    Attributes
    ----------
    score : float
        Bits.
    path : ndarray of int64, shape (k, 2)
        Pairs of query note and reference note, both strictly increasing.
    """

    score: float
    path: NDArray[np.int64]


@njit(nogil=True, cache=True)
def _log_gaps(time):  # pragma: no cover
    """log2 of the time from note i - a to note i, at [a, i]."""
    out = np.zeros((4, time.shape[0]), np.float32)
    for a in range(1, 4):
        for i in range(a, time.shape[0]):
            out[a, i] = np.log2(time[i] - time[i - a])
    return out


@njit(nogil=True, cache=True)
def _steps(reference, step, repeats):  # pragma: no cover
    """Fill in the semitones to note j from note j - a, at [a, j], and whether it repeats a note."""
    for j in range(reference.shape[0]):
        for a in range(1, _FURTHEST + 1):
            step[a, j] = reference[j] - reference[j - a] if j >= a else _NEVER
        repeats[j] = j > 1 and (
            reference[j - 1] == reference[j] or reference[j - 1] == reference[j - 2]
        )


@njit(inline="always")
def _reach(step):  # pragma: no cover
    """Column of `Corpus.displacement` for a step of so many semitones."""
    return min(max(step + 36, 0), 72)


@njit(inline="always")
def _followed(before, tempo, earned, gain, lag, slope, loss, drift):  # pragma: no cover
    """Score and tempo after a move from a pair of notes that belongs to an alignment."""
    one = np.float32(1)
    away = lag - tempo
    earned += max(gain - slope * abs(away), -loss)
    return before + earned, tempo + drift * min(max(away, -one), one)


@njit(nogil=True, cache=True)
def _align(  # pragma: no cover
    query,
    query_gap,
    query_bits,
    reference,
    reference_gap,
    surprisal,
    timing,
    displacement,
    moves,
    costs,
    score,
    tempo,
    move,
    rows,
):
    """Fill score, tempo (and move); give the best score and where it is.

    Row i of `score` and `tempo` is at ``i & rows``: -1 keeps them all, 3 only as many as a move reaches
    back. Column j is at j + 3, behind three of nothing, so that no index is ever below 0; unsigned
    indices tell the compiler so. The nine moves are written out, since a loop over them takes twice the
    time; the one over one interval of each melody stands first: it is the only one that may begin an
    alignment or change the transposition. `move` is filled if it has a row for each note.
    """
    repetition, octave, mistuned, different = costs[0], costs[1], costs[2], costs[3]
    share, slope, loss, drift = costs[4], costs[5], costs[6], costs[7]
    n, m = query.shape[0], reference.shape[0]
    zero = np.float32(0)
    first, second, third = np.uintp(1), np.uintp(2), np.uintp(3)
    best, best_i, best_j = zero, 0, 0
    keep_moves = move.shape[0] == n
    score[:, : m + 3] = 0
    step = np.empty((_FURTHEST + 1, m), np.int32)
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
        bits = query_bits[i]
        for j in range(first, np.uintp(m)):
            at_1, at_2, at_3 = j + second, j + first, j  # where notes j - 1, j - 2 and j - 3 are
            top, top_tempo, top_move = zero, zero, 0
            said = min(surprisal[j], bits)
            gain = share * timing[j]
            before, earned, allowed = row_1[at_1], different, True
            to_1, to_2, to_3 = step_1[j], step_2[j], step_3[j]
            off = by_1 - to_1
            if off == 0:
                earned = said + moves[1, 1]
            elif before <= zero:
                allowed = False
            elif off == 12 or off == -12:
                earned = said + octave
            elif (off == 1 or off == -1) and by_1 * to_1 > 0:
                earned = mistuned
            if allowed and before + earned + gain > zero:
                faster = lag_1 - gap_1[j]
                total, follows = before + earned, faster
                if before > zero:
                    total, follows = _followed(
                        before, tempo_1[at_1], earned, gain, faster, slope, loss, drift
                    )
                if total > top:
                    top, top_tempo, top_move = total, follows, 5
            before = row_1[at_2]
            if by_1 == to_2 and before > zero:
                if repeats[j]:
                    earned = displacement[1, _reach(to_2)] + repetition
                else:
                    earned = displacement[2, _reach(to_2)] + moves[1, 2]
                if before + earned + gain > top:
                    total, follows = _followed(
                        before, tempo_1[at_2], earned, gain, lag_1 - gap_2[j], slope, loss, drift
                    )
                    if total > top:
                        top, top_tempo, top_move = total, follows, 6
            before = row_1[at_3]
            if by_1 == to_3 and before > zero:
                earned = displacement[3, _reach(to_3)] + moves[1, 3]
                if before + earned + gain > top:
                    total, follows = _followed(
                        before, tempo_1[at_3], earned, gain, lag_1 - gap_3[j], slope, loss, drift
                    )
                    if total > top:
                        top, top_tempo, top_move = total, follows, 7
            before = row_2[at_1]
            if by_2 == to_1 and before > zero:
                if query_repeats:
                    earned = said + repetition
                else:
                    earned = displacement[1, _reach(to_1)] + moves[2, 1]
                if before + earned + gain > top:
                    total, follows = _followed(
                        before, tempo_2[at_1], earned, gain, lag_2 - gap_1[j], slope, loss, drift
                    )
                    if total > top:
                        top, top_tempo, top_move = total, follows, 9
            before = row_2[at_2]
            if by_2 == to_2 and before > zero:
                earned = displacement[2, _reach(to_2)] + moves[2, 2]
                if before + earned + gain > top:
                    total, follows = _followed(
                        before, tempo_2[at_2], earned, gain, lag_2 - gap_2[j], slope, loss, drift
                    )
                    if total > top:
                        top, top_tempo, top_move = total, follows, 10
            before = row_2[at_3]
            if by_2 == to_3 and before > zero:
                earned = displacement[3, _reach(to_3)] + moves[2, 3]
                if before + earned + gain > top:
                    total, follows = _followed(
                        before, tempo_2[at_3], earned, gain, lag_2 - gap_3[j], slope, loss, drift
                    )
                    if total > top:
                        top, top_tempo, top_move = total, follows, 11
            before = row_3[at_1]
            if by_3 == to_1 and before > zero:
                earned = displacement[1, _reach(to_1)] + moves[3, 1]
                if before + earned + gain > top:
                    total, follows = _followed(
                        before, tempo_3[at_1], earned, gain, lag_3 - gap_1[j], slope, loss, drift
                    )
                    if total > top:
                        top, top_tempo, top_move = total, follows, 13
            before = row_3[at_2]
            if by_3 == to_2 and before > zero:
                earned = displacement[2, _reach(to_2)] + moves[3, 2]
                if before + earned + gain > top:
                    total, follows = _followed(
                        before, tempo_3[at_2], earned, gain, lag_3 - gap_2[j], slope, loss, drift
                    )
                    if total > top:
                        top, top_tempo, top_move = total, follows, 14
            before = row_3[at_3]
            if by_3 == to_3 and before > zero:
                earned = displacement[3, _reach(to_3)] + moves[3, 3]
                if before + earned + gain > top:
                    total, follows = _followed(
                        before, tempo_3[at_3], earned, gain, lag_3 - gap_3[j], slope, loss, drift
                    )
                    if total > top:
                        top, top_tempo, top_move = total, follows, 15
            row[j + third] = top
            now[j + third] = top_tempo
            if keep_moves:
                move[i, j] = top_move
            if top > best:
                best, best_i, best_j = top, i, np.int64(j)
    return best, best_i, best_j


@njit(nogil=True, cache=True)
def _align_many(  # pragma: no cover
    query,
    query_time,
    query_bits,
    pitch,
    time,
    surprisal,
    timing,
    start,
    displacement,
    moves,
    costs,
    melodies,
    out,
):
    longest = 0
    for k in melodies:
        longest = max(longest, start[k + 1] - start[k])
    score = np.empty((_FURTHEST + 1, longest + 3), np.float32)
    tempo = np.empty((_FURTHEST + 1, longest + 3), np.float32)
    none = np.empty((0, 0), np.int8)
    gaps = _log_gaps(query_time)
    for k in range(melodies.shape[0]):
        lo, hi = start[melodies[k]], start[melodies[k] + 1]
        out[k] = _align(
            query,
            gaps,
            query_bits,
            pitch[lo:hi],
            _log_gaps(time[lo:hi]),
            surprisal[lo:hi],
            timing[lo:hi],
            displacement,
            moves,
            costs,
            score,
            tempo,
            none,
            _FURTHEST,
        )[0]


def align_scores(
    query: Sequence,
    corpus: Corpus,
    melodies: NDArray[np.int64],
    threads: int = 1,
    timing: bool = True,
) -> NDArray[np.float32]:
    """Score the best passage of a query in each of some references.

    Parameters
    ----------
    query : Sequence
    corpus : Corpus
    melodies : ndarray of int64, shape (n,)
        Which references.
    threads : int, optional
        Threads to use.
    timing : bool, optional
        Whether timing counts, or pitch alone.

    Returns
    -------
    ndarray of float32, shape (n,)
        Bits, 0 or more.
    """
    if len(query) < 2:
        return np.zeros(len(melodies), np.float32)

    own = own_surprisal(query)
    costs = _COSTS if timing else _PITCH_ONLY_COSTS

    def work(share: NDArray[np.int64]) -> NDArray[np.float32]:
        out = np.zeros(len(share), np.float32)
        _align_many(
            query.pitch,
            query.time,
            own,
            corpus.pitch,
            corpus.time,
            corpus.surprisal,
            corpus.timing,
            corpus.start,
            corpus.displacement,
            _MOVE_COSTS,
            costs,
            share,
            out,
        )
        return out

    return in_threads(work, melodies, threads)


def align_path(query: Sequence, corpus: Corpus, melody: int, timing: bool = True) -> NoteAlignment:
    """Align a query with one reference and say which note went with which.

    Parameters
    ----------
    query : Sequence
    corpus : Corpus
    melody : int
        The reference.
    timing : bool, optional
        As in `align_scores`.

    Returns
    -------
    NoteAlignment
        With the score that `align_scores` gives; an empty path if nothing aligns.
    """
    lo, hi = corpus.start[melody], corpus.start[melody + 1]
    shape = (len(query), int(hi - lo))
    padded = (len(query), int(hi - lo) + 3)
    empty = np.zeros((0, 2), np.int64)
    if min(shape) < 2:
        return NoteAlignment(0.0, empty)
    score, tempo, move = (
        np.zeros(padded, np.float32),
        np.zeros(padded, np.float32),
        np.zeros(shape, np.int8),
    )
    best, i, j = _align(
        query.pitch,
        _log_gaps(query.time),
        own_surprisal(query),
        corpus.pitch[lo:hi],
        _log_gaps(corpus.time[lo:hi]),
        corpus.surprisal[lo:hi],
        corpus.timing[lo:hi],
        corpus.displacement,
        _MOVE_COSTS,
        _COSTS if timing else _PITCH_ONLY_COSTS,
        score,
        tempo,
        move,
        -1,
    )
    pairs = []
    while move[i, j]:
        pairs.append((i, j))
        step = int(move[i, j])
        i, j = i - step // 4, j - step % 4
    if not pairs:
        return NoteAlignment(0.0, empty)
    pairs.append((i, j))
    return NoteAlignment(float(best), np.array(pairs[::-1], np.int64))
