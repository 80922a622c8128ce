"""The tunes of the experiment as tokens, and tokens as tunes.

A melody is written as one token for the length of its first note and then two a note: the interval from
the note before (semitones, at most an octave), and the inter-onset interval in units of the tune's
median, rounded to one of ten values. So key and tempo are not in it, as they are not in a check.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

END, BEGIN, FIRST_INTERVAL = 0, 1, 2
LARGEST = 12
LENGTHS = np.array([0.25, 1 / 3, 0.5, 2 / 3, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0])
FIRST_LENGTH = FIRST_INTERVAL + 2 * LARGEST + 1
VOCABULARY = FIRST_LENGTH + len(LENGTHS)
CONTEXT = 192
"""Tokens that a model sees: 96 notes."""
FEWEST_NOTES = 16
UNIT = 0.4
"""Seconds of the median inter-onset interval of a tune that is made of tokens."""
COPIES = (4, 16, 64)
"""How often the planted works stand in the training set; all others once."""
PLANTED = 40
"""Works of each number of copies."""


@dataclass(frozen=True, eq=False)
class Tune:
    """A tune: its name, and pitch (MIDI note numbers) and onset (seconds) of its notes."""

    name: str
    pitch: NDArray[np.float64]
    onset: NDArray[np.float64]


def tokens_of(tune: Tune) -> NDArray[np.int64]:
    """Write a tune as tokens, from `BEGIN` to `END`."""
    gaps = np.diff(tune.onset)
    ratio = np.append(gaps, np.median(gaps)) / np.median(gaps)
    length = np.abs(np.log(ratio[:, None] / LENGTHS)).argmin(axis=1) + FIRST_LENGTH
    step = np.clip(np.round(np.diff(tune.pitch)), -LARGEST, LARGEST).astype(np.int64)
    pairs = np.stack([step + LARGEST + FIRST_INTERVAL, length[1:]], axis=1).ravel()
    return np.concatenate([[BEGIN, length[0]], pairs, [END]])


def tune_of(tokens: NDArray[np.int64], name: str) -> Tune | None:
    """Read tokens as a tune, up to the first that does not fit; None for one of too few notes."""
    pitch: list[float] = [60.0]
    lengths: list[float] = []
    for token in tokens[tokens != BEGIN]:
        if len(lengths) < len(pitch):
            if token < FIRST_LENGTH:
                break
            lengths.append(LENGTHS[token - FIRST_LENGTH] * UNIT)
        else:
            if not FIRST_INTERVAL <= token < FIRST_LENGTH:
                break
            step = token - FIRST_INTERVAL - LARGEST
            pitch.append(float(np.clip(pitch[-1] + step, 24, 103)))
    notes = len(lengths)
    if notes < FEWEST_NOTES:
        return None
    onset = np.concatenate([[0.0], np.cumsum(lengths)])[:notes]
    return Tune(name, np.array(pitch[:notes]), onset)


def windows(tokens: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Cut a tune into windows of a model's context; the last is filled up with `END`."""
    found = []
    for first in range(0, max(1, len(tokens) - 8), CONTEXT):
        window = np.zeros(CONTEXT + 1, np.int64)
        part = tokens[first : first + CONTEXT + 1]
        window[: len(part)] = part
        found.append(window)
    return found


def halves(tunes: list[Tune]) -> tuple[list[Tune], list[Tune]]:
    """Divide tunes into two halves by the checksums of their notes; of tunes alike, one is kept."""
    first: list[Tune] = []
    second: list[Tune] = []
    seen: set[bytes] = set()
    for tune in tunes:
        tokens = tokens_of(tune)
        if len(tune.pitch) < FEWEST_NOTES or tokens.tobytes() in seen:
            continue
        seen.add(tokens.tobytes())
        digest = hashlib.sha256(tokens.tobytes()).digest()[0]
        (first if digest % 2 else second).append(tune)
    return first, second


def planted(training: list[Tune], rng: Generator) -> NDArray[np.int64]:
    """Draw how often each tune stands in the training set."""
    count = np.ones(len(training), np.int64)
    drawn = rng.permutation(len(training))[: PLANTED * len(COPIES)]
    for copies, some in zip(COPIES, np.split(drawn, len(COPIES)), strict=True):
        count[some] = copies
    return count


def load(path: Path) -> list[Tune]:
    """Read tunes that `save` wrote."""
    with np.load(path) as stored:
        ends = np.cumsum(stored["notes"])
        pitch, onset = (np.split(stored[name], ends[:-1]) for name in ("pitch", "onset"))
        return [Tune(str(n), p, o) for n, p, o in zip(stored["name"], pitch, onset, strict=True)]


def save(path: Path, tunes: list[Tune]) -> None:
    """Write tunes to one file."""
    np.savez_compressed(
        path,
        name=np.array([tune.name for tune in tunes]),
        notes=np.array([len(tune.pitch) for tune in tunes]),
        pitch=np.concatenate([tune.pitch for tune in tunes]),
        onset=np.concatenate([tune.onset for tune in tunes]),
    )


def builtin() -> list[Tune]:
    """Read the built-in tunes."""
    import sys

    sys.path.insert(0, str(Path(__file__).parent.parent))
    from builtin import builtin_library

    from melodysim.library.store import Store

    found = []
    with builtin_library(None) as library, Store(library.path) as store:
        for _, name, melody in store.melodies_of(store.serials()):
            if (np.diff(melody.onset) > 0).all():
                found.append(Tune(name, melody.pitch.astype(np.float64), melody.onset))
    return sorted(found, key=lambda tune: tune.name)
