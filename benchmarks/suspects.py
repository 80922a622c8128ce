"""How well a song that a person named is found in a track, and how seldom in others.

    suspects.py --songs FOLDER --font SOUNDFONT [--font …] [--count N] [--library FILE] [--keep FILE]

From each song (MIDI, with a track whose name begins with "melody") a suspect is made, in turns a hum of
half a minute of its melody and a piano playing it with its chords; and a track: another arrangement of
the same passage, by another singer or instrument, in another key and tempo, with up to a fifth of its
notes changed. Each suspect is compared with its own track, and with those of three other songs.
Results are given for all songs, and for every second one, so that what was set on one half is seen on
the other. `--keep` stores what was heard, to compare it again later without rendering.
"""

from __future__ import annotations

import argparse
import json
import pickle
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import soxr
from covers import changed, recorded, window
from numpy.random import Generator
from render import FONT_RATE, RATE, Notes, excerpt, read_tracks, synthesise
from rich.progress import track
from singing import sing

from melodysim import Library, Piece, Rates, compare, read

SECONDS = 30.0


def hum(melody: Notes, rng: Generator) -> np.ndarray:
    """Hum a melody in a room: a voice alone, a little too slow or fast, with noise."""
    faster, shift = rng.uniform(0.85, 1.15), int(rng.integers(-4, 5))
    notes = excerpt(melody, 0.0, SECONDS * faster, faster, shift)
    centre = 12 * round((60 - float(np.median(notes.pitch))) / 12)
    pitch = np.asarray(notes.pitch + centre, np.float64)
    voice = sing(notes.onset, notes.duration, pitch, SECONDS, rng)
    noise = rng.standard_normal(len(voice)).astype(np.float32)
    return voice / np.abs(voice).max() * 0.5 + noise * float(rng.uniform(0.0005, 0.004))


def piano(melody: Notes, others: list[Notes], font: Path) -> np.ndarray:
    """Play a melody with its chords on a piano."""
    parts = [(melody, 0, 96), *((notes, 0, 58) for notes in others[-1:])]
    stereo = synthesise(parts, font, SECONDS)
    return soxr.resample(stereo.mean(axis=1), FONT_RATE, RATE)


def heard(audio: np.ndarray) -> Piece:
    """Read sound as a recording."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "suspect.wav")
        soundfile.write(path, audio, RATE)
        return read(path)


def suspect_and_track(number: int, song: Path, fonts: list[Path]) -> tuple[Piece, Piece]:
    """Render a suspect and a track that copies it."""
    rng = np.random.default_rng([11, *song.stem.encode()])
    tracks = read_tracks(song)
    onset = tracks[0].onset
    lead, parts = window(*tracks, float(onset[int(rng.integers(0, max(1, len(onset) - 80)))]))
    font = fonts[int(rng.integers(len(fonts)))]
    suspect = hum(lead, rng) if number % 2 == 0 else piano(lead, parts, font)
    cover = changed(lead, float(rng.uniform(0.0, 0.2)), rng)
    return heard(suspect), recorded(cover, parts, fonts[int(rng.integers(len(fonts)))], rng)


def shares(p_values: dict[str, list[tuple[int, float]]], half: int | None) -> dict[str, float]:
    """Return which share of the copies and of the strangers is below the rate of "review"."""
    rate, found = Rates().review, {}
    for kind, rows in p_values.items():
        some = [p for k, p in rows if half is None or (k // 2) % 2 == half]
        found[kind] = round(float(np.mean(np.array(some) < rate)), 3)
    return found


def main() -> None:
    """Render, compare, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--songs", type=Path, required=True)
    parser.add_argument("--font", type=Path, action="append", required=True)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--library", type=Path)
    parser.add_argument("--keep", type=Path)
    args = parser.parse_args()
    songs = sorted(p for p in args.songs.glob("*.mid") if "-" not in p.stem)
    songs = [songs[k] for k in np.linspace(1, len(songs) - 2, args.count).astype(int)]
    if args.keep and args.keep.exists():
        made = pickle.loads(args.keep.read_bytes())
    else:
        named = list(enumerate(songs))
        made = [suspect_and_track(*one, args.font) for one in track(named, "rendering", transient=True)]
        if args.keep:
            args.keep.write_bytes(pickle.dumps(made))
    library = Library(args.library)
    p_values: dict[str, list[tuple[int, float]]] = {
        "copies": [],
        "hums": [],
        "pianos": [],
        "strangers": [],
    }
    pairs = [(k, (k + away) % len(made)) for k in range(len(made)) for away in (0, 2, 5, 11)]
    for one, other in track(pairs, "comparing", transient=True):
        suspect, checked = made[one][0], made[other][1]
        if not suspect.melodies or not checked.melodies:
            p = 1.0
        else:
            report = compare(checked, suspect, library, threads=2)
            p = report.match.e_value if report.match else 1.0
        if one == other:
            p_values["copies"].append((one, p))
            p_values["pianos" if one % 2 else "hums"].append((one, p))
        else:
            p_values["strangers"].append((one, p))
    unrelated = np.array([p for _, p in p_values["strangers"]])
    print(json.dumps({
        "pairs": len(made), "unrelated": len(unrelated),
        "not clear": shares(p_values, None),
        "of every second pair of songs": [shares(p_values, half) for half in (0, 1)],
        "unrelated below": {
            str(x): round(float(np.mean(unrelated < x)), 3) for x in (0.1, 0.05, 0.01, 0.005, 0.0001)
        },
    }))  # fmt: skip


if __name__ == "__main__":
    main()
