"""The SQLite file of a reference library: its tables and migrations, and how it is opened.

Write-ahead logging lets checks read while an import writes. Conventions: `user_version` is the schema's
version; `content` in `meta` is a random mark that every transaction changes, so that data
derived from the library, or from a copy of it, can be recognised as stale.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from melodysim.errors import LibraryError
from melodysim.util.plain_text import folded

BUSY_SECONDS = 10.0
"""How long to wait for another process that is writing."""

MIGRATIONS = (
    """
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE source (
        id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL
    );
    CREATE TABLE melody (
        id TEXT PRIMARY KEY,
        source INTEGER NOT NULL REFERENCES source (id) ON DELETE CASCADE,
        title TEXT NOT NULL, creator TEXT, voice TEXT NOT NULL, notes INTEGER NOT NULL,
        onset BLOB NOT NULL, duration BLOB NOT NULL, pitch BLOB NOT NULL, beat BLOB
    );
    CREATE INDEX melody_source ON melody (source);
    CREATE TABLE rights (
        melody TEXT PRIMARY KEY REFERENCES melody (id) ON DELETE CASCADE,
        status TEXT NOT NULL
            CHECK (status IN ('in-copyright', 'public-domain', 'licensed', 'own', 'unknown')),
        holder TEXT, iswc TEXT, published INTEGER, note TEXT
    );
    INSERT INTO meta VALUES ('content', '0'), ('identity', lower(hex(randomblob(8))));
    """,
    """
    ALTER TABLE rights ADD COLUMN died INTEGER;
    ALTER TABLE rights ADD COLUMN expires TEXT;
    """,
    """
    ALTER TABLE melody ADD COLUMN serial INTEGER NOT NULL DEFAULT 0;
    UPDATE melody SET serial = abs(random() / 2);
    CREATE UNIQUE INDEX melody_serial ON melody (serial);
    """,
    """
    CREATE TABLE suspect (
        id TEXT PRIMARY KEY, title TEXT NOT NULL, creator TEXT, source TEXT NOT NULL,
        sha256 TEXT NOT NULL, added TEXT NOT NULL, corrected INTEGER NOT NULL, piece BLOB NOT NULL,
        digest TEXT NOT NULL
    );
    CREATE TABLE accepted (
        id TEXT PRIMARY KEY, note TEXT NOT NULL, day TEXT NOT NULL, about TEXT NOT NULL
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE recording (
        source INTEGER PRIMARY KEY REFERENCES source (id) ON DELETE CASCADE,
        version INTEGER NOT NULL, piece BLOB NOT NULL
    );
    """,
)
"""Statements that lead from each schema version to the next; only ever appended to."""
SCHEMA = len(MIGRATIONS)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into a `LibraryError` that says what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        text = str(error)
        if "not a database" in text or "malformed" in text:
            reason = "not a melodysim library, or damaged; give another path with --library"
        elif "locked" in text or "busy" in text:
            reason = "locked by another process; try again when it has finished"
        elif "readonly" in text or "read-only" in text:
            reason = "read-only; make it writable, or give another path with --library"
        elif "full" in text:
            reason = "the disk is full; nothing was changed"
        elif "unable to open" in text:
            reason = "cannot be opened; check the folder and its permissions"
        else:
            reason = f"cannot be used ({text})"
        raise LibraryError(reason, path=path) from error


def _migrate(db: sqlite3.Connection, version: int) -> None:
    """Apply the migrations that follow a library's schema version."""
    for number in range(version, SCHEMA):
        db.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have been faster.
            if db.execute("PRAGMA user_version").fetchone()[0] == number:
                for statement in MIGRATIONS[number].split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {number + 1}")
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise


def connect(path: Path, *, writable: bool) -> sqlite3.Connection:
    """Open a library's file.

    Parameters
    ----------
    path : Path
    writable : bool
        Whether to open it for writing; it is made, with its folder, if it does not exist.

    Returns
    -------
    sqlite3.Connection
        In autocommit mode, foreign keys on.

    Raises
    ------
    LibraryError
        If it is not a library, from a newer version, locked or read-only.
    """
    if writable:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LibraryError(f"cannot be created ({error.strerror})", path=path) from error
    with explained(path):
        connection = _connect(path, writable)
        try:
            _prepare(path, connection, writable)
        except BaseException:
            connection.close()
            raise
        return connection


def _connect(path: Path, writable: bool) -> sqlite3.Connection:
    """Connect to a library's file; for reading, also on a read-only medium."""
    name = path.absolute().as_uri()
    modes = ["mode=rwc"] if writable else ["mode=ro", "immutable=1"]
    for mode in modes:
        connection = sqlite3.connect(
            f"{name}?{mode}", uri=True, timeout=BUSY_SECONDS, isolation_level=None
        )
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            # A write-ahead log needs a writable folder; a library on a read-only medium has none.
            connection.close()
            if mode == modes[-1] or "locked" in str(error):
                raise
            continue
        connection.create_function("folded", 1, folded, deterministic=True)
        return connection
    raise AssertionError("unreachable")


def _prepare(path: Path, db: sqlite3.Connection, writable: bool) -> None:
    """Check that a file is a library, and bring it up to this schema."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master")}
    if version > SCHEMA:
        raise LibraryError(
            f"made by a newer melodysim (schema {version}, this one knows {SCHEMA})",
            "update melodysim",
            path,
        )
    if version == 0 and tables:
        raise LibraryError("a database, but not a melodysim library", path=path)
    db.execute("PRAGMA foreign_keys = ON")
    if not writable:
        if version == 0:
            raise LibraryError("empty", "fill it with `melodysim library init`", path)
        if version < SCHEMA:
            _migrate_or_explain(path, version)
        return
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    _migrate(db, version)


def _migrate_or_explain(path: Path, version: int) -> None:
    """Bring a library of an older version up to date before it is read."""
    try:
        writable = _connect(path, True)
        try:
            _migrate(writable, version)
        finally:
            writable.close()
    except sqlite3.OperationalError as error:
        raise LibraryError(
            f"made by an older melodysim and cannot be brought up to date ({error})",
            "make it writable once",
            path,
        ) from error
