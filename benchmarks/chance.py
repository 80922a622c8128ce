"""How often checks that copy nothing reach an E-value, by the size of the library and kind of track.

    uv run python benchmarks/chance.py [--works 500 2000 6000] [--checks 400] [--plot FILE]

Needs nothing but the built-in tunes. Songs of the Essen collection, all but its Irish and Scottish
ones, stand for works in copyright. What is checked are Irish, Scottish and American fiddle tunes:
whole tunes, passages of 16 notes, five tunes one after the other, and three tunes as the parts of one
piece. Chance is measured as in any library, on its own works (`search.own_works`). Prints in how many
checks E was below x, and in how many that should be, and draws it.

Tunes travel: some of the smallest E-values are the same tune in two countries, and are printed.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from builtin import builtin_library
from promised import as_promised, draw_promised, interval
from rich.progress import track

from melodysim.library import Library, Reference
from melodysim.library.rights import Rights
from melodysim.library.store import Store
from melodysim.melody import Melody, Piece
from melodysim.search.own_works import with_chance
from melodysim.search.pipeline import find_matches

LEVELS = (1, 0.3, 0.1, 0.03, 0.01, 0.005, 0.001)
WORKS, NOT_THESE = "essenFolksong/", ("essenFolksong/irl", "essenFolksong/folkHaydn")
SHORT, LONG, PARTS = 16, 5, 3
"""Notes of a passage; tunes that make a long track; tunes that are parts of one piece."""


def joined(tunes: list[Melody]) -> Melody:
    """Put tunes one after the other, a second apart."""
    begins = np.cumsum([0.0, *(tune.end + 1 for tune in tunes[:-1])])
    return Melody.from_notes(
        np.concatenate([tune.onset + begin for tune, begin in zip(tunes, begins, strict=True)]),
        np.concatenate([tune.duration for tune in tunes]),
        np.concatenate([tune.pitch for tune in tunes]),
    )


def checks_of(tunes: list[Melody], count: int) -> Iterator[tuple[str, Piece]]:
    """Make so many checks of each kind of some tunes."""

    def piece(*melodies: Melody) -> Piece:
        return Piece("track", "notes", melodies, max(melody.end for melody in melodies))

    for k in range(count):
        some = [tunes[(k * LONG + j) % len(tunes)] for j in range(LONG)]
        yield "whole tunes", piece(some[0])
        first = len(some[1]) // 3
        if len(some[1]) >= first + SHORT:
            yield f"passages of {SHORT} notes", piece(some[1][slice(first, first + SHORT)])
        yield f"{LONG} tunes on end", piece(joined(some))
        yield f"{PARTS} parts", piece(*some[:PARTS])


def make_library(path: Path, works: list[Reference]) -> None:
    """Make a library of works in copyright, and measure chance in it."""
    with Store(path, create=True) as store, store.transaction():
        for work in works:
            source = work.entry.id
            entry = type(work.entry)(
                source, work.entry.title, work.entry.creator, source, Rights("in-copyright")
            )
            store.put([Reference(entry, work.melody)], source, source)
    with_chance(Library(path), threads=2)


def smallest_e_value(path: Path, check: tuple[str, Piece]) -> tuple[str, float, str]:
    """Check one track: its kind, the smallest E-value, and of which work."""
    kind, piece = check
    found = find_matches(piece, opened(path).shelf, 1)
    return (kind, found[0].e_value, found[0].reference.title) if found else (kind, 1e6, "")


_open: dict[Path, Library] = {}


def opened(path: Path) -> Library:
    """Open a library once in each process."""
    if path not in _open:
        _open[path] = Library(path)
    return _open[path]


def draw(path: Path, groups: dict[str, np.ndarray]) -> None:
    """Draw how often each E-value was reached against what it promises."""
    levels = np.logspace(-3, 0.3, 15)
    drawn = {}
    for name, e_value in groups.items():
        below = (e_value[:, None] < levels).sum(axis=0)
        bounds = np.array([interval(int(count), len(e_value)) for count in below]).T
        drawn[f"{name} ({len(e_value):,} checks)"] = below / len(e_value), bounds
    draw_promised(path, levels, drawn, 5e-4)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--works", type=int, nargs="+", default=[500, 2000, 6000])
    parser.add_argument("--checks", type=int, default=400, help="of each kind, for each size")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--plot", type=Path, help="PNG to write")
    args = parser.parse_args()
    rng = np.random.default_rng(7)
    groups: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as folder:
        with builtin_library(Path(folder) / "builtin.db") as all_of:
            names = all_of.index.names
            works = [
                name for name in names if name.startswith(WORKS) and not name.startswith(NOT_THESE)
            ]
            others = [name for name in names if not name.startswith(WORKS)]
            rng.shuffle(works)
            rng.shuffle(others)
            found = all_of.shelf.look_up(works[: max(args.works)])
            references = [found[name] for name in works[: max(args.works)]]
            wanted = others[: args.checks * LONG]
            queries = all_of.shelf.look_up(wanted)
            tunes = [queries[name].melody for name in wanted if len(queries[name].melody) >= SHORT]
        checks = list(checks_of(tunes, args.checks))
        for size in args.works:
            path = Path(folder) / f"{size}.db"
            make_library(path, references[:size])
            print(f"{size:,} works: {Library(path).shelf.chances[1]}")
            with ProcessPoolExecutor(args.jobs, mp_context=get_context("spawn")) as pool:
                rows = list(
                    track(
                        pool.map(partial(smallest_e_value, path), checks, chunksize=8),
                        f"checking against {size:,}",
                        len(checks),
                    )
                )
            for kind in sorted({row[0] for row in rows}):
                e_value = np.array([row[1] for row in rows if row[0] == kind])
                print(f"  {kind}: {len(e_value)} checks")
                for level in LEVELS:
                    print(as_promised(e_value, level))
            for kind, value, title in sorted(rows, key=lambda row: row[1])[:5]:
                print(f"    smallest: {value:.2g} {kind}: {title}")
            groups[f"{size:,} works"] = np.array([row[1] for row in rows])
    if args.plot:
        draw(args.plot, groups)


if __name__ == "__main__":
    main()
