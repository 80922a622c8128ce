"""What a library says of a reference: an entry, and the entry with its notes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from melodysim.library.rights import Rights
from melodysim.melody import Melody


@dataclass(frozen=True)
class Entry:
    """What the library says of a reference, without its notes.

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
        Part of the source that the melody is.
    notes : int
        Length.
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


def file_of(source: str) -> Path:
    """Give the file of a source; a set's parts are ``file#number``."""
    path = Path(source)
    return path if "#" not in source or path.exists() else Path(source.rsplit("#", 1)[0])
