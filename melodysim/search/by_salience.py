"""Align the salience of a recording with every reference, before any note is decided on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from melodysim.align.corpus import Corpus
from melodysim.align.first_look import glimpses_of
from melodysim.align.salience_dtw import (
    in_blocks,
    scan_blocks,
    scan_octaves,
    with_returns,
)
from melodysim.align.salience_evidence import (
    COARSE,
    PITCHES,
    QUANTUM,
    PitchEvidence,
    prepare_evidence,
)
from melodysim.library import Shelf
from melodysim.library.packed.index import sample_references
from melodysim.melody import SemitoneSalience
from melodysim.search.by_notes import CANDIDATES
from melodysim.search.e_values import (
    FITTED_ALL,
    FITTED_BULK,
    FITTED_LISTENED,
    Background,
    fit_background,
    fitted_to_kind,
    suspects,
)
from melodysim.search.hypothesis import Hypothesis, best_of_each_kind, e_values

LINE_WEIGHT, LINE_CHANCE = 1.0, 3.0
"""Share of a transcribed line's standardised score that is added to the score by listening, and the
standardised score above which it counts. Of 22 tunes in real recordings the right one has 3.3 to 4.7 on
average, in lines of the separated voice (docs/research/hearing.md)."""
CLASS_WEIGHT = 0.5
"""Share of the standardised score by pitch class that is added to that by pitch."""
BACKWARDS = 0.5
"""Share of its score backwards that is subtracted from the score of a reference by pitch: what key,
range and repetition bring is common to both (docs/research/hearing.md)."""
LISTENED_SAMPLE = 1200
"""References of each kind that are listened for by pitch to measure chance, beside the candidates."""
TURNED = 0.5
"""Share of its score beyond chance that a tune loses at least backwards."""
LEAST_SCORE = 0.01
"""Nats of a reference that was heard nowhere better than backwards."""
LISTENED, LISTENED_SHARE, MOST_LISTENED = (1_000, 3_000), 0.02, 50_000
"""References of each kind, free and protected, that are listened for in full: this share of
them, the best by a first look, but so many at least and at most. Of those that come first when all are
listened to, it keeps 0.97 up to a million (docs/research/hearing.md). Fewer free ones: none raises a
verdict."""
LEAST_LEVEL = 0.5
"""Scale of the scores in a block that they are divided by at least, of the mean over all blocks: where
hardly anything sounds, scores hardly differ, and their differences mean nothing."""
AT_ONCE = 50_000
"""References whose notes are gathered at once."""

# Stands in where a library is too small to have a background: medians of fits of 28 recordings against
# 20,308 references.
TYPICAL_HEARD = Background(
    5.5, 7.4, 3.5, measured=False, bends=((60.0, -3.0), (150.0, -0.3)), shortest=21.0
)


def read_recording(
    heard: SemitoneSalience,
    lines: list[Hypothesis],
    library: Shelf,
    threads: int,
) -> Hypothesis:
    """Score every reference, or the most promising of a large library, against a recording.

    That is done coarsely and by pitch class. The best references are scored again finely and by pitch,
    and the score beyond chance of the best transcribed line is added.

    Parameters
    ----------
    heard : SemitoneSalience
        Salience of the recording.
    lines : list of Hypothesis
        Readings of the transcribed lines.
    library : Shelf

    Returns
    -------
    Hypothesis
        Of the references that were scored again, and a sample.
    """
    kinds = (library.protected, ~library.protected)
    drawn = [sample_references(library.index.order.key, k, LISTENED_SAMPLE) for k in kinds]
    sample = np.unique(np.concatenate(drawn))
    evidence = prepare_evidence(heard, resolution=COARSE)
    references = _listened_for(heard, lines, library, sample, threads)
    look = _look_at(references, evidence, library, sample, threads)
    support = _support(lines, len(library))[look.references]
    if look.background.measured:  # typical values are of one look alone
        # The lines count here too: a well transcribed one finds what listening misses.
        promise = look.background.standardised(look.total, look.lengths) + support
        chosen = _worth_another_look(promise, look.references, library, sample)
        return _looked_twice(
            look.taken(chosen),
            support[chosen],
            heard,
            evidence,
            library,
            sample,
            threads,
        )
    alike = look.background, look.background
    score = look.total + look.gain(support)
    return _reading(look, score, look.score.argmax(axis=0), alike, library)


@dataclass(frozen=True, eq=False)
class _Look:
    """Scores of some references by pitch class.

    `score` is in nats, levelled, [blocks, n], `tempo` as from `scan_blocks`; `background` is fitted to
    unrelated references.
    """

    references: NDArray[np.int64]
    lengths: NDArray[np.int32]
    score: NDArray[np.float64]
    tempo: NDArray[np.int32]
    background: Background

    @property
    def total(self) -> NDArray[np.float64]:
        """Scores of the passage and of its return, in nats.

        Typical values, which stand in where chance cannot be measured, are of one passage alone.
        """
        return with_returns(self.score) if self.background.measured else self.score.max(axis=0)

    def taken(self, chosen: NDArray[np.int64]) -> _Look:
        """Return the scores of some of the references only."""
        columns = {
            name: getattr(self, name)[..., chosen]
            for name in ("references", "lengths", "score", "tempo")
        }
        return replace(self, **columns)

    def gain(self, support: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what standardised support adds to scores above 0, in nats."""
        return np.where(self.total > 0, support * self.background.scale, 0)


