"""Check a track against a library, and compare two works.

Both functions take tracks and return a report. A track is a melody, a piece that was read before, or a
file. They hold no global state, print nothing and may be called from any thread; with notes they need
numpy and the standard library alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from melodysim.errors import (
    CancelledError,
    InvalidNotesError,
    LibraryError,
    MelodysimError,
    RateError,
    ReadError,
)
from melodysim.judge.verdict import Rates, judge, judge_pair, with_named
from melodysim.judge.wording import accepted_words
from melodysim.library import Accepted, Library, Shelf, Suspect, finding_id
from melodysim.melody import FEWEST_NOTES, Melody, Piece
from melodysim.packed_piece import unpack_piece
from melodysim.readers.parts.plain_line import plain_line
from melodysim.report.reports import NamedSong, PairReport, Report
from melodysim.search.by_salience import listened_in_full
from melodysim.search.likeness.listeners import Listeners
from melodysim.search.likeness.pairs import passage_in_common
from melodysim.search.likeness.recordings import Recorded, compare_recorded, with_recorded
from melodysim.search.own_works import with_chance
from melodysim.search.pipeline import find_all
from melodysim.util.plain_text import counted

DEFAULT_TOP = 10
SUSPECT = "suspect:"
"""Beginning of the ids of songs that are watched for, where they stand beside references."""
CHECK_VERSION = 20
"""Raised whenever a check may have another result than before, wording included: stored results are
then stale. What is heard in a recording has a version of its own in `melodysim.transcribe`."""

MEASURING = "measuring chance in this library"
"""Stage of the first check against a library, which takes a while."""
RECORDINGS = "comparing with the library's recordings"
"""Stage in which a track is compared with recordings as wholes; longer the first time that one is."""

TrackLike = Melody | Piece | str | Path
"""A track to check: a melody, a piece that was read before, or a file."""
StageCallback = Callable[[str], None]
"""Called with the name of each stage before it begins."""
CancelCallback = Callable[[], bool]
"""Asked often whether to stop; `threading.Event.is_set` is one."""


def check(
    track: TrackLike,
    library: Library | str | Path,
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
    library : Library, str or Path
        The library or its path. An open one saves a few milliseconds.
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

    if not isinstance(library, Library):
        library = Library(library)
    rates, top, threads = _checked_rates(rates), _checked_top(top), _checked_threads(threads)
    piece = piece_of(track, threads, tick, stems)
    suspects, settled = library.watched()
    if not suspects:
        require_references(library)
    require_melody(piece)

    def accepted_of(work: str) -> Accepted | None:
        return settled.get(finding_id(piece, work)) if settled else None

    # Melodies added meanwhile do not count.
    shelf, holdings = with_chance(library, threads, lambda *_: tick(MEASURING)), library.holdings
    searched = find_all(
        piece, shelf, max(top, 1), threads, tick, lambda work: accepted_of(work) is not None
    )
    listeners = _listeners(library, threads)
    matches = searched.matches
    if searched.recordings:
        promising = _recorded(library, shelf, list(searched.recordings))
        tick(RECORDINGS)
        asked = len(shelf.recordings), listeners(), threads, lambda: tick(RECORDINGS)
        compared = compare_recorded(piece, promising, *asked)
        matches = with_recorded(matches, searched.recordings, compared)
    named = _named_songs(piece, suspects, listeners, rates, threads, tick)
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
    closest = next((match for match in open_ if match.reference.rights.protected), None)
    shown = matches[:top]
    if top and closest is not None and closest not in shown:
        shown[-1] = closest  # what the verdict rests on is shown, whatever its rank
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


def _checked_rates(rates: Rates | None) -> Rates:
    """Return rates of false alarms; raise `RateError` if they are none."""
    if rates is None:
        return Rates()
    if not isinstance(rates, Rates):
        raise RateError(f"rates are {rates!r}", "give melodysim.Rates(likely=…, review=…)")
    return rates


def _is_whole(value: object) -> bool:
    """Say whether a value is a whole number, of Python or of numpy."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _checked_threads(threads: int) -> int:
    """Return a number of threads; raise `MelodysimError` if it is none."""
    if not _is_whole(threads):
        raise MelodysimError(f"threads is {threads!r}", "give a number of threads, 1 or more")
    return int(threads)


