"""What chance does among the works of a library.

The best of a library's works stands the higher above chance the more works there are, and the better it
is, the rarer. Both are measured on the library itself (`melodysim.search.own_works`): how far does the
best of the *other* works stand when one of its own is looked for?
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
    """

    mode: float
    scale: float
    works: int
    measured: bool = True

    def among(self, works: int) -> Chance:
        """Return the chance among another number of works of the same kind."""
        more = np.log(max(works, 1) / max(self.works, 1))
        return replace(self, mode=self.mode + PER_FOLD * float(more), works=works)

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


def typical_chance(works: int) -> Chance:
    """Return what chance does among so many songs, as measured on a catalogue of 7,500 and parts of it.

    Stands in where a library has too few works to measure.
    """
    chance = _SONGS.among(works)
    scale = chance.scale + SCALE_PER_FOLD * float(np.log(max(works, 1) / _SONGS.works))
    return replace(chance, scale=max(scale, SMALLEST_SCALE))
