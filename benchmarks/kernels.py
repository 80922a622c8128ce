"""Measure the first pass, one query against many melodies, side by side with its peers.

    uv run --with pyopal --with scoring-matrices --with parasail --with dtaidistance --with librosa \
        --with tslearn --with biopython python benchmarks/kernels.py [--library FILE] [--rounds 5]

A melody of 300 notes against the built-in melodies, or those of another library, eight times over, so
that no run is over before threads have begun. Cells are notes of the
query times notes of the references, without any padding. pyopal and parasail align intervals as
letters (26 of them), with affine gaps; ours has 37 intervals, ratios of inter-onset intervals and moves
that keep the transposition on top. Peers that would take minutes get fewer references. Rounds are
interleaved; medians are printed.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from builtin import builtin_library

from melodysim import kernels
from melodysim.align import prefilter as scan
from melodysim.intervals import Sequence, normalise
from melodysim.kernels import fallback

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MATCH, MISMATCH = 3, -3
QUERY_NOTES, TIMES = 300, 8
FEW, VERY_FEW = 300, 12


def spelled(interval: np.ndarray) -> str:
    """Intervals as letters, an octave and a semitone up and down; larger ones as the last."""
    return "".join(LETTERS[int(np.clip(step, -13, 12)) + 13] for step in interval)


def antidiagonal(query: np.ndarray, reference: np.ndarray) -> float:
    """Smith-Waterman-Gotoh, a diagonal at a time: the plain way to do it in numpy."""
    n, m = len(query), len(reference)
    score = np.where(query[:, None] == reference[None, :], MATCH, MISMATCH)
    before, earlier = np.zeros(n + 1), np.zeros(n + 1)
    left, up = np.full(n + 1, -1e9), np.full(n + 1, -1e9)
    best = 0.0
    for diagonal in range(2, n + m + 1):
        i = np.arange(max(1, diagonal - m), min(n, diagonal - 1) + 1)
        left_now, up_now, now = np.full(n + 1, -1e9), np.full(n + 1, -1e9), np.zeros(n + 1)
        left_now[i] = np.maximum(before[i] - 6, left[i] - 2)
        up_now[i] = np.maximum(before[i - 1] - 6, up[i - 1] - 2)
        value = earlier[i - 1] + score[i - 1, diagonal - i - 1]
        now[i] = np.maximum(np.maximum(value, 0), np.maximum(left_now[i], up_now[i]))
        best = max(best, float(now[i].max(initial=0)))
        earlier, before, left, up = before, now, left_now, up_now
    return best


def ours(query: Sequence, lanes: scan.Lanes, count: int, used: object, threads: int) -> None:
    """Run our first pass with one set of kernels."""
    before, scan.kernels = scan.kernels, lambda: used  # type: ignore[assignment]
    try:
        scan.scan(query, lanes, count, threads)
    finally:
        scan.kernels = before


class Held:
    """The compiled kernels, held to one instruction set."""

    def __init__(self, name: str) -> None:
        self.name = name

    def scan(self, *arrays: object) -> None:
        """Run the first pass."""
        kernels.compiled().scan(*arrays, self.name)  # type: ignore[union-attr]


Contender = tuple[Callable[[], object], int]
"""What is measured, and the notes of the references that it takes."""


class Field:
    """The references, and fewer of them for peers that would take minutes."""

    def __init__(self, query: Sequence, references: list[np.ndarray]) -> None:
        self.query, self.steps = query, query.interval.astype(np.int64)
        self.text = spelled(query.interval)
        self.all = [r for r in sorted(references, key=len) if len(r)]
        every = [self.all[k] for k in np.linspace(0, len(self.all) - 1, FEW).astype(int)]
        self.few, self.very_few = every, every[:: FEW // VERY_FEW]


def notes(references: list[np.ndarray]) -> int:
    """Count the intervals of references."""
    return sum(map(len, references))


def pyopal(field: Field) -> Contender:
    """Smith-Waterman with SIMD between sequences."""
    import pyopal
    from scoring_matrices import ScoringMatrix

    rows = [[MATCH if a == b else MISMATCH for a in LETTERS] for b in LETTERS]
    aligner = pyopal.Aligner(ScoringMatrix(rows, alphabet=LETTERS), gap_open=6, gap_extend=2)
    base = pyopal.Database([spelled(r) for r in field.all], pyopal.Alphabet(LETTERS))
    return lambda: aligner.align(field.text, base, mode="score", overflow="buckets"), notes(field.all)


def parasail(field: Field) -> Contender:
    """Smith-Waterman with SIMD within sequences."""
    import parasail

    matrix = parasail.matrix_create(LETTERS, MATCH, MISMATCH)
    profile = parasail.profile_create_8(field.text, matrix)
    texts = [spelled(r) for r in field.all]
    return lambda: [parasail.sw_striped_profile_8(profile, t, 6, 2) for t in texts], notes(field.all)


def biopython(field: Field) -> Contender:
    """Biopython's aligner."""
    from Bio.Align import PairwiseAligner

    aligner = PairwiseAligner(mode="local", match_score=MATCH, mismatch_score=MISMATCH)
    aligner.open_gap_score, aligner.extend_gap_score = -6, -2
    texts = [spelled(r) for r in field.few]
    return lambda: [aligner.score(field.text, t) for t in texts], notes(field.few)


