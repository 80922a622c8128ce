"""From a piece and a library to ranked matches: the one way through, for every command.

Each melody hypothesis of the piece is scored against every reference (first pass), the best of them
and a background sample again with the full alignment (second pass). A recording is listened to for
every reference, without deciding on notes; the transcribed lines only support what is heard. Every
score becomes an E-value against its own background; a reference keeps its best one, corrected for
the number of hypotheses tried; and the best references get their paths.

A check is a pure function of the piece and the library: no global state, safe in threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from melodysim.align.listen import (
    BLOCK_SECONDS,
    PITCHES,
    QUANTUM,
    Evidence,
    Listening,
    prepare_evidence,
    scan_heard,
    trace_heard,
)
from melodysim.align.notes import IN_TIME, OTHER_RHYTHM, PITCH_ALONE, Costs, align_path, align_scores
from melodysim.align.seeds import SEED
from melodysim.library import Reference, Shelf
from melodysim.match import Match, Span, Turn
from melodysim.melody import Heard, Melody, Piece
from melodysim.passages import background_of_passage, log_e_value, passage_of, seen_in_songs
from melodysim.recurrence import places_in_melody, places_in_recording
from melodysim.sequence import Sequence, normalise, retrograde
from melodysim.significance import (
    FITTED_ALL,
    FITTED_LISTENED,
    SMALLEST_BACKGROUND,
    Background,
    fit_background,
    sample_references,
)

CANDIDATES = 300
"""References that the first pass hands on. Of passages of 20 notes of which 15 % were changed, it
ranked 97 % within 610 of 12,942, and 90 % within 61."""
CONTROLLED = 60
"""Best references of each kind that are aligned backwards too with a melody, as a control."""
MEASURED_AGAIN = 12
"""Best references of each kind whose passage is measured against chance by itself."""
FIRST_MELODY_SHARE = 0.8
"""Chance of error given to the likeliest of several melodies; the others share the rest equally, so
that an accompaniment must follow a reference more closely than the tune itself to count as much."""
IN_TIME_SHARE = 0.9
"""Chance of error given to the likeliest melody's reading in time; its reading whatever the rhythm has
the rest. Other words bring other rhythms, but most copies keep theirs."""
IN_STEP, PLAYED_OFF = 0.25, 0.05
"""Octaves, or seconds, that a step may be off the tempo of a passage and be in time."""
LINE_WEIGHT, LINE_CHANCE = 1.0, 3.0
"""What a transcribed line adds to what was heard of a recording: share of its standardised score, and
from which score on. On 50 rendered songs the lines took the right one from first in 0.56 to 0.78; on 28
real recordings they changed nothing (docs/hearing.md)."""
PITCH_WEIGHT = 0.5
"""What listening by pitch adds to listening by pitch class: share of its standardised score."""
LISTENED_SAMPLE = 2400
"""References that are listened to by pitch to measure chance, beside those that may be followed. With
1,200, and so a fit further from the tail, E-values were two to three times too large."""
TURN_NOTES = SEED + 1
"""Notes of a turn: five intervals, which two unrelated pop songs share once in 4,400 times."""
DESCRIBED = 0.5
"""E-value below which a match is worth describing by its rarest turn."""
_COMMON = 0.25
"""Part of the shorter of two places that they have in common at least if they are one."""
MAX_LISTENED = 20_000
"""References that a recording is listened to for; above that, the best by the first pass."""

# Stand in where a library is too small to have a background: medians of fits over 150 pop songs and
# of 45 recordings against 12,942 references.
TYPICAL_NOTES = Background(2.7, 1.7, 2.2, measured=False, shortest=19.0)
TYPICAL_HEARD = Background(
    -110.0, 62.4, 8.2, measured=False, bends=((60.0, -30.0), (150.0, -31.0)), shortest=19.0
)


@dataclass(frozen=True, eq=False)
class _Hypothesis:
    """Scores of one reading of the piece against some references.

    `standardised` and `e_value` go along with `references`; `costs`, by which notes were aligned, and
    `found` hold what is needed to trace; `tries` is what E-values were corrected by.
    """

    references: NDArray[np.int64]
    score: NDArray[np.float64]
    e_value: NDArray[np.float64]
    standardised: NDArray[np.float64]
    backgrounds: tuple[Background, Background]
    melody: int | None
    costs: Costs = IN_TIME
    found: NDArray[np.int32] | None = None
    tries: float = 1.0


@dataclass(frozen=True, eq=False)
class _Ranked:
    """A piece read in every way against some references, the best first.

    `order` holds references, best first; `best` which reading says most for each reference and where in
    it; `evidence` what is needed to trace what was heard.
    """

    piece: Piece
    library: Shelf
    sequences: list[Sequence]
    evidence: Evidence | None
    readings: list[_Hypothesis]
    best: NDArray[np.int64]
    order: NDArray[np.int64]

    def e_value(self, reference: int) -> float:
        """Give the E-value of a reference in `order`."""
        reading, place = self.best[reference]
        return float(self.readings[reading].e_value[place])

    def traced(self, references: NDArray[np.int64]) -> dict[int, Match]:
        """Find where the piece follows some references of `order`; not all are followed anywhere."""
        names = {int(k): self.library.index.name(int(k)) for k in references}
        found = self.library.references(list(names.values()))
        matches = {}
        for reference, name in names.items():
            match = self._traced(reference, found[name])
            if match is not None:
                matches[reference] = match
        return matches

    def described(self, reference: int, match: Match) -> Match:
        """Add to a match what is only worth looking for where chance hardly explains it."""
        if match.e_value >= DESCRIBED:
            return match
        turn = _rarest_turn(match, self.library, reference)
        return replace(match, turn=turn, places=self._places(reference, match))

    def _places(self, reference: int, match: Match) -> tuple[tuple[float, float], ...]:
        """Find every place of the piece that follows the passage of a match."""
        passage = match.reference_melody, match.reference_span.notes, self.library.index.rarity
        reading = self.readings[self.best[reference, 0]]
        if reading.melody is None:
            assert self.piece.heard is not None
            found = places_in_recording(self.piece.heard, *passage)
            return _with_others(match.query.seconds, found, found)
        melody = self.piece.melodies[reading.melody]
        notes = places_in_melody(melody, *passage, reading.costs)
        seconds = [_span(melody, np.array([first, last - 1])).seconds for first, last in notes]
        # Counted in notes: those of a file may sound on into the next refrain.
        return _with_others(match.query.seconds, seconds, notes, match.query.notes)

    def _traced(self, reference: int, whole: Reference) -> Match | None:
        number, place = self.best[reference]
        reading = self.readings[number]
        if reading.melody is None:
            return _match_heard(self.piece, self.library, self.evidence, reading, place, whole)
        sequence = self.sequences[reading.melody]
        return _match_notes(self.piece, self.library, sequence, reading, place, whole)


def find_matches(
    piece: Piece,
    library: Shelf,
    top: int,
    threads: int = 1,
    only: NDArray[np.int64] | None = None,
    timing: bool = True,
    tick: Callable[[str], None] | None = None,
) -> list[Match]:
    """Match a piece against a library.

    Parameters
    ----------
    piece : Piece
        With at least one melody.
    library : Shelf
    top : int
        Number of matches wanted, significant or not.
    threads : int, optional
        Threads to use; the result does not depend on it.
    only : ndarray of int64, optional
        References to report; the others are background.
    timing : bool, optional
        Whether rhythm counts. Without it there is no backwards control either: a work that has been
        picked to be compared is not one of thousands that might be alike by their repetitions.
    tick : callable, optional
        Called with what is done next; raises to stop it.

    Returns
    -------
    list of Match
        At most `top`, one a reference, the smallest E-value first; and one more if the best reference
        that is not known to be free is not among them, so that a verdict can be drawn.
    """
    if not len(library.index):
        return []
    tick = tick or _silent
    ranked = _rank(piece, library, threads, only, timing, None, tick)
    tick("describing matches")
    order = ranked.order if only is None else ranked.order[np.isin(ranked.order, only)]
    wanted = order[:top]
    protected = order[library.protected[order]]
    if len(protected) and protected[0] not in wanted:
        wanted = np.append(wanted, protected[0])
    return [ranked.described(*found) for found in ranked.traced(wanted).items()]


def standings(
    piece: Piece, library: Shelf, references: NDArray[np.int64], threads: int = 1
) -> NDArray[np.float64]:
    """Say how far above chance references stand in a piece, by pitch alone.

    Parameters
    ----------
    piece : Piece
        With at least one melody.
    library : Shelf
    references : ndarray of int64, shape (n,)
        Which; the others are background.
    threads : int, optional
        Threads to use; the result does not depend on it.

    Returns
    -------
    ndarray of float64, shape (n,)
        Standardised scores, of the reading that says most for each.
    """
    ranked = _rank(piece, library, threads, references, False, None, _silent)
    highest = np.full(len(library.index), -np.inf)
    for reading in ranked.readings:
        highest[reading.references] = np.maximum(highest[reading.references], reading.standardised)
    return highest[references]


def matches_below(
    piece: Piece, library: Shelf, e_value: float, promising: NDArray[np.int64], threads: int = 1
) -> dict[int, Match]:
    """Match a piece with references that are known to be worth it.

    Parameters
    ----------
    piece : Piece
        With at least one melody.
    library : Shelf
    e_value : float
        Matches below it are given.
    promising : ndarray of int64
        References worth aligning; the others are background, and there is no first pass.
    threads : int, optional
        Threads to use; the result does not depend on it.

    Returns
    -------
    dict of int to Match
        By reference, the smallest E-value first, references of the background among them if they are
        followed so closely; no rarest turns are looked for.
    """
    ranked = _rank(piece, library, threads, None, True, promising, _silent)
    below = [ranked.e_value(reference) < e_value for reference in ranked.order]
    return ranked.traced(ranked.order[np.array(below, bool)])


def _rank(
    piece: Piece,
    library: Shelf,
    threads: int,
    only: NDArray[np.int64] | None,
    timing: bool,
    promising: NDArray[np.int64] | None,
    tick: Callable[[str], None],
) -> _Ranked:
    """Read a piece in every way, and order the references by what the best way says for each."""
    sequences = [normalise(melody) for melody in piece.melodies]
    always = np.zeros(0, np.int64) if only is None else only
    works = max(1, len(always))
    if promising is None:
        first = []
        for sequence in sequences:
            tick("looking for candidates")
            first.append(library.index.scan(sequence, library.protected, threads))
        candidates = [_candidates(coarse, library) for coarse in first]
    else:
        first, candidates = [], [promising] * len(sequences)
    readings = []
    for k, costs, share in _hypotheses(len(sequences), timing):
        tick("aligning notes")
        tries = works / share
        read = _read_notes(sequences[k], k, candidates[k], library, tries, threads, costs, always)
        readings.append(read)
    evidence = None
    if piece.heard is not None:
        tick("listening for every reference")
        evidence = prepare_evidence(piece.heard)
        readings = [_read_salience(piece.heard, evidence, first, readings, library, works, threads)]
    best = _best_reading(readings, len(library.index))
    if evidence is None and timing and promising is None:
        tick("measuring passages")
        readings = _measured_by_passage(sequences, readings, best, library, threads)
    return _Ranked(piece, library, sequences, evidence, readings, best, _ranking(readings, best))


def _measured_by_passage(
    sequences: list[Sequence],
    readings: list[_Hypothesis],
    best: NDArray[np.int64],
    library: Shelf,
    threads: int,
) -> list[_Hypothesis]:
    """Measure the best references of each kind against what chance does with their passage."""
    logs = [np.log(np.maximum(reading.e_value, 1e-300)) for reading in readings]
    order = _ranking(readings, best)
    protected = library.protected[order]
    for reference in np.concatenate(
        [order[protected][:MEASURED_AGAIN], order[~protected][:MEASURED_AGAIN]]
    ):
        number, place = best[reference]
        reading = readings[number]
        kind = int(library.protected[reference])
        again = _log_e_of_passage(
            sequences[reading.melody or 0], reading, place, library, kind, threads
        )
        if again is not None:  # and so the background of the whole was measured too
            z = float(reading.standardised[place])
            whole = log_e_value(z, library.comparisons[kind], reading.tries)
            logs[number][place] = (whole + again) / 2
    return [
        replace(reading, e_value=seen_in_songs(log_e))
        for reading, log_e in zip(readings, logs, strict=True)
    ]


def _log_e_of_passage(
    sequence: Sequence,
    reading: _Hypothesis,
    place: int,
    library: Shelf,
    kind: int,
    threads: int,
) -> float | None:
    """Give the logarithm of the E-value of a reference by its passage alone; None if it has none."""
    reference = int(reading.references[place])
    # One kind alone may be too small to be measured: then the other stands for it.
    samples = [library.backgrounds[kind], library.backgrounds[1 - kind]]
    sample = next((s for s in samples if len(s) > SMALLEST_BACKGROUND), None)
    if sample is None:
        return None
    path = align_path(sequence, library.index.corpus(np.array([reference])), 0, reading.costs).path
    if not len(path):
        return None
    notes = int(path[0, 0]), int(path[-1, 0]) + 1
    passage = passage_of(sequence, notes)
    unrelated = library.index.corpus(sample[sample != reference])
    chance = background_of_passage(passage, unrelated, reading.costs, TYPICAL_NOTES, threads)
    length = library.index.lengths[reference]
    standardised = float(chance.standardised(reading.score[place], length))
    side_by_side = max(len(sequence) / len(passage), 1.0)
    return log_e_value(standardised, library.comparisons[kind], reading.tries * side_by_side)


def _silent(_: str) -> None:
    """Tell nobody."""


def _with_others(
    seconds: tuple[float, float],
    found: list[tuple[float, float]],
    places: Iterable[tuple[float, float]],
    mine: tuple[float, float] | None = None,
) -> tuple[tuple[float, float], ...]:
    """Give a match's own seconds and those of the other places that were found, in order.

    `places` are those of `found`, and `mine` is the match's own, as they are to be compared. The search
    for the passage alone may begin or end it a note off; if it does not find the match at all it looks
    for something else, and what it found is left out.
    """
    begin, end = mine or seconds
    apart = [min(b, end) - max(a, begin) < _COMMON * min(b - a, end - begin) for a, b in places]
    others = [where for where, other in zip(found, apart, strict=True) if other]
    return tuple(sorted([*(others if len(others) < len(found) else []), seconds]))


def _rarest_turn(match: Match, library: Shelf, reference: int) -> Turn | None:
    """Find the turn, of the notes that the passage has in common, that fewest melodies have."""
    first, last = match.reference_span.notes
    interval = library.index.notes(np.array([reference])).interval
    if match.evidence == "notes":  # only where note followed note in both
        together = np.flatnonzero((np.diff(match.path, axis=0) == 1).all(axis=1))
        linked = set(match.path[together, 1].tolist())
    else:
        linked = set(range(first, last - 1))
    best: Turn | None = None
    for note in range(first, last - TURN_NOTES + 1):
        if not linked.issuperset(range(note, note + TURN_NOTES - 1)):
            continue
        melodies = library.index.melodies_with(interval[note : note + TURN_NOTES - 1])
        if best is None or melodies < best.melodies:
            best = Turn((note, note + TURN_NOTES), melodies, len(library.index))
        if melodies <= 1:
            break
    return best


def _hypotheses(melodies: int, timing: bool) -> list[tuple[int, Costs, float]]:
    """List the readings to be tried: melody, costs, and its share of the chance of error.

    A weighted Bonferroni correction.
    """
    others = (1 - FIRST_MELODY_SHARE) / max(melodies - 1, 1)
    shares = [FIRST_MELODY_SHARE if melodies > 1 else 1.0, *[others] * (melodies - 1)]
    if not timing:
        return [(k, PITCH_ALONE, share) for k, share in enumerate(shares)]
    return [
        (0, IN_TIME, shares[0] * IN_TIME_SHARE),
        (0, OTHER_RHYTHM, shares[0] * (1 - IN_TIME_SHARE)),
        *((k, IN_TIME, share) for k, share in enumerate(shares[1:], 1)),
    ]


def _backgrounds(
    score: NDArray[np.float64], references: NDArray[np.int64], library: Shelf
) -> tuple[Background, Background]:
    """Fit what chance does among free and among protected references, each by their own kind."""
    lengths = library.index.lengths
    position = np.full(len(library.index), -1, np.int64)
    position[references] = np.arange(len(references))
    free, protected = (
        fit_background(score[position[sample]], lengths[sample], TYPICAL_NOTES)
        for sample in library.backgrounds
    )
    # One kind alone may be too small to be measured: then the other stands for it.
    if not protected.measured:
        protected = free
    if not free.measured:
        free = protected
    return free, protected


def _e_values(
    score: NDArray[np.float64],
    references: NDArray[np.int64],
    library: Shelf,
    backgrounds: tuple[Background, Background],
    tries: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give E-values and standardised scores."""
    lengths = library.index.lengths[references]
    e_value, standardised = np.empty(len(references)), np.empty(len(references))
    for kind, background in enumerate(backgrounds):
        mine = library.protected[references] == bool(kind)
        args = score[mine], lengths[mine]
        e_value[mine] = background.e_value(*args, library.comparisons[kind], tries)
        standardised[mine] = background.standardised(*args)
    return e_value, standardised


