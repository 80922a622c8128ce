"""All references of a library as matching sees them: its parts, numbered through.

References are numbered in the order of their ids, whatever part each is in and whenever it came, and
what melodies say is counted over all parts. So a score, an E-value or a rank does not depend on how a
library is divided.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from melodysim.align.corpus import Corpus, Melodies, corpus_of, counts_of, join_melodies, take_melodies
from melodysim.align.scan import lay_in_lanes, scan
from melodysim.align.seeds import melodies_with, seed_scores, turns_of
from melodysim.library.shard import Shard, pack_shard
from melodysim.melody import Melody
from melodysim.rarity import Rarity, rarity_of, total_counts
from melodysim.sequence import Sequence as NoteSequence

EXHAUSTIVE = 100_000
"""References up to which the first pass leaves none out; above, seeds choose whom it scores."""
SEEDED = 10_000
"""References that seeds hand to the first pass, of all and again of the protected ones."""


@dataclass(frozen=True, eq=False)
class Order:
    """Where the references are.

    Attributes
    ----------
    shard, local : ndarray of int32, shape (references,)
        Part, and melody in it, of each reference.
    length : ndarray of int32, shape (references,)
        Melodies.
    key : ndarray of uint32, shape (references,)
        CRC of the id: a random order that is the same everywhere.
    rarity : Rarity
        The model of the library.
    """

    shard: NDArray[np.int32]
    local: NDArray[np.int32]
    length: NDArray[np.int32]
    key: NDArray[np.uint32]
    rarity: Rarity


def order_shards(shards: Sequence[Shard], live: NDArray[np.int64] | None = None) -> Order:
    """Give numbers to the references of some parts.

    Parameters
    ----------
    shards : sequence of Shard
    live : ndarray of int64, optional
        Serials of the melodies that still count, increasing; by default all.

    Returns
    -------
    Order
    """
    found: list[tuple[str, int, int]] = []
    counts = []
    for number, shard in enumerate(shards):
        kept = np.arange(len(shard)) if live is None else np.flatnonzero(np.isin(shard.serial, live))
        counts.append(
            shard.counts if len(kept) == len(shard) else counts_of(take_melodies(shard.notes, kept))
        )
        text = shard.names.tobytes()
        bounds = shard.name_start.tolist()
        found += [(text[bounds[k] : bounds[k + 1]].decode(), number, k) for k in kept.tolist()]
    found.sort()
    lengths = [shard.notes.lengths.tolist() for shard in shards]
    return Order(
        np.array([number for _, number, _ in found], np.int32),
        np.array([k for _, _, k in found], np.int32),
        np.array([lengths[number][k] for _, number, k in found], np.int32),
        np.array([zlib.crc32(identity.encode()) for identity, _, _ in found], np.uint32),
        rarity_of(total_counts(counts)),
    )


class Index:
    """The packed references of a library; safe to share between threads.

    Parameters
    ----------
    shards : sequence of Shard
    order : Order
        Of their references.
    """

    def __init__(self, shards: Sequence[Shard], order: Order) -> None:
        self.shards = tuple(shards)
        self.order = order

    def __len__(self) -> int:
        """Give the number of references."""
        return len(self.order.shard)

    @property
    def lengths(self) -> NDArray[np.int32]:
        """Melodies of each reference."""
        return self.order.length

    @property
    def rarity(self) -> Rarity:
        """What turns say in this library."""
        return self.order.rarity

    def name(self, reference: int) -> str:
        """Give the id of a reference."""
        return self.shards[self.order.shard[reference]].name(int(self.order.local[reference]))

    @cached_property
    def names(self) -> list[str]:
        """Ids of all references, in increasing order."""
        return [self.name(k) for k in range(len(self))]

    @cached_property
    def serials(self) -> NDArray[np.int64]:
        """Serial number in the store of every reference."""
        serials = np.zeros(len(self), np.int64)
        for number, shard in zip(self._numbers, self.shards, strict=True):
            serials[number[number >= 0]] = shard.serial[number >= 0]
        return serials

    def first_pitch(self, reference: int) -> float:
        """Give the MIDI note number of a reference's first note."""
        shard = self.shards[self.order.shard[reference]]
        return float(shard.first_pitch[self.order.local[reference]])

    @cached_property
    def _numbers(self) -> list[NDArray[np.int32]]:
        """Reference of each melody of each part; -1 for those that no longer count."""
        numbers = [np.full(len(shard), -1, np.int32) for shard in self.shards]
        for number, reference in enumerate(numbers):
            mine = np.flatnonzero(self.order.shard == number)
            reference[self.order.local[mine]] = mine
        return numbers

    def notes(self, references: NDArray[np.int64]) -> Melodies:
        """Gather the notes of some references, in the order given."""
        of = self.order.shard[references]
        local = self.order.local[references].astype(np.int64)
        used = np.unique(of)
        if len(used) == 1:
            return take_melodies(self.shards[used[0]].notes, local)
        if not len(used):
            return _no_melodies()
        parts = [take_melodies(self.shards[k].notes, local[of == k]) for k in used]
        back = np.empty(len(references), np.int64)
        back[np.argsort(of, kind="stable")] = np.arange(len(references))
        return take_melodies(join_melodies(parts), back)

    def corpus(self, references: NDArray[np.int64]) -> Corpus:
        """Gather some references for the kernels, in the order given."""
        return corpus_of(self.notes(references), self.rarity)

    @cached_property
    def whole(self) -> Corpus:
        """All references for the kernels; for libraries of some thousands."""
        return self.corpus(np.arange(len(self)))

    def scan(
        self,
        query: NoteSequence,
        protected: NDArray[np.bool_],
        threads: int = 1,
        *,
        seeded: bool | None = None,
    ) -> NDArray[np.int8]:
        """Score a query against the references, coarsely (first pass).

        Parameters
        ----------
        query : Sequence
        protected : ndarray of bool, shape (references,)
            Which references must not be crowded out by the others where seeds choose.
        threads : int, optional
            Threads to use; the result does not depend on it.
        seeded : bool, optional
            Whether seeds choose whom to score; by default from `EXHAUSTIVE` references on.

        Returns
        -------
        ndarray of int8, shape (references,)
            As `melodysim.align.scan.scan`; 0 for those that were not scored.
        """
        scores = np.zeros(len(self), np.int8)
        if len(query) < 2:
            return scores
        if len(self) > EXHAUSTIVE if seeded is None else seeded:
            chosen = self._seeded(query, protected, threads)
            notes = self.notes(chosen)
            scores[chosen] = scan(query, lay_in_lanes(notes), len(notes), threads)
            return scores
        for number, shard in zip(self._numbers, self.shards, strict=True):
            counts = number >= 0
            scores[number[counts]] = scan(query, shard.lanes, len(shard), threads)[counts]
        return scores

    def _seeded(
        self, query: NoteSequence, protected: NDArray[np.bool_], threads: int
    ) -> NDArray[np.int64]:
        """Choose the references that share turns with a query."""
        bits = np.zeros(len(self), np.float32)
        turns = turns_of(query, self.rarity)
        with ThreadPoolExecutor(threads) as pool:
            found = pool.map(lambda shard: seed_scores(turns, shard.seeds), self.shards)
            for number, scores in zip(self._numbers, found, strict=True):
                bits[number[number >= 0]] = scores[number >= 0]
        of_all = _highest(bits, SEEDED)
        bound = np.flatnonzero(protected)
        return np.union1d(of_all, bound[_highest(bits[bound], SEEDED)])

    def melodies_with(self, interval: NDArray[np.integer]) -> int:
        """Count the references in which a turn of `melodysim.align.seeds.SEED` intervals occurs."""
        return sum(
            int((number[melodies_with(shard.seeds, interval)] >= 0).sum())
            for number, shard in zip(self._numbers, self.shards, strict=True)
        )


def _no_melodies() -> Melodies:
    return pack_shard([]).notes


def _highest(bits: NDArray[np.float32], wanted: int) -> NDArray[np.int64]:
    """Find the highest values above 0; of equal ones the first."""
    if len(bits) > wanted:
        least = np.partition(bits, len(bits) - wanted)[len(bits) - wanted]
        above = np.flatnonzero(bits > least)
        level = np.flatnonzero(bits == least)[: wanted - len(above)] if least > 0 else above[:0]
        return np.union1d(above, level)
    return np.flatnonzero(bits > 0)


def packed_index(melodies: Iterable[tuple[str, Melody]]) -> Index:
    """Pack melodies, each with its id, in memory."""
    shard = pack_shard((serial, *melody) for serial, melody in enumerate(melodies))
    return Index([shard], order_shards([shard]))
