"""Measure where a whole `melodysim check` goes, from process start to exit.

    uv run python benchmarks/starting.py TRACK… [--library FILE] [--rounds 5]

Each track is checked by the command line as often as asked, interleaved, with everything warm on disk.
Then it is checked once more in this process, with clocks on the stages; what a stage takes within
another is not counted there.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
from builtin import builtin_library

STAGES = (
    ("transcribe.transcription", "transcribe_recording", "decoding, and lines in what was heard"),
    ("transcribe.separator", "voice_mask", "networks: the voice apart"),
    ("transcribe.salience", "polyphonic_salience", "networks: notes"),
    ("transcribe.salience", "voice_salience", "networks: the voice's pitch"),
    ("readers.read", "_read_symbolic", "reading notes"),
    ("library.packed.shard", "scan", "first pass"),
    ("search.by_notes", "align_scores", "second pass"),
    ("search.standing", "align_scores", "second pass"),
    ("library.packed.shard", "first_look", "first look"),
    ("search.by_salience", "scan_blocks", "listening in full, by pitch class"),
    ("search.by_salience", "scan_octaves", "listening in full, by pitch"),
    ("search.match_details", "scan_blocks", "tracing what was heard"),
    ("search.match_details", "trace_heard", "tracing what was heard"),
    ("search.likeness.listener", "scan_blocks", "comparing with recordings"),
    ("search.likeness.listener", "scores_by_pitch", "comparing with recordings"),
    ("search.likeness.listener", "align_scores", "comparing with recordings"),
    ("search.pipeline", "rarest_turn", "rarest turns"),
    ("search.pipeline", "places_in_melody", "refrains"),
    ("search.pipeline", "places_in_recording", "refrains"),
)
"""Module that calls a function by a name of its own, the function, and what it does."""


def clocked(
    spent: dict[str, float], within: list[str], name: str, function: Callable[..., Any]
) -> Callable[..., Any]:
    """Add up the seconds that a function takes, less those of others within it."""

    @wraps(function)
    def run(*args: Any, **options: Any) -> Any:
        within.append(name)
        began = time.perf_counter()
        try:
            return function(*args, **options)
        finally:
            taken = time.perf_counter() - began
            within.pop()
            spent[name] = spent.get(name, 0.0) + taken
            if within:
                spent[within[-1]] = spent.get(within[-1], 0.0) - taken

    return run


def stages(track: Path, library: Path) -> dict[str, float]:
    """Check in this process; gives seconds by stage."""
    import importlib

    import melodysim.checking
    import melodysim.readers.read
    from melodysim.library import Library

    spent: dict[str, float] = {}
    kept: list[tuple[Any, str, Any]] = []
    within: list[str] = []
    for module_name, function, name in STAGES:
        module = importlib.import_module(f"melodysim.{module_name}")
        original = getattr(module, function)
        kept.append((module, function, original))
        setattr(module, function, clocked(spent, within, name, original))
    began = time.perf_counter()
    opened = Library(library)
    spent["opening the library"] = time.perf_counter() - began
    piece = melodysim.readers.read.read(track, os.cpu_count() or 1)
    melodysim.checking.check(piece, opened, threads=os.cpu_count() or 1)
    whole = time.perf_counter() - began
    spent["everything else"] = whole - sum(spent.values())
    for module, function, original in kept:
        setattr(module, function, original)
    return spent | {"in all, without starting": whole}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tracks", type=Path, nargs="+")
    parser.add_argument("--library", type=Path, help="by default, one of the built-in melodies is made")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with builtin_library(args.library) as library:
        command = [sys.executable, "-c", "from melodysim.cli import main; main()", "check"]
        options = ["--library", str(library.path), "--format", "json"]
        taken: dict[Path, list[float]] = {track: [] for track in args.tracks}
        for round_number in range(args.rounds + 1):
            for track in args.tracks:
                began = time.perf_counter()
                subprocess.run([*command, str(track), *options], capture_output=True, check=False)
                if round_number:  # the first one warms up
                    taken[track].append(time.perf_counter() - began)
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import numpy"], check=True)
        print(f"python and numpy alone: {time.perf_counter() - began:.2f} s")
        for track, seconds in taken.items():
            print(
                f"{track.name}: {np.median(seconds):.2f} s from start to exit, median of {len(seconds)}"
            )
            found = stages(track, library.path)
            for name, spent in found.items():
                print(f"  {name:<40}{spent:>8.3f} s")
            networks = sum(spent for name, spent in found.items() if name.startswith("networks"))
            if networks:
                print(
                    f"  start to exit, of what the networks take {np.median(seconds) / networks:>9.2f}"
                )


if __name__ == "__main__":
    main()
