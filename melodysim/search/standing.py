"""How far references stand above chance, by all that was measured, and the E-values of that.

A melody is aligned with a reference in time and whatever the rhythm, and the passage that is found is
measured against chance by itself. Each says something that the others do not: a copy with other words
keeps its pitches, one with changed notes keeps its rhythm, and a passage is more distinctive than the
track that it stands in. Their mean tells copies from chance better than the best of them
(docs/research/catalogue.md). What it is worth, the library's own works say (`own_works`).

Why the passage by itself: unrelated references follow best the most ordinary part of a track, its scale
runs and repeated notes. A distinctive passage would be measured against scores that have nothing to do
with it, and an ordinary passage would profit from the variety of the rest. For protein sequences the
same is done by the composition of either sequence (Schäffer et al. 2001, "Improving the accuracy of
PSI-BLAST protein database searches with composition-based statistics").
"""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from melodysim.align.corpus import Corpus, corpus_of, lay_melodies
from melodysim.align.dtw import Costs, align_path, align_scores
from melodysim.align.repetition import own_freshness, path_freshness
from melodysim.intervals import Sequence, time_ratio
from melodysim.library import Shelf
from melodysim.library.chance import SMALLEST_BACKGROUND
from melodysim.search.by_notes import (
    MEASURED_AGAIN,
    TYPICAL_NOTES,
    as_of_kind,
    background_sample,
    others_stand_in,
    shares_of_chance,
)
from melodysim.search.e_values import Background, fit_background
from melodysim.search.hypothesis import Hypothesis, best_of_each_kind, best_reading, ranking

LEAST_BY_PITCH, LEAST = 0.4, 2.0
"""Standardised score whatever the rhythm that is assumed at least: a share of the one in time, and an
amount. A passage in time of which notes were changed is not followed note by note, and that says little
against it."""
FEW_DISTINCT = 5.0
"""Distinct notes of a passage with which 0.63 of its standing counts (an exponential law). However rare
a turn is, many pairs of songs share one of four notes."""
TELLING = 0.1
"""E-value below which a reference is measured beside its own notes too: above, it raises no verdict."""
SHUFFLES = 200
"""Orders of a reference's own notes that chance is measured on."""
SMALLEST_LOG_E = -690.0
"""Natural logarithm of the smallest E-value: beyond, a float is 0."""


def weighed(
    sequences: list[Sequence], readings: list[Hypothesis], library: Shelf, threads: int
) -> list[Hypothesis]:
    """Weigh all that was measured of each melody, and turn it into E-values.

    A reference's standing is the mean of its standardised scores in time, whatever the rhythm, and by
    the passage that it follows alone. The best references of each kind have their passages measured.

    Parameters
    ----------
    sequences : list of Sequence
        One for each melody of the piece.
    readings : list of Hypothesis
        From `readings_in_time`, in its order.
    library : Shelf

    Returns
    -------
    list of Hypothesis
        One for each reading. Of two readings of a melody, the one that is followed more closely has the
        E-value; the other's is infinite.
    """
    shares = shares_of_chance(len(sequences))
    weighing = [_Weighing(readings, k, 1 / share) for k, share in enumerate(shares)]
    while True:
        found = [some for one in weighing for some in one.hypotheses(library)]
        best = best_reading(found, len(library))
        order = ranking(found, best)
        ahead = best_of_each_kind(order, library.protected[order], MEASURED_AGAIN)
        leading = best_of_each_kind(order, library.protected[order], 1)
        melody = {int(k): found[best[k, 0]].melody or 0 for k in ahead}
        # Repeated until the best of either kind has been measured: one that was not would else
        # come first only for that.
        if all(weighing[melody[int(k)]].knows(int(k)) for k in leading):
            return found
        for reference, number in melody.items():
            weighing[number].measure(reference, sequences[number], library, threads)


