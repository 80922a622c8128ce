"""Below which size does a generator stop memorising melodies? The whole experiment.

    experiment.py --work DIR [--quick] [--sizes 0 1 2 3] [--seeds 3] [--samples 1000]

Reads the built-in tunes, trains the models, lets them make melodies, audits these, and writes
`results.csv` and `audit/` to the work folder. Every step leaves files there and is skipped if they are
there, so the same command goes on where it was stopped. `--quick` takes the smallest four sizes and few
steps. `--free` audits what was made without a prompt at temperature 1 only.

Training and sampling need JAX (`uv run --with jax`); they may also be run elsewhere, by
`train_and_sample.py`, and their files put into `DIR/samples`.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from ngrams import ngram_samples
from tunes import COPIES, Tune, builtin, halves, load, planted, save, tune_of

from melodysim import Melody
from melodysim.audit.audit_files import write_audit
from melodysim.audit.auditing import Audit, audit
from melodysim.audit.sets import Sample, Work, digest_of

PROMPT_NOTES = 4
"""Notes of a prompt that are left out of what is judged; the fifth begins what is new."""
COLUMNS = ("parameters", "model", "training", "prompt", "temperature", "seed")


def melody_of(tune: Tune) -> Melody:
    """Return a tune as a melody without rests."""
    gaps = np.diff(tune.onset)
    return Melody.from_notes(tune.onset, np.append(gaps, np.median(gaps)), tune.pitch)


def works_of(tunes: list[Tune], copies: np.ndarray) -> list[Work]:
    """Return tunes as works; of those alike in notes and rhythm, one."""
    found: dict[str, Work] = {}
    for tune, count in zip(tunes, copies, strict=True):
        melody = melody_of(tune)
        found.setdefault(digest_of(melody), Work(tune.name, melody, int(count)))
    return list(found.values())


def samples_of(place: Path) -> tuple[list[Sample], dict[str, tuple[str, ...]]]:
    """Read the melodies that one file of models made, and what made each."""
    samples: list[Sample] = []
    group_of: dict[str, tuple[str, ...]] = {}
    with np.load(place) as stored:
        parameters = str(int(stored["parameters"]))
        kind, *rest = place.stem.split("-")
        training = {"size": "best", "shuffled": "shuffled", "past": f"{rest[-1]} times"}[kind]
        for name in stored.files:
            parts = name.split(".", 2)
            if len(parts) < 3 or name.endswith(".of"):
                continue
            seed, prompt, heat = parts
            for number, row in enumerate(stored[name].astype(np.int64)):
                tune = tune_of(row, f"{place.stem}.{name}.{number}")
                if tune is None:
                    continue
                if prompt != "free":
                    tune = Tune(tune.name, tune.pitch[PROMPT_NOTES:], tune.onset[PROMPT_NOTES:])
                melody = melody_of(tune)
                samples.append(Sample(tune.name, digest_of(melody), melody))
                group_of[tune.name] = (parameters, "transformer", training, prompt, heat, seed)
    return samples, group_of


def main() -> None:
    """Do what has not been done."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--sizes", nargs="*", default=[str(k) for k in range(9)])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--free", action="store_true")
    args = parser.parse_args()
    if args.quick:
        args.sizes, args.samples = args.sizes[:4], min(args.samples, 100)
    tunes, made = args.work / "tunes.npz", args.work / "samples"
    made.mkdir(parents=True, exist_ok=True)
    if not tunes.exists():
        save(tunes, builtin())
    asked = ["--tunes", tunes, "--output", made, "--seeds", args.seeds, "--samples", args.samples]
    asked += ["--sizes", *args.sizes, *(["--most", "600", "--prompted", "20"] if args.quick else [])]
    if any(not (made / f"size-{size}.npz").exists() for size in args.sizes):
        script = Path(__file__).with_name("train_and_sample.py")
        subprocess.run([sys.executable, script, *map(str, asked)], check=True)
    first, second = halves(load(tunes))
    copies = planted(first, np.random.default_rng(1))
    training, control = works_of(first, copies), works_of(second, np.ones(len(second), np.int64))
    shared = {digest_of(work.melody) for work in training}
    control = [work for work in control if digest_of(work.melody) not in shared]
    files = sorted(made.glob("*.npz"))
    samples, group_of = ngram_samples(first, copies, 200 if args.quick else args.samples)
    for path in files:
        some, groups = samples_of(path)
        samples += some
        group_of |= groups
    if args.free:
        samples = [s for s in samples if group_of[s.id][3:5] == ("free", "1.0")]
    # What the curve is made of first.
    samples.sort(key=lambda s: group_of[s.id][2:5] != ("best", "free", "1.0"))
    kinds = len({group_of[sample.id] for sample in samples})
    print(f"{len(samples):,} samples of {kinds} kinds; {len(training):,}, {len(control):,} works")
    told: list[str] = []

    def tell(stage: str, done: int, of: int) -> None:
        if not told or told[-1] != stage or done % 500 == 0:
            told.append(stage)
            print(f"{stage} {done:,} of {of:,}", flush=True)

    place = args.work / "audit"

    def audited(some: list[Sample], columns: tuple[str, ...]) -> Audit:
        places = [COLUMNS.index(column) for column in columns]
        groups = {s.id: tuple(group_of[s.id][place] for place in places) for s in some}
        cores = len(os.sched_getaffinity(0))
        return audit(
            some,
            training,
            control,
            place,
            columns=columns,
            group_of=groups,
            workers=cores,
            progress=tell,
        )

    found = audited(samples, COLUMNS)
    write_audit(place, found)
    write_results(args.work / "results.csv", found, COLUMNS)
    # The curve: all seeds of a size together. Then prompts and temperatures, likewise.
    best = [sample for sample in samples if group_of[sample.id][1:3] == ("transformer", "best")]
    free = [sample for sample in best if group_of[sample.id][3:5] == ("free", "1.0")]
    pooled = audited(free, COLUMNS[:1])
    (args.work / "curve").mkdir(exist_ok=True)
    write_audit(args.work / "curve", pooled)
    write_results(args.work / "curve.csv", pooled, COLUMNS[:1])
    if not args.free:
        columns = ("parameters", "prompt", "temperature")
        write_results(args.work / "prompts.csv", audited(best, columns), columns)


def write_results(place: Path, found: Audit, columns: tuple[str, ...]) -> None:
    """Write a line a group."""
    with place.open("w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        names = ["samples", "training", "control", "excess", "low", "high", "works", "notes"]
        planted = ["copies_1", *(f"copies_{count}" for count in COPIES)]
        writer.writerow([*columns, *names, *planted])
        for group in found.groups:
            rates = group.rates
            figures = (
                rates.training,
                rates.control,
                *(getattr(rates.excess, name) for name in ("value", "low", "high")),
            )
            row = [*group.values, rates.samples, *(f"{figure:.5f}" for figure in figures)]
            by_copies = [some.samples for some in group.multiplicity]
            writer.writerow([*row, rates.works, group.copied_notes, *by_copies])


if __name__ == "__main__":
    main()
