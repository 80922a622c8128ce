"""How often a score like this happens by chance.

Scores of local alignments of unrelated sequences follow an extreme-value (Gumbel) distribution whose
mode grows with the logarithm of the lengths (Karlin & Altschul 1990; for fitting on the search
itself, as here: Pearson 1998, "Empirical statistical estimates for sequence similarity searches").
The background of a query is the library: nearly all of its melodies are unrelated to any query, and
the related ones show as outliers, which the fit leaves out. So the fit accounts for the composition of
the query, repetitive or rich, without modelling it.

Conventions: an E-value is the number of references of one kind in the library, free or protected, that
would score at least so high if none were related to the query, times the number of hypotheses that
were tried. The kinds are two questions, each with its own chance of error.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from melodysim.library.chance import SMALLEST_BACKGROUND


@dataclass(frozen=True)
class Fitting:
    """How a background is fitted.

    Attributes
    ----------
    quantiles : (float, float)
        Between which the Gumbel line is fitted; above may be related melodies.
    bends : tuple of float
        Lengths in notes at which the slope of the mode over log length may change.
    """

    quantiles: tuple[float, float]
    bends: tuple[float, ...] = ()


FITTED_SAMPLE = Fitting((0.30, 0.98))
"""For the scores of a sample of references."""
FITTED_ALL = Fitting((0.97, 0.999), (60.0, 150.0))
"""For the scores of every reference: enough to fit the tail alone, and how it depends on length. In a
recording the score of a short reference is bounded by its notes, that of a long one is not. With one
slope for all, on 45 recordings, references of over 150 notes passed an E-value 20 times too seldom, and
those of 50 to 80 notes 1.7 times too often (docs/research/method.md)."""
FITTED_LISTENED = Fitting((0.95, 0.997), FITTED_ALL.bends)
"""For the scores of two thousand sampled references, listened for by pitch as well."""
FITTED_BULK = Fitting((0.3, 0.8), FITTED_ALL.bends)
"""For what most references score, whatever the best ones do."""
HELD_TO_ALL = 50
"""References of a kind that count as much as all of the others where a fit is moved to the kind; of
fewer than `LEAST_OF_KIND` nothing is said. Without this, E-values among 178 songs and 12,764 folk tunes
were two to four times too small (docs/research/hearing.md)."""
LEAST_OF_KIND = 20
FEWEST_FITTED = 200
"""Scores that a fit rests on, if there are so many: a small library is fitted from lower down."""
FEWEST_LEFT_OUT = 5
"""Highest scores that a fit leaves out at least, as possibly related, however small the library."""
FEWEST_BEYOND = 50
"""References needed on either side of a bend: one long reference must not be its own background."""
SHORTEST_PART = 0.01
"""Share of references that is shorter than `Background.shortest`."""
UNSUSPECTED = 0.8
"""Share of the references that are not suspected at first: the rest may all be one work."""
MIDDLE = (0.3, 0.8)
"""Quantiles of the unsuspected scores that are fitted, to judge all scores by."""
BEYOND_CHANCE = 0.05
"""Expected number of unrelated references with such a score below which a reference is suspected."""
_ROUNDS = 8
SMALLEST_SCALE = 0.5
"""Smallest scale of a fit, in the score's unit: queries of one repeated note have hardly any spread."""


@dataclass(frozen=True)
class Background:
    """Distribution of the scores of one query against unrelated references.

    Attributes
    ----------
    mode : float
        Of the score against a reference of one note.
    per_log_length : float
        What the mode gains per e-fold of the reference's length.
    bends : tuple of (float, float)
        Lengths in notes, and the change of `per_log_length` beyond each.
    scale : float
        Of the Gumbel distribution.
    measured : bool
        False where the library was too small, and typical values stand in.
    shortest : float
        Length in notes below which references are expected to score as at that length: too few were
        shorter to fit, and an extrapolated line would take any score of theirs for more than chance.
    """

    mode: float
    per_log_length: float
    scale: float
    measured: bool = True
    bends: tuple[tuple[float, float], ...] = ()
    shortest: float = 1.0

    def standardised(self, score: ArrayLike, length: ArrayLike) -> NDArray[np.float64]:
        """Return scores less their mode, in units of the scale: comparable between references."""
        return (np.asarray(score, np.float64) - self.expected(length)) / self.scale

    def expected(self, length: ArrayLike) -> NDArray[np.float64]:
        """Return the most frequent score against unrelated references of these lengths."""
        log_length = np.log(np.maximum(length, self.shortest))
        mode = self.mode + self.per_log_length * log_length
        for notes, change in self.bends:
            mode = mode + change * np.maximum(log_length - np.log(notes), 0)
        return mode

    def p_value(self, score: ArrayLike, length: ArrayLike) -> NDArray[np.float64]:
        """Return the probability that an unrelated reference of this length scores at least so high."""
        return -np.expm1(-np.exp(-self.standardised(score, length)))

    def e_value(
        self, score: ArrayLike, length: ArrayLike, references: int, tries: float
    ) -> NDArray[np.float64]:
        """Return the expected number of unrelated references that score at least so high."""
        return self.p_value(score, length) * max(references, 1) * max(tries, 1)


