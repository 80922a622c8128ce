"""Measure a query against libraries of ten thousand, a hundred thousand and a million melodies.

    uv run python benchmarks/sizes.py --songs DIR [--folder DIR] [--queries 40] [--plot FILE]

Melodies come from an order-3 model of the likeliest melodies of DIR's MIDI files, 24 to 120 notes each.
A query is 300 notes of the same kind, 20 of which are a passage of one of the references, transposed,
at another tempo, with a share of its notes changed. Exhaustive search is compared with seeds, each from
the query's notes to ranked matches: what it takes on one core and on two, and of what exhaustive puts
first, how much seeds put first too. Libraries are made in a folder, and kept if it is named.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from invented import Model
from passages import passage

from melodysim.library import Entry, Library, Reference, Store
from melodysim.library.rights import Rights
from melodysim.melody import Melody, Piece
from melodysim.search.pipeline import find_matches

SIZES = (10_000, 100_000, 1_000_000)
QUERY_NOTES, PLANTED_NOTES = 300, 20
CHANGED = (0.0, 0.1, 0.2, 0.3)
_BATCH = 10_000


def make_library(path: Path, model: Model, count: int) -> tuple[float, float]:
    """Make a library of invented melodies; gives the seconds to store and to pack them."""
    began = time.perf_counter()
    batch: list[Reference] = []
    with Store(path, create=True) as store:
        for number, melody in enumerate(model.melodies(count, seed=count)):
            # Half of them protected, so that either kind has a background.
            rights = Rights("unknown" if number % 2 else "public-domain")
            name = f"song-{number:07d}"
            batch.append(Reference(Entry(name, name, None, "", rights), melody))
            if len(batch) == _BATCH or number == count - 1:
                with store.transaction():
                    store.put(batch, f"batch-{number}", str(number))
                batch = []
    stored = time.perf_counter()
    Library(path)
    return stored - began, time.perf_counter() - stored


def joined(melodies: list[Melody], notes: int) -> Melody:
    """Put melodies one after the other, and cut what is too long."""
    onsets, at = [], 0.0
    for melody in melodies:
        onsets.append(melody.onset - melody.onset[0] + at)
        at = float(onsets[-1][-1] + melody.duration[-1])
    duration = np.concatenate([m.duration for m in melodies])[:notes]
    pitch = np.concatenate([m.pitch for m in melodies])[:notes]
    return Melody.from_notes(np.concatenate(onsets)[:notes], duration, pitch)


def queries(
    library: Library, hosts: list[Melody], changed: float, count: int
) -> list[tuple[str, Piece]]:
    """Make queries, each with the reference that a passage of it is from."""
    rng = np.random.default_rng(round(changed * 100) + 1)
    long = np.flatnonzero(library.index.lengths > PLANTED_NOTES)
    made = []
    for _ in range(count):
        name = library.index.name(int(rng.choice(long)))
        planted, _ = passage(library.melody(name), PLANTED_NOTES, changed, rng)
        around = [hosts[k] for k in rng.choice(len(hosts), 12)]
        whole = joined([*around[:2], planted, *around[2:]], QUERY_NOTES)
        made.append((name, Piece("query", "notes", (whole,), whole.end)))
    return made


def search(library: Library, piece: Piece, seeded: bool, threads: int = 1) -> tuple[str, float]:
    """Check; gives the first reference and the seconds that it took."""
    library.index.exhaustive = 0 if seeded else len(library)
    began = time.perf_counter()
    found = find_matches(piece, library.shelf, 1, threads)
    return found[0].reference.id, time.perf_counter() - began


def memory_of(path: Path, seeded: bool) -> float:
    """Megabytes that a process of its own takes for opening a library and one check."""
    code = f"import sizes; sizes.one_check({str(path)!r}, {seeded})"
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=here, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def one_check(path: str, seeded: bool) -> None:
    """Open, check once, and print the highest memory, in megabytes."""
    library = Library(path)
    rng = np.random.default_rng(0)
    picked = [library.melody(library.index.name(int(k))) for k in rng.integers(0, len(library), 9)]
    melody = joined(picked, QUERY_NOTES)
    search(library, Piece("query", "notes", (melody,), melody.end), seeded, 2)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)


def opening(path: Path, rounds: int) -> float:
    """Median seconds that opening takes."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        Library(path)
        taken.append(time.perf_counter() - began)
    return float(np.median(taken))


def disk(path: Path) -> tuple[float, float]:
    """Gigabytes of the database and of the packed parts."""
    parts = sum(p.stat().st_size for p in path.with_name(path.name + ".index").iterdir())
    return path.stat().st_size / 1e9, parts / 1e9


