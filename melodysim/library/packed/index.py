"""The index of a library: the references of all its parts, under one numbering.

References are numbered in the order of their ids, whatever part holds them and whenever they were
added, and turns are counted over all parts. So a score, an E-value or a rank does not depend on how a
library is divided.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from melodysim.align.corpus import (
    Corpus,
    PackedMelodies,
    corpus_of,
    counts_of,
    join_melodies,
    take_melodies,
)
from melodysim.align.first_look import Glimpse
from melodysim.align.prefilter import lay_in_lanes, scan
from melodysim.align.seeds import turns_of
from melodysim.align.surprisal import Rarity, rarity_of, total_counts
from melodysim.intervals import Sequence as NoteSequence
from melodysim.library.packed.shard import Shard, pack_shard
from melodysim.melody import Melody

if TYPE_CHECKING:
    from melodysim.library.packed.remote_shards import RemoteShard

EXHAUSTIVE = 2_000_000
"""Up to so many references, the first pass scores all; above, it scores those that seeds choose. Of a
million two cores score all in 0.38 s, where seeds take 0.16 s and lose an eighth of the passages with
20 % of their notes changed (docs/research/performance.md)."""
SEEDED = 10_000
"""References that seeds choose for the first pass: so many of all, so many of the protected ones."""
SAMPLE = 300
"""Most references in each background of a query."""

Answer = TypeVar("Answer")
Number = TypeVar("Number", np.int8, np.uint8, np.float32)


@dataclass(frozen=True, eq=False)
class Order:
    """The numbering of a library's references, and where each is stored.

    Attributes
    ----------
    shard, local : ndarray of int32, shape (references,)
        Part that holds each reference, and its position among that part's melodies.
    length : ndarray of int32, shape (references,)
        Number of notes of each reference.
    key : ndarray of uint32, shape (references,)
        CRC of the id: a random order that is the same everywhere.
    rarity : Rarity
        Surprisal of turns under the library's model.
    """

    shard: NDArray[np.int32]
    local: NDArray[np.int32]
    length: NDArray[np.int32]
    key: NDArray[np.uint32]
    rarity: Rarity


def order_shards(shards: Sequence[Shard], live: NDArray[np.int64] | None = None) -> Order:
    """Assign numbers to the references of some parts, in the order of their ids.

    Parameters
    ----------
    shards : sequence of Shard
    live : ndarray of int64, optional
        Serial numbers of the melodies still in the library, increasing; by default all.
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
    parts : sequence of Shard or RemoteShard
    order : Order
        Numbering of their references.
    exhaustive : int, optional
        Up to so many references, the first pass scores all.
    at_once : int, optional
        Parts that are called at the same time: all of them where they are on other machines. 0 for as
        many as a call has threads.

    Attributes
    ----------
    everything : bool
        Whether a recording is to be listened to in full for every reference, however many there are.
    """

    def __init__(
        self,
        parts: Sequence[Shard | RemoteShard],
        order: Order,
        exhaustive: int = EXHAUSTIVE,
        at_once: int = 0,
    ) -> None:
        self.parts = tuple(parts)
        self.order = order
        self.exhaustive = exhaustive
        self.everything = False
        self._at_once = at_once

    def __len__(self) -> int:
        """Return the number of references."""
        return len(self.order.shard)

    @property
    def lengths(self) -> NDArray[np.int32]:
        """Number of notes of each reference."""
        return self.order.length

    @property
    def rarity(self) -> Rarity:
        """Surprisal of turns under the library's model."""
        return self.order.rarity

    @property
    def seeded(self) -> bool:
        """Whether seeds choose the references that the first pass scores."""
        return len(self) > self.exhaustive

    def name(self, reference: int) -> str:
        """Return the id of a reference."""
        return self.parts[self.order.shard[reference]].name(int(self.order.local[reference]))

    @cached_property
    def names(self) -> list[str]:
        """Ids of all references, in increasing order."""
        return [self.name(k) for k in range(len(self))]

    @cached_property
    def serials(self) -> NDArray[np.int64]:
        """Serial number in the store of every reference."""
        serials = np.zeros(len(self), np.int64)
        for number, part in zip(self._numbers, self.parts, strict=True):
            serials[number[number >= 0]] = part.serials()[number >= 0]
        return serials

    def first_pitch(self, reference: int) -> float:
        """Return the MIDI note number of a reference's first note."""
        part = self.parts[self.order.shard[reference]]
        return part.pitch_of_first(int(self.order.local[reference]))

    @cached_property
    def _numbers(self) -> list[NDArray[np.int32]]:
        """For each part, the reference number of each melody; -1 where it has been removed."""
        numbers = [np.full(len(part), -1, np.int32) for part in self.parts]
        for number, reference in enumerate(numbers):
            mine = np.flatnonzero(self.order.shard == number)
            reference[self.order.local[mine]] = mine
        return numbers

    def _ask(self, question: Callable[[Shard | RemoteShard], Answer], threads: int) -> list[Answer]:
        """Call a function with every part, and return the results in the order of the parts."""
        at_once = min(self._at_once or threads, len(self.parts))
        if at_once <= 1:
            return [question(part) for part in self.parts]
        with ThreadPoolExecutor(at_once) as pool:
            return list(pool.map(question, self.parts))

    def _gathered(self, answers: list[NDArray[Number]], dtype: type[Number]) -> NDArray[Number]:
        """Put the values that parts returned for their melodies into the order of the references."""
        whole = np.zeros(len(self), dtype)
        for number, answer in zip(self._numbers, answers, strict=True):
            whole[number[number >= 0]] = answer[number >= 0]
        return whole

    def notes(self, references: NDArray[np.int64]) -> PackedMelodies:
        """Gather the notes of some references, in the order given."""
        of = self.order.shard[references]
        local = self.order.local[references].astype(np.int64)
        used = np.unique(of)
        if not len(used):
            return _no_melodies()
        if len(used) == 1:
            return self.parts[used[0]].take(local)
        places = {part: local[of == k] for k, part in enumerate(self.parts)}
        found = self._ask(lambda part: part.take(places[part]) if len(places[part]) else None, 1)
        back = np.empty(len(references), np.int64)
        back[np.argsort(of, kind="stable")] = np.arange(len(references))
        return take_melodies(join_melodies([some for some in found if some is not None]), back)

    def corpus(self, references: NDArray[np.int64]) -> Corpus:
        """Gather some references for the kernels, in the order given."""
        return corpus_of(self.notes(references), self.rarity)

    @cached_property
    def whole(self) -> Corpus:
        """All references for the kernels; for libraries of some thousands."""
        return self.corpus(np.arange(len(self)))

    def scan(
        self, query: NoteSequence, protected: NDArray[np.bool_], threads: int = 1
    ) -> NDArray[np.int8]:
        """Score every reference against a query, coarsely (first pass).

        Parameters
        ----------
        query : Sequence
        protected : ndarray of bool, shape (references,)
            Which references seeds choose from once more, so that free ones do not crowd them out.

        Returns
        -------
        ndarray of int8, shape (references,)
            As `melodysim.align.prefilter.scan`; 0 for those that seeds did not choose.
        """
        if len(query) < 2:
            return np.zeros(len(self), np.int8)
        if self.seeded:
            chosen = self._chosen(query, protected, threads)
            notes = self.notes(chosen)
            scores = np.zeros(len(self), np.int8)
            scores[chosen] = scan(query, lay_in_lanes(notes), len(notes), threads)
            return scores
        # Scanning a part uses all threads: one part after the other, unless they are on other machines.
        return self._gathered(self._ask(lambda part: part.scan(query, threads), 1), np.int8)

    def first_look(self, glimpses: list[Glimpse], threads: int = 1) -> NDArray[np.uint8]:
        """Score every reference roughly against a recording.

        Parameters
        ----------
        glimpses : list of Glimpse
        threads : int, optional

        Returns
        -------
        ndarray of uint8, shape (references,)
            As `melodysim.align.first_look.first_look`.
        """
        found = self._ask(lambda part: part.first_look(glimpses, threads), 1)
        return self._gathered(found, np.uint8)

    def _chosen(
        self, query: NoteSequence, protected: NDArray[np.bool_], threads: int
    ) -> NDArray[np.int64]:
        """Choose the references that share turns with a query."""
        turns = turns_of(query, self.rarity)
        found = self._ask(lambda part: part.seed_scores(turns), threads)
        bits = self._gathered(found, np.float32)
        bound = np.flatnonzero(protected)
        return np.union1d(_highest(bits, SEEDED), bound[_highest(bits[bound], SEEDED)])

    def melodies_with(self, interval: NDArray[np.integer]) -> int:
        """Count the references in which a turn of `melodysim.align.seeds.SEED` intervals occurs."""
        found = self._ask(lambda part: part.melodies_with(interval), 1)
        return sum(
            int((number[some] >= 0).sum()) for number, some in zip(self._numbers, found, strict=True)
        )


