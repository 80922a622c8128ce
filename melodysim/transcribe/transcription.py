"""Transcription of a whole recording: audio to melody hypotheses and salience by semitone.

The recording is cut into overlapping blocks, so that an hour needs the memory of a few minutes. Only
the middle of a block is used, so that a note on a border is decided with its surroundings.

A tune is mostly sung. So the voice is separated from the mix and listened to beside it, each with both
networks: what is heard in the voice is surer, what is heard in the mix misses nothing. Where nobody
sings, for some seconds or at all, and where the separator is not installed, the mix is all there is.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from melodysim.melody import Melody, SemitoneSalience
from melodysim.transcribe import separator
from melodysim.transcribe.pitch_tracker import top_line_of_events, tracked_line, voice_line
from melodysim.transcribe.salience import (
    FRAME_SECONDS,
    SAMPLE_RATE,
    SEMITONES,
    Salience,
    by_semitone,
    frames_of,
    note_salience,
    overlapping_blocks,
    salience,
    voiced_salience,
)
from melodysim.transcribe.tuning import deviation_from_concert_pitch

BLOCK_SECONDS = 240.0
OVERLAP_SECONDS = 5.0
FRAMES_PER_ROW = 5
"""Salience frames averaged into one row of `SemitoneSalience`: 58 ms, half a fast note."""
ROW_SECONDS = FRAMES_PER_ROW * FRAME_SECONDS
ONSET_WEIGHT = 0.6
"""Weight of the salience of onsets beside that of notes."""
VOICE_WEIGHT, SEPARATED_WEIGHT = 1.0, 0.75
"""Weight of the voice network's salience beside that of notes, in a mix and in a separated voice."""
MIX_WEIGHT = 0.5
"""Weight of the notes and onsets of a mix beside what is heard in the voice (docs/research/hearing.md).
What the voice network hears in the mix adds nothing to that."""
VOICE_PLACEMENTS = 2
"""Placements of the windows in which the notes of a separated voice are heard. In the mix, which counts
for half, a second one brings nothing (docs/research/hearing.md)."""
SUNG, SUNG_AROUND, SUNG_HOP = 0.05, 2.5, 0.25
"""Share of the power of a mix that a voice has at least where somebody sings, and the seconds on either
side that count too, in steps of so many: below it, the separator lets through what is like a voice in
an instrument."""
SUNG_STEM = 0.005
"""The same where a stem was given: a person has said that it is the voice, however deep in the mix."""
SEAM_SECONDS = 0.1
"""Most seconds between the onsets that two neighbouring blocks find for the same note."""
_TRACKERS = (voice_line, tracked_line, top_line_of_events)


@dataclass(frozen=True, eq=False)
class _Block:
    """A stretch of a recording, as sound.

    Attributes
    ----------
    mix, voice : ndarray of float32, shape (samples,)
        With context on either side.
    start : float
        Seconds of the recording at which it begins.
    begin, end : float
        The span for which it is to be used.
    least : float
        Power of the voice, as a share of the mix, from which on somebody sings.
    """

    mix: NDArray[np.float32]
    voice: NDArray[np.float32]
    start: float
    begin: float
    end: float
    least: float = SUNG

    def sung(self) -> NDArray[np.bool_]:
        """Say of each frame whether somebody sings about then."""
        frames = frames_of(self.mix)
        around = np.ones(1 + 2 * round(SUNG_AROUND / SUNG_HOP))
        voice, mix = (np.convolve(power, around, "same")[: len(power)] for power in self._powers)
        place = (np.arange(frames) * FRAME_SECONDS / SUNG_HOP).astype(np.int64)
        return (voice > self.least * mix)[np.minimum(place, len(mix) - 1)]

    def share(self) -> float:
        """Return the share of the mix's power that is in the voice, which is there."""
        voice, mix = (float(power.sum()) for power in self._powers)
        return voice / max(mix, 1e-12)

    @cached_property
    def _powers(self) -> list[NDArray[np.float64]]:
        """Power of the voice and of the mix, in steps of `SUNG_HOP`."""
        hops = np.arange(0, len(self.mix), round(SUNG_HOP * SAMPLE_RATE))
        return [np.add.reduceat(x.astype(np.float64) ** 2, hops) for x in (self.voice, self.mix)]


