"""Parts of a Standard MIDI file.

A musician's part is a track: an MPE controller plays each note on a channel of its own, a guitar
each string, a sampler each articulation. In a file of one track (format 0) the channels are the parts,
unless they take turns at one line. Drums are left out, by what they play and not by channel 10 alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from melodysim.errors import ReadError
from melodysim.readers.bounds import MAX_SECONDS, damage, gunzipped
from melodysim.readers.midi.events import MidiEvents, midi_events
from melodysim.readers.midi.note_pairing import PairedNotes, pair_notes
from melodysim.readers.midi.pitch_bend import (
    AUDIBLE,
    Control,
    channel_bends,
    held_pitches,
    mpe_members,
)
from melodysim.readers.parts.drums import KIT_SHARE, beats_time, kit_share, moves_like_a_tune
from melodysim.readers.parts.part_line import many_voices
from melodysim.readers.parts.part_names import names_drums
from melodysim.readers.parts.score import Part, Score
from melodysim.readers.tempo import TempoMap, constant_tempi
from melodysim.readers.text_encoding import decode_names
from melodysim.util.plain_text import counted

SHORTEST_NOTE = 0.005
"""Seconds to which shorter notes are lengthened; some sequencers write notes of no length."""
DRUM_CHANNEL = 9
"""Counted from 0: channel 10 of General MIDI."""
_MANY_CHANNELS = 4
_ONE_REGISTER = 9.0
"""Semitones between the middles of channels that take turns at one line, at most."""
_ENOUGH_NOTES = 8
"""Notes of a channel from which on it has a register."""
_SELDOM_TOGETHER = 0.3
_LONGEST_NOTE = 600.0
"""Seconds; a note that claims more has lost its end."""
_SMPTE_TEMPO = 120.0
"""Quarter notes a minute of a file that counts in seconds."""


def read_midi(path: Path, content: bytes) -> Score:
    """Read a Standard MIDI file; without parts if it has no notes, or only drums.

    Parameters
    ----------
    path : Path
        Only named in errors.
    content : bytes
        The file's bytes, which may be packed with gzip or inside a RIFF file.

    Raises
    ------
    ReadError
        If the file is damaged.
    """
    with damage(path, "MIDI file", "export it again"):
        events = midi_events(gunzipped(content))
        tempo, per_quarter = _tempo_map(events)
        notes = pair_notes(events.tracks, per_quarter)
        if len(notes.onset):
            last = tempo.seconds(notes.onset.max(keepdims=True))[0]
            if not np.isfinite(last) or last > MAX_SECONDS:
                raise ReadError("damaged MIDI file (it claims to last days)")
        damaged = [track.damaged for track in events.tracks if track.damaged]
        if damaged and not len(notes.onset):
            raise ReadError(f"damaged MIDI file ({damaged[0]})")
        said: list[str] = [
            f"a track is damaged ({what}) and was read up to there" for what in damaged[:1]
        ]
        if notes.unended:
            without = counted(notes.unended, "note without an end", "notes without an end")
            said.append(f"{without}: taken to end with the next onset or after four quarter notes")
        if events.format == 2 and len(events.tracks) > 1:
            said.append(
                f"it holds {len(events.tracks):,} sequences that do not sound together (type 2); they "
                "were read as parts of one piece"
            )
        if any(not value for track in events.tracks for _, value in track.tempi):
            said.append("a tempo of 0 was passed over")
        if 0 < events.announced < len(events.tracks):
            has, read = counted(events.announced, "track"), len(events.tracks)
            said.append(f"the header announces {has}; all {read:,} were read")
        parts = tuple(_parts(events, notes, tempo, per_quarter, said))
        return Score(parts, remarks=tuple(said))


def _tempo_map(events: MidiEvents) -> tuple[TempoMap, float]:
    """Return the tempo map over ticks, and the ticks of a quarter note."""
    if events.ticks_per_second:
        per_quarter = events.ticks_per_second * 60.0 / _SMPTE_TEMPO
        return constant_tempi(np.zeros(1), np.array([1.0 / events.ticks_per_second])), per_quarter
    changes = sorted((t for track in events.tracks for t in track.tempi if t[1]), key=lambda t: t[0])
    at = np.array([0, *(tick for tick, _ in changes)], np.int64)
    pace = np.array([500_000, *(micro for _, micro in changes)]) * 1e-6 / events.division
    return constant_tempi(at, pace), float(events.division)


@dataclass(frozen=True, eq=False)
class _Track:
    """What a track says of its notes.

    Attributes
    ----------
    name : str
    controls : list of (tick, status, data, data)
        Its own, and those of tracks without notes, which set instruments up.
    members : frozenset of int
        Channels of its zones of MPE, counted from 0.
    alone : bool
        Whether no other track has notes.
    """

    name: str
    controls: list[Control]
    members: frozenset[int]
    alone: bool

    @property
    def programs(self) -> int:
        """How many different programs its channels begin with."""
        first: dict[int, int] = {}
        for _, status, program, _ in self.controls:
            if status & 0xF0 == 0xC0 and status & 15 != DRUM_CHANNEL:
                first.setdefault(status & 15, program)
        return len(set(first.values()))


def _parts(
    events: MidiEvents, notes: PairedNotes, tempo: TempoMap, per_quarter: float, said: list[str]
) -> Iterator[Part]:
    """Make the parts; add to `said` what a reader of the report should know."""
    names = decode_names([track.name for track in events.tracks])
    sounding = np.unique(notes.track)
    setup = [
        control
        for number, track in enumerate(events.tracks)
        if number not in sounding
        for control in track.controls
    ]
    for number in sounding.tolist():
        mine = np.flatnonzero(notes.track == number)
        own = events.tracks[number].controls
        controls = sorted([*setup, *own], key=lambda control: control[0]) if setup else list(own)
        track = _Track(names[number].strip(), controls, mpe_members(controls), len(sounding) == 1)
        bends = channel_bends(controls)
        for called, which in _divided(notes, mine, track, events.format == 0):
            # The name of a file's only track is the piece's.
            instrument = "" if called != track.name else called
            kept = _without_drums(notes, which, instrument, track.members, tempo, said)
            if len(kept):
                yield _part(called, notes, kept, tempo, per_quarter, bends)


def _divided(
    notes: PairedNotes, mine: NDArray[np.intp], track: _Track, one_track: bool
) -> list[tuple[str, NDArray[np.intp]]]:
    """Divide the notes of a track into parts, each with its name."""
    channel = notes.channel[mine]
    used = np.unique(channel)
    if not track.alone or len(used) == 1:
        return [(track.name, mine)]

    def by_channel(channels: NDArray[np.int64]) -> list[tuple[str, NDArray[np.intp]]]:
        return [
            (f"{track.name} channel {k + 1}".strip(), mine[channel == k]) for k in channels.tolist()
        ]

    if track.members:
        inside = np.isin(channel, list(track.members))
        return [(track.name, mine[inside]), *by_channel(np.setdiff1d(used, list(track.members)))]
    tuned = mine[channel != DRUM_CHANNEL]
    if _one_of_many(channel, notes.pitch[mine].astype(np.float64)) and _takes_turns(notes, mine):
        return [(track.name, mine)]
    mixed = one_track or track.programs > 1 or _kit_on_ten(notes, mine)
    if not mixed:
        return [(track.name, mine)]
    if _takes_turns(notes, tuned):
        return [(track.name, tuned), *by_channel(used[used == DRUM_CHANNEL])]
    return by_channel(used)


def _kit_on_ten(notes: PairedNotes, mine: NDArray[np.intp]) -> bool:
    """Say whether the notes on channel 10 are those of a drum kit."""
    ten = mine[notes.channel[mine] == DRUM_CHANNEL]
    return len(ten) > 0 and kit_share(notes.pitch[ten].astype(np.float64)) >= KIT_SHARE


def _takes_turns(notes: PairedNotes, which: NDArray[np.intp]) -> bool:
    """Say whether channels take turns at one line: one voice, one register, hardly ever together."""
    onset, end, pitch, channel = (
        x[which] for x in (notes.onset, notes.end, notes.pitch, notes.channel)
    )
    if not len(which) or many_voices(onset, end, pitch):
        return False
    used, counts = np.unique(channel, return_counts=True)
    middles = [np.median(pitch[channel == k]) for k in used[counts >= _ENOUGH_NOTES]]
    if middles and max(middles) - min(middles) > _ONE_REGISTER:
        return False
    order = np.argsort(onset, kind="stable")
    onset, end, channel = onset[order], end[order], channel[order]
    over = end[:-1] - onset[1:] > 0.25 * (end[1:] - onset[1:])
    return bool((over & (channel[1:] != channel[:-1])).mean() < _SELDOM_TOGETHER) if len(over) else True


def _without_drums(
    notes: PairedNotes,
    which: NDArray[np.intp],
    name: str,
    members: frozenset[int],
    tempo: TempoMap,
    said: list[str],
) -> NDArray[np.intp]:
    """Leave out what beats time: on channel 10, or in a part that is called drums."""
    pitch = notes.pitch[which].astype(np.float64)
    on_ten = notes.channel[which] == DRUM_CHANNEL
    if not on_ten.any():
        tune = not names_drums(name) or moves_like_a_tune(tempo.seconds(notes.onset[which]), pitch)
        return which if tune else which[:0]
    if DRUM_CHANNEL in members or _one_of_many(notes.channel[which], pitch):
        return which
    if beats_time(name, tempo.seconds(notes.onset[which[on_ten]]), pitch[on_ten]):
        if kit_share(pitch[on_ten]) < KIT_SHARE and not names_drums(name):
            said.append(f"{name or 'a part'} on channel 10 was taken for drums")
        return which[~on_ten]
    if on_ten.all():
        said.append(
            f"{name or 'a part'} is on channel 10 and moves like a melody: it was not taken for drums"
        )
    return which


def _one_of_many(channel: NDArray[np.int64], pitch: NDArray[np.float64]) -> bool:
    """Say whether channel 10 is one of many that a controller gives notes to, one after the other."""
    used, counts = np.unique(channel, return_counts=True)
    ten = channel == DRUM_CHANNEL
    if (
        not ten.any()
        or len(used) < _MANY_CHANNELS
        or ten.sum() > 2 * np.median(counts[used != DRUM_CHANNEL])
    ):
        return False
    others = pitch[~ten]
    return bool(pitch[ten].min() >= others.min() - 2 and pitch[ten].max() <= others.max() + 2)


def _part(
    name: str,
    notes: PairedNotes,
    which: NDArray[np.intp],
    tempo: TempoMap,
    per_quarter: float,
    bends: dict[int, tuple[NDArray, NDArray]],
) -> Part:
    """Make a part of some notes, in order of onset, in seconds."""
    which = which[np.argsort(notes.onset[which], kind="stable")]
    tick, end = notes.onset[which], notes.end[which]
    pitch, velocity = notes.pitch[which].astype(np.float64), notes.velocity[which].astype(np.float64)
    beat = tick / per_quarter
    onset = tempo.seconds(tick)
    # An end that is hours away is nonsense; the note is not.
    off = np.minimum(tempo.seconds(end), onset + _LONGEST_NOTE)
    if bends:
        source, places, pitch = _bent(notes.channel[which], tick, end, pitch, tempo, bends)
        velocity, onset, beat = velocity[source], tempo.seconds(places), places / per_quarter
        same = np.append(np.diff(source) == 0, False)
        off = np.where(same, np.append(onset[1:], 0.0), off[source])
        order = np.argsort(onset, kind="stable")
        onset, off, pitch, beat, velocity = (x[order] for x in (onset, off, pitch, beat, velocity))
    duration = np.maximum(off - onset, SHORTEST_NOTE)
    return Part(name, onset, duration, pitch, beat, velocity)


def _bent(
    channel: NDArray[np.int64],
    tick: NDArray[np.int64],
    end: NDArray[np.int64],
    pitch: NDArray[np.float64],
    tempo: TempoMap,
    bends: dict[int, tuple[NDArray, NDArray]],
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Take notes apart where their bend comes to rest at another pitch.

    Returns
    -------
    source : ndarray of intp, shape (m,)
        Which note each comes from, not decreasing.
    tick, pitch : ndarray of float64, shape (m,)
    """
    source: list[int] = []
    ticks: list[float] = []
    pitches: list[float] = []
    for k, (on, at, until, tone) in enumerate(
        zip(channel.tolist(), tick.tolist(), end.tolist(), pitch.tolist(), strict=True)
    ):
        rests = [(float(at), tone)]
        if on in bends:
            when, semitones = bends[on]
            first, last = np.searchsorted(when, [at, until], side="right").tolist()
            before = semitones[first - 1] if first else 0.0
            swing = np.append(before, semitones[first:last])
            if np.abs(swing).max() >= AUDIBLE:
                places = np.append(at, when[first:last]).astype(np.float64)
                seconds = tempo.seconds(places)
                held = held_pitches(seconds, tone + swing, float(tempo.seconds(np.array([until]))[0]))
                rests = [(float(tempo.places(np.array([s]))[0]), p) for s, p in held]
                rests[0] = (float(at), rests[0][1])
        source += [k] * len(rests)
        ticks += [place for place, _ in rests]
        pitches += [p for _, p in rests]
    bent = np.clip(np.array(pitches), 0, 127)
    return np.array(source, np.intp), np.array(ticks), bent
