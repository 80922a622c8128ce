"""Salience of every note of a mix: how strongly each pitch sounds, by basic-pitch's model.

The model is a small convolutional network over a harmonic constant-Q transform, published with its
weights: Bittner, Bosch, Rubinstein, Meseguer-Brocal & Ewert (2022), "A lightweight
instrument-agnostic model for polyphonic note transcription and multipitch estimation", ICASSP.

Conventions
-----------
Audio is mono float32 at `SAMPLE_RATE`. Salience is float32 in 0..1, one row a frame, frames
`FRAME_SECONDS` apart, the first centred on the first sample. Note and onset columns are semitones
from `LOWEST_PITCH` (MIDI 21, A0); contour columns are thirds of a semitone from the same pitch.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodysim.transcribe import accelerators
from melodysim.transcribe.onnx_networks import inference_session

SAMPLE_RATE = 22050
"""Samples per second that the model was trained on."""
LOWEST_PITCH = 21
"""MIDI note number of the first column."""
SEMITONES = 88
BINS_PER_SEMITONE = 3
"""Contour columns per semitone."""

WINDOW_SAMPLES = 43844
"""Length of the model's input."""
FRAMES_KEPT = 142
"""Frames that the model answers for: 15 at either end of a window of 172 are left out, because
their surroundings leave it."""
WINDOW_HOP = 36164
"""Samples from one window to the next, so that the frames are contiguous."""
LEAD_SAMPLES = 3840
"""Zeros before the first sample, so that the first frame is centred on sample 0."""
FRAME_SECONDS = WINDOW_HOP / FRAMES_KEPT / SAMPLE_RATE
"""11.550 ms. Not the 256 samples of the constant-Q hop: windows overlap by a little more."""

BATCH_WINDOWS, ACCELERATOR_BATCH = 4, 32
"""Windows per run of the model: more are no faster on a processor."""

_OUTPUTS = ["note", "onset", "contour"]


@lru_cache(maxsize=2)
def _session(threads: int) -> Any:
    """Return the model, loaded once for each number of threads (sessions are thread-safe)."""
    return inference_session("basic_pitch", threads)


def _windows(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut audio into the model's overlapping windows, shape (windows, samples)."""
    count = max(1, -(-len(audio) // WINDOW_HOP))
    padded = np.zeros((count - 1) * WINDOW_HOP + WINDOW_SAMPLES, np.float32)
    usable = audio[: len(padded) - LEAD_SAMPLES]
    padded[LEAD_SAMPLES : LEAD_SAMPLES + len(usable)] = usable
    return np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES)[::WINDOW_HOP]


def polyphonic_salience(
    audio: NDArray[np.float32], threads: int = 0, placements: int = 1
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return the salience of every note in audio that fits in memory.

    Parameters
    ----------
    audio : ndarray of float32, shape (samples,)
        Mono at `SAMPLE_RATE`.
    threads : int, optional
        Threads of ONNX Runtime; 0 lets it take all cores.
    placements : int, optional
        Of windows: what is heard is the mean over so many, which begin at other places. The model
        normalises each window by itself, so what it hears depends on where windows begin.

    Returns
    -------
    note, onset : ndarray of float32, shape (frames, 88)
        Whether a note sounds, and whether one begins; ``ceil(samples / SAMPLE_RATE /
        FRAME_SECONDS)`` frames.
    contour : ndarray of float32, shape (frames, 264)
        Whether this exact pitch sounds, in thirds of a semitone.

    Raises
    ------
    MissingDependencyError
        If ONNX Runtime or the networks are not installed.
    """
    frames = int(np.ceil(len(audio) / SAMPLE_RATE / FRAME_SECONDS))
    heard: list[list[NDArray[np.float32]]] = []
    for number in range(placements):
        late = FRAMES_KEPT * number // placements
        lead = np.zeros(late * WINDOW_HOP // FRAMES_KEPT, np.float32)
        found = _in_windows(np.concatenate([lead, audio]) if late else audio, threads)
        heard.append([each[late : late + frames] for each in found])
    note, onset, contour = (
        heard[0] if placements == 1 else (np.mean(each, axis=0) for each in zip(*heard, strict=True))
    )
    return note, onset, contour


def _in_windows(audio: NDArray[np.float32], threads: int) -> list[NDArray[np.float32]]:
    """Run the model over windows from the first sample on; there may be frames beyond the audio."""
    model = _session(threads)
    windows = _windows(audio)
    parts: list[list[NDArray[np.float32]]] = [[], [], []]
    batch = accelerators.at_once(BATCH_WINDOWS, ACCELERATOR_BATCH)
    for i in range(0, len(windows), batch):
        outputs = model.run(_OUTPUTS, {"audio": np.ascontiguousarray(windows[i : i + batch])})
        for part, output in zip(parts, outputs, strict=True):
            part.append(output.reshape(-1, output.shape[-1]))
    return [np.concatenate(part) for part in parts]
