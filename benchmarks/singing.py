"""A singing voice, synthesised: harmonics of a glottal source, shaped by moving formants.

Sampled instruments hold their pitch; voices slide, waver, breathe and speak. What is measured on
sampled instruments alone does not carry over to voices, so this synthesiser exaggerates
what makes a voice hard to follow: vibrato, portamento, scoops, drift, consonants that interrupt the
tone, breath noise, vowels that change from note to note. It is a source-filter model (Fant 1960,
"Acoustic theory of speech production"): the amplitude of each harmonic is the glottal slope times the
formants at its frequency.

Conventions: onsets and durations in seconds, pitches in MIDI note numbers, audio mono float32 at
`RATE`.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.random import Generator
from numpy.typing import NDArray

RATE = 22050
HOP = 220
"""Samples between control values: 10 ms."""
HARMONICS = 40
TOP_HERTZ = 9000.0

# Centres of the first four formants of adult vowels, in hertz (Peterson & Barney 1952, and a fourth).
VOWELS = np.array(
    [
        [730, 1090, 2440, 3400],
        [530, 1840, 2480, 3500],
        [270, 2290, 3010, 3700],
        [570, 840, 2410, 3300],
        [300, 870, 2240, 3200],
        [490, 1350, 1690, 3300],
        [660, 1720, 2410, 3400],
    ],
    dtype=float,
)
WIDTHS = np.array([90.0, 110.0, 170.0, 250.0])


def sing(
    onset: NDArray[np.float64],
    duration: NDArray[np.float64],
    pitch: NDArray[np.float64],
    seconds: float,
    rng: Generator,
) -> NDArray[np.float32]:
    """Sing notes.

    Parameters
    ----------
    onset, duration, pitch : ndarray, shape (n,)
        A melody, at least one note, onsets increasing.
    seconds : float
        Length of the result.
    rng : numpy.random.Generator
        Chooses the voice and the manner.

    Returns
    -------
    ndarray of float32, shape (seconds * RATE,)
        With a peak of 1.
    """
    frames = int(seconds * RATE / HOP) + 2
    end = np.minimum(onset + duration, np.append(onset[1:], np.inf))
    track, level, consonant = _gestures(onset, end, pitch, frames, rng)
    gains = _formant_gains(track, onset, frames, rng)
    samples = int(seconds * RATE)
    voiced = _harmonics(track, gains * level[:, None], samples, HOP, RATE)
    noise = rng.standard_normal(samples).astype(np.float32)
    bright = np.diff(noise, prepend=0.0)
    at = np.arange(samples) / HOP
    breath = np.interp(at, np.arange(frames), level) * 10 ** rng.uniform(-2.4, -1.3)
    hiss = np.interp(at, np.arange(frames), consonant) * rng.uniform(0.05, 0.35)
    scale = np.abs(voiced).max() + 1e-9
    out = voiced / scale + breath * noise + hiss * bright
    return (out / (np.abs(out).max() + 1e-9)).astype(np.float32)


def _gestures(
    onset: NDArray, end: NDArray, pitch: NDArray, frames: int, rng: Generator
) -> tuple[NDArray, NDArray, NDArray]:
    """Pitch, loudness and consonant noise over time."""
    time = np.arange(frames) * HOP / RATE
    note = np.clip(np.searchsorted(onset, time, side="right") - 1, 0, len(onset) - 1)
    glide = rng.uniform(0.02, 0.12)
    target = pitch[note].astype(float)
    # Portamento: the pitch approaches its target like a damped system, from a scoop at times.
    scoop = np.where(rng.random(len(onset)) < 0.35, rng.uniform(-2.0, 0.5, len(onset)), 0.0)
    track = np.empty(frames)
    value = target[0]
    rate = 1 - np.exp(-(HOP / RATE) / (glide * 0.5))
    for k in range(frames):
        since = time[k] - onset[note[k]]
        aim = target[k] + (scoop[note[k]] * max(0.0, 1 - since / 0.12) if since >= 0 else 0.0)
        value += rate * (aim - value)
        track[k] = value
    depth, speed, delay = rng.uniform(0.0, 0.7), rng.uniform(4.5, 6.8), rng.uniform(0.1, 0.4)
    since = time - onset[note]
    vibrato = depth * np.clip((since - delay) / 0.3, 0, 1) * np.sin(2 * np.pi * speed * time)
    drift = np.cumsum(rng.standard_normal(frames)) * 0.012
    drift -= np.convolve(drift, np.ones(200) / 200, mode="same")
    off = rng.normal(0, 0.12, len(onset))[note]
    track = track + vibrato + drift + off + rng.uniform(-0.3, 0.3)
    sounding = (time >= onset[note]) & (time < end[note])
    level = sounding * (0.6 + 0.4 * rng.random(len(onset)))[note]
    consonant = np.zeros(frames)
    for k, begin in enumerate(onset):
        if rng.random() < 0.6:
            length = rng.uniform(0.02, 0.09)
            here = (time >= begin - length * 0.7) & (time < begin + length * 0.3)
            level[here] *= rng.uniform(0.0, 0.5)
            consonant[here] = 1.0 if rng.random() < 0.6 else 0.0
        if k and rng.random() < 0.15:  # legato: no dip, the vowel alone changes
            here = (time >= begin - 0.03) & (time < begin + 0.03)
            level[here] = np.maximum(level[here], 0.5)
    smooth = np.hanning(7)
    return track, np.convolve(level, smooth / smooth.sum(), mode="same"), consonant


def _formant_gains(track: NDArray, onset: NDArray, frames: int, rng: Generator) -> NDArray:
    """Amplitude of each harmonic over time, [frames, HARMONICS]."""
    time = np.arange(frames) * HOP / RATE
    note = np.clip(np.searchsorted(onset, time, side="right") - 1, 0, len(onset) - 1)
    tract = rng.uniform(0.9, 1.25)  # a shorter vocal tract moves all formants up
    centres = VOWELS[rng.integers(0, len(VOWELS), len(onset))][note] * tract
    kernel = np.ones(7) / 7
    centres = np.stack([np.convolve(c, kernel, mode="same") for c in centres.T], axis=1)
    centres[:3], centres[-3:] = centres[3], centres[-4]
    hertz = 440 * 2 ** ((track - 69) / 12)
    number = np.arange(1, HARMONICS + 1)
    at = hertz[:, None] * number
    gain = np.zeros((frames, HARMONICS))
    for k in range(centres.shape[1]):
        width = WIDTHS[k] * rng.uniform(0.8, 1.6)
        gain += 0.75**k / (1 + ((at - centres[:, k : k + 1]) / width) ** 2)
    gain += 0.03
    tilt = rng.uniform(0.6, 1.6)  # breathy to pressed
    gain *= number**-tilt
    gain[at > TOP_HERTZ] = 0
    return gain


@njit(cache=True)
def _harmonics(  # pragma: no cover
    track: NDArray, gains: NDArray, samples: int, hop: int, rate: int
) -> NDArray:
    """Add up harmonics; sines of multiples by Chebyshev's recurrence."""
    out = np.zeros(samples)
    phase = 0.0
    count = gains.shape[1]
    for n in range(samples):
        k = n // hop
        share = (n - k * hop) / hop
        pitch = track[k] * (1 - share) + track[k + 1] * share
        phase += 2 * np.pi * 440.0 * 2 ** ((pitch - 69) / 12) / rate
        if phase > 2 * np.pi:
            phase -= 2 * np.pi
        twice = 2 * np.cos(phase)
        before, now = 0.0, np.sin(phase)
        total = 0.0
        for h in range(count):
            total += now * (gains[k, h] * (1 - share) + gains[k + 1, h] * share)
            before, now = now, twice * now - before
        out[n] = total
    return out
