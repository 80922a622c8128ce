"""Transcription of a whole recording: audio to melody hypotheses and salience by semitone.

The recording is cut into overlapping blocks, so that an hour needs the memory of a few minutes. Only
the middle of a block is used, so that a note on a border is decided with its surroundings.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from melodysim.melody import Melody, SemitoneSalience
from melodysim.transcribe.pitch_tracker import top_line_of_events, tracked_line, voice_line
from melodysim.transcribe.salience import FRAME_SECONDS, Salience, by_semitone, salience_blocks

BLOCK_SECONDS = 240.0
OVERLAP_SECONDS = 5.0
FRAMES_PER_ROW = 5
"""Salience frames averaged into one row of `SemitoneSalience`: 58 ms, half a fast note."""
ROW_SECONDS = FRAMES_PER_ROW * FRAME_SECONDS
ONSET_WEIGHT, VOICE_WEIGHT = 0.6, 1.0
"""Weight of the salience of onsets and of the voice beside that of notes. Measured on half of 28 real
recordings: the voice at 0, 0.5, 1, 2 found 0.43, 0.43, 0.50, 0.50 of them first."""
SEAM_SECONDS = 0.1
"""Most seconds between the onsets that two neighbouring blocks find for the same note."""
_TRACKERS = (voice_line, tracked_line, top_line_of_events)


def transcribe_recording(
    audio: Iterable[NDArray[np.float32]], threads: int = 0
) -> tuple[tuple[Melody, ...], SemitoneSalience]:
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
        The voice line, the tracked line and the top line, by the seconds expected to be right, most
        first; each may have no notes.
    heard : SemitoneSalience
        Strength of each semitone over time.
    """
    lines: list[list[Melody]] = [[] for _ in _TRACKERS]
    rows: list[NDArray[np.float32]] = []
    done = 0
    for block, begin, end in salience_blocks(audio, BLOCK_SECONDS, OVERLAP_SECONDS, threads):
        for line, track in zip(lines, _TRACKERS, strict=True):
            line.append(_within(track(block), begin, end))
        strength = _rows(block, done)
        last = len(strength) if np.isinf(end) else round(end / ROW_SECONDS) - done
        rows.append(strength[:last])
        done += len(rows[-1])
    strength = np.concatenate(rows) if rows else np.zeros((0, 88), np.float32)
    strength.flags.writeable = False
    melodies = sorted((_joined(line) for line in lines if line), key=_expected_seconds, reverse=True)
    return tuple(melodies), SemitoneSalience(strength, ROW_SECONDS)


Transcription = tuple[tuple[Melody, ...], SemitoneSalience]


def with_lines_of(one: Transcription, other: Transcription) -> Transcription:
    """Add the lines of another transcription of a recording, as of another of its channels.

    Parameters
    ----------
    one, other : (tuple of Melody, SemitoneSalience)
        As `transcribe_recording` returns them.

    Returns
    -------
    melodies : tuple of Melody
        Of both, the most seconds expected to be right first.
    heard : SemitoneSalience
        Of `one`. The strength of both mixed hides what either has alone.
    """
    melodies = tuple(sorted((*one[0], *other[0]), key=_expected_seconds, reverse=True))
    return melodies, one[1]


def _expected_seconds(melody: Melody) -> float:
    """Return the seconds of a line that are expected to be right."""
    return float((melody.duration * melody.confidence).sum())


def _rows(block: Salience, first_row: int) -> NDArray[np.float32]:
    """Average salience into rows on the recording's own grid, from `first_row` on."""
    skip = max(0, round(first_row * FRAMES_PER_ROW - block.start / FRAME_SECONDS))
    count = (block.frames - skip) // FRAMES_PER_ROW
    span = slice(skip, skip + count * FRAMES_PER_ROW)
    note = block.note[span].reshape(count, FRAMES_PER_ROW, -1).mean(axis=1)
    onset = block.onset[span].reshape(count, FRAMES_PER_ROW, -1).max(axis=1)
    voice = by_semitone(block.voice[span]).reshape(count, FRAMES_PER_ROW, -1).mean(axis=1)
    return (note + ONSET_WEIGHT * onset + VOICE_WEIGHT * voice).astype(np.float32)


def _within(melody: Melody, begin: float, end: float) -> Melody:
    """Keep the notes that begin in [begin, end) or up to `SEAM_SECONDS` before."""
    first, last = np.searchsorted(melody.onset, [begin - SEAM_SECONDS, end])
    return melody[first:last]


def _joined(blocks: list[Melody]) -> Melody:
    """Join consecutive blocks of a line; drop onsets that the block before has already."""
    new = [np.ones(len(blocks[0]), bool)]
    for before, block in itertools.pairwise(blocks):
        away = np.abs(np.subtract.outer(block.onset, before.onset[-3:]))
        new.append(away.min(axis=1, initial=np.inf) >= SEAM_SECONDS)
    columns = [
        np.concatenate([getattr(block, name)[kept] for block, kept in zip(blocks, new, strict=True)])
        for name in ("onset", "duration", "pitch", "confidence")
    ]
    onset, duration, pitch, confidence = columns
    return Melody.from_overlapping(onset, duration, pitch, confidence, blocks[0].voice)
