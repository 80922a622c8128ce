"""The jobs of an import, and the readers that run them in worker processes."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from melodysim.errors import MelodysimError, ReadError
from melodysim.library.entries import Entry, Recording, Reference
from melodysim.library.importers.rights_table import is_index
from melodysim.library.rights import Rights
from melodysim.melody import FEWEST_NOTES, Melody
from melodysim.packed_piece import pack_piece
from melodysim.readers.abc import read_abc
from melodysim.readers.parts.inner_lines import is_inner
from melodysim.readers.parts.melody_parts import candidate_melodies
from melodysim.readers.parts.plain_line import is_plain
from melodysim.readers.read import ABC_SUFFIXES, SUFFIXES, file_bytes, read
from melodysim.readers.text_encoding import decode_text
from melodysim.transcribe import TRANSCRIPTION_VERSION
from melodysim.util.passed_over import hidden, suffix_of

_SNIFFED = 65_536
ROW_SUFFIXES = {".csv", ".tsv"}
TABLE_SUFFIXES = {*ROW_SUFFIXES, ".json", ".jsonl", ".ndjson"}
"""Suffixes of plain tables of notes (`melodysim.library.importers.tables`)."""


@dataclass(frozen=True)
class Job:
    """A file to import, or a part of one, with the ids and the rights of its melodies.

    Attributes
    ----------
    source : str
        Unique in the library: a file, or a part of one.
    reader : str
        Name in `READERS`.
    path : Path
        The file; it is named in errors.
    identity : str
        Id of its melody, or the beginning of its melodies' ids.
    rights : Rights
        Of new melodies.
    title, creator : str, optional
        Instead of what the file says.
    records : tuple of dict
        Records of a set, read already, for readers that take them. The digest of a job with records is
        that of the records.
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
    """The result of a job.

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
    odd : list of (str, str)
        Sources that were odd, and how they were read.
    heard : Recording or None
        What was heard, if the file is a recording.
    """

    digest: str
    references: list[Reference] | None
    failed: list[tuple[str, MelodysimError]] = field(default_factory=list)
    skipped: int = 0
    odd: list[tuple[str, str]] = field(default_factory=list)
    heard: Recording | None = None


@dataclass(frozen=True)
class Oddity:
    """What was odd about a source that was read, and how it was read."""

    source: str
    remark: str


def file_jobs(
    path: Path,
    rights: Rights,
    title: str | None,
    creator: str | None,
    passed: Counter[str] | None = None,
) -> list[Job]:
    """List jobs for the files of known kinds in a folder, without exported ones, or for one file.

    Hidden files and folders are left alone; `passed` counts the others of unknown kinds by suffix.
    """
    files, root = [path], path.parent
    if path.is_dir():
        found = [p for p in sorted(path.rglob("*")) if not hidden(p, path) and _is_file(p)]
        exports, root = {p.parent for p in found if is_index(p)}, path
        known = [p for p in found if p.suffix.lower() in SUFFIXES or looks_like_table(p)]
        files = [p for p in known if not is_exported(p, exports)]
        if passed is not None:
            passed.update(suffix_of(p.name) for p in set(found) - set(known))
    jobs = []
    for file in files:
        reader = "table" if file.suffix.lower() in TABLE_SUFFIXES else "file"
        identity = shown(file.relative_to(root))
        jobs.append(Job(shown(file), reader, file, identity, rights, title, creator))
    return jobs


def _is_file(path: Path) -> bool:
    """Say whether something in a folder is a file, or a link that leads nowhere: reading it says so."""
    return path.is_file() or (path.is_symlink() and not path.exists())


_EXPORTED = re.compile(r"\d{6,}-.*\.(csv|mid)")


def is_exported(path: Path, exports: set[Path]) -> bool:
    """Say whether `library export` wrote a file, in one of the folders that hold its index."""
    return path.parent in exports and _EXPORTED.fullmatch(path.name) is not None


