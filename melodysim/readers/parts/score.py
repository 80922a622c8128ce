"""Parts of a symbolic file, each a set of notes that may sound together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from melodysim.melody import Measures
from melodysim.util.plain_text import printable, printable_or_none


@dataclass(frozen=True, eq=False)
class Part:
    """The notes of one track, staff or voice, in order of onset.

    Attributes
    ----------
    name : str
        As the file names it; empty if it does not.
    onset, duration : ndarray of float64, shape (n,)
        Seconds.
    pitch : ndarray of float64, shape (n,)
        MIDI note numbers.
    beat : ndarray of float64, shape (n,)
        Onsets in quarter notes.
    velocity : ndarray of float64, shape (n,), or None
        How hard each key is struck, 1 to 127, where the file says.
    written : ndarray of intp, shape (n,), or None
        Which voice of the staff each note is written in, from 0; of notation.
    """

    name: str
    onset: NDArray[np.float64]
    duration: NDArray[np.float64]
    pitch: NDArray[np.float64]
    beat: NDArray[np.float64]
    velocity: NDArray[np.float64] | None = None
    written: NDArray[np.intp] | None = None

    def __post_init__(self) -> None:
        """Remove unprintable characters from the name."""
        object.__setattr__(self, "name", printable(self.name))

    def __len__(self) -> int:
        """Return the number of notes."""
        return len(self.pitch)


@dataclass(frozen=True, eq=False)
class Score:
    """All parts of a symbolic file.

    Attributes
    ----------
    parts : tuple of Part
        Those that have notes; drums are left out.
    title, creator : str or None
        As the file names them.
    bar : float or None
        Quarter notes in a bar, for projects, where passages are found by bar.
    remarks : tuple of str
        What was odd about the file, and how it was read.
    measures : Measures or None
        In the order in which they are played, where the file has them.
    """

    parts: tuple[Part, ...]
    title: str | None = None
    creator: str | None = None
    bar: float | None = None
    remarks: tuple[str, ...] = ()
    measures: Measures | None = None

    def __post_init__(self) -> None:
        """Remove unprintable characters from title and creator."""
        for name in ("title", "creator"):
            object.__setattr__(self, name, printable_or_none(getattr(self, name)))

    @property
    def duration(self) -> float:
        """Time at which the last note has ended, in seconds."""
        return max((float((p.onset + p.duration).max()) for p in self.parts), default=0.0)


def joined(parts: tuple[Part, ...], name: str) -> Part:
    """Merge parts into one, in order of onset."""
    columns = [
        np.concatenate([getattr(part, field) for part in parts])
        for field in ("onset", "duration", "pitch", "beat")
    ]
    order = np.argsort(columns[0], kind="stable")
    onset, duration, pitch, beat = (column[order] for column in columns)
    loudness = [part.velocity for part in parts if part.velocity is not None]
    velocity = np.concatenate(loudness)[order] if len(loudness) == len(parts) else None
    return Part(name, onset, duration, pitch, beat, velocity)
