"""How often songs that copy nothing reach an E-value, from notes or from recordings.

    uv run python benchmarks/unrelated.py --songs FOLDER [--font A.sf2 --font B.sf3] [--plot FILE]

Half of the songs stand for works in copyright, beside the built-in melodies, and the other half is
checked against them; then the other way round, so that every song is checked against works that it is
none of. From notes: each MIDI file, and its likeliest melody in passages of 30, 60 and 120 notes. With
sound fonts: excerpts rendered as finished tracks (`render`), read and listened to. Prints in how many
the best protected work had an E-value below x, and in how many that should be; and the same of the best
free one, since an E-value counts works of one kind.

The parts of one song are not independent of each other, so the intervals are of songs drawn again and
again with all their parts (a cluster bootstrap).

Songs that are one another cannot be known here: `--but` names those to leave out. With `--rows FILE`
every check is written down as it is made, and a run that was cut short goes on from there.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from builtin import builtin_library
from promised import draw_promised
from render import RATE, mp3_bytes, render
from rich.progress import track
from scipy.stats import bootstrap

from melodysim.checking import CHECK_VERSION
from melodysim.library import Library
from melodysim.melody import Melody, Piece
from melodysim.readers.read import read
from melodysim.search.pipeline import find_matches

LENGTHS = (30, 60, 120)
"""Notes of the passages that a song is cut into."""
LEVELS = (1, 0.3, 0.1, 0.03, 0.01, 0.005, 0.001, 0.0001)
NONE = 1e6
"""E-value where no work is followed at all."""
TOP = 20
"""Matches asked for, so that the best of either kind is among them."""
DRAWN = 1000
"""Times that songs are drawn for an interval."""


def passages_of(song: Path) -> Iterator[tuple[str, Piece]]:
    """Cut the likeliest melody of a file into passages, and give the file as it is."""
    melody = read(song).melodies[0]
    for notes in LENGTHS:
        for first in range(0, len(melody) - notes + 1, notes):
            cut = slice(first, first + notes)
            part = Melody.from_notes(
                melody.onset[cut] - melody.onset[first], melody.duration[cut], melody.pitch[cut]
            )
            yield f"{notes} notes", Piece(song.stem, "notes", (part,), part.end)
    yield "whole", read(song)


def excerpts_of(
    song: Path, fonts: list[Path], count: int, seconds: float
) -> Iterator[tuple[str, Piece]]:
    """Render excerpts of a song, each in another key, tempo and sound, and read them."""
    for k in range(count):
        rng = np.random.default_rng([k, *song.stem.encode()])
        made = render(song, fonts[int(rng.integers(len(fonts)))], rng, seconds=seconds, kbits=128)
        with tempfile.NamedTemporaryFile(suffix=".mp3") as file:
            file.write(mp3_bytes(made.audio, RATE, 128))
            file.flush()
            yield f"{seconds:g} s {'sung' if made.sung else 'played'}", read(file.name)


def checked(song: Path, library: Path, fonts: list[Path], count: int, seconds: float) -> list[dict]:
    """Check one song in parts: the best work of either kind for each."""
    opened = Library(library)
    parts = excerpts_of(song, fonts, count, seconds) if fonts else passages_of(song)
    rows = []
    for k, (what, piece) in enumerate(parts):
        found = find_matches(piece, opened.shelf, TOP) if piece.melodies else []
        for protected in (True, False):
            mine = [m for m in found if m.reference.rights.protected is protected]
            e_value = mine[0].e_value if mine else NONE
            title = mine[0].reference.title if mine else ""
            row = {"song": song.stem, "part": k, "what": what, "protected": protected}
            rows.append(row | {"e_value": e_value, "reference": title})
    return rows


def all_rows(args: argparse.Namespace, work: Path) -> list[dict]:
    """Check every song against the half that it is not of."""
    songs = sorted(p for p in args.songs.glob("*.mid") if "-" not in p.stem)
    if len(songs) < 2:
        raise SystemExit(f"{args.songs}: no songs (*.mid) to divide in two")
    settings = {
        "results": CHECK_VERSION, "fonts": [font.name for font in args.font], "seconds": args.seconds,
        "excerpts": args.excerpts, "songs": [song.stem for song in songs],
    }  # fmt: skip
    rows = rows_so_far(args.rows, settings)
    if args.jobs == 0:
        return rows
    done = {row["song"] for row in rows}
    queries = []
    for half in (0, 1):
        library = work / f"half-{half}.db"
        with builtin_library(library, songs[half::2]) as opened:
            owned = {opened.index.name(int(k)) for k in np.flatnonzero(opened.protected)}
            if owned != {song.name for song in songs[half::2]}:
                raise SystemExit(f"{library}: holds other songs; remove it")
            print(f"half {half}: {len(opened)} references")
        queries += [(song, library) for song in songs[1 - half :: 2] if song.stem not in done]
    # In any order, so that what a run that was cut short has done is a fair sample.
    random.Random(0).shuffle(queries)
    parts = (repeat(args.font), repeat(args.excerpts), repeat(args.seconds))
    # Spawned: a forked copy of a process with threads may hang.
    with ProcessPoolExecutor(args.jobs, mp_context=get_context("spawn")) as pool:
        results = pool.map(checked, *zip(*queries, strict=True), *parts) if queries else iter(())
        for found in track(results, "checking", len(queries)):
            rows += found
            if args.rows:
                with args.rows.open("a") as file:
                    file.write(json.dumps(found) + "\n")
    return rows


def rows_so_far(path: Path | None, settings: dict) -> list[dict]:
    """Read what a run with the same settings has written down: a line a song, after the settings."""
    if path is None:
        return []
    lines = path.read_text().splitlines() if path.exists() else []
    if not lines:
        path.write_text(json.dumps(settings) + "\n")
        return []
    if json.loads(lines[0]) != settings:
        raise SystemExit(f"{path}: is of a run with other settings; name another file")
    rows: list[dict] = []
    for line in lines[1:]:
        try:
            rows += json.loads(line)
        except json.JSONDecodeError:
            print(f"{path}: a line that was not written to its end is left out")
    return rows


def shares(rows: list[dict], levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the shares of E-values below levels, and their 95 % intervals: [levels], [2, levels]."""
    e_value, song = (np.array([row[name] for row in rows]) for name in ("e_value", "song"))
    below = e_value[:, None] < levels
    songs, number = np.unique(song, return_inverse=True)
    counts = np.zeros((len(songs), len(levels) + 1))
    np.add.at(counts, number, np.column_stack([below, np.ones(len(rows))]))
    bounds = np.zeros((2, len(levels)))
    for k in np.flatnonzero(below.any(axis=0)):
        found = bootstrap(
            (counts[:, k], counts[:, -1]),
            lambda count, total, axis: count.sum(axis=axis) / total.sum(axis=axis),
            n_resamples=DRAWN, paired=True, vectorized=True, method="percentile", rng=0,
        )  # fmt: skip
        bounds[:, k] = found.confidence_interval
    # Of what never happened the bootstrap knows nothing: then as much as three in these songs may.
    never = ~below.any(axis=0)
    bounds[1, never] = min(3 / len(songs), 1)
    return below.mean(axis=0), bounds


