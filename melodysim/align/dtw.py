"""Second pass: a melody against a reference, note by note, with the path.

Local dynamic time warping over intervals. A move leads from one pair of aligned notes to the next,
over one to three notes of either melody, and keeps the transposition if both melodies have moved by
the same number of semitones. So one changed note costs one move over two intervals with the same
sum, not two broken intervals; an ornament or a left-out note is a move of two intervals against one.
Mongeau & Sankoff (1990) call these fragmentation and consolidation.

The score is a sum of bits: the surprisal of each note (`melodysim.align.surprisal`; in the reference or
in the query, whichever is less), less the cost of the move. The timing is compared with the tempo ratio
that the alignment has followed so far, which may drift: a lengthened note breaks one comparison, not
two.

Conventions: query note i against reference note j; `path` holds the pairs at which a move ends, and
the pair at which the alignment begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from melodysim.align.corpus import Corpus, in_threads, log_gaps
from melodysim.align.repetition import own_freshness
from melodysim.align.surprisal import own_surprisal
from melodysim.intervals import Sequence
from melodysim.kernels import FURTHEST, kernels


@dataclass(frozen=True)
class Costs:
    """Gains and costs of the moves in bits; gains are positive.

    Attributes
    ----------
    worth : float
        Share of a note's surprisal that is gained where it is followed.
    match : float
        The same interval; added to the note's surprisal.
    same_note : float
        As `match`, where the interval is a unison: the note comes again.
    substituted : float
        Two intervals against two of the same sum: one note changed.
    ornament : float
        Two intervals against one of the same sum: one note more or less.
    repetition : float
        As `ornament`, where the extra note repeats its neighbour: a syllable more or less.
    longer : tuple of (float, int, int)
        Longer moves: cost, notes of the query, notes of the reference.
    octave : float
        The same interval, an octave larger or smaller.
    mistuned : float
        A semitone off in the same direction; the note's surprisal is not gained.
    different : float
        Any other interval: the transposition changes.
    timing_share : float
        Share of the timing's surprisal that is gained where the tempo ratio is kept.
    timing_slope : float
        Bits lost per octave of deviation from the tempo followed so far.
    timing_loss : float
        Most bits that a deviation loses.
    tempo_drift : float
        Share of a deviation by which the tempo ratio is moved.
    """

    worth: float
    match: float
    same_note: float
    substituted: float
    ornament: float
    repetition: float
    longer: tuple[tuple[float, int, int], ...]
    octave: float
    mistuned: float
    different: float
    timing_share: float
    timing_slope: float
    timing_loss: float
    tempo_drift: float

    @cached_property
    def moves(self) -> NDArray[np.float32]:
        """Cost of every move, by notes of the query and of the reference; [0, ...] is not used."""
        costs = np.full((FURTHEST + 1, FURTHEST + 1), -9.0, np.float32)
        costs[1, 1], costs[2, 2] = self.match, self.substituted
        costs[1, 2] = costs[2, 1] = self.ornament
        for cost, a, b in self.longer:
            costs[a, b] = cost
        return costs

    @cached_property
    def others(self) -> NDArray[np.float32]:
        """Costs that are not in `moves`, in the order that the kernels read."""
        pitch = (self.repetition, self.octave, self.mistuned, self.different)
        timing = (self.timing_share, self.timing_slope, self.timing_loss, self.tempo_drift)
        return np.array([*pitch, *timing, self.same_note], np.float32)


# Learnt by coordinate ascent from passages hidden in other songs, 30 % of their notes changed, against
# what unrelated songs show by chance (docs/research/method.md).
IN_TIME = Costs(
    worth=0.65,
    match=1.65,
    same_note=1.3,
    substituted=0.1,
    ornament=-0.4,
    repetition=-0.1,
    longer=((-3.8, 1, 3), (-5.4, 3, 1), (-5.9, 2, 3), (-5.1, 3, 2), (-5.4, 3, 3)),
    octave=-1.6,
    mistuned=-2.2,
    different=-4.5,
    timing_share=0.8,
    timing_slope=6.5,
    timing_loss=6.0,
    tempo_drift=0.38,
)
"""Pitch and rhythm."""
OTHER_RHYTHM = Costs(
    worth=1.0,
    match=-1.0,
    same_note=-1.0,
    substituted=-6.0,
    ornament=-6.0,
    repetition=-3.0,
    longer=((-8.0, 1, 3), (-8.0, 3, 1), (-8.5, 2, 3), (-8.5, 3, 2), (-8.0, 3, 3)),
    octave=-6.0,
    mistuned=-6.0,
    different=-9.0,
    timing_share=0.0,
    timing_slope=0.0,
    timing_loss=0.0,
    tempo_drift=0.3,
)
"""Pitch, whatever the rhythm. Changes cost so much that alignments of unrelated songs, which share
their scale, end soon: else they go on through whole songs, and chance has no extreme-value tail."""
PITCH_ALONE = Costs(
    worth=1.0,
    match=0.0,
    same_note=0.0,
    substituted=-4.0,
    ornament=-3.5,
    repetition=-1.0,
    longer=((-6.0, 1, 3), (-6.0, 3, 1), (-6.5, 2, 3), (-6.5, 3, 2), (-6.0, 3, 3)),
    octave=-3.0,
    mistuned=-3.0,
    different=-6.0,
    timing_share=0.0,
    timing_slope=0.0,
    timing_loss=0.0,
    tempo_drift=0.3,
)
"""Pitch, whatever the rhythm, of two works as wholes: more may be changed, and like turns in like order
count even where they do not follow note by note. Not for a whole library."""


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
    costs: Costs = IN_TIME,
) -> NDArray[np.float32]:
    """Score the best alignment of a query with each of some references.

    Parameters
    ----------
    query : Sequence
    corpus : Corpus
    melodies : ndarray of int64, shape (n,)
        Which references.
    costs : Costs, optional
        What counts: pitch in time, or pitch alone.

    Returns
    -------
    ndarray of float32, shape (n,)
        Bits, 0 or more.
    """
    if len(query) < 2:
        return np.zeros(len(melodies), np.float32)
    pair = _prepared(query, corpus, costs)

    def work(share: NDArray[np.int64]) -> NDArray[np.float32]:
        # References of like length side by side, so that no lane waits for another.
        order = np.argsort(corpus.lengths[share], kind="stable")
        out, found = np.zeros((2, len(share)), np.float32)
        kernels().align_scores(*pair, corpus.start, np.ascontiguousarray(share[order]), found)
        out[order] = found
        return out

    return in_threads(work, melodies, threads)


def _prepared(query: Sequence, corpus: Corpus, costs: Costs) -> tuple[NDArray, ...]:
    """Return the arrays of a query and its references that the kernels read, in C order."""
    whole = np.array([0, len(query)])
    arrays = (
        query.pitch,
        log_gaps(query.time, whole),
        costs.worth * own_surprisal(query),
        own_freshness(query),
        corpus.pitch,
        corpus.log_gap,
        costs.worth * corpus.surprisal,
        corpus.timing,
        corpus.fresh,
        costs.worth * corpus.rarity.displacement,
        costs.moves,
        costs.others,
    )
    return tuple(np.ascontiguousarray(array) for array in arrays)


def align_path(query: Sequence, corpus: Corpus, melody: int, costs: Costs = IN_TIME) -> NoteAlignment:
    """Align a query with one reference and return the path.

    Parameters
    ----------
    query : Sequence
    corpus : Corpus
    melody : int
        The reference.
    costs : Costs, optional
        As in `align_scores`.

    Returns
    -------
    NoteAlignment
        With the score that `align_scores` returns; an empty path if nothing aligns.
    """
    low, high = int(corpus.start[melody]), int(corpus.start[melody + 1])
    if min(len(query), high - low) < 2:
        return NoteAlignment(0.0, np.zeros((0, 2), np.int64))
    move = np.zeros((len(query), high - low), np.int8)
    best, i, j = kernels().align_path(*_prepared(query, corpus, costs), low, high, move)
    pairs = []
    while move[i, j]:
        pairs.append((i, j))
        step = int(move[i, j])
        i, j = i - step // 4, j - step % 4
    if pairs:
        pairs.append((i, j))
    return NoteAlignment(float(best), np.array(pairs[::-1], np.int64).reshape(-1, 2))
