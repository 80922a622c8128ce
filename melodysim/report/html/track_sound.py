"""The track's own sound, small enough to stand in a page, and its loudness over time.

Both are read in one pass over the file. MP3 because every browser decodes it, and with its gaps known.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from melodysim.errors import MelodysimError
from melodysim.melody import Piece

RATE = 24000
"""Samples per second: melodies need no more, and the page stays small."""
WHOLE_SECONDS = 420.0
"""A track up to this long is put in whole; of a longer one, the passages of the matches."""
MARGIN_SECONDS = 2.0
"""Before and after a passage."""
LOUDNESS_STEPS = 1000
"""Points of the loudness curve over the whole track."""
_VARIABLE_RATE = 0.5
"""libsndfile's compression level: about 40 kbit/s for one channel."""


@dataclass(frozen=True)
class Stretch:
    """A stretch of the track as sound.

    Attributes
    ----------
    begin, end : float
        Seconds of the track.
    mp3 : str
        One channel, in base64.
    """

    begin: float
    end: float
    mp3: str


@dataclass(frozen=True, eq=False)
class Sound:
    """Sound of a track, as a page contains it.

    Attributes
    ----------
    stretches : tuple of Stretch
        In order, apart from each other.
    loudness : ndarray of float64, shape (LOUDNESS_STEPS,)
        Root mean square of equal parts of the track, the loudest 1.
    missing : str or None
        Why there is no sound.
    """

    stretches: tuple[Stretch, ...]
    loudness: NDArray[np.float64]
    missing: str | None = None


def sound_of(piece: Piece, spans: list[tuple[float, float]], file: Path) -> Sound:
    """Read the sound that a page needs; empty, with the reason, where there is none.

    Parameters
    ----------
    piece : Piece
        As it was checked.
    spans : list of (float, float)
        Passages of the matches, in seconds.
    file : Path
        Where the recording is.
    """
    nothing = np.zeros(LOUDNESS_STEPS)
    if piece.kind != "audio":
        return Sound((), nothing, "the track is notes, not a recording")
    wanted = _wanted(piece.duration, spans)
    try:
        loudness, samples = _read(file, piece.duration, wanted)
    except MelodysimError as error:
        return Sound((), nothing, str(error))
    stretches = tuple(
        Stretch(begin, end, base64.b64encode(_mp3(heard)).decode())
        for (begin, end), heard in zip(wanted, samples, strict=True)
        if len(heard)
    )
    return Sound(stretches, loudness)


def _wanted(duration: float, spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the stretches to include: the whole track, or its passages, joined where they touch."""
    if duration <= WHOLE_SECONDS:
        return [(0.0, duration)]
    joined: list[tuple[float, float]] = []
    for begin, end in sorted(spans):
        a, b = max(0.0, begin - MARGIN_SECONDS), min(duration, end + MARGIN_SECONDS)
        if joined and a <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(b, joined[-1][1]))
        else:
            joined.append((a, b))
    return joined


def _read(
    path: Path, duration: float, wanted: list[tuple[float, float]]
) -> tuple[NDArray[np.float64], list[NDArray[np.float32]]]:
    """Decode the file once: return its loudness, and the samples of the wanted stretches."""
    from melodysim.readers.audio import audio_blocks

    power = np.zeros(LOUDNESS_STEPS)
    kept: list[list[NDArray[np.float32]]] = [[] for _ in wanted]
    done, total = 0, max(1, round(duration * RATE))
    for block in audio_blocks(path, RATE):
        step = np.minimum(
            (np.arange(done, done + len(block)) * LOUDNESS_STEPS) // total, LOUDNESS_STEPS - 1
        )
        power += np.bincount(step, weights=block.astype(np.float64) ** 2, minlength=LOUDNESS_STEPS)
        for parts, (begin, end) in zip(kept, wanted, strict=True):
            a, b = round(begin * RATE) - done, round(end * RATE) - done
            if b > 0 and a < len(block):
                parts.append(block[max(0, a) : b])
        done += len(block)
    loudness = np.sqrt(power * LOUDNESS_STEPS / total)
    empty = np.zeros(0, np.float32)
    return loudness / max(float(loudness.max()), 1e-9), [np.concatenate([empty, *p]) for p in kept]


def _mp3(samples: NDArray[np.float32]) -> bytes:
    """Encode the samples of one channel as MP3."""
    import soundfile

    out = io.BytesIO()
    soundfile.write(
        out,
        np.clip(samples, -1, 1),
        RATE,
        format="MP3",
        subtype="MPEG_LAYER_III",
        compression_level=_VARIABLE_RATE,
        bitrate_mode="VARIABLE",
    )
    return out.getvalue()
