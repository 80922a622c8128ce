"""Salience of a recording: how strongly each pitch sounds at each moment, on one grid.

Two networks listen: one hears every note (`melodysim.transcribe.basic_pitch`), one a voice in the mix
(`melodysim.transcribe.fcpe`). Both are brought to the first one's frames and pitches.

Conventions
-----------
Audio is mono float32 at `SAMPLE_RATE`. Salience is float32 in 0..1, one row a frame, frames
`FRAME_SECONDS` apart, the first centred on the first sample. Note and onset columns are semitones
from `LOWEST_PITCH` (MIDI 21, A0); contour and voice columns are thirds of a semitone from the same
pitch, so that columns 3k - 1 to 3k + 1 belong to semitone k.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from melodysim.transcribe.basic_pitch import (
    BINS_PER_SEMITONE,
    FRAME_SECONDS,
    LOWEST_PITCH,
    SAMPLE_RATE,
    SEMITONES,
    polyphonic_salience,
)
from melodysim.transcribe.fcpe import FRAME_OFFSET, VOICE_FRAME, VOICE_RATE, bin_pitches, voice_salience

CONTEXT_SECONDS = 1.0
"""Sound on either side of a stretch that the networks hear; the voice's receptive field is 0.94 s."""


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
    voice : ndarray of float32, shape (frames, 264)
        Whether a voice is at this exact pitch.
    start : float
        Time of the first frame in the recording, in seconds.
    """

    note: NDArray[np.float32]
    onset: NDArray[np.float32]
    contour: NDArray[np.float32]
    voice: NDArray[np.float32]
    start: float = 0.0

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.note)


def by_semitone(thirds: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fold columns of thirds of a semitone into semitones, by the strongest.

    Parameters
    ----------
    thirds : ndarray of float32, shape (frames, 264)

    Returns
    -------
    ndarray of float32, shape (frames, 88)
    """
    below = np.pad(thirds[:, :-1], ((0, 0), (1, 0)))
    folded: NDArray[np.float32] = below.reshape(len(thirds), SEMITONES, BINS_PER_SEMITONE).max(axis=2)
    return folded


def salience(
    audio: NDArray[np.float32],
    start: float = 0.0,
    threads: int = 0,
    deviation: float = 0.0,
    wanted: NDArray[np.bool_] | None = None,
    placements: int = 1,
) -> Salience:
    """Compute the salience of audio that fits in memory.

    Parameters
    ----------
    audio : ndarray of float32, shape (samples,)
        Mono at `SAMPLE_RATE`.
    start : float, optional
        Time of the first sample in the recording, in seconds.
    threads : int, optional
        Threads of ONNX Runtime; 0 lets it take all cores.
    deviation : float, optional
        Semitones that its notes lie above concert pitch: pitches are counted from there.
    wanted : ndarray of bool, shape (frames,), optional
        Frames in which it is needed; it is 0 in the others. By default all.
    placements : int, optional
        Of the windows in which notes are heard (`polyphonic_salience`).

    Returns
    -------
    Salience
        ``ceil(samples / SAMPLE_RATE / FRAME_SECONDS)`` frames.

    Raises
    ------
    MissingDependencyError
        If a package that runs the networks, or their weights, are not installed.
    """
    note, onset, contour = note_salience(audio, threads, deviation, wanted, placements)
    return Salience(note, onset, contour, voiced_salience(audio, threads, deviation, wanted), start)


