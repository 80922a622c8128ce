"""Where a stem lies in its mix: whether it is in it at all, how much later, and how loud."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DECIMATION = 4
"""Samples that become one: below 2.8 kHz lossy formats keep the waveform, and a voice has its power."""
LONGEST = 600.0
"""Seconds that are compared: enough for any lag, and in bounded memory."""
CERTAIN = 20.0
"""Height of the peak, in standard deviations of the correlation, from which a stem is in the mix. Of
the voices of 18 real recordings, separated and coded at 64 kbit/s, all stood at 200 and more in their
own mixes, and none above 12 in another."""


@dataclass(frozen=True)
class StemPlace:
    """Where a stem lies in a mix.

    Attributes
    ----------
    certainty : float
        Height of the correlation's peak, in its standard deviations.
    lag : float
        Seconds that the stem's beginning lies after the mix's; negative where it lies before.
    gain : float
        What the stem's samples are multiplied by to be as loud as in the mix.
    """

    certainty: float
    lag: float
    gain: float

    @property
    def found(self) -> bool:
        """Whether the stem is in the mix."""
        return self.certainty >= CERTAIN


def thinned(blocks: Iterable[NDArray[np.float32]], rate: int) -> NDArray[np.float32]:
    """Return a stream of samples with `DECIMATION` averaged into one, `LONGEST` seconds at most."""
    wanted, held, length = round(LONGEST * rate), [np.zeros(0, np.float32)], 0
    for block in blocks:
        held.append(block)
        length += len(block)
        if length >= wanted:
            break
    whole = np.concatenate(held)[:wanted]
    return whole[: len(whole) // DECIMATION * DECIMATION].reshape(-1, DECIMATION).mean(axis=1)


def stem_place(mix: NDArray[np.float32], stem: NDArray[np.float32], rate: float) -> StemPlace:
    """Find a stem in a mix by the phase of their cross-correlation.

    Knapp & Carter 1976, "The generalized correlation method for estimation of time delay": every
    frequency counts alike, so that loudness, equalising and what else sounds hardly matter.

    Parameters
    ----------
    mix, stem : ndarray of float32, shape (n,), (m,)
    rate : float
        Samples a second.
    """
    if not (len(mix) and len(stem) and mix.any() and stem.any()):
        return StemPlace(0.0, 0.0, 1.0)
    length = 1 << int(len(mix) + len(stem) - 1).bit_length()
    cross = np.fft.rfft(mix, length) * np.conj(np.fft.rfft(stem, length))
    size = np.abs(cross)
    correlation = np.fft.irfft(cross / np.maximum(size, 1e-9 * float(size.max())), length)
    best = int(np.argmax(np.abs(correlation)))  # a stem may be upside down
    lag = best if best < len(mix) else best - length
    certainty = float(abs(correlation[best]) / correlation.std())
    mine, theirs = mix[max(lag, 0) :], stem[max(-lag, 0) :]
    both = min(len(mine), len(theirs))
    power = float(np.dot(theirs[:both], theirs[:both]))
    gain = abs(float(np.dot(mine[:both], theirs[:both]))) / power if power else 1.0
    return StemPlace(certainty, lag / rate, gain)
