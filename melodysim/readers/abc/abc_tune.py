"""Melodies from ABC notation, fast enough for whole tune books.

Follows the ABC standard 2.1 (abcnotation.com/wiki/abc:standard:v2.1) as far as the notes of a melody
go. Left out, because they do not change which notes a melody has: grace notes, decorations, chord
names, words, slurs and layout. Of a chord the top note is kept. Repeats are read once, as they are
written, each ending after the other. Macros (``m:``) are not expanded.

Conventions: onsets and durations are exact fractions of a quarter note until the very end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from melodysim.errors import ReadError
from melodysim.melody import Melody
from melodysim.readers.abc import abc_fields
from melodysim.readers.abc.abc_fields import ACCIDENTALS, Setting, with_field
from melodysim.readers.abc.abc_tokens import CHORD_NOTE, NOT_IN_CHORD, TOKEN, length, tuplet
from melodysim.readers.bounds import MOST_NOTES
from melodysim.readers.parts.score import Part, Score
from melodysim.readers.tempo import DEFAULT_TEMPO, constant_tempi
from melodysim.readers.text_encoding import decode_text

MAX_TUNE_QUARTERS = 100_000
"""A tune that claims to be longer is damaged."""

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_FIELD = re.compile(r"([A-Za-z+]):(.*)", re.DOTALL)
_NOTE_BEFORE_BAR = re.compile(r"[A-Ga-gxzZX]:[|:\]]")
"""A line that begins with a note and a repeat sign is music, although it looks like a field."""
_COMMENT = re.compile(r"(?<!\\)%.*")
_BLOCK = re.compile(r"%%\s*begin(\w{1,20})")
_MOST_BARS_OF_REST = 1000
_LONGEST_NAME = 40


@dataclass(frozen=True)
class Tune:
    """One tune of a tune book.

    Attributes
    ----------
    number : str
        The X: field.
    title, creator : str or None
        The first T: and C: fields.
    melodies : tuple of Melody
        One for each voice that has notes, in the order of the tune; what is overlaid on a voice
        (``&``) is a voice of its own.
    """

    number: str
    title: str | None
    creator: str | None
    melodies: tuple[Melody, ...]


@dataclass
class _Voice:
    """Notes of a voice so far, and what is pending for its next note."""

    setting: Setting
    now: Fraction = Fraction(0)
    bar_began: Fraction = Fraction(0)
    notes: list[list] = field(default_factory=list)  # [onset, duration, pitch]
    bar: dict = field(default_factory=dict)  # accidentals in force, by letter (and octave)
    ties: dict = field(default_factory=dict)  # letter and octave: (pitch, entry in notes or None)
    sounding: dict = field(default_factory=dict)  # of the last note or chord, as in ties
    last: tuple[list | None, Fraction] | None = None  # entry of the last note or rest, its duration
    broken: Fraction | None = None  # factor for the next note
    tuplet: tuple[Fraction, int] | None = None  # factor, notes left


class _Body:
    """The voices of a tune while it is read."""

    def __init__(self, setting: Setting) -> None:
        self.header = setting
        self.voices: dict[str, _Voice] = {}
        self.settings: dict[str, Setting] = {}
        self.layers = [""]  # the voice that is written in, and what lies over it in this bar
        self.tempi: dict[Fraction, float] = {}
        self.octave_alone = False
        self.bang_breaks = False
        self.choose("1")

    @property
    def voice(self) -> _Voice:
        """The voice that the next note belongs to."""
        return self.voices[self.layers[-1]]

    def choose(self, name: str) -> None:
        """Go on in a voice, which begins with the tune's own setting."""
        self.layers = [name]
        if name not in self.voices:
            self.voices[name] = _Voice(self.settings.get(name, self.header))

    def announce(self, value: str) -> None:
        """Keep what a V: field of the header says, until its voice begins."""
        name = (value.split(None, 1) or ["1"])[0][:_LONGEST_NAME]
        self.settings[name] = with_field(self.settings.get(name, self.header), "V", value)
        if name == "1":
            self.voice.setting = self.settings[name]

    def overlay(self) -> None:
        """Go back to the beginning of the bar, in a layer of its own."""
        main = self.voices[self.layers[0]]
        name = f"{self.layers[0]} & {len(self.layers) + 1}"
        layer = self.voices.setdefault(name, _Voice(replace(main.setting, name="")))
        layer.setting, layer.now = replace(main.setting, name=""), main.bar_began
        layer.bar, layer.ties, layer.tuplet, layer.broken, layer.last = {}, {}, None, None, None
        self.layers.append(name)

    def bar_line(self) -> None:
        """End the bar: layers are joined, accidentals no longer hold."""
        main = self.voices[self.layers[0]]
        main.now = max(self.voices[name].now for name in self.layers)
        self.layers = self.layers[:1]
        main.bar_began = main.now
        main.bar = {}

    def apply(self, name: str, value: str) -> None:
        """Apply a field in the body, which holds for the voice that it stands in."""
        voice = self.voice
        if name == "V":
            called = (value.split(None, 1) or ["1"])[0][:_LONGEST_NAME]
            self.choose(called)
            self.voice.setting = with_field(self.voice.setting, "V", value)
        elif name == "Q":
            speed = abc_fields.tempo(value, voice.setting.unit)
            if speed:
                self.tempi[voice.now] = speed
        elif name == "I":
            self.instruct(value)
        else:
            voice.setting = with_field(voice.setting, name, value)

    def instruct(self, value: str) -> None:
        """Follow an instruction: what ``!`` means, and how far accidentals reach."""
        words = value.split()
        if words[:1] == ["linebreak"]:
            self.bang_breaks = "!" in words
        if words[:1] == ["propagate-accidentals"]:
            self.octave_alone = "octave" in words