def fit_background(
    score: NDArray[np.floating],
    length: NDArray[np.integer],
    typical: Background,
    fitting: Fitting = FITTED_SAMPLE,
    related: NDArray[np.bool_] | None = None,
) -> Background:
    """Fit the distribution of unrelated scores.

    Parameters
    ----------
    score : ndarray of float, shape (n,)
        Of one query against a sample of references.
    length : ndarray of int, shape (n,)
        Notes of those references.
    typical : Background
        Stands in where n is below `SMALLEST_BACKGROUND`; and the slopes are held near its own where
        lengths hardly differ, so that no single reference can tilt the line to itself.
    fitting : Fitting, optional
        Quantiles and bends of the fit.
    related : ndarray of bool, shape (n,), optional
        True for references known to be related, which are left out.
    """
    if len(score) < SMALLEST_BACKGROUND:
        return typical
    if related is not None:
        score, length = score[~related], length[~related]
    line = _Line.through(length, typical, fitting)
    lowest, highest = _quantiles(len(score), fitting)
    keep = np.ones(len(score), bool)
    # Once with all scores and no bends, which could follow related ones; then without the highest.
    for columns in (2, line.design.shape[1], line.design.shape[1]):
        slopes = line.slopes(score, keep, columns)
        residual = score - line.design[:, 1:columns] @ slopes
        keep = residual <= np.quantile(residual, highest)
    scale, mode = _gumbel(residual, lowest, highest)
    return Background(
        mode,
        float(slopes[0]),
        max(scale, SMALLEST_SCALE),
        bends=tuple(zip(line.bends, slopes[1:].tolist(), strict=True)),
        shortest=line.shortest,
    )


def fitted_to_kind(
    background: Background, score: NDArray[np.floating], length: NDArray[np.integer]
) -> Background:
    """Move a background to references of one kind: works of one time and style score alike.

    Songs follow songs more closely than folk tunes do, and their scores spread otherwise. Few
    references tell little of that, so the fit is held near the background.

    Parameters
    ----------
    background : Background
        Of all references.
    score, length : ndarray, shape (n,)
        Of unrelated references of the kind.
    """
    if len(score) < LEAST_OF_KIND:
        return background
    standardised = background.standardised(score, length)
    found_scale, found_mode = _gumbel(standardised, *_quantiles(len(score), FITTED_LISTENED))
    known = len(score) / (len(score) + HELD_TO_ALL)
    mode, scale = known * found_mode, 1 + known * (found_scale - 1)
    return replace(
        background,
        mode=background.mode + mode * background.scale,
        scale=max(scale * background.scale, SMALLEST_SCALE),
    )


def suspects(
    score: NDArray[np.floating],
    length: NDArray[np.integer],
    typical: Background,
    fitting: Fitting = FITTED_SAMPLE,
) -> NDArray[np.bool_]:
    """Find references that score higher than chance explains, judged by the middle of the scores.

    A fit leaves out a few of the highest scores as possibly related. That is not enough if a library
    holds a work many times over: a copy would pass for chance. But a query of repeated notes has a
    heavy tail of its own, so a suspect is called related only after a second test.

    Parameters
    ----------
    score, length, typical, fitting
        As in `fit_background`.

    Returns
    -------
    ndarray of bool, shape (n,)
        All False where a fit leaves out as many anyway.
    """
    none = np.zeros(len(score), bool)
    if len(score) < SMALLEST_BACKGROUND:
        return none
    line = _Line.through(length, typical, fitting)
    residual = score - line.design[:, 1:] @ line.prior
    beyond = residual > np.quantile(residual, UNSUSPECTED)
    for _ in range(_ROUNDS):
        slopes = line.slopes(score, ~beyond, line.design.shape[1])
        residual = score - line.design[:, 1:] @ slopes
        scale, mode = _gumbel(residual[~beyond], *MIDDLE)
        log_e = np.log(len(score)) - (residual - mode) / max(scale, SMALLEST_SCALE)
        before, beyond = beyond, log_e < np.log(BEYOND_CHANCE)
        if np.array_equal(before, beyond):
            break
    left_out = len(score) * (1 - _quantiles(len(score), fitting)[1])
    return beyond if beyond.sum() > left_out else none


