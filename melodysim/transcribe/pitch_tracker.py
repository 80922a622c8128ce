"""Melody lines from salience.

A recording has three hypotheses. The *voice line* is the best path through the voice's
salience, the *tracked line* the best through the contours of all notes; both are found by Viterbi's
algorithm, with costs for gliding, for jumping and for beginning or ending to sing. The *top line* is
the highest of the notes that the model hears begin and sound; it is exact where the texture is thin.

After Ryynänen & Klapuri (2008), "Automatic transcription of melody, bass line, and chords in
polyphonic music", and Bosch, Bittner, Salamon & Gómez (2016), "A comparison of melody extraction
methods based on source-filter modelling" (salience, then a pitch path, then voicing).

Conventions: path costs are in units of the standard deviation of the emission; pitches are MIDI note
numbers; unvoiced frames hold NaN.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from melodysim.kernels import kernels
from melodysim.melody import Melody, top_line, without_overlap
from melodysim.transcribe.salience import (
    BINS_PER_SEMITONE,
    FRAME_SECONDS,
    LOWEST_PITCH,
    SEMITONES,
    Salience,
    by_semitone,
    runs,
)

# Tuned on half of 28 real recordings (docs/research/method.md); plateaus, not peaks.
TRACKED_RANGE = (40, 88)
"""MIDI note numbers between which the tune is searched for."""
NOTE_WEIGHT = 0.3
"""Share of note salience in the emission; the rest is contour salience."""
COMPRESSION = 0.5
"""Exponent of the salience, below 1 so that faint voices weigh more."""
REGISTER = (64.0, 14.0)
"""Centre and width, in semitones, of a weak preference for the middle register."""
REGISTER_WEIGHT = 0.3
VOICING_QUANTILE = 0.2
"""Share of frames in which even the strongest pitch is taken for silence."""
GLIDE_COST, JUMP_COST, OCTAVE_COST = 0.6, 6.0, 4.5
"""Cost per third of a semitone; of a jump of any size; of a jump of exactly an octave."""
VOICE_COST, UNVOICE_COST = 6.0, 1.0

VOICE_FLOOR, VOICE_SILENCE = 0.01, 0.06
"""Added to the voice's salience before the logarithm; salience that is as likely as silence."""
VOICE_JUMP, VOICE_ENTRY = 5.0, 2.0
"""Nats for a jump of the voice, and for its entry; gliding, octaves and pauses cost as above."""

CONFIDENCE = {"voice line": (0.15, 0.52), "tracked line": (-0.14, 2.04), "top line": (-0.52, 2.71)}
"""Logistic of the log-odds of a note's mean salience: how often such a note is the melody's (pitch
class right over half its length). Fitted on half of 100 rendered songs, Brier scores on the other half
0.19, 0.19 and 0.18 (docs/research/hearing.md)."""

SHORTEST_NOTE_FRAMES = 8
"""92 ms: a shorter piece is a glide to or from its neighbour."""
ONSET_SALIENCE = 0.4
"""Onset salience from which a held pitch begins a new note."""
NOTE_SALIENCE, TOP_LINE_ONSET = 0.35, 0.5
"""Note and onset salience of the events of the top line; the model's published thresholds are 0.3
and 0.5."""
TOP_LINE_LOWEST = 48
"""The top line drops below this only where bass notes sound alone, which is not the tune."""


def _tracked_columns() -> tuple[slice, NDArray[np.float64]]:
    """Return the columns of thirds of a semitone within `TRACKED_RANGE`, and their pitches."""
    first, last = ((pitch - LOWEST_PITCH) * BINS_PER_SEMITONE for pitch in TRACKED_RANGE)
    return slice(first, last), LOWEST_PITCH + np.arange(first, last) / BINS_PER_SEMITONE


