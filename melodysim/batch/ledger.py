"""The results of a scan in one SQLite file, from which all result files are written.

Each result is stored in a transaction of its own before it counts as done, so that a scan killed at any
moment loses at most the tracks that were being checked. A result belongs to a track's content and a
fingerprint of everything else that it depends on (the library, the options, the parts of the program
that change results): moving a file costs nothing, and what has changed is checked again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from melodysim.batch.tracks import Found
from melodysim.errors import MelodysimError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS file (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, stamp TEXT NOT NULL, sha256 TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, version TEXT NOT NULL, content TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS result (
    sha256 TEXT NOT NULL, fingerprint TEXT NOT NULL, path TEXT NOT NULL, entry TEXT NOT NULL,
    level TEXT NOT NULL, closest TEXT, page TEXT, failed INTEGER NOT NULL, melody BLOB,
    PRIMARY KEY (sha256, fingerprint)
);
CREATE TABLE IF NOT EXISTS seen (key TEXT PRIMARY KEY, level TEXT NOT NULL) WITHOUT ROWID;
"""
_VERSION = 1


@dataclass(frozen=True)
class Done:
    """The result of a track.

    Attributes
    ----------
    path : str
        Under which it was checked.
    entry : dict
        As in the JSON of ``check``.
    level : str
        Verdict, or "error".
    closest : dict or None
        Of the best match with a protected work: title, e_value, seconds.
    page : str or None
        Name of its page, where pages were asked for.
    failed : bool
        Whether the worker failed (time, memory), rather than the track being unreadable.
    lasting : bool
        Whether it will be the same the next time: not so for a file that has gone or has changed.
    melody : bytes
        The likeliest melody, for finding takes of one melody; see `melodysim.batch.takes`.
    why : str
        Why it could not be checked, without the path.
    seconds : float
        That the check took; not stored.
    """

    path: str
    entry: dict[str, Any]
    level: str
    closest: dict[str, Any] | None = None
    page: str | None = None
    failed: bool = False
    lasting: bool = True
    melody: bytes = b""
    why: str = ""
    seconds: float = field(default=0.0, compare=False)

    @property
    def grade(self) -> str:
        """The verdict as people are shown it: "uncertain" for a "clear" that is not firm."""
        if self.level == "clear" and not self.entry["firm"]:
            return "uncertain"
        settled = self.level in {"clear", "unchecked"} and self.entry.get("accepted")
        return "accepted" if settled else self.level


@dataclass(frozen=True)
class Known:
    """A track that has a result.

    Attributes
    ----------
    checked : bool
        Whether it could be checked.
    page : str or None
        Name of its page.
    """

    checked: bool
    page: str | None


class Ledger:
    """The file of a scan's results; used by one process at a time.

    Parameters
    ----------
    path : Path
        Is made if it does not exist.

    Raises
    ------
    MelodysimError
        If it cannot be opened, or another scan is using it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._explained():
            self._db = sqlite3.connect(path, isolation_level=None, timeout=1.0)
            # Held until it is closed: two scans into one folder would tear each other's results.
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version not in {0, _VERSION}:
                raise MelodysimError(
                    "made by another version of melodysim", "choose another --output", path
                )
            self._db.executescript(_SCHEMA)
            self._db.execute(f"PRAGMA user_version = {_VERSION}")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn SQLite's errors into a `MelodysimError` that says what to do."""
        try:
            yield
        except sqlite3.Error as error:
            text = str(error)
            reason = (
                "is used by another scan; wait for it, or choose another --output"
                if "locked" in text
                else "cannot be written: the disk is full; make room and run the same command again"
                if "full" in text
                else f"cannot be used ({text}); choose another --output"
            )
            raise MelodysimError(reason, path=self.path) from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def digests(self) -> dict[str, tuple[int, str, str]]:
        """Return size, stamp and checksum of every file seen before, by absolute path."""
        with self._explained():
            rows = self._db.execute("SELECT path, size, stamp, sha256 FROM file")
            return {path: (size, stamp, digest) for path, size, stamp, digest in rows}

    def keep_digests(self, files: Iterable[tuple[Found, str]]) -> None:
        """Store the checksums of files."""
        with self._explained():
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?)",
                ((str(Path(f.path).absolute()), f.size, f.stamp, digest) for f, digest in files),
            )
            self._db.execute("COMMIT")

    def done(self, fingerprint: str) -> dict[str, Known]:
        """Return the tracks that have a result under a fingerprint, by `Track.key`."""
        with self._explained():
            rows = self._db.execute(
                "SELECT sha256, level, page FROM result WHERE fingerprint = ?", (fingerprint,)
            )
            return {d: Known(level != "error", page) for d, level, page in rows}

    def forget_all_but(self, fingerprint: str) -> None:
        """Delete all results but those of this fingerprint and of the two used before it."""
        used = self.recall("fingerprints", "") or []
        used = [fingerprint, *(f for f in used if f != fingerprint)][:3]
        self.remember("fingerprints", "", used)
        with self._explained():
            marks = ", ".join("?" * len(used))
            self._db.execute(f"DELETE FROM result WHERE fingerprint NOT IN ({marks})", used)

    def forget_findings(self, findings: Iterable[str]) -> None:
        """Delete the results in which one of these findings stands: it alarms, or does not, anew."""
        with self._explained():
            for finding in findings:
                self._db.execute("DELETE FROM result WHERE instr(entry, ?)", (f'"{finding}"',))

    def seen(self) -> dict[str, str]:
        """Return the level of each track of the last scan that was finished, by `Track.key`."""
        with self._explained():
            return dict(self._db.execute("SELECT key, level FROM seen"))

    def see(self, levels: Iterable[tuple[str, str]]) -> None:
        """Store the levels of the tracks of a finished scan by key, in place of those before."""
        with self._explained():
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("DELETE FROM seen")
            self._db.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?)", levels)
            self._db.execute("COMMIT")

    def recall(self, name: str, version: str) -> Any | None:
        """Return the content stored under a name; None if it is of another version."""
        with self._explained():
            row = self._db.execute(
                "SELECT content FROM kept WHERE name = ? AND version = ?", (name, version)
            ).fetchone()
        return None if row is None else json.loads(row[0])

    def remember(self, name: str, version: str, content: Any) -> None:
        """Store content under a name, in place of another version."""
        with self._explained():
            values = (name, version, json.dumps(content))
            self._db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", values)

    def keep(self, digest: str, fingerprint: str, done: Done) -> None:
        """Store the result of a track; once this returns, the track is done."""
        entry = done.entry | ({"why": done.why} if done.why else {})
        values = (
            digest, fingerprint, done.path, json.dumps(entry, ensure_ascii=False, allow_nan=False),
            done.level, None if done.closest is None else json.dumps(done.closest, ensure_ascii=False),
            done.page, int(done.failed), done.melody,
        )  # fmt: skip
        with self._explained():
            self._db.execute("INSERT OR REPLACE INTO result VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)

    def result(self, digest: str, fingerprint: str) -> Done | None:
        """Return the result of a track, if there is one."""
        with self._explained():
            row = self._db.execute(
                "SELECT path, entry, level, closest, page, failed, melody FROM result "
                "WHERE sha256 = ? AND fingerprint = ?",
                (digest, fingerprint),
            ).fetchone()
        if row is None:
            return None
        path, entry, level, closest, page, failed, melody = row
        found, entry = None if closest is None else json.loads(closest), json.loads(entry)
        why = entry.pop("why", "")
        return Done(path, entry, level, found, page, bool(failed), True, melody, why)
