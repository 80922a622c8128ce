"""Measure how E-values behave and fit the probability of a verdict.

    uv run python benchmarks/calibrate.py [--tunes 300] [--plot FILE]

Public-domain tunes only (`unrelated.py` does it with songs). Half of the tunes drawn from the built-in
melodies stand for works in copyright; passages of them, changed in 0 to 30 % of their notes, are hidden
in other tunes (related), and other tunes, taken out of the library, are checked as they are (unrelated,
but for those that are variants of a tune that stayed: folk tunes have families). Made-up tunes, from
Markov models of order 2 of intervals and of durations fitted on the library, have no families: they say
what chance does (an order of 3, on both together, was tried: it copies whole phrases). Prints the share
of each with E below x, and the logistic of log10 E that separates made-up tunes from hidden passages,
fitted on even cases and scored on odd ones.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from promised import as_promised, interval
from sklearn.linear_model import LogisticRegression

from melodysim.library import Library
from melodysim.library.importers import import_builtin
from melodysim.library.rights import Rights
from melodysim.library.store import Store
from melodysim.melody import Melody, Piece
from melodysim.search.pipeline import find_matches

LEVELS = (1, 0.1, 0.01, 0.005, 0.001, 0.0001)


def hide(host: Melody, source: Melody, changed: float, rng: np.random.Generator) -> Melody:
    """Put a changed passage of one tune into another."""
    length = int(rng.integers(12, 25))
    first = int(rng.integers(0, max(1, len(source) - length)))
    cut = slice(first, first + length)
    stretch = rng.uniform(0.75, 1.35)
    pitch = source.pitch[cut] + rng.integers(-6, 7)
    pitch = pitch + np.where(
        rng.random(len(pitch)) < changed, rng.choice([-2, -1, 1, 2], len(pitch)), 0
    )
    half = len(host) // 2
    begin = host.onset[half]
    onset = (source.onset[cut] - source.onset[first]) * stretch + begin
    end = onset[-1] + source.duration[cut][-1] * stretch
    return Melody.from_notes(
        np.concatenate([host.onset[:half], onset, host.onset[half:] - begin + end]),
        np.concatenate([host.duration[:half], source.duration[cut] * stretch, host.duration[half:]]),
        np.clip(np.concatenate([host.pitch[:half], pitch, host.pitch[half:]]), 0, 127),
    )


def best_e_value(melody: Melody, library: Library) -> float:
    """Give the E-value of the best match with a reference that counts as protected."""
    piece = Piece("tune", "notes", (melody,), melody.end)
    found = find_matches(piece, library.shelf, 1, threads=2)
    return min((m.e_value for m in found if m.reference.rights.protected), default=1e6)


def made_up(melodies: list[Melody], count: int, rng: np.random.Generator) -> list[Melody]:
    """Make tunes with the statistics of real ones: Markov chains of intervals and of durations."""
    steps: dict[tuple, list] = defaultdict(list)
    gaps: dict[tuple, list] = defaultdict(list)
    for melody in melodies:
        if len(melody) > 2:
            between = np.diff(melody.onset)
            beats = np.clip(np.round(between / np.median(between) * 4) / 4, 0.25, 8).tolist()
            for table, events in (
                (steps, np.diff(np.rint(melody.pitch)).astype(int).tolist()),
                (gaps, beats),
            ):
                for k, event in enumerate(events):
                    table[tuple(events[max(0, k - 2) : k])].append(event)

    def drawn(table: dict[tuple, list], events: list) -> float:
        context = tuple(events[-2:])
        while context not in table:
            context = context[1:]
        return table[context][rng.integers(len(table[context]))]

    tunes: list[Melody] = []
    while len(tunes) < count:
        moves: list[float] = []
        beats = []
        pitch = [67]
        for _ in range(max(12, len(melodies[rng.integers(len(melodies))])) - 1):
            step = drawn(steps, moves)
            moves.append(step if 48 <= pitch[-1] + step <= 88 else -step)
            pitch.append(int(np.clip(pitch[-1] + moves[-1], 36, 100)))
            beats.append(drawn(gaps, beats))
        onset = np.concatenate([[0], np.cumsum(beats)]) * 0.3
        tunes.append(Melody.from_notes(onset, np.append(beats, 1) * 0.3, pitch))
    return tunes


def logistic(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Fit a logistic curve, with a little shrinkage; intercept and slope."""
    fitted = LogisticRegression(C=100.0).fit(x[:, None], y)
    return float(fitted.intercept_[0]), float(fitted.coef_[0, 0])


