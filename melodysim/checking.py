"""Check a track against a library, and compare two works.

Both functions take tracks and return a report. A track is a melody, a piece that was read before, or a
file. They hold no global state, print nothing and may be called from any thread; with notes they need
numpy and the standard library alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from melodysim.errors import CancelledError, InvalidNotesError, LibraryError, ReadError
from melodysim.judge.verdict import Rates, judge, judge_pair, with_named
from melodysim.judge.wording import accepted_words
from melodysim.library import (
    Accepted,
    Entry,
    Library,
    Reference,
    Suspect,
    finding_id,
    shelf_of_work,
)
from melodysim.library.rights import Rights
from melodysim.melody import FEWEST_NOTES, Melody, Piece
from melodysim.report.reports import NamedSong, PairReport, Report
from melodysim.search.by_salience import listened_in_full
from melodysim.search.e_values import harmonic_mean, standardised_of
from melodysim.search.match import Match, Span
from melodysim.search.own_works import with_chance
from melodysim.search.pipeline import find_matches, find_passage
from melodysim.search.two_recordings import SMALLEST_P, p_value_of_likeness, p_value_of_notes
from melodysim.util.plain_text import counted

DEFAULT_TOP = 10
SUSPECT = "suspect:"
"""Beginning of the ids of songs that are watched for, where they stand beside references."""
CHECK_VERSION = 16
"""Raised whenever a check may have another result than before, wording included: stored results are
then stale. What is heard in a recording has a version of its own in `melodysim.transcribe`."""

MEASURING = "measuring chance in this library"
"""Stage of the first check against a library, which takes a while."""

TrackLike = Melody | Piece | str | Path
"""A track to check: a melody, a piece that was read before, or a file."""
StageCallback = Callable[[str], None]
"""Called with the name of each stage before it begins."""
CancelCallback = Callable[[], bool]
"""Asked often whether to stop; `threading.Event.is_set` is one."""


def check(
    track: TrackLike,
    library: Library,
    top: int | None = None,
    rates: Rates | None = None,
    threads: int = 1,
    *,
    stems: Sequence[str | Path] = (),
    progress: StageCallback | None = None,
    cancelled: CancelCallback | None = None,
) -> Report:
    """Check a track against a library.

    Parameters
    ----------
    track : Melody, Piece, str or Path
        Notes, what `melodysim.read` returned, or a file.
    library : Library
    top : int, optional
        Matches to report, significant or not; by default `DEFAULT_TOP`.
    rates : Rates, optional
        Of false alarms.
    threads : int, optional
        Threads to use; the result does not depend on it.
    stems : sequence of str or Path, optional
        Recordings of single parts of a recording, as `melodysim.read` takes them.
    progress, cancelled : callable, optional
        See `StageCallback` and `CancelCallback`.

    Raises
    ------
    ReadError
        If a file cannot be read, or there is no melody: silence is not "clear".
    LibraryError
        If the library is empty: there is nothing to be clear of.
    InvalidNotesError
        If the track is none of these types.
    MissingDependencyError
        If an optional package is needed for this kind of file.
    CancelledError
        If it was cancelled.
    """

    def tick(stage: str) -> None:
        if cancelled is not None and cancelled():
            raise CancelledError("cancelled")
        if progress is not None:
            progress(stage)

    rates, top = rates or Rates(), DEFAULT_TOP if top is None else top
    piece = piece_of(track, threads, tick, stems)
    suspects, settled = library.watched()
    if not suspects:
        require_references(library)
    require_melody(piece)

    def accepted_of(work: str) -> Accepted | None:
        return settled.get(finding_id(piece, work)) if settled else None

    # Melodies added meanwhile do not count.
    shelf, holdings = with_chance(library, threads, lambda *_: tick(MEASURING)), library.holdings
    matches = find_matches(
        piece, shelf, max(top, 1), threads, tick, lambda work: accepted_of(work) is not None
    )
    named = _named_songs(piece, suspects, library, rates, threads, tick)
    works = [*(match.reference.id for match in matches), *(song.id for song in named)]
    accepted = {work: found for work in works if (found := accepted_of(work)) is not None}
    open_ = [match for match in matches if match.reference.id not in accepted]
    told = [
        (match, accepted_words(found.day, found.note))
        for match in matches
        if (found := accepted.get(match.reference.id)) and match.e_value < rates.review
    ]
    verdict = judge(piece, open_, len(shelf), rates, shelf.comparisons[1], told)
    counting = [(song.title, song.verdict, song.match) for song in named if song.id not in accepted]
    verdict = with_named(verdict, counting, rates)
    shown = matches[:top]
    if len(matches) > top > 0:
        shown[-1] = matches[-1]  # what the verdict rests on is shown, whatever its rank
    closest = next((match for match in open_ if match.reference.rights.protected), None)
    return Report(
        piece.source,
        piece,
        verdict,
        tuple(shown),
        closest=closest,
        holdings=holdings,
        rates=rates,
        named=named,
        accepted=accepted,
        listened=None if piece.heard is None else listened_in_full(shelf),
    )


def _named_songs(
    piece: Piece,
    suspects: list[Suspect],
    library: Library,
    rates: Rates,
    threads: int,
    tick: StageCallback,
) -> tuple[NamedSong, ...]:
    """Compare a track with each song that is watched for, by itself: one question, one chance."""
    if not suspects:
        return ()
    background = library.background_melodies()
    named = []
    for suspect in suspects:
        tick("comparing with the songs you named")
        song = replace(suspect.piece, title=suspect.title, creator=suspect.creator)
        pair = _compared(piece, song, background, rates, threads)
        match = pair.match
        if match is not None:
            match = replace(match, reference=replace(match.reference, id=f"{SUSPECT}{suspect.id}"))
        named.append(NamedSong(f"{SUSPECT}{suspect.id}", suspect.title, pair.verdict, match))
    return tuple(named)


def piece_of(
    track: TrackLike,
    threads: int = 1,
    tick: StageCallback | None = None,
    stems: Sequence[str | Path] = (),
) -> Piece:
    """Return a track as a piece, reading it if it is a file.

    Parameters
    ----------
    track : Melody, Piece, str or Path
    threads : int, optional
        For transcribing a recording.
    tick : callable, optional
        Called while a file is read; raises to stop it.
    stems : sequence of str or Path, optional
        Recordings of single parts of it, if it is a recording.

    Raises
    ------
    InvalidNotesError
        If the track is none of these types.
    ReadError
        If a file cannot be read.
    """
    if isinstance(track, Piece):
        return track
    if isinstance(track, Melody):
        return Piece(track.voice or "notes", "notes", (track,), track.end)
    if not isinstance(track, str | Path):
        raise InvalidNotesError(
            f"a track is a Melody, a Piece or the name of a file, not {type(track).__name__}",
            "melodysim.melody_of(onsets, durations, pitches) makes a Melody",
        )
    from melodysim.readers.read import read

    if tick is not None:
        tick("reading")
    return read(track, threads, tick, stems)


def require_references(library: Library) -> None:
    """Raise `LibraryError` if a library is empty."""
    if not len(library):
        raise LibraryError(
            "holds no melodies to compare with",
            "fill it with `melodysim library init` or `melodysim library import`",
            library.path,
        )


def require_melody(piece: Piece) -> None:
    """Raise `ReadError` if a piece has no melody, or none long enough to be recognised."""
    if not piece.melodies:
        raise ReadError(
            "no melody was heard (silence, noise, or no pitched voice), so nothing could be checked",
            path=piece.source,
        )
    longest = max(len(melody) for melody in piece.melodies)
    if longest < FEWEST_NOTES:
        raise ReadError(
            f"only {counted(longest, 'note')}, too few for a melody that can be recognised",
            f"give at least {FEWEST_NOTES}",
            piece.source,
        )


def compare(
    new: TrackLike,
    earlier: TrackLike,
    library: Library | str | Path | None = None,
    rates: Rates | None = None,
    threads: int = 1,
) -> PairReport:
    """Compare two works, with a library as the background that says what chance does.

    Parameters
    ----------
    new, earlier : Melody, Piece, str or Path
        The work in question, and the one that it may follow.
    library : Library, str or Path, optional
        The library or its path; by default the user's own.
    rates : Rates, optional
        Of false alarms among unrelated pairs.
    threads : int, optional
        Threads to use.

    Returns
    -------
    PairReport
        Judged by pitch alone, whatever the rhythm: other words force other rhythms, and the published
        comparisons of court cases (percent melodic identity; Savage et al. 2018) go by pitch too. Two
        recordings are compared in every way there is, in both directions
        (`melodysim.search.two_recordings`). `score` is higher for more alike, and comparable between
        pairs.

    Raises
    ------
    ReadError
        If either cannot be read, or has no melody.
    LibraryError
        If the library cannot be opened.
    """
    if not isinstance(library, Library):
        library = Library(library)
    rates = rates or Rates()
    new, earlier = piece_of(new, threads), piece_of(earlier, threads)
    require_melody(new)
    require_melody(earlier)
    return _compared(new, earlier, library.background_melodies(), rates, threads)


def _compared(
    new: Piece, earlier: Piece, background: list[Melody], rates: Rates, threads: int
) -> PairReport:
    """Compare two works that were read; parameters as in `compare`."""
    match = _best_passage(new, earlier, background, threads)
    score = match.standardised if match else 0.0
    if new.heard is not None and earlier.heard is not None:
        # Each is listened to for the other's line: which of the two is transcribed better is luck.
        turned = _best_passage(earlier, new, background, threads)
        there, back = (m.standardised if m else -np.inf for m in (match, turned))
        passages = [m for m in (match, turned) if m]
        if passages:  # without a passage in common there is no likeness
            # The passage says where; all ways of listening together say how surely.
            p_value = p_value_of_likeness(new, earlier, (there, back), background, threads)
            p_value = max(p_value, min(p_value_of_notes(m, background) for m in passages))
            score = standardised_of(p_value)
            best = _turned(turned, new, earlier) if turned and back > there else passages[0]
            match = replace(best, e_value=p_value, standardised=score)
    elif earlier.heard is not None:
        # Its lines are a guess: it is listened to for the new work's notes too.
        turned = _best_passage(earlier, new, background, threads)
        if turned is not None:
            ways = [m.e_value if m else 1.0 for m in (match, turned)]
            p_value = harmonic_mean(np.clip(ways, SMALLEST_P, 1))
            score = standardised_of(p_value)
            best = match if match and ways[0] <= ways[1] else _turned(turned, new, earlier)
            match = replace(best, e_value=p_value, standardised=score)
    return PairReport(new, earlier, score, judge_pair(new, earlier, match, rates), match, rates)


def _turned(match: Match, new: Piece, earlier: Piece) -> Match:
    """Swap the works in a match of the earlier recording with the new one.

    The earlier recording was listened to, so its notes are those that were heard: its transcribed lines
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
        melody=int(match.reference.id),
        voice=match.reference.voice,
        turn=None,
        places=(),  # turn and places are the earlier work's
        listening=None,
    )


def _entry(work: Piece, melody: int) -> Entry:
    """Make a library entry for a melody of a work that is in no library."""
    title = work.title or Path(work.source).name
    voice = work.melodies[melody].voice
    return Entry(f"{melody}", title, work.creator, work.source, Rights("unknown"), voice)


def _best_passage(query: Piece, work: Piece, background: list[Melody], threads: int) -> Match | None:
    """Find the passage of a query that follows a work best."""
    melodies = work.melodies if work.heard is None else work.melodies[:1]
    references = [Reference(_entry(work, k), melody) for k, melody in enumerate(melodies)]
    shelf = shelf_of_work(references, background)
    return find_passage(query, shelf, np.arange(len(references)), threads)
