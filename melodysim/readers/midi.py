"""Parts from Standard MIDI files, read with symusic.

All tracks and channels are read, drums (channel 10) left out, the tempo map honoured: seconds are
computed here in double precision from ticks. RIFF-wrapped files are unwrapped. symusic accepts
an impossible time division, which is refused here, and notes of no length, which are lengthened here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from melodysim.errors import ReadError
from melodysim.readers.score import Part, Score
from melodysim.readers.tempo import TempoMap, constant_tempi

MAX_SECONDS = 24 * 3600.0
"""A file that claims to last longer is damaged."""
SHORTEST_NOTE = 0.005
"""Seconds to which shorter notes are lengthened; some sequencers write notes of no length."""


def read_midi(path: Path, content: bytes) -> Score:
    """Read a Standard MIDI file; without parts if it has no notes, or only drums.

    Parameters
    ----------
    path : Path
        Only named in errors.
    content : bytes
        The file's bytes.

    Raises
    ------
    ReadError
        If the file is damaged.
    """
    import symusic

    start = content.find(b"MThd", 0, 64)
    if start < 0:
        raise ReadError("not a MIDI file (it has no MThd header)", "export it again", path)
    try:
        score = symusic.Score.from_midi(content[start:])
        parts = tuple(_parts(score, path))
    except ReadError:
        raise
    except Exception as error:  # symusic raises plain RuntimeError and others for damage
        raise ReadError(f"damaged MIDI file ({_first_line(error)})", "export it again", path) from error
    return Score(parts)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _parts(score: Any, path: Path) -> list[Part]:
    """Turn symusic's tracks into parts, in seconds."""
    resolution = int(score.ticks_per_quarter)
    if not 1 <= resolution <= 32767:
        raise ReadError(
            f"damaged MIDI file (time division {resolution} ticks a quarter)", "export it again", path
        )
    parts = []
    tempo = _tempo_map(score, resolution)
    for track in score.tracks:
        if track.is_drum or not len(track.notes):
            continue
        notes = track.notes.numpy()
        tick = notes["time"].astype(np.int64)
        order = np.argsort(tick, kind="stable")
        tick, length = tick[order], notes["duration"].astype(np.int64)[order]
        onset = tempo.seconds(tick)
        duration = np.maximum(tempo.seconds(tick + length) - onset, SHORTEST_NOTE)
        if not np.isfinite(onset).all() or onset[-1] > MAX_SECONDS:
            raise ReadError("damaged MIDI file (it claims to last days)", "export it again", path)
        pitch = notes["pitch"].astype(np.float64)[order]
        parts.append(Part(track.name.strip(), onset, duration, pitch, tick / resolution))
    return parts


def _tempo_map(score: Any, resolution: int) -> TempoMap:
    """Read the tempo map over ticks; 120 quarter notes a minute before its first entry."""
    tempos = score.tempos.numpy()
    at = np.concatenate([[0], tempos["time"].astype(np.int64)])
    per_tick = np.concatenate([[500_000], tempos["mspq"].astype(np.int64)]) * 1e-6 / resolution
    order = np.argsort(at, kind="stable")
    return constant_tempi(at[order], per_tick[order])
