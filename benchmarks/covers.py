"""How well `compare` tells two recordings of one tune from two recordings of two.

    covers.py --songs FOLDER --font SOUNDFONT [--font …] [--count N] [--hard]

From each song (MIDI, with a track whose name begins with "melody") half a minute is rendered twice: by
another singer or instrument, in another key and tempo, with other sounds, and the second time with 10
to 30 % of its notes changed, left out or ornamented, and part of the arrangement missing. With
`--hard` both have 12 to 28 notes of the tune alone in common. Each pair is compared, and twice as many
that are not of one song. Nothing here was used to set anything of `compare`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from itertools import pairwise
from pathlib import Path

import mido
import numpy as np
from numpy.random import Generator
from render import RATE, Notes, excerpt, mp3_bytes, note_messages, read_tracks, render
from rich.progress import track
from sklearn.metrics import roc_auc_score

from melodysim import Library, Piece, compare, read

SECONDS = 30.0
LEVELS = (0.1, 0.05, 0.01, 0.005)


def changed(melody: Notes, share: float, rng: Generator) -> Notes:
    """Leave out, move or ornament a share of the notes."""
    rows: list[tuple[float, float, int]] = []
    for onset, duration, pitch in zip(melody.onset, melody.duration, melody.pitch, strict=True):
        drawn = rng.random()
        if drawn < share / 3:
            continue
        if drawn < 2 * share / 3:
            rows.append((onset, duration, int(pitch + rng.choice([-2, -1, 1, 2]))))
            continue
        if drawn < share:
            rows.append((onset + duration / 2, duration / 2, int(pitch + rng.choice([-2, 2]))))
            duration /= 2
        rows.append((onset, duration, int(pitch)))
    onset, duration, pitch = zip(*sorted(rows), strict=True)
    return Notes(np.array(onset), np.array(duration), np.array(pitch))


def spliced(melody: Notes, other: Notes, notes: int, rng: Generator) -> Notes:
    """Keep some notes in a row, and let another tune go on before and after them."""
    first = int(rng.integers(0, max(1, len(melody.onset) - notes)))
    kept = slice(first, first + notes)
    begin, end = melody.onset[kept][0], melody.onset[kept][-1] + melody.duration[kept][-1]
    away = (other.onset + other.duration <= begin) | (other.onset >= end)
    columns = [
        np.concatenate([getattr(melody, name)[kept], getattr(other, name)[away]])
        for name in ("onset", "duration", "pitch")
    ]
    order = np.argsort(columns[0], kind="stable")
    return Notes(*(column[order] for column in columns))


def written(melody: Notes, others: list[Notes], path: Path) -> None:
    """Write a MIDI file of these tracks at 120 beats a minute."""
    score = mido.MidiFile(ticks_per_beat=480)
    for name, notes in [("melody", melody), *((f"part {k}", n) for k, n in enumerate(others))]:
        part = mido.MidiTrack()
        part.name = name
        score.tracks.append(part)
        part += note_messages(notes, 0, 80)
    score.save(path)


def recorded(melody: Notes, others: list[Notes], font: Path, rng: Generator) -> Piece:
    """Render a track, and read it as a recording."""
    with tempfile.TemporaryDirectory() as folder:
        notes, sound = Path(folder, "song.mid"), Path(folder, "song.mp3")
        written(melody, others, notes)
        made = render(notes, font, rng, seconds=SECONDS, kbits=128)
        sound.write_bytes(mp3_bytes(made.audio, RATE, 128))
        return read(sound)


def window(melody: Notes, others: list[Notes], begin: float) -> tuple[Notes, list[Notes]]:
    """Cut a little more than is rendered out of a melody and its accompaniment."""
    span = begin, begin + SECONDS + 4, 1.0, 0
    parts = [excerpt(notes, *span) for notes in others]
    return excerpt(melody, *span), [part for part in parts if len(part.onset)]


def two_takes(song: Path, stranger: Path, fonts: list[Path], hard: bool) -> tuple[Piece, Piece]:
    """Render two recordings of one passage of a song; `stranger` is another song."""
    rng = np.random.default_rng([9, *song.stem.encode()])
    tracks = read_tracks(song)
    onset = tracks[0].onset
    lead, parts = window(*tracks, float(onset[int(rng.integers(0, max(1, len(onset) - 80)))]))
    cover = changed(lead, float(rng.uniform(0.1, 0.3)), rng)
    backing = parts[:1] if rng.random() < 0.5 else parts
    if hard:
        tracks = read_tracks(stranger)
        tune, backing = window(*tracks, float(tracks[0].onset[0]))
        cover = spliced(cover, tune, int(rng.integers(12, 29)), rng)
    takes = [
        recorded(notes, some, fonts[int(rng.integers(len(fonts)))], rng)
        for notes, some in ((lead, parts), (cover, backing))
    ]
    return takes[0], takes[1]


def main() -> None:
    """Render, compare, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--songs", type=Path, required=True)
    parser.add_argument("--font", type=Path, action="append", required=True)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--hard", action="store_true")
    parser.add_argument("--library", type=Path)
    args = parser.parse_args()
    songs = sorted(p for p in args.songs.glob("*.mid") if "-" not in p.stem)
    songs = [songs[k] for k in np.linspace(3, len(songs) - 1, args.count + 1).astype(int)]
    takes = [
        two_takes(*pair, args.font, args.hard)
        for pair in track(list(pairwise(songs)), "rendering", transient=True)
    ]
    takes = [pair for pair in takes if all(piece.melodies for piece in pair)]
    library = Library(args.library)
    pairs = [(k, (k + away) % len(takes)) for away in (0, 1, 5) for k in range(len(takes))]
    scores, p_values = [], []
    for one, other in track(pairs, "comparing", transient=True):
        report = compare(takes[other][1], takes[one][0], library, threads=2)
        scores.append(report.score)
        if one != other:
            p_values.append(report.match.e_value if report.match else 1.0)
    below = {str(x): round(float(np.mean(np.array(p_values) < x)), 3) for x in LEVELS}
    print(json.dumps({
        "pairs": len(takes), "unrelated": len(p_values),
        "area": round(float(roc_auc_score([one == other for one, other in pairs], scores)), 3),
        "unrelated below": below,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
