"""What chance does among the protected works of a library, as its own works show.

Whoever asks a library for one of its own works, and leaves that out, has asked for a melody that is in
copyright, of the library's own kind, and in no other of its works: an unrelated query. A few hundred of
them say how far the best of unrelated works stands above chance in *this* library, whatever its size
and kind (as proteins are compared with their own database; Pearson 1998). Some works are in a library
twice, as covers and under other titles, and folk songs have families: such works stand higher than
chance explains, and are told from it by a mixture of the two.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from melodysim.library import Entry, Library, Shelf
from melodysim.library.chance import SMALLEST_SCALE, Chance, typical_chance
from melodysim.library.packed.index import sample_references
from melodysim.melody import FEWEST_NOTES, Piece
from melodysim.search.pipeline import best_of_others

QUERIES = 300
"""Works that are looked for."""
RELATED = 10.0
"""Standing beyond chance that a related work has on average. It need not be exact: where chance ends
and relatives begin, both are rare."""
MOST_RELATED = 0.6
"""Largest share of the works that may have relatives in the library."""
FEWEST_QUERIES = 10
"""Works below which the typical values stay: fewer say little of what others would."""
PRIOR_SCALE, PRIOR_MODE = 60.0, 10.0
"""Queries that the typical scale and mode are worth. A hundred queries know the scale to a tenth; the
mode of libraries of one size differs by half a unit, and ten queries know theirs to a third."""
PRIOR_FEW = 200.0
"""Queries that the typical scale is worth where few works stand beside free ones: a pair of covers
among 60 songs widens the scale by a third, and it differs little between songs and folk tunes."""
_ROUNDS = 300
_measuring = threading.Lock()


def with_chance(
    library: Library,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Shelf:
    """Return a library's shelf, after measuring what chance does in it if that is not known.

    Parameters
    ----------
    library : Library
        With fewer than `FEWEST_QUERIES` protected works it stays as it is.
    threads : int, optional
        Threads to use.
    progress : callable, optional
        Called with the number of works that were looked for, and of all; raises to stop it.
    """
    if not _unknown(library.shelf):
        return library.shelf
    with _measuring:
        if _unknown(library.shelf):
            library.keep_chance(chance_among_own_works(library.shelf, threads, progress))
    return library.shelf


def _unknown(shelf: Shelf) -> bool:
    return shelf.comparisons[1] >= FEWEST_QUERIES and not shelf.chances[1].measured


def chance_among_own_works(
    shelf: Shelf, threads: int = 1, progress: Callable[[int, int], None] | None = None
) -> Chance:
    """Measure how far the best of unrelated works stands, among the protected works of a shelf.

    Parameters
    ----------
    shelf : Shelf
    threads, progress
        As for `with_chance`.
    """
    chosen = sample_references(shelf.index.order.key, shelf.protected, QUERIES)
    names = [shelf.index.name(int(k)) for k in chosen]
    found = shelf.look_up(names)
    there = [found[name] for name in names if name in found]  # not those removed meanwhile
    queries = [one for one in there if len(one.melody) >= FEWEST_NOTES]

    def standing(number: int) -> float | None:
        entry, melody = queries[number].entry, queries[number].melody
        piece = Piece(entry.source, "notes", (melody,), melody.end)
        return best_of_others(piece, shelf, lambda other: _another(entry, other))

    standings: list[float] = []
    pool = ThreadPoolExecutor(max(threads, 1))
    try:
        for number, value in enumerate(pool.map(standing, range(len(queries)))):
            standings += [value] if value is not None else []
            if progress is not None:
                progress(number + 1, len(queries))
    finally:
        pool.shutdown(cancel_futures=True)
    free, works = shelf.comparisons
    return fit_chance(np.array(standings), typical_chance(works, free))


def _another(entry: Entry, other: Entry) -> bool:
    """Say whether two entries are of different works, as far as their titles tell.

    The tracks of a project are one work: "title: track", from one file. A table or a tune book is one
    file too, and holds a work a line.
    """
    if entry.title.casefold() == other.title.casefold():
        return False
    project, theirs = (one.title.rpartition(": ")[0] for one in (entry, other))
    return entry.source != other.source or not project or project != theirs


def fit_chance(standings: NDArray[np.float64], typical: Chance) -> Chance:
    """Fit the distribution of the standing of the best of some unrelated works.

    Parameters
    ----------
    standings : ndarray of float64, shape (n,)
        Of queries that are in none of these works, but for a few.
    typical : Chance
        Among as many works.

    Returns
    -------
    Chance
        A Gumbel distribution, held near the typical one as far as the queries are few.
    """
    count = len(standings)
    if count < FEWEST_QUERIES:
        return replace(typical, measured=True)
    mode, scale = _chance_without_relatives(standings)
    worth = PRIOR_FEW if typical.beside_free else PRIOR_SCALE
    return replace(
        typical,
        mode=(count * mode + PRIOR_MODE * typical.mode) / (count + PRIOR_MODE),
        scale=(count * scale + worth * typical.scale) / (count + worth),
        measured=True,
    )


def _chance_without_relatives(standings: NDArray[np.float64]) -> tuple[float, float]:
    """Fit a Gumbel distribution to standings, some of which are higher because works are related.

    Expectation maximisation (Dempster, Laird & Rubin 1977) of a mixture: chance, and an exponential
    distribution above its mode for relatives, whose share is found too. In a collection of folk songs
    it is a third.

    Parameters
    ----------
    standings : ndarray of float64, shape (n,)

    Returns
    -------
    (float, float)
        Mode and scale.
    """
    low, middle = np.quantile(standings, (0.2, 0.5))
    mode, scale, related = float(middle), max(float(middle - low) / 0.84, SMALLEST_SCALE), 0.05
    for _ in range(_ROUNDS):
        z = (standings - mode) / scale
        by_chance = (1 - related) * np.exp(-z - np.exp(-z)) / scale
        beyond = np.maximum(standings - mode, 0)
        by_relation = np.where(beyond > 0, related * np.exp(-beyond / RELATED) / RELATED, 0)
        weight = by_chance / np.maximum(by_chance + by_relation, 1e-300)
        related = min(float(1 - weight.mean()), MOST_RELATED)
        # Weighted maximum likelihood: the scale is a fixed point.
        pull = weight * np.exp(-(standings - mode) / scale)
        means = np.average(standings, weights=weight), np.average(standings, weights=pull)
        scale = max(float(means[0] - means[1]), SMALLEST_SCALE)
        pull = weight * np.exp(-(standings - mode) / scale)
        mode -= scale * float(np.log(pull.sum() / weight.sum()))
    return mode, scale
