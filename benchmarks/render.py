"""Arrangements from MIDI files, rendered like finished tracks: another key, tempo, sound and mix.

A file needs a track whose name begins with "melody"; everything else is accompaniment. The melody is
sung (`singing`) or played; a bass and drums may be added; reverberation, loudness, limiting and lossy
coding follow, as in a finished track. Needs the `fluidsynth` command and sound fonts.

Conventions: times in seconds, pitches in MIDI note numbers, audio mono float32 at `RATE`.
"""

from __future__ import annotations

import io
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mido
import numpy as np
import soundfile
import soxr
from numpy.random import Generator
from numpy.typing import NDArray
from singing import RATE, sing

FONT_RATE = 44100
SUNG_MEDIANS, PLAYED_MEDIANS = (50, 72), (55, 79)
"""Where the middle of a melody may lie: men's and women's voices; instruments. Each holds an octave."""
LEAD_PROGRAMS = (0, 4, 11, 21, 24, 26, 27, 40, 41, 52, 53, 54, 56, 60, 64, 65, 66, 68, 71, 73, 75, 80)
CHORD_PROGRAMS = (0, 0, 1, 4, 5, 16, 24, 25, 27, 46, 48, 50, 88, 89, 92)
FILL_PROGRAMS = (11, 24, 26, 40, 48, 61, 73, 81)
BASS_PROGRAMS = (32, 33, 34, 38)


@dataclass(frozen=True, eq=False)
class Notes:
    """Notes of one track: onset and duration in seconds, pitch; rows in order of onset."""

    onset: NDArray[np.float64]
    duration: NDArray[np.float64]
    pitch: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Rendering:
    """A rendered track: its audio, and the melody in it as it sounds."""

    audio: NDArray[np.float32]
    melody: Notes
    sung: bool


def read_tracks(path: Path) -> tuple[Notes, list[Notes]]:
    """Read the melody track and the others, in seconds."""
    score = mido.MidiFile(path)
    tempo = [(0, 0.0, 500000)]
    now = 0
    for message in mido.merge_tracks(score.tracks):
        now += message.time
        if message.type == "set_tempo":
            tick, second, value = tempo[-1]
            second += mido.tick2second(now - tick, score.ticks_per_beat, value)
            tempo.append((now, second, message.tempo))
    ticks = np.array([t[0] for t in tempo])

    def seconds(tick: int) -> float:
        first, begin, value = tempo[int(np.searchsorted(ticks, tick, side="right")) - 1]
        return begin + mido.tick2second(tick - first, score.ticks_per_beat, value)

    melody, others = None, []
    for track in score.tracks:
        notes = _track_notes(track, seconds)
        if notes is None:
            continue
        if (track.name or "").lower().startswith("melody"):
            melody = notes
        else:
            others.append(notes)
    if melody is None:
        raise ValueError(f"{path}: no track is named melody")
    return melody, others


def _track_notes(track: mido.MidiTrack, seconds: Callable[[int], float]) -> Notes | None:
    """Pair note-ons with note-offs."""
    now, held, rows = 0, {}, []
    for message in track:
        now += message.time
        if message.type == "note_on" and message.velocity:
            held[message.note] = now
        elif message.type in ("note_on", "note_off") and message.note in held:
            begin = held.pop(message.note)
            rows.append((seconds(begin), seconds(now) - seconds(begin), message.note))
    if not rows:
        return None
    onset, duration, pitch = zip(*sorted(rows), strict=True)
    return Notes(np.array(onset), np.maximum(np.array(duration), 0.03), np.array(pitch))


def excerpt(notes: Notes, begin: float, end: float, faster: float, shift: int) -> Notes:
    """Cut, change the tempo and transpose."""
    keep = (notes.onset >= begin) & (notes.onset < end)
    return Notes(
        (notes.onset[keep] - begin) / faster,
        notes.duration[keep] / faster,
        np.clip(notes.pitch[keep] + shift, 12, 115),
    )


def note_messages(notes: Notes, channel: int, velocity: int) -> list[mido.Message]:
    """Return the messages of a track at 960 ticks a second: 120 beats a minute at 480 a beat."""
    events = []
    for onset, duration, pitch in zip(notes.onset, notes.duration, notes.pitch, strict=True):
        events.append((round(onset * 960), 1, int(pitch)))
        events.append((round((onset + duration) * 960), 0, int(pitch)))
    now, messages = 0, []
    for tick, kind, pitch in sorted(events):
        name = "note_on" if kind else "note_off"
        message = mido.Message(name, channel=channel, note=pitch, velocity=velocity * kind)
        messages.append(message.copy(time=tick - now))
        now = tick
    return messages


