"""The run of an import: worker processes read the jobs, this process stores the results.

Sources are stored in chunks, each in one transaction with its melodies: an import that is stopped loses
one chunk at most, and the next import skips what is stored. A source whose bytes have not changed is
not stored again, wherever it lies now.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from melodysim.errors import MelodysimError, ReadError
from melodysim.library.entries import Reference, file_of, is_there
from melodysim.library.importers.jobs import Job, JobResult, read_job
from melodysim.library.store import Store
from melodysim.readers.audio import SUFFIXES as AUDIO
from melodysim.transcribe import TRANSCRIPTION_VERSION
from melodysim.util.worker_processes import LocalPool

if TYPE_CHECKING:
    from melodysim.library.importers.public_sets import PublicSet

CHUNK_SECONDS = 2.0
"""Seconds of work that an import loses at most if it is stopped."""
FILE_SECONDS, FILE_MEGABYTES = 1800.0, 4000
"""Time and memory that one file may take; recordings of hours are read too."""
_FEW_FILES = 4
_BATCH = 16

ImportProgress = Callable[[int, int, str], None]
"""Called with files done, files in all, and the name of the current file."""


@dataclass
class ImportResult:
    """Counts and failures of an import.

    Attributes
    ----------
    imported, unchanged : int
        Melodies stored; sources that were there already, byte for byte.
    same : list of (str, str)
        Sources whose bytes are there from another place, and that place.
    skipped : int
        Melodies of too few notes.
    failed : list of (str, MelodysimError)
        Source of each file or record that could not be read, and why.
    sets : list of PublicSet
        Public sets that were recognised, with their licences.
    passed_over : Counter of str
        Files in folders that are of no kind that is read, by suffix.
    odd : list of (str, str)
        Sources that were odd, and how they were read.
    """

    imported: int = 0
    unchanged: int = 0
    skipped: int = 0
    failed: list[tuple[str, MelodysimError]] = field(default_factory=list)
    sets: list[PublicSet] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    odd: list[tuple[str, str]] = field(default_factory=list)
    same: list[tuple[str, str]] = field(default_factory=list)

    @property
    def duplicates(self) -> int:
        """Number of sources whose bytes are there from another place."""
        return len(self.same)

    def __iadd__(self, other: ImportResult) -> ImportResult:
        """Add the counts and failures of another import."""
        for field_ in fields(self):
            setattr(self, field_.name, getattr(self, field_.name) + getattr(other, field_.name))
        return self


def run_jobs(
    store: Store,
    jobs: Iterable[Job],
    progress: ImportProgress | None = None,
    *,
    merge: bool = True,
    remembered: Mapping[str, tuple[Any, ...]] | None = None,
) -> ImportResult:
    """Read jobs and store their melodies, in order.

    Parameters
    ----------
    store : Store
        Open for writing.
    jobs : iterable of Job
        Unless a list, taken as they are needed: a set need not fit into memory.
    progress : callable, optional
        See `ImportProgress`; where the number of jobs is not known, 0 stands for it.
    merge : bool, optional
        Whether to skip sources whose bytes are in the library from another place.
    remembered : mapping of str to tuple, optional
        Rights by id, as `Store.put` takes them.
    """
    total = len(jobs) if isinstance(jobs, list) else 0
    known = store.source_digests()
    writer = _Writer(store, known, remembered or {}, merge)
    heard = store.heard_by(TRANSCRIPTION_VERSION)
    # A recording whose line alone is kept, or what an older version heard, is heard anew.
    known = {
        source: digest
        for source, digest in known.items()
        if source in heard or file_of(source).suffix.lower() not in AUDIO
    }
    began = time.monotonic()
    try:
        for done, (job, outcome) in enumerate(_outcomes(jobs, known), 1):
            writer.chunk.append((job, outcome))
            if time.monotonic() - began > CHUNK_SECONDS:
                writer.store_chunk()
                began = time.monotonic()
            if progress is not None:
                progress(done, total, job.path.name)
    finally:
        if not isinstance(sys.exc_info()[1], KeyboardInterrupt):
            writer.store_chunk()
    return writer.result


class _Writer:
    """Stores what was read, a chunk at a time."""

    def __init__(
        self,
        store: Store,
        known: dict[str, str],
        remembered: Mapping[str, tuple[Any, ...]],
        merge: bool,
    ) -> None:
        self.store, self.remembered, self._merge = store, remembered, merge
        self.result = ImportResult()
        self.chunk: list[tuple[Job, JobResult]] = []
        self._before = known
        self._places = {digest: source for source, digest in known.items() if digest}
        self._counted: set[tuple[str, Path]] = set()

    def store_chunk(self) -> None:
        """Store a chunk, all of it or nothing."""
        chunk, self.chunk = self.chunk, []
        if not chunk:
            return
        added = ImportResult()
        places = dict(self._places)
        with self.store.transaction():
            for job, outcome in chunk:
                added.failed += outcome.failed
                added.skipped += outcome.skipped
                added.odd += outcome.odd
                # A file of notes may have the suffix of a recording: nothing more of it is heard.
                same = outcome.digest and outcome.digest == self._before.get(job.source)
                if outcome.references is None or (same and outcome.heard is None):
                    added.unchanged += self._once("unchanged", job)
                elif outcome.references:
                    other = places.get(outcome.digest) if self._merge else None
                    if other is not None and other != job.source and is_there(other):
                        if job.records and job.reader == "table":  # of an exported library
                            added.unchanged += self._once("unchanged", job)
                        elif self._once("duplicate", job):
                            added.same.append((job.source, other))
                        added.odd += self._other_rights(outcome.references)
                        continue
                    has = (self.store.has(r, but=job.source) for r in outcome.references)
                    if self._merge and other is None and all(has):
                        added.unchanged += self._once("unchanged", job)
                        added.odd += self._other_rights(outcome.references)
                        continue
                    references = outcome.references
                    if other is not None and other != job.source:  # its old place is empty
                        references = self.store.follow(references, other, job.source)
                    added.imported += self.store.put(
                        references,
                        job.source,
                        outcome.digest,
                        self.remembered,
                        outcome.heard,
                    )
                    if outcome.digest:
                        places[outcome.digest] = job.source
        self._places = places
        self.result += added

    def _other_rights(self, references: list[Reference]) -> list[tuple[str, str]]:
        """Say which melodies stay as they are in the library, though other rights came with them."""
        there = self.store.entries_by_id([one.entry.id for one in references])
        found = []
        for one in references:
            status, entry = one.entry.rights.status, there.get(one.entry.id)
            if entry is not None and status not in {"unknown", entry.rights.status}:
                words = (
                    f"is there already and stays “{entry.rights.status}”, though it came as “{status}” "
                    "this time (`melodysim library rights` changes it)"
                )
                found.append((one.entry.id, words))
        return found

    def _once(self, what: str, job: Job) -> int:
        """Return 1 for the first part of a file with this outcome, else 0."""
        if (what, job.path) in self._counted:
            return 0
        self._counted.add((what, job.path))
        return 1


def _outcomes(jobs: Iterable[Job], known: dict[str, str]) -> Iterator[tuple[Job, JobResult]]:
    """Yield each job with its result, in order; worker processes read them unless they are few."""

    def digests(job: Job) -> frozenset[str]:
        return frozenset({known[job.source]} if job.source in known else ())

    cores = os.cpu_count() or 1
    if isinstance(jobs, list) and (cores < 2 or len(jobs) < _FEW_FILES):
        for job in jobs:
            yield job, read_job(job, digests(job))
        return
    pool = LocalPool(cores, FILE_SECONDS, FILE_MEGABYTES)
    try:
        waiting: deque[tuple[list[Job], Future[list[JobResult]]]] = deque()
        batch: list[Job] = []

        def submit() -> None:
            waiting.append((batch, pool.submit(_read_batch, batch, [digests(job) for job in batch])))

        for job in jobs:
            batch.append(job)
            # Small files travel together; a set's records or a recording are work enough for one.
            if len(batch) == _BATCH or not _is_quick(job):
                submit()
                batch = []
            while len(waiting) > pool.in_flight:
                yield from _finished(*waiting.popleft())
        if batch:
            submit()
        while waiting:
            yield from _finished(*waiting.popleft())
    finally:
        pool.stop()


def _is_quick(job: Job) -> bool:
    return len(job.records) == 1 or (not job.records and job.path.suffix.lower() in _QUICK)


_QUICK = {".mid", ".midi", ".kar", ".rmi", ".smf"}


def _read_batch(jobs: list[Job], known: list[frozenset[str]]) -> list[JobResult]:
    return [read_job(job, digests) for job, digests in zip(jobs, known, strict=True)]


def _finished(batch: list[Job], future: Future[list[JobResult]]) -> Iterator[tuple[Job, JobResult]]:
    """Yield the results of a batch; where its worker died, find the file or record that caused it."""
    try:
        yield from zip(batch, future.result(), strict=True)
    except Exception as error:  # a crash, too much memory or too much time
        for job in batch:
            yield job, _halved(job, type(error).__name__) if len(batch) == 1 else _alone(job)


def _alone(job: Job) -> JobResult:
    """Read a job in a worker of its own."""
    pool = LocalPool(1, FILE_SECONDS, FILE_MEGABYTES)
    try:
        return pool.submit(read_job, job, frozenset()).result()
    except Exception as error:
        return _halved(job, type(error).__name__)
    finally:
        pool.stop()


def _halved(job: Job, died: str) -> JobResult:
    """Read what can be read of a job whose worker died, by halving its records."""
    if len(job.records) < 2:
        error = ReadError(f"cannot be read ({died})", "it may be damaged", job.path)
        if job.records:
            name = job.records[0].get("name of record")
            error = ReadError(f"{name}: cannot be read ({died})", path=job.path)
        return JobResult("", [], [(job.source, error)])
    middle = len(job.records) // 2
    halves = [
        _alone(replace(job, records=part)) for part in (job.records[:middle], job.records[middle:])
    ]
    return JobResult(
        "",  # to be tried again the next time
        [reference for half in halves for reference in half.references or []],
        [failure for half in halves for failure in half.failed],
        sum(half.skipped for half in halves),
        [odd for half in halves for odd in half.odd],
    )