def _checked_top(top: int | None) -> int:
    """Return the number of matches that are asked for; raise `MelodysimError` if it is none."""
    if top is None:
        return DEFAULT_TOP
    if not _is_whole(top) or top < 0:
        raise MelodysimError(f"top is {top!r}", "give a number of matches, 0 or more")
    return int(top)


def _listeners(library: Library, threads: int) -> Callable[[], Listeners]:
    """Return a function that makes listeners for a check when they are first needed."""

    @cache
    def made() -> Listeners:
        kept = library.heard_chance, library.keep_heard_chance
        return Listeners(library.unrelated(), threads, *kept)

    return made


def measure_recordings(
    library: Library, threads: int = 1, progress: Callable[[int, int], None] = lambda *_: None
) -> None:
    """Measure what chance does in the recordings of a library, so that no check waits for it.

    Parameters
    ----------
    library : Library
    threads : int, optional
        Threads to use.
    progress : callable, optional
        Called with how many were measured, and how many there are.
    """
    shelf = library.shelf
    for done, reference in enumerate(shelf.recordings):
        progress(done, len(shelf.recordings))
        listeners, name = _listeners(library, threads)(), shelf.index.name(int(reference))
        if not listeners.knows(library.recording(name).digest):
            for recording in _recorded(library, shelf, [name]):
                listeners.of(recording.piece, recording.digest)


def _recorded(library: Library, shelf: Shelf, names: list[str]) -> list[Recorded]:
    """Load recordings of a library by their ids, those that it still has."""
    found = []
    entries = shelf.look_up(names)
    for name in names:
        with suppress(LibraryError):  # removed since the library was opened
            kept = library.recording(name)
            if name in entries:
                found.append(Recorded(entries[name].entry, unpack_piece(kept.packed), kept.digest))
    return found


def _named_songs(
    piece: Piece,
    suspects: list[Suspect],
    listeners: Callable[[], Listeners],
    rates: Rates,
    threads: int,
    tick: StageCallback,
) -> tuple[NamedSong, ...]:
    """Compare a track with each song that is watched for, by itself: one question, one chance."""
    if not suspects:
        return ()
    named = []
    for suspect in suspects:
        tick("comparing with the songs you named")
        song = replace(suspect.piece, title=suspect.title, creator=suspect.creator)
        if song.heard is not None:
            listeners().of(song, suspect.digest)
        pair = _compared(piece, song, listeners(), rates, threads)
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
        begin = min(0.0, float(track.onset[0])) if len(track) else 0.0
        plain = plain_line(track)
        melodies = (track,) if plain is None else (track, plain)
        return Piece(track.voice or "notes", "notes", melodies, track.end - begin)
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
            "no melody was heard (silence, noise, no pitched voice, or fewer than "
            f"{FEWEST_NOTES} notes), so there is nothing to compare",
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
        comparisons of court cases (percent melodic identity; Savage et al. 2018) go by pitch too. Each
        of two recordings is listened to for all lines of the other (`melodysim.search.likeness`).
        `score` is higher for more alike, and comparable between pairs.

    Raises
    ------
    ReadError
        If either cannot be read, or has no melody.
    LibraryError
        If the library cannot be opened.
    """
    if not isinstance(library, Library):
        library = Library(library)
    rates, threads = _checked_rates(rates), _checked_threads(threads)
    new, earlier = piece_of(new, threads), piece_of(earlier, threads)
    require_melody(new)
    require_melody(earlier)
    return _compared(new, earlier, Listeners(library.unrelated(), threads), rates, threads)


def _compared(
    new: Piece, earlier: Piece, listeners: Listeners, rates: Rates, threads: int
) -> PairReport:
    """Compare two works that were read; parameters as in `compare`."""
    match = passage_in_common(new, earlier, listeners, threads)
    score = match.standardised if match else 0.0
    return PairReport(new, earlier, score, judge_pair(new, earlier, match, rates), match, rates)
