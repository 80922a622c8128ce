"""Parts from MusicXML 1 to 4, alone or compressed, by part or by time.

Notes are read as they sound: transposing instruments at sounding pitch, ties joined, repeats and
endings played. Cue notes, grace notes, slashes and notes without pitch are left out; a direction stands
where it stands and makes no bar longer.
"""

from __future__ import annotations

import contextlib
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from melodysim.errors import ReadError
from melodysim.melody import Measures
from melodysim.readers.bounds import Archive, Element, damage, finite, parse_xml
from melodysim.readers.parts.score import Score
from melodysim.readers.scores.laying import (
    MeasureNote,
    Placing,
    lay,
    parts_of,
    placings,
    tempo_map,
)
from melodysim.readers.scores.playing_order import Signs, playing_order
from melodysim.util.plain_text import counted, printable

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_BEATS = {
    "maxima": 32.0, "long": 16.0, "breve": 8.0, "whole": 4.0, "half": 2.0, "quarter": 1.0,
    "eighth": 0.5, "16th": 0.25, "32nd": 0.125, "64th": 0.0625,
}  # fmt: skip
_LONGEST_NOTE = 1024.0
"""Quarter notes."""
_PICTURED = ("slash", "none")
_EVERY_STAFF = ""
_NO_SCORES = ("META-INF/", "__MACOSX/")
_SPEED = re.compile(r"\d{1,4}(?:[.,]\d{1,4})?")


@dataclass
class _Measure:
    """A measure of one part: notes, length and tempi in quarter notes; whether its clef is of drums."""

    notes: list[MeasureNote] = field(default_factory=list)
    length: float = 0.0
    written: float = 4.0
    tempi: list[tuple[float, float]] = field(default_factory=list)
    percussion: bool = False
    unread: int = 0


@dataclass
class _State:
    """What attributes of a part are in force."""

    divisions: float = 1.0
    bar: float = 4.0
    shift: dict[str, float] = field(default_factory=dict)
    slashes: set[str] = field(default_factory=set)
    repeated: int = 0
    """Measures before that a sign repeats, again and again; 0 where there is no such sign."""
    unread: int = 0


def read_musicxml(path: Path, content: bytes) -> Score:
    """Read a MusicXML file, compressed or not: a part for each staff that has notes.

    Parameters
    ----------
    path : Path
        Only named in errors.
    content : bytes
        The file's bytes.

    Raises
    ------
    ReadError
        If it is damaged, or of another kind.
    """
    with damage(path, "MusicXML file", "export it again, as MusicXML"):
        if content.startswith(b"PK"):
            content = _unpacked(Archive(content))
        return _score(parse_xml(content))


def _unpacked(archive: Archive) -> bytes:
    """Return the score of a compressed file: the one that its container names first."""
    named: list[str] = []
    if "META-INF/container.xml" in archive.names:
        with contextlib.suppress(ElementTree.ParseError, ReadError):  # then the names in it must do
            for file in parse_xml(archive.read("META-INF/container.xml")).iter():
                place, kind = file.get("full-path") or "", file.get("media-type") or "xml"
                if _tag(file) == "rootfile" and place in archive.names and "xml" in kind:
                    named.append(place)
    for name in archive.names:
        if name.lower().endswith((".musicxml", ".xml")) and not name.startswith(_NO_SCORES):
            named.append(name)
    if not named:
        raise ReadError("no score in it")
    return archive.read(named[0])


