"""Parts from MusicXML 1 to 4, alone or compressed, by part or by time.

Notes are read as they sound: transposing instruments at sounding pitch, ties joined, repeats and
endings played. Cue notes, grace notes, slashes and notes without pitch are left out; a direction stands
where it stands and makes no bar longer.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from melodysim.errors import ReadError
from melodysim.readers.bounds import Archive, Element, damage, finite, number_of, parse_xml
from melodysim.readers.parts.score import Score
from melodysim.readers.scores.laying import MeasureNote, lay, parts_of, tempo_map
from melodysim.readers.scores.playing_order import Signs, playing_order

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_BEATS = {
    "maxima": 32.0, "long": 16.0, "breve": 8.0, "whole": 4.0, "half": 2.0, "quarter": 1.0,
    "eighth": 0.5, "16th": 0.25, "32nd": 0.125, "64th": 0.0625,
}  # fmt: skip
_LONGEST_NOTE = 1024.0
"""Quarter notes."""
_PICTURED = ("slash", "none")
_EVERY_STAFF = ""


@dataclass
class _Measure:
    """A measure of one part: its notes, length and tempi, in quarter notes."""

    notes: list[MeasureNote] = field(default_factory=list)
    length: float = 0.0
    written: float = 4.0
    tempi: list[tuple[float, float]] = field(default_factory=list)


@dataclass
class _State:
    """What attributes of a part are in force."""

    divisions: float = 1.0
    bar: float = 4.0
    shift: dict[str, float] = field(default_factory=dict)
    slashes: set[str] = field(default_factory=set)


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
    with damage(path, "MusicXML file", "export it again"):
        if content.startswith(b"PK"):
            content = _unpacked(Archive(content))
        return _score(parse_xml(content))


def _unpacked(archive: Archive) -> bytes:
    """Return the score of a compressed file: the one that its container names first."""
    if "META-INF/container.xml" in archive.names:
        container = parse_xml(archive.read("META-INF/container.xml"))
        for file in container.iter():
            if _tag(file) == "rootfile" and file.get("full-path") in archive.names:
                return archive.read(str(file.get("full-path")))
    for name in archive.names:
        if name.lower().endswith((".musicxml", ".xml")) and not name.startswith(
            ("META-INF/", "__MACOSX/")
        ):
            return archive.read(name)
    raise ReadError("no score in it")


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
    names = {
        part.get("id"): (part.findtext("part-name") or "").strip()
        for part in root.iterfind("part-list/score-part")
    }
    signs: list[Signs] = []
    read = {part: _read_part(written, signs) for part, written in _measures_by_part(root).items()}
    lengths = [_length(read, k) for k in range(len(signs))]
    order = playing_order(signs)
    begins, now = [], 0.0
    for k in order:
        begins.append(now)
        now += lengths[k]
    parts = []
    tempo = tempo_map(
        [
            (begin + place, speed)
            for measures in read.values()
            for begin, k in zip(begins, order, strict=True)
            if k < len(measures)
            for place, speed in measures[k].tempi
        ]
    )
    for number, (part, measures) in enumerate(read.items(), 1):
        played = (
            (begin, measures[k].notes)
            for begin, k in zip(begins, order, strict=True)
            if k < len(measures) and measures[k].notes
        )
        parts += parts_of(names.get(part) or f"part {number}", lay(played), tempo)
    creators = [
        c for c in root.iterfind("identification/creator") if c.get("type") in ("composer", None)
    ]
    title = root.findtext("work/work-title") or root.findtext("movement-title")
    return Score(tuple(parts), title, creators[0].text if creators else None)


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
    found = []
    for k, element in enumerate(measures):
        if k == len(signs):
            signs.append(Signs())
        ending = _read_signs(element, signs[k], ending)
        found.append(_read_measure(element, state))
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
        elif kind in ("direction", "sound"):
            measure.tempi += [(now, speed) for speed in _tempi(child)]
        measure.length = max(measure.length, now)
    measure.written = state.bar
    return measure


def _duration(element: Element, state: _State) -> float:
    said = element.findtext("duration")
    long = finite(said) / state.divisions if said else 0.0
    return min(max(long, 0.0), _LONGEST_NOTE)


def _note(element: Element, onset: float, long: float, state: _State) -> Iterator[MeasureNote]:
    """Yield the note of an element if it sounds at a pitch."""
    pitch = element.find("pitch")
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
        if sound.get("tempo"):
            yield number_of(sound, "tempo", 0.0)
            return
    for metronome in element.iterfind("direction-type/metronome"):
        unit = _BEATS.get((metronome.findtext("beat-unit") or "").strip())
        speed = (metronome.findtext("per-minute") or "").strip()
        if unit and speed.replace(".", "", 1).isdecimal():
            dots = len(metronome.findall("beat-unit-dot"))
            yield finite(speed) * unit * (2 - 0.5 ** min(dots, 4))
            return


def _read_signs(element: Element, signs: Signs, ending: tuple[int, ...]) -> tuple[int, ...]:
    """Read the repeats, endings and jumps of a measure; return the ending that goes on after it."""
    after = ending
    for line in element.iterfind("barline"):
        repeat, volta = line.find("repeat"), line.find("ending")
        if volta is not None:
            numbers = tuple(
                int(n)
                for n in (volta.get("number") or "1").replace(" ", ",").split(",")
                if n.isdecimal() and len(n) < 3
            )
            if volta.get("type") == "start":
                ending = after = numbers or (1,)
            else:
                after = ()
        if repeat is not None:
            if repeat.get("direction") == "forward":
                signs.forward = True
            else:
                times = repeat.get("times") or "2"
                signs.times = int(times) if times.isdecimal() and len(times) < 3 else 2
    signs.endings = signs.endings or ending
    _read_jumps(element, signs)
    return after


_JUMPS = (
    (re.compile(r"\bD\.? ?C\.?(?!\w)|\bda capo\b", re.IGNORECASE), "da capo"),
    (re.compile(r"\bD\.? ?S\.?(?!\w)|\bdal segno\b", re.IGNORECASE), "dal segno"),
)


def _read_jumps(element: Element, signs: Signs) -> None:
    """Read da capo, dal segno and their kin: as MusicXML has them for players, else from the words."""
    for sound in element.iter("sound"):
        signs.fine |= sound.get("fine") is not None
        signs.to_coda |= sound.get("tocoda") is not None
        signs.segno |= sound.get("segno") is not None
        signs.coda |= sound.get("coda") is not None
        if sound.get("dacapo") == "yes":
            signs.jump = "da capo"
        elif sound.get("dalsegno") is not None:
            signs.jump = "dal segno"
    if signs.jump or signs.fine or signs.to_coda:
        return
    for words in element.iterfind("direction/direction-type/words"):
        text = (words.text or "").strip()[:80]
        signs.fine |= text.lower().rstrip(".") == "fine"
        signs.jump = next((jump for form, jump in _JUMPS if form.search(text)), signs.jump)
