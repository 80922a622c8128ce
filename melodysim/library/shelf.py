"""What matching asks of a library, and a library of a few melodies in memory.

`Shelf` is the one idea; `melodysim.library.Library` (a file) and `MemoryShelf` are its bodies.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from melodysim.library.index import Index, packed_index
from melodysim.library.store import Reference
from melodysim.melody import Melody


class Shelf(Protocol):
    """References to match with."""

    @property
    def index(self) -> Index:
        """The packed melodies."""

    @property
    def protected(self) -> NDArray[np.bool_]:
        """Whether each reference is in copyright, or not known to be free."""

    @property
    def backgrounds(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """References that make the background of a query: of the free and of the protected ones."""

    @property
    def comparisons(self) -> tuple[int, int]:
        """With how many free and how many protected references a query is compared, for E-values."""

    def references(self, ids: list[str]) -> dict[str, Reference]:
        """Look up what is known of some references, with their notes."""


class MemoryShelf:
    """The melodies of one work, before the background of others.

    Parameters
    ----------
    work : list of Reference
        What is to be matched with; all of it counts as protected.
    background : list of Melody
        Unrelated melodies to measure chance on.
    """

    def __init__(self, work: list[Reference], background: list[Melody]) -> None:
        melodies = [reference.melody for reference in work] + background
        # Ids of the background sort after those of the work and are never shown.
        ids = [reference.entry.id for reference in work]
        ids += [f"\uffff{number}" for number in range(len(background))]
        self._index = packed_index(zip(ids, melodies, strict=True))
        self._work = {reference.entry.id: reference for reference in work}
        self._protected = np.ones(len(melodies), bool)
        others = np.arange(len(work), len(melodies), dtype=np.int64)
        self._backgrounds = (np.zeros(0, np.int64), others)

    @property
    def index(self) -> Index:
        """The packed melodies."""
        return self._index

    @property
    def protected(self) -> NDArray[np.bool_]:
        """All of them."""
        return self._protected

    @property
    def backgrounds(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Nothing, and the unrelated melodies."""
        return self._backgrounds

    @property
    def comparisons(self) -> tuple[int, int]:
        """Nothing free, and one work."""
        return 0, 1

    def references(self, ids: list[str]) -> dict[str, Reference]:
        """Look up melodies of the work."""
        return {identity: self._work[identity] for identity in ids}
