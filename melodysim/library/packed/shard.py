"""A part of a library, packed for the kernels: melodies in the order of their serial numbers.

A part holds at most `MOST` melodies, so that the memory that a search accesses at random stays in a
processor's cache, and so that several processes or machines can share a library. A part does not depend
on other parts: turns are counted in each part, and the counts are added up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodysim.align.corpus import PackedMelodies, counts_of, lay_melodies, take_melodies
from melodysim.align.first_look import Glimpse, first_look, symbols_of
from melodysim.align.prefilter import Lanes, lay_in_lanes, scan
from melodysim.align.seeds import Seeds, Turns, build_seeds, melodies_with, seed_scores
from melodysim.align.surprisal import Counts, Rarity
from melodysim.intervals import Sequence, normalise
from melodysim.melody import Melody
from melodysim.util.array_files import map_arrays, write_arrays

MOST = 100_000
"""Most melodies of a part; no more than `melodysim.align.seeds` has bits for."""
_SEEDS = ("turn", "begin", "bridged", "posting")


@dataclass(frozen=True, eq=False)
class Shard:
    """A part of a library: its packed melodies.

    Attributes
    ----------
    notes : PackedMelodies
        The melodies.
    serial : ndarray of int64, shape (melodies,)
        Serial number of each melody in the store, increasing.
    first_pitch : ndarray of float32, shape (melodies,)
        MIDI note number of each melody's first note.
    names, name_start : ndarray of uint8, shape (bytes,); ndarray of int64, shape (melodies + 1,)
        Ids in UTF-8, end to end, and where each begins.
    stored : mapping of str to ndarray
        Arrays of the file that the part was mapped from, with lanes, symbols, seeds and counts; else
        empty.
    """

    notes: PackedMelodies
    serial: NDArray[np.int64]
    first_pitch: NDArray[np.float32]
    names: NDArray[np.uint8]
    name_start: NDArray[np.int64]
    stored: Mapping[str, NDArray]

    def __len__(self) -> int:
        """Return the number of melodies."""
        return len(self.serial)

    def name(self, melody: int) -> str:
        """Return the id of a melody."""
        return self.names[self.name_start[melody] : self.name_start[melody + 1]].tobytes().decode()

    def serials(self) -> NDArray[np.int64]:
        """Return the serial number of every melody."""
        return self.serial

    def pitch_of_first(self, melody: int) -> float:
        """Return the MIDI note number of a melody's first note."""
        return float(self.first_pitch[melody])

    def take(self, melodies: NDArray[np.int64]) -> PackedMelodies:
        """Return the notes of some melodies, in the order given."""
        return take_melodies(self.notes, melodies)

    def scan(self, query: Sequence, threads: int) -> NDArray[np.int8]:
        """Score every melody against a query, coarsely (`melodysim.align.prefilter`)."""
        return scan(query, self.lanes, len(self), threads)

    def first_look(self, glimpses: list[Glimpse], threads: int) -> NDArray[np.uint8]:
        """Score every melody roughly against a recording (`melodysim.align.first_look`)."""
        return first_look(self.symbols, self.notes.start, glimpses, threads)

    def seed_scores(self, turns: Turns) -> NDArray[np.float32]:
        """Score every melody by the turns that it shares with a query."""
        return seed_scores(turns, self.seeds)

    def melodies_with(self, interval: NDArray[np.integer]) -> NDArray[np.int64]:
        """Find the melodies in which a turn occurs."""
        return melodies_with(self.seeds, interval)

    @cached_property
    def lanes(self) -> Lanes:
        """The melodies side by side, for the first pass."""
        if "lanes.order" in self.stored:
            return Lanes(**{f.name: self.stored[f"lanes.{f.name}"] for f in fields(Lanes)})
        return lay_in_lanes(self.notes)

    @cached_property
    def symbols(self) -> NDArray[np.uint8]:
        """The melodies' notes in a byte each, for the first look at a recording."""
        return self.stored["symbols"] if "symbols" in self.stored else symbols_of(self.notes)

    @cached_property
    def seeds(self) -> Seeds:
        """Where the melodies' turns occur."""
        if "seeds.turn" in self.stored:
            turn, begin, bridged, posting = (self.stored[f"seeds.{name}"] for name in _SEEDS)
            return Seeds(turn, begin, bridged, posting, len(self))
        return build_seeds(self.notes)

    @cached_property
    def counts(self) -> Counts:
        """How often turns occur in the melodies."""
        if "counts.displacement" in self.stored:
            return Counts(*unpacked_tables("counts", self.stored))
        return counts_of(self.notes)


def pack_shard(melodies: Iterable[tuple[int, str, Melody]]) -> Shard:
    """Pack melodies, each with its serial number and its id, into a part."""
    serials, names, sequences, first = [], [], [], []
    for serial, identity, melody in melodies:
        serials.append(serial)
        names.append(identity.encode())
        sequences.append(normalise(melody))
        first.append(melody.pitch[0] if len(melody) else 0)
    starts = np.concatenate([[0], np.cumsum([len(name) for name in names])])
    return Shard(
        lay_melodies(sequences),
        np.array(serials, np.int64),
        np.array(first, np.float32),
        np.frombuffer(b"".join(names), np.uint8),
        starts.astype(np.int64),
        {},
    )


def packed_tables(name: str, tables: Counts | Rarity) -> dict[str, NDArray]:
    """Return the tables of n-grams as arrays of a file, under a name."""
    kinds: dict[str, tuple[NDArray, ...]] = {"pitch": tables.pitch, "timing": tables.timing}
    arrays = {f"{name}.{kind}{k}": t for kind, some in kinds.items() for k, t in enumerate(some)}
    return arrays | {f"{name}.displacement": tables.displacement}


def unpacked_tables(name: str, arrays: Mapping[str, NDArray]) -> tuple[Any, Any, NDArray]:
    """Return the tables that `packed_tables` made arrays of: by pitch, by timing, displacement."""
    pitch, timing = (
        tuple(arrays[f"{name}.{kind}{k}"] for k in range(3)) for kind in ("pitch", "timing")
    )
    return pitch, timing, arrays[f"{name}.displacement"]


def write_shard(path: Path, shard: Shard) -> None:
    """Write a part to a file, with its lanes, symbols, seeds and counts."""
    arrays = {f"notes.{f.name}": getattr(shard.notes, f.name) for f in fields(PackedMelodies)}
    arrays |= {f"lanes.{f.name}": getattr(shard.lanes, f.name) for f in fields(Lanes)}
    arrays |= {f"seeds.{k}": getattr(shard.seeds, k) for k in _SEEDS}
    arrays |= packed_tables("counts", shard.counts)
    for name in ("symbols", "serial", "first_pitch", "names", "name_start"):
        arrays[name] = getattr(shard, name)
    write_arrays(path, arrays)


def open_shard(path: Path) -> Shard:
    """Map a part's file into memory.

    Raises
    ------
    OSError, ValueError, KeyError
        If it is not there, or not a part.
    """
    arrays, _ = map_arrays(path)
    return Shard(
        PackedMelodies(**{f.name: arrays[f"notes.{f.name}"] for f in fields(PackedMelodies)}),
        arrays["serial"],
        arrays["first_pitch"],
        arrays["names"],
        arrays["name_start"],
        arrays,
    )
