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
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from melodysim.align.dtw import Costs
from melodysim.align.salience_evidence import PitchEvidence, prepare_evidence
from melodysim.intervals import Sequence, normalise
from melodysim.library import Entry, Reference, Shelf
from melodysim.library.shelf import NOTHING
from melodysim.melody import Piece
from melodysim.search.by_notes import (
    candidates_of,
    match_notes,
    read_notes,
    readings_by_pitch,
    readings_in_time,
)
from melodysim.search.by_salience import best_support, read_recording
from melodysim.search.hypothesis import Hypothesis, best_reading, ranking, restricted
from melodysim.search.match import DESCRIBED, Match
from melodysim.search.match_details import match_heard, rarest_turn, same_passage, span, with_others
from melodysim.search.refrains import places_in_melody, places_in_recording
from melodysim.search.standing import weighed

RECORDINGS = 16
"""Recordings of a library that are compared with a track by themselves, the best by their lines. Of 95
that come first among 72 by all that is heard, 93 are among the best 8 by their line, all among 16."""
_LOOKED_AT = 12
"""References that may be of the same work as a query, before one is not."""


def _silent(_: str) -> None:
    """Ignore a stage: the `tick` of calls without one."""


@dataclass(frozen=True, eq=False)
class _Search:
    """A piece to be matched against a library; `works` are references that were asked for by name."""

    piece: Piece
    library: Shelf
    threads: int
    works: NDArray[np.int64] = field(default_factory=lambda: NOTHING)
    tick: Callable[[str], None] = _silent

    @cached_property
    def sequences(self) -> list[Sequence]:
        """The melodies of the piece without key and tempo."""
        return [normalise(melody) for melody in self.piece.melodies]

    def first_pass(self) -> list[NDArray[np.int8]]:
        """Score every reference coarsely against each melody."""
        first = []
        for sequence in self.sequences:
            self.tick("looking for candidates")
            first.append(self.library.index.scan(sequence, self.library.protected, self.threads))
        return first

    def aligned(
        self, tried: list[tuple[int, Costs, float]], candidates: list[NDArray[np.int64]]
    ) -> list[Hypothesis]:
        """Align each melody with its candidates, in every way that is tried."""
        readings = []
        for k, costs, share in tried:
            self.tick("aligning notes")
            tries = max(1, len(self.works)) / share
            asked = self.library, tries, self.threads, costs, self.works
            readings.append(read_notes(self.sequences[k], k, candidates[k], *asked))
        return readings

    def read(
        self, first: list[NDArray[np.int8]], ways: Callable[[int], list[tuple[int, Costs, float]]]
    ) -> list[Hypothesis]:
        """Align each melody with the candidates of the first pass, in the ways for so many melodies."""
        return self.aligned(ways(len(first)), [candidates_of(coarse, self.library) for coarse in first])

    def listened(self, lines: list[Hypothesis]) -> _Ranked:
        """Rank references by what is heard of them in a recording; the transcribed lines support it."""
        assert self.piece.heard is not None
        self.tick("listening for every reference")
        reading = read_recording(self.piece.heard, lines, self.library, self.threads)
        return replace(self.ranked([reading]), lines=tuple(lines))

    @cached_property
    def evidence(self) -> PitchEvidence:
        """What was heard by pitch class, to trace references in it."""
        assert self.piece.heard is not None
        return prepare_evidence(self.piece.heard)

    def ranked(self, readings: list[Hypothesis]) -> _Ranked:
        """Rank references by the best reading of each."""
        best = best_reading(readings, len(self.library))
        return _Ranked(self, readings, best, ranking(readings, best))


