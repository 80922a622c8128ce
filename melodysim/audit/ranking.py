"""The works that each sample follows best, side by side on all cores."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from melodysim.audit.sets import Sample
from melodysim.errors import MelodysimError
from melodysim.library import Library
from melodysim.melody import FEWEST_NOTES, Piece
from melodysim.readers.read import read
from melodysim.search.pipeline import best_works, find_matches

TOP = 40
"""Works that are kept for each sample: enough for the best of any half of them."""
AT_ONCE = 16
"""Samples in a task."""
TRACED = 1e-2
"""E-value below which it is looked at which notes were copied."""


@dataclass(frozen=True)
class Ranked:
    """The works that a sample follows best.

    Attributes
    ----------
    digest : str
        Of the sample.
    works : list of str
        Ids of works in the library, best first; empty if the sample has too few notes.
    e_values : list of float
        Of each, among all works of both sets.
    notes : int
        Of the sample's melody.
    copied : int
        Notes of it that follow the best work; 0 if chance explains that.
    """

    digest: str
    works: list[str]
    e_values: list[float]
    notes: int
    copied: int


def ranked_samples(
    library: Path, samples: list[Sample], workers: int, keep: Callable[[Ranked], None]
) -> None:
    """Rank the works for each sample, and hand each result over as it comes.

    Parameters
    ----------
    library : Path
        Of all works of both sets, in copyright.
    samples : list of Sample
    workers : int
        Processes.
    keep : callable
        Called with each result.
    """
    tasks = [samples[k : k + AT_ONCE] for k in range(0, len(samples), AT_ONCE)]
    if workers < 2 or len(tasks) < 2:
        for task in tasks:
            for found in _ranked(library, task):
                keep(found)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for some in _finished(pool, library, tasks, workers):
            for found in some:
                keep(found)


def _finished(
    pool: ProcessPoolExecutor, library: Path, tasks: Iterable[list[Sample]], workers: int
) -> Iterator[list[Ranked]]:
    """Yield the results of tasks as they come, with few of them waiting."""
    waiting = iter(tasks)
    running: set[Future[list[Ranked]]] = set()
    while True:
        while len(running) < 2 * workers and (task := next(waiting, None)) is not None:
            running.add(pool.submit(_ranked, library, task))
        if not running:
            return
        done, running = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            yield future.result()


@functools.lru_cache(maxsize=1)
def _library(path: Path) -> Library:
    return Library(path)


def _ranked(library: Path, samples: list[Sample]) -> list[Ranked]:
    """Rank the works for some samples, in a worker."""
    opened = _library(library)
    return [rank_one(sample, opened) for sample in samples]


def rank_one(sample: Sample, library: Library) -> Ranked:
    """Rank the works that one sample follows best."""
    nothing = Ranked(sample.digest, [], [], 0, 0)
    if sample.melody is not None:
        piece = Piece(sample.id, "notes", (sample.melody,), sample.melody.end)
    else:
        assert sample.path is not None
        try:
            piece = read(sample.path, 1)
        except MelodysimError:
            return nothing
    if not piece.melodies or max(map(len, piece.melodies)) < FEWEST_NOTES:
        return nothing
    works, e_values = best_works(piece, library.shelf, TOP)
    copied = 0
    if len(e_values) and e_values[0] < TRACED:
        match = find_matches(piece, library.shelf, 1)[:1]
        copied = match[0].notes if match else 0
    names = [library.index.name(int(k)) for k in works]
    rounded = [float(f"{e:.4g}") for e in np.maximum(e_values, 1e-300)]
    return Ranked(sample.digest, names, rounded, len(piece.melodies[0]), copied)