def looks_like_table(path: Path) -> bool:
    """Say whether a file is a table of notes, judging by its beginning."""
    if path.suffix.lower() not in TABLE_SUFFIXES:
        return False
    try:
        with path.open("rb") as file:
            start = file.read(_SNIFFED).lower()
    except OSError:
        return False
    if path.suffix.lower() in ROW_SUFFIXES:
        header = start.split(b"\n")[0]
        return all(column in header for column in (b"onset", b"duration", b"pitch"))
    return b'"notes"' in start


def read_job(job: Job, known: frozenset[str]) -> JobResult:
    """Read the melodies of a job; the errors in a file are part of the result, not raised.

    Parameters
    ----------
    job : Job
    known : frozenset of str
        Digests of content that is in the library already.
    """
    try:
        if job.records:
            digest = hashlib.sha256(repr(job.records).encode()).hexdigest()
        else:
            digest = hashlib.sha256(file_bytes(job.path)).hexdigest()
        if digest in known:
            return JobResult(digest, None)
        references, failed, skipped, odd, heard = [], [], 0, [], None
        for made in _reader(job.reader)(job):
            if isinstance(made, Reference):
                references.append(made)
            elif made is None:
                skipped += 1
            elif isinstance(made, Recording):
                heard = made
            elif isinstance(made, Oddity):
                odd.append((made.source, made.remark))
            else:
                failed.append(made)
        # Without a digest, the next import reads the file again and reports the same failures.
        return JobResult("" if failed else digest, references, failed, skipped, odd, heard)
    except MelodysimError as error:
        return JobResult("", [], [(job.source, error)])
    except Exception as error:  # whatever a hostile file makes a reader do
        return JobResult("", [], [(job.source, unexpected(error, job.path))])


def unexpected(error: Exception, path: Path) -> ReadError:
    """Return a one-line `ReadError` for an unexpected error of a reader."""
    said = str(error).splitlines() or [""]
    return ReadError(
        f"cannot be read ({type(error).__name__}: {said[0][:120]})", "it may be damaged", path
    )


def shown(path: Path) -> str:
    """Return a path as text that can be stored, whatever bytes its name has."""
    return os.fsencode(path).decode("utf-8", errors="backslashreplace")


Made = Reference | Recording | tuple[str, MelodysimError] | Oddity | None
"""A melody; what was heard of the recording that it is of; the source of one that could not be read,
and why; what was odd; None for too few notes."""


def reference(
    job: Job,
    melody: Melody,
    identity: str,
    title: str,
    creator: str | None,
    rights: Rights | None = None,
) -> Reference:
    """Make a reference of a melody; the title and creator of the job, if any, come first."""
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
    yield from (Oddity(job.source, remark) for remark in piece.remarks)
    title = piece.title or job.path.stem
    if piece.bar is None:
        yield reference(job, piece.melodies[0], job.identity, title, piece.creator)
        if piece.heard is not None:
            yield Recording(TRANSCRIPTION_VERSION, pack_piece(piece))
        return
    for line in piece.melodies:  # every track of a project is a melody
        if is_inner(line) or is_plain(line):
            continue
        name = f"{job.identity}#{line.voice}"
        yield reference(job, line, name, f"{title}: {line.voice}", piece.creator)


def _tune_book(job: Job) -> Iterator[Made]:
    """Read every tune of an ABC file; if there are several, each id ends with the tune's number."""
    content = file_bytes(job.path)
    several = len(re.findall(r"(?m)^X\s*:", decode_text(content))) > 1
    taken: set[str] = set()
    for position, (tune, score) in enumerate(read_abc(job.path, content), 1):
        melodies = candidate_melodies(score)
        yield from (Oddity(f"{job.source}#{tune.number}", remark) for remark in score.remarks)
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
    "session": "public_sets:session_tunes",
    "lead-sheets": "public_sets:lead_sheets",
    "incipits": "public_sets:incipits",
}
"""Readers by name, since a job travels to another process: module of this package, function."""


def _reader(name: str) -> Callable[[Job], Iterator[Made]]:
    """Import a reader by its name; only now, since the modules of sets and tables import this one."""
    module, function = READERS[name].split(":")
    found: Callable[[Job], Iterator[Made]] = getattr(import_module(f"{__package__}.{module}"), function)
    return found
