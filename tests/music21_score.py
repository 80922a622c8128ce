"""Parts from MusicXML, compressed MusicXML and kern, by music21 (Cuthbert & Ariza 2010).

music21 is imported here and nowhere else, when a score is first read: it takes about 1.5 s.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from melodysim.errors import MissingDependencyError, ReadError
from melodysim.readers.parts.score import Part, Score
from melodysim.readers.tempo import DEFAULT_TEMPO, TempoMap, constant_tempi

MUSIC21_FORMATS = {".musicxml": "musicxml", ".xml": "musicxml", ".mxl": "musicxml", ".krn": "humdrum"}
"""File name suffixes that music21 reads here, and its names for the formats."""


def read_music21(path: Path) -> Score:
    """Read a MusicXML, compressed MusicXML or kern file: a part for each staff that has notes.

    Parameters
    ----------
    path : Path
        Its suffix says which format it is.

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
                path, format=MUSIC21_FORMATS[path.suffix.lower()], forceSource=True, storePickle=False
            )
            return _score(stream)
    except Exception as error:  # music21's readers raise anything, from KeyError to ParseError
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise ReadError(f"the score cannot be read ({reason})", "export it again", path) from error


def _score(stream: Any) -> Score:
    """Collect the parts of a music21 stream; ties joined, grace notes left out."""
    metadata = stream.metadata
    tempo = _tempo_map(stream)
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
            onset = tempo.seconds(beat)
            name = str(part.partName or part.id or f"part {index + 1}")
            parts.append(Part(name, onset, tempo.seconds(beat + length) - onset, pitch, beat))
    return Score(
        tuple(parts),
        (metadata.bestTitle if metadata else None) or None,
        (metadata.composer if metadata else None) or None,
    )


def _tempo_map(stream: Any) -> TempoMap:
    """Read the tempo map, over quarter notes, from the score's metronome marks."""
    marks = [(0.0, DEFAULT_TEMPO)]
    for start, _, mark in stream.flatten().metronomeMarkBoundaries():
        speed = mark.getQuarterBPM()
        if speed:
            marks.append((float(start), float(speed)))
    marks.sort(key=lambda mark: mark[0])
    place, tempo = np.array(marks).T
    return constant_tempi(place, 60.0 / tempo)