def levels_of(
    score: NDArray[np.float64], lengths: NDArray[np.int32], some: NDArray[np.int64]
) -> list[Background]:
    """Return what most of some references score in each of several blocks, [blocks, n]."""
    if len(score) < 2:
        return []
    return [fit_background(block[some], lengths[some], TYPICAL_HEARD, FITTED_BULK) for block in score]


def levelled(
    score: NDArray[np.float64],
    heard: NDArray[np.bool_],
    lengths: NDArray[np.int32],
    levels: list[Background],
) -> NDArray[np.float64]:
    """Bring the scores in all blocks to the same mode and scale, so that they can be compared.

    A dense or a clear part of a track follows every tune better than another part does. In a recording
    of one block nothing changes.

    Parameters
    ----------
    score : ndarray of float64, shape (blocks, n)
    heard : ndarray of bool, shape (blocks, n)
        False where nothing of a reference was heard: these scores stay.
    lengths : ndarray of int32, shape (n,)
    levels : list of Background
        As of `levels_of`.
    """
    if not levels or not all(level.measured for level in levels):
        return score
    scale = float(np.mean([level.scale for level in levels]))
    modes = np.array([level.expected(lengths) for level in levels])
    scales = np.array([max(level.scale, LEAST_LEVEL * scale) for level in levels])[:, None]
    return np.where(heard, (score - modes) * (scale / scales) + modes.mean(axis=0), score)


def listened_in_full(library: Shelf) -> tuple[int, int]:
    """Return how many free and protected references are listened for in full, at least."""
    bound = int(library.protected.sum())
    kinds = len(library) - bound, bound
    if library.index.everything:
        return kinds
    shares = (
        min(MOST_LISTENED, max(least, round(kind * LISTENED_SHARE)))
        for kind, least in zip(kinds, LISTENED, strict=True)
    )
    free, bound = map(min, kinds, shares)
    return free, bound


def _listened_for(
    heard: SemitoneSalience,
    lines: list[Hypothesis],
    library: Shelf,
    sample: NDArray[np.int64],
    threads: int,
) -> NDArray[np.int64]:
    """Choose the references to listen for in full: all, or the most promising of a large library.

    Those are the best of each kind by a first look, what the transcribed lines were aligned with, and
    the sample that chance is measured on.
    """
    wanted = listened_in_full(library)
    if sum(wanted) == len(library):
        return np.arange(len(library))
    rough = library.index.first_look(glimpses_of(heard), threads).astype(np.float64)
    lengths = library.index.lengths
    chance = fit_background(rough[sample], lengths[sample], TYPICAL_HEARD, FITTED_LISTENED)
    promise = chance.standardised(rough, lengths)
    chosen = [sample, *(line.references for line in lines)]
    for kind, count in zip((~library.protected, library.protected), wanted, strict=True):
        places = np.flatnonzero(kind)
        chosen.append(places[np.argsort(-promise[places], kind="stable")[:count]])
    return np.unique(np.concatenate(chosen))


