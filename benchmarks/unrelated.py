"""How often songs that copy nothing reach an E-value, from notes or from recordings.

    uv run python benchmarks/unrelated.py --songs FOLDER [--font A.sf2 --font B.sf3] [--plot FILE]

Half of the songs stand for works in copyright, beside the built-in melodies, and the other half is
checked against them; then the other way round, so that every song is checked against works that it is
none of. From notes: the likeliest melody of each MIDI file, in passages of 30, 60 and 120 notes and
whole. With sound fonts: excerpts rendered as finished tracks (`render`), read and listened to. Prints
in how many the best protected work had an E-value below x, and in how many that should be.

Songs that are one another cannot be known here: `--but` names those to leave out. With `--rows FILE`
every check is written down as it is made, and a run that was cut short goes on from there.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from builtin import builtin_library
from calibrate import as_promised, interval
from numpy.random import Generator
from render import RATE, mp3_bytes, render
from rich.progress import track

from melodysim.library import Library
from melodysim.matching import find_matches
from melodysim.melody import Melody, Piece
from melodysim.reading import read

LENGTHS = (30, 60, 120)
"""Notes of the passages that a song is cut into."""
LEVELS = (1, 0.3, 0.1, 0.03, 0.01, 0.005, 0.001, 0.0001)
NONE = 1e6
"""E-value where no protected work is followed at all."""


def passages_of(song: Path) -> Iterator[tuple[str, Piece]]:
    """Cut the likeliest melody of a file into passages, and give it whole."""
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
    """Check one song in parts: the best protected work of each."""
    opened = Library(library)
    parts = excerpts_of(song, fonts, count, seconds) if fonts else passages_of(song)
    rows = []
    for k, (what, piece) in enumerate(parts):
        row = {"song": song.stem, "part": k, "what": what, "e_value": NONE, "reference": ""}
        if piece.melodies:
            found = [m for m in find_matches(piece, opened, 1) if m.reference.rights.protected]
            for match in found[:1]:
                row |= {"e_value": match.e_value, "reference": match.reference.title}
        rows.append(row)
    return rows


def all_rows(args: argparse.Namespace, work: Path) -> list[dict]:
    """Check every song against the half that it is not of."""
    songs = sorted(p for p in args.songs.glob("*.mid") if "-" not in p.stem)
    rows = []
    if args.rows and args.rows.exists():
        rows = [json.loads(line) for line in args.rows.read_text().splitlines()]
    done = {row["song"] for row in rows}
    parts = (repeat(args.font), repeat(args.excerpts), repeat(args.seconds))
    for half in (0, 1):
        library = work / f"half-{half}.db"
        with builtin_library(library, songs[half::2]) as opened:
            print(f"half {half}: {len(opened)} references")
        queries = [song for song in songs[1 - half :: 2] if song.stem not in done]
        order = Generator(np.random.PCG64(half)).permutation(len(queries))
        queries = [queries[k] for k in order]  # so that what a cut run has done is a fair sample
        # Spawned: a forked copy of a process with threads may hang.
        with ProcessPoolExecutor(args.jobs, mp_context=get_context("spawn")) as pool:
            results = pool.map(checked, queries, repeat(library), *parts)
            for found in track(results, f"half {half}", len(queries)):
                rows += found
                if args.rows:
                    with args.rows.open("a") as file:
                        file.writelines(json.dumps(row) + "\n" for row in found)
    return rows


def draw(path: Path, groups: dict[str, np.ndarray]) -> None:
    """Draw how often each E-value was reached against what it promises."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    levels = np.logspace(-4, 0.5, 19)
    axes.plot(levels, -np.expm1(-levels), "k--", label="promised")
    for name, e_values in groups.items():
        shares = np.array([(e_values < x).mean() for x in levels])
        bounds = np.array([interval(int((e_values < x).sum()), len(e_values)) for x in levels])
        (line,) = axes.plot(levels, np.where(shares > 0, shares, np.nan), "o-", ms=3, label=name)
        axes.fill_between(levels, *np.maximum(bounds, 1e-6).T, alpha=0.12, color=line.get_color())
    axes.set(xscale="log", yscale="log", xlabel="E-value below", ylabel="share of unrelated tracks")
    axes.set(ylim=(5e-5, 1.2))
    axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--songs", type=Path, required=True, help="folder of MIDI files")
    parser.add_argument("--font", type=Path, action="append", default=[], help="render with these")
    parser.add_argument("--excerpts", type=int, default=8, help="of each song, where it is rendered")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each excerpt")
    parser.add_argument("--but", nargs="*", default=[], help="songs that are other songs: left out")
    parser.add_argument("--rows", type=Path, help="write every check here (JSON lines), or go on")
    parser.add_argument("--work", type=Path, help="folder for the two libraries, kept")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--plot", type=Path, help="PNG to write")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = all_rows(args, args.work or Path(folder))
    rows = [row for row in rows if row["song"] not in args.but]
    groups: dict[str, list[float]] = {}
    for row in rows:
        groups.setdefault(row["what"], []).append(row["e_value"])
        groups.setdefault("all", []).append(row["e_value"])
    groups = {name: groups[name] for name in sorted(groups, key=lambda n: (n == "all", n))}
    for name, values in groups.items():
        print(f"{name}: {len(values)} checks\n  E below   promised   observed (95 % interval)")
        print("\n".join(as_promised(np.array(values), level) for level in LEVELS))
    for row in sorted(rows, key=lambda row: row["e_value"])[:12]:
        print(f"  {row['e_value']:.2g}  {row['song']} {row['what']}: {row['reference']}")
    if args.plot:
        draw(args.plot, {name: np.array(values) for name, values in groups.items()})


if __name__ == "__main__":
    main()