def _candidates(coarse: NDArray[np.int8], library: Shelf) -> NDArray[np.int64]:
    """Choose the references that the first pass hands on."""
    # The verdict hangs on protected references: they are not crowded out by a large folk library.
    bound = np.flatnonzero(library.protected)
    return np.concatenate([_highest(coarse, CANDIDATES), bound[_highest(coarse[bound], CANDIDATES)]])


def _highest(coarse: NDArray[np.int8], wanted: int) -> NDArray[np.int64]:
    """Find the references with the highest first scores, of equal ones the first."""
    at_least = np.cumsum(np.bincount(coarse, minlength=1)[::-1])[::-1]  # references by least score
    border = int(np.flatnonzero(at_least >= min(wanted, len(coarse)))[-1]) if len(coarse) else 0
    near = np.flatnonzero(coarse >= border)
    return near[np.argsort(-coarse[near].astype(np.int64), kind="stable")[:wanted]]


def _read_notes(
    sequence: Sequence,
    melody: int,
    candidates: NDArray[np.int64],
    library: Shelf,
    tries: float,
    threads: int,
    costs: Costs,
    always: NDArray[np.int64],
) -> _Hypothesis:
    """Second pass of one melody hypothesis: the best candidates and the background.

    References in `always` are scored whether they are candidates or not.
    """
    references = np.unique(np.concatenate([always, candidates, *library.backgrounds]))
    corpus = library.index.corpus(references)
    every = np.arange(len(references))
    score = align_scores(sequence, corpus, every, threads, costs).astype(np.float64)
    fits = _backgrounds(score, references, library)
    e_value, standardised = _e_values(score, references, library, fits, tries)
    if costs is PITCH_ALONE:
        return _Hypothesis(references, score, e_value, standardised, fits, melody, costs)
    # What the same notes score backwards is composition, not tune: repeated notes, ostinati, scales
    # (Karplus et al. 2005, "What is the value added by human intervention", the reverse null model).
    order = np.argsort(e_value, kind="stable")
    protected = library.protected[references[order]]
    best = np.concatenate([order[protected][:CONTROLLED], order[~protected][:CONTROLLED]])
    backwards = align_scores(retrograde(sequence), corpus, best, threads, costs)
    kinds = library.protected[references[best]]
    lengths = corpus.lengths[best]
    expected = np.where(kinds, fits[1].expected(lengths), fits[0].expected(lengths))
    # The background stays what it was: fitted to scores treated in the same way, it puts made-up tunes
    # where they belong, but real songs, which share turns, too low (docs/how-it-works.md).
    score[best] = np.maximum(score[best] - np.maximum(backwards - expected, 0), 0)
    e_value, standardised = _e_values(score, references, library, fits, tries)
    return _Hypothesis(references, score, e_value, standardised, fits, melody, costs, tries=tries)


