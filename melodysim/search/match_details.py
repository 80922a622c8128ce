"""Describe a match: when it was heard, its rarest turn, the other places of its passage, its span."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from melodysim.align.salience_dtw import SalienceAlignment, in_blocks, scan_blocks, trace_heard
from melodysim.align.salience_evidence import BLOCK_SECONDS, PitchEvidence
from melodysim.align.seeds import SEED
from melodysim.library import Reference, Shelf
from melodysim.melody import Melody, Piece
from melodysim.search.hypothesis import Hypothesis
from melodysim.search.match import Match, Span, Turn

TURN_NOTES = SEED + 1
"""Notes of a turn: five intervals, which two unrelated pop songs share once in 4,400 times."""
_SAME, _ONE_TEMPO = 0.5, 0.3
"""Share of two passages that is common to both, and octaves between their tempi, where they are one."""
_COMMON = 0.25
"""Share of the shorter of two places that must overlap for the two to count as one."""


def rarest_turn(
    match: Match, library: Shelf, reference: int, query: Melody | None = None
) -> Turn | None:
    """Find the turn of a match that fewest melodies have; None if no turn is followed unbroken.

    Parameters
    ----------
    match : Match
    library : Shelf
    reference : int
        Place in the index of the reference that the match is with.
    query : Melody, optional
        The melody whose notes `match.path` pairs; none if the recording was listened to.
    """
    first, last = match.reference_span.notes
    interval = library.index.notes(np.array([reference])).interval
    if match.evidence == "notes":  # only where note followed note in both
        together = np.flatnonzero((np.diff(match.path, axis=0) == 1).all(axis=1))
        # And by the same interval: where a note was changed, the turn is the reference's alone.
        apart = match.reference_melody.pitch[match.path[:, 1]]
        own = query.pitch[match.path[:, 0]] if query is not None else apart
        same = np.rint(np.diff(apart)) == np.rint(np.diff(own))
        linked = set(match.path[together[same[together]], 1].tolist())
    elif match.listening is not None:
        heard = match.listening.note[match.listening.heard]
        linked = set(heard[:-1][np.diff(heard) == 1].tolist())
    else:
        linked = set(range(first, last - 1))
    best: Turn | None = None
    for note in range(first, last - TURN_NOTES + 1):
        if not linked.issuperset(range(note, note + TURN_NOTES - 1)):
            continue
        melodies = library.index.melodies_with(interval[note : note + TURN_NOTES - 1])
        if best is None or melodies < best.melodies:
            best = Turn((note, note + TURN_NOTES), melodies, len(library.index))
        if melodies <= 1:
            break
    return best


def with_others(
    seconds: tuple[float, float],
    found: list[tuple[float, float]],
    places: Iterable[tuple[float, float]],
    mine: tuple[float, float] | None = None,
) -> tuple[tuple[float, float], ...]:
    """Return a match's own seconds and those of the other places that were found, in order.

    The search for the passage alone may find the match with a note more or less, so a place that
    overlaps the match counts as the match itself. If no place does, the search has found something
    else, and all its places are left out.

    Parameters
    ----------
    seconds : (float, float)
        Of the match.
    found : list of (float, float)
        Seconds where the passage was found.
    places : iterable of (float, float)
        The same places in the unit in which they are compared: seconds or notes.
    mine : (float, float), optional
        The match in that unit; its seconds if not given.
    """
    begin, end = mine or seconds
    apart = [min(b, end) - max(a, begin) < _COMMON * min(b - a, end - begin) for a, b in places]
    others = [where for where, other in zip(found, apart, strict=True) if other]
    return tuple(sorted([*(others if len(others) < len(found) else []), seconds]))


def same_passage(one: Match, other: Match) -> bool:
    """Say whether two matches with one reference are the same passage of the track, at one tempo."""
    begin, end = zip(one.query.seconds, other.query.seconds, strict=True)
    in_common = min(end) - max(begin)
    tempi = abs(np.log2(one.tempo_ratio / other.tempo_ratio))
    return bool(in_common >= _SAME * (max(end) - min(begin)) and tempi < _ONE_TEMPO)


def span(melody: Melody, notes: NDArray[np.int64]) -> Span:
    """Return the span from the first to the last of some notes of a melody.

    Parameters
    ----------
    melody : Melody
    notes : ndarray of int64
        Increasing, at least one.
    """
    first, last = int(notes[0]), int(notes[-1])
    seconds = float(melody.onset[first]), float(melody.onset[last] + melody.duration[last])
    beats = None
    if melody.beat is not None:
        beats = float(melody.beat[first]), float(melody.beat[last])
    return Span((first, last + 1), seconds, beats)


def match_heard(
    piece: Piece,
    library: Shelf,
    evidence: PitchEvidence,
    reading: Hypothesis,
    place: int,
    whole: Reference,
) -> Match | None:
    """Trace a reference that was heard, and pair its notes with those of the transcribed line.

    Parameters
    ----------
    piece : Piece
    library : Shelf
    evidence : PitchEvidence
        Of the piece, by pitch class.
    reading : Hypothesis
    place : int
        Of the reference in the reading.
    whole : Reference
    """
    assert piece.heard is not None
    reference = int(reading.references[place])
    theirs, melody = whole.melody, piece.melodies[0]
    corpus = library.index.corpus(np.array([reference]))
    scanned = scan_blocks(corpus, evidence, np.zeros(1, np.int64))
    loudest = in_blocks(*scanned)[0]
    if loudest[0] <= 0:
        return None
    assert reading.block is not None
    best = in_blocks(*scanned, reading.block[place : place + 1])[0]
    found = best if best[0] > 0 else loudest  # by pitch it may be heard where it is not by class
    heard = trace_heard(corpus, evidence, piece.heard, 0, found)
    path = _pair_notes(melody, heard)
    seconds = (float(heard.begin[0]), float(heard.end[-1]))
    first, last = np.searchsorted(melody.onset, seconds)
    if len(path):  # a transcribed note may begin a little before the alignment does
        first, last = min(first, path[0, 0]), max(last, path[-1, 0] + 1)
    at_once = max(min(piece.duration, BLOCK_SECONDS), seconds[1] - seconds[0])
    return Match(
        reference=whole.entry,
        reference_melody=theirs,
        query=Span((int(first), max(int(last), int(first))), seconds),
        reference_span=span(theirs, heard.note),
        transposition=round(heard.first_pitch - library.index.first_pitch(reference)),
        tempo_ratio=heard.tempo_ratio,
        identity=float(heard.heard.mean()),
        notes=int(heard.heard.sum()),
        distinct=int(heard.heard.sum()),
        share=max(int(heard.heard.sum()) / len(theirs), (seconds[1] - seconds[0]) / at_once),
        rhythm=None,
        score=heard.score / float(np.log(2)),
        e_value=float(reading.e_value[place]),
        standardised=float(reading.standardised[place]),
        path=path,
        melody=0,
        voice=melody.voice,
        evidence="salience",
        background=reading.backgrounds[int(library.protected[reference])],
        listening=heard,
    )


def _pair_notes(melody: Melody, heard: SalienceAlignment) -> NDArray[np.int64]:
    """Pair each note that was heard with the transcribed note that overlaps it most, in order."""
    pairs: list[tuple[int, int]] = []
    ends = melody.onset + melody.duration
    for note, begin, end, sung in zip(heard.note, heard.begin, heard.end, heard.heard, strict=True):
        common = np.minimum(ends, end) - np.maximum(melody.onset, begin)
        if sung and len(common) and common.max() > 0:
            k = int(np.argmax(common))
            if not pairs or k > pairs[-1][0]:
                pairs.append((k, int(note)))
    return np.array(pairs, np.int64).reshape(-1, 2)
