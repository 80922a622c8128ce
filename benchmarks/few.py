"""Whether E-values among few protected works come true.

    few.py WORKS [WORKS …] --library FILE [--sizes 15,30,60,95] [--strangers N] [--notes N]

WORKS are files of melodies or folders of them, as `melodysim library import` takes them. For each size
so many are drawn at random and put, in copyright, into a copy of the library; the others are strangers
to them. The best protected work that each stranger follows has an E-value; the table says how many of
these were below each level with the typical values alone, and with what the library's own works show.
Of unrelated tracks that should be 1 - exp(-E). `--notes` cuts strangers to their first notes.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
from rich.progress import track as progress

from melodysim.library import Library, Reference, Shelf, Store
from melodysim.library.chance import typical_chance
from melodysim.library.importers import import_paths
from melodysim.library.rights import Rights
from melodysim.melody import Melody, Piece
from melodysim.search.own_works import with_chance
from melodysim.search.pipeline import best_of_others

LEVELS = (0.1, 0.03, 0.01, 0.005, 0.001)


def works_of(places: list[Path]) -> list[Reference]:
    """Read the melodies of files and folders."""
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "all.db", create=True) as store:
        import_paths(store, places, Rights("in-copyright"))
        entries = store.entries()
        return [Reference(entry, store.melody(entry.id)) for entry in entries]


def library_of(path: Path, base: Path, works: list[Reference]) -> None:
    """Put works into a copy of a library."""
    shutil.copy(base, path)
    with Store(path, writable=True) as store, store.transaction():
        for number, work in enumerate(works):
            store.put([work], f"few/{number}", str(number))


@lru_cache(maxsize=1)
def opened(path: str) -> Shelf:
    """Open a library, and measure chance in it."""
    return with_chance(Library(path))


def standing(path: str, melody: Melody) -> float | None:
    """Return how far the best protected work stands that a melody follows."""
    piece = Piece("stranger", "notes", (melody,), melody.end)
    return best_of_others(piece, opened(path), lambda _: True)


def first_notes(melody: Melody, notes: int | None) -> Melody:
    """Cut a melody to its first notes."""
    cut = slice(notes)
    return Melody.from_notes(melody.onset[cut], melody.duration[cut], melody.pitch[cut])


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("works", nargs="+", type=Path)
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--sizes", default="15,30,60,95")
    parser.add_argument("--strangers", type=int, default=150)
    parser.add_argument("--notes", type=int)
    given = parser.parse_args()
    works = works_of(given.works)
    print(f"{len(works):,} works; promised " + " ".join(f"{-np.expm1(-e):.3f}" for e in LEVELS))
    for size in map(int, given.sizes.split(",")):
        order = np.random.default_rng(size).permutation(len(works))
        with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor() as pool:
            path = str(Path(folder) / "library.db")
            library_of(Path(path), given.library, [works[k] for k in order[:size]])
            chance = opened(path).chances[1]
            others = [works[k].melody for k in order[size : size + given.strangers]]
            asked = [first_notes(melody, given.notes) for melody in others]
            jobs = pool.map(standing, [path] * len(asked), asked, chunksize=8)
            found = [s for s in progress(jobs, f"{size} works", len(asked)) if s is not None]
            free = opened(path).comparisons[0]
        for name, by in (("typical", typical_chance(size, free)), ("measured", chance)):
            e_value = np.exp(by.log_e(np.array(found)))
            shares = " ".join(f"{(e_value < level).mean():.3f}" for level in LEVELS)
            print(f"{size:4} works, {name:<8} ({by.mode:.2f}, {by.scale:.2f}): {shares}")


if __name__ == "__main__":
    main()
