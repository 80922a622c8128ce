"""The loop over the tracks: those with a result are skipped, the rest go to the workers.

Results are kept in the ledger the moment they come; files that are written at the end have the order of
the tracks, so that neither the number of workers nor their speed shows in them.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    CancelledError,
    Future,
    ThreadPoolExecutor,
    TimeoutError,
    wait,
)
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from melodysim.batch.executors import Pool
from melodysim.batch.ledger import Done, Ledger
from melodysim.batch.takes import Alike, Task
from melodysim.batch.tracks import Found, sha256_of
from melodysim.batch.worker import Plan, check_track, compare_tracks, failed, forget_melodies, moved
from melodysim.errors import (
    LibraryError,
    MelodysimError,
    MissingDependencyError,
    OutputError,
    ReadError,
)
from melodysim.readers.audio import SUFFIXES as AUDIO_SUFFIXES

_HASHED_AT_A_TIME = 1000
_TICK_SECONDS = 0.5


@dataclass(frozen=True)
class Track:
    """A track of a scan.

    Attributes
    ----------
    path : str
    sha256 : str
        Empty where it could not be read.
    why : str
        Why it is no track, where that is known already.
    """

    path: str
    sha256: str
    why: str = ""

    @property
    def key(self) -> str:
        """Key of its result: checksum and suffix, since the suffix decides how the bytes are read."""
        return f"{self.sha256}{Path(self.path).suffix.lower()}" if self.sha256 else ""


@dataclass
class ScanProgress:
    """Progress of a scan; the loop changes it.

    Attributes
    ----------
    stage : str
        What is being done.
    tracks, done, before : int
        Number of tracks in all; finished; finished by earlier runs.
    counts : Counter
        Finished tracks by verdict.
    left, spent : Counter of str
        Tracks that are to be checked, by kind (`kind_of`); seconds that checks took, by kind.
    timed : Counter of str
        Checks that `spent` is of.
    workers : int
        Checks that go on side by side.
    running : dict of str to float
        Tracks handed to workers, and since when (monotonic seconds).
    began : float
        When the loop began.
    """

    stage: str
    tracks: int = 0
    done: int = 0
    before: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    spent: Counter[str] = field(default_factory=Counter)
    timed: Counter[str] = field(default_factory=Counter)
    workers: int = 1
    running: dict[str, float] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    def finished(self, path: str, done: Done, copies: int = 1) -> None:
        """Count a track that was checked, and files that are the same."""
        kind = kind_of(path)
        self.done += 1
        self.counts[done.grade] += copies
        self.left[kind] -= 1
        if done.seconds:
            self.spent[kind] += done.seconds  # type: ignore[assignment]
            self.timed[kind] += 1

    def seconds_left(self) -> float | None:
        """Estimate the time left, a recording as long as recordings took; None if it is not known."""
        known = {kind: self.spent[kind] / n for kind, n in self.timed.items() if n}
        if not known:
            return None
        usual = max(known.values())
        each = (n * known.get(kind, usual) for kind, n in self.left.items())
        return sum(each) / self.workers


def kind_of(path: str) -> str:
    """Return "recording" or "notes", by the suffix of a file: they take differently long."""
    return "recording" if Path(path).suffix.lower() in AUDIO_SUFFIXES else "notes"


def identified(
    found: list[Found], ledger: Ledger, threads: int, tick: Callable[[int, int], None]
) -> list[Track]:
    """Return files as tracks with checksums, in their order; hash only new and changed ones.

    Parameters
    ----------
    found : list of Found
    ledger : Ledger
        Remembers checksums.
    threads : int
        Files to hash at a time.
    tick : callable
        Called with how many files are hashed, of how many.
    """
    known = ledger.digests()
    digests = {}
    new = []
    for file in found:
        seen = known.get(str(Path(file.path).absolute()))
        if seen is not None and seen[:2] == (file.size, file.stamp):
            digests[file.path] = seen[2]
        elif file.size >= 0:
            new.append(file)
    with ThreadPoolExecutor(threads) as pool:
        for begin in range(0, len(new), _HASHED_AT_A_TIME):
            part = new[begin : begin + _HASHED_AT_A_TIME]
            hashed = list(zip(part, pool.map(sha256_of, [f.path for f in part]), strict=True))
            ledger.keep_digests((file, digest) for file, digest in hashed if digest)
            digests |= {file.path: digest for file, digest in hashed}
            tick(begin + len(part), len(new))
    return [Track(file.path, digests.get(file.path, ""), file.why) for file in found]


def left_to_do(
    tracks: list[Track], ledger: Ledger, fingerprint: str, pages: Path | None, again: bool
) -> list[Track]:
    """Choose the tracks to check, unreadable ones too: one of each content that has no result.

    Parameters
    ----------
    tracks : list of Track
    ledger : Ledger
    fingerprint : str
        See `melodysim.batch.settings.fingerprint_of`.
    pages : Path or None
        Folder in which each track that could be checked needs a page.
    again : bool
        Whether tracks that could not be checked are tried again.
    """
    done = ledger.done(fingerprint)
    present = {path.name for path in pages.glob("*.html")} if pages is not None else set()
    chosen, seen = [], set()
    for track in tracks:
        if not track.sha256:
            chosen += [] if track.why else [track]
            continue
        if track.key in seen:
            continue
        seen.add(track.key)
        known = done.get(track.key)
        if (
            known is None
            or (again and not known.checked)
            or (pages is not None and known.checked and known.page not in present)
        ):
            chosen.append(track)
    return chosen


def checked(
    pool: Pool, plan: Plan, tracks: Iterable[Track], retries: int, progress: ScanProgress
) -> Iterator[tuple[Track, Done] | None]:
    """Check tracks by workers, and yield each result as it comes.

    Parameters
    ----------
    pool : Pool
    plan : Plan
    tracks : iterable of Track
        Taken as workers become free.
    retries : int
        How often a track is tried again whose worker died.
    progress : ScanProgress
        Its `running` is updated.

    Yields
    ------
    (Track, Done), or None
        As they come; None now and then, so that progress can be shown.

    Raises
    ------
    MissingDependencyError
        If the workers lack a package that a track needs.
    """
    waiting = iter(tracks)
    running: dict[Future[Any], tuple[Track, int]] = {}

    def hand_over(track: Track, attempt: int) -> None:
        place = str(Path(track.path).absolute())
        try:
            future = pool.submit(check_track, plan, track.path, track.sha256, place)
        except RuntimeError as error:
            raise MelodysimError(
                f"the workers cannot be used ({error})", "is --memory too little?"
            ) from error
        running[future] = (track, attempt)
        progress.running.setdefault(track.path, time.monotonic())

    while True:
        for track in itertools.islice(waiting, max(0, pool.in_flight - len(running))):
            hand_over(track, 0)
        if not running:
            return
        finished, _ = wait(running, timeout=_TICK_SECONDS, return_when=FIRST_COMPLETED)
        for future in finished:
            track, attempt = running.pop(future)
            done, died = _outcome(future, track)
            if died and attempt < retries:
                hand_over(track, attempt + 1)
                continue
            progress.running.pop(track.path, None)
            yield track, done
        yield None


def _outcome(future: Future[Any], track: Track) -> tuple[Done, bool]:
    """Return the result of a task, and whether its worker died of it."""
    try:
        return future.result(), False
    except (MissingDependencyError, LibraryError, OutputError):
        raise  # no fault of the track
    except TimeoutError:
        why, died = "took longer than the time limit and was given up; the file may be damaged", False
    except MemoryError:
        why, died = "needs more memory than a worker may take (--memory)", False
    except Exception as error:  # whatever it was, it costs this track alone
        why = f"the worker died of it or failed ({type(error).__name__}); the file may be damaged"
        died = True
    return failed(track.path, ReadError(why, path=track.path), True), died


def compared(
    pool: Pool, melodies: Path, tasks: Iterable[Task], tick: Callable[[], None]
) -> Iterator[list[Alike]]:
    """Compare tracks with each other by workers, and yield the result of each task.

    Parameters
    ----------
    pool : Pool
    melodies : Path
        See `melodysim.batch.worker.compare_tracks`.
    tasks : iterable of Task
    tick : callable
        Called now and then, so that progress can be shown.

    Yields
    ------
    list of Alike
        Result of a task, as they come. A task that a worker failed at (it died, it was given up) is run
        in this process instead, since no one track is to blame. So are all remaining tasks once the
        workers are out of memory or gone.
    """
    waiting = iter(tasks)
    running: dict[Future[Any], Task] = {}
    usable = True
    while usable or running:
        room = pool.in_flight - len(running) if usable else 0
        for task in itertools.islice(waiting, max(0, room)):
            try:
                running[pool.submit(compare_tracks, str(melodies), task)] = task
            except RuntimeError:
                usable = False
                yield compare_tracks(str(melodies), task)
        if not running:
            break
        finished, _ = wait(running, timeout=_TICK_SECONDS, return_when=FIRST_COMPLETED)
        for future in finished:
            task = running.pop(future)
            error = future.exception() if not future.cancelled() else CancelledError()
            if error is None:
                yield future.result()
                continue
            usable = usable and not isinstance(error, MemoryError)
            yield compare_tracks(str(melodies), task)
        tick()
    for task in waiting:
        yield compare_tracks(str(melodies), task)
        tick()
    forget_melodies()


def results(
    tracks: Iterable[Track], ledger: Ledger, fingerprint: str, unread: dict[str, Done]
) -> Iterator[Done]:
    """Yield the result of each track that has one, in order.

    Parameters
    ----------
    tracks : iterable of Track
    ledger : Ledger
    fingerprint : str
    unread : dict of str to Done
        Results, by path, of files that have no checksum, or whose result will not last.

    Yields
    ------
    Done
        Under the track's own path.
    """
    for track in tracks:
        done = unread.get(track.path)
        if done is None and track.sha256:
            done = ledger.result(track.key, fingerprint)
        if done is not None:
            yield moved(done, track.path)


def keep(ledger: Ledger, fingerprint: str, track: Track, done: Done, unread: dict[str, Done]) -> None:
    """Store a track's result in the ledger, or in `unread` if it may differ the next time."""
    if track.sha256 and done.lasting:
        ledger.keep(track.key, fingerprint, done)
    else:
        unread[track.path] = done