class _Weighing:
    """What was measured of a melody and some references so far.

    Parameters
    ----------
    readings : list of Hypothesis
        Of all melodies. Those of this one are in time and, of the likeliest melody, whatever the
        rhythm; they are of the same references.
    melody : int
    tries : float
        That E-values are corrected for.
    """

    def __init__(self, readings: list[Hypothesis], melody: int, tries: float) -> None:
        self._readings = [reading for reading in readings if reading.melody == melody]
        self._tries = tries
        in_time, *others = (reading.standardised for reading in self._readings)
        at_least = np.maximum(LEAST_BY_PITCH * in_time, LEAST)
        self._whole = (in_time + np.maximum.reduce([at_least, *others])) / 2
        self._closest = np.argmax([in_time, *others], axis=0)  # reading that follows most closely
        count = len(in_time)
        self._passage = np.full(count, np.nan)  # standardised scores of passages that were measured
        self._at_most = np.full(count, np.inf)  # what their own notes leave of references
        self._trust = np.ones(count)  # less where a passage has few distinct notes
        self._measured: set[int] = set()

    def knows(self, reference: int) -> bool:
        """Say whether the passage of a reference was measured."""
        return reference in self._measured

    def _standing(self) -> NDArray[np.float64]:
        """Return the mean of what was measured, for each reference."""
        whole, passage = self._whole, self._passage
        mean = np.where(np.isnan(passage), whole, (2 * whole + passage) / 3)
        mean = np.minimum(mean, self._at_most)
        return np.where(mean > 0, self._trust * mean, mean)

    def hypotheses(self, library: Shelf) -> list[Hypothesis]:
        """Return the readings with their standing and E-values."""
        standing, closest = self._standing(), self._closest
        references = self._readings[0].references
        log_e = np.zeros(len(references))
        for kind in (0, 1):
            mine = library.protected[references] == bool(kind)
            log_e[mine] = library.chances[kind].log_e(standing[mine], self._tries)
        e_value = np.exp(np.maximum(log_e, SMALLEST_LOG_E))
        return [
            replace(
                reading,
                e_value=np.where(closest == number, e_value, np.inf),
                standardised=np.where(closest == number, standing, -np.inf),
                tries=self._tries,
            )
            for number, reading in enumerate(self._readings)
        ]

    def measure(self, reference: int, sequence: Sequence, library: Shelf, threads: int) -> None:
        """Measure the passage of a reference, unless that was done."""
        if reference in self._measured:
            return
        self._measured.add(reference)
        place = int(np.searchsorted(self._readings[0].references, reference))
        reading = self._readings[int(self._closest[place])]
        corpus = library.index.corpus(np.array([reference]))
        path = align_path(sequence, corpus, 0, reading.costs).path
        if len(path):
            distinct = path_freshness(own_freshness(sequence), corpus.fresh, path).sum()
            self._trust[place] = -np.expm1(-float(distinct) / FEW_DISTINCT)
            found = _standardised_by_passage(sequence, path, reading, place, library, threads)
            if found is not None:
                self._passage[place] = found
            if library.protected[reference] and others_stand_in(library, 1):
                log_e = library.chances[1].log_e(self._standing()[place], self._tries)
                if log_e < np.log(TELLING):
                    asked = sequence, corpus, reading, place, threads
                    self._at_most[place] = standardised_by_own_notes(*asked)


def standardised_by_own_notes(
    sequence: Sequence, reference: Corpus, reading: Hypothesis, place: int, threads: int
) -> float:
    """Return the standardised score of a reference beside tunes made of its own notes.

    Where a library has too few protected works to measure what chance does among them, others stand in,
    and one of odd intervals would stand out among those for any track that is as odd. Its intervals
    and inter-onset intervals in any other order say what such notes score by themselves (Karlin &
    Altschul 1990 measure chance on shuffled sequences in the same way).

    Parameters
    ----------
    sequence : Sequence
        The query.
    reference : Corpus
        Of the reference alone.
    reading : Hypothesis
    place : int
        Of the reference in the reading.
    threads : int
    """
    rng = np.random.default_rng(zlib.crc32(reference.interval.tobytes()))
    interval = reference.interval[:-1]
    gap = np.diff(reference.time)
    shuffled = []
    for _ in range(SHUFFLES):
        order = rng.permutation(len(interval))
        time = np.concatenate([[0.0], np.cumsum(gap[order])])
        pitch = np.concatenate([[0], np.cumsum(interval[order])]).astype(np.int16)
        shuffled.append(Sequence(interval[order], time_ratio(time), pitch, time))
    corpus = corpus_of(lay_melodies(shuffled), reference.rarity)
    score = align_scores(sequence, corpus, np.arange(SHUFFLES), threads, reading.costs)
    chance = fit_background(score.astype(np.float64), corpus.lengths, TYPICAL_NOTES)
    return float(chance.standardised(reading.score[place], reference.lengths[0]))


def _standardised_by_passage(
    sequence: Sequence,
    path: NDArray[np.int64],
    reading: Hypothesis,
    place: int,
    library: Shelf,
    threads: int,
) -> float | None:
    """Return the standardised score of a reference by its passage alone; None without a background."""
    reference = int(reading.references[place])
    kind = int(library.protected[reference])
    sample = background_sample(library, kind, but=reference)
    if len(sample) < SMALLEST_BACKGROUND:
        return None
    sample = sample[~np.isin(sample, reading.related)]
    passage = cut_passage(sequence, (int(path[0, 0]), int(path[-1, 0]) + 1))
    unrelated = library.index.corpus(sample)
    chance = as_of_kind(
        background_of_passage(passage, unrelated, reading.costs, TYPICAL_NOTES, threads), library, kind
    )
    return float(chance.standardised(reading.score[place], library.index.lengths[reference]))


def cut_passage(sequence: Sequence, notes: tuple[int, int]) -> Sequence:
    """Cut a passage out of a query.

    Parameters
    ----------
    sequence : Sequence
    notes : (int, int)
        Its first note, and the one after its last.
    """
    first, last = notes
    time = sequence.time[first:last]
    return Sequence(
        interval=sequence.interval[first : last - 1],
        ratio=time_ratio(time),
        pitch=(sequence.pitch[first:last] - sequence.pitch[first]).astype(np.int16),
        time=time,
    )


def background_of_passage(
    passage: Sequence, unrelated: Corpus, costs: Costs, typical: Background, threads: int = 1
) -> Background:
    """Fit the distribution of the scores of unrelated references against a passage.

    Parameters
    ----------
    passage : Sequence
    unrelated : Corpus
        A sample of references, without the one that the passage follows.
    costs : Costs
        Costs of the alignment.
    typical : Background
        Stands in where the sample is too small.
    """
    every = np.arange(len(unrelated))
    score = align_scores(passage, unrelated, every, threads, costs)
    return fit_background(score.astype(np.float64), unrelated.lengths, typical)
