"""The reference library opened for checking; scripts check with it and add to it."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from melodysim.errors import InvalidNotesError, LibraryError
from melodysim.library.chance import Chance, typical_chance
from melodysim.library.entries import Entry, Recording, Reference
from melodysim.library.packed.index import Index
from melodysim.library.packed.index_files import (
    load_chance,
    load_heard,
    load_index,
    part_files,
    protection,
    save_chance,
    save_heard,
)
from melodysim.library.rights import TERRITORIES, Rights, Status, Territory, check_rights, effective
from melodysim.library.shelf import NOTHING, Shelf, Unrelated
from melodysim.library.store import Store
from melodysim.library.watch_list import Accepted, Suspect, WatchList
from melodysim.melody import Melody

if TYPE_CHECKING:
    from distributed import Client

    from melodysim import CancelCallback, Rates, Report, StageCallback, TrackLike


def default_library_path() -> Path:
    """Find the user's library: ``MELODYSIM_LIBRARY``, or a file in the user's data folder."""
    named = os.environ.get("MELODYSIM_LIBRARY")
    if named:
        return Path(named)
    from platformdirs import user_data_path

    return user_data_path("melodysim", appauthor=False) / "library.db"


@dataclass(frozen=True)
class Holdings:
    """Number of melodies in a library, for reports.

    Attributes
    ----------
    name : str
        Name of the library's file.
    melodies, protected : int
        Number of all melodies; of those in copyright or of unknown status.
    territory : str
        Territory whose terms of protection apply.
    recordings : int
        Protected melodies that are of recordings, of which it keeps what was heard.
    """

    name: str
    melodies: int
    protected: int
    territory: str = "anywhere"
    recordings: int = 0

    def sentences(self) -> list[str]:
        """Return the holdings in words, for a report."""
        free = self.melodies - self.protected
        where = "anywhere" if self.territory == "anywhere" else f"in “{self.territory}”"
        held = (
            f"The library “{self.name}” holds {self.melodies:,} melodies: {self.protected:,} protected "
            f"or of unknown status, {free:,} free to use (for a release {where})."
        )
        if not self.recordings:
            return [held]
        kept = "is kept as a recording" if self.recordings == 1 else "are kept as recordings"
        whole = f"{self.recordings:,} of the protected ones {kept}"
        return [held, f"{whole}, to be compared with a track as a whole."]


class Library:
    """A reference library opened for checking; safe to share between threads.

    Parameters
    ----------
    path : str or Path, optional
        The SQLite file; by default the user's own library.
    territory : {"anywhere", "us", "eu", "uk", "life+50"}, optional
        Where tracks are to be released: which terms of protection count.
    exhaustive : bool, optional
        Whether to compare with every reference, however many there are: slower, but none is missed.

    Attributes
    ----------
    path : Path
    territory : str
    version : str
        Version of its content when it was opened or last added to.
    shelf : Shelf
        Its references as they were then. Adding a melody puts a new shelf here; a check that
        has begun goes on with the old one.

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
        if isinstance(territory, str):
            territory = cast(Territory, territory.lower())
        if territory not in TERRITORIES:
            known = ", ".join(TERRITORIES)
            raise LibraryError(f"no territory “{territory}”", f"known are {known}", path)
        self.territory: Territory = territory
        self.path = library_place(path)
        self._exhaustive, self._spread = exhaustive, False
        self._changing = threading.Lock()
        self._suspects: dict[str, Suspect] = {}
        self._unrelated: tuple[object, Unrelated] | None = None
        self._load()

    @classmethod
    def open(
        cls, path: str | Path | None = None, territory: Territory = "anywhere", *, create: bool = False
    ) -> Library:
        """Open a library.

        Parameters
        ----------
        path, territory
            As for the class.
        create : bool, optional
            Whether to make an empty one if there is none.

        Raises
        ------
        LibraryError
            If it cannot be opened.
        """
        if create:
            Store(library_place(path), create=True).close()
        return cls(path, territory)

    def __reduce__(self) -> tuple[Callable[..., Library], tuple[Any, ...]]:
        """Open the library anew where it is unpickled or copied: in a process of a pool."""
        return _reopened, (self.path, self.territory, self._exhaustive)

    def refresh(self) -> None:
        """Load the library again if melodies or rights have changed since it was opened.

        Raises
        ------
        LibraryError
            If it cannot be opened.
        """
        with Store(self.path) as store:
            now = store.version()
        if now != self.version and not self._spread:
            with self._changing:
                self._load()

    def _load(self) -> None:
        """Load the index and the rights that the file holds now."""
        with Store(self.path) as store, store.reading():
            index = load_index(store)
            self.version = store.version()
            protected, backgrounds = protection(store, index, self.territory)
            bound = int(protected.sum())
            counts = len(index) - bound, bound
            chance = load_chance(store, bound, counts[0])
            heard = store.recordings()
        if self._exhaustive:
            index.exhaustive, index.everything = len(index), True
        look_up = partial(_references, self.path, self.territory)
        chances = (
            typical_chance(counts[0]),
            typical_chance(bound, counts[0]) if chance is None else chance.among(bound),
        )
        recordings = NOTHING
        if len(heard):
            recordings = np.flatnonzero(protected & np.isin(index.serials, heard))
        self.shelf = Shelf(index, protected, backgrounds, counts, look_up, chances, recordings)

    def __repr__(self) -> str:
        """Say what it holds, in a line."""
        holdings = self.holdings
        return f"<Library {str(self.path)!r}: {len(self):,} melodies, {holdings.protected:,} protected>"

    def _repr_html_(self) -> str:
        """Show what it holds in a notebook."""
        from html import escape

        return "".join(f"<p>{escape(line)}</p>" for line in self.holdings.sentences())

    def to_frame(self, text: str | None = None) -> Any:
        """Return the entries, or those with a text in id, title or creator, as a ``pandas.DataFrame``.

        Raises
        ------
        MissingDependencyError
            If pandas is not installed.
        """
        from melodysim.util.frames import frame_of

        with Store(self.path) as store:
            entries = store.entries(text)
        columns = ("id", "title", "creator", "rights", "holder", "notes", "source")
        rows = [
            (
                entry.id,
                entry.title,
                entry.creator,
                effective(entry.rights, self.territory).status,
                entry.rights.holder,
                entry.notes,
                entry.source,
            )
            for entry in entries
        ]
        return frame_of(columns, rows)

    def __len__(self) -> int:
        """Return the number of references."""
        return len(self.shelf)

    @property
    def index(self) -> Index:
        """The packed melodies."""
        return self.shelf.index

    @property
    def protected(self) -> NDArray[np.bool_]:
        """Whether each reference of the index is in copyright, or not known to be free."""
        return self.shelf.protected

    @property
    def search(self) -> str:
        """How references are chosen for alignment: "exhaustive", or by "seeds"."""
        return "seeds" if self.index.seeded else "exhaustive"

    @property
    def holdings(self) -> Holdings:
        """Number of the library's melodies, for reports."""
        shelf = self.shelf
        protected, recordings = shelf.comparisons[1], len(shelf.recordings)
        return Holdings(self.path.name, len(self), protected, self.territory, recordings)

    def watched(self) -> tuple[list[Suspect], dict[str, Accepted]]:
        """Return the songs that are watched for, and the accepted findings by id, as they are now."""
        with WatchList(self.path) as watched:
            digests, accepted = watched.digests(), watched.accepted()
            there = self._suspects
            self._suspects = {
                digest: there.get(digest) or watched.suspect(identity)
                for identity, digest in digests.items()
            }
        return list(self._suspects.values()), accepted

    def suspects(self) -> list[Suspect]:
        """Return the songs that are watched for, as they are now."""
        return self.watched()[0]

    def accepted(self) -> dict[str, Accepted]:
        """Return the findings that were accepted, as they are now, by id."""
        return self.watched()[1]

    def melody(self, identity: str) -> Melody:
        """Load the notes of a reference."""
        with Store(self.path) as store:
            return store.melody(identity)

    def background_melodies(self) -> list[Melody]:
        """Load the melodies of the background, against which two works are compared.

        Those that were removed since the library was opened are left out.
        """
        shelf, found = self.shelf, []
        with Store(self.path) as store:
            for reference in np.concatenate(shelf.backgrounds):
                with suppress(LibraryError):
                    found.append(store.melody(shelf.index.name(int(reference))))
        return found

    def unrelated(self) -> Unrelated:
        """Return the melodies of the background, packed, to measure chance on between two works."""
        backgrounds, there = self.shelf.backgrounds, self._unrelated
        if there is None or there[0] is not backgrounds:
            there = self._unrelated = backgrounds, Unrelated.of(self.background_melodies())
        return there[1]

    def recording(self, identity: str) -> Recording:
        """Load what was heard of a recording, by the id of its melody.

        Raises
        ------
        LibraryError
            If there is none.
        """
        with Store(self.path) as store:
            return store.recording(identity)

    def heard_chance(self, digest: str) -> Iterator[dict[str, Any]]:
        """Yield what was kept of chance in a recording, by the digest of what was heard."""
        return load_heard(self.path, digest)

    def keep_heard_chance(self, digest: str, said: dict[str, Any]) -> None:
        """Keep what was measured of chance in a recording, if the folder can be written to."""
        save_heard(self.path, digest, said)

    def keep_chance(self, chance: Chance) -> None:
        """Use what was measured of chance among the protected works, and keep it on disk."""
        with self._changing:
            protected = chance.among(self.shelf.comparisons[1])
            self.shelf = replace(self.shelf, chances=(self.shelf.chances[0], protected))
            with Store(self.path) as store:
                save_chance(store, chance)

    def spread_over(self, client: Client) -> Library:
        """Return the library with its parts on a Dask cluster while the client is open; results agree.

        Parameters
        ----------
        client : distributed.Client
            Client of a cluster whose workers see the library under the same path.

        Raises
        ------
        LibraryError
            If the packed parts are not on disk.
        """
        from melodysim.library.packed.remote_shards import RemoteShard

        with Store(self.path) as store:
            files = part_files(store)
        if len(files) != len(self.index.parts):
            raise LibraryError(
                "its packed parts are not on disk", "make its folder writable", self.path
            )
        parts = [
            RemoteShard(client, file, number, len(part))
            for number, (file, part) in enumerate(zip(files, self.index.parts, strict=True))
        ]
        index = Index(parts, self.index.order, self.index.exhaustive, at_once=len(parts))
        index.everything = self.index.everything
        if len(self.shelf.recordings):
            self.unrelated()  # packed here, once, and not from parts that lie elsewhere
        other = object.__new__(Library)
        other.__dict__.update(self.__dict__, _spread=True)
        other.shelf = replace(self.shelf, index=index)
        return other

    def check(
        self,
        track: TrackLike,
        top: int | None = None,
        *,
        rates: Rates | None = None,
        threads: int = 1,
        stems: Sequence[str | Path] = (),
        progress: StageCallback | None = None,
        cancelled: CancelCallback | None = None,
    ) -> Report:
        """Check a track against the library as it is now; see `refresh` and `melodysim.check`."""
        import melodysim

        self.refresh()
        return melodysim.check(
            track, self, top, rates, threads, stems=stems, progress=progress, cancelled=cancelled
        )

    def add(
        self,
        notes: Melody,
        title: str,
        *,
        creator: str | None = None,
        rights: Rights | Status = "unknown",
        identity: str | None = None,
    ) -> str:
        """Add a melody and return its id; checks that begin from now on know it.

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
            Id; by default the title. A melody whose id is taken by another gets a new one
            (``title~2``); adding the same melody again changes nothing.

        Raises
        ------
        InvalidNotesError
            If there are too few notes.
        RightsError
            If the rights are not valid.
        LibraryError
            If the library cannot be written to.
        """
        if not isinstance(notes, Melody):
            raise InvalidNotesError(
                f"{title}: notes are a Melody, not {type(notes).__name__}",
                "of a file, melodysim.read(path).melodies[0] is one",
            )
        if len(notes) < 2:
            raise InvalidNotesError(f"{title}: {len(notes)} notes are no melody")
        for name, text in {"title": title, "creator": creator or "", "id": identity or ""}.items():
            _require_text(name, text)
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
            self._load()
        return taken


