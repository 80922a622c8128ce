"""What is to be scanned, and how: one object from the command line to the worker."""

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
    """What is to be scanned, and how.

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
        Processes.
    exhaustive : bool
        Whether tracks are compared with every melody of the library, however many there are.
    scheduler : str or None
        Of a Dask cluster, to use instead.
    spread : bool
        Whether the parts of the library are spread over the workers of the cluster.
    seconds : float
        After which a track is given up.
    megabytes : int
        That a worker may take.
    retries : int
        For tracks whose worker died.
    retry_failed : bool
        Whether to try tracks again that failed so in an earlier run.
    cache_bytes : int
        Of transcriptions kept.
    threads : int
        For what this process itself does.
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
    """Settings, and what they were found to mean when the scan began; travels with every track.

    Attributes
    ----------
    settings : ScanSettings
        With absolute paths, and without the tracks: workers may have another folder to work in.
    version : str
        Of the library's content: a worker must not use another.
    mark : str
        Distinguishes pages of other libraries and options.
    cache : Path
        Folder of transcriptions.
    """

    settings: ScanSettings
    version: str
    mark: str
    cache: Path


def fingerprint_of(plan: Plan, protected: bytes) -> str:
    """Name everything besides a track's content that its result depends on.

    Parameters
    ----------
    plan : Plan
    protected : bytes
        Which of its melodies are protected today: licences run out, and terms end with a year.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    s = plan.settings
    parts = (
        CHECK_VERSION, TRANSCRIPTION_VERSION, plan.version, hashlib.sha256(protected).hexdigest(),
        s.territory, s.top, s.rates.likely, s.rates.review, s.library is None, s.exhaustive,
    )  # fmt: skip
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
