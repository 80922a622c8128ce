"""Melodies with the statistics of real ones, as many as wanted.

An order-3 model of intervals and one of ratios of inter-onset intervals, fitted on the likeliest melody
of each file of a folder and mixed with lower orders (Witten & Bell 1991), so that they share turns as
real melodies do. Used by the benchmarks that need more melodies than there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from melodysim.intervals import MAX_INTERVAL, MAX_RATIO, RATIO_STEPS, normalise
from melodysim.melody import Melody
from melodysim.readers.read import read

ORDER = 3
LENGTHS = (24, 120)
"""Notes, uniformly."""
RANGE = (48, 84)
"""MIDI note numbers; an interval that would leave it goes the other way."""


class Model:
    """What follows what in the melodies of a folder of MIDI files."""

    def __init__(self, songs: Path) -> None:
        sequences = [normalise(read(path).melodies[0]) for path in sorted(songs.glob("*.mid"))]
        self.interval = _cumulative([s.interval for s in sequences], MAX_INTERVAL)
        self.ratio = _cumulative([s.ratio[1:] for s in sequences], MAX_RATIO)

    def melodies(self, count: int, seed: int = 0, batch: int = 20_000) -> Iterator[Melody]:
        """Make melodies, a batch at a time."""
        rng = np.random.default_rng(seed)
        for first in range(0, count, batch):
            some = min(batch, count - first)
            length = rng.integers(*LENGTHS, some, endpoint=True)
            interval = _sampled(self.interval, MAX_INTERVAL, some, LENGTHS[1], rng)
            ratio = _sampled(self.ratio, MAX_RATIO, some, LENGTHS[1], rng)
            pitch = np.empty((some, LENGTHS[1]), np.int64)
            pitch[:, 0] = rng.integers(57, 70, some)
            for k in range(1, LENGTHS[1]):
                step = interval[:, k]
                beyond = (pitch[:, k - 1] + step < RANGE[0]) | (pitch[:, k - 1] + step > RANGE[1])
                pitch[:, k] = pitch[:, k - 1] + np.where(beyond, -step, step)
            # The logarithm of a duration is a sum of ratios, kept between a 16th and a whole note.
            level = np.empty((some, LENGTHS[1]), np.int64)
            level[:, 0] = 0
            for k in range(1, LENGTHS[1]):
                level[:, k] = np.clip(level[:, k - 1] + ratio[:, k], -2 * RATIO_STEPS, 2 * RATIO_STEPS)
            duration = 0.5 * 2.0 ** (level / RATIO_STEPS)
            onset = np.cumsum(duration, axis=1) - duration
            for k in range(some):
                n = length[k]
                yield Melody.from_notes(onset[k, :n], duration[k, :n], pitch[k, :n])


def _cumulative(texts: list[np.ndarray], most: int) -> np.ndarray:
    """Distribution of each symbol after every three others, summed up: [contexts, symbols]."""
    symbols = 2 * most + 1
    probability = np.full((1, symbols), 1 / symbols)
    for order in range(ORDER + 1):
        counts = np.zeros((symbols**order, symbols))
        for text in texts:
            text = text.astype(np.int64) + most
            code = np.zeros(max(len(text) - order, 0), np.int64)
            for k in range(order):
                code = code * symbols + text[k : k + len(code)]
            np.add.at(counts, (code, text[order:]), 1)
        kinds = np.maximum(np.count_nonzero(counts, axis=1, keepdims=True), 1)
        shorter = np.tile(probability, (symbols if order else 1, 1))
        probability = (counts + kinds * shorter) / (counts.sum(axis=1, keepdims=True) + kinds)
    return np.cumsum(probability, axis=1, dtype=np.float64).astype(np.float32)


def _sampled(
    cumulative: np.ndarray, most: int, rows: int, columns: int, rng: np.random.Generator
) -> np.ndarray:
    symbols = 2 * most + 1
    context = np.full(rows, (most * symbols + most) * symbols + most)
    out = np.empty((rows, columns), np.int64)
    for k in range(columns):
        chosen = (cumulative[context] < rng.random((rows, 1), dtype=np.float32)).sum(axis=1)
        chosen = np.minimum(chosen, symbols - 1)
        out[:, k] = chosen - most
        context = (context * symbols + chosen) % symbols**ORDER
    return out