def _midi(parts: list[tuple[Notes, int, int]], seconds: float) -> bytes:
    """Write (notes, program, velocity) as a MIDI file; program -1 is the drum channel."""
    score = mido.MidiFile(ticks_per_beat=480)
    channel = 0
    for notes, program, velocity in parts:
        track = mido.MidiTrack()
        number = 9 if program < 0 else channel
        if program >= 0:
            track.append(mido.Message("program_change", channel=number, program=program))
            channel += 1 + (channel == 8)
        track += note_messages(notes, number, velocity)
        score.tracks.append(track)
    score.tracks[0].append(mido.Message("note_off", note=0, time=round(seconds * 960)))
    out = io.BytesIO()
    score.save(file=out)
    return out.getvalue()


def synthesise(parts: list[tuple[Notes, int, int]], font: Path, seconds: float) -> NDArray[np.float32]:
    """Play parts with a sound font; [samples, 2] at `FONT_RATE`."""
    with tempfile.TemporaryDirectory() as folder:
        midi, wav = Path(folder) / "in.mid", Path(folder) / "out.wav"
        midi.write_bytes(_midi(parts, seconds))
        command = ["fluidsynth", "-ni", "-q", "-g", "0.6", "-r", str(FONT_RATE), "-F", str(wav)]
        subprocess.run([*command, str(font), str(midi)], check=True, capture_output=True)
        audio, _ = soundfile.read(wav, dtype="float32", always_2d=True)
    wanted = int(seconds * FONT_RATE)
    return np.pad(audio, ((0, max(0, wanted - len(audio))), (0, 0)))[:wanted]


def _bass_and_drums(
    chords: Notes, beat: float, seconds: float, rng: Generator
) -> list[tuple[Notes, int, int]]:
    """Make a bass of the lowest notes, and a plain beat."""
    parts = []
    grid = np.arange(0, seconds, beat)
    if rng.random() < 0.7 and len(chords.onset):
        lowest = []
        for begin in grid:
            here = (chords.onset < begin + beat) & (chords.onset + chords.duration > begin)
            lowest.append(chords.pitch[here].min() if here.any() else -1)
        low = np.array(lowest)
        kept = low >= 0
        pitch = (low[kept] % 12) + 28 + 12 * (low[kept] % 12 < 0)
        parts.append((Notes(grid[kept], np.full(kept.sum(), beat * 0.9), pitch), 0, 90))
        parts[-1] = (parts[-1][0], int(rng.choice(BASS_PROGRAMS)), 95)
    if rng.random() < 0.65:
        half = np.arange(0, seconds, beat / 2)
        onset = np.concatenate([half, grid[::2], grid[1::2]])
        pitch = np.concatenate(
            [np.full(len(half), 42), np.full(len(grid[::2]), 36), np.full(len(grid[1::2]), 38)]
        )
        order = np.argsort(onset, kind="stable")
        drums = Notes(onset[order], np.full(len(order), 0.05), pitch[order])
        parts.append((drums, -1, int(rng.integers(60, 115))))
    return parts


def _reverberated(audio: NDArray, rng: Generator) -> NDArray:
    """Convolve with decaying noise."""
    length = rng.uniform(0.15, 1.6)
    time = np.arange(int(length * RATE)) / RATE
    tail = rng.standard_normal(len(time)) * np.exp(-time * 6.9 / length)
    tail *= rng.uniform(0.02, 0.35) / np.sqrt((tail**2).sum())
    tail[0] = 1.0
    size = 1 << (len(audio) + len(tail)).bit_length()
    wet = np.fft.irfft(np.fft.rfft(audio, size) * np.fft.rfft(tail, size), size)
    return wet[: len(audio)]


def _coded(audio: NDArray[np.float32], kbits: int) -> NDArray[np.float32]:
    """Through MP3 and back."""
    data = mp3_bytes(audio, RATE, kbits)
    decoded, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    return decoded if rate == RATE else soxr.resample(decoded, rate, RATE)


def mp3_bytes(audio: NDArray[np.float32], rate: int, kbits: int) -> bytes:
    """Encode as MP3 with a constant bit rate, as near to `kbits` as libsndfile's scale comes."""
    out = io.BytesIO()
    highest, lowest = (320, 32) if rate > 24000 else (160, 8)
    level = float(np.clip((highest - kbits) / (highest - lowest), 0, 1))
    soundfile.write(
        out, audio, rate, format="MP3", subtype="MPEG_LAYER_III",
        bitrate_mode="CONSTANT", compression_level=level,
    )  # fmt: skip
    return out.getvalue()


