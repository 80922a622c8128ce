"""Parts from scores: MusicXML and kern by music21, ABC by our own reader.

music21 (Cuthbert & Ariza 2010) is imported here and nowhere else, when a score is first read: it
takes about 1.5 s. ABC goes through `melodysim.readers.abc`, which is some fifty times as fast and
keeps to the standard where music21 10 drops notes (a fermata ``H`` takes its note with it).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from melodysim.errors import MissingDependencyError, ReadError
from melodysim.melody import Melody
from melodysim.readers.abc import DEFAULT_TEMPO, Tune, tunes
from melodysim.readers.parts import Part, Score

MUSIC21_FORMATS = {
    ".musicxml": "musicxml",
    ".xml": "musicxml",
    ".mxl": "musicxml",
    ".krn": "humdrum",
}
"""File name suffixes that music21 reads here, and its names for the formats."""


def _melody_part(melody: Melody, fallback: str) -> Part:
    beat = melody.onset if melody.beat is None else melody.beat
    return Part(
        melody.voice or fallback, melody.onset, melody.duration, melody.pitch.astype(float), beat
    )


def read_abc(path: Path, content: bytes) -> Iterator[tuple[Tune, Score]]:
    """Read every tune of an ABC file.

    Parameters
    ----------
    path : Path
        Only named in errors.
    content : bytes
        The file's bytes, in UTF-8 or Latin-1.

    Yields
    ------
    tune : Tune
        With its number and texts.
    score : Score
        Its voices as parts.

    Raises
    ------
    ReadError
        If there is no tune in it.
    """
    found = False
    for tune in tunes(decode(content)):
        found = found or bool(tune.melodies)
        parts = tuple(_melody_part(melody, "tune") for melody in tune.melodies)
        yield tune, Score(parts, tune.title, tune.creator)
    if not found:
        raise ReadError("no ABC tune with notes in it", "is it an ABC file?", path)


def decode(content: bytes) -> str:
    """Decode text that is UTF-8 or, as old tune books are, Latin-1."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def read_music21(path: Path) -> Score:
    """Read a MusicXML, compressed MusicXML or kern file.

    Parameters
    ----------
    path : Path
        Its suffix says which format it is.

    Returns
    -------
    Score
        One part a staff; without parts if there are no notes.

    Raises
    ------
    ReadError
        If music21 cannot read it.
    MissingDependencyError
        If music21 is not installed.
    """
    try:
        from music21 import converter
    except ImportError as error:
        raise MissingDependencyError(
            "reading scores needs music21: run `pip install 'melodysim[score]'`", path=path
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            stream = converter.parse(
                path,
                format=MUSIC21_FORMATS[path.suffix.lower()],
                forceSource=True,
                storePickle=False,
            )
            return _score(stream)
    except Exception as error:  # music21's readers raise anything, from KeyError to ParseError
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise ReadError(f"the score cannot be read ({reason})", "export it again", path) from error


def _score(stream: Any) -> Score:
    """Collect the parts of a music21 stream; ties joined, grace notes left out."""
    metadata = stream.metadata
    seconds_at = _tempo_map(stream)
    parts = []
    for index, part in enumerate(stream.parts if stream.hasPartLikeStreams() else [stream]):
        rows = [
            (float(n.getOffsetInHierarchy(part)), float(n.quarterLength), pitch.ps)
            for n in part.stripTies().recurse().notes
            if n.quarterLength > 0 and hasattr(n, "pitches")
            for pitch in n.pitches
        ]
        if rows:
            beat, length, pitch = (
                np.array(column, dtype=np.float64) for column in zip(*sorted(rows), strict=True)
            )
            onset = seconds_at(beat)
            name = str(part.partName or part.id or f"part {index + 1}")
            parts.append(Part(name, onset, seconds_at(beat + length) - onset, pitch, beat))
    return Score(
        tuple(parts),
        (metadata.bestTitle if metadata else None) or None,
        (metadata.composer if metadata else None) or None,
    )


def _tempo_map(stream: Any) -> Any:
    """Give a function from quarter notes to seconds by the score's metronome marks."""
    marks = [(0.0, DEFAULT_TEMPO)]
    for start, _, mark in stream.flatten().metronomeMarkBoundaries():
        speed = mark.getQuarterBPM()
        if speed:
            marks.append((float(start), float(speed)))
    marks.sort(key=lambda mark: mark[0])
    at = np.array([mark[0] for mark in marks])
    pace = 60.0 / np.array([mark[1] for mark in marks])
    elapsed = np.concatenate([[0.0], np.cumsum(np.diff(at) * pace[:-1])])

    def seconds_at(beat: np.ndarray) -> np.ndarray:
        segment = np.searchsorted(at, beat, side="right") - 1
        return elapsed[segment] + (beat - at[segment]) * pace[segment]

    return seconds_at
