"""Measure how often a short passage finds the melody that it was taken from.

    uv run python benchmarks/passages.py [--passages 200] [--notes 16]

Passages of some notes of the built-in melodies, transposed, at another tempo, with a share of their
notes changed by one or two semitones, checked against all of them. Side by side: local alignment of
intervals with affine gaps alone (the first pass without its moves and without durations).

Folk tunes share phrases, and some stand in the collections twice: so it also says how often the first
is the melody itself or another that holds the very same intervals, before any were changed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from builtin import builtin_library
from variants import plain

from melodysim.intervals import normalise
from melodysim.library import Library
from melodysim.melody import Melody, Piece
from melodysim.search.pipeline import find_matches


def passage(melody: Melody, notes: int, changed: float, rng: np.random.Generator) -> tuple[Melody, int]:
    """Cut a passage out and change it; give its first note in the melody too."""
    first = int(rng.integers(0, len(melody) - notes + 1))
    cut = slice(first, first + notes)
    stretch = rng.uniform(0.75, 1.35)
    pitch = melody.pitch[cut] + rng.integers(-6, 7)
    moved = np.zeros(notes)
    moved[rng.permutation(notes)[: round(changed * notes)]] = 1
    pitch = np.clip(pitch + moved * rng.choice([-2, -1, 1, 2], notes), 0, 127)
    onset = (melody.onset[cut] - melody.onset[first]) * stretch
    return Melody.from_notes(onset, melody.duration[cut] * stretch, pitch), first


def holders(intervals: np.ndarray, library: Library) -> np.ndarray:
    """Find the references that hold these intervals, one after the other."""
    corpus = library.index.whole
    between = np.diff(corpus.pitch.astype(np.int64))
    windows = np.lib.stride_tricks.sliding_window_view(between, len(intervals))
    first = np.flatnonzero((windows == intervals).all(axis=1))
    owner = np.searchsorted(corpus.start, first, side="right") - 1
    inside = first + len(intervals) < corpus.start[owner + 1]
    return np.unique(owner[inside])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=200)
    parser.add_argument("--notes", type=int, default=16)
    parser.add_argument("--library", type=Path, help="a library that holds the built-in melodies")
    args = parser.parse_args()
    rng = np.random.default_rng(5)
    with builtin_library(args.library) as library:
        place = {identity: k for k, identity in enumerate(library.index.names)}
        long = [k for k, n in enumerate(library.index.lengths) if n >= args.notes]
        chosen = [library.index.names[k] for k in rng.choice(long, args.passages, replace=False)]
        print(f"{args.passages} passages of {args.notes} notes among {len(library):,} melodies")
        for changed in (0.0, 0.05, 0.1, 0.2, 0.3):
            rows = []
            for identity in chosen:
                melody = library.melody(identity)
                query, first = passage(melody, args.notes, changed, rng)
                intervals = np.diff(np.rint(melody.pitch[first : first + args.notes]))
                same = holders(intervals.astype(np.int64), library)
                piece = Piece("passage", "notes", (query,), query.end)
                found = find_matches(piece, library.shelf, 1, threads=2)
                ours = place[found[0].reference.id] if found else -1
                score = plain(normalise(query), library)
                highest = np.flatnonzero(score == score.max())  # several: one of them by lot
                mine = place[identity]
                rows.append(
                    [
                        ours == mine,
                        ours in same,
                        highest.tolist() == [mine],
                        np.isin(highest, same).mean(),
                    ]
                )
            mine, holds, plain_mine, plain_holds = np.mean(rows, axis=0)
            print(
                f"  {changed:4.0%} changed: first in {mine:.3f}, it or one with the same notes "
                f"{holds:.3f}; plain {plain_mine:.3f}, {plain_holds:.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