def read_abc(path: Path, content: bytes) -> Iterator[tuple[Tune, Score]]:
    """Read every tune of an ABC file.

    Parameters
    ----------
    path : Path
        Only named in errors.
    content : bytes
        The file's bytes.

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
    for tune in tunes(decode_text(content)):
        found = found or bool(tune.melodies)
        parts = tuple(map(_melody_part, tune.melodies))
        yield tune, Score(parts, tune.title, tune.creator)
    if not found:
        raise ReadError("no ABC tune with notes in it", "is it an ABC file?", path)


def _melody_part(melody: Melody) -> Part:
    assert melody.beat is not None  # `_melody` sets it
    pitch = melody.pitch.astype(float)
    return Part(melody.voice, melody.onset, melody.duration, pitch, melody.beat)


def tunes(text: str) -> Iterator[Tune]:
    """Read every tune of an ABC file.

    Parameters
    ----------
    text : str
        Contents of the file. The lines before the first X: field are the file header; its L:, M:, Q:
        and C: fields hold for all tunes. An empty line ends a tune.

    Yields
    ------
    Tune
        Also when it has no notes.
    """
    parts = re.split(r"(?m)^(?=X[ \t]*:)", text.replace("\r\n", "\n").replace("\r", "\n"))
    header = parts[0] if not parts[0].lstrip().startswith("X") else ""
    shared = [line for line in header.split("\n") if re.match(r"[LMQC]:|I:", line)]
    bodies = parts[1:] if header or not parts[0] else parts
    for body in bodies:
        yield _tune([*shared, *_lines(body.split("\n"))])


def _lines(lines: list[str]) -> Iterator[str]:
    """Yield the lines of a tune up to the first empty one, fields with what continues them.

    Comments, and blocks of text or PostScript, are left out.
    """
    block = ""
    waiting: str | None = None
    for line in lines:
        if block:
            block = "" if line.startswith(f"%%end{block}") else block
            continue
        if line.startswith("%%"):
            found = _BLOCK.match(line)
            block = found[1] if found else ""
            if waiting is not None and not found:
                yield waiting
                waiting = None
            if not found:
                yield "I:" + line[2:].strip()
            continue
        if not line.strip():
            break
        line = _COMMENT.sub("", line).rstrip()
        if line.startswith("+:"):
            waiting = None if waiting is None else f"{waiting} {line[2:].strip()}"
        elif line:
            if waiting is not None:
                yield waiting
            waiting = line
    if waiting is not None:
        yield waiting


def _field_of(line: str) -> tuple[str, str] | None:
    """Return the name and the value of a line that is an information field."""
    found = _FIELD.match(line)
    if not found or _NOTE_BEFORE_BAR.match(line):
        return None
    return found[1], found[2].strip()


def _tune(lines: list[str]) -> Tune:
    """Read one tune from its lines."""
    texts: dict[str, str] = {}
    header, rest = _header(lines, texts)
    body = header
    for line in rest:
        said = _field_of(line)
        if said is None:
            _music(line, body)
            if any(v.now > MAX_TUNE_QUARTERS for v in body.voices.values()):
                break
        elif said[0] not in "wWsTCX":
            body.apply(*said)
    melodies = tuple(
        _melody(voice, body.tempi, name) for name, voice in body.voices.items() if voice.notes
    )
    return Tune(texts.get("X", ""), texts.get("T") or None, texts.get("C") or None, melodies)


def _header(lines: list[str], texts: dict[str, str]) -> tuple[_Body, list[str]]:
    """Read the fields up to the first K:, which ends the header; return the lines after it."""
    setting, unit = Setting(), None
    said_of: dict[str, list[str]] = {"V": [], "Q": [], "I": []}
    has_key = any(line.startswith("K:") for line in lines)
    for end, line in enumerate(lines, 1):
        name, value = _field_of(line) or ("", "")
        if not name and not has_key:  # a tune without a key begins with its music
            end -= 1
            break
        if name in ("X", "T", "C"):
            texts.setdefault(name, value)
        elif name == "L":
            unit = abc_fields.unit_length(value[: abc_fields.LONGEST]) or unit
        elif name in said_of:
            said_of[name].append(value)
        elif name:
            setting = with_field(setting, name, value)
        if name == "K":
            break
    setting = replace(setting, unit=unit or abc_fields.default_unit(setting.bar))
    body = _Body(setting)
    for value in said_of["V"]:
        body.announce(value)
    for value in said_of["I"]:
        body.instruct(value)
    speeds = [abc_fields.tempo(value, setting.unit) for value in said_of["Q"]]
    body.tempi[Fraction(0)] = next((speed for speed in reversed(speeds) if speed), DEFAULT_TEMPO)
    return body, lines[end:] if lines else []


def _melody(voice: _Voice, tempi: dict[Fraction, float], name: str) -> Melody:
    """Freeze the notes of a voice, in seconds."""
    onset, duration, pitch = (
        np.array(column, dtype=float) for column in zip(*voice.notes, strict=True)
    )
    places = sorted(tempi)
    tempo = constant_tempi(
        np.array(places, dtype=float), 60.0 / np.array([tempi[place] for place in places])
    )
    begins = tempo.seconds(onset)
    lasts = np.maximum(tempo.seconds(onset + duration) - begins, 1e-3)
    called = voice.setting.name or name
    # Overlays may lie over one another where a bar is written too long.
    return Melody.from_overlapping(begins, lasts, np.clip(pitch, 0, 127), voice=called, beat=onset)


def _pitch(accidental: str | None, letter: str, octave: str, voice: _Voice, alone: bool) -> float:
    """Return the MIDI note number of a note under the key, the accidentals of the bar, and ties."""
    step = letter.upper()
    key: object = letter + octave if alone else step
    height = 60 + (12 if letter.islower() else 0) + voice.setting.shift
    if octave:
        height += 12 * (octave[:10].count("'") - octave[:10].count(","))
    if accidental:
        voice.bar[key] = ACCIDENTALS[accidental]
    elif voice.ties and letter + octave in voice.ties:
        return float(voice.ties[letter + octave][0])  # what is tied keeps its accidental over the bar
    return height + _STEPS[step] + voice.bar.get(key, voice.setting.key.get(step, 0.0))


def _sound(voice: _Voice, duration: Fraction, pitches: dict[str, float]) -> None:
    """Append the top of some notes, or a rest where there are none, and move on in time."""
    if voice.tuplet:
        factor, left = voice.tuplet
        duration *= factor
        voice.tuplet = (factor, left - 1) if left > 1 else None
    if voice.broken:
        duration, voice.broken = duration * voice.broken, None
    if duration.numerator <= 0:  # twice as fast as comparing the fraction
        return
    entry = None
    if pitches:
        top = max(pitches, key=pitches.__getitem__) if len(pitches) > 1 else next(iter(pitches))
        tied = voice.ties.get(top)
        if tied is not None and tied[0] == pitches[top]:
            entry = tied[1]
            if entry is not None:
                entry[1] += duration
        elif len(voice.notes) < MOST_NOTES:
            entry = [voice.now, duration, pitches[top]]
            voice.notes.append(entry)
        voice.sounding = {k: (p, entry if k == top else None) for k, p in pitches.items()}
    else:
        voice.sounding = {}
    voice.ties = {}
    voice.last = (entry, duration)
    voice.now += duration


def _break_rhythm(voice: _Voice, marks: str) -> None:
    """Lengthen (``>``) or shorten (``<``) the last note, and set the factor for the next."""
    if voice.last is None:
        return
    half = Fraction(1, 2 ** min(len(marks), 8))
    factor, voice.broken = (2 - half, half) if marks[0] == ">" else (half, 2 - half)
    note, duration = voice.last
    change = duration * (factor - 1)
    if note is not None:
        note[1] += change
    voice.now += change


def _music(line: str, body: _Body) -> None:
    """Read one line of music."""
    line = line.replace("`", "")
    if body.bang_breaks:
        line = line.replace("!", " ")
    for token in TOKEN.finditer(line):
        kind = token.lastgroup or ""
        if kind in ("field", "bar", "overlay"):
            _structure(kind, token[0], body)
        else:
            _notes(token, body.voice, body.octave_alone)


def _structure(kind: str, text: str, body: _Body) -> None:
    """Apply a field inside a line, a bar line, or an overlay."""
    if kind == "field":
        body.apply(text[1], text[3:-1].strip())
    elif kind == "bar":
        body.bar_line()
    else:
        body.overlay()


def _notes(token: re.Match[str], voice: _Voice, alone: bool) -> None:
    """Append the note, chord or rest of a token, or apply its tie, broken rhythm or tuplet."""
    if token["note"]:
        key = token["letter"] + token["oct"]
        pitch = _pitch(token["acc"], token["letter"], token["oct"], voice, alone)
        _sound(voice, voice.setting.span(token["len"]), {key: pitch})
    elif token["chord"]:
        _chord(token, voice, alone)
    elif token["rest"]:
        _sound(voice, voice.setting.span(token["restlen"]), {})
    elif token["barrest"]:
        bars = min(int(token["bars"][:5] or 1), _MOST_BARS_OF_REST)
        _sound(voice, bars * (voice.setting.bar or Fraction(4)), {})
    elif token["tie"]:
        voice.ties = dict(voice.sounding)
    elif token["broken"]:
        _break_rhythm(voice, token["broken"])
    elif token["tuplet"]:
        voice.tuplet = tuplet(token["p"], token["q"], token["r"], voice.setting.compound)


def _chord(token: re.Match[str], voice: _Voice, alone: bool) -> None:
    """Append the top note of a chord; it is as long as its first note."""
    found = CHORD_NOTE.findall(NOT_IN_CHORD.sub("", token["inside"]))
    if not found:
        return
    pitches = {b + c: _pitch(a or None, b, c, voice, alone) for a, b, c, _, _ in found}
    long = length(found[0][3]) * length(token["chordlen"])
    _sound(voice, long * voice.setting.unit, pitches)
    voice.ties = {
        b + c: voice.sounding[b + c] for _, b, c, _, tie in found if tie and b + c in voice.sounding
    }
