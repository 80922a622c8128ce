"""Many reference melodies laid end to end, as the kernels read them.

Conventions: melody k is the slice ``start[k]:start[k + 1]`` of every note array. Arrays are
read-only and shared between threads.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from melodysim.align.repetition import freshness
from melodysim.align.surprisal import (
    FURTHEST,
    Counts,
    Rarity,
    count_turns,
    own_surprisals,
    surprisal,
    timing_surprisal,
)
from melodysim.intervals import Sequence


@dataclass(frozen=True, eq=False)
class PackedMelodies:
    """Melodies end to end, with what can be computed from them alone.

    Attributes
    ----------
    start : ndarray of int64, shape (melodies + 1,)
        Where each melody begins in the note arrays.
    pitch : ndarray of int16, shape (notes,)
        Semitones above the melody's first note.
    time : ndarray of float64, shape (notes,)
        Onsets.
    interval, ratio : ndarray of int8, shape (notes,)
        As in `Sequence`, with one 0 added at the end of each melody.
    own : ndarray of float32, shape (notes,)
        Surprisal of each note in its own melody, in bits (`melodysim.align.surprisal.own_surprisals`).
    fresh : ndarray of float32, shape (notes,)
        How new each note is in its own melody, 0..1 (`melodysim.align.repetition.freshness`).
    median_gap : ndarray of float64, shape (melodies,)
        Median inter-onset interval of each melody; 1 for a single note.
    """

    start: NDArray[np.int64]
    pitch: NDArray[np.int16]
    time: NDArray[np.float64]
    interval: NDArray[np.int8]
    ratio: NDArray[np.int8]
    own: NDArray[np.float32]
    fresh: NDArray[np.float32]
    median_gap: NDArray[np.float64]

    def __len__(self) -> int:
        """Return the number of melodies."""
        return len(self.start) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of notes of each melody."""
        return np.diff(self.start)


_NOTE_FIELDS = ("pitch", "time", "interval", "ratio", "own", "fresh")
"""The fields of `PackedMelodies` with an entry a note."""


@dataclass(frozen=True, eq=False)
class Corpus(PackedMelodies):
    """Reference melodies for the kernels, with the surprisal model of their library.

    Attributes
    ----------
    rarity : Rarity
        Surprisal model of the library.
    """

    rarity: Rarity

    @cached_property
    def surprisal(self) -> NDArray[np.float32]:
        """Surprisal of each note's pitch in bits: [notes]."""
        return surprisal(self.rarity, self.interval, self.start, self.own)

    @cached_property
    def timing(self) -> NDArray[np.float32]:
        """Surprisal of each note's timing in bits: [notes]."""
        return timing_surprisal(self.rarity, self.ratio, self.start)

    @cached_property
    def log_gap(self) -> NDArray[np.float32]:
        """log2 of the time from note j - a to note j, at [a, j]; 0 where there is no such note."""
        return log_gaps(self.time, self.start)

    @cached_property
    def gap(self) -> NDArray[np.float64]:
        """Inter-onset interval after each note; after a melody's last note, its median."""
        return gaps_of(self)


def gaps_of(notes: PackedMelodies) -> NDArray[np.float64]:
    """Return the inter-onset interval after each note; after a melody's last note, its median."""
    gap = np.diff(notes.time, append=0.0)
    gap[notes.start[1:] - 1] = notes.median_gap
    return gap


