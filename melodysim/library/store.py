"""The reference library on disk: melodies and rights in one SQLite file.

Every import is a transaction, so that a program killed at any moment loses nothing that was reported as
stored. Notes are little-endian arrays in blobs: onset and beat float64, duration and pitch float32.

Conventions: melodies have serial numbers, drawn at random. A melody that is stored anew gets a new
number, in a copy or a backup too, so that a packed melody is never taken for another.
"""

from __future__ import annotations

import itertools
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodysim.errors import LibraryError
from melodysim.library.entries import (
    Entry,
    Recording,
    Reference,
    entry_of,
    file_of,
    is_there,
    melody_of,
    of_one_set,
    same_notes,
)
from melodysim.library.rights import Rights, Territory, effective
from melodysim.library.schema import connect, explained
from melodysim.melody import Melody
from melodysim.readers.audio import SUFFIXES as AUDIO
from melodysim.util.plain_text import folded, printable, printable_or_none

_COLUMNS = (
    "melody.id, melody.title, melody.creator, source.path, melody.voice, melody.notes, "
    "rights.status, rights.holder, rights.iswc, rights.published, rights.note, rights.died, "
    "rights.expires"
)
_TABLES = "melody JOIN source ON source.id = melody.source JOIN rights ON rights.melody = melody.id"
_AT_ONCE = 500
"""Melodies that are looked up by one statement."""
_NOTES = "melody.onset, melody.duration, melody.pitch, melody.beat, melody.voice"


def _asked(reference: Reference) -> str:
    """Return the id that a reference asks for."""
    return printable(reference.entry.id) or "melody"


def _numbered(identity: str, number: int) -> str:
    """Return the id of the `number`-th melody that asks for one id: the id itself, ``id~2``, ..."""
    return identity if number == 1 else f"{identity}~{number}"


