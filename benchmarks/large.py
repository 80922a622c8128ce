"""Recordings against large libraries: what the first look keeps, what a check costs, how it grows.

    uv run --with mido python benchmarks/large.py --songs MIDI_FOLDER --font FONT.sf2 [--font ...] \
        --work FOLDER [--sizes 1000 10000 100000 1000000] [--count 30] [--plot growth.svg] [--json OUT]

Passages of songs are rendered as finished tracks (`render.py`) of half a minute and of three. Libraries
hold the melodies of all songs and melodies made by an order-3 model of them (`invented.py`), all
protected. For each size it is counted how many recordings find their own song first; those that do not
are listened to for every melody (`--exhaustive`), and lost are those that find it then. What was heard
in tracks of three minutes is put together to tracks of up to an hour, and checked against one of the
libraries. Times are from what was heard to ranked matches, on all cores, medians; memory is the highest
of a process that does that alone. Rendered tracks, what was heard in them and libraries are kept in the
work folder and used again.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from invented import Model
from kept import joined
from render import RATE, mp3_bytes, render

from melodysim import Piece, read
from melodysim.library import Library, Shelf
from melodysim.library.entries import Entry, Reference
from melodysim.library.rights import Rights
from melodysim.library.store import Store
from melodysim.search.by_salience import listened_in_full
from melodysim.search.own_works import with_chance
from melodysim.search.pipeline import find_matches

SIZES = (1_000, 10_000, 100_000, 1_000_000)
SECONDS = (30, 180)
LONG = 3
"""Three-minute tracks."""
LENGTHS, AGAINST = (30, 180, 600, 1800, 3600), 10_000
"""Seconds of tracks that are checked against a library of so many melodies."""
BATCH = 10_000


def heard(songs: list[Path], fonts: list[Path], seconds: int, work: Path) -> dict[str, Piece]:
    """Render a track of each song and listen to it, unless that was done before."""
    found = {}
    for song in songs:
        kept = work / f"{song.stem}-{seconds}.pickle"
        if not kept.exists():
            rng = np.random.default_rng([seconds, *song.stem.encode()])
            made = render(song, fonts[int(rng.integers(len(fonts)))], rng, seconds=seconds, kbits=128)
            with tempfile.NamedTemporaryFile(suffix=".mp3") as file:
                file.write(mp3_bytes(made.audio, RATE, 128))
                file.flush()
                began = time.perf_counter()
                piece = read(file.name)
            kept.write_bytes(pickle.dumps((piece, time.perf_counter() - began)))
        piece, _ = pickle.loads(kept.read_bytes())
        if piece.melodies:
            found[song.stem] = piece
    return found


def make_library(path: Path, songs: list[Path], model: Model, size: int) -> None:
    """Make a library of the songs' melodies and invented ones."""
    with Store(path, create=True) as store, store.transaction():
        for song in songs:
            entry = Entry(f"own/{song.stem}", song.stem, None, song.name, Rights("in-copyright"))
            store.put([Reference(entry, read(song).melodies[0])], song.name, song.name)
        batch = []
        for number, melody in enumerate(model.melodies(size - len(songs), seed=7)):
            entry = Entry(f"inv/{number:07d}", f"Song {number}", None, "", Rights("in-copyright"))
            batch.append(Reference(entry, melody))
            if len(batch) == BATCH or number == size - len(songs) - 1:
                store.put(batch, f"batch-{number}", str(number))
                batch = []


def first(piece: Piece, shelf: Shelf, name: str) -> tuple[bool, float]:
    """Check; say whether the song comes first, and the seconds that it took."""
    began = time.perf_counter()
    matches = find_matches(piece, shelf, 1, threads=len(os.sched_getaffinity(0)))
    seconds = time.perf_counter() - began
    return bool(matches) and matches[0].reference.id == f"own/{name}", seconds


def memory_of(path: Path, kept: Path) -> float:
    """Megabytes that a process of its own takes for opening a library and checking what was heard."""
    code = f"import large; large.one_check({str(path)!r}, {str(kept)!r})"
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=here, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def one_check(path: str, kept: str) -> None:
    """Check what was heard, and print the highest memory in megabytes."""
    piece, _ = pickle.loads(Path(kept).read_bytes())
    first(piece, Library(path).shelf, "")
    # Not getrusage: that begins with what the process had that started this one.
    lines = Path("/proc/self/status").read_text().splitlines()
    print(int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1000)


