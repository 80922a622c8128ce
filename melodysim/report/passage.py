"""Two passages side by side: what every report shows of a match.

Conventions
-----------
The reference is moved to the track's pitch: where a note of it and a note of the track agree, they have
the same MIDI note number. `Passage.relation` and `Passage.reference_relation` compare each note with
the one aligned with it. Where a reference was heard in the recording itself, the transcribed notes
merely overlap it, and the match does not rest on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from melodysim.intervals import semitones
from melodysim.melody import Melody, Piece
from melodysim.search.match import Match

Column = tuple[int | None, int | None]
"""A note of the track and a note of the reference that go together, or one of them alone."""
Relation = Literal["same", "octave", "differs", "alone"]
"""Same pitch; same but for octaves; another pitch; no note goes with it."""


@dataclass(frozen=True, eq=False)
class Passage:
    """A passage of the track and the passage of the reference that it follows.

    Attributes
    ----------
    track, reference : Melody
        The whole melodies.
    mine, theirs : ndarray of int64, shape (m,) and (n,)
        Consecutive notes of `track` and `reference` that make up the passages.
    pitch, reference_pitch : ndarray of int64, shape (m,) and (n,)
        MIDI note numbers, the reference's moved to the track's.
    relation, reference_relation : tuple of str
        Of each note to the note aligned with it.
    pairs : ndarray of int64, shape (k, 2)
        Places in `mine` and `theirs` that go together, increasing.
    placed : ndarray of float64, shape (n, 2)
        Seconds of the track at which each note of the reference begins and ends: where it was heard,
        or where its alignment puts it.
    heard : tuple of bool, length n
        Whether each note of the reference is in the track.
    """

    track: Melody
    reference: Melody
    mine: NDArray[np.int64]
    theirs: NDArray[np.int64]
    pitch: NDArray[np.int64]
    reference_pitch: NDArray[np.int64]
    relation: tuple[Relation, ...]
    reference_relation: tuple[Relation, ...]
    pairs: NDArray[np.int64]
    placed: NDArray[np.float64]
    heard: tuple[bool, ...]


def passage_of(piece: Piece, match: Match) -> Passage:
    """Return the two passages of a match, side by side.

    Parameters
    ----------
    piece : Piece
        The track.
    match : Match
        One of its matches.
    """
    track = piece.melodies[match.melody]
    reference = match.reference_melody
    mine, theirs = np.arange(*match.query.notes), np.arange(*match.reference_span.notes)
    inside = match.path[np.isin(match.path[:, 0], mine) & np.isin(match.path[:, 1], theirs)] - np.array(
        [match.query.notes[0], match.reference_span.notes[0]]
    )
    pitch = semitones(track.pitch)[mine].astype(np.int64)
    moved = semitones(reference.pitch)[theirs].astype(np.int64) + match.transposition
    relation: list[Relation] = ["alone"] * len(mine)
    reference_relation: list[Relation] = ["alone"] * len(theirs)
    for i, j in inside.tolist():
        apart = int(pitch[i] - moved[j])
        relation[i] = reference_relation[j] = (
            "same" if apart == 0 else "octave" if apart % 12 == 0 else "differs"
        )
    return Passage(
        track=track,
        reference=reference,
        mine=mine,
        theirs=theirs,
        pitch=pitch,
        reference_pitch=moved,
        relation=tuple(relation),
        reference_relation=tuple(reference_relation),
        pairs=inside,
        placed=_placed(match, track, inside),
        heard=_heard(match, reference_relation),
    )


def columns(passage: Passage) -> list[Column]:
    """Lay the notes of both passages out in columns, each with at most one note of either.

    Returns
    -------
    list of (int or None, int or None)
        Places in `Passage.mine` and `Passage.theirs`, in order of time.
    """
    laid: list[Column] = []
    i = j = 0
    for a, b in [*passage.pairs.tolist(), [len(passage.mine), len(passage.theirs)]]:
        track: list[Column] = [(k, None) for k in range(i, a)]
        reference: list[Column] = [(None, k) for k in range(j, b)]
        onset = [*passage.track.onset[passage.mine[i:a]], *passage.placed[j:b, 0]]
        laid += [(track + reference)[k] for k in np.argsort(onset, kind="stable")]
        if a < len(passage.mine) and b < len(passage.theirs):
            laid.append((a, b))
        i, j = a + 1, b + 1
    return laid


def _heard(match: Match, relation: list[Relation]) -> tuple[bool, ...]:
    """Say of each note of the reference whether it is in the track."""
    if match.listening is not None:
        return tuple(bool(sung) for sung in match.listening.heard)
    return tuple(name in {"same", "octave"} for name in relation)


def _placed(match: Match, track: Melody, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the seconds of the track at which the reference's notes begin and end."""
    if match.listening is not None:
        return np.stack([match.listening.begin, match.listening.end], axis=1)
    span = slice(*match.reference_span.notes)
    onset = match.reference_melody.onset[span]
    end = onset + match.reference_melody.duration[span]
    if len(pairs) < 2:
        begin, last = match.query.seconds
        scale = (last - begin) / max(float(end[-1] - onset[0]), 1e-9)
        return np.stack([begin + (onset - onset[0]) * scale, begin + (end - onset[0]) * scale], axis=1)
    known = onset[pairs[:, 1]]
    mine = track.onset[pairs[:, 0] + match.query.notes[0]]
    return np.stack([stretched(onset, known, mine), stretched(end, known, mine)], axis=1)


def stretched(
    time: NDArray[np.float64], known: NDArray[np.float64], other: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Map times from one clock to another by pairs of known times.

    Parameters
    ----------
    time : ndarray of float64
        Times to map.
    known, other : ndarray of float64, shape (k,)
        The same moments on both clocks, increasing; k is at least 2.

    Returns
    -------
    ndarray of float64
        Linear between the pairs; before the first and after the last, at the overall rate.

    Examples
    --------
    >>> stretched(np.array([-1.0, 0.5, 3.0]), np.array([0.0, 1.0]), np.array([10.0, 12.0])).tolist()
    [8.0, 11.0, 16.0]
    """
    rate = float(other[-1] - other[0]) / max(float(known[-1] - known[0]), 1e-9)
    inside = np.interp(time, known, other)
    before, after = np.minimum(time - known[0], 0.0), np.maximum(time - known[-1], 0.0)
    return inside + rate * (before + after)
