"""What chance does among the works of a library.

The best of a library's works stands the higher above chance the more works there are, and the better it
is, the rarer. Both are measured on the library itself (`melodysim.search.own_works`): how far does the
best of the *other* works stand when one of its own is looked for?
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

SMALLEST_BACKGROUND = 100
"""References of a kind below which they are too few to measure what chance scores against them."""
PER_FOLD = 0.84
"""Standing that an e-fold more works add to the best of them: from 500 to 7,500 songs it rose by 2.2.
Were works independent of each other it would be the scale, which is larger: some tracks are like many
works, others like few."""
SCALE_PER_FOLD, SMALLEST_SCALE = 0.15, 0.7
"""What an e-fold more works add to the typical scale, and its least value: 0.95, 1.24 and 1.33 were
measured among 500, 2,000 and 7,500 songs."""
TAIL_FROM, TAIL_SCALE = 0.1, 1.25
"""E-value below which the tail is heavier, and by how much: songs share phrases
(docs/research/catalogue.md)."""


@dataclass(frozen=True)
class Chance:
    """How far the best of some unrelated works stands above chance.

    An extreme-value distribution (Gumbel 1958): the logarithm of the E-value falls with the standing
    along a straight line, and less steeply in the tail.

    Attributes
    ----------
    mode : float
        Standing that one of the works is expected to reach.
    scale : float
        Standing for which the E-value falls by a factor of e.
    works : int
        Number of works that the mode is of.
    measured : bool
        Whether it was measured in the library; False for typical values.
    beside_free : bool
        Whether free works stand in for these, which are too few, where scores of chance are needed:
        standings are higher then, as songs follow one another more closely than folk tunes.
    """

    mode: float
    scale: float
    works: int
    measured: bool = True
    beside_free: bool = False

    def among(self, works: int) -> Chance:
        """Return the chance among another number of works of the same kind."""
        more = np.log(max(works, 1) / max(self.works, 1))
        per_fold = FEW_PER_FOLD if self.beside_free else PER_FOLD
        return replace(self, mode=self.mode + per_fold * float(more), works=works)

    def log_e(self, standing: ArrayLike, tries: float = 1.0) -> NDArray[np.float64]:
        """Return the natural logarithms of E-values: of unrelated works that stand so high.

        Parameters
        ----------
        standing : array_like
            Of some references.
        tries : float, optional
            Hypotheses that were tried.
        """
        log_e = (self.mode - np.asarray(standing, np.float64)) / self.scale
        tail = np.minimum(log_e - np.log(TAIL_FROM), 0.0)
        # Many works reach what one is expected to; never more than there are.
        log_e = np.minimum(log_e - tail + tail / TAIL_SCALE, np.log(max(self.works, 1)))
        return log_e + np.log(max(tries, 1.0))


_SONGS = Chance(6.4, 1.35, 7500, measured=False)
_FEW_SONGS = Chance(0.4, 0.7, 1, measured=False, beside_free=True)
FEW_PER_FOLD, FEW_SCALE_PER_FOLD = 0.62, 0.03
"""What an e-fold more works add to the typical mode and scale where there are few beside free ones:
from 1 to 95 songs and folk tunes, against 150 to 200 others of their set, the mode rose from 0.4 to 3.2
(docs/research/method.md)."""


def few_beside_free(works: int, free: int) -> bool:
    """Say whether so many works are too few to measure scores of chance, and free ones stand in."""
    return works < SMALLEST_BACKGROUND <= free


def typical_chance(works: int, free: int = 0) -> Chance:
    """Return what chance does among so many songs, as measured on a catalogue of 7,500 and parts of it.

    Stands in where a library has too few works to measure.

    Parameters
    ----------
    works : int
    free : int, optional
        Number of free works that stand in where the works are few.
    """
    more = float(np.log(max(works, 1)))
    if few_beside_free(works, free):
        mode = _FEW_SONGS.mode + FEW_PER_FOLD * more
        scale = _FEW_SONGS.scale + FEW_SCALE_PER_FOLD * more
        return replace(_FEW_SONGS, mode=mode, scale=scale, works=works)
    chance = _SONGS.among(works)
    scale = chance.scale + SCALE_PER_FOLD * (more - float(np.log(_SONGS.works)))
    return replace(chance, scale=max(scale, SMALLEST_SCALE))
