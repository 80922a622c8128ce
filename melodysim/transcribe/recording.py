"""A whole recording: blocks of audio in, melody hypotheses and what was heard out.

Blocks overlap, and of each only the middle is believed, so that an hour needs the memory of a few
minutes and a note on a border is decided with its surroundings.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from melodysim.melody import Heard, Melody
from melodysim.transcribe.salience import FRAME_SECONDS, Salience, salience_blocks
from melodysim.transcribe.tracker import top_line_of_events, tracked_line

BLOCK_SECONDS = 240.0
OVERLAP_SECONDS = 5.0
FRAMES_PER_ROW = 5
"""Salience frames averaged into one row of `Heard`: 58 ms, half a fast note."""
ROW_SECONDS = FRAMES_PER_ROW * FRAME_SECONDS
ONSET_WEIGHT = 0.6
"""Weight of onset salience beside note salience (tuned on half of 28 real recordings)."""


def transcribe_recording(
    audio: Iterable[NDArray[np.float32]], threads: int = 0
) -> tuple[tuple[Melody, ...], Heard]:
    """Transcribe a recording into melody hypotheses.

    Parameters
    ----------
    audio : iterable of ndarray of float32
        Consecutive chunks, mono at `melodysim.transcribe.salience.SAMPLE_RATE`.
    threads : int, optional
        Threads of ONNX Runtime; 0 lets it take all cores.

    Returns
    -------
    melodies : tuple of Melody
        The tracked line and the top line; either may have no notes.
    heard : Heard
        Strength of each semitone over time.
    """
    lines: tuple[list[Melody], list[Melody]] = ([], [])
    rows: list[NDArray[np.float32]] = []
    done = 0
    for block, begin, end in salience_blocks(audio, BLOCK_SECONDS, OVERLAP_SECONDS, threads):
        for line, track in zip(lines, (tracked_line, top_line_of_events), strict=True):
            line.append(_within(track(block), begin, end))
        strength = _rows(block, done)
        last = len(strength) if np.isinf(end) else round(end / ROW_SECONDS) - done
        rows.append(strength[:last])
        done += len(rows[-1])
    strength = np.concatenate(rows) if rows else np.zeros((0, 88), np.float32)
    strength.flags.writeable = False
    return tuple(_joined(line) for line in lines if line), Heard(strength, ROW_SECONDS)


def _rows(block: Salience, first_row: int) -> NDArray[np.float32]:
    """Average salience into rows on the recording's own grid, from `first_row` on."""
    skip = max(0, round(first_row * FRAMES_PER_ROW - block.start / FRAME_SECONDS))
    count = (block.frames - skip) // FRAMES_PER_ROW
    span = slice(skip, skip + count * FRAMES_PER_ROW)
    note = block.note[span].reshape(count, FRAMES_PER_ROW, -1).mean(axis=1)
    onset = block.onset[span].reshape(count, FRAMES_PER_ROW, -1).max(axis=1)
    return (note + ONSET_WEIGHT * onset).astype(np.float32)


def _within(melody: Melody, begin: float, end: float) -> Melody:
    """Keep the notes that begin in [begin, end)."""
    keep = (melody.onset >= begin) & (melody.onset < end)
    return Melody.from_notes(
        melody.onset[keep],
        melody.duration[keep],
        melody.pitch[keep],
        melody.confidence[keep],
        melody.voice,
    )


def _joined(blocks: list[Melody]) -> Melody:
    """Put the notes of consecutive blocks into one melody."""
    columns = [
        np.concatenate([getattr(block, name) for block in blocks])
        for name in ("onset", "duration", "pitch", "confidence")
    ]
    keep = np.concatenate([[True], np.diff(columns[0]) > 0])[: len(columns[0])]
    onset, duration, pitch, confidence = (column[keep] for column in columns)
    duration = duration.copy()
    duration[:-1] = np.minimum(duration[:-1], np.diff(onset))
    return Melody.from_notes(onset, duration, pitch, confidence, blocks[0].voice)
