"""Hann's window, for the spectra that networks were trained on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def hann_window(samples: int) -> NDArray[np.float32]:
    """Return Hann's window in its periodic form, as spectral analysis has it.

    Parameters
    ----------
    samples : int
        Its length.

    Returns
    -------
    ndarray of float32, shape (samples,)
    """
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(samples) / samples)).astype(np.float32)
