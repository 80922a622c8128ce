"""A snapshot of a library that a search reads: its references, and what chance does among them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from melodysim.align.corpus import Corpus, corpus_of, lay_melodies
from melodysim.intervals import normalise
from melodysim.library.chance import Chance, typical_chance
from melodysim.library.entries import Reference
from melodysim.library.packed.index import Index, packed_index
from melodysim.melody import Melody

NOTHING = np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Shelf:
    """References to match with; safe to share between threads.

    Attributes
    ----------
    index : Index
        The packed melodies.
    protected : ndarray of bool, shape (references,)
        Whether each reference is in copyright, or not known to be free.
    backgrounds : (ndarray of int64, ndarray of int64)
        Background of a query among the free references, and among the protected ones. Two,
        because protected references are mostly of the query's own time and style, and score higher by
        chance than folk tunes do.
    comparisons : (int, int)
        Number of free and of protected references that a query is compared with, for E-values. Two,
        because whether a query follows a protected work does not depend on how many folk tunes the
        library holds.
    look_up : callable
        Loads references by their ids, with rights as they stand today.
    chances : (Chance, Chance)
        What chance does among the free and among the protected works.
    recordings : ndarray of int64
        Protected references that are recordings, of which the library keeps what was heard.
    """

    index: Index
    protected: NDArray[np.bool_]
    backgrounds: tuple[NDArray[np.int64], NDArray[np.int64]]
    comparisons: tuple[int, int]
    look_up: Callable[[list[str]], dict[str, Reference]]
    chances: tuple[Chance, Chance]
    recordings: NDArray[np.int64] = field(default_factory=lambda: NOTHING)

    def __len__(self) -> int:
        """Return the number of references."""
        return len(self.index)


@dataclass(frozen=True, eq=False)
class Unrelated:
    """Melodies that are unrelated to what is compared, to measure chance on.

    Attributes
    ----------
    melodies : list of Melody
    shelf : Shelf
        The same, packed.
    """

    melodies: list[Melody]
    shelf: Shelf

    @classmethod
    def of(cls, melodies: list[Melody]) -> Unrelated:
        """Pack melodies."""
        return cls(melodies, shelf_of_work([], melodies))

    @cached_property
    def marks(self) -> frozenset[str]:
        """A mark of each melody: the beginning of the SHA-256 of its notes."""
        return frozenset(
            hashlib.sha256(m.onset.tobytes() + m.duration.tobytes() + m.pitch.tobytes()).hexdigest()[:8]
            for m in self.melodies
        )

    def corpus(self, melodies: list[Melody]) -> Corpus:
        """Lay other melodies out, to be aligned; what is rare is what is rare among the unrelated."""
        return corpus_of(lay_melodies([normalise(m) for m in melodies]), self.shelf.index.rarity)


def shelf_of_work(work: list[Reference], background: list[Melody]) -> Shelf:
    """Put the melodies of one work on a shelf as its first references, others as background.

    Parameters
    ----------
    work : list of Reference
        Melodies of the work; all count as protected.
    background : list of Melody
        Unrelated melodies to measure chance on.
    """
    melodies = [reference.melody for reference in work] + background
    # Ids of the background sort after those of the work and are never shown.
    ids = [reference.entry.id for reference in work]
    ids += [f"\uffff{number}" for number in range(len(background))]
    known = {reference.entry.id: reference for reference in work}
    others = np.arange(len(work), len(melodies), dtype=np.int64)
    return Shelf(
        packed_index(zip(ids, melodies, strict=True)),
        np.ones(len(melodies), bool),
        (NOTHING, others),
        (0, 1),
        lambda names: {name: known[name] for name in names},
        (typical_chance(1), typical_chance(1)),
    )