def transcribe_recording(
    audio: Iterable[NDArray[np.float32]],
    threads: int = 0,
    stem: Iterable[NDArray[np.float32]] | None = None,
) -> tuple[tuple[Melody, ...], SemitoneSalience]:
    """Transcribe a recording into melody hypotheses.

    Parameters
    ----------
    audio : iterable of ndarray of float32
        Consecutive chunks, mono at `melodysim.transcribe.salience.SAMPLE_RATE`.
    threads : int, optional
        Threads of ONNX Runtime; 0 lets it take all cores.
    stem : iterable of ndarray of float32, optional
        The voice alone, if there is a recording of it: in step with `audio`. By default it is separated
        from the mix.

    Returns
    -------
    melodies : tuple of Melody
        The voice line, the tracked line and the top line, of the voice where somebody sings, by the
        seconds expected to be right, most first; each may have no notes.
    heard : SemitoneSalience
        Strength and onsets of each semitone over time.
    """
    lines: list[list[Melody]] = [[] for _ in _TRACKERS]
    rows: list[NDArray[np.float32]] = []
    voiced = seconds = 0.0
    for block in _with_voice(audio, stem, threads):
        clearest, heard, sung = _listened(block, sum(map(len, rows)), threads)
        for line, track in zip(lines, _TRACKERS, strict=True):
            line.append(_within(track(clearest), block.begin, block.end))
        rows.append(heard)
        voiced += block.share() * len(block.mix) if sung else 0.0
        seconds += len(block.mix)
    whole = np.concatenate(rows) if rows else np.zeros((0, 2, SEMITONES), np.float32)
    strength, onset = (
        np.ascontiguousarray(whole[:, k]).astype(np.float16).astype(np.float32)  # as caches keep them
        for k in (0, 1)
    )
    strength.flags.writeable = onset.flags.writeable = False
    melodies = _best_first(_joined(line) for line in lines if line)
    return melodies, SemitoneSalience(strength, onset, ROW_SECONDS, voiced / max(seconds, 1))


def _with_voice(
    audio: Iterable[NDArray[np.float32]],
    stem: Iterable[NDArray[np.float32]] | None,
    threads: int,
) -> Iterator[_Block]:
    """Yield blocks of a recording, with the voice in them as far as it can be told."""
    blocks = overlapping_blocks(audio, BLOCK_SECONDS, OVERLAP_SECONDS)
    if stem is None:
        for mix, start, begin, end in blocks:
            yield _Block(mix, separator.separated_voice(mix, threads), start, begin, end)
        return
    stems = overlapping_blocks(stem, BLOCK_SECONDS, OVERLAP_SECONDS)
    for mix, start, begin, end in blocks:
        sung = next((block[0][: len(mix)] for block in stems), mix[:0])
        yield _Block(mix, np.pad(sung, (0, len(mix) - len(sung))), start, begin, end, SUNG_STEM)


def _listened(
    block: _Block, first_row: int, threads: int
) -> tuple[Salience, NDArray[np.float32], bool]:
    """Listen to a block.

    Returns
    -------
    clearest : Salience
        In which lines are looked for: of the voice where somebody sings, else of the mix.
    rows : ndarray of float32, shape (rows, 2, 88)
        Strength and onsets.
    sung : bool
        Whether somebody sings.
    """
    deviation = deviation_from_concert_pitch(block.mix)
    sung = block.sung()
    note, onset, contour = note_salience(block.mix, threads, deviation)
    instrumental = voiced_salience(block.mix, threads, deviation, ~sung)
    mix = Salience(note, onset, contour, instrumental, block.start)
    clearest, rows = mix, _rows(mix, first_row, VOICE_WEIGHT)
    if sung.any():
        voice = salience(block.voice, block.start, threads, deviation, sung, VOICE_PLACEMENTS)
        here = sung[:, None]
        names = ("note", "onset", "contour", "voice")
        parts = {name: np.where(here, getattr(voice, name), getattr(mix, name)) for name in names}
        clearest = replace(mix, **parts)
        both = _rows(voice, first_row, SEPARATED_WEIGHT) + MIX_WEIGHT * _rows(mix, first_row, 0.0)
        frame = (first_row + np.arange(len(rows))) * FRAMES_PER_ROW + FRAMES_PER_ROW // 2
        frame -= round(block.start / FRAME_SECONDS)
        rows = np.where(sung[np.clip(frame, 0, len(sung) - 1), None, None], both, rows)
    last = len(rows) if np.isinf(block.end) else round(block.end / ROW_SECONDS) - first_row
    return clearest, rows[:last], bool(sung.any())


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
    return _best_first((*one[0], *other[0])), one[1]


def _best_first(melodies: Iterable[Melody]) -> tuple[Melody, ...]:
    """Order melodies by the seconds expected to be right, most first."""
    return tuple(sorted(melodies, key=_expected_seconds, reverse=True))


def _expected_seconds(melody: Melody) -> float:
    """Return the seconds of a line that are expected to be right."""
    return float((melody.duration * melody.confidence).sum())


def _rows(block: Salience, first_row: int, voice_weight: float) -> NDArray[np.float32]:
    """Sum salience into rows on the recording's own grid: strength and onsets, [rows, 2, 88]."""
    skip = max(0, round(first_row * FRAMES_PER_ROW - block.start / FRAME_SECONDS))
    count = (block.frames - skip) // FRAMES_PER_ROW
    span = slice(skip, skip + count * FRAMES_PER_ROW)
    note = block.note[span].reshape(count, FRAMES_PER_ROW, SEMITONES).mean(axis=1)
    onset = block.onset[span].reshape(count, FRAMES_PER_ROW, SEMITONES).max(axis=1)
    strength = note + ONSET_WEIGHT * onset
    if voice_weight:
        voice = by_semitone(block.voice[span]).reshape(count, FRAMES_PER_ROW, SEMITONES).mean(axis=1)
        strength += voice_weight * voice
    return np.stack([strength, onset], axis=1).astype(np.float32)


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
