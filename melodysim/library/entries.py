"""Records of a library: an entry without notes, a reference with them, and rows that hold them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from melodysim.library.rights import Rights
from melodysim.melody import Melody


@dataclass(frozen=True)
class Entry:
    """The record of a reference, without its notes.

    Attributes
    ----------
    id : str
        Unique in the library.
    title : str
        Never empty.
    creator : str or None
        Composer, collector or artist.
    source : str
        Path of the file it was read from.
    rights : Rights
        In the composition.
    voice : str
        Name of the melody's part in the source.
    notes : int
        Number of notes.
    """

    id: str
    title: str
    creator: str | None
    source: str
    rights: Rights
    voice: str = ""
    notes: int = 0


@dataclass(frozen=True, eq=False)
class Reference:
    """A library entry with its melody."""

    entry: Entry
    melody: Melody


@dataclass(frozen=True, eq=False)
class Recording:
    """What was heard of a recording that a melody was read from.

    Attributes
    ----------
    version : int
        Of the transcription.
    packed : bytes
        The piece (`melodysim.packed_piece`).
    """

    version: int
    packed: bytes

    @property
    def digest(self) -> str:
        """SHA-256 of what was heard."""
        return hashlib.sha256(self.packed).hexdigest()


def file_of(source: str) -> Path:
    """Return the file of a source; a part of a set has the source ``file#number``."""
    path = Path(source)
    return path if "#" not in source or path.exists() else Path(source.rsplit("#", 1)[0])


def is_there(source: str) -> bool:
    """Say whether the file of a source exists; that of an exported melody is ``index@mark``."""
    return file_of(source).exists() or Path(source.rsplit("@", 1)[0]).is_file()


def same_notes(there: Melody, new: Melody) -> bool:
    """Say whether two melodies have the same notes, times to float32 precision."""
    if len(there) != len(new) or (there.beat is None) != (new.beat is None):
        return False
    pairs = [(there.onset, new.onset), (there.duration, new.duration)]
    if there.beat is not None and new.beat is not None:
        pairs.append((there.beat, new.beat))
    return np.array_equal(there.pitch, new.pitch) and all(
        np.array_equal(a.astype(np.float32), b.astype(np.float32)) for a, b in pairs
    )


def of_one_set(source: str, other: str) -> bool:
    """Say whether two sources are parts of one set, not files in folders with a # in their names."""
    whole = file_of(source)
    return whole != Path(source) and whole == file_of(other) and other != str(whole)


def entry_of(row: tuple) -> Entry:
    """Return the entry of a row: id, title, creator, path, voice, number of notes, rights."""
    identity, title, creator, path, voice, notes, *rights = row
    return Entry(identity, title, creator, path, Rights(*rights), voice, notes)


def melody_of(row: Iterable) -> Melody:
    """Return the melody of a row: onsets, durations, pitches and beats as bytes, name of the voice."""
    onset, duration, pitch, beat, voice = row
    return Melody.from_notes(
        np.frombuffer(onset, "<f8"),
        np.frombuffer(duration, "<f4"),
        np.frombuffer(pitch, "<f4"),
        voice=voice,
        beat=None if beat is None else np.frombuffer(beat, "<f8"),
    )
