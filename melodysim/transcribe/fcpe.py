"""Salience of a voice in a mix, by FCPE's network.

basic-pitch hears every note of a mix alike; a tune is mostly sung. FCPE ("Fast Context-based Pitch
Estimation", github.com/CNChTu/FCPE) was trained to follow a singing voice, with other music added in
training, and outputs how likely each pitch is to be the voice's at each moment.

Conventions
-----------
Audio is mono float32 at `VOICE_RATE`. Frames are `VOICE_FRAME` seconds apart, the first centred on
sample 80. Bins are 20 cents apart.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodysim.transcribe.hann import hann_window
from melodysim.transcribe.onnx_networks import inference_session

VOICE_RATE = 16000
"""Samples per second that the network was trained on."""
HOP = 160
VOICE_FRAME = HOP / VOICE_RATE
"""Seconds from frame to frame."""
FRAME_OFFSET = 0.5 * VOICE_FRAME
"""Seconds at which the first frame is centred."""
BINS = 360
WINDOW = 1024
MELS = 128
FLOOR = 1e-5
"""Mel magnitudes below this are silence."""
LOWEST_HERTZ, HIGHEST_HERTZ = 32.70, 1975.5
"""Frequencies of the first and the last bin: C1 and B6."""

WINDOW_FRAMES, CONTEXT_FRAMES = 3000, 100
"""Frames kept of each run of the network, and added on both sides; its receptive field is 94."""


def bin_pitches() -> NDArray[np.float64]:
    """Return the MIDI note number of each bin, with its fraction."""
    low, high = (69 + 12 * np.log2(hertz / 440) for hertz in (LOWEST_HERTZ, HIGHEST_HERTZ))
    return np.linspace(low, high, BINS)


@lru_cache(maxsize=2)
def _session(threads: int) -> Any:
    """Return the network, loaded once for each number of threads."""
    return inference_session("fcpe", threads)


@lru_cache(maxsize=1)
def _mel_filters() -> NDArray[np.float32]:
    """Return triangular filters of equal area on Slaney's mel scale, [513, 128]: 0 to 8 kHz."""

    def hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
        # Slaney (1998), "Auditory toolbox": linear to 1 kHz, logarithmic above.
        above = 1000.0 * np.exp(np.log(6.4) / 27.0 * (mel - 15.0))
        return np.where(mel < 15.0, mel * 200.0 / 3.0, above)

    top = 15.0 + np.log(VOICE_RATE / 2 / 1000.0) / (np.log(6.4) / 27.0)
    edges = hertz(np.linspace(0.0, top, MELS + 2))
    at = np.linspace(0, VOICE_RATE / 2, WINDOW // 2 + 1)[:, None]
    rising = (at - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - at) / np.diff(edges)[1:]
    area = 2.0 / (edges[2:] - edges[:-2])
    return (np.maximum(0, np.minimum(rising, falling)) * area).astype(np.float32)


def mel_spectrogram(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute the logarithmic mel spectrogram that the network was trained on.

    Parameters
    ----------
    audio : ndarray of float32, shape (samples,)
        Mono at `VOICE_RATE`.

    Returns
    -------
    ndarray of float32, shape (frames, 128)
        ``samples // 160`` frames, and at least one.
    """
    left = (WINDOW - HOP) // 2
    frames = max(1, len(audio) // HOP)
    right = max(0, (frames - 1) * HOP + WINDOW - left - len(audio))
    mode: Any = "reflect" if len(audio) > max(left, right) else "constant"
    padded = np.pad(audio, (left, right), mode=mode)
    window = hann_window(WINDOW)
    cuts = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:frames]
    mel = np.empty((frames, MELS), np.float32)
    for i in range(0, frames, WINDOW_FRAMES):  # bounds the memory of the spectra
        spectrum = np.fft.rfft(cuts[i : i + WINDOW_FRAMES] * window, axis=1).astype(np.complex64)
        magnitude = np.sqrt(spectrum.real**2 + spectrum.imag**2 + np.float32(1e-9))
        mel[i : i + WINDOW_FRAMES] = magnitude @ _mel_filters()
    return np.log(np.maximum(mel, FLOOR))


def voice_salience(audio: NDArray[np.float32], threads: int = 0) -> NDArray[np.float32]:
    """Return how likely each pitch is to be a voice's, at each moment.

    Parameters
    ----------
    audio : ndarray of float32, shape (samples,)
        Mono at `VOICE_RATE`.
    threads : int, optional
        Threads of ONNX Runtime; 0 lets it take all cores.

    Returns
    -------
    ndarray of float32, shape (frames, 360)
        In 0..1; `VOICE_FRAME` seconds a row, bins at `bin_pitches`.

    Raises
    ------
    MissingDependencyError
        If ONNX Runtime or the networks are not installed.
    """
    mel = mel_spectrogram(audio)
    network = _session(threads)
    parts = []
    for first in range(0, len(mel), WINDOW_FRAMES):
        lead = min(CONTEXT_FRAMES, first)
        window = mel[first - lead : first + WINDOW_FRAMES + CONTEXT_FRAMES]
        (found,) = network.run(None, {"mel": np.ascontiguousarray(window.T[None])})
        parts.append(found[0, lead : lead + WINDOW_FRAMES])
    return np.concatenate(parts)