def log_gaps(time: NDArray[np.float64], start: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the log2 time between notes that are 1 to `FURTHEST` notes apart.

    Parameters
    ----------
    time : ndarray of float64, shape (notes,)
        Onsets of melodies end to end.
    start : ndarray of int64, shape (melodies + 1,)
        Where each begins.

    Returns
    -------
    ndarray of float32, shape (FURTHEST + 1, notes)
        log2 of the time from note j - a to note j, at [a, j]; 0 where there is no such note.
    """
    out = np.zeros((FURTHEST + 1, len(time)), np.float32)
    for a in range(1, min(FURTHEST + 1, len(time))):
        apart = time[a:] - time[:-a]
        # Pairs that cross from one melody into the next get log2(1) = 0.
        for back in range(a):
            inner = start[1:-1] + back - a
            apart[inner[(inner >= 0) & (inner < len(apart))]] = 1.0
        out[a, a:] = np.log2(apart)
    return out


def lay_melodies(sequences: list[Sequence]) -> PackedMelodies:
    """Lay melodies end to end.

    Parameters
    ----------
    sequences : list of Sequence
        Each with at least one note.
    """
    start = np.concatenate([[0], np.cumsum([len(s) for s in sequences])]).astype(np.int64)
    zero = np.zeros(1, np.int8)

    def joined(parts: list[NDArray], dtype: type) -> NDArray:
        return np.concatenate(parts).astype(dtype) if parts else np.zeros(0, dtype)

    interval = joined([np.concatenate([s.interval, zero])[: len(s)] for s in sequences], np.int8)
    return PackedMelodies(
        start=start,
        pitch=joined([s.pitch for s in sequences], np.int16),
        time=joined([s.time for s in sequences], np.float64),
        interval=interval,
        ratio=joined([np.concatenate([s.ratio, zero])[: len(s)] for s in sequences], np.int8),
        own=own_surprisals(interval, start),
        fresh=freshness(interval, start),
        median_gap=np.array([_median_gap(s.time) for s in sequences], np.float64),
    )


def take_melodies(notes: PackedMelodies, melodies: NDArray[np.int64]) -> PackedMelodies:
    """Copy some melodies out, in the order asked for.

    Parameters
    ----------
    notes : PackedMelodies
    melodies : ndarray of int64, shape (n,)
        Which, in the order wanted.
    """
    if len(melodies) == len(notes) and np.array_equal(melodies, np.arange(len(notes))):
        return notes
    lengths = notes.start[melodies + 1] - notes.start[melodies]
    start = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    where = np.arange(start[-1]) + np.repeat(notes.start[melodies] - start[:-1], lengths)
    fields = {name: getattr(notes, name)[where] for name in _NOTE_FIELDS}
    return PackedMelodies(start=start, **fields, median_gap=notes.median_gap[melodies])


def join_melodies(parts: list[PackedMelodies]) -> PackedMelodies:
    """Concatenate sets of packed melodies."""
    if len(parts) == 1:
        return parts[0]
    start = np.cumsum(np.concatenate([[0], *(part.lengths for part in parts)])).astype(np.int64)
    names = (*_NOTE_FIELDS, "median_gap")
    fields = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return PackedMelodies(start=start, **fields)


def corpus_of(notes: PackedMelodies, rarity: Rarity) -> Corpus:
    """Combine packed melodies with the surprisal model of a library."""
    return Corpus(
        **{name: getattr(notes, name) for name in PackedMelodies.__dataclass_fields__}, rarity=rarity
    )


def counts_of(notes: PackedMelodies) -> Counts:
    """Count the n-grams of packed melodies."""
    return count_turns(notes.interval, notes.ratio, notes.pitch, notes.start)


def _median_gap(time: NDArray[np.float64]) -> float:
    return float(np.median(np.diff(time))) if len(time) > 1 else 1.0


def in_threads(
    work: Callable[[NDArray[np.int64]], NDArray], melodies: NDArray[np.int64], threads: int
) -> NDArray:
    """Run a kernel over melodies in several threads (kernels release the GIL).

    Parameters
    ----------
    work : callable
        Takes melody numbers; returns an array with one row for each.
    melodies : ndarray of int64, shape (n,)
        Melody numbers, in any order.
    threads : int
        1 or more.

    Returns
    -------
    ndarray, shape (n, ...)
        In the order of `melodies`; the same whatever the number of threads.
    """
    if threads <= 1 or len(melodies) < 64:
        return work(melodies)
    # Dealt out in turn, so that long melodies spread evenly.
    shares = [slice(hand, len(melodies), threads) for hand in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        results = list(pool.map(lambda share: work(melodies[share]), shares))
    whole = np.empty((len(melodies), *results[0].shape[1:]), results[0].dtype)
    for share, result in zip(shares, results, strict=True):
        whole[share] = result
    return whole
