"""Melodies as arrays of notes, and pieces made of melodies.

Conventions
-----------
Times are seconds from the beginning of the source. Pitch is a MIDI note number (69 = A4 = 440 Hz);
fractions are allowed, as a singer needs them. One array entry is one note, in order of onset, and
onsets are strictly increasing: a melody has one voice. Rests are where a note ends before the next
begins. Arrays are read-only, so a melody can be shared between threads.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from melodysim.errors import InvalidNotesError
from melodysim.util.plain_text import counted

Kind = Literal["audio", "midi", "score", "notes"]

PITCH_RANGE = (0.0, 127.0)
"""MIDI note numbers that a pitch may have."""
_NUMBERS = "biufO"
"""Kinds of numpy's dtypes that may hold real numbers."""
_KINDS = {"U": "text", "S": "bytes", "c": "complex numbers", "M": "dates", "m": "spans of time"}
FEWEST_NOTES = 4
"""A line of fewer notes is too short to be recognised."""


def numbers(values: ArrayLike, dtype: type = np.float64) -> NDArray:
    """Copy numbers to an array.

    Parameters
    ----------
    values : array_like
    dtype : type, optional
        Of the array.

    Raises
    ------
    InvalidNotesError
        If they are no real numbers, or some are masked.
    """
    # Only where somebody has loaded `numpy.ma` can an array be masked.
    if "numpy.ma" in sys.modules and isinstance(values, np.ma.MaskedArray) and np.any(values.mask):
        raise InvalidNotesError("notes are masked", "leave these out of all arrays")
    try:
        given = np.asarray(values)
        if given.dtype.kind not in _NUMBERS:
            raise TypeError(f"they are {_KINDS.get(given.dtype.kind, given.dtype)}")
        with np.errstate(over="ignore"):  # what overflows is infinite, and refused for that
            array: NDArray = np.array(given, dtype=dtype)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidNotesError(f"notes are not numbers: {error}") from error
    return array


def _frozen(values: ArrayLike, dtype: type) -> NDArray:
    """Copy to a read-only array of the given dtype."""
    array = numbers(values, dtype)
    array.flags.writeable = False
    return array


@dataclass(frozen=True, eq=False)
class Melody:
    """One voice, note by note.

    Attributes
    ----------
    onset : ndarray of float64, shape (n,)
        Beginnings in seconds, strictly increasing.
    duration : ndarray of float64, shape (n,)
        Lengths in seconds, above 0.
    pitch : ndarray of float32, shape (n,)
        MIDI note numbers, fractions allowed.
    confidence : ndarray of float32, shape (n,)
        How sure the source is of each note, 0..1; 1 for notated music.
    voice : str
        Which part, or which melody tracker, the notes come from.
    beat : ndarray of float64, shape (n,), or None
        Onsets in quarter notes, where the source has them.
    """

    onset: NDArray[np.float64]
    duration: NDArray[np.float64]
    pitch: NDArray[np.float32]
    confidence: NDArray[np.float32]
    voice: str = ""
    beat: NDArray[np.float64] | None = None

    def __repr__(self) -> str:
        """Describe the melody in one line, without listing its notes."""
        named = f" {self.voice!r}" if self.voice else ""
        first = float(self.onset[0]) if len(self) else 0.0
        return f"<Melody{named}: {counted(len(self), 'note')}, {first:.1f} to {self.end:.1f} s>"

    @classmethod
    def from_notes(
        cls,
        onset: ArrayLike,
        duration: ArrayLike,
        pitch: ArrayLike,
        confidence: ArrayLike | None = None,
        voice: str = "",
        beat: ArrayLike | None = None,
    ) -> Melody:
        """Make a melody from array-likes, and check it.

        Parameters
        ----------
        onset, duration, pitch : array_like, shape (n,)
            As in the class; n may be 0.
        confidence : array_like, shape (n,), optional
            1 for every note if left out.
        voice : str, optional
            As in the class.
        beat : array_like, shape (n,), optional
            As in the class.

        Returns
        -------
        Melody
            With read-only copies of the arrays.

        Raises
        ------
        InvalidNotesError
            If lengths differ, a value is not finite, onsets do not increase strictly, a duration is
            not above 0, a pitch lies outside 0..127 or a confidence outside 0..1.

        Examples
        --------
        >>> tune = Melody.from_notes([0, 0.5, 1.0], [0.5, 0.5, 1.0], [60, 62, 64])
        >>> len(tune)
        3
        """
        onsets, durations = _frozen(onset, np.float64), _frozen(duration, np.float64)
        pitches = _frozen(pitch, np.float32)
        sure = _frozen(np.ones(onsets.shape) if confidence is None else confidence, np.float32)
        beats = None if beat is None else _frozen(beat, np.float64)
        _check_notes(onsets, durations, pitches, sure, beats)
        return cls(onsets, durations, pitches, sure, voice, beats)

    @classmethod
    def from_overlapping(
        cls,
        onset: NDArray[np.float64],
        duration: NDArray[np.float64],
        pitch: NDArray[np.floating],
        confidence: NDArray[np.floating] | None = None,
        voice: str = "",
        beat: NDArray[np.float64] | None = None,
    ) -> Melody:
        """Make a melody of notes in any order, which may overlap: see `without_overlap`.

        Parameters
        ----------
        onset, duration, pitch, confidence, voice, beat
            As for `from_notes`.

        Raises
        ------
        InvalidNotesError
            As `from_notes` does.
        """
        onset, duration, pitch = (np.asarray(a, np.float64) for a in (onset, duration, pitch))
        kept, lasting = without_overlap(onset, duration)
        sure = None if confidence is None else confidence[kept]
        beats = None if beat is None else beat[kept]
        return cls.from_notes(onset[kept], lasting, pitch[kept], sure, voice, beats)

    @classmethod
    def from_midi_bytes(cls, content: bytes) -> Melody:
        """Read the likeliest melody of a Standard MIDI file; see `melodysim.melody_of_midi`."""
        import melodysim

        return melodysim.melody_of_midi(content)

    def to_midi(self) -> bytes:
        """Write the melody as a Standard MIDI file; see `melodysim.midi_bytes`."""
        import melodysim

        return melodysim.midi_bytes([self])

    def __setstate__(self, state: dict[str, object]) -> None:
        """Restore a melody that was pickled or copied, its arrays read-only again."""
        self.__dict__.update(state)
        for value in state.values():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False

    def __len__(self) -> int:
        """Return the number of notes."""
        return len(self.pitch)

    def __getitem__(self, notes: slice) -> Melody:
        """Return some notes in a row as a melody of their own, at the same times.

        Raises
        ------
        InvalidNotesError
            If they are no slice, or one that goes backwards.
        """
        if not isinstance(notes, slice) or (notes.step or 1) < 0:
            raise InvalidNotesError(
                "notes of a melody are taken by a slice that goes forwards", "such as melody[4:12]"
            )
        beat = None if self.beat is None else self.beat[notes]
        parts = (self.onset[notes], self.duration[notes], self.pitch[notes], self.confidence[notes])
        return Melody(*parts, self.voice, beat)

    @property
    def end(self) -> float:
        """Time at which the last note has ended, in seconds; 0 without notes."""
        return float((self.onset + self.duration).max()) if len(self) else 0.0


