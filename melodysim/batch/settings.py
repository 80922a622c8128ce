"""The settings of a scan, and the plan that is sent to its workers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from melodysim.checking import CHECK_VERSION
from melodysim.judge.verdict import Rates
from melodysim.library.rights import Territory
from melodysim.transcribe import TRANSCRIPTION_VERSION


@dataclass(frozen=True)
class ScanSettings:
    """The settings of a scan.

    Attributes
    ----------
    places : tuple of Path
        Folders, files, playlists.
    listed : tuple of Path
        Files from a list.
    output : Path
        Folder for the results.
    library : Path or None
        Reference library; None to compare the tracks with each other.
    territory, top, rates
        As in a check.
    include, exclude : tuple of str
        See `melodysim.batch.tracks.find_tracks`.
    pages : bool
        Whether to write a page a track, and an index.
    groups : bool
        Whether to find takes of one melody.
    workers : int
        Number of worker processes.
    exhaustive : bool
        Whether tracks are compared with every melody of the library, however many there are.
    scheduler : str or None
        Address of a Dask cluster's scheduler; it is used instead of local processes.
    spread : bool
        Whether the parts of the library are spread over the workers of the cluster.
    seconds : float
        Time after which a track is given up.
    megabytes : int
        Memory that a worker may take.
    retries : int
        How often a track is tried again whose worker died.
    retry_failed : bool
        Whether to try tracks again that could not be checked in an earlier run.
    cache_bytes : int
        Most bytes of transcriptions to keep; 0 for no cache.
    threads : int
        Threads of this process itself.
    """

    places: tuple[Path, ...]
    listed: tuple[Path, ...]
    output: Path
    library: Path | None
    territory: Territory
    top: int
    rates: Rates
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    pages: bool
    groups: bool
    workers: int
    exhaustive: bool
    scheduler: str | None
    spread: bool
    seconds: float
    megabytes: int
    retries: int
    retry_failed: bool
    cache_bytes: int
    threads: int


@dataclass(frozen=True)
class Plan:
    """The settings of a scan and the state of its library; sent to a worker with every track.

    Attributes
    ----------
    settings : ScanSettings
        With absolute paths, and without the tracks: workers may have another folder to work in.
    version : str
        Version of the library's content; a worker must not use another.
    mark : str
        Part of a page's name that differs between libraries and options.
    cache : Path
        Folder of transcriptions.
    """

    settings: ScanSettings
    version: str
    mark: str
    cache: Path


def fingerprint_of(plan: Plan, protected: bytes, suspects: tuple[str, ...] = ()) -> str:
    """Return 32 hexadecimal digits for everything besides its content that a result depends on.

    Parameters
    ----------
    plan : Plan
    protected : bytes
        Which references of the library are protected today: licences run out, and terms end with a
        year.
    suspects : tuple of str, optional
        Digests of the songs that are watched for.
    """
    s = plan.settings
    parts = (
        CHECK_VERSION, TRANSCRIPTION_VERSION, plan.version, hashlib.sha256(protected).hexdigest(),
        s.territory, s.top, s.rates.likely, s.rates.review, s.library is None, s.exhaustive,
        suspects,
    )  # fmt: skip
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
