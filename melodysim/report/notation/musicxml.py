"""Two passages as notation: one staff for the track, one for the reference, barred alike.

Both are written in the track's key and on the reference's beats (`melodysim.report.notation.metre`). A
sign under a note gives its relation to the other staff: ≠ another pitch, + only in the track, - not in
the track. What is written is MusicXML 4.0, so that the same text goes to an arranger's notation
program and, engraved, into the report.

Conventions: ticks are `melodysim.report.notation.metre.TICKS` to a quarter note; a spelling is a place
on the line of fifths (F -1, C 0, G 1 …; Temperley 2001, *The Cognition of Basic Musical Structures*,
ch. 5).
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from melodysim.intervals import fitted_key
from melodysim.melody import Melody
from melodysim.report.notation.metre import (
    GRIDS,
    TICKS,
    fitted_bars,
    quantise,
    reference_beats,
    track_beats,
)
from melodysim.report.passage import Passage, Relation
from melodysim.search.match import Match

MOST_BARS = 32
"""Bars that are written; a longer passage is cut, and the report says so."""
COLOURS = {"same": "", "octave": "", "differs": "#C2410C", "alone": "#6B7280"}
"""Of notes by their relation to the other side; readable on white in print too."""
_SIGNS = {"same": "", "octave": "8", "differs": "≠"}
_TYPES = {
    96: ("whole", 0), 72: ("half", 1), 48: ("half", 0), 36: ("quarter", 1), 24: ("quarter", 0),
    18: ("eighth", 1), 12: ("eighth", 0), 9: ("16th", 1), 6: ("16th", 0), 3: ("32nd", 0),
}  # fmt: skip
_TRIPLETS = {16: "quarter", 8: "eighth", 4: "16th"}
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_STEPS = "FCGDAEB"
_ACCIDENTALS = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}
_BEAMED = {"eighth": 1, "16th": 2, "32nd": 3}


@dataclass(frozen=True)
class WrittenNote:
    """A note, or without a pitch a rest, before it is cut at bar lines.

    Attributes
    ----------
    begin, end : int
        Ticks.
    pitch : int or None
        MIDI note number.
    name : str
        Identifies it in the engraving.
    colour, sign : str
        How it is marked; empty for none.
    """

    begin: int
    end: int
    pitch: int | None = None
    name: str = ""
    colour: str = ""
    sign: str = ""


@dataclass(frozen=True)
class _NoteHead:
    """A part of a note that one note head can write."""

    note: WrittenNote
    begin: int
    ticks: int
    type: str
    dots: int
    triplet: bool
    first: bool
    last: bool


@dataclass(frozen=True)
class Notation:
    """Two passages as MusicXML.

    Attributes
    ----------
    musicxml : str
        With ids ``q<k>p<part>`` and ``r<k>p<part>``: the k-th note of the track's and the reference's
        passage.
    bars, written : int
        Bars in all, and bars that are written.
    """

    musicxml: str
    bars: int
    written: int


def notation_of(passage: Passage, match: Match, most_bars: int | None = MOST_BARS) -> Notation:
    """Write a match as notation.

    Parameters
    ----------
    passage : Passage
    match : Match
        The match that it shows.
    most_bars : int or None, optional
        Bars to write at most.
    """
    onset, end = reference_beats(passage.reference)
    length, phase = fitted_bars(onset, end)
    onset, end = onset - phase, end - phase  # bar lines, and beats, fall on whole beats from here on
    none = np.zeros(len(passage.theirs), bool)
    theirs = _written(onset[passage.theirs], end[passage.theirs], passage, "r", none)
    beats = track_beats(passage, onset[passage.theirs])
    if match.evidence == "salience":
        mine = _written(*beats, passage, "q", _repetitions(passage), 1)
    else:
        mine = _written(*beats, passage, "q", np.zeros(len(passage.mine), bool))
    staves = (mine, theirs)
    bar = length * TICKS
    begin = min(notes[0].begin for notes, _ in staves if notes)
    begin -= begin % TICKS
    finish = max(notes[-1].end for notes, _ in staves if notes)
    lines = _bar_lines(begin, finish, bar)
    written = lines if most_bars is None else lines[: most_bars + 1]
    fifths = _fifths(passage)
    score = ElementTree.Element("score-partwise", version="4.0")
    work = ElementTree.SubElement(score, "work")
    ElementTree.SubElement(work, "work-title").text = _NOT_XML.sub("", match.reference.title)
    parts = ElementTree.SubElement(score, "part-list")
    for number, name in enumerate(("Track", "Reference"), 1):
        part = ElementTree.SubElement(parts, "score-part", id=f"P{number}")
        ElementTree.SubElement(part, "part-name").text = name
        # Optional in the standard; MuseScore warns where it is missing.
        instrument = ElementTree.SubElement(part, "score-instrument", id=f"P{number}-I1")
        ElementTree.SubElement(instrument, "instrument-name").text = name
    for number, (notes, grids) in enumerate(staves, 1):
        part = ElementTree.SubElement(score, "part", id=f"P{number}")
        _write_part(part, notes, grids, written, bar, length, fifths)
    ElementTree.indent(score)
    text = ElementTree.tostring(score, encoding="unicode")
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return Notation(head + text + "\n", len(lines) - 1, len(written) - 1)


def _written(
    onset: NDArray[np.float64],
    end: NDArray[np.float64],
    passage: Passage,
    side: str,
    join: NDArray[np.bool_],
    grids_tried: int = len(GRIDS),
) -> tuple[list[WrittenNote], dict[int, int]]:
    """Quantise and mark the notes of one side; merge those to `join` into the note before."""
    first = np.flatnonzero(~join)
    last = np.append(first[1:], len(onset))[: len(first)] - 1
    begin, finish, grids = quantise(onset[first], end[last], grids_tried)
    pitch = passage.pitch if side == "q" else passage.reference_pitch
    relation = passage.relation if side == "q" else passage.reference_relation
    notes = []
    for k, a, b in zip(first.tolist(), begin.tolist(), finish.tolist(), strict=True):
        colour, sign = _mark(relation[k], side, side == "r" and passage.heard[k])
        notes.append(WrittenNote(a, b, int(pitch[k]), f"{side}{k}", colour, sign))
    return notes, grids


def _repetitions(passage: Passage) -> NDArray[np.bool_]:
    """Find notes of the track that only repeat a pitch within one note of the reference.

    A transcriber splits a sung note where its syllable changes colour; notation does not.
    """
    repeats = np.zeros(len(passage.mine), bool)
    begins = np.sort(passage.placed[:, 0])
    for k in range(1, len(repeats)):
        a, b = passage.track.onset[passage.mine[k - 1 : k + 1]]
        inside = np.searchsorted(begins, a + 0.1) == np.searchsorted(begins, b + 0.1)
        alone = passage.relation[k] == "alone" and passage.pitch[k] == passage.pitch[k - 1]
        repeats[k] = inside and alone
    return repeats


def _mark(relation: Relation, side: str, heard: bool) -> tuple[str, str]:
    """Return the colour and the sign of a note."""
    if heard and relation == "alone":  # heard in the recording, though not transcribed
        return "", ""
    sign = ("+" if side == "q" else "-") if relation == "alone" else _SIGNS[relation]
    return COLOURS[relation], sign


def _bar_lines(begin: int, finish: int, bar: int) -> list[int]:
    """Return the ticks of all bar lines, the beginning and the end included."""
    first = begin + -begin % bar
    lines = [begin, *range(first if first > begin else first + bar, finish, bar)]
    return [*lines, lines[-1] + bar if len(lines) > 1 or first == begin else first]


def _fifths(passage: Passage) -> int:
    """Return the key signature of the passage, in fifths."""
    tune = Melody.from_notes(
        passage.reference.onset, passage.reference.duration, passage.reference.pitch
    )
    moved = int(passage.reference_pitch[0] - np.rint(passage.reference.pitch[passage.theirs[0]]))
    found = fitted_key(tune)
    if found is None:
        return 0
    tonic = (found[0] + moved + (3 if found[1] == "minor" else 0)) % 12
    return (tonic * 7 + 5) % 12 - 5


def spelled(pitch: int, fifths: int) -> tuple[str, int, int]:
    """Spell a pitch in a key.

    Parameters
    ----------
    pitch : int
        MIDI note number.
    fifths : int
        Key signature, sharps above 0.

    Returns
    -------
    (str, int, int)
        Step, alteration in semitones, octave.

    Examples
    --------
    >>> spelled(70, -1), spelled(66, 1), spelled(71, -6)
    (('B', -1, 4), ('F', 1, 4), ('C', -1, 5))
    """
    low = fifths - 3
    place = low + (pitch * 7 - low) % 12
    step, alter = _STEPS[(place + 1) % 7], (place + 1) // 7
    return step, alter, (pitch - alter) // 12 - 1


def _key_alterations(fifths: int) -> dict[str, int]:
    """Return the alteration of each step under a key signature, in semitones."""
    return {step: (fifths - place + 6) // 7 for place, step in enumerate(_STEPS)}


def _write_part(
    part: ElementTree.Element,
    notes: list[WrittenNote],
    grids: dict[int, int],
    lines: list[int],
    bar: int,
    length: int,
    fifths: int,
) -> None:
    """Write one staff."""
    filled = _with_rests(notes, lines[0], lines[-1])
    upbeat = lines[1] - lines[0] < bar
    for number, (begin, end) in enumerate(itertools.pairwise(lines), 0 if upbeat else 1):
        measure = ElementTree.SubElement(part, "measure", number=str(number))
        if not number:
            measure.set("implicit", "yes")
        if begin == lines[0]:
            _write_attributes(measure, notes, length, fifths)
        pieces = [piece for note in filled for piece in _pieces(note, begin, end, grids)]
        beams = _beams(pieces)
        state = _key_alterations(fifths)
        seen: dict[tuple[str, int], int] = {}
        for k, piece in enumerate(pieces):
            _write_note(measure, piece, beams[k], fifths, state, seen, _tuplet(pieces, k))


def _with_rests(notes: list[WrittenNote], begin: int, end: int) -> list[WrittenNote]:
    """Fill the gaps between notes, up to both ends."""
    filled, at = [], begin
    for note in notes:
        if note.begin > at:
            filled.append(WrittenNote(at, note.begin))
        filled.append(note)
        at = note.end
    if at < end:
        filled.append(WrittenNote(at, end))
    return filled


def _pieces(note: WrittenNote, begin: int, end: int, grids: dict[int, int]) -> list[_NoteHead]:
    """Cut the part of a note that lies in a bar into note heads."""
    at, stop = max(note.begin, begin), min(note.end, end)
    cuts: list[_NoteHead] = []
    while at < stop:
        beat = at // TICKS
        triplet = grids.get(beat) in {8, 4} and not (at % TICKS == 0 and stop - at >= TICKS)
        ticks = _head(at, stop, triplet, grids)
        kind, dots = (_TRIPLETS[ticks], 0) if triplet and ticks in _TRIPLETS else _TYPES[ticks]
        cuts.append(
            _NoteHead(note, at, ticks, kind, dots, triplet, at == note.begin, at + ticks == note.end)
        )
        at += ticks
    return cuts


def _head(at: int, stop: int, triplet: bool, grids: dict[int, int]) -> int:
    """Return the ticks of the longest note head that may stand at a tick."""
    within, left = at % TICKS, stop - at
    if triplet:
        room = min(left, TICKS - within)
        return next((t for t in _TRIPLETS if t <= room), 4)
    # A note that runs into a triplet beat is cut where that begins.
    ahead = [b for b in grids if grids[b] in {8, 4} and at < b * TICKS < stop]
    if ahead:
        left = min(left, min(ahead) * TICKS - at)
    if within == 0:
        return next((t for t in _TYPES if t <= left), 3)
    if within == TICKS // 2 and left in {24, 36}:  # a syncopation, written as one
        return left
    room = min(left, TICKS - within)
    return next((t for t in _TYPES if t <= room), 3)


def _beams(pieces: list[_NoteHead]) -> list[list[str]]:
    """Return the beams of each piece, one word a level: neighbours within a beat share them."""
    levels = [_BEAMED.get(p.type, 0) if p.note.pitch is not None else 0 for p in pieces]
    beats = [piece.begin // TICKS for piece in pieces]
    beams: list[list[str]] = []
    for k, depth in enumerate(levels):
        words = []
        for level in range(1, depth + 1):
            before = k > 0 and beats[k - 1] == beats[k] and levels[k - 1] >= level
            after = k + 1 < len(pieces) and beats[k + 1] == beats[k] and levels[k + 1] >= level
            if before and after:
                words.append("continue")
            elif before or after:
                words.append("end" if before else "begin")
            elif level > 1 and words:  # a shorter note alone in a group: a hook
                words.append("backward hook" if words[0] in {"end", "continue"} else "forward hook")
        beams.append(words)
    return beams


def _tuplet(pieces: list[_NoteHead], k: int) -> str:
    """Say whether a triplet begins or ends with a piece."""
    if not pieces[k].triplet:
        return ""
    beat = pieces[k].begin // TICKS
    mates = [n for n, p in enumerate(pieces) if p.triplet and p.begin // TICKS == beat]
    if len(mates) == 1:
        return ""
    return "start" if k == mates[0] else "stop" if k == mates[-1] else ""


def _write_attributes(
    measure: ElementTree.Element, notes: list[WrittenNote], length: int, fifths: int
) -> None:
    attributes = ElementTree.SubElement(measure, "attributes")
    ElementTree.SubElement(attributes, "divisions").text = str(TICKS)
    key = ElementTree.SubElement(attributes, "key")
    ElementTree.SubElement(key, "fifths").text = str(fifths)
    time = ElementTree.SubElement(attributes, "time")
    ElementTree.SubElement(time, "beats").text = str(length)
    ElementTree.SubElement(time, "beat-type").text = "4"
    clef = ElementTree.SubElement(attributes, "clef")
    middle = float(np.median([note.pitch for note in notes if note.pitch is not None] or [67]))
    ElementTree.SubElement(clef, "sign").text = "F" if middle < 57 else "G"
    ElementTree.SubElement(clef, "line").text = "4" if middle < 57 else "2"
    if middle > 86:
        ElementTree.SubElement(clef, "clef-octave-change").text = "1"


def _write_note(
    measure: ElementTree.Element,
    piece: _NoteHead,
    beams: list[str],
    fifths: int,
    key: dict[str, int],
    seen: dict[tuple[str, int], int],
    tuplet: str,
) -> None:
    """Write one note head or rest."""
    sub = ElementTree.SubElement
    note, ours = sub(measure, "note"), piece.note
    if ours.name:
        note.set("id", f"{ours.name}p{piece.begin - ours.begin}")
    if ours.colour:
        note.set("color", ours.colour)
    accidental = _write_pitch(note, piece, fifths, key, seen)
    sub(note, "duration").text = str(piece.ticks)
    ties = ([] if piece.first else ["stop"]) + ([] if piece.last else ["start"])
    ties = ties if ours.pitch is not None else []
    for kind in ties:
        sub(note, "tie", type=kind)
    sub(note, "type").text = piece.type
    for _ in range(piece.dots):
        sub(note, "dot")
    if accidental:
        sub(note, "accidental").text = accidental
    if piece.triplet:
        modification = sub(note, "time-modification")
        sub(modification, "actual-notes").text = "3"
        sub(modification, "normal-notes").text = "2"
    for level, word in enumerate(beams, 1):
        sub(note, "beam", number=str(level)).text = word
    _write_notations(note, ties, tuplet)
    if ours.sign and piece.first:
        lyric = sub(note, "lyric")
        sub(lyric, "syllabic").text = "single"
        sub(lyric, "text").text = ours.sign


def _write_pitch(
    note: ElementTree.Element,
    piece: _NoteHead,
    fifths: int,
    key: dict[str, int],
    seen: dict[tuple[str, int], int],
) -> str | None:
    """Write the pitch, or that it is a rest; return the accidental that the note needs."""
    sub, pitch = ElementTree.SubElement, piece.note.pitch
    if pitch is None:
        sub(note, "rest")
        return None
    step, alter, octave = spelled(pitch, fifths)
    element = sub(note, "pitch")
    sub(element, "step").text = step
    if alter:
        sub(element, "alter").text = str(alter)
    sub(element, "octave").text = str(octave)
    if not piece.first:  # a tie carries its accidental over the bar line, but no further
        return None
    before, seen[step, octave] = seen.get((step, octave), key[step]), alter
    return None if before == alter else _ACCIDENTALS[alter]


def _write_notations(note: ElementTree.Element, ties: list[str], tuplet: str) -> None:
    """Write the ties and the tuplet bracket of a note."""
    if not ties and not tuplet:
        return
    notations = ElementTree.SubElement(note, "notations")
    for kind in ties:
        ElementTree.SubElement(notations, "tied", type=kind)
    if tuplet:
        ElementTree.SubElement(notations, "tuplet", type=tuplet)