def render(
    path: Path,
    font: Path,
    rng: Generator,
    *,
    seconds: float = 30.0,
    sung: bool | None = None,
    balance: tuple[float, float] = (-5.0, 8.0),
    kbits: int | None = None,
) -> Rendering:
    """Render an excerpt of a MIDI file as a finished track.

    Parameters
    ----------
    path : Path
        MIDI file with a track named melody.
    font : Path
        Sound font.
    rng : numpy.random.Generator
        Chooses everything that is left open.
    seconds : float, optional
        Length of the result.
    sung : bool, optional
        Whether the melody is sung; else chosen.
    balance : (float, float), optional
        Range of the melody's level over the accompaniment's, in dB.
    kbits : int, optional
        MP3 bit rate; else chosen, or not coded.

    Returns
    -------
    Rendering
    """
    melody, others = read_tracks(path)
    faster, shift = rng.uniform(0.8, 1.2), int(rng.integers(-6, 7))
    span = seconds * faster
    last = max(melody.onset[0], melody.onset[-1] - span)
    begin = max(0.0, float(rng.uniform(melody.onset[0], last)) - rng.uniform(0, 2))
    lead = excerpt(melody, begin, begin + span, faster, shift)
    sung = bool(rng.random() < 0.6) if sung is None else sung
    if len(lead.pitch):
        low, high = SUNG_MEDIANS if sung else PLAYED_MEDIANS
        centre = float(np.median(lead.pitch))
        fits = [o for o in range(-48, 49, 12) if low <= centre + o <= high]
        lead = Notes(lead.onset, lead.duration, lead.pitch + int(rng.choice(fits)))
    backing = [excerpt(notes, begin, begin + span, faster, shift) for notes in others]
    backing = [notes for notes in backing if len(notes.onset)]
    beat = 0.5 / faster
    parts = [
        (notes, int(rng.choice(CHORD_PROGRAMS if k == len(backing) - 1 else FILL_PROGRAMS)), 80)
        for k, notes in enumerate(backing)
    ]
    if backing:
        parts += _bass_and_drums(backing[-1], beat, seconds, rng)
        if rng.random() < 0.4:
            parts.append((backing[-1], int(rng.choice([48, 50, 52, 89, 91])), 55))
    samples = int(seconds * RATE)
    band = np.zeros(samples, np.float32)
    if parts:
        stereo = synthesise(parts, font, seconds)
        band = soxr.resample(stereo.mean(axis=1), FONT_RATE, RATE)[:samples]
    if not len(lead.onset):
        voice = np.zeros(samples, np.float32)
    elif sung:
        voice = sing(lead.onset, lead.duration, lead.pitch.astype(float), seconds, rng)
    else:
        program = int(rng.choice(LEAD_PROGRAMS))
        voice = soxr.resample(
            synthesise([(lead, program, 100)], font, seconds).mean(axis=1), FONT_RATE, RATE
        )[:samples]
    mixed = _mix(voice, band, float(rng.uniform(*balance)), rng)
    if kbits is None and rng.random() < 0.5:
        kbits = int(rng.choice([64, 96, 128]))
    if kbits:
        mixed = _coded(mixed, kbits)
    return Rendering(np.asarray(mixed[:samples], np.float32), lead, sung)


def _mix(voice: NDArray, band: NDArray, decibels: float, rng: Generator) -> NDArray[np.float32]:
    """Balance by loudness where the voice sounds, reverberate, and limit."""
    size = max(len(voice), len(band))
    voice, band = (np.pad(x, (0, size - len(x))) for x in (voice, band))
    active = np.abs(voice) > 0.02 * (np.abs(voice).max() + 1e-9)
    level = np.sqrt((voice[active] ** 2).mean()) if active.any() else 1.0
    backing = np.sqrt((band**2).mean())
    if backing > 0:
        voice = voice * (backing / max(level, 1e-9)) * 10 ** (decibels / 20)
    mixed = _reverberated(voice, rng) + _reverberated(band, rng)
    mixed = mixed / (np.abs(mixed).max() + 1e-9)
    drive = rng.uniform(0.8, 2.5)
    return (np.tanh(drive * mixed) / np.tanh(drive) * 0.9).astype(np.float32)
