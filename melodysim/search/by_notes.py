"""Align the melodies of a piece: each in time, and the likeliest in any rhythm too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from melodysim.align.corpus import Corpus
from melodysim.align.dtw import IN_TIME, OTHER_RHYTHM, PITCH_ALONE, Costs, align_path, align_scores
from melodysim.align.repetition import NEW, own_freshness, path_freshness
from melodysim.intervals import Sequence, retrograde
from melodysim.library import Reference, Shelf
from melodysim.library.chance import few_beside_free
from melodysim.melody import Piece
from melodysim.search.e_values import (
    BEYOND_CHANCE,
    Background,
    fit_background,
    suspects,
)
from melodysim.search.hypothesis import (
    Hypothesis,
    best_of_each_kind,
    e_values,
)
from melodysim.search.match import Match
from melodysim.search.match_details import span

CANDIDATES = 300
"""References that the first pass hands on. Of passages of 20 notes of which 15 % were changed, it
ranked 97 % within 610 of 12,942, and 90 % within 61."""
CONTROLLED = 60
"""Best references of each kind that are aligned backwards too with a melody, as a control."""
BACKWARDS_WEIGHT = 0.5
"""Share of what the reversed melody scores above chance that is taken off. Most of what is as good
backwards is repetition, which counts once anyway (`melodysim.align.repetition`); with all of it taken
off, 0.544 instead of 0.558 of 364 songs came first as another person had transcribed them."""
MEASURED_AGAIN = 12
"""Best references of each kind whose passage is measured against chance by itself."""
FIRST_MELODY_SHARE = 0.8
"""Chance of error given to the likeliest of several melodies; the others share the rest equally, so
that an accompaniment must follow a reference more closely than the tune itself to count as much."""
IN_TIME_SHARE = 0.9
"""Chance of error given to the likeliest melody's reading in time where readings are judged one by one,
as for pairs of tracks; its reading whatever the rhythm has the rest. Other words bring other rhythms,
but most copies keep theirs."""
STAND_IN = 1.0
"""Scale units by which the mode is raised where free works stand in for protected ones that are too few
to be measured on: songs follow one another more closely than folk tunes do. Without it E-values of 650
passages and songs against 99 songs beside folk tunes were below 0.1 in 0.24 instead of 0.095, and below
0.005 in 0.009; with it 0.19 and 0.005 of 393."""
IN_STEP, PLAYED_OFF = 0.25, 0.05
"""Octaves, or seconds, that an inter-onset interval may be off the tempo and still be in time."""

# Stands in where a library is too small to have a background: medians of fits over 150 pop songs.
TYPICAL_NOTES = Background(2.7, 1.7, 2.2, measured=False, shortest=19.0)


def readings_in_time(melodies: int) -> list[tuple[int, Costs, float]]:
    """List the readings to try where rhythm counts: melody, costs, share of the chance of error.

    A weighted Bonferroni correction.

    Parameters
    ----------
    melodies : int
        Of the piece, the likeliest first.
    """
    likeliest, *others = shares_of_chance(melodies)
    return [
        (0, IN_TIME, likeliest * IN_TIME_SHARE),
        (0, OTHER_RHYTHM, likeliest * (1 - IN_TIME_SHARE)),
        *((k, IN_TIME, share) for k, share in enumerate(others, 1)),
    ]


def readings_by_pitch(melodies: int) -> list[tuple[int, Costs, float]]:
    """List the readings to be tried where pitch alone counts, as `readings_in_time` does."""
    return [(k, PITCH_ALONE, share) for k, share in enumerate(shares_of_chance(melodies))]


def shares_of_chance(melodies: int) -> list[float]:
    """Share the chance of error out among the melodies of a piece."""
    if melodies == 1:
        return [1.0]
    return [FIRST_MELODY_SHARE, *[(1 - FIRST_MELODY_SHARE) / (melodies - 1)] * (melodies - 1)]


def candidates_of(coarse: NDArray[np.int8], library: Shelf) -> NDArray[np.int64]:
    """Choose the references that the first pass hands on: the best, and the best protected ones.

    Parameters
    ----------
    coarse : ndarray of int8, shape (references,)
        Scores of the first pass.
    library : Shelf
    """
    # The verdict hangs on protected references: they are not crowded out by a large folk library.
    bound = np.flatnonzero(library.protected)
    return np.concatenate(
        [best_of_first_pass(coarse, CANDIDATES), bound[best_of_first_pass(coarse[bound], CANDIDATES)]]
    )


def best_of_first_pass(coarse: NDArray[np.int8], wanted: int) -> NDArray[np.int64]:
    """Find the highest scores of the first pass, of equal ones the first.

    Parameters
    ----------
    coarse : ndarray of int8, shape (n,)
        Scores of the first pass.
    wanted : int
        How many at most.

    Returns
    -------
    ndarray of int64
        Places in `coarse`, the highest first.
    """
    at_least = np.cumsum(np.bincount(coarse, minlength=1)[::-1])[::-1]  # references by least score
    border = int(np.flatnonzero(at_least >= min(wanted, len(coarse)))[-1]) if len(coarse) else 0
    near = np.flatnonzero(coarse >= border)
    return near[np.argsort(-coarse[near].astype(np.int64), kind="stable")[:wanted]]


def read_notes(
    sequence: Sequence,
    melody: int,
    candidates: NDArray[np.int64],
    library: Shelf,
    tries: float,
    threads: int,
    costs: Costs,
    always: NDArray[np.int64],
) -> Hypothesis:
    """Score one melody against its candidates and the background: the second pass.

    Parameters
    ----------
    sequence : Sequence
        Of the melody.
    melody : int
        Which of the piece it is.
    candidates : ndarray of int64
        References that are worth aligning.
    library : Shelf
    tries : float
        Number of tries that E-values are corrected for.
    costs : Costs
    always : ndarray of int64
        References that are scored whether they are candidates or not.
    """
    references = np.unique(np.concatenate([always, candidates, *library.backgrounds]))
    corpus = library.index.corpus(references)
    every = np.arange(len(references))
    score = align_scores(sequence, corpus, every, threads, costs).astype(np.float64)
    turned = retrograde(sequence)

    def backwards(places: NDArray[np.int64]) -> NDArray[np.float32]:
        return align_scores(turned, corpus, places, threads, costs)

    fits, known = _backgrounds(score, references, corpus, library, backwards)
    e_value, standardised = e_values(score, references, library, fits, tries)
    if costs is PITCH_ALONE:  # works that were asked for by name need no control
        return Hypothesis(references, score, e_value, standardised, fits, melody, costs, related=known)
    # What the same notes score backwards is composition, not tune: repeated notes, ostinati, scales
    # (Karplus et al. 2005, "Calibrating E-values for hidden Markov models using reverse-sequence null
    # models"). Repeated until all of the best are controlled: the scores of
    # controlled references fall, and one that was not controlled would come first only for that.
    kinds = library.protected[references]
    controlled = np.zeros(len(references), bool)
    while True:
        order = np.argsort(e_value, kind="stable")
        if controlled[best_of_each_kind(order, kinds[order], MEASURED_AGAIN)].all():
            break
        best = best_of_each_kind(order, kinds[order], CONTROLLED)
        best = best[~controlled[best]]
        lengths = corpus.lengths[best]
        expected = np.where(kinds[best], fits[1].expected(lengths), fits[0].expected(lengths))
        # The background stays what it was: what that amounts to, the library's own works show.
        turned_score = np.maximum(backwards(best) - expected, 0)
        score[best] = np.maximum(score[best] - BACKWARDS_WEIGHT * turned_score, 0)
        controlled[best] = True
        e_value, standardised = e_values(score, references, library, fits, tries)
    return Hypothesis(
        references, score, e_value, standardised, fits, melody, costs, tries=tries, related=known
    )


def _backgrounds(
    score: NDArray[np.float64],
    references: NDArray[np.int64],
    corpus: Corpus,
    library: Shelf,
    backwards: Callable[[NDArray[np.int64]], NDArray[np.float32]],
) -> tuple[tuple[Background, Background], NDArray[np.int64]]:
    """Fit the backgrounds of free and of protected references, and find related references.

    A related reference is no background: a work that the library holds many times over, which the query
    follows more closely than chance and its own repetitions explain. `backwards` scores places in
    `references` against the reversed query.
    """
    fits, related = [], [np.zeros(0, np.int64)]
    for kind in (0, 1):
        places = np.searchsorted(references, background_sample(library, kind))
        scores, lengths = score[places], corpus.lengths[places]
        suspect = suspects(scores, lengths, TYPICAL_NOTES)
        fit = fit_background(scores, lengths, TYPICAL_NOTES, related=suspect)
        if suspect.any():
            turned = backwards(places[suspect])
            tune = scores[suspect] - np.maximum(turned - fit.expected(lengths[suspect]), 0)
            expected = fit.e_value(tune, lengths[suspect], len(places), 1)
            suspect[suspect] = expected < BEYOND_CHANCE
            related.append(references[places[suspect]])
            fit = fit_background(scores, lengths, TYPICAL_NOTES, related=suspect)
        fits.append(as_of_kind(fit, library, kind))
    return (fits[0], fits[1]), np.unique(np.concatenate(related))


def as_of_kind(background: Background, library: Shelf, kind: int) -> Background:
    """Raise the mode of a background of protected works that was fitted to free works."""
    if not (kind and others_stand_in(library, kind) and background.measured):
        return background
    return replace(background, mode=background.mode + STAND_IN * background.scale)


def others_stand_in(library: Shelf, kind: int) -> bool:
    """Say whether a kind has too few works for a background, so that the other stands in for it."""
    mine, other = library.backgrounds[kind], library.backgrounds[1 - kind]
    return few_beside_free(len(mine), len(other))


def background_sample(library: Shelf, kind: int, but: int = -1) -> NDArray[np.int64]:
    """Choose the references, all but `but`, that the background of a kind is fitted to.

    If the kind has too few, the other kind stands in.
    """
    mine, other = (s[s != but] for s in (library.backgrounds[kind], library.backgrounds[1 - kind]))
    return other if few_beside_free(len(mine), len(other)) else mine


def match_notes(
    piece: Piece, library: Shelf, sequence: Sequence, reading: Hypothesis, place: int, whole: Reference
) -> Match | None:
    """Trace the alignment of a melody with a reference; None if no passage is followed.

    Parameters
    ----------
    piece : Piece
    library : Shelf
    sequence : Sequence
        Of the melody that was read.
    reading : Hypothesis
    place : int
        Of the reference in the reading.
    whole : Reference
    """
    reference = int(reading.references[place])
    melody, theirs = piece.melodies[reading.melody or 0], whole.melody
    corpus = library.index.corpus(np.array([reference]))
    path = align_path(sequence, corpus, 0, reading.costs).path
    if not len(path):
        return None
    mine, other = path[:, 0], path[:, 1]
    fresh = path_freshness(own_freshness(sequence), corpus.fresh, path)
    apart = np.rint(melody.pitch[mine] - theirs.pitch[other]).astype(np.int64)
    values, counts = np.unique(apart, return_counts=True)
    transposition = int(values[np.argmax(counts)])
    steps, their_steps = np.diff(melody.onset[mine]), np.diff(theirs.onset[other])
    tempo_ratio = float(np.median(their_steps / steps))
    return Match(
        reference=whole.entry,
        reference_melody=theirs,
        query=span(melody, mine),
        reference_span=span(theirs, other),
        transposition=transposition,
        tempo_ratio=tempo_ratio,
        identity=float(counts.max() / len(path)),
        notes=len(path),
        distinct=1 + int((fresh >= NEW).sum()),
        share=len(path) / min(len(melody), len(theirs)),
        rhythm=float(_in_step(steps, their_steps / tempo_ratio).mean()),
        score=float(reading.score[place]),
        e_value=float(reading.e_value[place]),
        standardised=float(reading.standardised[place]),
        path=path,
        melody=reading.melody or 0,
        voice=melody.voice,
        evidence="notes",
        background=reading.backgrounds[int(library.protected[reference])],
    )


def _in_step(steps: NDArray[np.float64], expected: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say which inter-onset intervals, in seconds, are as long as expected, or nearly."""
    off = np.abs(np.log2(steps / expected)) < IN_STEP
    return off | (np.abs(steps - expected) < PLAYED_OFF)
