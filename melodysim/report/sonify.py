"""Melodies as sound, so that a transcription can be listened to.

A plain tone of a few harmonics with a soft attack: easy to follow beside a recording, and made by
arithmetic alone, with nothing to install and no samples to license.

Conventions: times in seconds, audio mono float32 in -1..1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from melodysim.melody import Melody

HARMONICS = (1.0, 0.45, 0.25, 0.12, 0.06)
"""Amplitudes, from the fundamental up: between a flute and an organ."""
ATTACK, RELEASE = 0.012, 0.05
"""Seconds of the tone's beginning and end; the end sounds on after the note."""
LEVEL = 0.25
"""Peak amplitude of a note."""


def tone(pitch: float, duration: float, rate: int) -> NDArray[np.float32]:
    """Synthesise one note.

    Parameters
    ----------
    pitch : float
        MIDI note number.
    duration : float
        Seconds, without the release.
    rate : int
        Samples per second.

    Returns
    -------
    ndarray of float32, shape (samples,)
        ``duration + RELEASE`` seconds. Harmonics above half the rate are left out.
    """
    samples = max(1, round((duration + RELEASE) * rate))
    time = np.arange(samples) / rate
    hertz = 440.0 * 2.0 ** ((pitch - 69.0) / 12.0)
    wave = np.zeros(samples)
    for number, amplitude in enumerate(HARMONICS, 1):
        if hertz * number < rate / 2:
            wave += amplitude * np.sin(2 * np.pi * hertz * number * time)
    envelope = np.minimum(time / ATTACK, 1.0) * np.clip((duration + RELEASE - time) / RELEASE, 0, 1)
    envelope *= np.exp(-0.7 * time)
    return (LEVEL / sum(HARMONICS) * wave * envelope).astype(np.float32)


def melody_audio(melody: Melody, begin: float, end: float, rate: int) -> NDArray[np.float32]:
    """Synthesise a stretch of a melody.

    Parameters
    ----------
    melody : Melody
    begin, end : float
        Seconds of the melody's own time; stretches laid end to end make the whole.
    rate : int
        Samples per second.

    Returns
    -------
    ndarray of float32, shape (samples,)
        ``round(end * rate) - round(begin * rate)`` samples.
    """
    first, last = round(begin * rate), round(end * rate)
    out = np.zeros(max(0, last - first), np.float32)
    touches = (melody.onset < end) & (melody.onset + melody.duration + RELEASE > begin)
    for k in np.flatnonzero(touches):
        note = tone(float(melody.pitch[k]), float(melody.duration[k]), rate)
        at = round(float(melody.onset[k]) * rate) - first
        a, b = max(0, at), min(len(out), at + len(note))
        if b > a:
            out[a:b] += note[a - at : b - at]
    return out
