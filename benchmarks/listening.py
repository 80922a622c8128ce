"""Measure listening to a recording, in full and at first look, with every set of kernels side by side.

    uv run python benchmarks/listening.py [--library FILE] [--references 1500] [--rounds 5]

A minute of made-up salience against built-in melodies, or those of another library, on one core. A cell
is one note of a reference at one time, in one transposition and at one tempo. What a second of
recording costs a melody of 72 notes says more, as the first look has fewer cells. Rounds are
interleaved; medians are printed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from builtin import builtin_library

from melodysim import kernels
from melodysim.align import first_look, salience_dtw
from melodysim.align.salience_evidence import COARSE, REFERENCE_ROW, prepare_evidence
from melodysim.kernels import fallback
from melodysim.library import Library
from melodysim.melody import SemitoneSalience

SECONDS, NOTES = 60, 72


class Held:
    """The compiled kernels, held to one instruction set."""

    def __init__(self, name: str) -> None:
        self.name = name

    def listen_many(self, *arrays: object) -> None:
        """Listen in full."""
        kernels.compiled().listen_many(*arrays, self.name)  # type: ignore[union-attr]

    def first_look(self, *arrays: object) -> None:
        """Look at first."""
        kernels.compiled().first_look(*arrays, self.name)  # type: ignore[union-attr]


def made_up(rng: np.random.Generator) -> SemitoneSalience:
    """Salience of a minute in which some pitch or other sounds."""
    steps = round(SECONDS / REFERENCE_ROW)
    strength = rng.random((steps, 88)).astype(np.float32) ** 6
    return SemitoneSalience(strength, strength, REFERENCE_ROW)


def with_kernels(module: object, used: object, work: Callable[[], object]) -> float:
    """Run with a set of kernels; return the seconds."""
    module.kernels, before = lambda: used, module.kernels  # type: ignore[attr-defined]
    try:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began
    finally:
        module.kernels = before  # type: ignore[attr-defined]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", type=Path)
    parser.add_argument("--references", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with builtin_library(args.library) as library:
        measure(library, args.references, args.rounds)


def measure(library: Library, references: int, rounds: int) -> None:
    """Measure and print, against some references of a library."""
    rng, index = np.random.default_rng(0), library.index
    chosen = np.sort(rng.choice(len(index), min(references, len(index)), replace=False))
    corpus, heard = index.corpus(chosen), made_up(rng)
    evidence, glimpses = prepare_evidence(heard, resolution=COARSE), first_look.glimpses_of(heard)
    symbols, every = first_look.symbols_of(corpus), np.arange(len(corpus))
    notes = int(corpus.lengths.sum())
    steps = round(SECONDS / (REFERENCE_ROW * first_look.ROUGH.rows_per_step))
    kinds = {
        "in full, roughly": (
            salience_dtw,
            lambda: salience_dtw.scan_heard(corpus, evidence, every),
            12 * notes * len(evidence.sounds) * len(COARSE.median_notes),
        ),
        "first look": (
            first_look,
            lambda: first_look.first_look(symbols, corpus.start, glimpses),
            12 * notes * steps * len(first_look.ROUGH.median_notes),
        ),
    }
    native = kernels.compiled()
    sets = [
        name for name in ("avx512", "avx2", "sse4.1", "neon") if native and native.instruction_set(name)
    ]
    contenders = {**{name: Held(name) for name in sets}, "numba": fallback}
    taken: dict[tuple[str, str], list[float]] = {}
    for number in range(rounds + 1):
        for kind, (module, work, _) in kinds.items():
            for name, used in contenders.items():
                spent = with_kernels(module, used, work)
                if number:  # the first round compiles and warms
                    taken.setdefault((kind, name), []).append(spent)
    print(f"{notes:,} notes of {len(corpus):,} melodies, {SECONDS} s of recording, one core")
    print(f"{'':<18}{'':<10}{'G cells/s':>10}{'ns a melody of 72 notes and second':>38}")
    for (kind, name), seconds in taken.items():
        median = float(np.median(seconds))
        each = median / notes * NOTES / SECONDS * 1e9
        print(f"{kind:<18}{name:<10}{kinds[kind][2] / median / 1e9:>10.2f}{each:>38,.0f}")


if __name__ == "__main__":
    main()