def dtaidistance(field: Field) -> Contender:
    """Dynamic time warping of whole sequences, in C."""
    from dtaidistance import dtw

    x, others = field.steps.astype(np.double), [r.astype(np.double) for r in field.few]
    return lambda: [dtw.distance_fast(x, r) for r in others], notes(field.few)


def tslearn(field: Field) -> Contender:
    """Dynamic time warping of whole sequences, in numba."""
    from tslearn.metrics import dtw

    x, others = field.steps.astype(np.double), [r.astype(np.double) for r in field.very_few]
    return lambda: [dtw(x, r) for r in others], notes(field.very_few)


def librosa(field: Field) -> Contender:
    """Subsequence dynamic time warping."""
    from librosa.sequence import dtw

    x = field.steps[None].astype(float)
    others = [r[None].astype(float) for r in field.very_few if len(r) > 1]
    return lambda: [dtw(r, x, subseq=True, backtrack=False) for r in others], notes(field.very_few)


def plain_numpy(field: Field) -> Contender:
    """Do it the plain way in numpy."""
    others = [r.astype(np.int64) for r in field.very_few]
    return lambda: [antidiagonal(field.steps, r) for r in others], notes(field.very_few)


PEERS = {
    "pyopal": pyopal,
    "parasail, profile reused": parasail,
    "dtaidistance, whole": dtaidistance,
    "Biopython": biopython,
    "tslearn, whole": tslearn,
    "librosa, subsequence": librosa,
    "numpy, by antidiagonals": plain_numpy,
}


def contenders(
    query: Sequence, references: list[np.ndarray], lanes: scan.Lanes
) -> dict[str, Contender]:
    """Give what is measured: our kernels, and those peers that are installed."""
    everything, count = notes(references), len(references)
    sets: dict[str, tuple[object, int]] = {}
    native = kernels.compiled()
    if native is not None:
        known = ("avx512", "avx2", "sse4.1", "neon")
        sets = {name: (Held(name), 1) for name in known if native.instruction_set(name)}
        sets["both cores"] = native, 2
    sets["numba"] = fallback, 1
    found: dict[str, Contender] = {
        f"melodysim, {name}": (partial(ours, query, lanes, count, used, threads), everything)
        for name, (used, threads) in sets.items()
    }
    field = Field(query, references)
    for name, made in PEERS.items():
        try:
            found[name] = made(field)
        except ImportError as error:
            print(f"  ({name} is left out: {error})")
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", type=Path, help="a library that holds the built-in melodies")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with builtin_library(args.library) as library:
        corpus = library.index.corpus(np.tile(np.arange(len(library)), TIMES))
        bounds = corpus.start.tolist()
        references = [corpus.interval[a : b - 1] for a, b in itertools.pairwise(bounds)]
        lanes = scan.lay_in_lanes(corpus)
        longest = library.index.name(int(np.argmax(library.index.lengths >= QUERY_NOTES + 1)))
        melody = library.melody(longest)
    whole = normalise(melody)
    cut = slice(0, QUERY_NOTES)
    query = Sequence(
        whole.interval[cut], whole.ratio[cut], whole.pitch[: QUERY_NOTES + 1],
        whole.time[: QUERY_NOTES + 1],
    )  # fmt: skip
    total = notes(references)
    print(f"{QUERY_NOTES} intervals against {len(references):,} melodies, {total:,} notes")
    offered = contenders(query, references, lanes)
    taken: dict[str, list[float]] = {name: [] for name in offered}
    for run, _ in offered.values():
        run()
    for _ in range(args.rounds):
        for name, (run, _) in offered.items():
            began = time.perf_counter()
            run()
            taken[name].append(time.perf_counter() - began)
    rates = {
        name: len(query.interval) * count / np.median(taken[name]) / 1e9
        for name, (_, count) in offered.items()
    }
    peer = rates.get("pyopal")
    print(f"{'':<28}{'G cells/s':>10}{'of pyopal':>11}")
    for name, rate in rates.items():
        share = f"{rate / peer:>10.2f}" if peer else ""
        print(f"{name:<28}{rate:>10.3f} {share}")


if __name__ == "__main__":
    main()
