"""For scripts, inside a DAW or out of it: notes in, matches out, at once and silent.

What `melodysim.Library`, `melodysim.Melody`, `melodysim.check_notes` and `melodysim.compare` are. They
hold no global state, print nothing, install nothing and may be called from any thread; with notes they
need numpy and the standard library alone. docs/scripting.md has worked examples.
"""

from __future__ import annotations

import copy
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from melodysim import checking, library, melody
from melodysim.checking import DEFAULT_TOP, PairReport, TrackReport
from melodysim.errors import CancelledError, InvalidNotesError, LibraryError, ReadError
from melodysim.judge.verdict import Rates
from melodysim.library import Entry, Reference, Store
from melodysim.library.rights import Rights, Status, Territory, check_rights
from melodysim.melody import Piece

Progress = Callable[[str], None]
"""Called with what is being done, before it is done."""
Cancelled = Callable[[], bool]
"""Asked often whether to stop; `threading.Event.is_set` is one."""


class Melody(melody.Melody):
    """Notes of one melody; see `melodysim.melody.Melody` for the arrays."""

    @classmethod
    def from_midi_bytes(cls, content: bytes) -> Melody:
        """Read the likeliest melody of a Standard MIDI file.

        Parameters
        ----------
        content : bytes
            Of the file.

        Returns
        -------
        Melody

        Raises
        ------
        ReadError
            If it is no MIDI file, or has no melody.
        MissingDependencyError
            If symusic is not installed.
        """
        from melodysim.readers.melody_parts import candidate_melodies
        from melodysim.readers.midi import read_midi

        found = candidate_melodies(read_midi(Path("MIDI data"), content))
        if not found:
            raise ReadError("MIDI data: no melody in it; drums and single notes are none")
        best = found[0]
        return cls(best.onset, best.duration, best.pitch, best.confidence, best.voice, best.beat)

    def to_midi(self) -> bytes:
        """Give the melody as a Standard MIDI file.

        Returns
        -------
        bytes
        """
        from melodysim.report.note_files import midi_bytes

        return midi_bytes([self])


def melody_of(onsets: ArrayLike, durations: ArrayLike, pitches: ArrayLike) -> Melody:
    """Make a melody of notes in any order, which may sound together: then of their highest voice.

    Parameters
    ----------
    onsets, durations : array_like, shape (n,)
        Seconds.
    pitches : array_like, shape (n,)
        MIDI note numbers.

    Returns
    -------
    Melody

    Raises
    ------
    InvalidNotesError
        If they are no notes.

    Examples
    --------
    A chord and a note before it, as a MIDI editor may give them:

    >>> melody_of([0.5, 0.5, 0.0], [0.5, 0.5, 0.5], [60, 67, 62]).pitch.tolist()
    [62.0, 67.0]
    """
    try:
        onset, duration, pitch = (np.asarray(a, np.float64) for a in (onsets, durations, pitches))
    except (TypeError, ValueError) as error:
        raise InvalidNotesError(f"notes are not numbers: {error}") from error
    if onset.ndim != 1 or not onset.shape == duration.shape == pitch.shape:
        raise InvalidNotesError("onsets, durations and pitches must be lists of the same length")
    order = np.lexsort((-pitch, onset))
    onset, duration, pitch = onset[order], duration[order], pitch[order]
    if len(onset) > 1 and not (np.diff(onset) > 0).all() and np.isfinite(onset).all():
        line = melody.top_line(onset, duration, pitch)
        onset, duration, pitch = onset[line], duration[line], pitch[line]
    made = Melody.from_notes(onset, duration, pitch)
    assert isinstance(made, Melody)
    return made