def measure(path: Path, model: Model, wanted: int, rounds: int) -> dict[str, list[float]]:
    """Measure one library and print; gives the medians for the plot."""
    library = Library(path)
    hosts = list(model.melodies(200, seed=7))
    base, parts = disk(path)
    print(
        f"{len(library):,} melodies, {int(library.index.lengths.sum()):,} notes: opens in "
        f"{opening(path, rounds):.3f} s; database {base:.2f} GB, packed {parts:.2f} GB; highest memory "
        f"{memory_of(path, False):,.0f} MB exhaustive, {memory_of(path, True):,.0f} MB with seeds"
    )
    timed = queries(library, hosts, 0.1, rounds)
    taken: dict[str, list[float]] = {}
    for _, piece in timed:  # interleaved
        for seeded in (False, True):
            for threads in (1, 2):
                name = f"{'seeds' if seeded else 'exhaustive'}, {threads} core{'s' * (threads > 1)}"
                search(library, piece, seeded, threads)  # pages and caches warm
                taken.setdefault(name, []).append(search(library, piece, seeded, threads)[1])
    for name, seconds in taken.items():
        print(f"  {name:<22} {np.median(seconds) * 1000:>7.0f} ms")
    for changed in CHANGED:
        right = kept = seeds_right = 0
        for name, piece in queries(library, hosts, changed, wanted):
            first, _ = search(library, piece, False, 2)
            again, _ = search(library, piece, True, 2)
            right += first == name
            seeds_right += again == name
            kept += first == again
        print(
            f"  {changed:.0%} changed: exhaustive first {right / wanted:.2f}, seeds first "
            f"{seeds_right / wanted:.2f}; kept of what exhaustive puts first {kept / wanted:.2f}",
            flush=True,
        )
    return taken


def by_length(path: Path, model: Model, rounds: int) -> dict[str, list[float]]:
    """Measure queries of different lengths against one library, on one core."""
    library = Library(path)
    pool = list(model.melodies(40, seed=5))
    lengths = (20, 40, 80, 160, 320, 640)
    result: dict[str, list[float]] = {"exhaustive": [], "seeds": []}
    for notes in lengths:
        taken: dict[str, list[float]] = {"exhaustive": [], "seeds": []}
        for k in range(rounds):
            melody = joined(pool[k:] + pool[:k], notes)
            piece = Piece("query", "notes", (melody,), melody.end)
            for name, seconds in taken.items():
                search(library, piece, name == "seeds")
                seconds.append(search(library, piece, name == "seeds")[1])
        for name, seconds in taken.items():
            result[name].append(float(np.median(seconds)))
    print(f"by length of the query, {len(library):,} melodies, one core, ms:")
    print("  notes      " + "".join(f"{n:>8}" for n in lengths))
    for name, seconds in result.items():
        print(f"  {name:<11}" + "".join(f"{s * 1000:>8.0f}" for s in seconds))
    return {"notes": [float(n) for n in lengths], **result}


def draw(sizes: list[int], by_size: list[dict[str, list[float]]], lengths: dict, output: Path) -> None:
    """Draw both ways of growing, log-log."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    figure = Figure(figsize=(9, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name in by_size[0]:
        left.plot(sizes, [np.median(row[name]) for row in by_size], "o-", label=name)
    left.set(xlabel="melodies", ylabel="seconds", title="a query of 300 notes")
    for name in ("exhaustive", "seeds"):
        right.plot(lengths["notes"], lengths[name], "o-", label=f"{name}, 1 core")
    right.set(xlabel="notes of the query", title="against 100,000 melodies")
    for axes in (left, right):
        axes.set(xscale="log", yscale="log")
        axes.xaxis.set_minor_formatter(NullFormatter())
    right.set_xticks(lengths["notes"], [f"{n:.0f}" for n in lengths["notes"]])
    for axes in (left, right):
        axes.grid(True, which="both", alpha=0.25)
        axes.legend(frameon=False)
    figure.savefig(output)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--songs", type=Path, required=True, help="MIDI files to fit the model on")
    parser.add_argument("--folder", type=Path, help="where the libraries are, or are made and kept")
    parser.add_argument("--sizes", type=int, nargs="*", default=list(SIZES))
    parser.add_argument("--queries", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--plot", type=Path, help="draw growth as SVG or PNG")
    args = parser.parse_args()
    model = Model(args.songs)
    with tempfile.TemporaryDirectory() as made:
        folder = args.folder or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        by_size = []
        for size in args.sizes:
            path = folder / f"invented-{size}.db"
            if not path.exists():
                stored, packed = make_library(path, model, size)
                print(f"made {size:,}: {stored:.0f} s to store, {packed:.0f} s to pack")
            by_size.append(measure(path, model, args.queries, args.rounds))
        middle = folder / f"invented-{min(args.sizes, key=lambda n: abs(n - 100_000))}.db"
        lengths = by_length(middle, model, args.rounds)
        if args.plot:
            draw(args.sizes, by_size, lengths, args.plot)


if __name__ == "__main__":
    main()
