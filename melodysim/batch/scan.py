"""A scan, from the search for its tracks to the result files.

A scan can be run again and again, for tracks that arrive; what it needs to go on lies in its output
folder.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple, dataclass, replace
from functools import partial
from typing import Any

from melodysim.batch import result_files
from melodysim.batch.executors import ClusterPool, Pool
from melodysim.batch.ledger import Done, Ledger
from melodysim.batch.settings import Plan, ScanSettings, fingerprint_of
from melodysim.batch.takes import (
    BYTES_PER_NOTE,
    TAKES_E_VALUE,
    TAKES_VERSION,
    Alike,
    find_alike,
    packed_melodies,
    takes,
    unpacked_melody,
)
from melodysim.batch.task_loop import (
    ScanProgress,
    Track,
    checked,
    compared,
    identified,
    keep,
    kind_of,
    left_to_do,
    results,
)
from melodysim.batch.tracks import Found, find_tracks
from melodysim.batch.transcription_cache import Cache, default_cache_folder
from melodysim.batch.worker import failed, is_page_name
from melodysim.checking import measure_recordings, require_references
from melodysim.errors import ReadError
from melodysim.judge.verdict import GRADES
from melodysim.library import Library
from melodysim.report.html.index_page import TrackRow
from melodysim.report.html.page_folder import PAGES, link_of, write_index
from melodysim.report.json import alike_dict, library_dict, scan_dict
from melodysim.search.own_works import with_chance
from melodysim.util.atomic_files import TORN, make_folder, remove_torn, replaced, write_whole
from melodysim.util.worker_processes import LocalPool

LEDGER = "scan.db"
SWEEP_EVERY = 200
"""Tracks between looks at the size of the cache."""
WORTH_WORKERS = 50
"""Fewest tracks for which workers are started only to compare them with each other."""
HELD_PART = 0.5
"""Share of a worker's memory that the melodies of all tracks may take; if they need more, tracks
are compared by this process alone, whose memory is not limited."""
LINE_SECONDS = 1.0
"""Between additions to the growing file of results."""
WATCH_SECONDS = 5.0
"""Between looks at the folders; a file must have stayed as it is from one look to the next."""


@dataclass(frozen=True)
class ScanOutcome:
    """The result of a scan.

    Attributes
    ----------
    answer : dict
        As in ``summary.json``, and with a library ``new``: the same counts of what is new.
    flagged : list of Done
        Results with the verdict "likely" or "review", in the order of the tracks.
    fresh : set of str
        Paths of the tracks that are new since the last scan, or graver than then.
    uncertain : list of str
        Paths of the tracks that are clear and not firm.
    """

    answer: dict[str, Any]
    flagged: list[Done]
    fresh: set[str]
    uncertain: list[str]


class Scan:
    """A scan; close it, since it holds processes and a file.

    Parameters
    ----------
    settings : ScanSettings
    tick : callable
        Called often with the progress, to show it.

    Raises
    ------
    MelodysimError
        If the library or the output folder cannot be used.
    """

    def __init__(self, settings: ScanSettings, tick: Callable[[ScanProgress], None]) -> None:
        self.settings, self._tick = settings, tick
        self._pool: Pool | None = None
        self._passed: Counter[str] = Counter()
        self._library: Library | None = None
        self._pages = settings.output / PAGES if settings.pages else None
        self._cache = Cache(default_cache_folder(), settings.cache_bytes)
        self._open_library()
        make_folder(settings.output)
        self._ledger = Ledger(settings.output / LEDGER)  # locked from here on: no other scan can use it
        if self._pages is not None:
            make_folder(self._pages)
        for folder in (settings.output, self._pages):
            if folder is not None:
                remove_torn(folder)
        self._cache.sweep()

    def _open_library(self) -> None:
        """Open the library as it is now, and plan the checks with it."""
        s = self.settings
        version, protected = "", b""
        suspects: tuple[str, ...] = ()
        if s.library is not None:
            before = self._library
            self._library = Library(s.library, s.territory, exhaustive=s.exhaustive)
            suspects = tuple(suspect.digest for suspect in self._library.suspects())
            if not suspects:
                require_references(self._library)
            with_chance(self._library, s.threads)  # once, and not in every worker
            if before is None or before.version != self._library.version:
                measure_recordings(self._library, s.threads)
            version, protected = self._library.version, self._library.protected.tobytes()
        library = None if s.library is None else s.library.absolute()
        own = replace(s, places=(), listed=(), output=s.output.absolute(), library=library)
        plan = Plan(own, version, "", self._cache.folder)
        self._fingerprint = fingerprint_of(plan, protected, suspects)
        self._plan = replace(plan, mark=self._fingerprint[:6])

    def close(self) -> None:
        """Stop the workers, close the ledger."""
        if self._pool is not None:
            self._pool.stop()
            self._pool = None
        self._ledger.close()

    def found(self) -> list[Found]:
        """Find the tracks of the scan.

        Raises
        ------
        ReadError
            If a place does not exist.
        """
        s = self.settings
        self._passed = Counter()
        return find_tracks(s.places, s.include, s.exclude, s.listed, s.output, self._passed)

    def run(self, found: list[Found]) -> ScanOutcome:
        """Check the tracks that need it, write the result files, and return the outcome."""
        s, counted = self.settings, self._counting(ScanProgress("hashing"))
        self._forget_settled()
        tracks = identified(found, self._ledger, s.threads, counted)
        todo = left_to_do(tracks, self._ledger, self._fingerprint, self._pages, s.retry_failed)
        unread = {t.path: failed(t.path, ReadError(t.why, path=t.path), False) for t in tracks if t.why}
        if todo:
            done = len(tracks) - len(todo)
            progress = ScanProgress("checking", len(tracks), done, done, workers=s.workers)
            progress.left.update(kind_of(track.path) for track in todo)
            try:
                self._check(tracks, todo, unread, progress)
            except KeyboardInterrupt:
                self._write_partly(tracks, unread)
                raise
        return self._finish(tracks, unread)

    def _forget_settled(self) -> None:
        """Have tracks checked again whose findings were accepted, or withdrawn, since the last run."""
        if self._library is None:
            return
        now = sorted(self._library.accepted())
        before = self._ledger.recall("accepted", "") or []
        self._ledger.forget_findings(set(now) ^ set(before))
        self._ledger.remember("accepted", "", now)

    def _write_partly(self, tracks: list[Track], unread: dict[str, Done]) -> None:
        """Write the index of what is done so far, where pages are asked for."""
        if self._library is None or not self.settings.pages:
            return
        rows = [_row(one) for one in self._results(tracks, unread)]
        write_index(self.settings.output, rows, self._library.holdings, partly=len(tracks))

    def _counting(self, progress: ScanProgress) -> Callable[[int, int], None]:
        """Return what to call with how many are done, of how many."""

        def tick(done: int, of: int) -> None:
            progress.done, progress.tracks = done, of
            self._tick(progress)

        return tick

    def _workers(self) -> Pool:
        """Return the pool of workers, which the first call starts."""
        s = self.settings
        if self._pool is None:
            if s.scheduler:
                self._pool = ClusterPool(s.scheduler, s.retries)
            else:
                self._pool = LocalPool(s.workers, s.seconds, s.megabytes)
        return self._pool

    def _check(
        self, tracks: list[Track], todo: list[Track], unread: dict[str, Done], progress: ScanProgress
    ) -> None:
        """Check the tracks of `todo` by workers, and append results as they come."""
        lines = result_files.Lines(self.settings.output / result_files.RESULTS)
        alike: dict[str, list[Track]] = {}
        for track in tracks:
            alike.setdefault(track.key or track.path, []).append(track)
        waiting = {track.key or track.path for track in todo}
        known = [track for track in tracks if (track.key or track.path) not in waiting]

        def counted(found: Iterable[Done]) -> Iterator[Done]:
            for done in found:
                progress.counts[done.grade] += 1
                yield done

        lines.write(counted(self._results(known, unread)))
        written: list[Track] = []
        last = time.monotonic()
        while todo:
            steps = checked(self._workers(), self._plan, todo, self.settings.retries, progress)
            todo = []
            for step in steps:
                if step is not None:
                    track, done = step
                    keep(self._ledger, self._fingerprint, track, done, unread)
                    copies = [t for t in alike[track.key or track.path] if t.path not in unread]
                    if track.path in unread and copies:
                        # A file that was gone, say: what it held is looked for in its next copy.
                        todo.append(copies[0])
                        progress.counts[done.grade] += 1
                        written.append(track)
                    else:
                        progress.finished(track.path, done, max(1, len(copies)))
                        written += copies or [track]
                    if progress.done % SWEEP_EVERY == 0:
                        self._cache.sweep()
                elif time.monotonic() - last > LINE_SECONDS:
                    lines.write(self._results(written, unread))
                    written, last = [], time.monotonic()
                self._tick(progress)
        lines.close()

    def _results(self, tracks: list[Track], unread: dict[str, Done]) -> Iterator[Done]:
        return results(tracks, self._ledger, self._fingerprint, unread)

    def _finish(self, tracks: list[Track], unread: dict[str, Done]) -> ScanOutcome:
        """Write the result files from the ledger, and return the outcome."""
        place = self.settings.output
        counts: Counter[str] = Counter()
        errors: list[dict[str, str]] = []
        flagged: list[Done] = []
        before = self._ledger.seen()
        keys = {track.path: track.key or track.path for track in tracks}
        levels: dict[str, str] = {}
        fresh: set[str] = set()
        uncertain: list[str] = []
        fresh_counts: Counter[str] = Counter()
        with (
            replaced(place / result_files.RESULTS) as temporary,
            temporary.open("w", encoding="utf-8", newline="\n") as out,
        ):
            for done in self._results(tracks, unread):
                out.write(result_files.line(done))
                counts[done.level] += 1
                if done.grade == "uncertain":
                    uncertain.append(done.path)
                levels[keys[done.path]] = done.grade
                if _graver(done.grade, before.get(keys[done.path])):
                    fresh.add(done.path)
                    fresh_counts[done.level] += 1
                if done.level == "error":
                    errors.append({"source": done.path, "error": done.entry["error"]})
                elif done.level in {"likely", "review"}:
                    flagged.append(done)
        counts["uncertain"] = len(uncertain)
        groups, alike = self._groups(tracks, unread)
        group_of = {path: number for number, group in enumerate(groups, 1) for path in group}
        table = result_files.table(self._results(tracks, unread), group_of)
        write_whole(place / result_files.TABLE, table.encode())
        own = self._library
        library = None if own is None else library_dict(str(own.path), len(own), own.search)
        answer = scan_dict(counts, library, errors, groups, alike, self._passed)
        result_files.write_json(place / result_files.SUMMARY, answer)
        if own is not None and self.settings.pages:
            # In a first scan everything is new, which says nothing.
            news = fresh if before else set()
            self._write_index(own, self._results(tracks, unread), group_of, news)
        self._ledger.see(levels.items())
        self._ledger.forget_all_but(self._fingerprint)
        if own is not None:  # not in the file: the same tracks give the same bytes
            answer |= {"new": {level: fresh_counts[level] for level in answer["verdicts"]}}
        return ScanOutcome(answer, flagged, fresh, uncertain)

    def _groups(
        self, tracks: list[Track], unread: dict[str, Done]
    ) -> tuple[list[list[str]], list[dict[str, Any]] | None]:
        """Find takes of one melody, and without a library all tracks that share a passage."""
        s, alone = self.settings, self._library is None
        if not (s.groups or alone):
            return [], None
        threshold = max(s.rates.review if alone else 0.0, TAKES_E_VALUE)
        paths, packed = [], []
        digest = hashlib.sha256(repr((TAKES_VERSION, threshold)).encode())
        for done in self._results(tracks, unread):
            if done.melody:
                paths.append(done.path)
                packed.append(done.melody)
                digest.update(hashlib.sha256(done.melody).digest())
        # Comparing all with all takes a while, and most often nothing has changed.
        kept = self._ledger.recall("alike", digest.hexdigest())
        if kept is None:
            pairs = self._alike(packed, threshold)
            self._ledger.remember("alike", digest.hexdigest(), [list(astuple(pair)) for pair in pairs])
        else:
            pairs = [
                Alike(a, b, e, n, share, (x, y), (v, w)) for a, b, e, n, share, (x, y), (v, w) in kept
            ]
        groups = [[paths[k] for k in group] for group in takes(pairs, len(paths))]
        return groups, [_shared_passage(pair, paths) for pair in pairs] if alone else None

    def _alike(self, packed: list[bytes], threshold: float) -> list[Alike]:
        """Compare tracks with each other, by the workers if there are several and enough to do."""
        s, progress = self.settings, ScanProgress("finding takes of one melody")
        told, melodies = self._counting(progress), [unpacked_melody(melody) for melody in packed]
        several = s.scheduler is not None or s.workers > 1
        held = BYTES_PER_NOTE * sum(map(len, melodies))
        too_many = s.megabytes and held > s.megabytes * 1_000_000 * HELD_PART
        if not several or too_many or (self._pool is None and len(melodies) < WORTH_WORKERS):
            return find_alike(melodies, threshold, s.threads, told)
        # Workers may be on other machines, which see this folder; they read it once.
        place = (s.output / f".melodies-{secrets.token_hex(8)}{TORN}").absolute()
        write_whole(place, packed_melodies(packed))
        try:
            tick = partial(self._tick, progress)
            return find_alike(
                melodies,
                threshold,
                1,
                told,
                lambda tasks: compared(self._workers(), place, tasks, tick),
            )
        finally:
            place.unlink(missing_ok=True)

    def _write_index(
        self, library: Library, found: Iterator[Done], group_of: dict[str, int], fresh: set[str]
    ) -> None:
        """Write the index page of all tracks, and delete the pages that it does not link to."""
        rows, linked = [], set()
        for done in found:
            linked.add(done.page)
            rows.append(_row(done, group_of.get(done.path), done.path in fresh))
        write_index(self.settings.output, rows, library.holdings)
        for old in (self.settings.output / PAGES).glob("*.html"):
            if is_page_name(old.name) and old.name not in linked:
                old.unlink(missing_ok=True)

    def arriving(self) -> Iterator[list[Found]]:
        """Search again and again, and yield the files that have stopped changing, if they differ."""
        before: dict[str, Found] = {}
        given: list[Found] | None = None
        while True:
            try:
                now = {file.path: file for file in self.found()}
            except ReadError:
                now = {}  # a folder may come back
            resting = [file for path, file in now.items() if before.get(path) == file]
            if resting and resting != given:
                given = resting
                self._open_library()  # it may have changed while nothing came
                yield resting
            before = now
            time.sleep(WATCH_SECONDS)


def _shared_passage(pair: Alike, paths: list[str]) -> dict[str, Any]:
    """Return the JSON object for two tracks that share a passage."""
    names, seconds = (paths[pair.one], paths[pair.other]), (pair.seconds, pair.other_seconds)
    return alike_dict(names, pair.e_value, pair.notes, pair.share, seconds)


def _graver(level: str, before: str | None) -> bool:
    """Say whether a level is news: of a track that had none before, or another that was less grave."""
    if before is None or "error" in {level, before}:
        return level != before
    return level in GRADES and GRADES.index(level) < GRADES.index(before)


def _row(done: Done, group: int | None = None, fresh: bool = False) -> TrackRow:
    """Return the row of a result in the index page."""
    closest = done.closest or {}
    seconds = closest.get("seconds")
    return TrackRow(
        done.path,
        done.grade,
        done.entry.get("probability"),
        closest.get("e_value"),
        closest.get("title") or done.why,
        tuple(seconds) if seconds else None,
        link_of(done.page) if done.page else None,
        group=group,
        fresh=fresh,
        accepted=tuple(settled["note"] for settled in done.entry.get("accepted", ())),
    )
