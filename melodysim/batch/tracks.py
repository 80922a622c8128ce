"""Search for tracks in folders, lists and playlists, and their checksums.

A track is identified by the SHA-256 of its bytes. A file is not hashed again where path, size and time
of change are those of the last scan.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from melodysim.errors import ReadError
from melodysim.readers.read import SUFFIXES
from melodysim.util.passed_over import suffix_of

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
        Bytes; -1 where it cannot be read.
    stamp : str
        Differs when the file may have changed: modification time, status-change time, inode number.
    why : str
        Why it cannot be a track, where that is known already.
    """

    path: str
    size: int = -1
    stamp: str = ""
    why: str = ""


def find_tracks(
    places: Iterable[Path],
    include: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
    listed: Iterable[Path] = (),
    output: Path | None = None,
    passed: Counter[str] | None = None,
) -> list[Found]:
    """Find the tracks in folders, playlists and lists.

    Parameters
    ----------
    places : iterable of Path
        Folders, which are searched with all below them (links to folders are not followed); files;
        M3U playlists.
    include, exclude : tuple of str
        Shell patterns, whatever the case, for a file's path below its folder, or for its name; for one
        that was named or listed, as it was given. Without `include`, all files that were named or
        listed, and in folders those of kinds that melodysim reads.
    listed : iterable of Path
        Files from a list. One that is not there is found too: its error is part of the result.
    output : Path, optional
        Folder of results, which holds no tracks.
    passed : Counter of str, optional
        Counts, by suffix, the files in folders that are of no kind that is read.

    Returns
    -------
    list of Found
        Sorted by path, each file once; folders that cannot be read are among them.

    Raises
    ------
    ReadError
        If a place does not exist.
    """
    places = list(places)
    require_places(places)
    found: dict[str, Found] = {}

    def add(files: Iterable[Found]) -> None:
        for file in files:
            found.setdefault(os.path.abspath(file.path), _named(file))  # noqa: PTH100 - as fast as can be

    named = list(listed)
    skipped = None if output is None else os.path.abspath(output)  # noqa: PTH100
    for place in places:
        if place.is_dir():
            add(_below(place, include, exclude, skipped, passed))
        elif place.suffix.lower() in PLAYLISTS and place.is_file():
            named += _playlist(place)
        else:
            named.append(place)
    add(_described(str(p)) for p in named if _chosen(p.as_posix(), p.name, include, exclude))
    return sorted(found.values(), key=lambda file: file.path)


def require_places(places: Iterable[Path]) -> None:
    """Raise `ReadError` if a place does not exist; a broken link counts as existing."""
    for place in places:
        if not place.exists() and not place.is_symlink():
            raise ReadError("no such file or folder", path=place)


def _named(file: Found) -> Found:
    """Return a file, or in its place one with an error if its name is not Unicode."""
    try:
        file.path.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(file.path).decode("utf-8", errors="replace")
        return Found(shown, why="its name is not Unicode (UTF-8); rename it")
    return file


def _below(
    folder: Path,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    skipped: str | None,
    passed: Counter[str] | None,
) -> Iterator[Found]:
    """Yield the tracks in a folder and in those below it."""
    top = str(folder)
    closed: list[OSError] = []
    for place, folders, names in os.walk(top, onerror=closed.append):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and os.path.abspath(os.path.join(place, name)) != skipped  # noqa: PTH100, PTH118
        )
        for name in names:
            path = os.path.join(place, name)  # noqa: PTH118 - a Path for each of 100,000 files is slow
            inside = os.path.relpath(path, top).replace(os.sep, "/")
            if name.startswith("."):
                continue
            if _wanted(inside, name, include, exclude):
                yield _described(path)
            elif passed is not None and not include and not _matches(inside, name, exclude):
                passed[suffix_of(name)] += 1
    for error in closed:
        yield Found(str(error.filename), why=f"the folder cannot be looked into ({error.strerror})")


def _matches(inside: str, name: str, patterns: tuple[str, ...]) -> bool:
    inside, name = inside.lower(), name.lower()
    return any(
        fnmatch.fnmatchcase(inside, p.lower()) or fnmatch.fnmatchcase(name, p.lower()) for p in patterns
    )


def _chosen(inside: str, name: str, include: tuple[str, ...], exclude: tuple[str, ...]) -> bool:
    """Say whether the patterns leave a file."""
    return (not include or _matches(inside, name, include)) and not _matches(inside, name, exclude)


def _wanted(inside: str, name: str, include: tuple[str, ...], exclude: tuple[str, ...]) -> bool:
    """Say whether a file below a folder is asked for: one of a known kind, where none is named."""
    suffix = name[name.rfind(".") :].lower() if "." in name else ""
    return (bool(include) or suffix in SUFFIXES) and _chosen(inside, name, include, exclude)


def _playlist(path: Path) -> Iterator[Path]:
    """Yield the files of an M3U playlist, relative to its folder; UTF-8, or else Windows-1252."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ReadError(f"cannot be read ({error.strerror})", path=path) from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    for line in text.splitlines():
        entry = line.strip()
        if entry and not entry.startswith("#"):
            yield path.parent / entry


def _described(path: str) -> Found:
    """Describe a file by size and stamp; a pipe or a device has no content and is refused."""
    try:
        state = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError) as error:
        return Found(path, why=f"cannot be read ({getattr(error, 'strerror', error)})")
    if not stat.S_ISREG(state.st_mode):
        return Found(path, why="is not a regular file")
    return Found(path, state.st_size, f"{state.st_mtime_ns}-{state.st_ctime_ns}-{state.st_ino}")


def sha256_of(path: str) -> str:
    """Return a file's checksum; empty where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with Path(path).open("rb", buffering=0) as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()
