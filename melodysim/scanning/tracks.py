"""Finding tracks: in folders, in lists, in playlists; and what each is known by.

A track is known by the SHA-256 of its bytes. Hashing a file again is spared where path, size and time
of change are those of the last scan.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from melodysim.errors import ReadError
from melodysim.reading import SUFFIXES

PLAYLISTS = {".m3u", ".m3u8"}
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Found:
    """A file that may be a track.

    Attributes
    ----------
    path : str
        As it is reported.
    size : int
        Bytes; -1 where the file is not there.
    changed : int
        Nanoseconds since the epoch.
    """

    path: str
    size: int
    changed: int


def find_tracks(
    places: Iterable[Path], include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()
) -> list[Found]:
    """Find the tracks that are meant.

    Parameters
    ----------
    places : iterable of Path
        Folders, which are searched with all below them (links to folders are not followed); files;
        M3U playlists.
    include, exclude : tuple of str
        Shell patterns for a file's path below its folder, or for its name. Without `include`, all
        files of kinds that melodysim reads.

    Returns
    -------
    list of Found
        By path, each once. A file that is named is among them whatever it is, also if it is missing:
        its error is part of the result.

    Raises
    ------
    ReadError
        If a place does not exist.
    """
    found: dict[str, Found] = {}
    for place in places:
        if place.is_dir():
            files = _below(place, include, exclude)
        elif place.suffix.lower() in PLAYLISTS:
            files = (_stat(path) for path in _playlist(place))
        elif place.exists():
            files = iter([_stat(place)])
        else:
            raise ReadError(f"{place}: no such file or folder")
        for file in files:
            found[file.path] = file
    return [found[path] for path in sorted(found)]


def _below(folder: Path, include: tuple[str, ...], exclude: tuple[str, ...]) -> Iterator[Found]:
    """Walk a folder."""
    top = str(folder)
    for place, folders, names in os.walk(top):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            path = os.path.join(place, name)  # noqa: PTH118 - a Path for each of 100,000 files is slow
            inside = os.path.relpath(path, top).replace(os.sep, "/")
            if name.startswith(".") or not _wanted(inside, name, include, exclude):
                continue
            try:
                state = os.stat(path)  # noqa: PTH116
            except OSError:
                yield Found(path, -1, 0)
                continue
            yield _described(path, state)


def _wanted(inside: str, name: str, include: tuple[str, ...], exclude: tuple[str, ...]) -> bool:
    """Say whether a file below a folder is asked for."""

    def matches(patterns: tuple[str, ...]) -> bool:
        return any(fnmatch.fnmatch(inside, p) or fnmatch.fnmatch(name, p) for p in patterns)

    if include:
        return matches(include) and not matches(exclude)
    suffix = name[name.rfind(".") :].lower() if "." in name else ""
    return suffix in SUFFIXES and not matches(exclude)


def _playlist(path: Path) -> Iterator[Path]:
    """Files of an M3U playlist, relative to where it lies."""
    try:
        text = path.read_bytes().decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise ReadError(f"{path}: cannot be read ({error.strerror})") from error
    for line in text.splitlines():
        entry = line.strip()
        if entry and not entry.startswith("#"):
            yield path.parent / entry


def _stat(path: Path) -> Found:
    """Describe a file that was named."""
    try:
        state = path.stat()
    except OSError:
        return Found(str(path), -1, 0)
    return _described(str(path), state)


def _described(path: str, state: os.stat_result) -> Found:
    """Describe a file; what is none (a pipe, a device) has no content to be known by."""
    if not stat.S_ISREG(state.st_mode):
        return Found(path, -1, 0)
    return Found(path, state.st_size, state.st_mtime_ns)


def sha256_of(path: str) -> str:
    """Give a file's checksum; empty where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with Path(path).open("rb", buffering=0) as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()
