"""How often a score like this happens by chance.

Scores of local alignments of unrelated sequences follow an extreme-value (Gumbel) distribution whose
mode grows with the logarithm of the lengths (Karlin & Altschul 1990; for fitting on the search
itself, as here: Pearson 1998, "Empirical statistical estimates for sequence similarity searches").
The background of a query is the library: nearly all of its melodies are unrelated to any query, and
what is not shows as outliers, which the fit leaves out. So the composition of the query, repetitive
or rich, is in the fit without being modelled.

Conventions: an E-value is the number of references of one kind in the library, free or protected, that
would score at least so high if none were related to the query, times the number of hypotheses that
were tried. The kinds are two questions, each with its own chance of error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

SAMPLE = 300
"""References whose scores make the background of a melody."""
SMALLEST_BACKGROUND = 100
"""References below which a library is too small for a background of its own."""
FITTED_SAMPLE = (0.30, 0.98)
"""Quantiles between which the Gumbel line is fitted to a sample; above may be related melodies."""
FITTED_ALL = (0.97, 0.999)
"""The same where every reference has a score: there are enough to go by the tail alone. Over 80
rendered and 28 real recordings the best unrelated reference had E below 0.1 in 0.028; fitted from 0.9
to 0.997, in 0.019, and fewer of the related ones were told."""
FEWEST_FITTED = 200
"""Scores that a fit rests on, if there are so many: a small library is fitted from lower down."""
SMALLEST_SCALE = 0.5
"""Of the fit, in the score's own unit: queries of one repeated note have no spread to speak of."""


@dataclass(frozen=True)
class Background:
    """Distribution of the scores of one query against unrelated references.

    Attributes
    ----------
    mode : float
        Of the score against a reference of one note.
    per_log_length : float
        What the mode gains per e-fold of the reference's length.
    scale : float
        Of the Gumbel distribution.
    measured : bool
        False where the library was too small, and typical values stand in.
    """

    mode: float
    per_log_length: float
    scale: float
    measured: bool = True

    def standardised(self, score: ArrayLike, length: ArrayLike) -> NDArray[np.float64]:
        """Scores less their mode, in units of the scale; comparable between references."""
        return (np.asarray(score, np.float64) - self.expected(length)) / self.scale

    def expected(self, length: ArrayLike) -> NDArray[np.float64]:
        """Most frequent score against unrelated references of these lengths."""
        return self.mode + self.per_log_length * np.log(np.maximum(length, 1))

    def p_value(self, score: ArrayLike, length: ArrayLike) -> NDArray[np.float64]:
        """Probability that one unrelated reference of this length scores at least so high."""
        return -np.expm1(-np.exp(-self.standardised(score, length)))

    def e_value(
        self, score: ArrayLike, length: ArrayLike, references: int, tries: float
    ) -> NDArray[np.float64]:
        """Give the expected number of unrelated references with such a score."""
        return self.p_value(score, length) * max(references, 1) * max(tries, 1)


def fit_background(
    score: NDArray[np.floating],
    length: NDArray[np.integer],
    typical: Background,
    fitted: tuple[float, float] = FITTED_SAMPLE,
) -> Background:
    """Fit the distribution of unrelated scores.

    Parameters
    ----------
    score : ndarray of float, shape (n,)
        Of one query against a sample of references.
    length : ndarray of int, shape (n,)
        Notes of those references.
    typical : Background
        Stands in where n is below `SMALLEST_BACKGROUND`.
    fitted : (float, float), optional
        Quantiles between which to fit.

    Returns
    -------
    Background
    """
    if len(score) < SMALLEST_BACKGROUND:
        return typical
    log_length = np.log(np.maximum(length, 1))
    keep = np.ones(len(score), bool)
    slope = 0.0
    for _ in range(2):  # once with everything, once without what may be related
        design = np.stack([np.ones(keep.sum()), log_length[keep]], axis=1)
        (_, slope), *_ = np.linalg.lstsq(design, score[keep].astype(np.float64), rcond=None)
        slope = max(0.0, float(slope))
        residual = score - slope * log_length
        keep = residual <= np.quantile(residual, fitted[1])
    # Gumbel quantiles are linear in -log(-log p).
    rank = (np.arange(len(score)) + 0.5) / len(score)
    lowest = min(fitted[0], max(FITTED_SAMPLE[0], 1 - FEWEST_FITTED / len(score)))
    used = (rank >= lowest) & (rank <= fitted[1])
    reduced = -np.log(-np.log(rank[used]))
    scale, mode = np.polyfit(reduced, np.sort(residual)[used], 1)
    return Background(float(mode), slope, max(float(scale), SMALLEST_SCALE))


def sample_references(
    keys: NDArray[np.uint32], among: NDArray[np.bool_], size: int = SAMPLE
) -> NDArray[np.int64]:
    """Choose references for a background: the same ones whatever their order or the time.

    Parameters
    ----------
    keys : ndarray of uint32, shape (references,)
        Of all references: a random order of theirs.
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
        # Equal keys are rare; of those at the border the first count.
        border = np.partition(keys[eligible], size - 1)[size - 1]
        near = eligible[keys[eligible] <= border]
        eligible = near[np.argsort(keys[near], kind="stable")[:size]]
    return np.sort(eligible).astype(np.int64)
