"""A first look at a recording for every reference of a large library, before the best are listened for.

Listening in full (`melodysim.align.salience_dtw`) to three minutes for a million references would take
minutes. So all are listened for roughly first, in a tenth of the time, and those that look the least
promising are left out. The recurrence is the same, local in both melodies (Smith & Waterman 1981),
with less of everything: steps of 289 ms, one tempo with wide note lengths, three lengths a note, pitch
classes alone, and whole nats in unsigned 8-bit integers that saturate, so that a vector holds twice as
many. How many that come first in full are kept is measured in docs/research/hearing.md.

Conventions
-----------
A note of a reference is one byte, its symbol: twelve times the code of its length, plus its pitch
class. The code is the logarithm of the inter-onset interval over the reference's median, in thirds of
an octave.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from melodysim.align.corpus import PackedMelodies, gaps_of
from melodysim.align.salience_evidence import (
    CLASSES,
    MAX_NOTE_SECONDS,
    PitchEvidence,
    Resolution,
    block_starts,
    prepare_evidence,
)
from melodysim.kernels import kernels
from melodysim.melody import SemitoneSalience

# Measured as recall of what listening in full puts first (docs/research/hearing.md).
ROUGH = Resolution(5, (0.33,), 0.5, 2.0)
LENGTHS_AN_OCTAVE, SHORTEST_CODE, CODES = 3, -7, 21
"""Codes of a note's length: so many an octave, from a fifth of the median to eighteen times it."""
LONGEST = 12
"""Steps that a note may last."""
DISCOUNTED_FROM, DISCOUNT = 0.2, 0.5
"""Seconds from which a note is longer than the evidence for it is worth, and by which power less."""
BIAS = 50
"""Nats added to evidence, so that it is never negative; the lowest evidence that counts, negated."""
SKIP_COST = 3
"""Nats for a note that is not heard."""
BLOCK_SECONDS, OVERLAP_SECONDS = 120.0, 15.0
"""Length of a block, which is aligned on its own, and of its overlap with the next."""
HIGHEST = 255 - BIAS
"""Nats above which scores are alike."""
_WIDE = 64
"""Entries of which a block has a multiple, as the kernels read so many at once."""
_SHARES = 16
"""Shares that references are dealt into, for each thread."""


@dataclass(frozen=True, eq=False)
class Glimpse:
    """A block of a recording as the first look reads it.

    Attributes
    ----------
    heard : ndarray of uint8, shape (LONGEST, 24, width)
        Nats for a note of so many steps (one more than the place) and of this pitch class that ends at
        this time, with `BIAS` added. The first time is the end of the first step. Pitch classes stand
        there twice, so that a transposition is a step of rows.
    length : ndarray of uint8, shape (tempi, CODES, 3)
        Steps that a note of this code may last at each tempo: at least, usually, at most.
    """

    heard: NDArray[np.uint8]
    length: NDArray[np.uint8]


def symbols_of(notes: PackedMelodies) -> NDArray[np.uint8]:
    """Return the symbol of every note, [notes]."""
    owner = np.repeat(np.arange(len(notes)), notes.lengths)
    ratio = np.maximum(gaps_of(notes) / notes.median_gap[owner], 1e-6)
    code = np.rint(LENGTHS_AN_OCTAVE * np.log2(ratio)) - SHORTEST_CODE
    symbol = CLASSES * np.clip(code, 0, CODES - 1) + notes.pitch % np.int16(CLASSES)
    found: NDArray[np.uint8] = symbol.astype(np.uint8)
    return found


def glimpses_of(heard: SemitoneSalience) -> list[Glimpse]:
    """Lay a recording out for the first look, block by block; none if nothing was heard."""
    evidence = prepare_evidence(heard, resolution=ROUGH)
    length = _lengths(evidence.step)
    size = round(BLOCK_SECONDS / evidence.step)
    starts = block_starts(len(evidence.sounds), evidence.step, BLOCK_SECONDS, OVERLAP_SECONDS)
    return [Glimpse(_by_length(evidence, slice(start, start + size)), length) for start in starts]


def _lengths(step: float) -> NDArray[np.uint8]:
    """Return the steps that a note of each code may last, at each tempo: [tempi, CODES, 3]."""
    ratio = 2.0 ** ((np.arange(CODES) + SHORTEST_CODE) / LENGTHS_AN_OCTAVE)
    nominal = np.minimum(np.outer(ROUGH.median_notes, ratio), MAX_NOTE_SECONDS) / step
    longest = np.clip(np.rint(nominal * ROUGH.longest), 1, LONGEST)
    shortest = np.clip(np.rint(nominal * ROUGH.shortest), 1, longest)
    usual = np.clip(np.rint(nominal), shortest, longest)
    return np.stack([shortest, usual, longest], axis=2).astype(np.uint8)


def _by_length(evidence: PitchEvidence, span: slice) -> NDArray[np.uint8]:
    """Return what speaks for notes of each length, as in `Glimpse.heard`."""
    sounds = evidence.sounds[span].astype(np.float64)
    total = np.pad(np.cumsum(sounds, axis=0), ((1, 0), (0, 0)))
    width = -(-len(sounds) // _WIDE) * _WIDE
    heard = np.zeros((LONGEST, CLASSES, width), np.uint8)  # no note begins before the block
    for length in range(1, min(LONGEST, len(sounds)) + 1):
        weight = min(1.0, (DISCOUNTED_FROM / (length * evidence.step)) ** DISCOUNT)
        nats = np.rint((total[length:] - total[:-length]) * weight) + BIAS
        heard[length - 1, :, length - 1 : len(sounds)] = np.clip(nats, 0, 255).T
    return np.concatenate([heard, heard], axis=1)


def first_look(
    symbol: NDArray[np.uint8], start: NDArray[np.int64], glimpses: list[Glimpse], threads: int = 1
) -> NDArray[np.uint8]:
    """Score references roughly against a recording.

    Parameters
    ----------
    symbol : ndarray of uint8, shape (notes,)
        Of the references' notes, end to end, as from `symbols_of`.
    start : ndarray of int64, shape (references + 1,)
        Where each begins.
    glimpses : list of Glimpse
        Of the recording.
    threads : int, optional
        The result does not depend on it.

    Returns
    -------
    ndarray of uint8, shape (references,)
        Score in nats, `HIGHEST` for all that are above.
    """
    rules = BIAS, SKIP_COST

    def part(low: int, high: int) -> NDArray[np.uint8]:
        found = np.zeros(high - low, np.uint8)
        for glimpse in glimpses:
            given = glimpse.heard, LONGEST, glimpse.length, len(glimpse.length), rules
            kernels().first_look(*given, symbol, start, low, high, found)
        return found

    edges = np.linspace(0, len(start) - 1, threads * _SHARES + 1).astype(np.int64).tolist()
    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(part, edges[:-1], edges[1:])))
