"""Melodies from ABC notation, fast enough for whole tune books.

Follows the ABC standard 2.1 (abcnotation.com/wiki/abc:standard:v2.1, sections 3 and 4) as far as the
notes of a melody go: key and metre, accidentals that last to the bar line, ties, tuplets, broken
rhythm, chords (their top note), several voices, inline fields. Left out, because they do not change
which notes a melody has: grace notes, decorations, chord names, words, slurs and layout. Repeats are
read once, as they are written. It is some fifty times as fast as music21, which drops notes where it
does not keep to the standard (a fermata ``H`` loses its note).

Conventions: onsets and durations are exact fractions of a quarter note until the very end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from melodysim.errors import ReadError
from melodysim.melody import Melody
from melodysim.readers.score import Part, Score
from melodysim.readers.tempo import DEFAULT_TEMPO

MAX_TUNE_QUARTERS = 100_000
"""A tune that claims to be longer is damaged."""

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SHARPS, _FLATS = "FCGDAEB", "BEADGCF"
_TONIC_FIFTHS = {"C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5, "F": -1, "H": 5}
_MODE_FIFTHS = {"ion": 0, "maj": 0, "mix": -1, "dor": -2, "aeo": -3, "min": -3, "m": -3}
_MODE_FIFTHS |= {"phr": -4, "loc": -5, "lyd": 1}
_ACCIDENTALS = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}
_TUPLET_TIME = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}  # the standard's default q for (p; else 2, or 3 in 6/8

_TOKEN = re.compile(
    r"""
    (?P<text>"[^"]*"|![^!\s]*!|\+[^+\s]*\+)      # annotations and decorations
  | (?P<grace>\{[^}]*\})
  | (?P<field>\[[A-Za-z]:[^\]]*\])
  | (?P<tuplet>\((?P<p>[2-9])(?::(?P<q>\d*))?(?::(?P<r>\d*))?)
  | (?P<chord>\[(?P<inside>[^\]|:]*[A-Ga-g][^\]|:]*)\](?P<chordlen>\d*/*\d*))
  | (?P<note>(?P<acc>\^\^|\^|__|_|=)?(?P<letter>[A-Ga-g])(?P<oct>[,']*)(?P<len>\d*/*\d*))
  | (?P<rest>[zx](?P<restlen>\d*/*\d*))
  | (?P<barrest>[ZX](?P<bars>\d*))
  | (?P<tie>-)
  | (?P<broken>[<>]+)
  | (?P<bar>\|:|:\||::|\|\]|\[\||\|\||\||:)
    """,
    re.VERBOSE,
)
_NOTE = re.compile(r"(\^\^|\^|__|_|=)?([A-Ga-g])([,']*)(\d*/*\d*)")
_FRACTION = re.compile(r"(\d+)\s*/\s*(\d+)")


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
        One for each voice that has notes, in the order of the tune.
    """

    number: str
    title: str | None
    creator: str | None
    melodies: tuple[Melody, ...]


@dataclass
class _Voice:
    """Notes of a voice so far, and what is pending for its next note."""

    now: Fraction = Fraction(0)
    notes: list[list] = field(default_factory=list)  # [onset, duration, pitch]
    bar: dict[str, int] = field(default_factory=dict)  # accidentals in force, in all octaves
    tied: bool = False
    last: list | None = None  # last note or rest: [its entry in notes or None, its duration]
    broken: Fraction | None = None  # factor for the next note
    tuplet: tuple[Fraction, int] | None = None  # factor, notes left


@dataclass
class _State:
    """Fields of the tune that change how notes are read."""

    unit: Fraction | None = None  # L:, as a fraction of a whole note
    metre: Fraction | None = Fraction(1)
    compound: bool = False
    key: dict[str, int] = field(default_factory=dict)
    tempo: float = DEFAULT_TEMPO

    @property
    def quarters(self) -> Fraction:
        """Length of the unit note in quarter notes."""
        if self.unit is not None:
            return self.unit * 4
        short = self.metre is not None and self.metre < Fraction(3, 4)
        return Fraction(1, 16 if short else 8) * 4


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
        parts = tuple(map(_melody_part, tune.melodies))
        yield tune, Score(parts, tune.title, tune.creator)
    if not found:
        raise ReadError("no ABC tune with notes in it", "is it an ABC file?", path)


def _melody_part(melody: Melody) -> Part:
    assert melody.beat is not None  # `_melody` sets it
    pitch = melody.pitch.astype(float)
    return Part(melody.voice, melody.onset, melody.duration, pitch, melody.beat)


def decode(content: bytes) -> str:
    """Decode text that is UTF-8 or, as old tune books are, Latin-1."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def tunes(text: str) -> Iterator[Tune]:
    """Read every tune of an ABC file.

    Parameters
    ----------
    text : str
        Contents of the file. The lines before the first X: field are the file header; its L:, M:, Q:
        and C: fields hold for all tunes.

    Yields
    ------
    Tune
        Also when it has no notes.
    """
    parts = re.split(r"(?m)^(?=X\s*:)", text.replace("\r\n", "\n").replace("\r", "\n"))
    header = parts[0] if not parts[0].lstrip().startswith("X") else ""
    shared = [line for line in header.split("\n") if re.match(r"[LMQC]:", line)]
    bodies = parts[1:] if header or not parts[0] else parts
    for body in bodies:
        yield _tune(shared + body.split("\n"))


def _tune(lines: list[str]) -> Tune:
    """Read one tune from its lines."""
    state, voices = _State(), {"1": _Voice()}
    current, in_body = "1", False
    texts: dict[str, str] = {}
    for line in lines:
        line = re.sub(r"(?<!\\)%.*", "", line).rstrip()
        name = line[:1] if re.match(r"[A-Za-z]:(?![|:])", line) else ""
        if name:
            value = line[2:].strip()
            if name in "XTC":
                texts.setdefault(name, value)
            elif name == "V" and in_body:
                current = (value.split() or ["1"])[0]
                voices.setdefault(current, _Voice())
            else:
                _apply_field(state, name, value)
            in_body = in_body or name == "K"
        elif in_body and line:
            current = _music(line, state, voices, current)
            if any(v.now > MAX_TUNE_QUARTERS for v in voices.values()):
                break
    melodies = tuple(_melody(voice, state.tempo, name) for name, voice in voices.items() if voice.notes)
    return Tune(texts.get("X", ""), texts.get("T") or None, texts.get("C") or None, melodies)


def _melody(voice: _Voice, tempo: float, name: str) -> Melody:
    """Freeze the notes of a voice, in seconds at the tune's tempo."""
    onset, duration, pitch = (
        np.array(column, dtype=float) for column in zip(*voice.notes, strict=True)
    )
    second = 60.0 / tempo
    return Melody.from_notes(
        onset * second, duration * second, np.clip(pitch, 0, 127), voice=name, beat=onset
    )


def _apply_field(state: _State, name: str, value: str) -> None:
    """Apply an information field to the state in which the following notes are read."""
    if name == "L":
        found = _FRACTION.search(value)
        if found and int(found[2]):
            state.unit = Fraction(int(found[1]), int(found[2]))
        elif value.strip() == "1":
            state.unit = Fraction(1)
    elif name == "M":
        found = _FRACTION.search(value)
        if found and int(found[2]) and int(found[1]):
            state.metre = Fraction(int(found[1]), int(found[2]))
            state.compound = int(found[1]) in (6, 9, 12)
        else:
            state.metre = None if "none" in value.lower() else Fraction(1)
            state.compound = False
    elif name == "K":
        state.key = _key(value)
    elif name == "Q":
        state.tempo = _tempo(value, state) or state.tempo


def _tempo(value: str, state: _State) -> float | None:
    """Return the quarter notes a minute of a Q: field, or None if it is not usable."""
    value = re.sub(r'"[^"]*"', "", value)
    found = re.search(r"(.*?)=\s*(\d+(?:\.\d+)?)", value)
    if found:
        beat = sum(Fraction(int(a), int(b)) for a, b in _FRACTION.findall(found[1]) if int(b))
        speed = float(found[2]) * float(beat or Fraction(1, 4)) * 4
    elif re.fullmatch(r"\s*\d+\s*", value):
        speed = float(value) * float(state.quarters)
    else:
        return None
    return speed if 5 <= speed <= 1000 else None


def _key(value: str) -> dict[str, int]:
    """Return the accidentals of a K: field's key signature, by letter."""
    if re.match(r"\s*(none|Hp|HP)\b", value):
        return {"F": 1, "C": 1} if "H" in value else {}
    found = re.match(r"\s*([A-H])([#b]?)\s*([A-Za-z]*)", value)
    if not found:
        return {}
    tonic, sign, mode = found.groups()
    mode = mode.lower() if mode not in ("M",) else ""
    fifths = _TONIC_FIFTHS[tonic] + {"#": 7, "b": -7, "": 0}[sign]
    fifths += _MODE_FIFTHS.get(mode[:3], _MODE_FIFTHS["m"] if mode == "m" else 0)
    letters = _SHARPS[: max(0, fifths)] if fifths > 0 else _FLATS[: max(0, -fifths)]
    key = dict.fromkeys(letters, 1 if fifths > 0 else -1)
    for accidental, letter in re.findall(r"(\^\^|\^|__|_|=)([A-Ga-g])", value[found.end() :]):
        key[letter.upper()] = _ACCIDENTALS[accidental]
    return key


def _length(text: str) -> Fraction:
    """Return the multiplier of the unit note in a length such as ``3``, ``/``, ``3/2`` or ``//``."""
    top, slashes, bottom = re.fullmatch(r"(\d*)(/*)(\d*)", text).groups()  # type: ignore[union-attr]
    numerator = int(top) if top else 1
    if not slashes:
        return Fraction(numerator)
    denominator = int(bottom) if bottom else 2 ** len(slashes)
    return Fraction(numerator, denominator or 1)


def _pitch(accidental: str | None, letter: str, octave: str, state: _State, voice: _Voice) -> int:
    """Return the MIDI note number of a note under the key and the accidentals of the bar."""
    step = letter.upper()
    height = 60 + (12 if letter.islower() else 0) + 12 * (octave.count("'") - octave.count(","))
    if accidental:
        voice.bar[step] = _ACCIDENTALS[accidental]
    return height + _STEPS[step] + voice.bar.get(step, state.key.get(step, 0))


def _sound(voice: _Voice, duration: Fraction, pitch: int | None) -> None:
    """Append a note, or a rest where pitch is None, and move on in time."""
    if voice.tuplet:
        factor, left = voice.tuplet
        duration *= factor
        voice.tuplet = (factor, left - 1) if left > 1 else None
    if voice.broken:
        duration, voice.broken = duration * voice.broken, None
    if duration <= 0:
        return
    if pitch is not None and voice.tied and voice.notes and voice.notes[-1][2] == pitch:
        voice.notes[-1][1] += duration
        voice.last = [voice.notes[-1], duration]
    elif pitch is not None:
        voice.notes.append([voice.now, duration, pitch])
        voice.last = [voice.notes[-1], duration]
    else:
        voice.last = [None, duration]
    voice.tied = False
    voice.now += duration


def _break_rhythm(voice: _Voice, marks: str) -> None:
    """Lengthen (``>``) or shorten (``<``) the last note, and set the factor for the next."""
    if voice.last is None:
        return
    half = Fraction(1, 2 ** len(marks))
    factor, voice.broken = (2 - half, half) if marks[0] == ">" else (half, 2 - half)
    note, duration = voice.last
    change = duration * (factor - 1)
    if note is not None:
        note[1] += change
    voice.now += change


def _music(line: str, state: _State, voices: dict[str, _Voice], current: str) -> str:
    """Read one line of music; return the voice that is current at its end."""
    for token in _TOKEN.finditer(line.replace("`", "").replace("y", "")):
        if token["field"]:
            name, value = token["field"][1], token["field"][3:-1].strip()
            if name == "V":
                current = (value.split() or ["1"])[0]
                voices.setdefault(current, _Voice())
            else:
                _apply_field(state, name, value)
        elif not _timed(token, state, voices[current]):
            _mark(token, state, voices[current])
    return current


def _timed(token: re.Match[str], state: _State, voice: _Voice) -> bool:
    """Append the note, chord or rest of a token; return False if the token is none of these."""
    if token["note"]:
        pitch = _pitch(token["acc"], token["letter"], token["oct"], state, voice)
        _sound(voice, _length(token["len"]) * state.quarters, pitch)
    elif token["chord"]:
        found = _NOTE.findall(token["inside"])
        pitches = [_pitch(a or None, b, c, state, voice) for a, b, c, _ in found]
        length = _length(found[0][3]) * _length(token["chordlen"])
        _sound(voice, length * state.quarters, max(pitches))
    elif token["rest"]:
        _sound(voice, _length(token["restlen"]) * state.quarters, None)
    elif token["barrest"]:
        bars = int(token["bars"] or 1)
        _sound(voice, min(bars, 1000) * (state.metre or Fraction(1)) * 4, None)
    else:
        return False
    return True


def _mark(token: re.Match[str], state: _State, voice: _Voice) -> None:
    """Apply a bar line, tie, broken rhythm or tuplet to the last note or the next."""
    if token["bar"]:
        voice.bar.clear()
    elif token["tie"]:
        voice.tied = bool(voice.notes) and voice.last is not None and voice.last[0] is not None
    elif token["broken"]:
        _break_rhythm(voice, token["broken"])
    elif token["tuplet"]:
        voice.tuplet = _tuplet(token["p"], token["q"], token["r"], state)


def _tuplet(p: str, q: str | None, r: str | None, state: _State) -> tuple[Fraction, int]:
    """Return the factor and the number of notes of a tuplet ``(p:q:r``."""
    notes = int(p)
    time = int(q) if q else _TUPLET_TIME.get(notes, 3 if state.compound else 2)
    return Fraction(time or 1, notes), int(r) if r and int(r) else notes
