"""Filling a library: files and folders that the user has, and the tunes that come with music21.

Files are read in worker processes, a chunk at a time; the results are stored by this process, each
source in the same transaction as its melodies. A file that cannot be read is reported and the rest
goes on. A source whose bytes have not changed is not read again.
"""

from __future__ import annotations

import hashlib
import importlib.util
import multiprocessing
import os
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from melodysim.errors import MelodysimError, MissingDependencyError, ReadError
from melodysim.library.store import Entry, Reference, Store
from melodysim.readers.score import decode, read_abc
from melodysim.reading import ABC_SUFFIXES, SUFFIXES, file_bytes, read
from melodysim.rights import Rights
from melodysim.transcribe.voices import MIN_NOTES, candidate_melodies

BUILTIN = {
    "essenFolksong": "Essen Folksong Collection",
    "oneills1850": "O'Neill's Music of Ireland (1903)",
    "airdsAirs": "Aird's Airs (1778-1801)",
    "ryansMammoth": "Ryan's Mammoth Collection (1883)",
    "nottingham-dataset": "Nottingham Music Database",
}
"""Folders of music21's corpus whose tunes are in the public domain, and what they are."""

Progress = Callable[[int, int, str], None]
"""Called with files done, files in all, and the file at hand."""


@dataclass
class ImportResult:
    """What an import did.

    Attributes
    ----------
    imported, unchanged : int
        Melodies stored; sources that were there already, byte for byte.
    failed : list of (str, str)
        Source and reason of each file that could not be read.
    """

    imported: int = 0
    unchanged: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class _Job:
    """One file to read: what its melodies are to be called, and whose they are."""

    path: Path
    identity: str
    title: str | None
    creator: str | None
    rights: Rights
    known_digest: str | None


def builtin_folder() -> Path:
    """Find the tunes that come with music21, without importing it.

    Raises
    ------
    MissingDependencyError
        If music21 is not installed.
    """
    spec = importlib.util.find_spec("music21")
    folder = Path(spec.origin).parent / "corpus" if spec and spec.origin else None
    if folder is None or not folder.is_dir():
        raise MissingDependencyError(
            "the built-in melodies come with music21: run `pip install 'melodysim[score]'`"
        )
    return folder


def import_builtin(store: Store, progress: Progress | None = None) -> ImportResult:
    """Fill a library with the public-domain tunes that come with music21.

    They are read where music21 is installed; nothing is copied but the notes.

    Parameters
    ----------
    store : Store
        Open for writing.
    progress : callable, optional
        See `Progress`.

    Returns
    -------
    ImportResult
    """
    folder = builtin_folder()
    jobs = [
        (path, f"{name}/{path.stem}", Rights("public-domain", note=collection))
        for name, collection in BUILTIN.items()
        for path in sorted((folder / name).glob("*.abc"))
    ]
    known = store.source_digests()
    return _run(
        store,
        [_Job(path, name, None, None, rights, known.get(str(path))) for path, name, rights in jobs],
        progress,
    )


def import_paths(
    store: Store,
    paths: Iterable[Path],
    rights: Rights,
    title: str | None = None,
    creator: str | None = None,
    progress: Progress | None = None,
) -> ImportResult:
    """Import files, and all files of known kinds in folders.

    Parameters
    ----------
    store : Store
        Open for writing.
    paths : iterable of Path
        Files and folders. A melody's id is its file's path relative to the folder given.
    rights : Rights
        Of new melodies; those of melodies that are there already stay.
    title, creator : str, optional
        Instead of what the files say.
    progress : callable, optional
        See `Progress`.

    Returns
    -------
    ImportResult
    """
    known = store.source_digests()
    jobs, result = [], ImportResult()
    for path in paths:
        if path.is_dir():
            files = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
            named = [(file, file.relative_to(path).as_posix()) for file in files]
            if not files:
                result.failed.append((str(path), f"{path}: no file of a known kind in this folder"))
        else:
            named = [(path, path.name)]
        jobs += [
            _Job(file, identity, title, creator, rights, known.get(str(file)))
            for file, identity in named
        ]
    done = _run(store, jobs, progress)
    done.failed = result.failed + done.failed
    return done


def _run(store: Store, jobs: list[_Job], progress: Progress | None) -> ImportResult:
    """Read jobs in parallel and store what they give, in order."""
    result = ImportResult()
    with store.transaction():
        for number, (job, outcome) in enumerate(zip(jobs, _outcomes(jobs), strict=True), 1):
            digest, references, error = outcome
            if error is not None:
                result.failed.append((str(job.path), error))
            elif references is None:
                result.unchanged += 1
            else:
                result.imported += store.put(references, str(job.path), digest)
            if progress is not None:
                progress(number, len(jobs), job.path.name)
    return result


_Outcome = tuple[str, list[Reference] | None, str | None]
_FEW_FILES = 4


def _outcomes(jobs: list[_Job]) -> Iterator[_Outcome]:
    """Read jobs, in worker processes if there are enough to be worth their start."""
    cores = min(os.cpu_count() or 1, len(jobs))
    if cores < 2 or len(jobs) < _FEW_FILES:
        yield from map(_read_job, jobs)
        return
    # Spawned, not forked: the parent may hold threads, and REAPER or a notebook certainly does.
    with ProcessPoolExecutor(cores, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(_read_job, jobs, chunksize=1)


def _read_job(job: _Job) -> _Outcome:
    """Read one file: its checksum, its melodies (None if unchanged), or what is wrong."""
    try:
        content = file_bytes(job.path)
        digest = hashlib.sha256(content).hexdigest()
        if digest == job.known_digest:
            return digest, None, None
        if job.path.suffix.lower() in ABC_SUFFIXES:
            return digest, list(_tune_book(job, content)), None
        return digest, [_single(job)], None
    except MelodysimError as error:
        return "", None, str(error)


def _single(job: _Job) -> Reference:
    """Read a file that holds one piece: its likeliest melody."""
    piece = read(job.path, threads=1)
    if not piece.melodies:
        raise ReadError(f"{job.path}: no melody was heard in it")
    entry = Entry(
        job.identity,
        job.title or piece.title or job.path.stem,
        job.creator or piece.creator,
        str(job.path),
        job.rights,
    )
    return Reference(entry, piece.melodies[0])


def _tune_book(job: _Job, content: bytes) -> Iterator[Reference]:
    """Read every tune of an ABC file; several get ids with the tune's number."""
    several = len(re.findall(r"(?m)^X\s*:", decode(content))) > 1
    taken: set[str] = set()
    for position, (tune, score) in enumerate(read_abc(job.path, content), 1):
        melodies = candidate_melodies(score)
        if not melodies or len(melodies[0]) < MIN_NOTES:
            continue
        number = tune.number.strip() or str(position)
        identity = f"{job.identity}#{number}" if several else job.identity
        while identity in taken:  # tune books do number tunes twice
            identity += "'"
        taken.add(identity)
        title = job.title or tune.title or f"{job.path.stem} {number}"
        creator = job.creator or tune.creator
        yield Reference(Entry(identity, title, creator, str(job.path), job.rights), melodies[0])
