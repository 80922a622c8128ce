"""What is to be read for a library, and reading it: done in worker processes."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from melodysim.errors import MelodysimError, ReadError
from melodysim.library.entries import Entry, Reference
from melodysim.library.importers.rights_table import is_index
from melodysim.library.rights import Rights
from melodysim.melody import FEWEST_NOTES, Melody
from melodysim.readers.abc import decode, read_abc
from melodysim.readers.melody_parts import candidate_melodies
from melodysim.readers.read import ABC_SUFFIXES, SUFFIXES, file_bytes, read

_SNIFFED = 65_536
TABLE_SUFFIXES = {".csv", ".json"}
"""Of notes in plain tables (`melodysim.library.importers.tables`)."""


@dataclass(frozen=True)
class Job:
    """Something to read: what its melodies are to be called, and whose they are.

    Attributes
    ----------
    source : str
        Unique in the library: a file, or a part of one.
    reader : str
        Name in `READERS`.
    path : Path
        The file; it is named in errors.
    identity : str
        Of its melody, or what the ids of its melodies begin with.
    rights : Rights
        Of new melodies.
    title, creator : str, optional
        Instead of what the file says.
    records : tuple of dict
        What was read of a set already, for readers that take records; whatever they do, a job with
        records is new if these are.
    """

    source: str
    reader: str
    path: Path
    identity: str
    rights: Rights
    title: str | None = None
    creator: str | None = None
    records: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class JobResult:
    """What came of a job.

    Attributes
    ----------
    digest : str
        SHA-256 of what was read.
    references : list of Reference or None
        None where the digest was known: there is nothing new.
    failed : list of (str, MelodysimError)
        Sources of what could not be read, and why.
    skipped : int
        Melodies of too few notes.
    """

    digest: str
    references: list[Reference] | None
    failed: list[tuple[str, MelodysimError]] = field(default_factory=list)
    skipped: int = 0


def file_jobs(path: Path, rights: Rights, title: str | None, creator: str | None) -> list[Job]:
    """List the files of known kinds in a folder, or the one file; none of an exported library."""
    if not path.is_dir():
        named = [(path, shown(Path(path.name)))]
    else:
        found = [p for p in sorted(path.rglob("*")) if p.is_file()]
        music = [p for p in found if p.suffix.lower() in SUFFIXES]
        tables = [p for p in found if looks_like_table(p)]
        exports = {p.parent for p in found if is_index(p)}
        named = [
            (file, shown(file.relative_to(path)))
            for file in sorted(music + tables)
            if not is_exported(file, exports)
        ]
    return [
        Job(
            shown(file),
            "table" if file.suffix.lower() in TABLE_SUFFIXES else "file",
            file,
            identity,
            rights,
            title,
            creator,
        )
        for file, identity in named
    ]


_EXPORTED = re.compile(r"\d{6,}-.*\.(csv|mid)")


def is_exported(path: Path, exports: set[Path]) -> bool:
    """Tell a file that `library export` wrote, lately or before, to a folder that has its index."""
    return path.parent in exports and _EXPORTED.fullmatch(path.name) is not None


def looks_like_table(path: Path) -> bool:
    """Tell a table of notes from the other tables that lie about in folders."""
    if path.suffix.lower() not in TABLE_SUFFIXES:
        return False
    try:
        with path.open("rb") as file:
            start = file.read(_SNIFFED).lower()
    except OSError:
        return False
    if path.suffix.lower() == ".csv":
        header = start.split(b"\n")[0]
        return all(column in header for column in (b"onset", b"duration", b"pitch"))
    return b'"notes"' in start


def read_job(job: Job, known: frozenset[str]) -> JobResult:
    """Read what a job says.

    Parameters
    ----------
    job : Job
    known : frozenset of str
        Digests for which there is nothing to be read.

    Returns
    -------
    JobResult
        Errors in a file are part of it.
    """
    try:
        if job.records:
            digest = hashlib.sha256(repr(job.records).encode()).hexdigest()
        else:
            digest = hashlib.sha256(file_bytes(job.path)).hexdigest()
        if digest in known:
            return JobResult(digest, None)
        references, failed, skipped = [], [], 0
        for made in _reader(job.reader)(job):
            if isinstance(made, Reference):
                references.append(made)
            elif made is None:
                skipped += 1
            else:
                failed.append(made)
        # What could not be read has to be told the next time too.
        return JobResult("" if failed else digest, references, failed, skipped)
    except MelodysimError as error:
        return JobResult("", [], [(job.source, error)])
    except Exception as error:  # whatever a hostile file makes a reader do
        return JobResult("", [], [(job.source, unexpected(error, job.path))])


def unexpected(error: Exception, path: Path) -> ReadError:
    """Say in a line that a file made a reader stumble."""
    said = str(error).splitlines() or [""]
    return ReadError(
        f"cannot be read ({type(error).__name__}: {said[0][:120]})", "it may be damaged", path
    )


def shown(path: Path) -> str:
    """Give a path as text that can be stored, whatever bytes its name has."""
    return os.fsencode(path).decode("utf-8", errors="backslashreplace")


Made = Reference | tuple[str, MelodysimError] | None
"""A melody; the source of one that could not be read, and why; None for one of too few notes."""


def reference(
    job: Job,
    melody: Melody,
    identity: str,
    title: str,
    creator: str | None,
    rights: Rights | None = None,
) -> Reference:
    """Give a melody its place in the library; what the job says comes first."""
    entry = Entry(
        str(identity),
        str(job.title or title),
        str(job.creator or creator) if job.creator or creator else None,
        job.source,
        rights or job.rights,
    )
    return Reference(entry, melody)


def read_file(job: Job) -> Iterator[Made]:
    """Read a file: the likeliest melody of a piece, every tune of a tune book."""
    if job.path.suffix.lower() in ABC_SUFFIXES:
        yield from _tune_book(job)
        return
    piece = read(job.path, threads=1)
    if not piece.melodies:
        raise ReadError("no melody was heard in it", path=job.path)
    title = piece.title or job.path.stem
    if piece.bar is None:
        yield reference(job, piece.melodies[0], job.identity, title, piece.creator)
        return
    for line in piece.melodies:  # every track of a project is a melody
        name = f"{job.identity}#{line.voice}"
        yield reference(job, line, name, f"{title}: {line.voice}", piece.creator)


def _tune_book(job: Job) -> Iterator[Made]:
    """Read every tune of an ABC file; several get ids with the tune's number."""
    content = file_bytes(job.path)
    several = len(re.findall(r"(?m)^X\s*:", decode(content))) > 1
    taken: set[str] = set()
    for position, (tune, score) in enumerate(read_abc(job.path, content), 1):
        melodies = candidate_melodies(score)
        if not melodies or len(melodies[0]) < FEWEST_NOTES:
            yield None
            continue
        number = tune.number.strip() or str(position)
        identity = f"{job.identity}#{number}" if several else job.identity
        while identity in taken:  # tune books do number tunes twice
            identity += "'"
        taken.add(identity)
        title = tune.title or f"{job.path.stem} {number}"
        yield reference(job, melodies[0], identity, title, tune.creator)


READERS = {
    "file": "jobs:read_file",
    "table": "tables:read_table",
    "session": "sets:session_tunes",
    "lead-sheets": "sets:lead_sheets",
    "incipits": "sets:incipits",
}
"""Readers by name, since a job travels to another process: module of this package, function."""


def _reader(name: str) -> Callable[[Job], Iterator[Made]]:
    """Find a reader; those of sets and tables make references with what is here."""
    module, function = READERS[name].split(":")
    found: Callable[[Job], Iterator[Made]] = getattr(import_module(f"{__package__}.{module}"), function)
    return found
