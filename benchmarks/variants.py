"""Measure on folk variants how often a tune finds its other setting.

    uv run python benchmarks/variants.py [--pairs 150]

Tunes that stand under the same title in two of the built-in collections, checked against all others:
mean reciprocal rank of the other setting by melodysim's second pass, by plain local alignment of
intervals (Smith & Waterman with affine gaps, intervals scored by kind, durations not), and by percent
melodic identity (Savage et al. 2018: Needleman & Wunsch over pitches from the tonic, gap open 12, gap
extension 6, identical pairs over mean length; here transposed to the best of 12 keys, since the
collections do not name the tonic).
"""

from __future__ import annotations

import argparse
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
from builtin import builtin_library
from numba import njit

from melodysim.align import prefilter as first_pass
from melodysim.align.dtw import align_scores
from melodysim.intervals import Sequence, normalise
from melodysim.library import Entry, Library
from melodysim.library.store import Store

GAP_OPEN, GAP_EXTEND = 12.0, 6.0


def pairs_of_settings(entries: list[Entry], wanted: int) -> list[tuple[str, str]]:
    """Ids of tunes with one title in two collections, each title once."""
    by_title: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for entry in entries:
        title = re.sub(r"[^a-z]", "", entry.title.lower().removeprefix("the "))
        if len(title) >= 6:
            by_title[title][entry.id.split("/")[0]].append(entry.id)
    pairs = []
    for _, collections in sorted(by_title.items()):
        names = sorted(collections)
        if len(names) >= 2:
            pairs.append((sorted(collections[names[0]])[0], sorted(collections[names[1]])[0]))
    chosen = np.random.default_rng(0).permutation(len(pairs))[:wanted]
    return [pairs[k] for k in sorted(chosen)]


@njit(cache=True)
def _identical(a, b):
    """Identical pairs of the best global alignment (one of them) with affine gaps."""
    n, m = a.shape[0], b.shape[0]
    low = -1e9
    match = np.full((n + 1, m + 1), low)
    down, right = np.full((n + 1, m + 1), low), np.full((n + 1, m + 1), low)
    same = np.zeros((3, n + 1, m + 1), np.int32)
    match[0, 0] = 0
    for i in range(1, n + 1):
        down[i, 0] = -GAP_OPEN - GAP_EXTEND * (i - 1)
    for j in range(1, m + 1):
        right[0, j] = -GAP_OPEN - GAP_EXTEND * (j - 1)
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            equal = a[i - 1] == b[j - 1]
            values = (match[i - 1, j - 1], down[i - 1, j - 1], right[i - 1, j - 1])
            k = 0
            for c in (1, 2):
                if values[c] > values[k]:
                    k = c
            match[i, j] = values[k] + (10.0 if equal else -5.0)
            same[0, i, j] = same[k, i - 1, j - 1] + equal
            opened, longer = match[i - 1, j] - GAP_OPEN, down[i - 1, j] - GAP_EXTEND
            down[i, j] = max(opened, longer)
            same[1, i, j] = same[0, i - 1, j] if opened >= longer else same[1, i - 1, j]
            opened, longer = match[i, j - 1] - GAP_OPEN, right[i, j - 1] - GAP_EXTEND
            right[i, j] = max(opened, longer)
            same[2, i, j] = same[0, i, j - 1] if opened >= longer else same[2, i, j - 1]
    k = 0
    ends = (match[n, m], down[n, m], right[n, m])
    for c in (1, 2):
        if ends[c] > ends[k]:
            k = c
    return same[k, n, m]


@njit(cache=True)
def _identities(query, pitch, start, out):
    for k in range(out.shape[0]):
        theirs = pitch[start[k] : start[k + 1]]
        if theirs.shape[0] == 0:
            continue
        # The key in which most notes have a partner, by their stock of pitches.
        mine = np.zeros(256)
        other = np.zeros(256)
        for p in query:
            mine[(p + 128) % 256] += 1
        for p in theirs:
            other[(p + 128) % 256] += 1
        best, key = -1.0, 0
        for shift in range(-12, 13):
            common = 0.0
            for p in range(30, 226):
                common += min(mine[p], other[p - shift])
            if common > best:
                best, key = common, shift
        out[k] = _identical(query, theirs + key) / (0.5 * (len(query) + len(theirs)))


def percent_identity(query: Sequence, library: Library) -> np.ndarray:
    """Percent melodic identity with every reference."""
    corpus = library.index.whole
    out = np.zeros(len(library))
    _identities(query.pitch, corpus.pitch, corpus.start, out)
    return out


def plain(query: Sequence, library: Library) -> np.ndarray:
    """Local alignment of intervals alone."""
    kept = first_pass.MOVED, first_pass.RATIO_SCORES
    first_pass.MOVED = 127
    first_pass.RATIO_SCORES = (0, 0, 0, 0, 0)
    try:
        return library.index.scan(query, library.protected, 2).astype(float)
    finally:
        first_pass.MOVED, first_pass.RATIO_SCORES = kept


def ours(query: Sequence, library: Library) -> np.ndarray:
    """Score by the second pass, over all references, length taken into account."""
    corpus = library.index.whole
    score = align_scores(query, corpus, np.arange(len(library)), 2).astype(float)
    return score - 1.2 * np.log(corpus.lengths)


def reciprocal_rank(score: np.ndarray, mine: int, other: int) -> float:
    """One over the rank of the other setting; ties count half."""
    rest = np.delete(score, [mine, other])
    return 1 / (1 + (rest > score[other]).sum() + 0.5 * (rest == score[other]).sum())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=150)
    parser.add_argument("--library", type=Path, help="a library that holds the built-in melodies")
    args = parser.parse_args()
    with builtin_library(args.library) as library:
        measure(library, args.pairs)


def measure(library: Library, wanted: int) -> None:
    """Rank the other setting by each method, and print."""
    with Store(library.path) as store:
        pairs = pairs_of_settings(store.entries(), wanted)
        melodies = {a: store.melody(a) for a, _ in pairs}
    place = {identity: k for k, identity in enumerate(library.index.names)}
    methods = {
        "melodysim": ours,
        "plain interval alignment": plain,
        "percent identity": percent_identity,
    }
    print(f"{len(pairs)} pairs of settings among {len(library):,} melodies")
    for name, method in methods.items():
        ranks = [
            reciprocal_rank(method(normalise(melodies[a]), library), place[a], place[b])
            for a, b in pairs
        ]
        first = np.mean(np.array(ranks) == 1)
        print(f"  {name:<26} mean reciprocal rank {np.mean(ranks):.3f}, first {first:.3f}")


if __name__ == "__main__":
    main()