def _no_melodies() -> PackedMelodies:
    return pack_shard([]).notes


def _highest(bits: NDArray[np.float32], wanted: int) -> NDArray[np.int64]:
    """Return the positions of the highest values above 0; of equal ones, the first."""
    if len(bits) > wanted:
        least = np.partition(bits, len(bits) - wanted)[len(bits) - wanted]
        above = np.flatnonzero(bits > least)
        level = np.flatnonzero(bits == least)[: wanted - len(above)] if least > 0 else above[:0]
        return np.union1d(above, level)
    return np.flatnonzero(bits > 0)


def packed_index(melodies: Iterable[tuple[str, Melody]]) -> Index:
    """Build an index in memory of melodies, each with its id."""
    shard = pack_shard((serial, *melody) for serial, melody in enumerate(melodies))
    return Index([shard], order_shards([shard]))


def sample_references(
    keys: NDArray[np.uint32], among: NDArray[np.bool_], size: int = SAMPLE
) -> NDArray[np.int64]:
    """Choose references for a background, the same ones in whatever order they come.

    Parameters
    ----------
    keys : ndarray of uint32, shape (references,)
        Random but fixed key of each reference (`Order.key`).
    among : ndarray of bool, shape (references,)
        Which of them to choose from.
    size : int, optional
        How many at most.

    Returns
    -------
    ndarray of int64
        Positions in `keys`, increasing.
    """
    eligible = np.flatnonzero(among)
    if len(eligible) > size:
        # Equal keys are rare; of those at the border, the first are taken.
        border = np.partition(keys[eligible], size - 1)[size - 1]
        near = eligible[keys[eligible] <= border]
        eligible = near[np.argsort(keys[near], kind="stable")[:size]]
    return np.sort(eligible).astype(np.int64)
