"""Measure the line of MIDI that was transcribed from sound, against the melody that was rendered.

    uv run --with resampy --with pretty_midi python benchmarks/transcribed.py --songs DIR --font F.sf2

Songs (MIDI with a track named melody) are rendered alone and in a mix, sung and played (`render.py`),
and transcribed by basic-pitch's own note creation with its defaults. Every second song, by name,
is one that no weight was tuned on. With --library, the MIDI is checked against a library that holds the
songs by the names of their files.

Conventions: a note of the line is right if a note of the melody begins within 0.12 s of it and has its
pitch class.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from collections import defaultdict
from pathlib import Path

import mido
import numpy as np
import soxr
from numpy.typing import NDArray
from render import RATE, render

import melodysim
from melodysim.melody import top_line
from melodysim.readers.parts.part_line import part_melody
from melodysim.readers.parts.score import Part
from melodysim.transcribe.basic_pitch import SAMPLE_RATE, polyphonic_salience

NEAR = 0.12
TICKS = 440
"""Of a second."""


def note_events(audio: NDArray[np.float32]) -> NDArray[np.float64]:
    """Transcribe audio as basic-pitch does: rows of onset, end, pitch, amplitude."""
    from basic_pitch import note_creation

    note, onset, _ = polyphonic_salience(soxr.resample(audio, RATE, SAMPLE_RATE))
    found = note_creation.output_to_notes_polyphonic(
        note, onset, onset_thresh=0.5, frame_thresh=0.3, infer_onsets=True, min_note_len=11,
        melodia_trick=True, energy_tol=11, min_freq=None, max_freq=None,
    )  # fmt: skip
    time = note_creation.model_frames_to_time(len(note) + 1)
    rows = [(time[a], time[min(b, len(time) - 1)], pitch, loud) for a, b, pitch, loud in found]
    return np.array(sorted(rows), np.float64).reshape(-1, 4)


def f_measure(onset: NDArray, pitch: NDArray, melody: NDArray[np.float64]) -> float:
    """Return the F-measure of a line against a melody of rows of onset and pitch."""
    near = np.abs(np.subtract.outer(onset, melody[:, 0])) < NEAR
    same = near & (np.rint(np.subtract.outer(pitch, melody[:, 1])) % 12 == 0)
    precision, recall = (float(same.any(axis=k).mean()) if same.size else 0.0 for k in (1, 0))
    return 2 * precision * recall / max(precision + recall, 1e-9)


def midi_of(events: NDArray[np.float64]) -> bytes:
    """Write note events as a MIDI file of one track."""
    track = mido.MidiTrack()
    ends = [(t, on, p, v) for a, b, p, v in events for t, on in ((a, 1), (b, 0))]
    rows = [(round(t * TICKS), on, int(p), int(v * 127)) for t, on, p, v in ends]
    now = 0
    for tick, on, pitch, loud in sorted(rows):
        track.append(mido.Message("note_on", note=pitch, velocity=max(loud, 1) * on, time=tick - now))
        now = tick
    out = io.BytesIO()
    mido.MidiFile(ticks_per_beat=TICKS // 2, tracks=[track]).save(file=out)
    return out.getvalue()


def is_first(events: NDArray[np.float64], song: str, library: melodysim.Library) -> bool:
    """Say whether a check of the events finds the song first."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "heard.mid"
        path.write_bytes(midi_of(events))
        matches = melodysim.check(path, library, top=1).matches
    return bool(matches) and Path(matches[0].reference.id).stem == song


def main() -> None:
    """Render, transcribe, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--songs", type=Path, required=True)
    parser.add_argument("--font", type=Path, action="append", required=True)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--library", type=Path)
    args = parser.parse_args()
    files = sorted(path for path in args.songs.glob("*.mid") if "-" not in path.stem)
    chosen = sorted(files[k] for k in np.random.default_rng(5).permutation(len(files))[: args.count])
    library = melodysim.Library(args.library) if args.library else None
    held = {reference.stem for reference in map(Path, library.index.names)} if library else set()
    table: dict[tuple[str, str, str], list[tuple[float, float, float]]] = defaultdict(list)
    for number, song in enumerate(chosen):
        half = "tuned on" if number % 2 == 0 else "held out"
        sung = bool(number // 2 % 2)
        for kind, balance in (("alone", (45.0, 45.0)), ("in a mix", (-3.0, 8.0))):
            rng = np.random.default_rng(number * 7 + (kind != "alone"))
            font = args.font[number % len(args.font)]
            made = render(song, font, rng, seconds=30.0, sung=sung, balance=balance)
            events = note_events(made.audio)
            onset, end, pitch, loud = events.T
            part = Part("", onset, end - onset, pitch, onset * 2, loud * 127)
            melody = np.stack([made.melody.onset, made.melody.pitch], axis=1)
            line, top = part_melody(part), top_line(onset, end - onset, pitch)
            first = np.nan
            if library is not None and song.stem in held:
                first = float(is_first(events, song.stem, library))
            highest = f_measure(onset[top], pitch[top], melody)
            ours = f_measure(line.onset, line.pitch, melody)
            table[half, kind, "sung" if sung else "played"].append((highest, ours, first))
    print(f"{'':34} {'top line':>9} {'our line':>9} {'found first':>12}")
    for name, rows in sorted(table.items()):
        top, line, first = np.array(rows).T
        found = f"{int(np.nansum(first))} of {int((~np.isnan(first)).sum())}"
        print(f"{', '.join(name):34} {top.mean():9.2f} {line.mean():9.2f} {found:>12}")


if __name__ == "__main__":
    main()
