"""How far a recording is from concert pitch (A4 = 440 Hz).

The networks tell semitones from A = 440 Hz. Of a recording that was made at another pitch, or plays at
another speed, each note falls between two of theirs. So the deviation is estimated first, and the
recording is read on its own grid. It is that of the peaks of some of its spectra from the nearest
semitone, averaged on a circle, as 50 cents up is 50 cents down (Dressler & Streich 2007, "Tuning
frequency estimation using circular statistics", ISMIR).

Conventions
-----------
Audio is mono float32 at `melodysim.transcribe.basic_pitch.SAMPLE_RATE`; deviations are in semitones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from melodysim.transcribe.basic_pitch import SAMPLE_RATE

WINDOW = 8192
"""Samples of a spectrum: bins are 2.7 Hz apart, a fifth of a semitone at A3."""
SPECTRA = 400
"""Spectra that are looked at, spread over the recording."""
PEAKS = 20
"""Highest peaks of each that count."""
LOWEST_HERTZ, HIGHEST_HERTZ = 200.0, 2000.0
"""Below, bins are too wide; above, overtones are not those of the nearest semitone."""
AGREED = 0.12
"""Length of the mean vector below which peaks agree on nothing, as in speech or noise."""
IGNORED = 0.1
"""Deviations up to this many semitones are none: the networks hear such notes as well."""


def deviation_from_concert_pitch(audio: NDArray[np.float32]) -> float:
    """Estimate how far the notes of a recording lie above the nearest semitones.

    Parameters
    ----------
    audio : ndarray of float32, shape (samples,)

    Returns
    -------
    float
        From -0.5 to 0.5 semitones; 0 where it is small, or where nothing can be told.
    """
    if len(audio) < WINDOW:
        return 0.0
    hop = max(WINDOW // 4, (len(audio) - WINDOW) // SPECTRA)
    cuts = np.lib.stride_tricks.sliding_window_view(audio, WINDOW)[::hop]
    magnitude = np.abs(np.fft.rfft(cuts * np.hanning(WINDOW).astype(np.float32), axis=1))
    width = SAMPLE_RATE / WINDOW
    low, high = int(LOWEST_HERTZ / width), int(HIGHEST_HERTZ / width)
    level = np.log(magnitude[:, low - 1 : high + 1] + 1e-9)
    before, here, after = level[:, :-2], level[:, 1:-1], level[:, 2:]
    peak = (here > before) & (here >= after)
    ranked = np.where(peak, here, -np.inf)
    least = np.partition(ranked, -PEAKS, axis=1)[:, -PEAKS][:, None]
    frame, bin_ = np.nonzero(peak & (ranked >= least))
    a, b, c = (values[frame, bin_] for values in (before, here, after))
    # The vertex of a parabola through the logarithms of three bins.
    place = bin_ + low + 0.5 * (a - c) / np.minimum(a - 2 * b + c, -1e-9)
    pitch = 12 * np.log2(place * width / 440.0)
    loudness = np.sqrt(magnitude[frame, bin_ + low])
    mean = np.average(np.exp(2j * np.pi * pitch), weights=loudness) if loudness.any() else 0.0
    deviation = float(np.angle(mean)) / (2 * np.pi)
    return deviation if abs(mean) >= AGREED and abs(deviation) > IGNORED else 0.0