def _tag(element: Element) -> str:
    """Return the name of an element without its namespace."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _score(root: Element) -> Score:
    kind = _tag(root)
    if kind not in ("score-partwise", "score-timewise"):
        raise ReadError(f"holds XML, but no MusicXML (its root is <{kind[:40]}>)")
    if root.tag != kind:  # a namespace, which MusicXML does not use
        for element in root.iter():
            element.tag = _tag(element)
    names, drums = _announced(root)
    signs: list[Signs] = []
    by_part = _measures_by_part(root)
    read = {part: _read_part(written, signs) for part, written in by_part.items()}
    lengths = [_length(read, k) for k in range(len(signs))]
    placed = placings(playing_order(signs), lengths)
    parts = []
    tempo = tempo_map(
        [
            (at.begin + place, speed)
            for measures in read.values()
            for at in placed
            if at.written < len(measures)
            for place, speed in measures[at.written].tempi
        ]
    )
    for number, (part, measures) in enumerate(read.items(), 1):
        played = (
            (at.begin, at.follows, measures[at.written].notes)
            for at in placed
            if at.written < len(measures) and measures[at.written].notes
        )
        beats = part in drums or any(measure.percussion for measure in measures[:1])
        parts += parts_of(names.get(part) or f"part {number}", lay(played), tempo, beats)
    creators = [
        c for c in root.iterfind("identification/creator") if c.get("type") in ("composer", None)
    ]
    title = root.findtext("work/work-title") or root.findtext("movement-title")
    unread = sum(measure.unread for measures in read.values() for measure in measures)
    remarks = (
        (f"{counted(unread, 'note')} of no length or an impossible pitch: left out",) if unread else ()
    )
    creator = creators[0].text if creators else None
    played_as = _measures(placed, max(by_part.values(), key=len, default=[]))
    return Score(tuple(parts), title, creator, remarks=remarks, measures=played_as)


def _measures(placed: list[Placing], written: list[Element]) -> Measures | None:
    """Return the measures as they are played, with the numbers that the page has."""
    if not placed:
        return None
    number = tuple(
        printable(measure.get("number") or str(k))[:20] for k, measure in enumerate(written, 1)
    )
    begin, place = (np.array([getattr(at, name) for at in placed]) for name in ("begin", "written"))
    return Measures(begin.astype(np.float64), place.astype(np.intp), number)


def _announced(root: Element) -> tuple[dict[str, str], set[str]]:
    """Return the names of the parts by id, and the ids of those that are announced as drums."""
    names, drums = {}, set()
    for part in root.iterfind("part-list/score-part"):
        identity = part.get("id") or ""
        instrument = part.findtext("score-instrument/instrument-name") or ""
        names[identity] = (part.findtext("part-name") or "").strip() or instrument.strip()
        if (
            part.findtext("midi-instrument/midi-channel") == "10"
            or part.find("midi-instrument/midi-unpitched") is not None
        ):
            drums.add(identity)
    return names, drums


def _measures_by_part(root: Element) -> dict[str, list[Element]]:
    """Return the measures of each part, whichever way the file is laid out."""
    found: dict[str, list[Element]] = defaultdict(list)
    if root.tag == "score-partwise":
        for part in root.iterfind("part"):
            found[part.get("id") or ""] += part.findall("measure")
        return found
    for number, measure in enumerate(root.iterfind("measure")):
        for part in measure.iterfind("part"):
            mine = found[part.get("id") or ""]
            mine += [Element("measure")] * (number - len(mine))  # where the part is silent
            mine.append(part)
    return found


def _length(read: dict[str, list[_Measure]], k: int) -> float:
    """Return how long measure k lasts: as long as its longest part, else as its metre says.

    A part that only rests does not count where others play: whole-measure rests are written with the
    length of the metre in measures that are shorter, such as upbeats.
    """
    here = [measures[k] for measures in read.values() if k < len(measures)]
    playing = [measure for measure in here if measure.notes] or here
    return max((m.length for m in playing), default=0.0) or max((m.written for m in here), default=4.0)


def _read_part(measures: list[Element], signs: list[Signs]) -> list[_Measure]:
    """Read the measures of a part; add what its bar lines say to the signs of all parts."""
    state = _State()
    ending: tuple[int, ...] = ()
    found: list[_Measure] = []
    for k, element in enumerate(measures):
        if k == len(signs):
            signs.append(Signs())
        ending = _read_signs(element, signs[k], signs[k - 1] if k else None, ending)
        measure = _read_measure(element, state)
        if 0 < state.repeated <= k and not measure.notes:
            again = found[k - state.repeated]
            measure.notes, measure.length = again.notes, max(again.length, measure.length)
        found.append(measure)
    return found


def _read_measure(element: Element, state: _State) -> _Measure:
    measure = _Measure()
    now = 0.0
    onset = 0.0  # of the last note that is not of a chord
    for child in element:
        kind = child.tag
        if kind == "note":
            long = _duration(child, state)
            if child.find("chord") is None:
                onset = now
                if child.find("grace") is None:
                    now += long
            measure.notes += _note(child, onset, long, state)
        elif kind == "backup":
            now = max(now - _duration(child, state), 0.0)
        elif kind == "forward":
            now += _duration(child, state)
        elif kind == "attributes":
            _apply_attributes(child, state)
            measure.percussion |= (child.findtext("clef/sign") or "").strip() == "percussion"
        elif kind in ("direction", "sound"):
            measure.tempi += [(now, speed) for speed in _tempi(child)]
        measure.length = max(measure.length, now)
    measure.written, measure.unread, state.unread = state.bar, state.unread, 0
    return measure


def _duration(element: Element, state: _State) -> float:
    said = element.findtext("duration")
    long = finite(said) / state.divisions if said else 0.0
    return min(max(long, 0.0), _LONGEST_NOTE)


def _note(element: Element, onset: float, long: float, state: _State) -> Iterator[MeasureNote]:
    """Yield the note of an element if it sounds at a pitch."""
    pitch = element.find("pitch")
    state.unread += pitch is not None and long <= 0 and element.find("grace") is None
    if (
        pitch is None
        or long <= 0
        or element.find("cue") is not None
        or element.find("grace") is not None
    ):
        return
    staff = element.findtext("staff") or "1"
    head = element.findtext("notehead") or ""
    if state.slashes & {staff, _EVERY_STAFF} or head.strip() == "slash":
        return
    step = _STEPS[(pitch.findtext("step") or "").strip()]
    height = (
        step
        + 12 * (finite(pitch.findtext("octave") or "4") + 1)
        + finite(pitch.findtext("alter") or "0")
    )
    height += state.shift.get(staff, state.shift.get(_EVERY_STAFF, 0.0))
    if not 0 <= height <= 127:
        state.unread += 1
        return
    ties = {tie.get("type") for tie in element.iterfind("tie")}
    ties |= {tie.get("type") for tie in element.iterfind("notations/tied")}
    voice = element.findtext("voice") or ""
    yield MeasureNote(onset, long, height, staff, voice, "start" in ties, "stop" in ties)


def _apply_attributes(element: Element, state: _State) -> None:
    divisions = element.findtext("divisions")
    if divisions and finite(divisions) > 0:
        state.divisions = finite(divisions)
    time = element.find("time")
    if time is not None and time.find("beats") is not None:
        state.bar = _bar(time) or state.bar
    for transpose in element.iterfind("transpose"):
        chromatic = finite(transpose.findtext("chromatic") or "0")
        octaves = finite(transpose.findtext("octave-change") or "0")
        staff = transpose.get("number") or _EVERY_STAFF
        if staff == _EVERY_STAFF:
            state.shift.clear()
        state.shift[staff] = chromatic + 12 * octaves
    for style in element.iterfind("measure-style"):
        again = style.find("measure-repeat")
        if again is not None:
            said = (again.text or "").strip()
            count = int(said[:2]) if said.isdecimal() else 1
            state.repeated = count if again.get("type") == "start" else 0
        slash = style.find("slash")
        if slash is not None:
            staff = style.get("number") or _EVERY_STAFF
            (state.slashes.add if slash.get("type") == "start" else state.slashes.discard)(staff)


def _bar(time: Element) -> float:
    """Return the length of a bar in quarter notes; 0 if the metre does not say."""
    total = 0.0
    for beats, kind in zip(time.iterfind("beats"), time.iterfind("beat-type"), strict=False):
        terms = (beats.text or "").split("+")
        unit = (kind.text or "").strip()
        if unit.isdecimal() and int(unit[:6]) and all(term.strip().isdecimal() for term in terms):
            total += sum(int(term[:6]) for term in terms) * 4 / int(unit[:6])
    return min(total, _LONGEST_NOTE)


def _tempi(element: Element) -> Iterator[float]:
    """Yield the tempo that a direction or a sound sets, in quarter notes a minute."""
    sounds = [element] if element.tag == "sound" else element.findall("sound")
    for sound in sounds:
        said = _SPEED.match((sound.get("tempo") or "").strip())
        if said:
            yield float(said[0].replace(",", "."))
            return
    for metronome in element.iterfind("direction-type/metronome"):
        unit = _BEATS.get((metronome.findtext("beat-unit") or "").strip())
        speed = _SPEED.search(metronome.findtext("per-minute") or "")  # "c. 60" and "60-66" too
        if unit and speed:
            dots = len(metronome.findall("beat-unit-dot"))
            yield float(speed[0].replace(",", ".")) * unit * (2 - 0.5 ** min(dots, 4))
            return


def _ending_numbers(said: str) -> tuple[int, ...]:
    """Return the numbers of an ending such as "1", "1, 2" or "1-3"."""
    numbers: list[int] = []
    for first, last in re.findall(r"(\d{1,2})(?:\s*-\s*(\d{1,2}))?", said[:100]):
        numbers += range(int(first), int(last or first) + 1)
    return tuple(numbers) or (1,)


def _read_signs(
    element: Element, signs: Signs, before: Signs | None, ending: tuple[int, ...]
) -> tuple[int, ...]:
    """Read the repeats, endings and jumps of a measure; return the ending that goes on after it."""
    after = ending
    for line in element.iterfind("barline"):
        repeat, volta = line.find("repeat"), line.find("ending")
        if volta is not None:
            if volta.get("type") == "start":
                ending = after = _ending_numbers(volta.get("number") or "1")
            else:
                after = ()
        if repeat is not None and repeat.get("direction") == "forward":
            signs.forward = True
        elif repeat is not None:
            times = repeat.get("times") or "2"
            # A repeat on the left of a measure ends the measure before.
            of = before if line.get("location") == "left" and before is not None else signs
            of.times = int(times) if times.isdecimal() and len(times) < 3 else 2
    signs.endings = signs.endings or ending
    _read_jumps(element, signs)
    return after


_JUMPS = (
    (re.compile(r"D\.? ?C\.?(?!\w)|da capo\b", re.IGNORECASE), "da capo"),
    (re.compile(r"D\.? ?S\.?(?!\w)|dal segno\b", re.IGNORECASE), "dal segno"),
)


def _read_jumps(element: Element, signs: Signs) -> None:
    """Read da capo, dal segno and their kin: as MusicXML has them for players, or else as printed."""
    for sound in element.iter("sound"):
        signs.fine |= sound.get("fine") is not None
        signs.to_coda |= sound.get("tocoda") is not None
        signs.segno |= sound.get("segno") is not None
        signs.coda |= sound.get("coda") is not None
        if sound.get("dacapo") == "yes":
            signs.jump = "da capo"
        elif sound.get("dalsegno") is not None:
            signs.jump = "dal segno"
    for printed in element.iterfind("direction/direction-type"):
        signs.segno |= printed.find("segno") is not None
        signs.coda |= printed.find("coda") is not None and not signs.to_coda
        text = (printed.findtext("words") or "").strip()[:80]
        signs.fine |= text.lower().rstrip(".") == "fine"
        signs.to_coda |= text.lower().startswith("to coda")
        jump = next((jump for form, jump in _JUMPS if form.match(text)), "")
        signs.jump = signs.jump or jump
    signs.coda &= not signs.to_coda
