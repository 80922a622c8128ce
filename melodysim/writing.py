"""Melodies to MIDI files and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from melodysim.match import Match
from melodysim.melody import Melody
from melodysim.sequence import semitones

_TICKS = 960
_TICKS_PER_SECOND = 2 * _TICKS
"""At MIDI's default of 120 quarter notes a minute."""
_PROGRAM = 73
"""General MIDI's flute: it makes a line easy to follow by ear."""


def midi_bytes(melodies: Sequence[Melody]) -> bytes:
    """Write melodies as a Standard MIDI file, one track each, at 120 quarter notes a minute.

    Parameters
    ----------
    melodies : sequence of Melody

    Returns
    -------
    bytes
    """
    import symusic

    score: Any = symusic.Score(_TICKS)
    score.tempos.append(symusic.Tempo(0, qpm=120))
    for melody in melodies:
        track: Any = symusic.Track(melody.voice, _PROGRAM, False)
        for onset, duration, pitch, sure in zip(
            melody.onset, melody.duration, semitones(melody.pitch), melody.confidence, strict=True
        ):
            track.notes.append(
                symusic.Note(
                    round(onset * _TICKS_PER_SECOND),
                    max(1, round(duration * _TICKS_PER_SECOND)),
                    int(pitch),
                    int(40 + 80 * float(sure)),
                )
            )
        score.tracks.append(track)
    return bytes(score.dumps_midi())


def csv_text(melody: Melody) -> str:
    """Write a melody as CSV: onset and duration in seconds, pitch as a MIDI note number."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["onset", "duration", "pitch"])
    for onset, duration, pitch in zip(melody.onset, melody.duration, melody.pitch, strict=True):
        writer.writerow([f"{onset:.6f}", f"{duration:.6f}", f"{pitch:g}"])
    return out.getvalue()


def passage_melodies(track: Melody, reference: Melody, match: Match) -> list[Melody]:
    """Cut out the two passages of a match, to be written beside each other.

    Parameters
    ----------
    track, reference : Melody
        The whole melodies.
    match : Match

    Returns
    -------
    list of Melody
        The track's passage in its own time and pitch, from 0 s on, then the reference's: at its own
        pitch, stretched by the tempo ratio so that both last about as long.
    """
    begin, first = match.query.seconds[0], match.reference_span.seconds[0]
    mine, theirs = slice(*match.query.notes), slice(*match.reference_span.notes)
    return [
        Melody.from_notes(
            np.maximum(track.onset[mine] - begin, 0),
            track.duration[mine],
            track.pitch[mine],
            voice="track",
        ),
        Melody.from_notes(
            (reference.onset[theirs] - first) / match.tempo_ratio,
            reference.duration[theirs] / match.tempo_ratio,
            reference.pitch[theirs],
            voice=match.reference.title,
        ),
    ]
