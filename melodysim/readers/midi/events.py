"""Events of Standard MIDI files, as they stand in the bytes (Standard MIDI Files 1.0, RP-001).

Every chunk that is a track is read, whatever number the header gives, and a track that is cut off or
damaged is read up to there. Notes are left as they are written: a note-on here, a note-off there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from melodysim.errors import ReadError
from melodysim.readers.bounds import MOST_BYTES, MOST_NOTES

_MOST_TICKS = 1 << 34
_MOST_TRACKS = 10_000
_SYSTEM_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1}
"""Data of system common messages, which do not belong into a file and are passed over."""
_DATA_BYTES = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2}
_CUT_OFF = "it is cut off"
_KEPT = (0xB0, 0xC0, 0xE0)
_NAME, _INSTRUMENT, _TEMPO, _END = 0x03, 0x04, 0x51, 0x2F


@dataclass(frozen=True, eq=False)
class TrackEvents:
    """Events of one track.

    Attributes
    ----------
    notes : ndarray of int64, shape (n, 4)
        Tick, channel (0 to 15), pitch, velocity (0 for a note-off), in the order of the file.
    controls : tuple of (tick, status byte, first data byte, second data byte)
        Control changes that set up pitch bend and MPE, program changes, pitch bends.
    tempi : tuple of (tick, microseconds a quarter note)
    name : bytes
        Of the track, or else of its instrument.
    damaged : str
        What is wrong with the track; empty if nothing is.
    """

    notes: NDArray[np.int64]
    controls: tuple[tuple[int, int, int, int], ...]
    tempi: tuple[tuple[int, int], ...]
    name: bytes
    damaged: str


@dataclass(frozen=True, eq=False)
class MidiEvents:
    """A file's header and tracks.

    Attributes
    ----------
    format : int
        0 for one track of all channels, 1 for tracks side by side, 2 for patterns.
    division : int
        Ticks of a quarter note; negative where ticks are of seconds.
    ticks_per_second : float
        Where ticks are of seconds, by SMPTE's frames; otherwise 0.
    tracks : tuple of TrackEvents
    announced : int
        Number of tracks by the header.
    """

    format: int
    division: int
    ticks_per_second: float
    tracks: tuple[TrackEvents, ...]
    announced: int


def midi_events(content: bytes) -> MidiEvents:
    """Read the events of a file.

    Parameters
    ----------
    content : bytes
        A Standard MIDI file, alone or inside a RIFF file (RMID) or behind another header.

    Raises
    ------
    ReadError
        If it is no MIDI file, or its time division is impossible.
    """
    start = content.find(b"MThd", 0, MOST_BYTES if content.startswith(b"RIFF") else 4096)
    if start < 0:
        raise ReadError("not a MIDI file (it has no MThd header)", "export it again")
    header = content[start : start + 14]
    if len(header) < 14:
        raise ReadError("damaged MIDI file (it ends within its header)", "export it again")
    kind, announced, division = (int.from_bytes(header[k : k + 2]) for k in (8, 10, 12))
    per_second = 0.0
    if division >= 0x8000:
        frames, parts = 256 - (division >> 8), division & 0xFF
        per_second = {29: 30 / 1.001}.get(frames, float(frames)) * parts
        division = -division
    if division == 0 or (division < 0 and not (frames in (24, 25, 29, 30) and per_second)):
        raise ReadError("damaged MIDI file (its time division is impossible)", "export it again")
    first = start + 8 + int.from_bytes(header[4:8])
    chunks = _track_chunks(content, first)
    if len(chunks) > _MOST_TRACKS:
        raise ReadError(f"holds more than {_MOST_TRACKS:,} tracks")
    tracks = tuple(_track(content, *place) for place in chunks)
    if sum(len(track.notes) for track in tracks) > 2 * MOST_NOTES:
        raise ReadError(f"holds more than {MOST_NOTES:,} notes")
    return MidiEvents(kind, division, per_second, tracks, announced)


def _track_chunks(content: bytes, position: int) -> list[tuple[int, int]]:
    """Find where the data of each track begin and end."""
    found = []
    while True:
        name, size = content[position : position + 4], content[position + 4 : position + 8]
        if name == b"MTrk":
            first = position + 8
            last = first + int.from_bytes(size)
            if last > len(content):  # cut off, or the size is wrong
                following = content.find(b"MTrk", first)
                last = following if following >= 0 else len(content)
            if (
                content[last : last + 4] not in (b"", b"MTrk")
                and not content[last : last + 4].isalnum()
            ):
                # The size is wrong: the track goes on up to the next one.
                following = content.find(b"MTrk", first)
                last = following if following >= 0 else len(content)
            found.append((first, last))
            position = last
        elif name.isalnum() and len(size) == 4:
            position += 8 + int.from_bytes(size)
        else:
            position = content.find(b"MTrk", position)
            if position < 0:
                return found


def _track(data: bytes, i: int, end: int) -> TrackEvents:
    """Read the events of one track, in a loop that is written for speed: a song has five thousand."""
    notes: list[int] = []
    controls: list[tuple[int, int, int, int]] = []
    about = _About()
    tick = status = kind = channel = 0
    add = notes.append
    try:
        while i < end:
            byte = data[i]
            i += 1
            if byte >= 0x80:
                if data[i] < 0x80:  # two bytes, as most times of notes have
                    byte = (byte & 0x7F) << 7 | data[i]
                    i += 1
                else:
                    byte, i = _length(data, i - 1)
            tick += byte
            byte = data[i]
            if byte >= 0xF0:
                i = about.system(data, i, tick)
                if about.ended:
                    break
                continue
            if byte >= 0x80:
                i += 1
                status, kind, channel = byte, byte & 0xF0, (byte & 15) << 16
            if kind == 0x90:
                add(tick << 20 | channel | data[i] << 8 | data[i + 1])
            elif kind == 0x80:
                add(tick << 20 | channel | data[i] << 8)
            elif kind in _KEPT:
                controls.append((tick, status, data[i], data[i + 1] if kind != 0xC0 else 0))
            i += _DATA_BYTES[kind]
    except (IndexError, KeyError) as error:
        about.damaged = _CUT_OFF if isinstance(error, IndexError) else "an event has no kind"
    about.damaged = about.damaged or _CUT_OFF * (i > end)
    return _kept_events(notes, controls, about)


def _kept_events(
    notes: list[int], controls: list[tuple[int, int, int, int]], about: _About
) -> TrackEvents:
    """Leave out what comes after a note that cannot be one."""
    table = _unpacked(notes)
    wrong = np.flatnonzero((table[:, 2:] > 0x7F).any(axis=1) | (table[:, 0] > _MOST_TICKS))
    if len(wrong):
        table, about.damaged = table[: wrong[0]], "a note has an impossible pitch or time"
    return TrackEvents(table, tuple(controls), tuple(about.tempi), about.name, about.damaged)


@dataclass
class _About:
    """What a track says of itself, in events that are not of a channel."""

    names: dict[int, bytes] = field(default_factory=dict)
    tempi: list[tuple[int, int]] = field(default_factory=list)
    damaged: str = ""
    ended: bool = False

    @property
    def name(self) -> bytes:
        """Name of the track, or else of its instrument."""
        return self.names.get(_NAME) or self.names.get(_INSTRUMENT) or b""

    def system(self, data: bytes, i: int, tick: int) -> int:
        """Read a meta event or a system message at i; return the place behind it."""
        if data[i] == 0xFF:
            kind = data[i + 1]
            size, i = _length(data, i + 2)
            if kind in (_NAME, _INSTRUMENT) and size:
                self.names.setdefault(kind, data[i : i + min(size, 256)])
            elif kind == _TEMPO and size >= 3 and tick <= _MOST_TICKS:
                self.tempi.append((tick, int.from_bytes(data[i : i + 3])))
            self.ended = kind == _END
            return i + size
        if data[i] in (0xF0, 0xF7):
            size, i = _length(data, i + 1)
            return i + size
        return i + 1 + _SYSTEM_BYTES.get(data[i], 0)


def _length(data: bytes, i: int) -> tuple[int, int]:
    """Read a number of variable length; return it and the place behind it."""
    value = 0
    while True:
        byte = data[i]
        i += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, i
        if value > _MOST_TICKS:
            raise IndexError


def _unpacked(notes: list[int]) -> NDArray[np.int64]:
    """Take packed events apart into columns: tick, channel, pitch, velocity."""
    packed = np.array(notes, dtype=np.int64)
    columns = (packed >> 20, packed >> 16 & 15, packed >> 8 & 0xFF, packed & 0xFF)
    return np.stack(columns, axis=1)