def library_place(path: str | Path | None) -> Path:
    """Return the place of a library, which a script that changes its folder does not lose.

    Parameters
    ----------
    path : str, Path or None
        None is the user's own.

    Raises
    ------
    LibraryError
        If it is no path.
    """
    if path is None:
        return default_library_path().absolute()
    if not isinstance(path, str | Path) or not str(path).strip():
        raise LibraryError(f"a library is named by its path, not by {path!r}")
    return Path(path).absolute()


def _require_text(name: str, text: object) -> None:
    """Raise `InvalidNotesError` unless something is text that a file can hold."""
    if not isinstance(text, str):
        raise InvalidNotesError(f"the {name} of a melody is text, not {type(text).__name__}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidNotesError(f"the {name} of a melody holds half a character: {text!r}") from error


def _reopened(path: Path, territory: Territory, exhaustive: bool) -> Library:
    return Library(path, territory, exhaustive=exhaustive)


def _references(path: Path, territory: Territory, ids: list[str]) -> dict[str, Reference]:
    """Load references by their ids, with notes and with rights as they stand today."""
    with Store(path) as store:
        return {
            identity: Reference(
                replace(entry, rights=effective(entry.rights, territory)), store.melody(identity)
            )
            for identity, entry in store.entries_by_id(ids).items()
        }