class Store:
    """An open library file, for use in one thread; close it, or use it in a ``with`` statement.

    Parameters
    ----------
    path : Path
        Of the SQLite file.
    writable : bool, optional
        Whether to open it for writing.
    create : bool, optional
        Whether to make it if it does not exist.

    Raises
    ------
    LibraryError
        If it does not exist, is a folder, not a library, from a newer version, locked or read-only.
    """

    def __init__(self, path: Path, *, writable: bool = False, create: bool = False) -> None:
        self.path = path
        if path.is_dir():
            raise LibraryError("is a folder", f"name a file in it, such as {path / 'library.db'}", path)
        if not path.exists() and not create:
            raise LibraryError(
                "no library there",
                f"`melodysim library import FOLDER --library {path}` makes one of the works that you "
                "are worried about; `library init` adds public-domain tunes",
                path,
            )
        self._connection = connect(path, writable=writable or create)

    def __enter__(self) -> Store:
        """Return the store itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close the file; closing twice does nothing."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Group changes: all of them are stored, or none."""
        db = self._connection
        with explained(self.path):
            db.execute("BEGIN IMMEDIATE")
            try:
                before = db.total_changes
                yield
                if db.total_changes > before:
                    db.execute(
                        "UPDATE meta SET value = lower(hex(randomblob(8))) WHERE name = 'content'"
                    )
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:  # SQLite undoes it by itself where the disk is full
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read one state of the library throughout a block, whatever is written meanwhile."""
        with explained(self.path):
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("COMMIT")

    def put(
        self,
        references: Iterable[Reference],
        path: str,
        sha256: str,
        remembered: Mapping[str, tuple[Any, ...]] | None = None,
        heard: Recording | None = None,
    ) -> int:
        """Store the melodies of one source, in place of what it held before; return how many.

        Rights that a person has set for a melody that stays are kept. No melody replaces another of
        the same id: where another source has the id, it has moved here if its content is the same;
        otherwise the new melody gets an id of its own (``name~2``). A source ``file#number`` is a part
        of a set, whose records may move from one part to another.

        Parameters
        ----------
        references : iterable of Reference
        path, sha256 : str
            Of the source.
        remembered : mapping of str to tuple, optional
            Rights by id, from `rights_of_set`, of melodies that an earlier part no longer has.
        heard : Recording, optional
            What was heard of it, if it is a recording.
        """
        db, references = self._connection, list(references)
        moved: set[str] = set()
        kept = self._rights_where("source.path = ?", path)
        # A file of one melody whose id has changed keeps its rights.
        alone = next(iter(kept.values())) if len(kept) == len(references) == 1 else None
        db.execute("DELETE FROM source WHERE path = ?", (path,))
        source = db.execute("INSERT INTO source (path, sha256) VALUES (?, ?)", (path, sha256)).lastrowid
        for reference in references:
            melody = reference.melody
            identity, owner, rights_there = self._free_id(_asked(reference), path, sha256)
            moved |= {owner} if owner else set()
            entry = replace(
                reference.entry,
                id=identity,
                title=printable(reference.entry.title) or identity,
                creator=printable_or_none(reference.entry.creator),
            )
            beat = None if melody.beat is None else melody.beat.astype("<f8").tobytes()
            db.execute(
                "INSERT OR REPLACE INTO melody VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    entry.id,
                    source,
                    entry.title,
                    entry.creator,
                    melody.voice,
                    len(melody),
                    melody.onset.astype("<f8").tobytes(),
                    melody.duration.astype("<f4").tobytes(),
                    melody.pitch.astype("<f4").tobytes(),
                    beat,
                    secrets.randbits(62),
                ),
            )
            before = (remembered or {}).get(entry.id)
            rights = kept.get(entry.id) or rights_there or before or alone or astuple(entry.rights)
            db.execute(
                "INSERT OR REPLACE INTO rights VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (entry.id, *rights)
            )
        if heard is not None:
            db.execute("INSERT INTO recording VALUES (?, ?, ?)", (source, heard.version, heard.packed))
        for left in moved:
            db.execute(
                "DELETE FROM source WHERE path = ? AND id NOT IN (SELECT source FROM melody)", (left,)
            )
        return len(references)

    def follow(self, references: list[Reference], old: str, path: str) -> list[Reference]:
        """Say that a source has moved to another path, within a transaction.

        Parameters
        ----------
        references : list of Reference
            Read from it at its new path.
        old, path : str
            Where it was, and where it is; what the library has from there is forgotten.

        Returns
        -------
        list of Reference
            Those with the ids that they had.
        """
        rows = self._connection.execute(
            f"SELECT melody.id FROM {_TABLES} WHERE source.path = ? ORDER BY melody.rowid", (old,)
        ).fetchall()
        self._connection.execute("DELETE FROM source WHERE path = ?", (path,))
        self._connection.execute("UPDATE source SET path = ? WHERE path = ?", (path, old))
        if len(rows) != len(references):  # one was removed by hand, say
            return references
        kept = zip(references, rows, strict=True)
        return [replace(one, entry=replace(one.entry, id=identity)) for one, (identity,) in kept]

    def has(self, reference: Reference, but: str) -> bool:
        """Say whether another source has the same notes under the same id, or under ``id~2`` and so on.

        Parameters
        ----------
        reference : Reference
        but : str
            A source to leave out, together with the other parts of its set.
        """
        for number in itertools.count(1):
            identity = _numbered(_asked(reference), number)
            entry = self.entries_by_id([identity]).get(identity)
            if entry is None:
                return False
            elsewhere = entry.source != but and not of_one_set(but, entry.source)
            if elsewhere and same_notes(self.melody(identity), reference.melody):
                return True
        raise AssertionError("unreachable")

    def _free_id(
        self, asked: str, path: str, sha256: str
    ) -> tuple[str, str | None, tuple[Any, ...] | None]:
        """Find the id for a melody of a source; if it has moved, also its old source and its rights."""
        for number in itertools.count(1):
            identity = _numbered(asked, number)
            row = self._connection.execute(
                f"SELECT source.path, source.sha256, rights.* FROM {_TABLES} WHERE melody.id = ?",
                (identity,),
            ).fetchone()
            if row is None:
                return identity, None, None
            if row[0] == path:  # two melodies of this very source: each is kept
                continue
            has_moved = row[1] == sha256 and not is_there(row[0])
            if has_moved or of_one_set(path, row[0]):
                return identity, row[0], row[3:]
        raise AssertionError("unreachable")

    def rights_of_set(self, path: Path) -> dict[str, tuple[Any, ...]]:
        """Return the rights of a set's melodies by id, to be kept while the set is read again."""
        with explained(self.path):
            return self._rights_where("substr(source.path, 1, ?) = ?", len(f"{path}#"), f"{path}#")

    def _rights_where(self, condition: str, *values: str | int) -> dict[str, tuple[Any, ...]]:
        rows = self._connection.execute(f"SELECT rights.* FROM {_TABLES} WHERE {condition}", values)
        return {row[0]: row[1:] for row in rows}

    def forget_parts(self, path: Path, there: Iterable[str]) -> int:
        """Remove the parts that a set no longer has, within a transaction; return how many."""
        parts = [source for source in self.source_digests() if source.startswith(f"{path}#")]
        gone = sorted(set(parts) - set(there))
        for source in gone:
            self._connection.execute("DELETE FROM source WHERE path = ?", (source,))
        return len(gone)

    def source_digests(self) -> dict[str, str]:
        """Return the checksum of every source, by path."""
        with explained(self.path):
            return dict(self._connection.execute("SELECT path, sha256 FROM source"))

    def recordings(self) -> NDArray[np.int64]:
        """Return the serial numbers of melodies of which what was heard is kept too."""
        with explained(self.path):
            rows = self._connection.execute(
                "SELECT serial FROM melody WHERE source IN (SELECT source FROM recording)"
            )
            return np.fromiter((row[0] for row in rows), np.int64)

    def recording(self, identity: str) -> Recording:
        """Load what was heard of the recording that a melody was read from.

        Raises
        ------
        LibraryError
            If the melody was read from no recording, or only its line was kept.
        """
        with explained(self.path):
            row = self._connection.execute(
                "SELECT recording.version, recording.piece "
                "FROM recording JOIN melody ON melody.source = recording.source WHERE melody.id = ?",
                (identity,),
            ).fetchone()
        if row is None:
            raise LibraryError(f"holds no recording with id {identity!r}", path=self.path)
        return Recording(*row)

    def heard_by(self, version: int) -> set[str]:
        """Return the sources of recordings of which a version of the transcription was kept."""
        with explained(self.path):
            tables = "source JOIN recording ON recording.source = source.id"
            rows = self._connection.execute(f"SELECT path FROM {tables} WHERE version = ?", (version,))
            return {row[0] for row in rows}

    def entries(self, pattern: str | None = None, limit: int = -1, offset: int = 0) -> list[Entry]:
        """List entries whose id, title or creator contains a text, by id."""
        with explained(self.path):
            rows = self._connection.execute(
                f"SELECT {_COLUMNS} FROM {_TABLES} WHERE instr(folded(melody.id), :text) "
                "OR instr(folded(melody.title), :text) OR instr(folded(melody.creator), :text) "
                "ORDER BY melody.id LIMIT :limit OFFSET :offset",
                {"text": folded(pattern or ""), "limit": limit, "offset": offset},
            ).fetchall()
        return [entry_of(row) for row in rows]

    def ids_of(self, path: str) -> list[str]:
        """List the ids of a source's melodies."""
        with explained(self.path):
            rows = self._connection.execute(
                "SELECT melody.id FROM melody JOIN source ON source.id = melody.source "
                "WHERE source.path = ? ORDER BY melody.id",
                (path,),
            )
            return [row[0] for row in rows]

    def entries_by_id(self, ids: Iterable[str]) -> dict[str, Entry]:
        """Look up entries by their ids; ids that the library lacks are left out."""
        found = {}
        with explained(self.path):
            for identity in ids:
                row = self._connection.execute(
                    f"SELECT {_COLUMNS} FROM {_TABLES} WHERE melody.id = ?", (identity,)
                ).fetchone()
                if row:
                    found[identity] = entry_of(row)
        return found

    def melody(self, identity: str) -> Melody:
        """Load the notes of one reference.

        Raises
        ------
        LibraryError
            If there is none with this id.
        """
        with explained(self.path):
            row = self._connection.execute(
                f"SELECT {_NOTES} FROM melody WHERE id = ?", (identity,)
            ).fetchone()
        if row is None:
            raise LibraryError(
                f"no melody with id {identity!r}", "`melodysim library list TEXT` finds ids", self.path
            )
        return melody_of(row)

    def serials(self) -> NDArray[np.int64]:
        """Return the serial numbers of all melodies, increasing."""
        with explained(self.path):
            rows = self._connection.execute("SELECT serial FROM melody ORDER BY serial")
            return np.fromiter((row[0] for row in rows), np.int64)

    def melodies_of(self, serials: NDArray[np.int64]) -> Iterator[tuple[int, str, Melody]]:
        """Load melodies: serial number, id and notes, in the order of increasing serials."""
        if not len(serials):
            return
        with explained(self.path):
            for first in range(0, len(serials), _AT_ONCE):
                some = serials[first : first + _AT_ONCE].tolist()
                for serial, identity, *row in self._connection.execute(
                    f"SELECT melody.serial, melody.id, {_NOTES} FROM melody "
                    f"WHERE serial IN ({','.join('?' * len(some))}) ORDER BY serial",
                    some,
                ):
                    yield serial, identity, melody_of(row)

    def set_rights(self, identity: str, rights: Rights) -> None:
        """Change the rights of one reference, within a transaction."""
        changed = self._connection.execute(
            "UPDATE rights SET status = ?, holder = ?, iswc = ?, published = ?, note = ?, died = ?, "
            "expires = ? WHERE melody = ?",
            (*astuple(rights), identity),
        ).rowcount
        if not changed:
            raise LibraryError(f"no melody with id {identity!r}", path=self.path)

    def set_names(self, identity: str, title: str, creator: str | None) -> None:
        """Change the title and the creator of one reference, within a transaction."""
        changed = self._connection.execute(
            "UPDATE melody SET title = ?, creator = ? WHERE id = ?",
            (printable(title).strip() or identity, printable_or_none(creator), identity),
        ).rowcount
        if not changed:
            raise LibraryError(f"no melody with id {identity!r}", path=self.path)

    def remove(self, identity: str) -> None:
        """Remove one reference, within a transaction; the next import of its source reads it again."""
        self._connection.execute(
            "UPDATE source SET sha256 = '' WHERE id = (SELECT source FROM melody WHERE id = ?)",
            (identity,),
        )
        if not self._connection.execute("DELETE FROM melody WHERE id = ?", (identity,)).rowcount:
            raise LibraryError(f"no melody with id {identity!r}", path=self.path)
        self._connection.execute("DELETE FROM source WHERE id NOT IN (SELECT source FROM melody)")

    def protected(self, territory: Territory = "anywhere") -> tuple[NDArray[np.int64], date]:
        """Find the references whose use may need a licence in a territory, today.

        Returns
        -------
        ndarray of int64
            Their serial numbers, increasing.
        date
            Last day on which that holds if the library is not changed: licences run out, and terms of
            protection end with a year.
        """
        today = date.today()
        until = date(today.year, 12, 31)
        joined = "rights JOIN melody ON melody.id = rights.melody"
        undated = "published IS NULL AND died IS NULL AND expires IS NULL"
        with explained(self.path):
            plain = self._connection.execute(
                f"SELECT serial FROM {joined} WHERE status IN ('in-copyright', 'unknown') AND {undated}"
            )
            found = [row[0] for row in plain]
            for serial, *row in self._connection.execute(
                "SELECT serial, status, holder, iswc, published, note, died, expires "
                f"FROM {joined} WHERE NOT ({undated})"
            ):
                rights = Rights(*row)
                if effective(rights, territory, today).protected:
                    found.append(serial)
                elif rights.expires is not None:
                    until = min(until, max(today, date.fromisoformat(rights.expires)))
        return np.sort(np.array(found, np.int64)), until

    def count(self) -> int:
        """Return the number of melodies."""
        with explained(self.path):
            return int(self._connection.execute("SELECT count(*) FROM melody").fetchone()[0])

    def version(self) -> str:
        """Return the version of the content, which differs whenever melodies or rights may differ."""
        with explained(self.path):
            return "-".join(
                row[0]
                for row in self._connection.execute(
                    "SELECT value FROM meta WHERE name IN ('content', 'identity') ORDER BY name"
                )
            )

    def statistics(self) -> dict[str, dict[str, int]]:
        """Count melodies and notes, by rights today and by folder; and recordings, by what is kept."""
        with explained(self.path):
            groups = self._connection.execute(
                "SELECT status, published, died, expires, count(*) FROM rights GROUP BY 1, 2, 3, 4"
            ).fetchall()
            summed = "SELECT count(*), coalesce(sum(notes), 0) FROM melody"
            totals = self._connection.execute(summed).fetchone()
            collections = self._connection.execute(
                "SELECT CASE WHEN instr(id, '/') THEN substr(id, 1, instr(id, '/') - 1) "
                "ELSE '(no folder)' END AS folder, count(*) "
                "FROM melody GROUP BY folder ORDER BY 2 DESC LIMIT 20"
            ).fetchall()
            unheard = "SELECT path FROM source WHERE id NOT IN (SELECT source FROM recording)"
            paths = (file_of(path) for (path,) in self._connection.execute(unheard))
            lines_only = sum(path.suffix.lower() in AUDIO for path in paths)
            (heard,) = self._connection.execute("SELECT count(*) FROM recording").fetchone()
        rights: Counter[str] = Counter()
        for status, published, died, expires, count in groups:
            known = Rights(status, published=published, died=died, expires=expires)
            rights[effective(known).status] += count
        return {
            "totals": {"melodies": totals[0], "notes": totals[1]},
            "rights": dict(rights.most_common()),
            "collections": dict(collections),
            "recordings": {"heard": heard, "line only": lines_only},
        }