def note_salience(
    audio: NDArray[np.float32],
    threads: int = 0,
    deviation: float = 0.0,
    wanted: NDArray[np.bool_] | None = None,
    placements: int = 1,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Compute the salience of notes, of onsets and of exact pitches: all but the voice's.

    Parameters
    ----------
    audio, threads, deviation, wanted, placements
        As for `salience`.

    Returns
    -------
    note, onset : ndarray of float32, shape (frames, 88)
    contour : ndarray of float32, shape (frames, 264)
        As in `Salience`.
    """
    columns = SEMITONES, SEMITONES, SEMITONES * BINS_PER_SEMITONE
    heard = tuple(np.zeros((frames_of(audio), count), np.float32) for count in columns)
    for stretch in _stretches(audio, wanted):
        found = polyphonic_salience(_tuned(stretch.audio, deviation), threads, placements)
        for into, each in zip(heard, found, strict=True):
            stretch.put(_in_time(each, stretch.frames, deviation), into)
    note, onset, contour = heard
    return note, onset, contour


def voiced_salience(
    audio: NDArray[np.float32],
    threads: int = 0,
    deviation: float = 0.0,
    wanted: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """Compute the salience of a voice.

    Parameters
    ----------
    audio, threads, deviation, wanted
        As for `salience`.

    Returns
    -------
    ndarray of float32, shape (frames, 264)
        As in `Salience`.
    """
    import soxr

    voice = np.zeros((frames_of(audio), SEMITONES * BINS_PER_SEMITONE), np.float32)
    for stretch in _stretches(audio, wanted):
        tuned = _tuned(stretch.audio, deviation)
        found = voice_salience(soxr.resample(tuned, SAMPLE_RATE, VOICE_RATE), threads)
        stretch.put(_in_time(_on_grid(found, frames_of(tuned)), stretch.frames, deviation), voice)
    return voice


@dataclass(frozen=True, eq=False)
class _Stretch:
    """A stretch of audio that is listened to, with its context.

    Attributes
    ----------
    audio : ndarray of float32, shape (samples,)
    begin, first, last : int
        Frames at which it begins with its context, and between which it is wanted.
    """

    audio: NDArray[np.float32]
    begin: int
    first: int
    last: int

    @property
    def frames(self) -> int:
        """Number of frames from its beginning to the last that is wanted."""
        return self.last - self.begin

    def put(self, found: NDArray[np.float32], whole: NDArray[np.float32]) -> None:
        """Put what was found into the frames that are wanted."""
        whole[self.first : self.last] = found[self.first - self.begin :]


def _stretches(audio: NDArray[np.float32], wanted: NDArray[np.bool_] | None) -> Iterator[_Stretch]:
    """Yield the stretches of audio whose frames are wanted; all in one if none are named."""
    if wanted is None:
        yield _Stretch(audio, 0, 0, frames_of(audio))
        return
    around = round(CONTEXT_SECONDS / FRAME_SECONDS)
    for first, last in runs(wanted):
        begin = max(0, first - around)
        samples = slice(*(round(k * FRAME_SECONDS * SAMPLE_RATE) for k in (begin, last + around)))
        yield _Stretch(audio[samples], begin, first, last)


def runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return begin and end of each run of true values."""
    edges = np.flatnonzero(np.diff(np.pad(flags, 1).astype(np.int8)))
    return [(begin, end) for begin, end in edges.reshape(-1, 2).tolist()]


def frames_of(audio: NDArray[np.float32]) -> int:
    """Return the number of frames of audio."""
    return int(np.ceil(len(audio) / SAMPLE_RATE / FRAME_SECONDS))


def _tuned(audio: NDArray[np.float32], deviation: float) -> NDArray[np.float32]:
    """Slow audio down until notes that lie this many semitones too high are in tune."""
    import soxr

    if not deviation:
        return audio
    slowed: NDArray[np.float32] = soxr.resample(audio, SAMPLE_RATE, SAMPLE_RATE * 2 ** (deviation / 12))
    return slowed


def _in_time(found: NDArray[np.float32], frames: int, deviation: float) -> NDArray[np.float32]:
    """Return the frames of slowed audio at the times of the audio as it was."""
    if not deviation:
        return found[:frames]
    place = np.rint(np.arange(frames) * 2 ** (deviation / 12)).astype(np.int64)
    return found[np.minimum(place, len(found) - 1)]


def _on_grid(found: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """Resample the voice's salience to the frames and columns of the contours."""
    columns = np.rint((bin_pitches() - LOWEST_PITCH) * BINS_PER_SEMITONE).astype(np.int64)
    thirds = np.zeros((len(found), SEMITONES * BINS_PER_SEMITONE), np.float32)
    for bin_, column in enumerate(columns):
        np.maximum(thirds[:, column], found[:, bin_], out=thirds[:, column])
    place = (np.arange(frames) * FRAME_SECONDS - FRAME_OFFSET) / VOICE_FRAME
    place = np.clip(place, 0, len(found) - 1)
    before = np.minimum(place.astype(np.int64), max(0, len(found) - 2))
    share = (place - before).astype(np.float32)[:, None]
    after = np.minimum(before + 1, len(found) - 1)
    blended: NDArray[np.float32] = thirds[before] * (1 - share) + thirds[after] * share
    return blended


def overlapping_blocks(
    audio: Iterable[NDArray[np.float32]], seconds: float, overlap: float
) -> Iterator[tuple[NDArray[np.float32], float, float, float]]:
    """Cut a stream of audio into overlapping blocks of bounded size.

    Parameters
    ----------
    audio : iterable of ndarray of float32
        Consecutive chunks of any length, mono at `SAMPLE_RATE`.
    seconds : float
        Length of a block without its overlaps.
    overlap : float
        Seconds of context added on either side of a block, where there are any.

    Yields
    ------
    block : ndarray of float32, shape (samples,)
        With its context.
    start : float
        Seconds of the recording at which it begins.
    begin, end : float
        The span, in seconds of the recording, for which this block is to be used. The last block ends
        at infinity.
    """
    hop, context = round(seconds * SAMPLE_RATE), round(overlap * SAMPLE_RATE)
    held = np.zeros(0, np.float32)
    offset = 0  # sample number, in the recording, of held[0]
    begin = 0  # sample number from which the next block is used
    for chunk in audio:
        held = np.concatenate([held, chunk])
        while offset + len(held) > begin + hop + context:
            stop = begin + hop + context - offset
            block = held[:stop]
            yield block, offset / SAMPLE_RATE, begin / SAMPLE_RATE, (begin + hop) / SAMPLE_RATE
            begin += hop
            drop = max(0, begin - context - offset)
            held, offset = held[drop:], offset + drop
    if len(held) and offset + len(held) > begin:
        yield held, offset / SAMPLE_RATE, begin / SAMPLE_RATE, float("inf")
