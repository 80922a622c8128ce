"""Notes of written measures, laid one after another as they are played, ties joined."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from melodysim.errors import ReadError
from melodysim.readers.bounds import MAX_QUARTERS, MAX_SECONDS, MOST_NOTES
from melodysim.readers.parts.drums import moves_like_a_tune
from melodysim.readers.parts.score import Part
from melodysim.readers.tempo import DEFAULT_TEMPO, TempoMap, constant_tempi

_NEAR = 1e-3
"""Quarter notes within which a tied note follows the one before."""


@dataclass(frozen=True)
class MeasureNote:
    """A note as it stands in a measure.

    Attributes
    ----------
    onset : float
        Quarter notes from the beginning of the measure.
    duration : float
        Quarter notes.
    pitch : float
        MIDI note number, as it sounds.
    staff, voice : str
        Where it stands. A voice has one name throughout a staff.
    tie_begins, tie_ends : bool
        Whether it is tied to the next note of its pitch, and to the one before.
    """

    onset: float
    duration: float
    pitch: float
    staff: str
    voice: str
    tie_begins: bool = False
    tie_ends: bool = False


@dataclass(frozen=True)
class Placing:
    """A measure, or a section, at one of the times that it is played.

    Attributes
    ----------
    written : int
        Which it is, in the order of writing.
    begin : float
        Quarter notes from the beginning of the piece.
    follows : bool
        Whether it is played after the one that it is written after.
    """

    written: int
    begin: float
    follows: bool


def placings(order: Sequence[int], lengths: Sequence[float]) -> list[Placing]:
    """Lay measures or sections one after another.

    Parameters
    ----------
    order : sequence of int
        The order in which they are played.
    lengths : sequence of float
        Quarter notes, of each as written.
    """
    placed, now = [], 0.0
    for before, k in pairwise([-1, *order]):
        placed.append(Placing(k, now, before + 1 == k))
        now += lengths[k]
    return placed


def lay(measures: Iterable[tuple[float, bool, list[MeasureNote]]]) -> dict[str, list[list[float]]]:
    """Lay measures on the time line and join ties, each within its voice.

    Parameters
    ----------
    measures : iterable of (float, bool, list of MeasureNote)
        Beginning in quarter notes, whether it is played after the measure that it is written after, and
        notes, of each measure in the order of playing.

    Returns
    -------
    dict of str to list of [onset, duration, pitch, voice]
        By staff; in quarter notes. Voices are numbered as they come.
    """
    laid: dict[str, list[list[float]]] = {}
    voices: dict[tuple[str, str], int] = {}
    open_ties: dict[tuple[str, str, float], list[float]] = {}
    count = 0
    for begin, follows, notes in measures:
        for note in notes:
            onset = begin + note.onset
            before = _tied(open_ties, note, onset, follows)
            if before is not None:
                before[1] = onset + note.duration - before[0]
                row = before
            else:
                voice = voices.setdefault((note.staff, note.voice), len(voices) + 1)
                row = [onset, note.duration, note.pitch, voice]
                laid.setdefault(note.staff, []).append(row)
                count += 1
                if count > MOST_NOTES:
                    raise ReadError(f"holds more than {MOST_NOTES:,} notes")
            if note.tie_begins:
                open_ties[note.staff, note.voice, note.pitch] = row
    return laid


def _tied(
    open_ties: dict[tuple[str, str, float], list[float]], note: MeasureNote, onset: float, follows: bool
) -> list[float] | None:
    """Find the note that a note continues: in its voice, or, if it says that it is tied, in another."""
    key = (note.staff, note.voice, note.pitch)
    row = open_ties.get(key)
    if row is not None:
        # A tie leads to the next note of its pitch and ends there, even if that does not say so; but
        # out of a repeat it does not lead back to the repeat's beginning.
        del open_ties[key]
        near = abs(row[0] + row[1] - onset) < _NEAR
        return row if near and (follows or note.tie_ends or note.onset > 0) else None
    if not note.tie_ends:
        return None
    for other, row in open_ties.items():
        if other[2] == note.pitch and abs(row[0] + row[1] - onset) < _NEAR:
            del open_ties[other]
            return row
    return None


def parts_of(
    name: str, laid: dict[str, list[list[float]]], tempo: TempoMap, drums: bool = False
) -> list[Part]:
    """Make a part of each staff; of drums, only if they move like a tune."""
    parts = []
    for number, (staff, rows) in enumerate(sorted(laid.items()), 1):
        beat, length, pitch, voice = np.array(sorted(rows), np.float64).T
        if beat[-1] + length.max() > MAX_QUARTERS:
            raise ReadError(f"claims to last more than {MAX_QUARTERS:,.0f} quarter notes")
        onset = tempo.seconds(beat)
        duration = tempo.seconds(beat + length) - onset
        kept = (pitch >= 0) & (pitch <= 127) & (duration > 0)
        if drums and not moves_like_a_tune(onset, pitch):
            continue
        called = name if len(laid) == 1 else f"{name}, staff {staff or number}"
        written = np.unique(voice[kept], return_inverse=True)[1]
        part = Part(
            called,
            onset[kept],
            duration[kept],
            pitch[kept],
            beat[kept],
            written=written.astype(np.intp),
        )
        if len(part):
            parts.append(part)
    return parts


def tempo_map(marks: list[tuple[float, float]]) -> TempoMap:
    """Make a tempo map of places in quarter notes and quarter notes a minute there."""
    usable = sorted((place, tempo) for place, tempo in marks if place >= 0 and 1 <= tempo <= 2000)
    place, tempo = np.array([(0.0, DEFAULT_TEMPO), *usable]).T
    made = constant_tempi(place, 60.0 / tempo)
    if made.elapsed[-1] > MAX_SECONDS:
        raise ReadError("claims to last days")
    return made
