"""The voice of a mix, separated from the rest.

Spleeter (Hennequin, Khlif, Voituret & Moussallam 2020, "Spleeter: a fast and efficient music source
separation tool with pre-trained models", JOSS 5(50)) estimates the magnitudes of voice and
accompaniment with a U-net each; the share of the voice's power in both is a mask on the mix.

The networks were trained on spectra of 4,096 samples, 1,024 apart, at 44.1 kHz. At half that rate half
as many samples give the same bins and the same times, so the mono sound that is transcribed is enough.
Only the bins below `BINS` are looked at: a tune and the overtones that tell a voice from an instrument
lie below 5.5 kHz.

Conventions
-----------
Audio is mono float32 at `melodysim.transcribe.basic_pitch.SAMPLE_RATE`. Spectra have a row a frame.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodysim.transcribe import accelerators
from melodysim.transcribe.hann import hann_window
from melodysim.transcribe.onnx_networks import inference_session

WINDOW, HOP = 2048, 512
BINS = 512
"""Bins that the networks see, from 0 Hz up: a multiple of 64."""
PATCH_FRAMES = 512
"""Frames that the networks see at once: 11.9 s, as in training. What they make of a frame depends on
where in a patch it lies. So each is seen in two patches, half of one apart; the nearer to the middle of
a patch it is, the more that one counts."""
ACCELERATOR_PATCHES = 4
"""Patches per run of the networks on an accelerator; one on a processor."""
TRAINED_SCALE = 2.0
"""Magnitudes at the rate of training over those here: windows there have twice the samples."""
SMALLEST_POWER = 1e-10
"""Added to the power of both parts, so that silence belongs to either by half."""


@lru_cache(maxsize=2)
def _session(threads: int) -> Any:
    """Return both networks, loaded once for each number of threads."""
    return inference_session("spleeter", threads)


def _spectra(audio: NDArray[np.float32]) -> NDArray[np.complex64]:
    """Return the spectra of overlapping windows, shape (frames, WINDOW / 2 + 1).

    A window of silence is added at both ends, so that every sample lies in as many windows.
    """
    padded = np.pad(audio, (WINDOW, WINDOW + -len(audio) % HOP))
    cuts = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    window = hann_window(WINDOW)
    found = np.empty((len(cuts), WINDOW // 2 + 1), np.complex64)
    for i in range(0, len(cuts), PATCH_FRAMES):  # bounds the memory of float64
        found[i : i + PATCH_FRAMES] = np.fft.rfft(cuts[i : i + PATCH_FRAMES] * window, axis=1)
    return found


def _sound(spectra: NDArray[np.complex64], samples: int) -> NDArray[np.float32]:
    """Return the sound of spectra by overlapping and adding: the inverse of `_spectra`."""
    window, count, shifts = hann_window(WINDOW), len(spectra), WINDOW // HOP
    total = np.zeros((count + shifts - 1, HOP), np.float32)
    for i in range(0, count, PATCH_FRAMES):
        some = np.fft.irfft(spectra[i : i + PATCH_FRAMES], axis=1).astype(np.float32) * window
        for shift in range(shifts):
            total[i + shift : i + shift + len(some)] += some[:, shift * HOP : (shift + 1) * HOP]
    # Squared windows a quarter apart add up to the same everywhere: 1.5 for Hann's.
    weight = float((window**2).sum() / HOP)
    return total.reshape(-1)[WINDOW : WINDOW + samples] / np.float32(weight)


def voice_mask(magnitude: NDArray[np.float32], threads: int = 0) -> NDArray[np.float32]:
    """Return the voice's share of the power of a mix.

    Parameters
    ----------
    magnitude : ndarray of float32, shape (frames, BINS)
        Of the spectra.
    threads : int, optional
        Threads of ONNX Runtime; 0 lets it take all cores.

    Returns
    -------
    ndarray of float32, shape (frames, BINS)
        In 0..1.

    Raises
    ------
    MissingDependencyError
        If ONNX Runtime or the networks are not installed.
    """
    half = PATCH_FRAMES // 2
    late = np.concatenate([np.zeros((half, magnitude.shape[1]), np.float32), magnitude])
    masks = _mask_in_patches(magnitude, threads), _mask_in_patches(late, threads)[half:]
    nearness = np.sin(np.pi * (np.arange(len(magnitude)) % PATCH_FRAMES + 0.5) / PATCH_FRAMES) ** 2
    share = nearness.astype(np.float32)[:, None]  # the other's squared sine is the rest of 1
    mask: NDArray[np.float32] = masks[0] * share + masks[1] * (1 - share)
    return mask


def _mask_in_patches(magnitude: NDArray[np.float32], threads: int) -> NDArray[np.float32]:
    """Return the voice's share of the power, seen in patches from the first frame on."""
    networks = _session(threads)
    frames = len(magnitude)
    padded = np.pad(magnitude * np.float32(TRAINED_SCALE), ((0, -frames % PATCH_FRAMES), (0, 0)))
    patches = padded.reshape(-1, 1, PATCH_FRAMES, padded.shape[1])
    mask = np.empty(padded.shape, np.float32).reshape(-1, *patches.shape[2:])
    batch = accelerators.at_once(1, ACCELERATOR_PATCHES)
    for i in range(0, len(patches), batch):
        both = np.repeat(patches[i : i + batch], 2, axis=1)  # the networks hear two channels
        voice, rest = networks.run(["voice", "rest"], {"mix": both})
        power, other = voice**2, rest**2
        share = (power + SMALLEST_POWER / 2) / (power + other + SMALLEST_POWER)
        mask[i : i + batch] = share.mean(axis=1)
    return mask.reshape(padded.shape)[:frames]


def separated_voice(audio: NDArray[np.float32], threads: int = 0) -> NDArray[np.float32]:
    """Return the voice in a mix, without the rest.

    Parameters
    ----------
    audio : ndarray of float32, shape (samples,)
    threads : int, optional
        Threads of ONNX Runtime; 0 lets it take all cores.

    Returns
    -------
    ndarray of float32, shape (samples,)
        What lies below `BINS` of the voice.

    Raises
    ------
    MissingDependencyError
        If ONNX Runtime or the networks are not installed.
    """
    spectra = _spectra(audio)
    mask = voice_mask(np.abs(spectra[:, :BINS]), threads)
    spectra[:, :BINS] *= mask
    spectra[:, BINS:] = 0
    return _sound(spectra, len(audio))
