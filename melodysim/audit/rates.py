"""How often samples copy a set, against a control, and how sure that is.

All E-values are those among the works of both sets together, so that chance is the same for either. A
sample copies a set if its best match there lies below an E-value. The *excess* is the rate at which the
training set is copied less that of the control set, which nobody can have copied: what both have in
common (style, folk formulas, chance) falls out. This is the comparison with a baseline of Yin et al.
(2022), "Measuring when a music generation algorithm copies too much: The originality report".

Intervals are of the bootstrap (Efron 1979): of samples, of works, and of both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

RESAMPLES = 1000
LEVEL = 0.95
DRAWS = 25
"""Even subsets of the larger set that rates are averaged over."""


@dataclass(frozen=True, eq=False)
class Hits:
    """For each sample and each set, which work it copies.

    Attributes
    ----------
    training, control : ndarray of int64, shape (draws, samples)
        Place of the work in its set, for each draw of an even subset of the sets; -1 for none.
    works : (int, int)
        Number of works of either set.
    """

    training: NDArray[np.int64]
    control: NDArray[np.int64]
    works: tuple[int, int]

    def of(self, samples: NDArray[np.int64]) -> Hits:
        """Return the hits of some samples."""
        return Hits(self.training[:, samples], self.control[:, samples], self.works)


@dataclass(frozen=True)
class Interval:
    """A value with the bounds of its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class CopyRates:
    """How often samples copy.

    Attributes
    ----------
    samples : int
    training, control : float
        Shares of samples that copy either set.
    excess : Interval
        The difference, with the interval of samples and works resampled together.
    by_sample, by_work : (float, float)
        Bounds of its interval with only the samples, or only the works, resampled.
    works : int
        Distinct works of the training set that were copied.
    """

    samples: int
    training: float
    control: float
    excess: Interval
    by_sample: tuple[float, float]
    by_work: tuple[float, float]
    works: int


def hits_below(
    works: list[NDArray[np.int64]],
    e_values: list[NDArray[np.float64]],
    e_value: float,
    counts: tuple[int, int],
    subsets: list[tuple[NDArray[np.bool_], NDArray[np.bool_]]],
) -> Hits:
    """Find which work of either set each sample copies.

    Parameters
    ----------
    works : list of ndarray of int64
        For each sample the works that it follows best, best first: places in the training set, and
        below 0, as ``-1 - place``, in the control set.
    e_values : list of ndarray of float64
        Of these.
    e_value : float
        Below which a sample copies.
    counts : (int, int)
        Number of works of either set.
    subsets : list of (ndarray of bool, ndarray of bool)
        Works of either set that count in each draw.
    """
    shape = len(subsets), len(works)
    found = np.full(shape, -1), np.full(shape, -1)
    for sample, (best, values) in enumerate(zip(works, e_values, strict=True)):
        close = best[values < e_value]
        for kind in (0, 1):
            mine = close[close >= 0] if kind == 0 else -1 - close[close < 0]
            if len(mine):
                for draw, subset in enumerate(subsets):
                    inside = mine[subset[kind][mine]]
                    found[kind][draw, sample] = inside[0] if len(inside) else -1
    return Hits(*found, counts)


def rates_of(hits: Hits, rng: Generator, resamples: int = RESAMPLES) -> CopyRates:
    """Estimate how often samples copy, with intervals.

    Parameters
    ----------
    hits : Hits
    rng : numpy.random.Generator
    resamples : int, optional
        Of the bootstrap.
    """
    samples = hits.training.shape[1]
    training = float((hits.training >= 0).mean())
    control = float((hits.control >= 0).mean())
    value = training - control
    bounds = [
        _bounds(_resampled(hits, rng, resamples, by_sample, by_work), value)
        for by_sample, by_work in ((True, True), (True, False), (False, True))
    ]
    return CopyRates(
        samples,
        training,
        control,
        Interval(value, *bounds[0]),
        bounds[1],
        bounds[2],
        len(np.unique(hits.training[hits.training >= 0])),
    )


def _resampled(
    hits: Hits, rng: Generator, resamples: int, by_sample: bool, by_work: bool
) -> NDArray[np.float64]:
    """Return the excess for samples, or works, or both, drawn anew with replacement."""
    draws, samples = hits.training.shape
    excess = np.zeros(resamples)
    for k in range(resamples):
        draw = int(rng.integers(draws))
        weight = np.ones(samples)
        if by_sample:
            weight = np.bincount(rng.integers(0, samples, samples), minlength=samples).astype(float)
        rate = []
        for found, works in zip((hits.training[draw], hits.control[draw]), hits.works, strict=True):
            copied = found >= 0
            each = np.ones(copied.sum())
            if by_work and works:
                each = rng.poisson(1.0, works)[found[copied]].astype(float)
            rate.append(float((weight[copied] * each).sum()) / samples)
        excess[k] = rate[0] - rate[1]
    return excess


def _bounds(values: NDArray[np.float64], value: float) -> tuple[float, float]:
    """Return the percentile interval, with the value in it."""
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return max(-1.0, min(float(low), value)), min(1.0, max(float(high), value))


@dataclass(frozen=True)
class Threshold:
    """The least size at which a generator copies more than a rate.

    Attributes
    ----------
    rate : float
        Excess that counts as copying.
    size : float or None
        None if none was seen in the range.
    low, high : float or None
        Bounds of its interval.
    seen : float
        Share of the resamples in which there is one.
    """

    rate: float
    size: float | None
    low: float | None
    high: float | None
    seen: float


def threshold_of(
    sizes: NDArray[np.float64], hits: list[Hits], rate: float, rng: Generator, resamples: int = 500
) -> Threshold:
    """Estimate from which size on a generator copies, by an isotonic fit of the excess.

    Parameters
    ----------
    sizes : ndarray of float64, shape (groups,)
        Such as numbers of parameters, increasing.
    hits : list of Hits
        Of each group.
    rate : float
        Excess that counts as copying.

    Returns
    -------
    Threshold
        The least size whose fitted excess is above the rate (Barlow et al. 1972 for the fit).
    """
    from scipy.optimize import isotonic_regression

    def first(excess: NDArray[np.float64]) -> float:
        fitted = isotonic_regression(excess).x
        above = np.flatnonzero(fitted > rate)
        return float(sizes[above[0]]) if len(above) else np.inf

    value = np.array([float((h.training >= 0).mean() - (h.control >= 0).mean()) for h in hits])
    drawn = np.stack([_resampled(h, rng, resamples, True, True) for h in hits], axis=1)
    found = np.array([first(row) for row in drawn])
    there = found[np.isfinite(found)]
    size = first(value)
    if not np.isfinite(size):
        return Threshold(rate, None, None, None, float(len(there) / resamples))
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="nearest")
    return Threshold(
        rate, size, float(low), float(high) if np.isfinite(high) else None, len(there) / resamples
    )