@dataclass(frozen=True, eq=False, repr=False)
class Report(TrackReport):
    """What came of a check.

    Attributes
    ----------
    library : Library or None
        What was compared with.
    rates : Rates
        Of false alarms, that the verdict was drawn with.
    """

    library: Library | None = None
    rates: Rates = field(default_factory=Rates)

    def to_dict(self) -> dict[str, Any]:
        """Give the report as ``melodysim check --format json`` has it in ``tracks`` (docs/json.md)."""
        from melodysim.report.json import track_dict

        return track_dict(self)

    def to_json(self) -> str:
        """Give the same as text."""
        from melodysim.report.json import json_text

        return json_text(self.to_dict())

    def to_html(self) -> str:
        """Give the report as a page that opens from disk.

        Raises
        ------
        MissingDependencyError
            If ``melodysim[report]`` is not installed.
        """
        from melodysim.report.html.track import Holdings, track_html

        assert self.library is not None
        return track_html(self, Holdings.of(self.library), self.rates)


Track = melody.Melody | Piece | str | Path
"""What can be checked: notes, what was read before, or a file."""


class Library(library.Library):
    """A reference library; safe to share between threads.

    Parameters
    ----------
    path : str or Path, optional
        The file; by default the user's own library.
    territory : {"anywhere", "us", "eu", "uk", "life+50"}, optional
        Where tracks are to be released: which terms of protection count.
    exhaustive : bool, optional
        Compare with every reference, however many there are.

    Raises
    ------
    LibraryError
        If it cannot be opened.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        territory: Territory = "anywhere",
        *,
        exhaustive: bool = False,
    ) -> None:
        super().__init__(path, territory, exhaustive=exhaustive)
        self._exhaustive = exhaustive
        self._changing = threading.Lock()

    @classmethod
    def open(
        cls, path: str | Path | None = None, territory: Territory = "anywhere", *, create: bool = False
    ) -> Library:
        """Open a library.

        Parameters
        ----------
        path : str or Path, optional
            The file; by default the user's own library.
        territory : {"anywhere", "us", "eu", "uk", "life+50"}, optional
            Where tracks are to be released: which terms of protection count.
        create : bool, optional
            Whether to make an empty one if there is none.

        Returns
        -------
        Library

        Raises
        ------
        LibraryError
            If it cannot be opened.
        """
        if create:
            Store(
                Path(path) if path is not None else library.default_library_path(), create=True
            ).close()
        return cls(path, territory)

    def check(
        self,
        track: Track,
        top: int = DEFAULT_TOP,
        *,
        rates: Rates | None = None,
        threads: int = 1,
        progress: Progress | None = None,
        cancelled: Cancelled | None = None,
    ) -> Report:
        """Check a track against the library.

        Parameters
        ----------
        track : Melody, Piece, str or Path
            Notes, what `melodysim.read` gave, or a file.
        top : int, optional
            Matches to report, significant or not.
        rates : Rates, optional
            Of false alarms.
        threads : int, optional
            Threads to use; the result does not depend on it.
        progress : callable, optional
            See `Progress`.
        cancelled : callable, optional
            See `Cancelled`.

        Returns
        -------
        Report

        Raises
        ------
        ReadError
            If a file cannot be read, or there is no melody: silence is not "clear".
        LibraryError
            If the library is empty: no track is clear of nothing.
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

        with self._changing:
            now = copy.copy(self)  # what is added meanwhile does not count
        rates = rates or Rates()
        found = checking.check(_piece(track, threads, tick), now, top, rates, threads, tick)
        return Report(
            found.source, found.piece, found.verdict, found.matches, None, found.closest, now, rates
        )

    def add(
        self,
        notes: melody.Melody,
        title: str,
        *,
        creator: str | None = None,
        rights: Rights | Status = "unknown",
        identity: str | None = None,
    ) -> str:
        """Add a melody; checks that begin from now on know it.

        Parameters
        ----------
        notes : Melody
            At least two notes.
        title : str
            Not empty.
        creator : str, optional
            Composer or artist.
        rights : Rights or str, optional
            In the composition: "in-copyright", "public-domain", "licensed", "own" or "unknown".
        identity : str, optional
            Id; by default the title. Adding another melody under an id that is taken gives it another
            (``title~2``); the same melody again changes nothing.

        Returns
        -------
        str
            The id.

        Raises
        ------
        InvalidNotesError
            If there are too few notes.
        RightsError
            If the rights make no sense.
        LibraryError
            If the library cannot be written to.
        """
        if not isinstance(notes, melody.Melody):
            raise InvalidNotesError(
                f"{title}: notes are a Melody, not {type(notes).__name__}; of a file, "
                "melodysim.read(path).melodies[0] is one"
            )
        if len(notes) < 2:
            raise InvalidNotesError(f"{title}: {len(notes)} notes are no melody")
        if not title.strip():
            raise InvalidNotesError("a melody needs a title")
        terms = check_rights(rights if isinstance(rights, Rights) else Rights(rights))
        name = (identity or title).strip()
        parts = (notes.onset, notes.duration, notes.pitch)
        digest = hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()
        source = f"script:{name}:{digest[:12]}"
        entry = Entry(name, title.strip(), creator, source, terms)
        with self._changing, Store(self.path, writable=True) as store:
            if there := store.ids_of(source):
                return there[0]
            with store.transaction():
                store.put([Reference(entry, notes)], source, digest)
            (taken,) = store.ids_of(source)
            self.__dict__.update(
                library.Library(self.path, self.territory, exhaustive=self._exhaustive).__dict__
            )
        return taken


