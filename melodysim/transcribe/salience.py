"""Salience of a recording: how strongly each pitch sounds at each moment, by basic-pitch's model.

The model is a small convolutional network over a harmonic constant-Q transform, published with its
weights: Bittner, Bosch, Rubinstein, Meseguer-Brocal & Ewert (2022), "A lightweight
instrument-agnostic model for polyphonic note transcription and multipitch estimation", ICASSP. Its
ONNX file comes inside the `basic-pitch` wheel and is run here directly on ONNX Runtime: importing
the package would pull in TensorFlow and librosa.

Conventions
-----------
Audio is mono float32 at `SAMPLE_RATE`. Salience is float32 in 0..1, one row a frame, frames
`FRAME_SECONDS` apart, the first centred on the first sample. Note and onset columns are semitones
from `LOWEST_PITCH` (MIDI 21, A0); contour columns are thirds of a semitone from the same pitch.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodysim.errors import MissingDependencyError

SAMPLE_RATE = 22050
"""Samples per second that the model was trained on."""
LOWEST_PITCH = 21
"""MIDI note number of the first column."""
SEMITONES = 88
BINS_PER_SEMITONE = 3
"""Contour columns per semitone."""

WINDOW_SAMPLES = 43844
"""Length of the model's input."""
EDGE_FRAMES = 15
"""Frames at either end of a window whose receptive field leaves it; they are dropped."""
FRAMES_KEPT = 172 - 2 * EDGE_FRAMES
WINDOW_HOP = 36164
"""Samples from one window to the next, so that what is kept joins up."""
LEAD_SAMPLES = 3840
"""Zeros before the first sample, which put frame 0 after the dropped edge on sample 0."""
FRAME_SECONDS = WINDOW_HOP / FRAMES_KEPT / SAMPLE_RATE
"""11.550 ms. Not the 256 samples of the constant-Q hop: windows overlap by a little more."""

BATCH_WINDOWS = 4
"""Windows per run of the model; larger batches were measured to be no faster."""

_INPUT = "serving_default_input_2:0"
_OUTPUTS = ["StatefulPartitionedCall:1", "StatefulPartitionedCall:2", "StatefulPartitionedCall:0"]


@dataclass(frozen=True)
class Salience:
    """Salience of a stretch of audio.

    Attributes
    ----------
    note : ndarray of float32, shape (frames, 88)
        Whether a note sounds.
    onset : ndarray of float32, shape (frames, 88)
        Whether a note begins.
    contour : ndarray of float32, shape (frames, 264)
        Whether this exact pitch sounds, in thirds of a semitone.
    start : float
        Time of the first frame in the recording, in seconds.
    """

    note: NDArray[np.float32]
    onset: NDArray[np.float32]
    contour: NDArray[np.float32]
    start: float = 0.0

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.note)


def model_path() -> Path:
    """Path of basic-pitch's ONNX model inside the installed wheel.

    Raises
    ------
    MissingDependencyError
        If the package is not installed.
    """
    spec = importlib.util.find_spec("basic_pitch")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "saved_models" / "icassp_2022" / "nmp.onnx"
        if path.is_file():
            return path
    raise MissingDependencyError(
        "reading audio needs basic-pitch's model: run "
        "`pip install onnxruntime soundfile soxr && pip install --no-deps basic-pitch==0.4.0`"
    )


@lru_cache(maxsize=2)
def _session(threads: int) -> Any:
    """Return the model, loaded once a process and number of threads (sessions are thread-safe)."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError(
            "reading audio needs ONNX Runtime: run `pip install 'melodysim[audio]'`"
        ) from error
    onnxruntime.set_default_logger_severity(3)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        str(model_path()), sess_options=options, providers=["CPUExecutionProvider"]
    )


def _windows(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut audio into the model's overlapping windows, shape (windows, samples, 1)."""
    count = max(1, -(-len(audio) // WINDOW_HOP))
    padded = np.zeros((count - 1) * WINDOW_HOP + WINDOW_SAMPLES, np.float32)
    usable = audio[: len(padded) - LEAD_SAMPLES]
    padded[LEAD_SAMPLES : LEAD_SAMPLES + len(usable)] = usable
    view = np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES)[::WINDOW_HOP]
    return view[:, :, None]


def salience(audio: NDArray[np.float32], start: float = 0.0, threads: int = 0) -> Salience:
    """Run the model over audio that fits in memory.

    Parameters
    ----------
    audio : ndarray of float32, shape (samples,)
        Mono at `SAMPLE_RATE`.
    start : float, optional
        Time of the first sample in the recording, in seconds.
    threads : int, optional
        Threads of ONNX Runtime; 0 lets it take all cores.

    Returns
    -------
    Salience
        ``ceil(samples / SAMPLE_RATE / FRAME_SECONDS)`` frames.

    Raises
    ------
    MissingDependencyError
        If ONNX Runtime or the model is not installed.
    """
    model = _session(threads)
    windows = _windows(audio)
    parts: list[list[NDArray[np.float32]]] = [[], [], []]
    for i in range(0, len(windows), BATCH_WINDOWS):
        outputs = model.run(_OUTPUTS, {_INPUT: np.ascontiguousarray(windows[i : i + BATCH_WINDOWS])})
        for part, output in zip(parts, outputs, strict=True):
            kept = output[:, EDGE_FRAMES:-EDGE_FRAMES]
            part.append(kept.reshape(-1, kept.shape[-1]))
    frames = int(np.ceil(len(audio) / SAMPLE_RATE / FRAME_SECONDS))
    note, onset, contour = (np.concatenate(part)[:frames] for part in parts)
    return Salience(note, onset, contour, start)


def salience_blocks(
    audio: Iterable[NDArray[np.float32]], seconds: float, overlap: float, threads: int = 0
) -> Iterator[tuple[Salience, float, float]]:
    """Run the model over a stream of audio, in overlapping blocks of bounded size.

    Parameters
    ----------
    audio : iterable of ndarray of float32
        Consecutive chunks of any length, mono at `SAMPLE_RATE`.
    seconds : float
        Length of a block without its overlaps.
    overlap : float
        Seconds of context added on either side of a block, where there are any.
    threads : int, optional
        As in `salience`.

    Yields
    ------
    block : Salience
        Of the block with its context.
    begin, end : float
        The span, in seconds of the recording, for which this block is to be believed. The last
        block ends at infinity.
    """
    hop, context = round(seconds * SAMPLE_RATE), round(overlap * SAMPLE_RATE)
    held = np.zeros(0, np.float32)
    offset = 0  # sample number, in the recording, of held[0]
    begin = 0  # sample number from which the next block is believed
    for chunk in audio:
        held = np.concatenate([held, chunk])
        while offset + len(held) > begin + hop + context:
            stop = begin + hop + context - offset
            yield (
                salience(held[:stop], offset / SAMPLE_RATE, threads),
                begin / SAMPLE_RATE,
                (begin + hop) / SAMPLE_RATE,
            )
            begin += hop
            drop = max(0, begin - context - offset)
            held, offset = held[drop:], offset + drop
    if len(held) and offset + len(held) > begin:
        yield salience(held, offset / SAMPLE_RATE, threads), begin / SAMPLE_RATE, float("inf")