def _read_salience(
    heard: Heard,
    evidence: Evidence,
    first: list[NDArray[np.int8]],
    lines: list[_Hypothesis],
    library: Shelf,
    tries: float,
    threads: int,
) -> _Hypothesis:
    """Listen for every reference, or the most promising of a very large library.

    The best by pitch class are listened to again by pitch, and what the best of the transcribed lines
    says beyond chance is added.
    """
    references = np.arange(len(library.index))
    sample = sample_references(library.index.order.key, np.ones(len(references), bool), LISTENED_SAMPLE)
    if len(references) > MAX_LISTENED:
        promising = _highest(np.max(first, axis=0), MAX_LISTENED)
        references = np.unique(np.concatenate([promising, *library.backgrounds, sample]))
        corpus = library.index.corpus(references)
    else:
        corpus = library.index.whole
    lengths = library.index.lengths[references]
    found = scan_heard(corpus, evidence, np.arange(len(references)), threads)
    score = found[:, 0] / QUANTUM
    background = fit_background(score, lengths, TYPICAL_HEARD, FITTED_ALL)
    support = np.zeros(len(library.index))
    for line in lines:
        excess = LINE_WEIGHT * np.maximum(line.standardised - LINE_CHANCE, 0)
        support[line.references] = np.maximum(support[line.references], excess)
    support = support[references]
    if background.measured:  # typical values are of one look alone
        # With what the lines say: one that was transcribed well finds what listening misses.
        promise = background.standardised(score, lengths) + support
        chosen = _worth_another_look(promise, references, library, sample)
        references, found, lengths = references[chosen], found[chosen], lengths[chosen]
        corpus = library.index.corpus(references)
        again = scan_heard(corpus, prepare_evidence(heard, PITCHES), np.arange(len(chosen)), threads)
        by_pitch = _fitted_to(sample, references, again[:, 0] / QUANTUM, lengths)
        support = support[chosen] + PITCH_WEIGHT * by_pitch.standardised(again[:, 0] / QUANTUM, lengths)
        score = score[chosen]
    score += np.where(score > 0, support * background.scale, 0)
    if background.measured:
        background = _fitted_to(sample, references, score, lengths)
    fits = (background, background)
    e_value, standardised = _e_values(score, references, library, fits, tries)
    return _Hypothesis(references, score, e_value, standardised, fits, None, found=found)


