"""Many reference melodies laid end to end, as the kernels read them.

Conventions: melody k is the slice ``start[k]:start[k + 1]`` of every note array. Arrays are
read-only and shared between threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from melodysim.rarity import displacement_surprisal, surprisal, timing_surprisal
from melodysim.sequence import Sequence


@dataclass(frozen=True, eq=False)
class Corpus:
    """Reference melodies for the kernels.

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
    surprisal, timing : ndarray of float32, shape (notes,)
        Bits that each note's pitch and its timing say.
    displacement : ndarray of float32, shape (4, 73)
        Bits that a move over several notes says (`melodysim.rarity`).
    gap : ndarray of float64, shape (notes,)
        Inter-onset interval after each note; after a melody's last note, its median.
    median_gap : ndarray of float64, shape (melodies,)
        Median inter-onset interval of each melody; 1 for a single note.
    """

    start: NDArray[np.int64]
    pitch: NDArray[np.int16]
    time: NDArray[np.float64]
    interval: NDArray[np.int8]
    ratio: NDArray[np.int8]
    surprisal: NDArray[np.float32]
    timing: NDArray[np.float32]
    displacement: NDArray[np.float32]
    gap: NDArray[np.float64]
    median_gap: NDArray[np.float64]

    def __len__(self) -> int:
        """Give the number of melodies."""
        return len(self.start) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Notes of each melody."""
        return np.diff(self.start)


def build_corpus(sequences: list[Sequence]) -> Corpus:
    """Lay melodies end to end and work out how rare their turns are among each other.

    Parameters
    ----------
    sequences : list of Sequence
        Each with at least one note.

    Returns
    -------
    Corpus
    """
    start = np.concatenate([[0], np.cumsum([len(s) for s in sequences])]).astype(np.int64)
    zero = np.zeros(1, np.int8)

    def joined(parts: list[NDArray], dtype: type) -> NDArray:
        return np.concatenate(parts).astype(dtype) if parts else np.zeros(0, dtype)

    return Corpus(
        start=start,
        pitch=joined([s.pitch for s in sequences], np.int16),
        time=joined([s.time for s in sequences], np.float64),
        interval=joined([np.concatenate([s.interval, zero])[: len(s)] for s in sequences], np.int8),
        ratio=joined([np.concatenate([s.ratio, zero])[: len(s)] for s in sequences], np.int8),
        surprisal=joined(surprisal(sequences), np.float32),
        timing=joined(timing_surprisal(sequences), np.float32),
        displacement=displacement_surprisal(sequences),
        gap=joined([_gaps(s.time) for s in sequences], np.float64),
        median_gap=np.array([_gaps(s.time)[-1] for s in sequences], np.float64),
    )


def _gaps(time: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inter-onset intervals, and their median for the last note."""
    gap = np.diff(time)
    return np.append(gap, np.median(gap) if len(gap) else 1.0)


def in_threads(
    work: Callable[[NDArray[np.int64]], NDArray], melodies: NDArray[np.int64], threads: int
) -> NDArray:
    """Run a kernel over melodies in several threads (kernels release the GIL).

    Parameters
    ----------
    work : callable
        Takes melody numbers, gives an array whose first axis goes along with them.
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
    shares = list(_dealt(len(melodies), threads))
    with ThreadPoolExecutor(threads) as pool:
        results = list(pool.map(lambda share: work(melodies[share]), shares))
    whole = np.empty((len(melodies), *results[0].shape[1:]), results[0].dtype)
    for share, result in zip(shares, results, strict=True):
        whole[share] = result
    return whole


def _dealt(count: int, hands: int) -> Iterator[slice]:
    """Deal indices out in turn, so that long melodies spread evenly."""
    for hand in range(hands):
        yield slice(hand, count, hands)
