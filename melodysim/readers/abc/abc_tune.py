"""Melodies from ABC notation, fast enough for whole tune books.

Follows the ABC standard 2.1 (abcnotation.com/wiki/abc:standard:v2.1) as far as the notes of a melody
go. Left out, because they do not change which notes a melody has: grace notes, decorations, chord
names, words, slurs and layout. Of a chord the top note is kept. Repeats are read once, as they are
written, each ending after the other. Macros (``m:``) are not expanded.

Conventions: onsets and durations are exact fractions of a quarter note until the very end.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from melodysim.errors import ReadError
from melodysim.melody import Melody
from melodysim.readers.abc import abc_fields
from melodysim.readers.abc.abc_body import MOST_LAYERS, TuneBody, VoiceSoFar
from melodysim.readers.abc.abc_fields import Setting, alteration, with_field
from melodysim.readers.abc.abc_tokens import CHORD_NOTE, NOT_IN_CHORD, TOKEN, length, tuplet
from melodysim.readers.bounds import MOST_NOTES
from melodysim.readers.parts.score import Part, Score
from melodysim.readers.tempo import DEFAULT_TEMPO, TempoMap, constant_tempi
from melodysim.readers.text_encoding import decode_text
from melodysim.util.plain_text import counted

MAX_TUNE_QUARTERS = 100_000
"""A tune that claims to be longer is damaged."""

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_FIELD = re.compile(r"([A-Za-z+]):(.*)", re.DOTALL)
_NOTE_BEFORE_BAR = re.compile(r"[A-Ga-gxzZX]:[|:\]]")
"""A line that begins with a note and a repeat sign is music, although it looks like a field."""
_COMMENT = re.compile(r"(?<!\\)%.*")
_BLOCK = re.compile(r"%%\s*begin(\w{1,20})")
_MOST_BARS_OF_REST = 1000


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
    remarks : tuple of str
        What was odd about the tune, and how it was read.
    """

    number: str
    title: str | None
    creator: str | None
    melodies: tuple[Melody, ...]
    remarks: tuple[str, ...] = ()


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
        yield tune, Score(parts, tune.title, tune.creator, remarks=tune.remarks)
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
    text = re.sub(r"\r\r\n|\r\n|\r", "\n", text).replace("\ufeff", "")
    if "&quot;" in text or "&amp;" in text:  # saved from a page
        text = html.unescape(text)
    parts = _TUNE_BEGINS.split(text)
    if len(parts) == 1:  # no X: at all; with a K: it is one tune, as it is pasted
        if re.search(r"(?m)^K:", text):
            yield _tune([line for line in text.split("\n") if line.strip()])
        return
    header = _lines(parts[0].lstrip("\n").split("\n"))
    # Of each field the last counts, and of the creators the first.
    shared: dict[str, str] = {}
    for line in header:
        name = line[:1]
        if re.match(r"[LMQI]:", line):
            shared[line.split()[0] if name == "I" else name] = line
        elif line.startswith("C:"):
            shared.setdefault("C", line)
    for body in parts[1:]:
        lines = body.split("\n")
        tune = _tune([*shared.values(), *_lines(lines)])
        yield replace(tune, remarks=_behind_an_empty_line(lines))


_TUNE_BEGINS = re.compile(r"(?m)^[ \t]*(?=X[ \t]*:(?![|:\]]))")
_HTML = re.compile(r"\s*</?[A-Za-z!][^>]{0,200}>")


def _behind_an_empty_line(lines: list[str]) -> tuple[str, ...]:
    """Say that something like music stands behind the empty line that ends a tune."""
    end = next((k for k, line in enumerate(lines) if not line.strip()), len(lines))
    music = [
        line
        for line in lines[end:]
        if "|" in line and len(_NOTES.findall(line)) > 3 and not _field_of(line)
    ]
    if not music:
        return ()
    return (
        f"{counted(len(music), 'line')} like music behind the empty line that ends the tune: not read",
    )


_NOTES = re.compile(r"[A-Ga-g][,']*\d?")


def _lines(lines: list[str]) -> Iterator[str]:
    """Yield the lines of a tune up to the first empty one, fields with what continues them.

    Comments, and blocks of text or PostScript, are left out.
    """
    block = ""
    waiting: str | None = None
    for line in lines:
        if block:
            block = "" if re.match(rf"%%\s*end{block}", line) else block
        elif line.startswith("%%"):
            found = _BLOCK.match(line)
            block = found[1] if found else ""
            if not found:
                yield "I:" + line[2:].strip()
        elif not line.strip() or _HTML.match(line):
            break
        else:
            line = _COMMENT.sub("", line).rstrip()
            open_field = (waiting or "").endswith("\\") and _field_of(waiting or "") is not None
            if line.startswith("+:"):
                waiting = None if waiting is None else f"{waiting} {line[2:].strip()}"
            elif open_field and _field_of(line) is None:
                waiting = f"{str(waiting)[:-1]} {line}"
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
            body.begun = True
            _music(line, body)
            if body.voice.now > MAX_TUNE_QUARTERS:
                break
        elif said[0] not in "wWsTCX":
            body.apply(*said)
    places = sorted(body.tempi)
    tempo = constant_tempi(
        np.array(places, dtype=float), 60.0 / np.array([body.tempi[place] for place in places])
    )
    melodies = tuple(_melody(voice, tempo, name) for name, voice in body.voices.items() if voice.notes)
    return Tune(texts.get("X", ""), texts.get("T") or None, texts.get("C") or None, melodies)


