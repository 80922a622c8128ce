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
    keep_moves,
):
    """Fill score, tempo (and move) [n, m]; give the best score and where it is.

    The move over one interval of each melody stands before the loop over the longer ones: it is the
    only one that may begin an alignment or change the transposition.
    """
    repetition, octave, mistuned, different = costs[0], costs[1], costs[2], costs[3]
    share, slope, loss, drift = costs[4], costs[5], costs[6], costs[7]
    n, m = query.shape[0], reference.shape[0]
    zero, one = np.float32(0), np.float32(1)
    best, best_i, best_j = zero, 0, 0
    score[0, :m] = 0
    score[:n, 0] = 0
    for i in range(1, n):
        by_one = query[i] - query[i - 1]
        by_two = query[i] - query[i - 2] if i > 1 else _NEVER
        by_three = query[i] - query[i - 3] if i > 2 else _NEVER
        query_repeats = i > 1 and (query[i - 1] == query[i] or query[i - 1] == query[i - 2])
        for j in range(1, m):
            top, top_tempo, top_move = zero, zero, 0
            here = reference[j]
            said = min(surprisal[j], query_bits[i])
            gain = share * timing[j]
            before, earned, allowed = score[i - 1, j - 1], different, True
            off = by_one - (here - reference[j - 1])
            if off == 0:
                earned = said + moves[1, 1]
            elif before <= zero:
                allowed = False
            elif off == 12 or off == -12:
                earned = said + octave
            elif (off == 1 or off == -1) and by_one * (here - reference[j - 1]) > 0:
                earned = mistuned
            if allowed and before + earned + gain > zero:
                faster = query_gap[1, i] - reference_gap[1, j]
                follows = faster
                if before > zero:
                    away = faster - tempo[i - 1, j - 1]
                    earned += max(gain - slope * abs(away), -loss)
                    follows = tempo[i - 1, j - 1] + drift * min(max(away, -one), one)
                if before + earned > top:
                    top, top_tempo, top_move = before + earned, follows, 5
            for a in range(1, 4):
                if a > i:
                    break
                query_move = by_one if a == 1 else (by_two if a == 2 else by_three)
                for b in range(1, 4):
                    if b > j:
                        break
                    reference_move = here - reference[j - b]
                    if query_move != reference_move or a + b == 2:
                        continue
                    before = score[i - a, j - b]
                    if before <= zero:
                        continue
                    reach = min(max(reference_move + 36, 0), 72)
                    if a == 2 and b == 1 and query_repeats:
                        earned = said + repetition
                    elif (
                        a == 1
                        and b == 2
                        and (reference[j - 1] == here or reference[j - 1] == reference[j - 2])
                    ):
                        earned = displacement[1, reach] + repetition
                    else:
                        earned = displacement[b, reach] + moves[a, b]
                    if before + earned + gain <= top:
                        continue
                    away = query_gap[a, i] - reference_gap[b, j] - tempo[i - a, j - b]
                    earned += max(gain - slope * abs(away), -loss)
                    if before + earned > top:
                        top, top_move = before + earned, a * 4 + b
                        top_tempo = tempo[i - a, j - b] + drift * min(max(away, -one), one)
            score[i, j] = top
            tempo[i, j] = top_tempo
            if keep_moves:
                move[i, j] = top_move
            if top > best:
                best, best_i, best_j = top, i, j
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
    score = np.empty((query.shape[0], longest), np.float32)
    tempo = np.empty((query.shape[0], longest), np.float32)
    none = np.empty((1, 1), np.int8)
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
            False,
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
    empty = np.zeros((0, 2), np.int64)
    if min(shape) < 2:
        return NoteAlignment(0.0, empty)
    score, tempo, move = (
        np.zeros(shape, np.float32),
        np.zeros(shape, np.float32),
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
        True,
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
