"""Parts from Humdrum's kern representation (humdrum.org/rep/kern).

Spines may split, join, swap places, begin and end on the way; each is a part, and what it splits into
are its voices. Pitches of kern are sounding pitches, also of transposing instruments. Sections are
played in the order of the expansion list, or repeated as the bar lines say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from melodysim.errors import ReadError
from melodysim.readers.bounds import MAX_QUARTERS, MOST_NOTES, damage
from melodysim.readers.parts.score import Score
from melodysim.readers.scores.laying import MeasureNote, lay, parts_of, placings, tempo_map
from melodysim.readers.scores.playing_order import Signs, playing_order
from melodysim.readers.text_encoding import decode_text
from melodysim.util.plain_text import counted

_STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_NOTE = re.compile(r"([a-gA-G])\1*")
_RECIPROCAL = re.compile(r"(\d{1,6})(?:%(\d{1,6}))?(\.{0,6})")
_EXPANSION = re.compile(r"\*>\[([^\]]*)\]$")
_LABEL = re.compile(r"\*>([^\[\]]+)$")
_MOST_SPINES = 512


@dataclass(eq=False)
class _Spine:
    """A column: the part that it belongs to, its voice, and when its note has ended."""

    part: int
    voice: str
    kern: bool
    free: float = 0.0


@dataclass
class _Section:
    """Notes between two bar lines or labels: one entry for each part."""

    begin: float
    notes: dict[int, list[MeasureNote]] = field(default_factory=dict)
    tempi: list[tuple[float, float]] = field(default_factory=list)
    signs: Signs = field(default_factory=Signs)
    label: str = ""


@dataclass
class _Reading:
    """A file while it is read, line by line."""

    spines: list[_Spine] = field(default_factory=list)
    sections: list[_Section] = field(default_factory=lambda: [_Section(0.0)])
    names: dict[int, str] = field(default_factory=dict)
    codes: dict[int, str] = field(default_factory=dict)
    drums: set[int] = field(default_factory=set)
    expansion: list[str] = field(default_factory=list)
    now: float = 0.0
    parts: int = 0
    notes: int = 0
    unread: int = 0

    @property
    def end(self) -> float:
        """When everything so far has ended."""
        return max([self.now, *(spine.free for spine in self.spines)])


def read_kern(path: Path, content: bytes) -> Score:
    """Read a kern file: a part for each spine that has notes.

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
    with damage(path, "kern file", "export it again"):
        reading = _Reading()
        about: dict[str, str] = {}
        for number, line in enumerate(decode_text(content).splitlines(), 1):
            if line.startswith("!!!") and ":" in line:
                name, _, value = line[3:].partition(":")
                about.setdefault(name.partition("@")[0], value.strip())
            elif line and not line.startswith("!"):
                _read_line(reading, line.rstrip("\r\n").split("\t"), number)
        if not reading.parts:
            raise ReadError("no kern in it (no column begins with **kern)")
        return _score(reading, about)


def _score(reading: _Reading, about: dict[str, str]) -> Score:
    sections = reading.sections
    ends = [*(section.begin for section in sections[1:]), reading.end]
    remarks = []
    labels = {section.label for section in sections}
    if not labels.issuperset(reading.expansion):
        missing = ", ".join(sorted(set(reading.expansion) - labels))
        remarks.append(
            f"the score asks for a section that it does not have ({missing}): it was read as written"
        )
        reading.expansion = []
    if reading.unread:
        remarks.append(
            f"{counted(reading.unread, 'token')} could not be read as notes and were left out"
        )
    lengths = [max(end - section.begin, 0.0) for section, end in zip(sections, ends, strict=True)]
    placed = placings(_order(sections, reading.expansion), lengths)
    tempo = tempo_map(
        [(at.begin + place, t) for at in placed for place, t in sections[at.written].tempi]
    )
    parts = []
    for part in range(reading.parts):
        played = ((at.begin, at.follows, sections[at.written].notes.get(part, [])) for at in placed)
        name = reading.names.get(part) or reading.codes.get(part) or f"spine {part + 1}"
        parts += parts_of(name, lay(played), tempo, part in reading.drums)
    # Humdrum writes scores from the bass up.
    title = about.get("OTL") or about.get("OTI")
    return Score(tuple(reversed(parts)), title, about.get("COM"), remarks=tuple(remarks))