def require_sounding(duration: NDArray, pitch: NDArray, *others: NDArray) -> None:
    """Raise `InvalidNotesError` if a value is not finite, a note has no length or no MIDI note number.

    Parameters
    ----------
    duration, pitch : ndarray, shape (n,)
        Of the notes.
    *others : ndarray, shape (n,)
        What else must be finite.
    """
    if not all(np.isfinite(a).all() for a in (duration, pitch, *others)):
        raise InvalidNotesError("a melody may not hold NaN or infinite values")
    if (duration <= 0).any():
        raise InvalidNotesError("every note needs a duration above 0 seconds")
    if len(pitch) and (pitch.min() < PITCH_RANGE[0] or pitch.max() > PITCH_RANGE[1]):
        raise InvalidNotesError("pitches are MIDI note numbers and lie between 0 and 127")


def _check_notes(
    onset: NDArray, duration: NDArray, pitch: NDArray, confidence: NDArray, beat: NDArray | None
) -> None:
    """Raise `InvalidNotesError` where arrays break the conventions of `Melody`."""
    arrays = [onset, duration, pitch, confidence] + ([] if beat is None else [beat])
    if any(a.ndim != 1 or a.shape != onset.shape for a in arrays):
        shapes = ", ".join(str(a.shape) for a in arrays)
        raise InvalidNotesError(f"a melody needs arrays of one length and one dimension, got {shapes}")
    require_sounding(duration, pitch, onset, *arrays[3:])
    if (np.diff(onset) <= 0).any():
        first = int(np.flatnonzero(np.diff(onset) <= 0)[0]) + 1
        raise InvalidNotesError(
            f"onsets must increase strictly, but note {first} does not begin after the one before it",
            "for chords, keep the top note",
        )
    if len(confidence) and (confidence.min() < 0 or confidence.max() > 1):
        raise InvalidNotesError("confidence lies between 0 and 1")


@dataclass(frozen=True, eq=False)
class SemitoneSalience:
    """Salience of a recording by semitone, before any note is decided on.

    A reference melody can be aligned directly with it, so that errors of a melody tracker do not hide a
    match.

    Attributes
    ----------
    strength : ndarray of float32, shape (frames, 88)
        How strongly each semitone from `LOWEST_SEMITONE` sounds or begins, 0 or more.
    onset : ndarray of float32, shape (frames, 88)
        How strongly each begins, 0 or more.
    frame : float
        Seconds from one row to the next; the first row begins at 0.
    separated : float or None
        Share of the power of the mix that is in the voice that was separated from it and listened to; 0
        if nobody sings, so that the mix alone was; None where the salience is not of a recording.
    """

    strength: NDArray[np.float32]
    onset: NDArray[np.float32]
    frame: float
    separated: float | None = None