def _look_at(
    references: NDArray[np.int64],
    evidence: PitchEvidence,
    library: Shelf,
    sample: NDArray[np.int64],
    threads: int,
) -> _Look:
    """Score references against a recording by pitch class, and fit their background.

    It is fitted to all references, or, where some were chosen for what they promise, to the sample.
    """
    lengths = library.index.lengths[references]
    all_of_them = len(references) == len(library)
    fitted = np.arange(len(references)) if all_of_them else np.searchsorted(references, sample)
    fitting = FITTED_ALL if all_of_them else FITTED_LISTENED
    raw, tempo = _scanned(references, evidence, library, threads)
    levels = levels_of(raw, lengths, fitted)
    score = levelled(raw, raw > 0, lengths, levels)
    total = with_returns(score)
    some = total[fitted], lengths[fitted]
    known = suspects(*some, TYPICAL_HEARD, fitting)
    background = fit_background(*some, TYPICAL_HEARD, fitting, known)
    if known.any():
        places = fitted[known]
        turned, _ = _scanned(references[places], evidence, library, threads, backwards=True)
        turned = levelled(turned, turned > 0, lengths[places], levels)
        expected = background.expected(lengths[places])
        known[known] = are_tunes(total[places], with_returns(turned), expected)
        background = fit_background(*some, TYPICAL_HEARD, fitting, known)
    return _Look(references, lengths, score, tempo, background)


