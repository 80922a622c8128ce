"""Running an import: jobs to worker processes, what comes back into the library.

Sources are stored in chunks, each in one transaction with its melodies: an import that is stopped has
lost one chunk at most, and the next one passes over what is there. A source whose bytes are those that
were read before is not read again, wherever it lies now.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from melodysim.library.importers.jobs import Job, Outcome, read_job
from melodysim.library.store import Store
from melodysim.workers import LocalPool

if TYPE_CHECKING:
    from melodysim.library.importers.sets import PublicSet

CHUNK_SECONDS = 2.0
"""How much of an import is lost at most if it is stopped."""
FILE_SECONDS, FILE_MEGABYTES = 1800.0, 4000
"""Time and memory that one file may take; recordings of hours are read too."""
_FEW_FILES = 4
_BATCH = 16

Progress = Callable[[int, int, str], None]
"""Called with files done, files in all, and the file at hand."""


@dataclass
class ImportResult:
    """What an import did.

    Attributes
    ----------
    imported, unchanged, duplicates : int
        Melodies stored; sources that were there already, byte for byte; sources whose bytes are there
        from another place.
    failed : list of (str, str)
        Source and reason of each file that could not be read.
    sets : list of PublicSet
        Public sets that were recognised, with their licences.
    """

    imported: int = 0
    unchanged: int = 0
    duplicates: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    sets: list[PublicSet] = field(default_factory=list)

    def __iadd__(self, other: ImportResult) -> ImportResult:
        """Add what another import did."""
        self.imported += other.imported
        self.unchanged += other.unchanged
        self.duplicates += other.duplicates
        self.failed += other.failed
        return self


def run_jobs(
    store: Store, jobs: Iterable[Job], progress: Progress | None = None, *, merge: bool = True
) -> ImportResult:
    """Read jobs and store what they give, in order.

    Parameters
    ----------
    store : Store
        Open for writing.
    jobs : iterable of Job
        Taken as they are needed, where it is no list: a set need not fit into memory.
    progress : callable, optional
        See `Progress`; where the number of jobs is not known, 0 stands for it.
    merge : bool, optional
        Whether sources whose bytes are there from another place are passed over.

    Returns
    -------
    ImportResult
    """
    result = ImportResult()
    total = len(jobs) if isinstance(jobs, list) else 0
    known = store.source_digests()
    places = {digest: source for source, digest in known.items()} if merge else {}
    chunk: list[tuple[Job, Outcome]] = []
    began = time.monotonic()
    for done, (job, outcome) in enumerate(_outcomes(jobs, known), 1):
        chunk.append((job, outcome))
        if time.monotonic() - began > CHUNK_SECONDS:
            _store(store, chunk, places, result, merge)
            chunk, began = [], time.monotonic()
        if progress is not None:
            progress(done, total, job.path.name)
    _store(store, chunk, places, result, merge)
    return result


def _store(
    store: Store,
    chunk: list[tuple[Job, Outcome]],
    places: dict[str, str],
    result: ImportResult,
    merge: bool,
) -> None:
    """Store a chunk, all of it or nothing."""
    if not chunk:
        return
    added = ImportResult()
    with store.transaction():
        for job, outcome in chunk:
            added.failed += outcome.failed
            if outcome.references is None:
                added.unchanged += 1
            elif outcome.references:
                other = places.get(outcome.digest)
                if other is not None and other != job.source and Path(other).exists():
                    added.duplicates += 1
                    continue
                added.imported += store.put(outcome.references, job.source, outcome.digest)
                if merge:
                    places[outcome.digest] = job.source
    result += added


def _outcomes(jobs: Iterable[Job], known: dict[str, str]) -> Iterator[tuple[Job, Outcome]]:
    """Read jobs, in worker processes if there are enough to be worth their start; in order."""

    def digests(job: Job) -> frozenset[str]:
        return frozenset({known[job.source]} if job.source in known else ())

    cores = os.cpu_count() or 1
    if cores < 2 or (isinstance(jobs, list) and len(jobs) < _FEW_FILES):
        for job in jobs:
            yield job, read_job(job, digests(job))
        return
    pool = LocalPool(cores, FILE_SECONDS, FILE_MEGABYTES)
    try:
        waiting: deque[tuple[list[Job], Future[list[Outcome]]]] = deque()
        batch: list[Job] = []
        for job in jobs:
            batch.append(job)
            # Small files travel together; a set's records or a recording are work enough for one.
            if len(batch) == _BATCH or job.records or job.path.suffix.lower() not in _QUICK:
                waiting.append((batch, pool.submit(_read_batch, batch, [digests(j) for j in batch])))
                batch = []
            while len(waiting) > pool.in_flight:
                yield from _finished(*waiting.popleft())
        if batch:
            waiting.append((batch, pool.submit(_read_batch, batch, [digests(j) for j in batch])))
        while waiting:
            yield from _finished(*waiting.popleft())
    finally:
        pool.stop()


_QUICK = {".mid", ".midi", ".kar", ".rmi", ".smf"}


def _read_batch(jobs: list[Job], known: list[frozenset[str]]) -> list[Outcome]:
    return [read_job(job, digests) for job, digests in zip(jobs, known, strict=True)]


def _finished(batch: list[Job], future: Future[list[Outcome]]) -> Iterator[tuple[Job, Outcome]]:
    """Wait for a batch; where its worker died, find out which file it was."""
    try:
        yield from zip(batch, future.result(), strict=True)
    except Exception as error:  # a crash, too much memory or too much time
        if len(batch) == 1:
            reason = f"{batch[0].path}: cannot be read ({type(error).__name__}); it may be damaged"
            yield batch[0], Outcome("", [], [(batch[0].source, reason)])
            return
        pool = LocalPool(1, FILE_SECONDS, FILE_MEGABYTES)
        try:
            for job in batch:
                yield from _finished([job], pool.submit(_read_batch, [job], [frozenset()]))
        finally:
            pool.stop()