def _order(sections: list[_Section], expansion: list[str]) -> list[int]:
    """Return the sections in the order in which they are played."""
    by_label: dict[str, list[int]] = {}
    label = ""
    for k, section in enumerate(sections):
        label = section.label or label
        by_label.setdefault(label, []).append(k)
    named = [k for name in expansion for k in by_label.get(name, [])]
    if named and len(named) < 20 * len(sections):
        return by_label.get("", []) + named
    return playing_order([section.signs for section in sections])


def _read_line(reading: _Reading, tokens: list[str], number: int) -> None:
    """Read one line of tokens, a spine each."""
    if not reading.spines or (tokens[0].startswith("**") and len(tokens) != len(reading.spines)):
        if not tokens[0].startswith("**"):
            raise ReadError(f"line {number} stands before the spines are named")
        reading.spines = [_begun(reading, token) for token in tokens]
        return
    if len(tokens) != len(reading.spines):
        raise ReadError(
            f"line {number} has {len(tokens)} columns where {len(reading.spines)} spines run"
        )
    if tokens[0].startswith("="):
        _bar_line(reading, tokens[0])
    elif any(token.startswith("*") for token in tokens):
        _interpret(reading, tokens)
    elif not tokens[0].startswith("!"):
        _data(reading, tokens)


def _begun(reading: _Reading, token: str) -> _Spine:
    """Begin a spine with its exclusive interpretation."""
    kern = token.startswith("**kern")
    reading.parts += kern
    return _Spine(reading.parts - 1, "1", kern, reading.now)


def _free_voice(spines: list[_Spine], spine: _Spine) -> str:
    """Name the voice that a spine splits off: the lowest number that no other of its part has.

    So a voice that ends and begins again, as second voices do, is one.
    """
    taken = {other.voice for other in spines if other.part == spine.part}
    return next(str(k) for k in count(1) if str(k) not in taken)


def _interpret(reading: _Reading, tokens: list[str]) -> None:
    """Follow a line of interpretations: what spines do, names, tempi, sections."""
    for spine, token in zip(reading.spines, tokens, strict=True):
        if token.startswith(('*I"', "*I'")) and spine.kern:
            reading.names.setdefault(spine.part, token[3:].strip()[:100])
        elif token.startswith("*I") and token[2:3].islower() and spine.kern:
            reading.codes.setdefault(spine.part, token[2:].strip()[:40])
        if spine.kern and (token.startswith("*clefX") or token == "*Idrmset"):
            reading.drums.add(spine.part)
        if token.startswith("*MM") and re.fullmatch(r"\d{1,4}(\.\d{1,4})?", token[3:]):
            _section_at(reading).tempi.append(
                (reading.end - _section_at(reading).begin, float(token[3:]))
            )
    expansion, label = _EXPANSION.match(tokens[0]), _LABEL.match(tokens[0])
    if expansion:
        reading.expansion = reading.expansion or expansion[1].split(",")
    elif label:
        _next_section(reading).label = label[1]
    if any(token in ("*^", "*v", "*x", "*+", "*-") or token.startswith("**") for token in tokens):
        reading.spines = _moved(reading, tokens)


