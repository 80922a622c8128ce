"""Clips of workstation projects, laid on the time line as they play.

The readers of projects share this module. A clip plays from its start mark on;
its loop repeats as often as it fits and is cut off where the clip ends.

Conventions: places are in quarter notes until a tempo map turns them into seconds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from melodysim.errors import ReadError
from melodysim.readers.bounds import MAX_QUARTERS, MAX_SECONDS, MOST_NOTES
from melodysim.readers.midi.midi_parts import DRUM_CHANNEL, SHORTEST_NOTE
from melodysim.readers.parts.drums import beats_time, moves_like_a_tune
from melodysim.readers.parts.part_names import names_drums
from melodysim.readers.parts.score import Part, Score
from melodysim.readers.tempo import TempoMap

SAVE_AGAIN = "save the project again"
AUDIO_UNHEARD = "audio in the project was not listened to: bounce it, and check the recording too"
_EMPTY_LOOP = 1e-6


class ClipNote(NamedTuple):
    """A note of a clip: onset and duration in quarter notes, pitch, channel counted from 0."""

    onset: float
    duration: float
    pitch: float
    channel: int = 0


def unrolled(
    notes: list[ClipNote],
    start: float,
    length: float,
    play_from: float,
    loop: tuple[float, float] | None,
) -> list[ClipNote]:
    """Lay the notes of a clip on the time line as they play, in order of onset.

    Parameters
    ----------
    notes : list of ClipNote
        In the clip's own time.
    start, length : float
        Of the clip, on the time line.
    play_from : float
        Place in the clip at which it begins to play.
    loop : (float, float) or None
        Begin and end of the loop in the clip, if it has one.

    Raises
    ------
    ReadError
        If the clip would repeat more notes than a file may hold.

    Examples
    --------
    Two notes, looped every two quarter notes, in a clip of five that begins at 8:

    >>> laid = unrolled([ClipNote(0, 1, 60), ClipNote(1, 3, 62)], 8, 5, 1, (0, 2))
    >>> [note[:3] for note in laid]
    [(8, 1, 62), (9, 1, 60), (10, 1, 62), (11, 1, 60), (12, 1, 62)]
    """
    stretches = [(play_from, play_from + length, start)]
    if loop is not None and loop[1] - loop[0] > _EMPTY_LOOP:
        first, last = loop
        stretches = [(play_from, min(max(last, play_from), play_from + length), start)]
        at = start + stretches[0][1] - play_from
        if (length / (last - first)) * max(len(notes), 1) > MOST_NOTES:
            raise ReadError(f"a clip repeats more than {MOST_NOTES:,} notes")
        while at < start + length - 1e-9:
            rest = min(last - first, start + length - at)
            stretches.append((first, first + rest, at))
            at += last - first
    return sorted(
        ClipNote(
            at + note.onset - first, min(note.duration, last - note.onset), note.pitch, note.channel
        )
        for first, last, at in stretches
        for note in notes
        if first <= note.onset < last and note.duration > 0
    )


def project_score(
    tracks: list[tuple[str, list[ClipNote]]],
    tempo: TempoMap,
    bar: float,
    title: str | None = None,
    creator: str | None = None,
    remarks: tuple[str, ...] = (),
) -> Score:
    """Make a score of the notes of tracks, each with its name; what beats time is left out.

    Raises
    ------
    ReadError
        If there are more notes than a file may hold.
    """
    parts = []
    taken: dict[str, int] = {}
    if sum(len(notes) for _, notes in tracks) > MOST_NOTES:
        raise ReadError(f"holds more than {MOST_NOTES:,} notes")
    for name, notes in tracks:
        rows = sorted(note for note in notes if -MAX_QUARTERS < note.onset < MAX_QUARTERS)
        if not rows:
            continue
        beat, length, pitch, channel = np.array(rows, np.float64).T
        onset = tempo.seconds(beat)
        if _beats_time(name, onset, pitch, channel):
            continue
        duration = np.clip(tempo.seconds(beat + length) - onset, SHORTEST_NOTE, MAX_SECONDS)
        kept = (pitch >= 0) & (pitch <= 127) & (onset >= 0) & (onset < MAX_SECONDS)
        taken[name] = taken.get(name, 0) + 1
        if taken[name] > 1:  # a reader of the report must tell them apart
            name = f"{name} ({taken[name]})"
        parts.append(Part(name, onset[kept], duration[kept], pitch[kept], beat[kept]))
    return Score(tuple(part for part in parts if len(part)), title, creator, bar, remarks)


def _beats_time(
    name: str,
    onset: NDArray[np.float64],
    pitch: NDArray[np.float64],
    channel: NDArray[np.float64],
) -> bool:
    """Say whether a track is drums: by its name, or all on channel 10, and by how it moves."""
    if (channel == DRUM_CHANNEL).all():
        return beats_time(name, onset, pitch)
    return names_drums(name) and not moves_like_a_tune(onset, pitch)