def _worth_another_look(
    promise: NDArray[np.float64],
    references: NDArray[np.int64],
    library: Shelf,
    sample: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Choose the best references of each kind, and a sample to measure chance on: places among them."""
    order = np.argsort(-promise, kind="stable")
    protected = library.protected[references[order]]
    best = [order[kind][:CANDIDATES] for kind in (protected, ~protected)]
    return np.unique(np.concatenate([*best, np.flatnonzero(np.isin(references, sample))]))


def _fitted_to(
    sample: NDArray[np.int64],
    references: NDArray[np.int64],
    score: NDArray[np.float64],
    lengths: NDArray[np.integer],
) -> Background:
    """Fit what chance does to the scores of a sample, not of what was chosen for its scores."""
    mine = np.isin(references, sample)
    return fit_background(score[mine], lengths[mine], TYPICAL_HEARD, FITTED_LISTENED)


def _best_reading(readings: list[_Hypothesis], references: int) -> NDArray[np.int64]:
    """Which reading, and which place in it, says most for each reference: [references, 2]."""
    best = np.full((references, 2), -1, np.int64)
    smallest = np.full(references, np.inf)
    highest = np.full(references, -np.inf)
    for number, reading in enumerate(readings):
        e, z = reading.e_value, reading.standardised
        at = reading.references
        better = (e < smallest[at]) | ((e == smallest[at]) & (z > highest[at]))
        better &= reading.score > 0
        smallest[at[better]], highest[at[better]] = e[better], z[better]
        best[at[better], 0], best[at[better], 1] = number, np.flatnonzero(better)
    return best


def _ranking(readings: list[_Hypothesis], best: NDArray[np.int64]) -> NDArray[np.int64]:
    """Order references by E-value; where that is 0 to machine precision, by standardised score."""
    scored = np.flatnonzero(best[:, 0] >= 0)
    e = np.array([readings[r].e_value[p] for r, p in best[scored]], np.float64)
    z = np.array([readings[r].standardised[p] for r, p in best[scored]], np.float64)
    return scored[np.lexsort((scored, -z, e))]


def _match_notes(
    piece: Piece,
    library: Shelf,
    sequence: Sequence,
    reading: _Hypothesis,
    place: int,
    whole: Reference,
) -> Match | None:
    """Trace a match of notes with notes."""
    reference = int(reading.references[place])
    melody, theirs = piece.melodies[reading.melody or 0], whole.melody
    corpus = library.index.corpus(np.array([reference]))
    path = align_path(sequence, corpus, 0, reading.costs).path
    if not len(path):
        return None
    mine, other = path[:, 0], path[:, 1]
    apart = np.rint(melody.pitch[mine] - theirs.pitch[other]).astype(np.int64)
    values, counts = np.unique(apart, return_counts=True)
    transposition = int(values[np.argmax(counts)])
    steps, their_steps = np.diff(melody.onset[mine]), np.diff(theirs.onset[other])
    tempo_ratio = float(np.median(their_steps / steps))
    return Match(
        reference=whole.entry,
        reference_melody=theirs,
        query=_span(melody, mine),
        reference_span=_span(theirs, other),
        transposition=transposition,
        tempo_ratio=tempo_ratio,
        identity=float(counts.max() / len(path)),
        notes=len(path),
        share=len(path) / min(len(melody), len(theirs)),
        rhythm=float(_in_step(steps, their_steps / tempo_ratio).mean()),
        score=float(reading.score[place]),
        e_value=float(reading.e_value[place]),
        standardised=float(reading.standardised[place]),
        path=path,
        voice=melody.voice,
        evidence="notes",
        background=reading.backgrounds[int(library.protected[reference])],
    )


def _in_step(steps: NDArray[np.float64], expected: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say which steps of a passage, in seconds, last as long as expected, or as hands play that."""
    off = np.abs(np.log2(steps / expected)) < IN_STEP
    return off | (np.abs(steps - expected) < PLAYED_OFF)


def _match_heard(
    piece: Piece,
    library: Shelf,
    evidence: Evidence | None,
    reading: _Hypothesis,
    place: int,
    whole: Reference,
) -> Match | None:
    """Trace a reference that was heard, and find the notes of the tracked line that go with it."""
    if evidence is None or piece.heard is None or reading.found is None:
        return None
    reference = int(reading.references[place])
    theirs, melody = whole.melody, piece.melodies[0]
    corpus = library.index.corpus(np.array([reference]))
    heard = trace_heard(corpus, evidence, piece.heard, 0, reading.found[place])
    path = _pair_notes(melody, heard)
    seconds = (float(heard.begin[0]), float(heard.end[-1]))
    first, last = np.searchsorted(melody.onset, seconds)
    at_once = max(min(piece.duration, BLOCK_SECONDS), seconds[1] - seconds[0])
    return Match(
        reference=whole.entry,
        reference_melody=theirs,
        query=Span((int(first), max(int(last), int(first))), seconds),
        reference_span=_span(theirs, heard.note),
        transposition=round(heard.first_pitch - library.index.first_pitch(reference)),
        tempo_ratio=heard.tempo_ratio,
        identity=float(heard.heard.mean()),
        notes=int(heard.heard.sum()),
        share=max(int(heard.heard.sum()) / len(theirs), (seconds[1] - seconds[0]) / at_once),
        rhythm=None,
        score=heard.score / float(np.log(2)),
        e_value=float(reading.e_value[place]),
        standardised=float(reading.standardised[place]),
        path=path,
        voice=melody.voice,
        evidence="salience",
        background=reading.backgrounds[int(library.protected[reference])],
        listening=heard,
    )


def _pair_notes(melody: Melody, heard: Listening) -> NDArray[np.int64]:
    """Pair each note that was heard with the transcribed note that overlaps it most, in order."""
    pairs: list[tuple[int, int]] = []
    ends = melody.onset + melody.duration
    for note, begin, end, sung in zip(heard.note, heard.begin, heard.end, heard.heard, strict=True):
        common = np.minimum(ends, end) - np.maximum(melody.onset, begin)
        if sung and len(common) and common.max() > 0:
            k = int(np.argmax(common))
            if not pairs or k > pairs[-1][0]:
                pairs.append((k, int(note)))
    return np.array(pairs, np.int64).reshape(-1, 2)


def _span(melody: Melody, notes: NDArray[np.int64]) -> Span:
    """Give the stretch from the first to the last of some notes."""
    first, last = int(notes[0]), int(notes[-1])
    seconds = float(melody.onset[first]), float(melody.onset[last] + melody.duration[last])
    beats = None
    if melody.beat is not None:
        beats = float(melody.beat[first]), float(melody.beat[last])
    return Span((first, last + 1), seconds, beats)
