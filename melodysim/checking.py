"""The verbs: check a track against a library, compare two works, transcribe.

Each is a function from what was read to a report; what a report looks like is `melodysim.report`'s
business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from melodysim.errors import LibraryError, ReadError, counted
from melodysim.judge.verdict import Rates, Verdict, judge, judge_pair
from melodysim.library import Entry, Library, MemoryShelf, Reference
from melodysim.library.rights import Rights
from melodysim.melody import Melody, Piece
from melodysim.readers.melody_parts import MIN_NOTES
from melodysim.search.e_values import standardised_of
from melodysim.search.match import Match, Span
from melodysim.search.pairs import p_value_of_likeness, p_value_of_notes
from melodysim.search.pipeline import find_matches

DEFAULT_TOP = 10
RESULTS = 8
"""Raised whenever a check may come out otherwise than before, words included: results that were kept
are stale. What a recording is heard as has a version of its own in `melodysim.transcribe.recording`."""


@dataclass(frozen=True, eq=False)
class TrackReport:
    """What came of checking one track.

    Attributes
    ----------
    source : str
        The track.
    piece : Piece or None
        As it was read; None where it could not be.
    verdict : Verdict or None
        None where it could not be read.
    matches : tuple of Match
        Best first.
    error : str or None
        Why it could not be checked.
    closest : Match or None
        The best match with a work that is, or may be, protected: what the verdict rests on.
    """

    source: str
    piece: Piece | None = None
    verdict: Verdict | None = None
    matches: tuple[Match, ...] = ()
    error: str | None = None
    closest: Match | None = None

    def __repr__(self) -> str:
        """Say what came of it, in a line."""
        if self.verdict is None:
            return f"<{type(self).__name__} of {self.source!r}: {self.error}>"
        return (
            f"<{type(self).__name__} of {self.source!r}: {self.verdict.level}, probability "
            f"{self.verdict.probability:.3f}, {counted(len(self.matches), 'match', 'matches')}>"
        )


def check(
    piece: Piece,
    library: Library,
    top: int = DEFAULT_TOP,
    rates: Rates | None = None,
    threads: int = 1,
    tick: Callable[[str], None] | None = None,
) -> TrackReport:
    """Check a track against a library.

    Parameters
    ----------
    piece : Piece
        From `melodysim.read`, or made of notes.
    library : Library
    top : int, optional
        Matches to report, significant or not.
    rates : Rates, optional
        Of false alarms.
    threads : int, optional
        Threads to use; the result does not depend on it.
    tick : callable, optional
        Called with what is done next; raises to stop it.

    Returns
    -------
    TrackReport

    Raises
    ------
    ReadError
        If the piece has no melody: silence is not "clear".
    LibraryError
        If the library is empty: no track is clear of nothing.
    """
    require_references(library)
    require_melody(piece)
    matches = find_matches(piece, library, max(top, 1), threads, tick=tick)
    verdict = judge(piece, matches, len(library), rates or Rates(), int(library.comparisons[1]))
    shown = matches[:top]
    if verdict.level != "clear" and len(matches) > top > 0:
        shown[-1] = matches[-1]  # what the verdict rests on is shown, whatever its rank
    closest = next((match for match in matches if match.reference.rights.protected), None)
    return TrackReport(piece.source, piece, verdict, tuple(shown), closest=closest)


def require_references(library: Library) -> None:
    """Raise `LibraryError` if a library is empty."""
    if not len(library):
        raise LibraryError(
            f"{library.path}: holds no melodies to compare with; fill it with `melodysim library init` "
            "or `melodysim library import`"
        )


def require_melody(piece: Piece) -> None:
    """Raise `ReadError` if a piece has no melody, or none long enough to be recognised."""
    if not piece.melodies:
        raise ReadError(
            f"{piece.source}: no melody was heard (silence, noise, or no pitched voice), so nothing "
            "could be checked"
        )
    longest = max(len(melody) for melody in piece.melodies)
    if longest < MIN_NOTES:
        raise ReadError(
            f"{piece.source}: only {counted(longest, 'note')}, too few for a melody that can be "
            f"recognised; give at least {MIN_NOTES}"
        )


@dataclass(frozen=True, eq=False)
class PairReport:
    """What came of comparing two works.

    Attributes
    ----------
    new, earlier : Piece
        The works.
    score : float
        How much more alike they are than unrelated works, standardised; comparable between pairs.
    verdict : Verdict
        On the new work.
    match : Match or None
        The best passage of the new work that follows the earlier one.
    """

    new: Piece
    earlier: Piece
    score: float
    verdict: Verdict
    match: Match | None

    def __repr__(self) -> str:
        """Say what came of it, in a line."""
        return (
            f"<PairReport of {self.new.source!r} and {self.earlier.source!r}: {self.verdict.level}, "
            f"score {self.score:.1f}>"
        )


def compare(
    new: Piece, earlier: Piece, library: Library, rates: Rates | None = None, threads: int = 1
) -> PairReport:
    """Compare two works, with a library as the background that says what chance does.

    Parameters
    ----------
    new, earlier : Piece
        The work in question, and the one that it may follow.
    library : Library
    rates : Rates, optional
        Of false alarms among unrelated pairs.
    threads : int, optional
        Threads to use.

    Returns
    -------
    PairReport
        Judged by pitch alone, whatever the rhythm: other words force other rhythms, and the published
        comparisons of court cases (percent melodic identity; Savage et al. 2018) go by pitch too. Two
        recordings are compared in every way there is, in both directions (`melodysim.search.pairs`).

    Raises
    ------
    ReadError
        If either has no melody.
    """
    require_melody(new)
    require_melody(earlier)
    background = library.background_melodies()
    match = _best_passage(new, earlier, background, threads)
    score = match.standardised if match else 0.0
    if new.heard is not None and earlier.heard is not None:
        # Each is listened to for the other's line: which of the two is transcribed better is luck.
        turned = _best_passage(earlier, new, background, threads)
        there, back = (m.standardised if m else -np.inf for m in (match, turned))
        passages = [m for m in (match, turned) if m]
        if passages:  # without any passage in common there is nothing to be alike
            # The passage shows where. How much it says is what all ways of listening say together.
            p_value = p_value_of_likeness(new, earlier, (there, back), background, threads)
            p_value = max(p_value, min(p_value_of_notes(m, background) for m in passages))
            score = standardised_of(p_value)
            best = _turned(turned, new, earlier) if turned and back > there else passages[0]
            match = replace(best, e_value=p_value, standardised=score)
    verdict = judge_pair(new, match, rates or Rates())
    return PairReport(new, earlier, score, verdict, match)


def _turned(match: Match, new: Piece, earlier: Piece) -> Match:
    """Give a match of the earlier recording with the new one as one of the new with the earlier.

    It was the earlier one that was listened to, so what was heard there are its notes: its own lines
    may have none in that place.
    """
    heard = match.listening
    assert heard is not None
    sung, line = heard.heard, match.reference_melody
    notes = heard.note[sung]
    theirs = Melody.from_notes(
        heard.begin[sung],
        (heard.end - heard.begin)[sung],
        line.pitch[notes] + match.transposition,
        voice=match.voice,
    )
    return replace(
        match,
        reference=replace(_entry(earlier, 0), voice=match.voice),
        reference_melody=theirs,
        query=match.reference_span,
        reference_span=Span((0, len(theirs)), (float(heard.begin[0]), float(heard.end[-1]))),
        transposition=-match.transposition,
        tempo_ratio=1 / match.tempo_ratio,
        path=np.stack([notes, np.arange(len(theirs))], axis=1),
        voice=match.reference.voice,
        turn=None,
        places=(),  # turn and places are the earlier work's
        listening=None,
    )


def _entry(work: Piece, melody: int) -> Entry:
    """Describe a melody of a work that is in no library."""
    title = work.title or Path(work.source).name
    voice = work.melodies[melody].voice
    return Entry(f"{melody}", title, work.creator, work.source, Rights("unknown"), voice)


def _best_passage(query: Piece, work: Piece, background: list[Melody], threads: int) -> Match | None:
    """Find the passage of a query that follows a work best."""
    melodies = work.melodies if work.heard is None else work.melodies[:1]
    references = [Reference(_entry(work, k), melody) for k, melody in enumerate(melodies)]
    shelf = MemoryShelf(references, background)
    mine = np.arange(len(references))
    found = find_matches(query, shelf, 1, threads, only=mine, timing=False)
    return found[0] if found else None