def _moved(reading: _Reading, tokens: list[str]) -> list[_Spine]:
    """Return the spines after a line in which they split, join, swap, begin or end."""
    moved: list[_Spine] = []
    joined: _Spine | None = None
    for k, (spine, token) in enumerate(zip(reading.spines, tokens, strict=True)):
        if token == "*v":
            if joined is None or joined.part != spine.part:
                joined = spine
                moved.append(spine)
            joined.free = max(joined.free, spine.free)
            continue
        joined = None
        if token == "*-":
            reading.now = max(reading.now, spine.free)
        elif token == "*^":
            there = moved + reading.spines[k:]
            moved += [spine, _Spine(spine.part, _free_voice(there, spine), spine.kern, spine.free)]
        elif token == "*+":
            moved += [spine, _Spine(-1, "", False, reading.now)]
        elif token.startswith("**"):
            moved.append(_begun(reading, token))
        elif token == "*x" and k and tokens[k - 1] == "*x" and tokens[:k].count("*x") % 2:
            moved.insert(len(moved) - 1, spine)
        else:
            moved.append(spine)
    if len(moved) > _MOST_SPINES:
        raise ReadError(f"runs more than {_MOST_SPINES} spines")
    return moved


def _section_at(reading: _Reading) -> _Section:
    return reading.sections[-1]


def _next_section(reading: _Reading) -> _Section:
    """Begin a section, unless the last has not begun to sound."""
    last = reading.sections[-1]
    if reading.end > last.begin or last.label:
        reading.sections.append(_Section(reading.end))
    return reading.sections[-1]


def _bar_line(reading: _Reading, token: str) -> None:
    """End a section at a bar line that ends or begins a repeat, or is one of the score's own."""
    head, bar, tail = token.partition("!")
    if not bar:
        head, bar, tail = token.partition("|")
    ends, begins = ":" in head, ":" in tail
    if ends:
        _section_at(reading).signs.times = 2
    if ends or begins:
        _next_section(reading).signs.forward = begins or _section_at(reading).signs.forward


def _data(reading: _Reading, tokens: list[str]) -> None:
    """Read a line of notes, which begin together when the notes before have ended."""
    begins = [
        spine.free
        for spine, token in zip(reading.spines, tokens, strict=True)
        if spine.kern and token != "." and _RECIPROCAL.search(token) and "q" not in token
    ]
    if not begins:
        return
    now = reading.now = max(*begins, reading.now)
    if now > MAX_QUARTERS:
        raise ReadError(f"claims to last more than {MAX_QUARTERS:,.0f} quarter notes")
    section = _section_at(reading)
    for spine, token in zip(reading.spines, tokens, strict=True):
        if not spine.kern or token == "." or "q" in token:
            continue
        longest = 0.0
        reading.unread += not any(True for _ in _notes_of(token, 0.0, spine))
        for note in _notes_of(token, now - section.begin, spine):
            longest = max(longest, note.duration)
            if note.pitch >= 0:
                section.notes.setdefault(spine.part, []).append(note)
                reading.notes += 1
        if longest:
            spine.free = now + longest
    if reading.notes > MOST_NOTES:
        raise ReadError(f"holds more than {MOST_NOTES:,} notes")


def _notes_of(token: str, onset: float, spine: _Spine) -> Iterable[MeasureNote]:
    """Yield the notes of a token; a rest has the pitch -1."""
    long = 0.0
    for said in token.split(" "):
        found = _RECIPROCAL.search(said)
        long = _quarters(found) if found else long
        pitch = _NOTE.search(said)
        if long <= 0 or (pitch is None and "r" not in said):
            continue
        height = -1.0
        if pitch is not None and "r" not in said:
            letter, count = pitch[0][0], min(len(pitch[0]), 8)
            octave = 4 + count - 1 if letter.islower() else 4 - count
            height = 12.0 * (octave + 1) + _STEPS[letter.lower()] + said.count("#") - said.count("-")
        tied_on, tied = "[" in said or "_" in said, "]" in said or "_" in said
        yield MeasureNote(onset, long, height, "", spine.voice, tied_on, tied)


def _quarters(found: re.Match[str]) -> float:
    """Return the length of a reciprocal: 4 is a quarter, 0 a breve, 3%2 two thirds of a whole."""
    digits, over, dots = found.groups()
    if not digits.strip("0"):
        long = 4.0 * 2 ** min(len(digits), 4)
    else:
        long = 4.0 * (int(over) if over else 1) / int(digits)
    return min(long, 1024.0) * (2 - 0.5 ** len(dots))
