"""Checks that were asked for: kept in a folder, done one after another by a worker process.

Each check has a folder of its own, named by a random id: the upload under a name of ours, the report,
and `check.json`, which is written whole at every change, so that the program may be killed at any
moment; checks that had not been done are then taken up again.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import re
import secrets
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, TimeoutError
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from melodysim.errors import MelodysimError, MissingDependencyError
from melodysim.judge.verdict import Rates
from melodysim.library.importers import ImportResult
from melodysim.library.rights import Rights, Territory
from melodysim.readers.audio import SUFFIXES as SOUNDS
from melodysim.readers.read import SUFFIXES
from melodysim.util.atomic_files import make_folder, write_whole
from melodysim.util.worker_processes import begin_worker

LIMIT_SECONDS = 1200.0
"""A track that takes longer is given up: a damaged file may hang a decoder."""
_LOOK_SECONDS = 0.5
_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Ticket:
    """A check that was asked for.

    Attributes
    ----------
    id : str
        16 hexadecimal digits.
    name : str
        Of the file, as the browser said it: hostile text.
    suffix : str
        Of the file's kind, one that melodysim knows.
    asked : str
        When, in ISO 8601, UTC.
    state : {"waiting", "working", "done", "failed"}
        How far it is.
    level : str or None
        Verdict.
    probability : float or None
        That a protected melody is followed.
    words : str
        The first reason of the verdict, or why it failed.
    grade : str or None
        The verdict as people are shown it (`melodysim.judge.verdict.GRADES`).
    findings, settled : sequence of (str, str)
        Ids of what was found, and the works' titles: what alarms, and what a person has settled.
    accepted : bool
        Whether that is all that was found.
    """

    id: str
    name: str
    suffix: str
    asked: str
    state: str = "waiting"
    level: str | None = None
    probability: float | None = None
    words: str = ""
    grade: str | None = None
    findings: Sequence[Sequence[str]] = ()
    settled: Sequence[Sequence[str]] = ()
    accepted: bool = False


@dataclass(frozen=True)
class Terms:
    """What checks are made with.

    Attributes
    ----------
    library : Path
        Reference library.
    territory : str
        Whose terms of protection count.
    rates : Rates
        Of false alarms.
    threads : int
        For one check.
    """

    library: Path
    territory: Territory
    rates: Rates
    threads: int


class CheckQueue:
    """Takes uploads, has them checked, keeps what came out.

    Parameters
    ----------
    folder : Path
        Where checks are kept; is made if it does not exist.
    terms : Terms
        What checks are made with.
    limit : float, optional
        Seconds after which a check is given up, and its worker killed.

    Raises
    ------
    MissingDependencyError
        If pebble is not installed.
    MelodysimError
        If another process serves from the folder.
    """

    def __init__(self, folder: Path, terms: Terms, limit: float = LIMIT_SECONDS) -> None:
        try:
            from pebble import ProcessPool
        except ImportError as error:
            raise MissingDependencyError(
                "the web app needs pebble, starlette and uvicorn: run `pip install 'melodysim[serve]'`"
            ) from error
        self.folder, self.terms, self.limit = folder, terms, limit
        made = not folder.exists()
        make_folder(folder)
        if made:  # tracks that are not released: nobody else on this machine need read them
            with contextlib.suppress(OSError):
                folder.chmod(0o700)
        self._held = _hold(folder)
        self._closing = False
        self._lock = threading.Lock()
        self._futures: dict[str, Future[Any]] = {}
        self._tickets: dict[str, Ticket] = {}
        # Spawned: a forked copy of a process with threads may hang.
        context = multiprocessing.get_context("spawn")
        # Imports do not wait for checks.
        self._pool, self._importers = (
            ProcessPool(max_workers=1, context=context, initializer=begin_worker) for _ in range(2)
        )
        for ticket in self._kept():
            self._tickets[ticket.id] = ticket
            if ticket.state in {"waiting", "working"}:
                self._schedule(replace(ticket, state="waiting"))

    def _kept(self) -> list[Ticket]:
        """Read what is in the folder; what is damaged is left alone."""
        tickets = []
        for folder in self.folder.iterdir():
            if _ID.fullmatch(folder.name) and not (folder / "check.json").exists():
                shutil.rmtree(folder, ignore_errors=True)  # an upload that was cut off
        for path in sorted(self.folder.glob("*/check.json")):
            try:
                ticket = Ticket(**json.loads(path.read_text(encoding="utf-8")))
            except (ValueError, TypeError, OSError):
                continue
            if _ID.fullmatch(ticket.id) and path.parent.name == ticket.id and ticket.suffix in SUFFIXES:
                tickets.append(ticket)
        return tickets

    def upload_path(self, name: str) -> tuple[str, Path]:
        """Give a new id, and a path of ours for the bytes of a file.

        Raises
        ------
        MelodysimError
            If the file is of a kind that cannot be checked.
        """
        suffix = known_suffix(name)
        identity = secrets.token_hex(8)
        make_folder(self.folder / identity)
        return identity, self.folder / identity / f"track{suffix}"

    def submit(self, identity: str, name: str) -> Ticket:
        """Have an upload that lies in its place checked."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        ticket = Ticket(identity, name, known_suffix(name), now)
        self._schedule(ticket)
        return ticket

    def again(self, identity: str) -> Ticket:
        """Have an upload that is kept checked again.

        Raises
        ------
        MelodysimError
            If there is none.
        """
        ticket = self.ticket(identity)
        if ticket is None or ticket.state != "done":
            raise MelodysimError("no such check, or it is being done")
        waiting = replace(ticket, state="waiting", words="")
        self._schedule(waiting)
        return waiting

    def discard(self, identity: str) -> None:
        """Throw an upload away that was not finished."""
        shutil.rmtree(self.folder / identity, ignore_errors=True)

    def _schedule(self, ticket: Ticket) -> None:
        self._keep(ticket)
        folder = self.folder / ticket.id
        future = self._pool.schedule(
            _check, args=[str(folder), ticket.name, ticket.suffix, self.terms], timeout=self.limit
        )
        with self._lock:
            self._futures[ticket.id] = future
        future.add_done_callback(lambda done: self._finish(ticket, done))

    def _finish(self, ticket: Ticket, future: Future[dict[str, Any]]) -> None:
        """Keep what came of a check."""
        with self._lock:
            self._futures.pop(ticket.id, None)
            if self._closing or ticket.id not in self._tickets:
                return
        try:
            found = future.result()
            done = replace(ticket, state="done", **found)
        except CancelledError:
            return
        except TimeoutError:
            words = f"took longer than {self.limit:.0f} s and was given up; the file may be damaged"
            done = replace(ticket, state="failed", words=words)
        except MelodysimError as error:
            within = error.path is not None and self.folder in Path(error.path).parents
            done = replace(ticket, state="failed", words=error.why if within else str(error))
        except Exception as error:  # whatever killed the worker costs this track alone
            words = f"could not be checked ({type(error).__name__}); the file may be damaged"
            if type(error).__name__ == "ProcessExpired":
                words = (
                    "the process that checked it was ended, as happens where memory runs out; the file "
                    "may be damaged, or too long for this machine"
                )
            done = replace(ticket, state="failed", words=words)
        try:
            self._keep(done, new=False)
        except MelodysimError as error:  # a full disk: the list says it while the app runs
            with self._lock:
                self._tickets[ticket.id] = replace(ticket, state="failed", words=error.why)

    def _keep(self, ticket: Ticket, new: bool = True) -> None:
        with self._lock:
            if not new and ticket.id not in self._tickets:
                return  # it was removed while it was being done
            self._tickets[ticket.id] = ticket
            write_whole(self.folder / ticket.id / "check.json", json.dumps(asdict(ticket)).encode())

    def tickets(self) -> list[Ticket]:
        """Give all checks, the latest first."""
        with self._lock:
            found = list(self._tickets)
        tickets = [self.ticket(identity) for identity in found]
        return sorted((t for t in tickets if t), key=lambda t: t.asked, reverse=True)

    def ticket(self, identity: str) -> Ticket | None:
        """Give a check as it stands; None if there is none."""
        with self._lock:
            ticket = self._tickets.get(identity)
            future = self._futures.get(identity)
        if ticket and ticket.state == "waiting" and future is not None and future.running():
            stage = self.folder / identity / "stage"
            words = stage.read_text(encoding="utf-8") if stage.exists() else "starting"
            return replace(ticket, state="working", words=words)
        return ticket

    def page(self, identity: str, name: str = "report.html") -> Path | None:
        """Path of what a check left; None if there is none."""
        ticket = self.ticket(identity)
        if ticket is None or ticket.state != "done":
            return None
        return self.folder / ticket.id / name

    def remove(self, identity: str) -> bool:
        """Forget a check, killing its worker if it is at it."""
        with self._lock:
            ticket = self._tickets.pop(identity, None)
            future = self._futures.pop(identity, None)
        if ticket is None:
            return False
        if future is not None:
            future.cancel()
        shutil.rmtree(self.folder / ticket.id, ignore_errors=True)
        return True

    def import_file(
        self, path: Path, rights: Rights, title: str | None, creator: str | None
    ) -> ImportResult:
        """Have a file imported into the library by the worker, and wait for it.

        Raises
        ------
        MelodysimError
            If it took too long, or its worker died of it.
        """
        asked = str(self.terms.library), str(path), rights, title, creator
        result: ImportResult = self._waited_for(path, _import, *asked)
        return result

    def name_song(
        self,
        path: Path,
        name: str,
        title: str | None,
        creator: str | None,
        correct: str | None = None,
    ) -> None:
        """Have the worker read a song to be watched for, or the notes of one that is, and wait for it.

        Parameters
        ----------
        path : Path
        name : str
            Of the file, as its owner knows it.
        title, creator : str or None
            Of the song.
        correct : str, optional
            Id of the song whose notes these are.

        Raises
        ------
        MelodysimError
            If it cannot be read, took too long, or its worker died of it.
        """
        asked = str(self.terms.library), str(path), name, title, creator, correct
        self._waited_for(path, _name_song, *asked)

    def _waited_for(self, path: Path, task: Callable[..., Any], *asked: Any) -> Any:
        """Return what a task of the worker for imports gives."""
        future = self._importers.schedule(task, args=list(asked), timeout=self.limit)
        try:
            while True:
                try:
                    return future.result(timeout=_LOOK_SECONDS)
                except TimeoutError:
                    if future.done() or self._closing:
                        raise
        except MelodysimError:
            raise
        except Exception as error:
            raise MelodysimError(
                f"could not be read ({type(error).__name__})", "the file may be damaged", path.name
            ) from error

    def close(self) -> None:
        """Stop the worker; what was not done is taken up again the next time."""
        with self._lock:
            self._closing = True
        for pool in (self._pool, self._importers):
            pool.stop()
            pool.join(5)
        self._held.close()


