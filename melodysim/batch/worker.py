"""The functions that workers run: check one track, or compare tracks with each other.

A worker opens the library once and keeps it. Arguments and results are plain and small, so that they
can go to another process or another machine; a track is always read from its path.
"""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from melodysim.batch.ledger import Done
from melodysim.batch.settings import Plan
from melodysim.batch.takes import Alike, Collection, Task, packed_melody, unpacked_melodies
from melodysim.batch.transcription_cache import Cache
from melodysim.checking import check, require_melody
from melodysim.errors import LibraryError, MelodysimError, MissingDependencyError, ReadError
from melodysim.library import Library
from melodysim.library.rights import Territory
from melodysim.melody import Piece
from melodysim.readers.read import read
from melodysim.report.json import closest_dict, piece_dict, track_dict
from melodysim.report.reports import Report
from melodysim.util.atomic_files import file_stem

_LONGEST_NAME = 120
"""Most bytes of a track's own name that its page's name repeats."""


def check_track(plan: Plan, path: str, sha256: str, place: str | None = None) -> Done:
    """Check one track, and return its result, or the error, for the ledger.

    Parameters
    ----------
    plan : Plan
    path, sha256 : str
        The track, and its checksum; empty where it could not be read.
    place : str, optional
        Its absolute path.

    Raises
    ------
    MissingDependencyError
        If an optional package is needed that every recording needs: that is no property of the track.
    LibraryError
        If the library cannot be used, or is not the one that the scan began with.
    OutputError
        If the track's page cannot be written.
    """
    # A worker of a cluster has a working folder of its own.
    where = str(Path(path).absolute()) if place is None else place
    began = time.monotonic()
    try:
        piece = replace(_read(plan, where, sha256), source=path)
        if plan.settings.library is None:
            require_melody(piece)
            report = Report(path, piece)
        else:
            with _asked(plan) as library:
                report = check(piece, library, plan.settings.top, plan.settings.rates)
    except LibraryError:
        raise
    except MelodysimError as error:
        needs_package = isinstance(error, MissingDependencyError)
        if needs_package and error.path is None:
            raise
        lasting = not (needs_package or isinstance(error.__cause__, OSError))
        return replace(failed(path, error.renamed(where, path), False), lasting=lasting)
    done = _done(plan, path, report, where)
    # The file may have been replaced since it was hashed: then this is not the result of that content.
    lasting = not sha256 or piece.sha256 == sha256
    return replace(done, lasting=lasting, seconds=time.monotonic() - began)


def compare_tracks(melodies: str, task: Task) -> list[Alike]:
    """Compare the pairs of tracks of a task.

    Parameters
    ----------
    melodies : str
        Path of a file of their melodies (`melodysim.batch.takes.packed_melodies`), whose name is
        never used for other melodies.
    task : Task
    """
    return _collection(melodies).alike(task)


def forget_melodies() -> None:
    """Free the melodies that `compare_tracks` keeps in memory."""
    _collection.cache_clear()


def failed(path: str, error: MelodysimError, worker: bool) -> Done:
    """Make the result of a track that could not be checked."""
    return Done(path, track_dict(Report(path, error=error)), "error", failed=worker, why=error.why)


def moved(done: Done, path: str) -> Done:
    """Return a result as that of a file with the same content at another path."""
    if done.path == path:
        return done
    entry = done.entry | {"source": path}
    if done.why:
        entry["error"] = str(ReadError(done.why, path=path))
    return replace(done, path=path, entry=entry)


def _read(plan: Plan, path: str, sha256: str) -> Piece:
    """Read a track, or take its transcription from the cache."""
    cache = Cache(plan.cache, plan.settings.cache_bytes)
    piece = cache.get(sha256, path) if sha256 else None
    if piece is None:
        piece = read(path, threads=1)
        cache.put(piece)
    return piece


@contextmanager
def _asked(plan: Plan) -> Iterator[Library]:
    """Yield the library, on this worker or spread over all of them."""
    s = plan.settings
    assert s.library is not None
    library = _library(s.library, s.territory, plan.version, s.exhaustive)
    if not s.spread:
        yield library
        return
    from distributed import worker_client

    with worker_client() as client:  # gives this worker's place to others while it waits for them
        yield library.spread_over(client)


@functools.lru_cache(maxsize=2)
def _library(path: Path, territory: Territory, version: str, exhaustive: bool) -> Library:
    library = Library(path, territory, exhaustive=exhaustive)
    if library.version != version:
        raise LibraryError("has been changed during the scan", "run the same command again", path)
    return library


@functools.lru_cache(maxsize=1)
def _collection(melodies: str) -> Collection:
    return Collection(unpacked_melodies(Path(melodies).read_bytes()))


def _done(plan: Plan, path: str, report: Report, where: str) -> Done:
    """Return the result of a report, and write its page."""
    assert report.piece is not None
    melody = packed_melody(report.piece.melodies[0])
    if report.verdict is None:
        return Done(path, piece_dict(report.piece), "melody", melody=melody)
    leading = report.leading
    closest = None if leading is None else closest_dict(leading, report.piece)
    page = None
    if plan.settings.pages and plan.settings.library is not None:
        page = page_name(path, report.piece.sha256, plan.mark)
        from melodysim.report.html.page_folder import write_page

        write_page(plan.settings.output, page, report, Path(where))
    return Done(path, track_dict(report), report.verdict.level, closest, page, melody=melody)


_PAGE = re.compile(r".+-[0-9a-f]{12}-[0-9a-f]{6}\.html")


def is_page_name(name: str) -> bool:
    """Say whether a file's name is one that `page_name` gives."""
    return _PAGE.fullmatch(name) is not None


def page_name(path: str, sha256: str, mark: str) -> str:
    """Return the name of a track's page: its own name, part of its checksum, and the plan's mark."""
    stem = file_stem(path).encode()[:_LONGEST_NAME].decode(errors="ignore")
    return re.sub(r"\.+", ".", f"{stem}-{sha256[:12]}-{mark}.html")