def _piece(track: Track, threads: int, tick: Callable[[str], None]) -> Piece:
    """Turn whatever was given into a piece."""
    if isinstance(track, Piece):
        return track
    if isinstance(track, melody.Melody):
        return Piece(track.voice or "notes", "notes", (track,), track.end)
    if not isinstance(track, str | Path):
        raise InvalidNotesError(
            f"a track is a Melody, a Piece or the name of a file, not {type(track).__name__}; "
            "melodysim.melody_of(onsets, durations, pitches) makes a Melody"
        )
    from melodysim.readers.read import read

    tick("reading")
    return read(track, threads, tick)


def check_notes(
    onsets: ArrayLike,
    durations: ArrayLike,
    pitches: ArrayLike,
    library: Library | str | Path | None = None,
    top: int = DEFAULT_TOP,
) -> Report:
    """Check notes against a library.

    Parameters
    ----------
    onsets, durations : array_like, shape (n,)
        Seconds.
    pitches : array_like, shape (n,)
        MIDI note numbers.
    library : Library, str or Path, optional
        Or where it is; by default the user's own. An open one saves a few milliseconds.
    top : int, optional
        Matches to report, significant or not.

    Returns
    -------
    Report

    Raises
    ------
    InvalidNotesError
        If they are no notes.
    ReadError
        If they are too few for a melody.
    LibraryError
        If the library cannot be opened, or is empty.
    """
    opened = library if isinstance(library, Library) else Library.open(library)
    return opened.check(melody_of(onsets, durations, pitches), top)


def compare(
    new: Track,
    earlier: Track,
    library: library.Library | str | Path | None = None,
    rates: Rates | None = None,
    threads: int = 1,
) -> PairReport:
    """Compare two works, with a library as the background that says what chance does.

    Parameters
    ----------
    new, earlier : Melody, Piece, str or Path
        The work in question, and the one that it may follow.
    library : Library, str or Path, optional
        Or where it is; by default the user's own.
    rates : Rates, optional
        Of false alarms among unrelated pairs.
    threads : int, optional
        Threads to use.

    Returns
    -------
    PairReport
        With `score`, higher for more alike and comparable between pairs, `verdict` and `match`.

    Raises
    ------
    ReadError
        If either cannot be read, or has no melody.
    LibraryError
        If the library cannot be opened.
    """
    opened = Library.open(library) if library is None or isinstance(library, str | Path) else library
    mine, theirs = (_piece(track, threads, lambda stage: None) for track in (new, earlier))
    return checking.compare(mine, theirs, opened, rates, threads)


__all__ = [
    "Library",
    "LibraryError",
    "Melody",
    "Report",
    "check_notes",
    "compare",
    "melody_of",
]