def _hold(folder: Path) -> sqlite3.Connection:
    """Keep a folder for this process until what is returned is closed, or the process ends.

    Two that served from one folder would take up each other's checks, and throw away each other's
    uploads as cut off. SQLite locks files on every system.
    """
    lock = folder / "lock.db"
    try:
        held = sqlite3.connect(lock, isolation_level=None, timeout=0.5, check_same_thread=False)
        held.execute("PRAGMA locking_mode = EXCLUSIVE")
        held.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        used = "locked" in str(error)
        reason = (
            "another `melodysim serve` keeps its checks here" if used else f"cannot be used ({error})"
        )
        raise MelodysimError(reason, path=folder) from error
    return held


def known_suffix(name: str) -> str:
    """Give the suffix of a file name that a browser said, if melodysim reads files of this kind.

    Raises
    ------
    MelodysimError
        If it does not.
    """
    suffix = "." + name.rsplit(".", 1)[-1].lower() if "." in name else ""
    if suffix not in SUFFIXES:
        known = "recordings, MIDI, MusicXML, ABC, kern and projects of workstations"
        raise MelodysimError("melodysim does not read this kind of file", f"it reads {known}", name)
    return suffix


def _check(folder: str, name: str, suffix: str, terms: Terms) -> dict[str, Any]:
    """Check an upload, in the worker: leaves the report and says what came out."""
    from melodysim.checking import check
    from melodysim.library import Library, finding_id
    from melodysim.readers.read import read
    from melodysim.report.html.track_page import track_html
    from melodysim.report.json import checks_json

    place = Path(folder)
    upload, started = place / f"track{suffix}", time.monotonic()

    def stage(words: str) -> None:
        write_whole(place / "stage", words.encode())

    try:
        stage("listening" if suffix in SOUNDS else "reading")
        piece = read(upload, terms.threads)
        stage("comparing with the library")
        library = Library(terms.library, terms.territory)
        report = check(piece, library, rates=terms.rates, threads=terms.threads)
    except MelodysimError as error:
        raise error.renamed(upload, name) from error
    stage("drawing the report")
    named = replace(report, source=name, piece=replace(piece, source=name))
    page = track_html(named, datetime.now(UTC).date(), upload, back="/")
    write_whole(place / "report.html", page.encode())
    answer = checks_json([named], library.path.name, len(library), library.search)
    write_whole(place / "report.json", answer.encode())
    verdict = report.verdict
    assert verdict is not None
    found = [
        *report.named_matches,
        *(m for m in report.matches if m.reference.rights.protected and m.e_value < terms.rates.review),
    ]
    titles = {match.reference.id: match.reference.title for match in report.matches}
    titles |= {song.id: song.title for song in report.named}
    followed = dict.fromkeys(match.reference.id for match in found)
    alarming = [work for work in followed if work not in report.accepted]
    findings, settled = (
        [(finding_id(piece, work), titles.get(work, work)) for work in works]
        for works in (alarming, report.accepted)
    )
    return {
        "level": verdict.level,
        "grade": verdict.grade,
        "findings": findings,
        "settled": settled,
        "accepted": bool(settled) and verdict.level not in {"review", "likely"},
        "probability": verdict.probability,
        "words": f"{verdict.reasons[0]} (Checked in {time.monotonic() - started:.0f} s.)",
    }


def _import(
    library: str, path: str, rights: Rights, title: str | None, creator: str | None
) -> ImportResult:
    """Import a file, in the worker."""
    from melodysim.checking import measure_recordings
    from melodysim.library import Library
    from melodysim.library.importers import import_paths
    from melodysim.library.store import Store
    from melodysim.search.own_works import with_chance

    with Store(Path(library), create=True) as store:
        result = import_paths(store, [Path(path)], rights, title, creator)
    if result.imported:
        made = Library(Path(library))  # builds what checks need
        with_chance(made)
        measure_recordings(made)
    return result


def _name_song(
    library: str, path: str, name: str, title: str | None, creator: str | None, correct: str | None
) -> None:
    """Read a song and watch for it, in the worker."""
    from melodysim.checking import require_melody
    from melodysim.library import WatchList
    from melodysim.readers.read import read

    try:
        piece = read(path)
        require_melody(piece)
    except MelodysimError as error:
        raise error.renamed(path, name) from error
    piece = replace(piece, source=name)
    with WatchList(Path(library), writable=True) as watched:
        if correct is None:
            watched.add(piece, title, creator)
        else:
            watched.correct(correct, piece)