def _emission(heard: Salience) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return how well each pitch explains each frame against silence, and the pitches."""
    columns, pitch = _tracked_columns()
    note = np.repeat(heard.note, BINS_PER_SEMITONE, axis=1)[:, columns]
    mixed = (1 - NOTE_WEIGHT) * heard.contour[:, columns] + NOTE_WEIGHT * note
    emission = mixed**COMPRESSION
    away = (pitch - REGISTER[0]) / REGISTER[1]
    emission -= REGISTER_WEIGHT * 2.0 * emission.mean() * away**2
    emission /= max(float(emission.std()), 1e-6)
    silence = np.quantile(emission.max(axis=1), VOICING_QUANTILE)
    return (emission - silence).astype(np.float32), pitch


def _path(
    emission: NDArray[np.float32], pitch: NDArray[np.float64], jump: float, entry: float
) -> NDArray[np.float64]:
    """Return the MIDI note number in each frame along the best path, NaN where nothing sings."""
    octave = 12 * BINS_PER_SEMITONE
    path = np.full(len(emission), -1, np.int16)
    if len(path):
        costs = GLIDE_COST, jump, OCTAVE_COST, entry, UNVOICE_COST, octave
        kernels().pitch_path(np.ascontiguousarray(emission), costs, path)
    return np.where(path >= 0, pitch[path], np.nan)


def _settle(pitch: NDArray[np.float64]) -> list[list[int]]:
    """Cut a voiced stretch into [begin, end, semitone]; a vibrato stays one note.

    A new note begins where the pitch leaves the present one by more than 0.7 semitones: rounding
    with hysteresis. A piece shorter than `SHORTEST_NOTE_FRAMES` is a glide and is
    added to the note before it.
    """
    width = min(11, len(pitch))
    padded = np.pad(pitch, (width // 2, (width - 1) // 2), mode="edge")
    smooth = np.median(np.lib.stride_tricks.sliding_window_view(padded, width), axis=1)
    pieces: list[list[int]] = []
    current = round(float(smooth[0]))
    begin = 0
    for k, value in enumerate(smooth):
        if abs(value - current) > 0.7:
            pieces.append([begin, k, current])
            begin, current = k, round(float(value))
    pieces.append([begin, len(smooth), current])
    notes: list[list[int]] = []
    for piece in pieces:
        joins = bool(notes) and notes[-1][1] == piece[0]
        if piece[1] - piece[0] < SHORTEST_NOTE_FRAMES:
            if joins:
                notes[-1][1] = piece[1]
        elif joins and notes[-1][2] == piece[2]:
            notes[-1][1] = piece[1]
        else:
            notes.append(piece)
    return notes


def _reattacks(onset: NDArray[np.float32]) -> list[int]:
    """Return the frames within a held pitch at which it is struck or sung again."""
    frames: list[int] = []
    for k in range(SHORTEST_NOTE_FRAMES, len(onset) - SHORTEST_NOTE_FRAMES):
        peak = onset[max(0, k - 4) : k + 5].max()
        far_enough = not frames or k - frames[-1] >= SHORTEST_NOTE_FRAMES
        if onset[k] >= ONSET_SALIENCE and onset[k] == peak and far_enough:
            frames.append(k)
    return frames


def tracked_line(heard: Salience) -> Melody:
    """Transcribe the tracked line to notes, with the share of such notes that are right as confidence.

    Parameters
    ----------
    heard : Salience
        Of one block.
    """
    pitch = _path(*_emission(heard), JUMP_COST, VOICE_COST)
    return _transcribed(heard, pitch, heard.note, "tracked line")


def voice_line(heard: Salience) -> Melody:
    """Transcribe the voice to notes.

    Parameters
    ----------
    heard : Salience
        Of one block.
    """
    columns, at = _tracked_columns()
    emission = np.log((heard.voice[:, columns] + VOICE_FLOOR) / (VOICE_SILENCE + VOICE_FLOOR))
    pitch = _path(emission, at, VOICE_JUMP, VOICE_ENTRY)
    return _transcribed(heard, pitch, by_semitone(heard.voice), "voice line")


def _transcribed(
    heard: Salience, pitch: NDArray[np.float64], salience: NDArray[np.float32], voice: str
) -> Melody:
    """Cut a pitch track into notes: at jumps, at pauses and where a note begins anew."""
    voiced = ~np.isnan(pitch)
    tuning = 0.0
    if voiced.any():
        tuning = float(np.angle(np.exp(2j * np.pi * pitch[voiced]).mean()) / (2 * np.pi))
    rows: list[tuple[int, int, float, float]] = []
    for begin, end in runs(voiced):
        for first, last, semitone in _settle(pitch[begin:end] - tuning):
            column = int(np.clip(round(semitone + tuning) - LOWEST_PITCH, 0, SEMITONES - 1))
            span = slice(begin + first, begin + last)
            near = slice(max(0, column - 1), column + 2)
            cuts = [0, *_reattacks(heard.onset[span, near].max(axis=1)), last - first]
            for a, b in itertools.pairwise(cuts):
                part = slice(span.start + a, span.start + b)
                sure = float(salience[part, near].max(axis=1).mean())
                rows.append((part.start, part.stop, float(semitone), sure))
    return _notes(rows, heard.start, voice)


def top_line_of_events(heard: Salience) -> Melody:
    """Transcribe the highest line of the note events.

    Parameters
    ----------
    heard : Salience
        Of one block.
    """
    rows = []
    for column in range(TOP_LINE_LOWEST - LOWEST_PITCH, SEMITONES):
        for begin, end in runs(heard.note[:, column] > NOTE_SALIENCE):
            onset = heard.onset[begin:end, column]
            peaks = np.flatnonzero(
                (onset > TOP_LINE_ONSET)
                & (onset >= np.concatenate([onset[:1], onset[:-1]]))
                & (onset > np.concatenate([onset[1:], [0.0]]))
            )
            cuts = sorted({0, *(int(p) for p in peaks if p >= SHORTEST_NOTE_FRAMES), end - begin})
            for a, b in itertools.pairwise(cuts):
                if b - a >= SHORTEST_NOTE_FRAMES:
                    sure = float(heard.note[begin + a : begin + b, column].mean())
                    rows.append((begin + a, begin + b, float(LOWEST_PITCH + column), sure))
    table = np.array(rows, np.float64).reshape(-1, 4)
    starts, lengths = table[:, 0] * FRAME_SECONDS, (table[:, 1] - table[:, 0]) * FRAME_SECONDS
    chosen = top_line(starts, lengths, table[:, 2])
    return _notes([rows[i] for i in chosen], heard.start, "top line")


def _notes(rows: list[tuple[int, int, float, float]], start: float, voice: str) -> Melody:
    """Make a melody of (begin frame, end frame, pitch, salience), clipped where notes overlap."""
    begin, end, pitch, sure = (
        (np.array(column, float) for column in zip(*rows, strict=True)) if rows else np.zeros((4, 0))
    )
    kept, frames = without_overlap(begin, end - begin)
    salience = np.clip(sure[kept], 0.01, 0.99)
    intercept, slope = CONFIDENCE[voice]
    sure = 1 / (1 + np.exp(-(intercept + slope * np.log(salience / (1 - salience)))))
    return Melody.from_notes(
        start + begin[kept] * FRAME_SECONDS, frames * FRAME_SECONDS, pitch[kept], sure, voice
    )