def measured(path: Path, tracks: dict[int, dict[str, Piece]], work: Path) -> dict[str, float]:
    """Check all tracks against one library."""
    library = Library(path)
    shelf = with_chance(library, len(os.sched_getaffinity(0)), lambda *_: None)
    in_full = sum(listened_in_full(shelf))
    taken: dict[int, list[float]] = {seconds: [] for seconds in tracks}
    right = lost = 0
    for seconds, pieces in tracks.items():
        for name, piece in pieces.items():
            shelf.index.everything = False
            found, time_taken = first(piece, shelf, name)
            taken[seconds].append(time_taken)
            if seconds == min(tracks):
                right += found
                if not found and in_full < len(library):
                    shelf.index.everything = True
                    lost += first(piece, shelf, name)[0]
    longest = max(tracks)
    kept = work / f"{next(iter(tracks[longest]))}-{longest}.pickle"
    return {
        "melodies": len(library),
        "in full": in_full,
        "tracks": len(tracks[min(tracks)]),
        "first": right,
        "lost": lost,
        "kept": right / max(right + lost, 1),
        "memory": memory_of(path, kept),
        **{f"{seconds} s": float(np.median(times)) for seconds, times in taken.items()},
    }


def by_length(path: Path, tracks: dict[int, dict[str, Piece]], work: Path) -> list[dict[str, float]]:
    """Check tracks of several lengths against one library."""
    library = Library(path)
    shelf = with_chance(library, len(os.sched_getaffinity(0)), lambda *_: None)
    shortest, longest = (list(tracks[seconds].values()) for seconds in (min(tracks), max(tracks)))
    rows = []
    for seconds in LENGTHS:
        times = max(1, seconds // max(tracks))
        piece = shortest[0] if seconds == min(tracks) else joined((longest * times)[:times])
        kept = work / f"joined-{seconds}.pickle"
        kept.write_bytes(pickle.dumps((piece, 0.0)))
        taken = [first(piece, shelf, "")[1] for _ in range(3 if seconds < 1000 else 1)]
        row = {"length": piece.duration, "seconds": float(np.median(taken))}
        rows.append({**row, "memory": memory_of(path, kept)})
        print(", ".join(f"{key} {value:.4g}" for key, value in rows[-1].items()), flush=True)
    return rows


def draw(rows: list[dict[str, float]], lengths: list[dict[str, float]], output: Path) -> None:
    """Draw seconds and memory against the number of melodies, and against the length of a track."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, 5.4), layout="constrained")
    (above_left, above_right), (below_left, below_right) = figure.subplots(2, 2, sharex="col")
    sizes = [row["melodies"] for row in rows]
    for seconds in SECONDS:
        taken = [row[f"{seconds} s"] for row in rows]
        above_left.plot(sizes, taken, "o-", label=f"a recording of {seconds} s")
    above_left.legend(frameon=False)
    below_left.plot(sizes, [row["memory"] for row in rows], "o-", color="C1")
    minutes = [row["length"] / 60 for row in lengths]
    above_right.plot(minutes, [row["seconds"] for row in lengths], "o-", color="C2")
    above_right.set_title(f"{AGAINST:,} melodies", fontsize="medium")
    below_right.plot(minutes, [row["memory"] for row in lengths], "o-", color="C2")
    above_left.set(ylabel="seconds to find them, 2 cores")
    below_left.set(ylabel="highest memory, MB", xlabel="melodies")
    below_right.set(xlabel="minutes of the recording")
    for axes in (above_left, above_right):
        axes.set(xscale="log", yscale="log")
    for axes in (below_left, below_right):
        axes.set_ylim(bottom=0)
    for axes in (above_left, above_right, below_left, below_right):
        axes.grid(True, which="both", alpha=0.25)
    figure.savefig(output)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--songs", type=Path, required=True, help="MIDI files with a track named melody"
    )
    parser.add_argument("--font", type=Path, action="append", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="*", default=list(SIZES))
    parser.add_argument("--count", type=int, default=30, help="the last of the songs, by name")
    parser.add_argument("--plot", type=Path, help="draw growth as SVG or PNG")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    # Of several arrangements, NAME-1 and so on, one: they are the same work.
    named = {path.stem.split("-")[0]: path for path in sorted(args.songs.glob("*.mid"), reverse=True)}
    every = sorted(named.values())
    songs = every[-args.count :]
    tracks = {
        seconds: heard(
            songs if seconds == min(SECONDS) else songs[:LONG], args.font, seconds, args.work
        )
        for seconds in SECONDS
    }
    model, rows = Model(args.songs), []
    for size in args.sizes:
        path = args.work / f"library-{size}.db"
        if not path.exists():
            make_library(path, every[: size // 2], model, size)
        row = measured(path, tracks, args.work)
        rows.append(row)
        print(", ".join(f"{key} {value:.4g}" for key, value in row.items()), flush=True)
    lengths = by_length(args.work / f"library-{AGAINST}.db", tracks, args.work)
    if args.plot:
        draw(rows, lengths, args.plot)
    if args.json:
        args.json.write_text(json.dumps({"sizes": rows, "lengths": lengths}, indent=1))


if __name__ == "__main__":
    main()