@dataclass(frozen=True, eq=False)
class _Line:
    """Piecewise linear model of scores over the logarithm of the reference's length.

    `design` has a column of ones, one of logarithms, and one for each bend; `prior` holds the expected
    slopes, `weight` how strongly the fit is held to each.
    """

    shortest: float
    bends: tuple[float, ...]
    design: NDArray[np.float64]
    prior: NDArray[np.float64]
    weight: NDArray[np.float64]

    @classmethod
    def through(cls, length: NDArray[np.integer], typical: Background, fitting: Fitting) -> _Line:
        shortest = float(np.quantile(length, SHORTEST_PART))
        log_length = np.log(np.maximum(length, max(shortest, 1)))
        bends = _supported(fitting.bends, length)
        beyond = [np.maximum(log_length - np.log(bend), 0) for bend in bends]
        changes = dict(typical.bends)
        prior = np.array([typical.per_log_length, *(changes.get(bend, 0.0) for bend in bends)])
        # A slope is known to about its own size; a Gumbel deviation is 1.28 times the scale.
        spread = max(abs(typical.per_log_length), 1e-9)
        weight = np.full(len(prior), 1.28 * typical.scale / spread)
        design = np.column_stack([np.ones(len(length)), log_length, *beyond])
        return cls(shortest, bends, design, prior, weight)

    def slopes(
        self, score: NDArray[np.floating], keep: NDArray[np.bool_], columns: int
    ) -> NDArray[np.float64]:
        """Fit the slopes of the first columns by least squares, held near those that are expected."""
        held = np.diag(np.concatenate([[0.0], self.weight[: columns - 1]]))[1:]
        solution, *_ = np.linalg.lstsq(
            np.concatenate([self.design[keep, :columns], held]),
            np.concatenate([score[keep].astype(np.float64), (self.weight * self.prior)[: columns - 1]]),
            rcond=None,
        )
        # A longer reference has more places to be followed at, never fewer.
        slopes: NDArray[np.float64] = np.diff(np.maximum(np.cumsum(solution[1:]), 0), prepend=0)
        return slopes


def _quantiles(references: int, fitting: Fitting) -> tuple[float, float]:
    """Return the quantiles between which the scores of so many references are fitted."""
    lowest, highest = fitting.quantiles
    highest = min(highest, 1 - FEWEST_LEFT_OUT / references)
    return min(lowest, max(FITTED_SAMPLE.quantiles[0], 1 - FEWEST_FITTED / references)), highest


def _gumbel(residual: NDArray[np.floating], lowest: float, highest: float) -> tuple[float, float]:
    """Fit scale and mode: Gumbel quantiles are linear in -log(-log p)."""
    rank = (np.arange(len(residual)) + 0.5) / len(residual)
    used = (rank >= lowest) & (rank <= highest)
    scale, mode = np.polyfit(-np.log(-np.log(rank[used])), np.sort(residual)[used], 1)
    return float(scale), float(mode)


def _supported(bends: tuple[float, ...], length: NDArray[np.integer]) -> tuple[float, ...]:
    """Choose the bends that have enough references on either side."""
    chosen: list[float] = []
    for bend in bends:
        since = chosen[-1] if chosen else 0
        if min(np.sum((length > since) & (length <= bend)), np.sum(length > bend)) >= FEWEST_BEYOND:
            chosen.append(bend)
    return tuple(chosen)


def harmonic_mean(p_values: ArrayLike) -> float:
    """Combine p-values of one hypothesis that may depend on each other.

    Wilson (2019), "The harmonic mean p-value for combining dependent tests": one that is small counts,
    as with Bonferroni's correction, and several that are middling count too. Nearly exact
    where it is small, and a little too small elsewhere (1.15 times at 0.1, for two independent ones).

    Parameters
    ----------
    p_values : array_like
        Above 0, at most 1.
    """
    return float(1 / np.mean(1 / np.asarray(p_values, np.float64)))


def standardised_of(p_value: float) -> float:
    """Return the standardised score (mode 0, scale 1) that has a p-value."""
    return float(-np.log(-np.log1p(-min(p_value, 1 - 1e-12))))
