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
from numpy.typing import NDArray

from melodysim.align.corpus import Corpus, in_threads, log_gaps
from melodysim.align.kernels import kernels
from melodysim.rarity import FURTHEST, own_surprisal
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


def _move_costs() -> NDArray[np.float32]:
    costs = np.full((FURTHEST + 1, FURTHEST + 1), -9.0, np.float32)
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
    pair = _prepared(query, corpus, timing)

    def work(share: NDArray[np.int64]) -> NDArray[np.float32]:
        out = np.zeros(len(share), np.float32)
        # Of like length side by side, so that none waits for another.
        order = np.argsort(corpus.lengths[share], kind="stable")
        found = np.zeros(len(share), np.float32)
        kernels().align_scores(*pair, corpus.start, np.ascontiguousarray(share[order]), found)
        out[order] = found
        return out

    return in_threads(work, melodies, threads)


def _prepared(query: Sequence, corpus: Corpus, timing: bool) -> tuple[NDArray, ...]:
    """Give what the kernels read of a query and its references, all in C order."""
    whole = np.array([0, len(query)])
    arrays = (
        query.pitch,
        log_gaps(query.time, whole),
        own_surprisal(query),
        corpus.pitch,
        corpus.log_gap,
        corpus.surprisal,
        corpus.timing,
        corpus.rarity.displacement,
        _MOVE_COSTS,
        _COSTS if timing else _PITCH_ONLY_COSTS,
    )
    return tuple(np.ascontiguousarray(array) for array in arrays)


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
    low, high = int(corpus.start[melody]), int(corpus.start[melody + 1])
    empty = np.zeros((0, 2), np.int64)
    if min(len(query), high - low) < 2:
        return NoteAlignment(0.0, empty)
    move = np.zeros((len(query), high - low), np.int8)
    best, i, j = kernels().align_path(*_prepared(query, corpus, timing), low, high, move)
    pairs = []
    while move[i, j]:
        pairs.append((i, j))
        step = int(move[i, j])
        i, j = i - step // 4, j - step % 4
    if not pairs:
        return NoteAlignment(0.0, empty)
    pairs.append((i, j))
    return NoteAlignment(float(best), np.array(pairs[::-1], np.int64))