def _scanned(
    references: NDArray[np.int64],
    evidence: PitchEvidence,
    library: Shelf,
    threads: int,
    backwards: bool = False,
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Score references, so many at once that their notes fit into memory: nats and tempi by block."""
    index = library.index
    scores, tempi = [], []
    for first in range(0, len(references), AT_ONCE):
        some = references[first : first + AT_ONCE]
        corpus = index.whole if len(some) == len(index) else index.corpus(some)
        score, tempo = scan_blocks(corpus, evidence, np.arange(len(some)), threads, backwards)
        scores.append(score / QUANTUM)
        tempi.append(tempo)
    return np.concatenate(scores, axis=1), np.concatenate(tempi, axis=1)


@dataclass(frozen=True)
class Support:
    """What the best transcribed line adds to the score of a reference.

    Attributes
    ----------
    support : float
        Standardised score, above 0.
    line, place : int
        Which line, and the reference's place in its reading.
    """

    support: float
    line: int
    place: int


def best_support(lines: Sequence[Hypothesis], reference: int) -> Support | None:
    """Find the transcribed line that supports a reference most; None if none does."""
    found = []
    for number, line in enumerate(lines):
        for place in np.flatnonzero(line.references == reference).tolist():
            found.append(Support(_excess(line)[place], number, place))
    best = max(found, key=lambda one: one.support, default=None)
    return best if best is not None and best.support > 0 else None


def _excess(line: Hypothesis) -> NDArray[np.float64]:
    """Return how far each reference of a line's reading supports it."""
    excess: NDArray[np.float64] = LINE_WEIGHT * np.maximum(line.standardised - LINE_CHANCE, 0)
    return excess


def _support(lines: list[Hypothesis], references: int) -> NDArray[np.float64]:
    """Return the score beyond chance of the best transcribed line, for each reference."""
    support = np.zeros(references)
    for line in lines:
        support[line.references] = np.maximum(support[line.references], _excess(line))
    return support


def _looked_twice(
    look: _Look,
    support: NDArray[np.float64],
    heard: SemitoneSalience,
    coarse: PitchEvidence,
    library: Shelf,
    sample: NDArray[np.int64],
    threads: int,
) -> Hypothesis:
    """Score the chosen references by pitch too, and add up all evidence for them."""
    corpus, lengths = library.index.corpus(look.references), look.lengths
    in_each = scores_by_pitch(
        corpus, coarse, prepare_evidence(heard, PITCHES), look.score, look.tempo, threads
    )
    mine = np.flatnonzero(np.isin(look.references, sample))
    by_block = less_backwards(in_each)
    levels = levels_of(by_block, lengths, mine)
    by_block = levelled(by_block, in_each[0] > 0, lengths, levels)
    forwards, backwards = map(with_returns, in_each)
    # Chance is fitted to the sample, not to references chosen for their scores.
    tunes = are_tunes(forwards, backwards, float(np.median(forwards[mine])))[mine]
    score = with_returns(by_block)
    by_pitch, _ = fit_listened(score[mine], lengths[mine], tunes)
    more = support + CLASS_WEIGHT * look.background.standardised(look.total, lengths)
    score = all_evidence(score, forwards, by_pitch, more)
    background, related = fit_listened(score[mine], lengths[mine], tunes)
    unrelated = mine[~related]
    protected = library.protected[look.references[unrelated]]
    free, owned = (
        fitted_to_kind(background, score[some], lengths[some])
        for some in (unrelated[~protected], unrelated[protected])
    )
    return _reading(look, score, by_block.argmax(axis=0), (free, owned), library)


def scores_by_pitch(
    corpus: Corpus,
    coarse: PitchEvidence,
    fine: PitchEvidence,
    score: NDArray[np.float64],
    tempo: NDArray[np.int32],
    threads: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Score references by pitch where they were heard by pitch class, in nats, [blocks, n].

    Parameters
    ----------
    corpus : Corpus
    coarse, fine : PitchEvidence
        Of the recording, by pitch class and by pitch.
    score, tempo : ndarray, shape (blocks, n)
        By pitch class: nats, and tempi as from `scan_blocks`.
    threads : int

    Returns
    -------
    forwards, backwards : ndarray of float64, shape (blocks, n)
    """
    found = in_blocks(score.astype(np.int32), tempo, score.argmax(axis=0))
    every = np.arange(len(corpus))
    forwards, backwards = scan_octaves(corpus, coarse, fine, every, threads, found)
    return forwards / QUANTUM, backwards / QUANTUM


def less_backwards(
    scores: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Subtract `BACKWARDS` of what references score backwards."""
    return scores[0] - BACKWARDS * scores[1]


def all_evidence(
    score: NDArray[np.float64],
    forwards: NDArray[np.float64],
    by_pitch: Background,
    more: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Add other evidence, in units of chance, to scores by pitch.

    What scores above 0 is ranked, however it stands to chance.
    """
    return np.where(forwards > 0, np.maximum(score + by_pitch.scale * more, LEAST_SCORE), 0)


def fit_listened(
    score: NDArray[np.float64], lengths: NDArray[np.int32], tunes: NDArray[np.bool_]
) -> tuple[Background, NDArray[np.bool_]]:
    """Fit a background to a sample of references, less those that are related to the recording.

    The second value says which these are. `tunes` says which are no mere repetition (`are_tunes`).
    """
    related = suspects(score, lengths, TYPICAL_HEARD, FITTED_LISTENED) & tunes
    return fit_background(score, lengths, TYPICAL_HEARD, FITTED_LISTENED, related), related


def _reading(
    look: _Look,
    score: NDArray[np.float64],
    block: NDArray[np.int64],
    fits: tuple[Background, Background],
    library: Shelf,
) -> Hypothesis:
    """Return the hypothesis of some scores, with the backgrounds of free and of protected works."""
    e_value, standardised = e_values(score, look.references, library, fits, tries=1.0)
    return Hypothesis(look.references, score, e_value, standardised, fits, None, block=block)


def _worth_another_look(
    promise: NDArray[np.float64],
    references: NDArray[np.int64],
    library: Shelf,
    sample: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return the places, in `references`, of the best of each kind and of the sample."""
    order = np.argsort(-promise, kind="stable")
    best = best_of_each_kind(order, library.protected[references[order]], CANDIDATES)
    return np.unique(np.concatenate([best, np.flatnonzero(np.isin(references, sample))]))


def are_tunes(
    score: NDArray[np.float64], backwards: NDArray[np.float64], expected: ArrayLike
) -> NDArray[np.bool_]:
    """Say which references score much lower backwards, as takes of a work in the recording do.

    Repeated notes and drones score as high either way. They belong to chance here, and stay in the
    background.

    Parameters
    ----------
    score, backwards : ndarray of float64, shape (n,)
        Of references, forwards and backwards.
    expected : array_like
        Score that chance is expected to have.
    """
    return backwards < score - TURNED * (score - np.asarray(expected))
