"""Measure how often a short passage finds the melody that it was taken from.

    uv run python benchmarks/passages.py [--passages 200] [--notes 16]

Passages of some notes of the built-in melodies, transposed, at another tempo, with a share of their
notes changed by one or two semitones, checked against all of them. Side by side: local alignment of
intervals with affine gaps alone (the first pass without its moves and without durations).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from builtin import builtin_library
from variants import plain

from melodysim.matching import find_matches
from melodysim.melody import Melody, Piece
from melodysim.sequence import normalise


def passage(melody: Melody, notes: int, changed: float, rng: np.random.Generator) -> Melody:
    """Cut a passage out and change it."""
    first = int(rng.integers(0, len(melody) - notes + 1))
    cut = slice(first, first + notes)
    stretch = rng.uniform(0.75, 1.35)
    pitch = melody.pitch[cut] + rng.integers(-6, 7)
    moved = np.zeros(notes)
    moved[rng.permutation(notes)[: round(changed * notes)]] = 1
    pitch = np.clip(pitch + moved * rng.choice([-2, -1, 1, 2], notes), 0, 127)
    onset = (melody.onset[cut] - melody.onset[first]) * stretch
    return Melody.from_notes(onset, melody.duration[cut] * stretch, pitch)


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
            ours, theirs = [], []
            for identity in chosen:
                query = passage(library.melody(identity), args.notes, changed, rng)
                piece = Piece("passage", "notes", (query,), query.end)
                found = find_matches(piece, library, 1, threads=2)
                ours.append(bool(found) and found[0].reference.id == identity)
                score = plain(normalise(query), library)
                mine = score[place[identity]]
                ahead = (score > mine).sum() + 0.5 * ((score == mine).sum() - 1)
                theirs.append(ahead < 0.5)
            print(
                f"  {changed:.0%} changed: first in {np.mean(ours):.3f}, plain {np.mean(theirs):.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
