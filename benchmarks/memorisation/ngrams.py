"""The small end, and a check that the audit sees copies: n-gram models of the same tokens.

A model of order n draws each note (interval and length together) by how often it followed the n notes
before in the training set; where these never stood there, by the longest part of them that did. Order 8
can hardly say anything but what it has seen.
"""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
from tunes import BEGIN, CONTEXT, END, Tune, tokens_of, tune_of

from melodysim import Melody
from melodysim.audit.sets import Sample, digest_of

ORDERS = (1, 2, 3, 4, 6, 8)
Note = tuple[int, int]


def _notes(tune: Tune) -> list[Note]:
    """Return the notes of a tune as pairs of tokens, the end among them."""
    tokens = tokens_of(tune)
    rest = [(int(step), int(length)) for step, length in tokens[2:-1].reshape(-1, 2)]
    return [(BEGIN, int(tokens[1])), *rest, (END, END)]


def ngram_samples(
    tunes: list[Tune], copies: np.ndarray, samples: int
) -> tuple[list[Sample], dict[str, tuple[str, ...]]]:
    """Let n-gram models of every order make melodies."""
    found: list[Sample] = []
    group_of: dict[str, tuple[str, ...]] = {}
    notes = [_notes(tune) for tune in tunes]
    for order in ORDERS:
        follows: dict[tuple[Note, ...], Counter[Note]] = defaultdict(Counter)
        for some, count in zip(notes, copies, strict=True):
            for k, note in enumerate(some):
                for n in range(min(order, k) + 1):
                    follows[tuple(some[k - n : k])][note] += int(count)
        parameters = sum(map(len, follows.values()))
        rng = np.random.default_rng(order)
        for number in range(samples):
            tune = _made(follows, order, rng, f"ngram-{order}.{number}")
            if tune is not None:
                gaps = np.diff(tune.onset)
                melody = Melody.from_notes(tune.onset, np.append(gaps, np.median(gaps)), tune.pitch)
                found.append(Sample(tune.name, digest_of(melody), melody))
                group_of[tune.name] = (str(parameters), f"{order}-gram", "best", "free", "1.0", "0")
    return found, group_of


def _made(
    follows: dict[tuple[Note, ...], Counter[Note]], order: int, rng: np.random.Generator, name: str
) -> Tune | None:
    """Draw one melody."""
    made: list[Note] = []
    while len(made) < CONTEXT // 2:
        n = min(order, len(made))
        while tuple(made[len(made) - n :]) not in follows:
            n -= 1
        choices = follows[tuple(made[len(made) - n :])]
        weights = np.fromiter(choices.values(), float)
        note = list(choices)[int(rng.choice(len(choices), p=weights / weights.sum()))]
        if note == (END, END):
            break
        made.append(note)
    tokens = [BEGIN, made[0][1] if made else END, *(token for note in made[1:] for token in note)]
    return tune_of(np.array(tokens), name)