def draw(
    path: Path, negative: np.ndarray, positive: np.ndarray, said: np.ndarray, was: np.ndarray
) -> None:
    """Draw E-values of unrelated tunes against what they promise, and the probability's reliability."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    levels = np.logspace(-4, 1, 21)
    promised = 1 - np.exp(-levels)
    bounds = np.array([interval(int((negative < x).sum()), len(negative)) for x in levels])
    left.plot(levels, promised, "k--", label="promised")
    left.plot(levels, [(negative < x).mean() for x in levels], "o-", label="made-up tunes")
    left.fill_between(levels, *bounds.T, alpha=0.2)
    left.plot(levels, [(positive < x).mean() for x in levels], "s-", label="hidden passages")
    left.set(xscale="log", xlabel="E-value below", ylabel="share of tracks", ylim=(0, 1))
    left.legend(frameon=False)
    right.plot([0, 1], [0, 1], "k--")
    for low in np.arange(0, 1, 0.2):
        inside = (said >= low) & (said < low + 0.2)
        if inside.sum() >= 3:
            lowest, highest = interval(int(was[inside].sum()), int(inside.sum()))
            right.errorbar(
                said[inside].mean(),
                was[inside].mean(),
                [[max(was[inside].mean() - lowest, 0)], [max(highest - was[inside].mean(), 0)]],
                fmt="o",
                color="C0",
            )
            right.annotate(f" {inside.sum()}", (said[inside].mean(), was[inside].mean()))
    right.set(xlabel="probability said", ylabel="share that was a copy", xlim=(0, 1), ylim=(0, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tunes", type=int, default=300)
    parser.add_argument("--made-up", type=int, default=3000, help="tunes that say what chance does")
    parser.add_argument("--plot", type=Path, help="PNG to write: expected against observed")
    args = parser.parse_args()
    tunes = args.tunes
    rng = np.random.default_rng(3)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "library.db"
        with Store(path, create=True) as store:
            import_builtin(store)
            entries = store.entries()
            chosen = rng.choice(len(entries), 4 * tunes, replace=False)
            picked = [entries[k] for k in chosen]
            melodies = {e.id: store.melody(e.id) for e in picked}
            known = sorted(store.melodies_of(store.serials()), key=lambda row: row[1])
            corpus = [melody for *_, melody in known]  # serial numbers are random
            owned, hosts, unrelated = (
                picked[: 2 * tunes],
                picked[2 * tunes : 3 * tunes],
                picked[3 * tunes :],
            )
            with store.transaction():
                for entry in owned:
                    store.set_rights(entry.id, Rights("in-copyright"))
                for entry in hosts + unrelated:
                    store.remove(entry.id)
        library = Library(path)
        variants = np.array([best_e_value(melodies[e.id], library) for e in unrelated])
        invented = made_up(corpus, args.made_up, rng)
        negative = np.array([best_e_value(tune, library) for tune in invented])
        positive = np.array(
            [
                best_e_value(hide(melodies[h.id], melodies[o.id], (k % 4) * 0.1, rng), library)
                for k, (h, o) in enumerate(zip(hosts, owned, strict=False))
            ]
        )
    print(
        f"{len(negative)} made-up tunes, {tunes} real ones and {tunes} copies against {2 * tunes} "
        f"protected of {len(library)} references"
    )
    print("  E below   promised   made-up (95 % interval)     real     copies")
    for level in LEVELS:
        real, hidden = ((e < level).mean() for e in (variants, positive))
        print(f"{as_promised(negative, level)} {real:9.4f} {hidden:9.4f}")
    some = negative[: len(positive)]  # as many as copies: even odds
    x = -np.log10(np.maximum(np.concatenate([some, positive]), 1e-12))
    y = np.concatenate([np.zeros(len(some)), np.ones(len(positive))])
    even = np.arange(len(x)) % 2 == 0
    a, b = logistic(x[even], y[even])
    p = 1 / (1 + np.exp(-(a + b * x[~even])))
    print(f"logistic on even cases: intercept {a:.2f}, slope {b:.2f} per decade")
    print(f"Brier score on odd cases: {np.mean((p - y[~even]) ** 2):.3f} (0.25 says nothing)")
    for low, high in ((0, 0.1), (0.1, 0.5), (0.5, 0.9), (0.9, 1.01)):
        here = (p >= low) & (p < high)
        if here.any():
            says, is_ = p[here].mean(), y[~even][here].mean()
            print(f"  said {says:.2f}: was {is_:.2f} of {here.sum()}")
    if args.plot:
        draw(args.plot, negative, positive, p, y[~even])


if __name__ == "__main__":
    main()
