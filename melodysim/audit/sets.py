"""Sets of melodies for an audit: folders of files, or tables of notes."""

from __future__ import annotations

import csv
import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from melodysim.errors import ReadError
from melodysim.library.importers import import_paths
from melodysim.library.rights import Rights
from melodysim.library.store import Store
from melodysim.melody import Melody
from melodysim.readers.audio import SUFFIXES as AUDIO_SUFFIXES
from melodysim.util.passed_over import hidden
from melodysim.util.plain_text import printable


@dataclass(frozen=True, eq=False)
class Sample:
    """A melody that a generator made.

    Attributes
    ----------
    id : str
        Unique among the samples.
    digest : str
        Of its content.
    melody : Melody or None
        None for a recording.
    path : str or None
        Of a recording.
    """

    id: str
    digest: str
    melody: Melody | None
    path: str | None = None


@dataclass(frozen=True, eq=False)
class Work:
    """A melody of the training or the control set.

    Attributes
    ----------
    id : str
    melody : Melody
    copies : int
        How often it stands in its set.
    """

    id: str
    melody: Melody
    copies: int


def read_samples(place: Path, unread: list[str] | None = None) -> list[Sample]:
    """Read the samples of a generator: recordings as files, everything else as notes.

    Parameters
    ----------
    place : Path
        A folder, a file or a table.
    unread : list of str, optional
        Is given a line for each file or record that could not be read.

    Raises
    ------
    ReadError
        If there are none.
    """
    recordings = _recordings(place)
    samples = [
        Sample(path.relative_to(place).as_posix(), _digest_of(path.read_bytes()), None, str(path))
        for path in recordings
    ]
    samples += [Sample(name, digest_of(melody), melody) for name, melody in _notes(place, unread)]
    if not samples:
        raise ReadError("holds no melodies", "give MIDI, ABC, MusicXML, recordings or a table", place)
    return sorted(samples, key=lambda sample: sample.id)


def read_works(place: Path, unread: list[str] | None = None) -> list[Work]:
    """Read a set of works; of those that are alike note for note, one, with its number of copies.

    Parameters
    ----------
    place, unread
        As for `read_samples`.

    Raises
    ------
    ReadError
        If there are none.
    """
    alike: dict[str, list[tuple[str, Melody]]] = {}
    for name, melody in _notes(place, unread):
        alike.setdefault(digest_of(melody), []).append((name, melody))
    if not alike:
        raise ReadError("holds no melodies", "give MIDI, ABC, MusicXML or a table of notes", place)
    works = [Work(*min(some, key=lambda one: one[0]), len(some)) for some in alike.values()]
    return sorted(works, key=lambda work: work.id)


def read_groups(table: Path) -> tuple[list[str], dict[str, tuple[str, ...]]]:
    """Read which group each sample belongs to.

    Parameters
    ----------
    table : Path
        CSV with a column ``id`` (the sample's file name, or its id in a table) and any others.

    Returns
    -------
    list of str
        Names of the other columns.
    dict of str to tuple of str
        Their values by id.

    Raises
    ------
    ReadError
        If there is no column ``id``.
    """
    try:
        rows = list(csv.DictReader(table.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ReadError(f"cannot be read ({type(error).__name__})", path=table) from error
    names = [name for name in (rows[0] if rows else {}) if name != "id"]
    if not rows or "id" not in rows[0] or not names:
        raise ReadError(
            "is no CSV with a column “id” and others", "see `melodysim audit --help`", table
        )
    return names, {row["id"]: tuple(row[name] or "" for name in names) for row in rows}


def digest_of(melody: Melody) -> str:
    """Return a checksum of a melody's notes, without key: intervals and inter-onset intervals."""
    intervals = np.diff(melody.pitch).round(2)
    gaps = np.diff(melody.onset).round(3)
    return _digest_of(intervals.tobytes() + gaps.tobytes())


def even_subset(
    larger: NDArray[np.int64], smaller: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw as many works of the larger set as the smaller has, of the same lengths.

    Parameters
    ----------
    larger, smaller : ndarray of int64
        Number of notes of each work.

    Returns
    -------
    ndarray of int64
        Places in the larger set. Lengths are matched by tenths of the smaller set, as far as there are
        enough.
    """
    edges = np.quantile(smaller, np.linspace(0, 1, 11)[1:-1])
    bins, wanted = (
        np.searchsorted(edges, larger),
        np.bincount(np.searchsorted(edges, smaller), minlength=10),
    )
    chosen = [rng.permutation(np.flatnonzero(bins == k))[: wanted[k]] for k in range(10) if wanted[k]]
    found = np.concatenate(chosen)
    rest = np.setdiff1d(np.arange(len(larger)), found)
    missing = min(len(smaller), len(larger)) - len(found)
    return np.sort(np.concatenate([found, rng.permutation(rest)[:missing]]))


def _digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _recordings(place: Path) -> list[Path]:
    if not place.is_dir():
        return []
    return [
        path
        for path in sorted(place.rglob("*"))
        if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file() and not hidden(path, place)
    ]


def _notes(place: Path, unread: list[str] | None) -> list[tuple[str, Melody]]:
    """Read the melodies of all files of notes and tables; of a file with several, the likeliest."""
    if not place.exists():
        raise ReadError("no such file or folder", path=place)
    files = [place]
    if place.is_dir():
        files = [
            path
            for path in sorted(place.rglob("*"))
            if path.is_file() and path.suffix.lower() not in AUDIO_SUFFIXES and not hidden(path, place)
        ]
    if not files:
        return []
    with tempfile.TemporaryDirectory(prefix="melodysim-audit-") as folder:
        path = Path(folder) / "set.db"
        with Store(path, create=True) as store:
            asked = [place] if place.is_file() or not _recordings(place) else files
            # Copies are counted.
            result = import_paths(store, asked, Rights("in-copyright"), merge=False)
            found = [(name, melody) for _, name, melody in store.melodies_of(store.serials())]
    if unread is not None:
        unread += [printable(str(error)) for _, error in result.failed]
    # A melody of a table that was named is called what the table calls it.
    return [(name.removeprefix(f"{place.name}#"), melody) for name, melody in found]