def draw(path: Path, groups: dict[str, list[dict]]) -> None:
    """Draw how often each E-value was reached against what it promises."""
    levels = np.logspace(-4, 0.5, 19)
    draw_promised(path, levels, {name: shares(rows, levels) for name, rows in groups.items()}, 5e-5)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--songs", type=Path, required=True, help="folder of MIDI files")
    parser.add_argument("--font", type=Path, action="append", default=[], help="render with these")
    parser.add_argument("--excerpts", type=int, default=4, help="of each song, where it is rendered")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each excerpt")
    parser.add_argument("--but", nargs="*", default=[], help="songs that are one another: name both")
    parser.add_argument("--rows", type=Path, help="write every check here (JSON lines), or go on")
    parser.add_argument("--work", type=Path, help="folder for the two libraries, kept")
    parser.add_argument("--jobs", type=int, default=2, help="processes; 0 only sums --rows up")
    parser.add_argument("--plot", type=Path, help="PNG to write")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = all_rows(args, args.work or Path(folder))
    rows = [row for row in rows if row["song"] not in args.but]
    groups: dict[str, list[dict]] = {}
    for protected in (True, False):
        kind = [row for row in rows if row["protected"] is protected]
        groups["protected works" if protected else "free works"] = kind
        for what in sorted({row["what"] for row in kind}):
            groups[f"{'protected' if protected else 'free'}, {what}"] = [
                row for row in kind if row["what"] == what
            ]
    for name, some in groups.items():
        print(f"{name}: {len(some)} checks of {len({row['song'] for row in some})} songs")
        print("  E below   promised   observed (95 % interval)")
        share, bounds = shares(some, np.array(LEVELS))
        for level, here, low, high in zip(LEVELS, share, *bounds, strict=True):
            print(f"  {level:<9g} {-np.expm1(-level):8.4f}   {here:.4f} ({low:.4f} to {high:.4f})")
    for row in sorted(rows, key=lambda row: row["e_value"])[:12]:
        print(f"  {row['e_value']:.2g}  {row['song']} {row['what']}: {row['reference']}")
    if args.plot:
        draw(args.plot, {name: some for name, some in groups.items() if name.endswith("works")})


if __name__ == "__main__":
    main()