@dataclass(frozen=True, eq=False)
class _Ranked:
    """A piece read in every way against some references, the best first.

    `order` holds references, best first; `best` the best reading of each reference and its place in
    that. `lines` are the readings of the transcribed lines of a recording that was listened to.
    """

    search: _Search
    readings: list[Hypothesis]
    best: NDArray[np.int64]
    order: NDArray[np.int64]
    lines: tuple[Hypothesis, ...] = ()

    def e_value(self, reference: int) -> float:
        """Return the E-value of a reference in `order`."""
        reading, place = self.best[reference]
        return float(self.readings[reading].e_value[place])

    def traced(self, references: NDArray[np.int64]) -> dict[int, Match]:
        """Trace the matches of some references of `order`.

        Those followed nowhere are left out, and those that are no longer in the file as they were when
        it was opened.
        """
        names = {int(k): self.search.library.index.name(int(k)) for k in references}
        found = self.search.library.look_up(list(names.values()))
        packed = self.search.library.index.notes(references)
        matches = {}
        for place, (reference, name) in enumerate(names.items()):
            pitch = packed.pitch[packed.start[place] : packed.start[place + 1]]
            whole = found.get(name)
            # Another melody may have the id now.
            if whole is None or not np.array_equal(normalise(whole.melody).pitch, pitch):
                continue
            match = self._traced(reference, whole)
            if match is not None:
                matches[reference] = match
        return matches

    def first_traced(self, references: Iterable[int], known: dict[int, Match]) -> dict[int, Match]:
        """Trace the first of some references that can be traced; nothing if it is known already.

        One that was removed from the file, or changed, since it was opened must not hide the next.
        """
        for reference in islice(references, _LOOKED_AT):
            found = {} if reference in known else self.traced(np.array([reference]))
            if found or reference in known:
                return found
        return {}

    def described(self, reference: int, match: Match) -> Match:
        """Add the rarest turn and all places of its passage to a match, unless chance explains it."""
        if match.explained_by_chance:
            return match
        query = self.search.piece.melodies[match.melody] if match.evidence == "notes" else None
        turn = rarest_turn(match, self.search.library, reference, query)
        return replace(match, turn=turn, places=self._places(reference, match))

    def _places(self, reference: int, match: Match) -> tuple[tuple[float, float], ...]:
        """Find every place of the piece that follows the passage of a match."""
        passage = match.reference_melody, match.reference_span.notes, self.search.library.index.rarity
        if match.evidence != "notes":
            assert self.search.piece.heard is not None
            found = places_in_recording(self.search.piece.heard, *passage)
            return with_others(match.query.seconds, found, found)
        melody, reading = self.search.piece.melodies[match.melody], self.best[reference, 0]
        costs = self.readings[reading].costs
        notes = places_in_melody(melody, *passage, costs)
        seconds = [span(melody, np.array([first, last - 1])).seconds for first, last in notes]
        # Compared in notes, not seconds: a note of a file may sound on into the next refrain.
        return with_others(match.query.seconds, seconds, notes, match.query.notes)

    def _traced(self, reference: int, whole: Reference) -> Match | None:
        number, place = self.best[reference]
        reading = self.readings[number]
        piece, library = self.search.piece, self.search.library
        if reading.melody is None:
            heard = match_heard(piece, library, self.search.evidence, reading, place, whole)
            return self._followed_by_a_line(reference, whole, heard)
        sequence = self.search.sequences[reading.melody]
        return match_notes(piece, library, sequence, reading, place, whole)

    def _followed_by_a_line(
        self, reference: int, whole: Reference, heard: Match | None
    ) -> Match | None:
        """Return the match of a transcribed line where that, and not what was heard, bears the E-value.

        Where both are the same passage, what was heard is the better evidence.
        """
        best = best_support(self.lines, reference)
        number, place = self.best[reference]
        total = float(self.readings[number].standardised[place])
        if best is None or best.support <= total - best.support:
            return heard
        line = self.lines[best.line]
        sequence = self.search.sequences[line.melody or 0]
        found = match_notes(self.search.piece, self.search.library, sequence, line, best.place, whole)
        if found is None or (heard is not None and same_passage(heard, found)):
            return heard
        reading = self.readings[number]
        background = reading.backgrounds[int(self.search.library.protected[reference])]
        e_value = float(reading.e_value[place])
        return replace(found, e_value=e_value, standardised=total, background=background)


@dataclass(frozen=True, eq=False)
class FoundWorks:
    """What a piece follows in a library.

    Attributes
    ----------
    matches : list of Match
        The smallest E-value first.
    recordings : dict of str to float
        Protected recordings of the library that are worth comparing by themselves, the most promising
        first: the E-value of the line of each, by id; infinite if it is not followed.
    """

    matches: list[Match]
    recordings: dict[str, float]


def find_matches(piece: Piece, library: Shelf, top: int, threads: int = 1) -> list[Match]:
    """Match a piece against a library; see `find_all`, whose matches it returns."""
    return find_all(piece, library, top, threads).matches


def find_all(
    piece: Piece,
    library: Shelf,
    top: int,
    threads: int = 1,
    tick: Callable[[str], None] | None = None,
    settled: Callable[[str], bool] = lambda _: False,
) -> FoundWorks:
    """Match a piece against a library.

    Parameters
    ----------
    piece : Piece
        With at least one melody.
    library : Shelf
    top : int
        Number of matches wanted, significant or not.
    tick : callable, optional
        Called with what is done next; raises to stop it.
    settled : callable, optional
        Says of a reference, by its id, whether a verdict is not to rest on it.

    Returns
    -------
    FoundWorks
        At most `top` matches, one a reference; and one more if the best reference that is neither known
        to be free nor settled is not among them, so that a verdict can be drawn. Where recordings are
        to be compared, which changes their E-values, the best other one is there too, and what chance
        does not explain of their lines.
    """
    if not len(library):
        return FoundWorks([], {})
    search = _Search(piece, library, threads, tick=tick or _silent)
    ranked = _ranked_in_time(search)
    search.tick("describing matches")
    recordings = _promising_recordings(ranked.order, library)
    wanted = ranked.order[:top].tolist()
    traced = ranked.traced(np.array(wanted, np.int64))
    protected = ranked.order[library.protected[ranked.order]].tolist()
    for left_out in ((), recordings):
        open_ = (k for k in protected if k not in left_out and not settled(library.index.name(k)))
        traced |= ranked.first_traced(open_, traced)
    followed = set(ranked.order.tolist())
    e_values = {k: ranked.e_value(k) if k in followed else np.inf for k in recordings}
    telling = [k for k, e_value in e_values.items() if e_value < DESCRIBED and k not in traced]
    traced |= ranked.traced(np.array(telling, np.int64))
    matches = [ranked.described(*found) for found in traced.items()]
    lines = {library.index.name(k): e_value for k, e_value in e_values.items()}
    return FoundWorks(matches, lines)


