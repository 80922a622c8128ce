"""The voices of an ABC tune while it is read, and what the fields in its body do to them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction

from melodysim.readers.abc import abc_fields
from melodysim.readers.abc.abc_fields import Setting, with_field

_LONGEST_NAME = 40
_MOST_VOICES, _MOST_TEMPI = 200, 2000
MOST_LAYERS = 8
"""Overlays over one voice."""


@dataclass
class VoiceSoFar:
    """Notes of a voice so far, and what is pending for its next note."""

    setting: Setting
    now: Fraction = Fraction(0)
    bars: list[Fraction] = field(default_factory=lambda: [Fraction(0)])  # where the last ones began
    notes: list[list] = field(default_factory=list)  # [onset, duration, pitch]
    bar: dict = field(default_factory=dict)  # accidentals in force, by letter (and octave)
    ties: dict = field(default_factory=dict)  # letter and octave: (pitch, entry in notes or None)
    sounding: dict = field(default_factory=dict)  # of the last note or chord, as in ties
    last: tuple[list | None, Fraction] | None = None  # entry of the last note or rest, its duration
    broken: Fraction | None = None  # factor for the next note
    tuplet: tuple[Fraction, int] | None = None  # factor, notes left


class TuneBody:
    """The voices of a tune while it is read."""

    def __init__(self, setting: Setting) -> None:
        self.header = setting
        self.voices: dict[str, VoiceSoFar] = {}
        self.settings: dict[str, Setting] = {}
        self.tempi: dict[Fraction, float] = {}
        self.reach = "pitch"  # of accidentals
        self.bang_breaks = False
        self.begun = False  # with a voice, or with music
        self.main = "1"
        self.layer = 0  # which overlay of the voice is written in; 0 for the voice itself
        self.layer_bars = 0  # bar lines until the overlay ends
        self.bar_open = False  # whether the voice's own bar goes on behind the overlay
        self.choose("1")

    @property
    def voice(self) -> VoiceSoFar:
        """The voice, or the layer over it, that the next note belongs to."""
        return self.voices[f"{self.main} & {self.layer + 1}" if self.layer else self.main]

    def choose(self, name: str) -> None:
        """Go on in a voice, which begins with the tune's own setting."""
        self.layer = 0
        if name in self.voices or len(self.voices) < _MOST_VOICES:
            self.main = name
            self.voices.setdefault(name, VoiceSoFar(self.settings.get(name, self.header)))

    def announce(self, value: str) -> None:
        """Keep what a V: field of the header says, until its voice begins."""
        name = voice_name(value)
        self.settings[name] = with_field(self.settings.get(name, self.header), "V", value)
        if name == "1":
            self.voice.setting = self.settings[name]

    def overlay(self, bars: int) -> None:
        """Go back to the beginning of the bar, or of some bars, in a layer of its own."""
        main = self.voices[self.main]
        self.bar_open = main.now > main.bars[-1]
        back = bars if self.bar_open else bars + 1
        begin = main.bars[-min(back, len(main.bars))]
        if self.layer + 1 < MOST_LAYERS:
            self.layer += 1
        self.layer_bars = bars
        setting = replace(main.setting, name="")
        layer = self.voices.setdefault(f"{self.main} & {self.layer + 1}", VoiceSoFar(setting))
        if layer.now != begin:  # else what is tied goes on
            layer.ties = {}
        layer.setting, layer.now = setting, begin
        layer.bar, layer.tuplet, layer.broken, layer.last = {}, None, None, None

    def bar_line(self) -> None:
        """End the bar: accidentals no longer hold, and an overlay may end."""
        main = self.voices[self.main]
        if self.layer:
            self.voice.bar = {}
            self.layer_bars -= 1
            if self.layer_bars > 0:
                return
            if self.bar_open:
                main.now = max(main.now, self.voice.now)
            self.layer = 0
            if not self.bar_open:
                return
        main.bar = {}
        if main.now != main.bars[-1]:
            main.bars = [*main.bars[-MOST_LAYERS:], main.now]

    def apply(self, name: str, value: str) -> None:
        """Apply a field in the body, which holds for the voice that it stands in."""
        voice = self.voice
        if name == "V":
            self.begun = True
            self.choose(voice_name(value))
            self.voice.setting = with_field(self.voice.setting, "V", value)
        elif name == "Q":
            speed = abc_fields.tempo(value, voice.setting.unit)
            if speed and len(self.tempi) < _MOST_TEMPI:
                self.tempi[voice.now] = speed
        elif name == "I":
            self.instruct(value)
        elif self.begun:
            voice.setting = with_field(voice.setting, name, value)
        else:  # a field of the header that stands behind its end
            self.header = with_field(self.header, name, value)
            self.settings = {v: with_field(s, name, value) for v, s in self.settings.items()}
            voice.setting = with_field(voice.setting, name, value)

    def instruct(self, value: str) -> None:
        """Follow an instruction: what ``!`` means, and how far accidentals reach."""
        words = value.split()
        if words[:1] == ["linebreak"]:
            self.bang_breaks = "!" in words
        if words[:1] == ["propagate-accidentals"]:
            self.reach = words[1] if len(words) > 1 else "pitch"


def voice_name(value: str) -> str:
    """Return the name of the voice that a V: field chooses."""
    return (value.split(None, 1) or ["1"])[0][:_LONGEST_NAME]
