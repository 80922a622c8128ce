"""Measure the import of a folder of MIDI files and of the built-in melodies, by file and by stage.

    uv run --with mido --with pretty_midi --with resampy python benchmarks/importing.py --songs DIR

Reading alone is measured side by side with mido and pretty_midi, on the same files in the same run.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from melodysim.library import Library
from melodysim.library.importers import import_builtin, import_paths
from melodysim.library.importers.jobs import file_jobs, read_job
from melodysim.library.rights import Rights
from melodysim.library.store import Store
from melodysim.readers.midi import read_midi

FEW = 60


def median_ms(run: Callable[[Path], object], paths: list[Path]) -> float:
    """Median milliseconds a file."""
    taken = []
    for path in paths:
        began = time.perf_counter()
        run(path)
        taken.append(time.perf_counter() - began)
    return float(np.median(taken)) * 1000


def readers(paths: list[Path]) -> None:
    """Compare readers, without looking for melodies."""
    print("reading one file, median:")
    mine = median_ms(lambda path: read_midi(path, path.read_bytes()), paths)
    print(f"  melodysim                     {mine:8.2f} ms")
    try:
        import mido

        print(f"  mido                          {median_ms(mido.MidiFile, paths[:FEW]):8.2f} ms")
        import pretty_midi

        load = lambda path: pretty_midi.PrettyMIDI(str(path))  # noqa: E731
        print(f"  pretty_midi                   {median_ms(load, paths[:FEW]):8.2f} ms")
    except ImportError as error:
        print(f"  (the others are left out: {error})")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--songs", type=Path, required=True, help="a folder of MIDI files")
    parser.add_argument("--files", type=int, default=600)
    args = parser.parse_args()
    paths = sorted(args.songs.glob("*.mid"))[: args.files]
    readers(paths)
    jobs = [job for path in paths for job in file_jobs(path, Rights(), None, None)]
    read_job(jobs[0], frozenset())
    began = time.perf_counter()
    for job in jobs:
        read_job(job, frozenset())
    reading = time.perf_counter() - began
    print(f"reading and finding the melody, one core: {reading / len(jobs) * 1000:.2f} ms a file")
    with tempfile.TemporaryDirectory() as folder:
        for name, fill in (
            (f"{len(paths)} MIDI files", lambda store: import_paths(store, paths, Rights())),
            ("the built-in melodies", import_builtin),
        ):
            path = Path(folder) / f"{len(name)}.db"
            with Store(path, create=True) as store:
                began = time.perf_counter()
                done = fill(store)
                imported = time.perf_counter()
            Library(path)
            packed = time.perf_counter()
            with Store(path, writable=True) as store:
                again = time.perf_counter()
                fill(store)
                unchanged = time.perf_counter() - again
            count = done.imported
            print(
                f"{name}: {count:,} melodies in {imported - began:.1f} s "
                f"({(imported - began) / count * 1000:.2f} ms a melody, all cores), packed in "
                f"{packed - imported:.1f} s ({(packed - imported) / count * 1000:.2f} ms a melody); "
                f"again, nothing changed: {unchanged:.1f} s"
            )


if __name__ == "__main__":
    main()