def _promising_recordings(order: NDArray[np.int64], library: Shelf) -> list[int]:
    """Choose the library's recordings that are compared by themselves: the best by their lines."""
    recordings = library.recordings
    ranked = order[np.isin(order, recordings)]
    best = np.concatenate([ranked, np.setdiff1d(recordings, ranked)])[:RECORDINGS]
    return [int(k) for k in best]


def best_of_others(piece: Piece, library: Shelf, another: Callable[[Entry], bool]) -> float | None:
    """Return how far the best protected reference stands that is of another work than a piece.

    Parameters
    ----------
    piece : Piece
        With at least one melody, not heard.
    library : Shelf
    another : callable
        Says of an entry whether it is of another work.

    Returns
    -------
    float or None
        Standing; None if all of the best references are of the same work, as far as is known.
    """
    search = _Search(piece, library, 1)
    readings = search.read(search.first_pass(), readings_in_time)
    bound = [restricted(some, library.protected[some.references]) for some in readings]
    ranked = search.ranked(weighed(search.sequences, bound, library, 1))
    best = ranked.order[:_LOOKED_AT]
    names = [library.index.name(int(k)) for k in best]
    entries = library.look_up(names)
    for reference, name in zip(best, names, strict=True):
        if name in entries and another(entries[name].entry):
            number, place = ranked.best[reference]
            return float(ranked.readings[number].standardised[place])
    return None


def find_passage(
    piece: Piece, library: Shelf, works: NDArray[np.int64], threads: int = 1
) -> Match | None:
    """Find the passage that follows one of some works best, by pitch alone; None if there is none.

    There is no backwards control: a work that has been picked to be compared is not one of thousands
    that might be alike by their repetitions.

    Parameters
    ----------
    piece : Piece
        With at least one melody.
    library : Shelf
    works : ndarray of int64, shape (n,)
        References that were asked for by name; the others are background.
    """
    ranked = _ranked_by_pitch(_Search(piece, library, threads, works))
    best = ranked.order[np.isin(ranked.order, works)][:1]
    return next((ranked.described(*found) for found in ranked.traced(best).items()), None)


def trace_passage(piece: Piece, library: Shelf, reading: Hypothesis) -> Match | None:
    """Trace the best reference of a reading that was made elsewhere; None if it scores nothing.

    Parameters
    ----------
    piece : Piece
        With at least one melody.
    library : Shelf
    reading : Hypothesis
        Of some of its references.
    """
    ranked = _Search(piece, library, 1).ranked([reading])
    found = ranked.traced(ranked.order[:1])
    return next((ranked.described(*one) for one in found.items()), None)


def matches_below(
    piece: Piece, library: Shelf, e_value: float, promising: NDArray[np.int64], threads: int = 1
) -> dict[int, Match]:
    """Find the matches of a piece of notes with promising references below an E-value.

    Parameters
    ----------
    piece : Piece
        With at least one melody, not heard.
    library : Shelf
    e_value : float
        Matches below it are returned.
    promising : ndarray of int64
        References worth aligning; the others are background, and there is no first pass.

    Returns
    -------
    dict of int to Match
        By reference, the smallest E-value first. References of the background are included if they
        score so high. Turns and places are not looked for.
    """
    search, melodies = _Search(piece, library, threads), len(piece.melodies)
    ranked = search.ranked(search.aligned(readings_in_time(melodies), [promising] * melodies))
    below = [ranked.e_value(reference) < e_value for reference in ranked.order]
    return ranked.traced(ranked.order[np.array(below, bool)])


def _ranked_in_time(search: _Search) -> _Ranked:
    """Rank all references, rhythm included."""
    readings = search.read(search.first_pass(), readings_in_time)
    if search.piece.heard is not None:
        return search.listened(readings)
    search.tick("measuring passages")
    return search.ranked(weighed(search.sequences, readings, search.library, search.threads))


def _ranked_by_pitch(search: _Search) -> _Ranked:
    """Rank works that were asked for by name, and their background."""
    return search.ranked(search.read(search.first_pass(), readings_by_pitch))


def best_works(
    piece: Piece, library: Shelf, top: int, threads: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Rank the protected references that a piece follows best, without tracing how.

    Parameters
    ----------
    piece : Piece
        With at least one melody.
    library : Shelf
    top : int
        Number of references wanted.

    Returns
    -------
    references : ndarray of int64, shape (n,)
        Best first.
    e_values : ndarray of float64, shape (n,)
    """
    ranked = _ranked_in_time(_Search(piece, library, threads))
    best = ranked.order[library.protected[ranked.order]][:top]
    return best, np.array([ranked.e_value(int(k)) for k in best])