def _header(lines: list[str], texts: dict[str, str]) -> tuple[TuneBody, list[str]]:
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
    body = TuneBody(setting)
    for value in said_of["V"]:
        body.announce(value)
    for value in said_of["I"]:
        body.instruct(value)
    speeds = [abc_fields.tempo(value, setting.unit) for value in said_of["Q"]]
    body.tempi[Fraction(0)] = next((speed for speed in reversed(speeds) if speed), DEFAULT_TEMPO)
    return body, lines[end:] if lines else []


def _melody(voice: VoiceSoFar, tempo: TempoMap, name: str) -> Melody:
    """Freeze the notes of a voice, in seconds."""
    onset, duration, pitch = (
        np.array(column, dtype=float) for column in zip(*voice.notes, strict=True)
    )
    begins = tempo.seconds(onset)
    lasts = np.maximum(tempo.seconds(onset + duration) - begins, 1e-3)
    called = voice.setting.name or name
    # Overlays may lie over one another where a bar is written too long.
    return Melody.from_overlapping(begins, lasts, np.clip(pitch, 0, 127), voice=called, beat=onset)


def _pitch(accidental: str | None, letter: str, octave: str, voice: VoiceSoFar, reach: str) -> float:
    """Return the MIDI note number of a note under the key, the accidentals of the bar, and ties."""
    step = letter.upper()
    height = 60 + (12 if letter.islower() else 0)
    if octave:
        height += 12 * (octave[:10].count("'") - octave[:10].count(","))
    place: object = step if reach == "pitch" else (step, height)
    height += voice.setting.shift + _STEPS[step]
    if accidental:
        if reach == "not":
            return height + alteration(accidental)
        voice.bar[place] = alteration(accidental)
    elif voice.ties and letter + octave in voice.ties:
        return float(voice.ties[letter + octave][0])  # what is tied keeps its accidental over the bar
    return height + voice.bar.get(place, voice.setting.key.get(step, 0.0))


def _sound(voice: VoiceSoFar, duration: Fraction, pitches: dict[str, float]) -> None:
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


def _break_rhythm(voice: VoiceSoFar, marks: str) -> None:
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


def _music(line: str, body: TuneBody) -> None:
    """Read one line of music."""
    line = line.replace("`", "")
    if body.bang_breaks:
        line = line.replace("!", " ")
    for token in TOKEN.finditer(line):
        kind = token.lastgroup or ""
        if kind in ("field", "bar", "overlay"):
            _structure(kind, token[0], body)
        else:
            _notes(token, body.voice, body.reach)


def _structure(kind: str, text: str, body: TuneBody) -> None:
    """Apply a field inside a line, a bar line, or an overlay."""
    if kind == "field":
        body.apply(text[1], text[3:-1].strip())
    elif kind == "bar":
        body.bar_line()
    else:
        body.overlay(min(len(text), MOST_LAYERS))


def _notes(token: re.Match[str], voice: VoiceSoFar, reach: str) -> None:
    """Append the note, chord or rest of a token, or apply its tie, broken rhythm or tuplet."""
    if token["note"]:
        key = token["letter"] + token["oct"]
        pitch = _pitch(token["acc"], token["letter"], token["oct"], voice, reach)
        _sound(voice, voice.setting.span(token["len"]), {key: pitch})
    elif token["chord"]:
        _chord(token["inside"], token["chordlen"], voice, reach)
    elif token["plus"]:
        _chord(token["oldchord"], "", voice, reach)
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


def _chord(inside: str, times: str, voice: VoiceSoFar, reach: str) -> None:
    """Append the top note of a chord; it is as long as its first note or rest."""
    found = CHORD_NOTE.findall(NOT_IN_CHORD.sub("", inside))
    if not found:
        return
    sounding = [note for note in found if note[1] not in "zx"]
    pitches = {b + c: _pitch(a or None, b, c, voice, reach) for a, b, c, _, _ in sounding}
    _sound(voice, length(found[0][3]) * length(times) * voice.setting.unit, pitches)
    voice.ties = {
        b + c: voice.sounding[b + c] for _, b, c, _, tie in sounding if tie and b + c in voice.sounding
    }
