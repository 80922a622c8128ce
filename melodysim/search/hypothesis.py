"""Readings of a piece: the scores of some references, their E-values and their order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from melodysim.align.dtw import IN_TIME, Costs
from melodysim.library import Shelf
from melodysim.search.e_values import Background


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """Scores of one reading of the piece against some references.

    Attributes
    ----------
    references : ndarray of int64, shape (n,)
        Places in the index.
    score : ndarray of float64, shape (n,)
        In bits where notes were aligned, in nats where the piece was listened to.
    e_value : ndarray of float64, shape (n,)
        Expected number of unrelated references of the same kind that score at least so high.
    standardised : ndarray of float64, shape (n,)
        Scores less their mode, in units of the scale.
    backgrounds : (Background, Background)
        What chance does among free and among protected references.
    melody : int or None
        Which melody of the piece was read; None if the piece was listened to.
    costs : Costs
        By which notes were aligned.
    tries : float
        Number of tries that E-values were corrected for.
    related : ndarray of int64, shape (k,)
        References left out of the background, because they are related to the query.
    block : ndarray of int64, shape (n,), or None
        Block of the recording in which each was heard best, if the piece was listened to.
    """

    references: NDArray[np.int64]
    score: NDArray[np.float64]
    e_value: NDArray[np.float64]
    standardised: NDArray[np.float64]
    backgrounds: tuple[Background, Background]
    melody: int | None
    costs: Costs = IN_TIME
    tries: float = 1.0
    related: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    block: NDArray[np.int64] | None = None


def restricted(reading: Hypothesis, keep: NDArray[np.bool_]) -> Hypothesis:
    """Return a reading of some of its references only."""
    per_reference = ("references", "score", "e_value", "standardised")
    block = None if reading.block is None else reading.block[keep]
    return replace(
        reading, block=block, **{name: getattr(reading, name)[keep] for name in per_reference}
    )


def e_values(
    score: NDArray[np.float64],
    references: NDArray[np.int64],
    library: Shelf,
    backgrounds: tuple[Background, Background],
    tries: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the E-values and standardised scores of some references.

    Parameters
    ----------
    score : ndarray of float64, shape (n,)
        In bits.
    references : ndarray of int64, shape (n,)
        Places in the index that the scores belong to.
    library : Shelf
    backgrounds : (Background, Background)
        What chance does among free and among protected references.
    tries : float
        Hypotheses that were tried.

    Returns
    -------
    e_value : ndarray of float64, shape (n,)
    standardised : ndarray of float64, shape (n,)
    """
    lengths = library.index.lengths[references]
    e_value, standardised = np.empty(len(references)), np.empty(len(references))
    for kind, background in enumerate(backgrounds):
        mine = library.protected[references] == bool(kind)
        args = score[mine], lengths[mine]
        e_value[mine] = background.e_value(*args, library.comparisons[kind], tries)
        standardised[mine] = background.standardised(*args)
    return e_value, standardised


def best_reading(readings: list[Hypothesis], references: int) -> NDArray[np.int64]:
    """Find the reading with the smallest E-value for each reference.

    Parameters
    ----------
    readings : list of Hypothesis
    references : int
        In the index.

    Returns
    -------
    ndarray of int64, shape (references, 2)
        Reading, and place in it; -1 where no reading scores above 0.
    """
    best = np.full((references, 2), -1, np.int64)
    smallest = np.full(references, np.inf)
    highest = np.full(references, -np.inf)
    for number, reading in enumerate(readings):
        e, z = reading.e_value, reading.standardised
        at = reading.references
        better = (e < smallest[at]) | ((e == smallest[at]) & (z > highest[at]))
        better &= reading.score > 0
        smallest[at[better]], highest[at[better]] = e[better], z[better]
        best[at[better], 0], best[at[better], 1] = number, np.flatnonzero(better)
    return best


def ranking(readings: list[Hypothesis], best: NDArray[np.int64]) -> NDArray[np.int64]:
    """Order references by E-value; where that is 0 to machine precision, by standardised score.

    Parameters
    ----------
    readings : list of Hypothesis
    best : ndarray of int64, shape (references, 2)
        From `best_reading`.

    Returns
    -------
    ndarray of int64
        References that some reading scores above 0, the best first.
    """
    scored = np.flatnonzero(best[:, 0] >= 0)
    e = np.array([readings[r].e_value[p] for r, p in best[scored]], np.float64)
    z = np.array([readings[r].standardised[p] for r, p in best[scored]], np.float64)
    return scored[np.lexsort((scored, -z, e))]


def best_of_each_kind(
    order: NDArray[np.int64], protected: NDArray[np.bool_], count: int
) -> NDArray[np.int64]:
    """Return the first few protected references, then the first few free ones, each the best first.

    Parameters
    ----------
    order : ndarray of int64, shape (n,)
        The best first.
    protected : ndarray of bool, shape (n,)
        Whether each reference in `order` is protected.
    count : int
        Of each kind, at most.
    """
    return np.concatenate([order[protected][:count], order[~protected][:count]])
