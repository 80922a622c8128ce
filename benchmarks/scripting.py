"""Measure what a script inside a DAW waits for: the import, the first check, later checks.

    uv run python benchmarks/scripting.py [--library FILE] [--rounds 9]

Each round is a process of its own. Sixteen bars are 64 notes of a melody of the library, changed here
and there; the peer is bare Python with numpy, which is all that a check of notes imports.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from builtin import builtin_library

NOTES = 64
ASKED = """
import json, sys, time
import numpy
began = time.perf_counter()
import melodysim
imported = time.perf_counter()
path, onsets, durations, pitches = json.loads(sys.argv[1])
melodysim.check_notes(onsets, durations, pitches, library=path)
first = time.perf_counter()
library = melodysim.Library.open(path)
later = []
for _ in range(7):
    start = time.perf_counter()
    library.check(melodysim.melody_of(onsets, durations, pitches))
    later.append(time.perf_counter() - start)
print(json.dumps([imported - began, first - began, sorted(later)[3]]))
"""
BARE = "import time; a = time.perf_counter(); import numpy; print(time.perf_counter() - a)"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", type=Path, help="a library that holds the built-in melodies")
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    with builtin_library(args.library) as library:
        long = int(np.argmax(library.index.lengths >= NOTES))
        melody = library.melody(library.index.name(long))
        pitch = melody.pitch[:NOTES].astype(float) + (np.arange(NOTES) % 9 == 4)
        given = [library.path.as_posix(), melody.onset[:NOTES].tolist()]
        given += [melody.duration[:NOTES].tolist(), pitch.tolist()]
        rows, bare = [], []
        for _ in range(args.rounds):
            command = [sys.executable, "-c", ASKED, json.dumps(given)]
            rows.append(json.loads(subprocess.run(command, capture_output=True, check=True).stdout))
            done = subprocess.run([sys.executable, "-c", BARE], capture_output=True, check=True)
            bare.append(float(done.stdout))
        imported, first, later = np.median(rows, axis=0) * 1000
        print(f"{NOTES} notes against {len(library):,} melodies, one core, median of {args.rounds}:")
        print(f"  import numpy, for comparison        {np.median(bare) * 1000:6.0f} ms")
        print(f"  import melodysim                    {imported:6.0f} ms")
        print(f"  import and first check_notes        {first:6.0f} ms")
        print(f"  later checks, library open          {later:6.0f} ms")


if __name__ == "__main__":
    main()
