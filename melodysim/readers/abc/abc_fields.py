"""Information fields of ABC: what they say about the notes that follow (ABC standard 2.1, section 3).

Fields are short. What is longer than `LONGEST` is cut off, so that no field can take long to read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from fractions import Fraction

from melodysim.readers.abc.abc_tokens import length

LONGEST = 500
"""Characters of a field that are read."""

_SHARPS, _FLATS = "FCGDAEB", "BEADGCF"
_TONIC_FIFTHS = {"C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5, "F": -1, "H": 5}
_MODE_FIFTHS = {"ion": 0, "maj": 0, "mix": -1, "dor": -2, "aeo": -3, "min": -3, "m": -3}
_MODE_FIFTHS |= {"phr": -4, "loc": -5, "lyd": 1}
_ACCIDENTALS = {"^^": 2.0, "^": 1.0, "=": 0.0, "_": -1.0, "__": -2.0}

_GIVEN = re.compile(r"(\^\^|\^|__|_|=)([A-Ga-g])")
_TONIC = re.compile(rf"([A-H])([#b♯♭]?)([A-Za-z]*)((?:{_GIVEN.pattern})*)$")
_SMALL_TONIC = re.compile(r"([a-g])([#b♯♭]?)((?:m|min|maj|ion|mix|dor|aeo|phr|loc|lyd)[a-z]*)?$")
_CLEF = re.compile(r"(?:clef=)?\"?(?:treble|alto|tenor|bass|perc|none|[GCF]\d?)\d?([+-](?:8|15))?\"?$")
_FRACTION = re.compile(r"(\d{1,4})\s*/\s*(\d{1,4})")
_NAMED = re.compile(r"\b(?:name|nm|snm|sname|subname)=(?:\"[^\"]*\"|\S+)")
_SHIFTS = {"octave": 12, "transpose": 1, "t": 1}
_OPTION = re.compile(r"([a-z]+)=(\"[^\"]*\"|\S+)")
_SPEED = re.compile(r"=\s*(?:ca?\.?\s*)?(\d{1,4}(?:\.\d{1,4})?)")


@dataclass(frozen=True)
class Setting:
    """What the fields in force say of the notes of a voice.

    Attributes
    ----------
    unit : Fraction
        Length that a note without a number has, in quarter notes.
    bar : Fraction or None
        Length of a bar in quarter notes; None without metre.
    compound : bool
        Whether the metre has beats of three.
    key : dict of str to float
        Semitones that the key signature adds, by letter.
    clef, octave, transposition : int
        Semitones by which the voice sounds higher than it is written: by the 8 at its clef, by
        ``octave=`` and by ``transpose=``.
    name : str
        Of the voice.
    """

    unit: Fraction = Fraction(1, 2)
    bar: Fraction | None = Fraction(4)
    compound: bool = False
    key: dict[str, float] = field(default_factory=dict)
    clef: int = 0
    octave: int = 0
    transposition: int = 0
    name: str = ""
    spans: dict[str, Fraction] = field(default_factory=dict, init=False, compare=False)

    @property
    def shift(self) -> int:
        """Semitones by which the voice sounds higher than it is written, in all."""
        return self.clef + self.octave + self.transposition

    def span(self, text: str) -> Fraction:
        """Return the length in quarter notes that a token writes, such as ``3/2``; remember it."""
        if text not in self.spans:
            self.spans[text] = length(text) * self.unit
        return self.spans[text]


def alteration(accidental: str) -> float:
    """Return the semitones of an accidental; "^/" and "^1/2" are quarter tones, "^3/2" three of them.

    Examples
    --------
    >>> alteration("^"), alteration("__"), alteration("_/"), alteration("^3/2")
    (1.0, -2.0, -0.5, 1.5)
    """
    if "/" not in accidental:
        return _ACCIDENTALS[accidental]
    above, below = accidental[1:].split("/")
    return (1 if accidental[0] == "^" else -1) * int(above or 1) / max(int(below or 2), 1)


def with_field(setting: Setting, name: str, value: str) -> Setting:
    """Return a setting with an information field applied: K, L, M or V; others change nothing."""
    value = value[:LONGEST]
    if name == "L":
        unit = unit_length(value)
        return setting if unit is None else replace(setting, unit=unit)
    if name == "M":
        bar, compound = metre(value)
        return replace(setting, bar=bar, compound=compound)
    if name == "K":
        return _with_clef(replace(setting, key=_key(value, setting.key)), value)
    if name == "V":
        options = dict(_OPTION.findall(value))
        called = (options.get("name") or options.get("nm") or "").strip('"')
        return _with_clef(replace(setting, name=called or setting.name), value)
    return setting


def unit_length(value: str) -> Fraction | None:
    """Return the unit note of an L: field in quarter notes, or None if it has none."""
    found = _FRACTION.search(value)
    if found and int(found[2]) and int(found[1]):
        return Fraction(int(found[1]), int(found[2])) * 4
    return Fraction(4) if value.strip() == "1" else None


def metre(value: str) -> tuple[Fraction | None, bool]:
    """Return the length of a bar in quarter notes, None without metre, and whether beats are of three.

    Examples
    --------
    >>> metre("3+2+3/8"), metre("(2+3)/4"), metre("C|"), metre("none")
    ((Fraction(4, 1), False), (Fraction(5, 1), False), (Fraction(4, 1), False), (None, False))
    """
    value = value[:LONGEST].strip()
    if value.startswith("C"):
        return Fraction(4), False
    total, beats = Fraction(0), 0
    waiting = 0
    for term in re.split(r"\+", value.replace("(", "").replace(")", "")):
        found = _FRACTION.fullmatch(term.strip())
        if found and int(found[2]):
            beats += waiting + int(found[1])
            total += Fraction(waiting + int(found[1]), int(found[2]))
            waiting = 0
        elif term.strip().isdecimal() and len(term) < 5:
            waiting += int(term)
    if not total or waiting:
        first = _FRACTION.search(value)  # "5/4 (3+2)"
        if first is None or not int(first[1]) or not int(first[2]):
            return None, False
        return Fraction(int(first[1]), int(first[2])) * 4, int(first[1]) in (6, 9, 12)
    return total * 4, "+" not in value and beats in (6, 9, 12)


def default_unit(bar: Fraction | None) -> Fraction:
    """Return the unit note, in quarter notes, of a tune that has no L: field."""
    return Fraction(1, 4) if bar is not None and bar < 3 else Fraction(1, 2)


def tempo(value: str, unit: Fraction) -> float | None:
    """Return the quarter notes a minute of a Q: field, or None if it does not say.

    Parameters
    ----------
    value : str
    unit : Fraction
        The unit note in quarter notes, which old tunes count in.
    """
    value = re.sub(r'"[^"]*"', "", value[:LONGEST])
    speed = _SPEED.search(value)
    if speed:
        before = value[: speed.start()]
        beat = sum(4 * Fraction(int(a), int(b)) for a, b in _FRACTION.findall(before) if int(b))
        whole = re.fullmatch(r"\s*(\d)\s*", before)
        if whole:
            beat = Fraction(4 * int(whole[1]))
        if not beat and before.strip().startswith("C"):
            number = before.strip()[1:].strip()
            beat = unit * (int(number) if number.isdecimal() and len(number) < 3 else 1)
        a_minute = float(speed[1]) * float(beat or 1)
    elif re.fullmatch(r"\s*\d{1,4}\s*", value):
        a_minute = float(value) * float(unit)
    else:
        return None
    return a_minute if 5 <= a_minute <= 1000 else None


def _key(value: str, before: dict[str, float]) -> dict[str, float]:
    """Return the accidentals of a K: field by letter; those before if it names no key, but a clef."""
    words = value.split()
    first = words[0] if words else ""
    given = {
        letter.upper(): _ACCIDENTALS[accidental]
        for word in words
        for accidental, letter in _GIVEN.findall(_accidentals_of(word))
    }
    if first in ("HP", "Hp"):
        return {"F": 1.0, "C": 1.0} | given
    if first == "none" or not words:
        return given
    if _SMALL_TONIC.match(first):
        first = first.capitalize()
    found = _TONIC.match(first)
    exact = any("exp" in word for word in words[:2])
    if not found:
        if exact and first.startswith("exp"):
            return given
        return before | given
    tonic, sign, mode = found.groups()[:3]
    if not mode and len(words) > 1:
        mode = words[1]
    mode = "" if mode == "M" else mode.lower()
    fifths = _TONIC_FIFTHS[tonic] + {"#": 7, "♯": 7, "b": -7, "♭": -7, "": 0}[sign]
    fifths += _MODE_FIFTHS.get("m" if mode == "m" else mode[:3], 0)
    if exact:
        return given
    letters = _SHARPS[: max(0, fifths)] if fifths > 0 else _FLATS[: max(0, -fifths)]
    return dict.fromkeys(letters, 1.0 if fifths > 0 else -1.0) | given


def _accidentals_of(word: str) -> str:
    """Return the accidentals that a word of a K: field is, or ends with after its tonic and mode."""
    tonic = _TONIC.match(word)
    if tonic:
        return tonic[4]
    word = word.removeprefix("exp")
    return word if re.fullmatch(rf"(?:{_GIVEN.pattern})+", word) else ""


def _with_clef(setting: Setting, value: str) -> Setting:
    """Apply the clef, octave and transposition of a V: or K: field, those that it names.

    The clef itself and ``middle=`` only say where notes are written; its 8 says how they sound.
    """
    value = _NAMED.sub("", value)
    clef, octave, transposition = setting.clef, setting.octave, setting.transposition
    for name, said in _OPTION.findall(value):
        if name in _SHIFTS and re.fullmatch(r"[+-]?\d{1,2}", said):
            if name == "octave":
                octave = int(said) * _SHIFTS[name]
            else:
                transposition = int(said)
    for word in value.split():
        found = _CLEF.match(word)
        if found:
            eight = found[1] or "+0"
            clef = {"0": 0, "8": 12, "15": 24}[eight[1:]] * (1 if eight[0] == "+" else -1)
    return replace(setting, clef=clef, octave=octave, transposition=transposition)
