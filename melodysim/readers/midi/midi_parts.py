"""Parts of a Standard MIDI file.

A musician's part is a track: an MPE controller plays each note on a channel of its own, a guitar
each string, a sampler each articulation. In a file of one track (format 0) the channels are the parts,
unless they take turns at one line. Drums are left out, by what they play and not by channel 10 alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from melodysim.errors import ReadError
from melodysim.readers.bounds import MAX_SECONDS, damage, gunzipped
from melodysim.readers.midi.events import MidiEvents, midi_events
from melodysim.readers.midi.note_pairing import PairedNotes, pair_notes
from melodysim.readers.midi.pitch_bend import channel_bends, held_pitches, mpe_zones
from melodysim.readers.parts.drums import beats_time
from melodysim.readers.parts.part_line import many_voices
from melodysim.readers.parts.score import Part, Score
from melodysim.readers.tempo import TempoMap, constant_tempi
from melodysim.readers.text_encoding import decode_names
from melodysim.util.plain_text import counted

SHORTEST_NOTE = 0.005
"""Seconds to which shorter notes are lengthened; some sequencers write notes of no length."""
DRUM_CHANNEL = 9
"""Counted from 0: channel 10 of General MIDI."""
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
            were = "note has" if notes.unended == 1 else "notes have"
            said.append(f"{notes.unended:,} {were} no end, and end with the next onset or after a bar")
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


def _parts(
    events: MidiEvents, notes: PairedNotes, tempo: TempoMap, per_quarter: float, said: list[str]
) -> Iterator[Part]:
    """Make the parts; add to `said` what a reader of the report should know."""
    names = decode_names([track.name for track in events.tracks])
    sounding = np.unique(notes.track)
    for track in sounding.tolist():
        mine = np.flatnonzero(notes.track == track)
        name = names[track].strip()
        controls = events.tracks[track].controls
        zones = mpe_zones(controls)
        bends = channel_bends(controls)
        for called, which in _divided(
            notes, mine, name, events.format == 0 and len(sounding) == 1, zones
        ):
            kept = which if zones else _without_drums(notes, which, called, tempo, said)
            if len(kept):
                yield _part(called, notes, kept, tempo, per_quarter, bends)


def _divided(
    notes: PairedNotes, mine: NDArray[np.intp], name: str, one_track: bool, zones: bool
) -> list[tuple[str, NDArray[np.intp]]]:
    """Divide the notes of a track into parts, each with its name."""
    channel = notes.channel[mine]
    used = np.unique(channel)
    tuned = mine[channel != DRUM_CHANNEL]
    if not one_track or zones or len(used) == 1:
        return [(name, mine)]
    if not many_voices(notes.onset[tuned], notes.end[tuned], notes.pitch[tuned]):
        return [(name, tuned), (f"{name} channel 10".strip(), mine[channel == DRUM_CHANNEL])]
    return [(f"{name} channel {k + 1}".strip(), mine[channel == k]) for k in used.tolist()]


def _without_drums(
    notes: PairedNotes, which: NDArray[np.intp], name: str, tempo: TempoMap, said: list[str]
) -> NDArray[np.intp]:
    """Leave out what beats time: on channel 10, or in a part that is called drums."""
    on_ten = notes.channel[which] == DRUM_CHANNEL
    if not on_ten.any():
        return which
    drums = which[on_ten]
    seconds = tempo.seconds(notes.onset[drums])
    if beats_time(name, seconds, notes.pitch[drums].astype(np.float64)):
        return which[~on_ten]
    if on_ten.all():
        said.append(
            f"{name or 'a part'} is on channel 10 and moves like a melody: it was not taken for drums"
        )
    return which


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
    # An end that is days away is nonsense; the note is not.
    off = np.minimum(tempo.seconds(end), onset + MAX_SECONDS)
    if bends:
        bent = _bent(notes.channel[which], tick, end, pitch, tempo, bends)
        if bent is not None:
            source, places, pitch = bent
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
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]] | None:
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
            if np.abs(swing).max() >= 0.5:
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
