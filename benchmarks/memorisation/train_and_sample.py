"""Train the models of the experiment, and let them make melodies.

    train_and_sample.py --tunes tunes.npz --output DIR [--sizes 0 1 2 …] [--seeds 3] [--samples 1000]
                        [--past] [--shuffled] [--most STEPS]

Each size leaves one file in the output folder and is skipped if it is there: run it again to go on.
`--past` trains some sizes past their best validation loss and samples on the way; `--shuffled` trains
one size on tunes whose notes are in random order, which nothing can be copied from.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import jax
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from tunes import BEGIN, CONTEXT, Tune, halves, load, planted, tokens_of, windows

from models import MOST_STEPS, SIZES, Size, Trained, parameters_of, sample, train

GIVEN = 10
"""Tokens of a prompt: the first five notes of a work."""
PAST = (5, 7)
"""Sizes that are trained on past their best validation loss, and how far."""
TIMES = (0.5, 1, 2, 4)
SHUFFLED = 5
HELD_OUT = 1000
"""Windows of the held-out tunes on which the validation loss is measured."""


def material(path: Path, shuffled: bool) -> tuple[NDArray, NDArray, list[Tune], list[Tune]]:
    """Return the windows of the training set, copies and all, those held out, and both halves."""
    first, second = halves(load(path))
    copies = planted(first, np.random.default_rng(1))
    rng = np.random.default_rng(2)
    rows = []
    for tune, count in zip(first, copies, strict=True):
        tokens = tokens_of(tune)
        rows += windows(mixed(tokens, rng) if shuffled else tokens) * int(count)
    held = [window for tune in second for window in windows(tokens_of(tune))]
    chosen = np.random.default_rng(3).permutation(len(held))[:HELD_OUT]
    return np.array(rows), np.array(held)[chosen], first, second


def mixed(tokens: NDArray[np.int64], rng: Generator) -> NDArray[np.int64]:
    """Put the notes of a tune in random order."""
    pairs = tokens[2:-1].reshape(-1, 2)
    return np.concatenate([tokens[:2], rng.permutation(pairs).ravel(), tokens[-1:]])


def prompts(tunes: list[Tune] | None, samples: int, seed: int) -> tuple[NDArray, NDArray, NDArray]:
    """Return prompts, the number of tokens that are given, and which tune each is of (-1 for none)."""
    rows = np.zeros((samples, CONTEXT), np.int64)
    rows[:, 0] = BEGIN
    if tunes is None:
        return rows, np.ones(samples, np.int64), np.full(samples, -1)
    which = np.random.default_rng(seed).integers(0, len(tunes), samples)
    for row, k in zip(rows, which, strict=True):
        row[:GIVEN] = tokens_of(tunes[k])[:GIVEN]
    return rows, np.full(samples, GIVEN), which


def sampled(
    models: Trained, size: Size, first: list[Tune], second: list[Tune], args: argparse.Namespace
) -> dict[str, NDArray]:
    """Let all seeds of a size make melodies, with and without prompts, at some temperatures."""
    found: dict[str, NDArray] = {}
    asked: list[tuple[str, list[Tune] | None, int]] = [("free", None, args.samples)]
    asked += [("train", first, args.prompted), ("held", second, args.prompted)]
    for seed in range(len(models.loss)):
        one = jax.tree.map(lambda leaf, k=seed: leaf[k], models.parameters)
        for heat in args.heats:
            for name, tunes, count in asked:
                number = count if heat == 1.0 else count // 2
                if number:
                    rows, given, which = prompts(tunes, number, seed)
                    tokens = sample(one, size, rows, given, heat, 100 * seed + int(heat * 10))
                    found[f"{seed}.{name}.{heat}"] = tokens.astype(np.uint8)
                    found[f"{seed}.{name}.{heat}.of"] = which
    return found


def main() -> None:
    """Train, sample, and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tunes", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="*", default=list(range(len(SIZES))))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--prompted", type=int, default=250)
    parser.add_argument("--heats", type=float, nargs="*", default=[1.0, 0.8], help="temperatures")
    parser.add_argument("--most", type=int, default=MOST_STEPS)
    parser.add_argument("--past", action="store_true")
    parser.add_argument("--shuffled", action="store_true")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    data, held, first, second = material(args.tunes, args.shuffled)
    print(f"{len(first)} training tunes ({len(data)} windows), {len(second)} held out", flush=True)
    for number in [SHUFFLED] if args.shuffled else args.sizes:
        size, began = SIZES[number], time.monotonic()
        place = args.output / f"{'shuffled' if args.shuffled else 'size'}-{number}.npz"
        if not place.exists():
            models, _ = train(size, data, held, args.seeds, args.most)
            spent = time.monotonic() - began
            more = sampled(models, size, first, second, args)
            write(place, size, models, more)
            told = f"loss {models.loss.round(3)} at {models.steps}, {spent:.0f} s"
            print(
                f"{parameters_of(size):,}: {told} + {time.monotonic() - began - spent:.0f} s",
                flush=True,
            )
        if args.past and number in PAST:
            past(args, number, data, held, first, second)


def past(
    args: argparse.Namespace,
    number: int,
    data: NDArray,
    held: NDArray,
    first: list[Tune],
    second: list[Tune],
) -> None:
    """Train one size past its best validation loss, and sample on the way."""
    size = SIZES[number]
    with np.load(args.output / f"size-{number}.npz") as stored:
        best = int(stored["steps"].max())
    stops = tuple(max(200, round(best * times / 200) * 200) for times in TIMES)
    if all((args.output / f"past-{number}-{times}.npz").exists() for times in TIMES):
        return
    began = time.monotonic()
    _, kept = train(size, data, held, 1, keep_at=stops)
    for times, stop in zip(TIMES, stops, strict=True):
        more = sampled(kept[stop], size, first, second, args)
        write(args.output / f"past-{number}-{times}.npz", size, kept[stop], more)
    print(f"{parameters_of(size):,} past its best: {time.monotonic() - began:.0f} s", flush=True)


def write(place: Path, size: Size, models: Trained, more: dict[str, NDArray]) -> None:
    """Write what was made to one file, whole or not at all."""
    part = place.with_name(f".{place.name}")
    with part.open("wb") as out:
        about = {
            "parameters": np.array(parameters_of(size)),
            "loss": models.loss,
            "steps": models.steps,
        }
        np.savez_compressed(out, allow_pickle=False, **about, **more)
    part.replace(place)


if __name__ == "__main__":
    main()
