"""Melodies without key and tempo, as alignment compares them.

A melody is the same in another key if its intervals are the same, and at another tempo if the ratios
of its successive inter-onset intervals are. Rests are folded into the inter-onset interval: where a
singer breathes is not part of the tune. Representation after Mongeau & Sankoff (1990), "Comparison
of musical sequences"; the key estimate, for the report only, after Krumhansl (1990), *Cognitive
Foundations of Musical Pitch*, with the profiles of Temperley (1999).

Conventions
-----------
A sequence of n notes has n - 1 intervals; entry i leads from note i to note i + 1. Intervals are in
semitones, clipped to ±`MAX_INTERVAL` by whole octaves. `ratio[i]` compares the inter-onset interval
i with the one before it, in `RATIO_STEPS` per octave of time; `ratio[0]` is 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from melodysim.melody import Melody

MAX_INTERVAL = 18
"""Larger leaps are folded by octaves: they are nearly always errors or changes of register."""
RATIO_STEPS = 2
"""Steps of `ratio` per doubling of time."""
MAX_RATIO = 6
"""`ratio` is clipped to ± this: eight times as long or as short."""

_MAJOR = np.array([5.0, 2.0, 3.5, 2.0, 4.5, 4.0, 2.0, 4.5, 2.0, 3.5, 1.5, 4.0])
_MINOR = np.array([5.0, 2.0, 3.5, 4.5, 2.0, 4.0, 2.0, 4.5, 3.5, 2.0, 1.5, 4.0])
_PITCH_CLASSES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
_KEYS = tuple({"D♯": "E♭", "G♯": "A♭", "A♯": "B♭"}.get(name, name) for name in _PITCH_CLASSES)
"""Names of the twelve tonics; of two spellings, the key with fewer accidentals."""


@dataclass(frozen=True, eq=False)
class Sequence:
    """A melody without key and tempo.

    Attributes
    ----------
    interval : ndarray of int8, shape (n - 1,)
        Semitones from each note to the next.
    ratio : ndarray of int8, shape (n - 1,)
        Quantised log2 of each inter-onset interval over the one before.
    pitch : ndarray of int16, shape (n,)
        Semitones above the first note: the running sum of `interval`.
    time : ndarray of float64, shape (n,)
        Onsets; only their ratios are ever used.
    """

    interval: NDArray[np.int8]
    ratio: NDArray[np.int8]
    pitch: NDArray[np.int16]
    time: NDArray[np.float64]

    def __len__(self) -> int:
        """Return the number of notes."""
        return len(self.pitch)


def note_name(pitch: int) -> str:
    """Return the name of a MIDI note number.

    Examples
    --------
    >>> note_name(69), note_name(60)
    ('A4', 'C4')
    """
    return f"{_PITCH_CLASSES[pitch % 12]}{pitch // 12 - 1}"


def semitones(pitch: NDArray[np.floating]) -> NDArray[np.int16]:
    """Round pitches to semitones about the tuning that fits them best.

    The tuning is the circular mean of the fractional parts. Whole-number pitches stay as they are.

    Parameters
    ----------
    pitch : ndarray of float, shape (n,)
        MIDI note numbers.

    Returns
    -------
    ndarray of int16, shape (n,)
    """
    if not len(pitch):
        return np.zeros(0, np.int16)
    tuning = np.angle(np.exp(2j * np.pi * pitch.astype(np.float64)).mean()) / (2 * np.pi)
    return np.rint(pitch - tuning).astype(np.int16)


def fold_leaps(interval: NDArray[np.integer]) -> NDArray[np.int16]:
    """Bring intervals beyond ±`MAX_INTERVAL` back into range by whole octaves."""
    beyond = np.abs(interval.astype(np.int16)) - MAX_INTERVAL
    octaves = -(-np.maximum(beyond, 0) // 12)
    return (interval - np.sign(interval) * 12 * octaves).astype(np.int16)


def time_ratio(time: NDArray[np.float64]) -> NDArray[np.int8]:
    """Return the quantised log2 ratio of successive inter-onset intervals.

    Parameters
    ----------
    time : ndarray of float64, shape (n,)
        Onsets in any unit, strictly increasing.

    Returns
    -------
    ndarray of int8, shape (max(n - 1, 0),)

    Examples
    --------
    A quarter, a quarter and a half note, seen from their onsets:

    >>> time_ratio(np.array([0.0, 1.0, 2.0, 4.0])).tolist()
    [0, 0, 2]
    """
    ratio = np.zeros(max(len(time) - 1, 0), np.int8)
    if len(time) > 2:
        log_ioi = np.log2(np.diff(time))
        steps = np.clip(np.rint(np.diff(log_ioi) * RATIO_STEPS), -MAX_RATIO, MAX_RATIO)
        ratio[1:] = steps.astype(np.int8)
    return ratio


def normalise(melody: Melody) -> Sequence:
    """Take key and tempo out of a melody; without intervals if it has fewer than two notes."""
    step = fold_leaps(np.diff(semitones(melody.pitch)))
    pitch = np.concatenate([[0], np.cumsum(step)])[: len(melody)].astype(np.int16)
    return Sequence(
        interval=step.astype(np.int8),
        ratio=time_ratio(melody.onset),
        pitch=pitch,
        time=melody.onset.astype(np.float64),
    )


def retrograde(sequence: Sequence) -> Sequence:
    """Reverse a sequence in time: interval sizes and rhythms stay, the tune does not."""
    pitch = sequence.pitch[::-1] - (sequence.pitch[-1] if len(sequence) else 0)
    time = -sequence.time[::-1]
    return Sequence(
        interval=-sequence.interval[::-1],
        ratio=time_ratio(time),
        pitch=pitch.astype(np.int16),
        time=np.ascontiguousarray(time),
    )


def estimate_key(melody: Melody) -> str | None:
    """Name the key that fits a melody best, for the report; alignment does not use it.

    Correlates the time that each pitch class sounds with Temperley's key profiles.

    Returns
    -------
    str or None
        Such as ``"E♭ major"`` or ``"A minor"``; None with fewer than three pitch classes.

    Examples
    --------
    >>> scale = Melody.from_notes(range(8), [1] * 8, [67, 69, 71, 72, 74, 76, 78, 79])
    >>> estimate_key(scale)
    'G major'
    """
    found = fitted_key(melody)
    return None if found is None else f"{_KEYS[found[0]]} {found[1]}"


def fitted_key(melody: Melody) -> tuple[int, str] | None:
    """Find the key that fits a melody best.

    Returns
    -------
    (int, {"major", "minor"}) or None
        Pitch class of the tonic (0 is C), and the mode; None with fewer than three pitch classes.
    """
    if not len(melody):
        return None
    classes = semitones(melody.pitch) % 12
    weight = np.bincount(classes, weights=melody.duration, minlength=12)
    if np.count_nonzero(weight) < 3:
        return None
    fits = [
        (np.corrcoef(np.roll(profile, tonic), weight)[0, 1], _KEYS[tonic], tonic, mode)
        for tonic in range(12)
        for mode, profile in (("major", _MAJOR), ("minor", _MINOR))
    ]
    return max(fits)[2:]
