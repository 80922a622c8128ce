"""Records of a library: an entry without notes, and a reference with them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

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