LOWEST_SEMITONE = 21
"""MIDI note number of the first column of `SemitoneSalience.strength`."""


@dataclass(frozen=True, eq=False)
class Measures:
    """The measures of a score, in the order in which they are played, repeats and all.

    Attributes
    ----------
    begin : ndarray of float64, shape (n,)
        Quarter notes from the beginning of the piece.
    written : ndarray of intp, shape (n,)
        Which measure of the page each is, from 0.
    number : tuple of str
        What is printed at each measure of the page.
    """

    begin: NDArray[np.float64]
    written: NDArray[np.intp]
    number: tuple[str, ...]

    def at(self, beat: float) -> int:
        """Return which measure of the page is played at a beat."""
        return int(self.written[max(int(np.searchsorted(self.begin, beat + 1e-6)) - 1, 0)])

    def bars(self, beats: tuple[float, float]) -> tuple[str, str]:
        """Return what is printed at the measures of two beats."""
        first, last = (self.number[self.at(beat)] for beat in beats)
        return first, last


@dataclass(frozen=True, eq=False)
class Piece:
    """A track or a score as it was read: its candidate melodies, and where they come from.

    Attributes
    ----------
    source : str
        Path of the file as it was given, or another name for where the notes are from.
    kind : {"audio", "midi", "score", "notes"}
        What it was read from.
    melodies : tuple of Melody
        Candidate melodies, the likeliest to be the tune first; empty if none was found.
    duration : float
        Length of the whole source in seconds, silence included.
    title, creator : str or None
        As the source names them.
    sha256 : str
        Of the file's bytes, in hexadecimal; empty for notes handed in.
    heard : SemitoneSalience or None
        The salience behind the melodies, for recordings.
    bar : float or None
        Quarter notes in a bar, for workstation projects, whose `melodies` are their tracks.
    remarks : tuple of str
        What was odd about the source and how it was read, each a sentence without its full stop.
    left_out : tuple of str
        Parts that could be the tune and are not among the melodies, for want of room.
    measures : Measures or None
        Of a score that is read by measures.
    """

    source: str
    kind: Kind
    melodies: tuple[Melody, ...]
    duration: float
    title: str | None = None
    creator: str | None = None
    sha256: str = ""
    heard: SemitoneSalience | None = None
    bar: float | None = None
    remarks: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    measures: Measures | None = None

    def __repr__(self) -> str:
        """Describe the piece in one line, without its notes."""
        lines = counted(len(self.melodies), "melody", "melodies")
        return f"<Piece {self.source!r}: {self.kind}, {lines}, {self.duration:.1f} s>"


def without_overlap(
    onset: NDArray[np.float64], duration: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Reduce notes to one voice: in order of onset, each cut off where the next begins.

    Parameters
    ----------
    onset, duration : ndarray of float64, shape (n,)
        In any order and unit.

    Returns
    -------
    kept : ndarray of intp, shape (m,)
        Notes in order of onset; of those that begin together, the first.
    duration : ndarray of float64, shape (m,)
        Of the kept notes, in the unit of `onset`.
    """
    order = np.argsort(onset, kind="stable")
    kept = order[np.concatenate([[True], np.diff(onset[order]) > 0])[: len(order)]]
    return kept, np.minimum(duration[kept], np.diff(onset[kept], append=np.inf))


def top_line(
    onset: NDArray[np.float64],
    duration: NDArray[np.float64],
    pitch: NDArray[np.float64],
    simultaneous: float = 0.03,
) -> NDArray[np.intp]:
    """Choose the notes of the highest voice of polyphonic music (the "skyline").

    A note belongs to the line unless a higher note begins with it, or is held over its beginning for
    longer than both notes' onsets could differ by chance. Uitdenbogerd & Zobel (1999), "Melodic
    matching techniques for large music databases", found this the best simple choice.

    Parameters
    ----------
    onset, duration, pitch : ndarray, shape (n,)
        Notes in any order.
    simultaneous : float, optional
        Onsets closer than this, in the unit of `onset`, are one moment.

    Returns
    -------
    ndarray of intp, shape (m,)
        Indices of the chosen notes, in order of onset, their onsets strictly increasing.
    """
    order = np.lexsort((-pitch, onset))
    chosen: list[int] = []
    last_onset = last_end = last_pitch = -np.inf
    # Plain numbers: indexing arrays one by one takes four times as long.
    columns = (order.tolist(), onset[order].tolist(), duration[order].tolist(), pitch[order].tolist())
    for i, begin, length, height in zip(*columns, strict=True):
        if chosen and begin - last_onset <= simultaneous:
            if height <= last_pitch:
                continue
            chosen.pop()  # began slightly earlier, but lower: the same chord
        if height < last_pitch and begin < last_end - simultaneous:
            continue
        chosen.append(i)
        last_onset, last_end, last_pitch = begin, begin + length, height
    return np.array(chosen, dtype=np.intp)
