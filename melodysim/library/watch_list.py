"""Songs that a person is afraid of, and findings that a person has settled: both kept in the library.

A named song ("suspect") is kept whole, with what was heard of it if it is a recording, since each
track is compared with it by itself (`melodysim.checking`). An accepted finding is a pair of a track,
by its content, and a work; it has a note that says why it alarms no more.

Neither is a melody of the library: the library's version stays as it is, and so do its packed parts.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Self

from melodysim.errors import LibraryError
from melodysim.library.schema import connect, explained
from melodysim.melody import Piece
from melodysim.packed_piece import pack_piece, unpack_piece
from melodysim.util.plain_text import printable, printable_or_none

ID_DIGITS = 10
"""Hexadecimal digits of the ids of findings."""


@dataclass(frozen=True, eq=False)
class Suspect:
    """A song that tracks are compared with by itself.

    Attributes
    ----------
    id : str
        Unique in the library.
    title : str
    creator : str or None
    source : str
        File that it was read from.
    added : str
        Day, in ISO 8601.
    corrected : bool
        Whether its notes were put in by a person in place of what was heard.
    piece : Piece
        Its melodies, and what was heard of it.
    digest : str
        SHA-256 of all of this: differs where a comparison may.
    """

    id: str
    title: str
    creator: str | None
    source: str
    added: str
    corrected: bool
    piece: Piece
    digest: str


@dataclass(frozen=True)
class Accepted:
    """A finding that a person has settled.

    Attributes
    ----------
    id : str
        See `finding_id`.
    note : str
        Why.
    day : str
        In ISO 8601.
    about : str
        Track and work, for lists; may be empty.
    """

    id: str
    note: str
    day: str
    about: str = ""


def finding_id(piece: Piece, reference: str) -> str:
    """Return the id of the finding that a track follows a work: the same for the same content.

    Parameters
    ----------
    piece : Piece
        The track: its file's checksum counts, or its notes if it has none.
    reference : str
        Id of the work.
    """
    content = piece.sha256.encode()
    if not content:
        melody = piece.melodies[0]
        content = melody.onset.tobytes() + melody.pitch.tobytes()
    return hashlib.sha256(content + b"\n" + reference.encode()).hexdigest()[:ID_DIGITS]


class WatchList:
    """The named songs and the accepted findings of a library; use it in a ``with`` statement.

    Parameters
    ----------
    path : Path
        Of the library.
    writable : bool, optional
        Whether to open it for writing; it is made if it does not exist.

    Raises
    ------
    LibraryError
        If it cannot be opened.
    """

    def __init__(self, path: Path, writable: bool = False) -> None:
        self.path = Path(path)
        if not writable and not self.path.exists():
            raise LibraryError(
                "no library there", "`melodysim library import FOLDER` makes one", self.path
            )
        self._db = connect(self.path, writable=writable)

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with explained(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise

    # Named songs

    def digests(self) -> dict[str, str]:
        """Return the digest of each named song by its id, in the order in which they were added."""
        with explained(self.path):
            return dict(self._db.execute("SELECT id, digest FROM suspect ORDER BY rowid"))

    def suspect(self, identity: str) -> Suspect:
        """Return a named song, by its id or by a title that it alone has.

        Raises
        ------
        LibraryError
            If there is none, or several have the title.
        """
        with explained(self.path):
            rows = self._db.execute(
                "SELECT id, title, creator, source, added, corrected, piece, digest FROM suspect "
                "WHERE id = :name OR title = :name ORDER BY id != :name",
                {"name": identity},
            ).fetchall()
        row = rows[0] if rows and (len(rows) == 1 or rows[0][0] == identity) else None
        if row is None:
            raise LibraryError(
                f"no song of the name {identity!r} is watched for",
                "`melodysim suspect list` lists them",
                self.path,
            )
        name, title, creator, source, added, corrected, packed, digest = row
        piece = unpack_piece(packed)
        return Suspect(name, title, creator, source, added, bool(corrected), piece, digest)

    def suspects(self) -> list[Suspect]:
        """Return all named songs, in the order in which they were added."""
        return [self.suspect(identity) for identity in self.digests()]

    def add(self, piece: Piece, title: str | None = None, creator: str | None = None) -> Suspect:
        """Watch for a song; return it as it is kept.

        Parameters
        ----------
        piece : Piece
            With at least one melody.
        title, creator : str, optional
            Instead of what the piece says; without a title the file's name is one.

        Raises
        ------
        LibraryError
            If the same song is watched for already.
        """
        name = printable(title or piece.title or Path(piece.source).stem).strip() or "song"
        by = printable_or_none(creator or piece.creator)
        with self._writing() as db:
            same = db.execute(
                "SELECT id FROM suspect WHERE sha256 = ? AND sha256 != ''", (piece.sha256,)
            ).fetchone()
            if same:
                raise LibraryError(
                    f"this song is watched for already, as “{same[0]}”",
                    "take that out first to name it anew",
                    self.path,
                )
            taken = {row[0] for row in db.execute("SELECT id FROM suspect")}
            identity, number = name, 1
            while identity in taken:
                number += 1
                identity = f"{name}~{number}"
            self._put(db, identity, name, by, piece)
        return self.suspect(identity)

    def correct(self, identity: str, notes: Piece) -> Suspect:
        """Put notes in place of what was heard of a song; return it as it is kept from now on.

        Parameters
        ----------
        identity : str
        notes : Piece
            As a person has corrected or written them.
        """
        old = self.suspect(identity)
        with self._writing() as db:
            # The song stays known by the recording that it was named by.
            (known_by,) = db.execute("SELECT sha256 FROM suspect WHERE id = ?", (identity,)).fetchone()
            db.execute("DELETE FROM suspect WHERE id = ?", (identity,))
            self._put(db, identity, old.title, old.creator, notes, corrected_of=known_by)
        return self.suspect(identity)

    def _put(
        self,
        db: sqlite3.Connection,
        identity: str,
        title: str,
        creator: str | None,
        piece: Piece,
        corrected_of: str | None = None,
    ) -> None:
        """Write a song; `corrected_of` is the checksum of what its notes correct."""
        packed = pack_piece(piece)
        digest = hashlib.sha256(f"{identity}\n{title}\n{creator}\n".encode() + packed).hexdigest()
        db.execute(
            "INSERT INTO suspect VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                identity, title, creator, piece.source,
                piece.sha256 if corrected_of is None else corrected_of, date.today().isoformat(),
                int(corrected_of is not None), packed, digest,
            ),
        )  # fmt: skip

    def remove(self, identity: str) -> None:
        """Watch for a song no more; raise `LibraryError` if there is none with this id."""
        named = self.suspect(identity)
        with self._writing() as db:
            db.execute("DELETE FROM suspect WHERE id = ?", (named.id,))

    # Accepted findings

    def accepted(self) -> dict[str, Accepted]:
        """Return all accepted findings by id."""
        with explained(self.path):
            rows = self._db.execute("SELECT id, note, day, about FROM accepted ORDER BY day, id")
            return {row[0]: Accepted(*row) for row in rows}

    def accept(self, identity: str, note: str, about: str = "") -> Accepted:
        """Settle a finding: it is shown, and alarms no more. Without a note, an earlier one stays."""
        settled = Accepted(
            identity, printable(note).strip(), date.today().isoformat(), printable(about)
        )
        with self._writing() as db:
            db.execute(
                "INSERT INTO accepted VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
                "note = coalesce(nullif(excluded.note, ''), note), day = excluded.day, "
                "about = coalesce(nullif(excluded.about, ''), about)",
                (settled.id, settled.note, settled.day, settled.about),
            )
        return settled

    def withdraw(self, identity: str) -> None:
        """Let a finding alarm again; raise `LibraryError` if it was not accepted."""
        with self._writing() as db:
            if not db.execute("DELETE FROM accepted WHERE id = ?", (identity,)).rowcount:
                raise LibraryError(f"no finding {identity!r} was accepted", path=self.path)
