"""Surprisal of the notes of a melody under a model of melodies.

A scale run that thousands of tunes share proves nothing; a leap that none of them has proves much. The
model is an interpolated n-gram model of intervals (Witten & Bell 1991, "The zero-frequency problem";
for melodies: Pearce & Wiggins 2004, "Improved methods for statistical modelling of monophonic
music"), fitted on the reference library itself and started from what folk tunes have in common, so
that a library of ten tunes still has a sound model.

Counts add up: those of a library are the sums of those of its parts, so that a model does not depend
on how a library is divided. The surprisal of a note is looked up when it is needed.

Conventions: surprisal is in bits; an interval's surprisal is that of arriving at its second note;
the first note of a melody has none. Melodies lie end to end: melody k is the slice
``start[k]:start[k + 1]`` of arrays with one entry a note, the last of which leads nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from melodysim.intervals import MAX_RATIO, Sequence
from melodysim.kernels import DISPLACEMENT_REACH, FURTHEST

ORDER = 2
"""Intervals of context."""
MAX_SURPRISAL = 7.0
"""Most bits of a note: an interval that the model has hardly seen is not proven to be rarer."""
_REACH = 12
_SYMBOLS = 2 * _REACH + 1
_RATIOS = 2 * MAX_RATIO + 1
PRIOR_WEIGHT = 1000.0
"""Weight of the prior, in notes, against the library's own notes."""
PRIOR = np.array(
    [3, 0, 2, 3, 5, 13, 1, 27, 43, 85, 197, 73, 151, 66, 154, 60, 36, 45, 1, 14, 5, 7, 4, 0, 6],
    dtype=np.float64,
)
"""Intervals of -12..12 semitones per thousand in 12,764 folk tunes (music21's corpora)."""
OWN_PRIOR_WEIGHT = 20.0
"""Weight of the prior, in notes, against a single melody's own notes."""
MAX_TIMING_SURPRISAL = 3.0


@dataclass(frozen=True, eq=False)
class Counts:
    """How often interval and rhythm n-grams occur in some melodies.

    Attributes
    ----------
    pitch, timing : tuple of ndarray of int64
        Occurrences of n-grams of one to three intervals, and of ratios of inter-onset intervals. Flat,
        the last symbol varying fastest.
    displacement : ndarray of int64, shape (4, 73)
        Row k, column d + `DISPLACEMENT_REACH`: pairs of notes k apart that are d semitones apart.
    """

    pitch: tuple[NDArray[np.int64], ...]
    timing: tuple[NDArray[np.int64], ...]
    displacement: NDArray[np.int64]

    def __add__(self, other: Counts) -> Counts:
        """Add the counts of other melodies."""
        return Counts(
            tuple(a + b for a, b in zip(self.pitch, other.pitch, strict=True)),
            tuple(a + b for a, b in zip(self.timing, other.timing, strict=True)),
            self.displacement + other.displacement,
        )


def no_counts() -> Counts:
    """Return the counts of no melodies: zeros."""
    nothing = np.zeros(0, np.int8)
    return count_turns(nothing, nothing, nothing.astype(np.int16), np.zeros(1, np.int64))


def total_counts(parts: list[Counts]) -> Counts:
    """Add up the counts of the parts of a library."""
    return reduce(Counts.__add__, parts, no_counts())


def _places(start: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the position of every note in its melody, and the length of that melody."""
    lengths = np.diff(start)
    return np.arange(start[-1]) - np.repeat(start[:-1], lengths), np.repeat(lengths, lengths)


def _pitch_symbols(interval: NDArray[np.int8]) -> NDArray[np.int64]:
    return np.clip(interval, -_REACH, _REACH).astype(np.int64) + _REACH


def _codes(text: NDArray[np.int64], symbols: int, order: int) -> NDArray[np.int64]:
    """Return a number for every symbol together with the `order` symbols before it."""
    code = np.zeros(len(text), np.int64)
    for back in range(order, -1, -1):
        code = code * symbols + np.roll(text, back)
    return code


def count_turns(
    interval: NDArray[np.int8],
    ratio: NDArray[np.int8],
    pitch: NDArray[np.int16],
    start: NDArray[np.int64],
) -> Counts:
    """Count the n-grams of melodies that lie end to end.

    Parameters
    ----------
    interval, ratio : ndarray of int8, shape (notes,)
        As in `Sequence`, with one entry more at the end of each melody.
    pitch : ndarray of int16, shape (notes,)
        Semitones.
    start : ndarray of int64, shape (melodies + 1,)
        Where each melody begins.
    """
    place, length = _places(start)

    def counted(text: NDArray[np.int64], symbols: int, first: int) -> tuple[NDArray[np.int64], ...]:
        tables = []
        for order in range(ORDER + 1):
            known = (place >= first + order) & (place < length - 1)
            code = _codes(text, symbols, order)[known]
            tables.append(np.bincount(code, minlength=symbols ** (order + 1)))
        return tuple(tables)

    displacement = np.zeros((FURTHEST + 1, 2 * DISPLACEMENT_REACH + 1), np.int64)
    for k in range(1, FURTHEST + 1):
        moves = pitch[k:].astype(np.int64) - pitch[: len(pitch) - k]
        moves = np.clip(moves[place[k:] >= k], -DISPLACEMENT_REACH, DISPLACEMENT_REACH)
        displacement[k] = np.bincount(moves + DISPLACEMENT_REACH, minlength=displacement.shape[1])
    return Counts(
        counted(_pitch_symbols(interval), _SYMBOLS, 0),
        counted(ratio.astype(np.int64) + MAX_RATIO, _RATIOS, 1),
        displacement,
    )


@dataclass(frozen=True, eq=False)
class Rarity:
    """Surprisal of every n-gram under the model of a library.

    Attributes
    ----------
    pitch, timing : tuple of ndarray of float32
        Bits of a symbol by itself, after one, and after two others; laid out as in `Counts`.
    displacement : ndarray of float32, shape (4, 73)
        Bits of being d semitones away after k notes, whatever lies between. Row 0 is not used.
    """

    pitch: tuple[NDArray[np.float32], ...]
    timing: tuple[NDArray[np.float32], ...]
    displacement: NDArray[np.float32]


def rarity_of(counts: Counts) -> Rarity:
    """Fit the surprisal model of a library, at most `MAX_SURPRISAL` bits a note, to its counts.

    Parameters
    ----------
    counts : Counts
        Of the library.
    """
    even = np.exp(-np.abs(np.arange(_RATIOS) - MAX_RATIO))
    return Rarity(
        _bits(counts.pitch, PRIOR + 0.5, MAX_SURPRISAL),
        _bits(counts.timing, even, MAX_TIMING_SURPRISAL),
        _displacement_bits(counts.displacement),
    )


def _bits(
    counts: tuple[NDArray[np.int64], ...], prior: NDArray[np.float64], most: float
) -> tuple[NDArray[np.float32], ...]:
    """Return the surprisal of every n-gram, learnt from all its other occurrences.

    One occurrence is left out of the counts: an n-gram that occurs once must not predict itself.
    """
    symbols = len(prior)
    probability = prior / prior.sum()
    tables = []
    for order, flat in enumerate(counts):
        table = flat.reshape(-1, symbols)
        others = np.maximum(table - 1.0, 0.0)
        seen = table.sum(axis=1, keepdims=True) - 1
        kinds = np.count_nonzero(table, axis=1)[:, None] - (others == 0)
        escape = np.maximum(kinds, 1.0) if order else PRIOR_WEIGHT
        # A row's shorter context is its last `order - 1` symbols: the shorter table repeats.
        shorter = np.tile(probability.reshape(-1, symbols), (symbols if order else 1, 1))
        probability = (others + escape * shorter) / np.maximum(seen + escape, 1.0)
        bits = np.minimum(-np.log2(np.maximum(probability, 1e-12)), most)
        tables.append(bits.reshape(-1).astype(np.float32))
    return tuple(tables)


def _displacement_bits(counts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the surprisal of each displacement in semitones after k notes."""
    bits = np.zeros(counts.shape, np.float32)
    spread = np.arange(-DISPLACEMENT_REACH, DISPLACEMENT_REACH + 1)
    for k in range(1, len(counts)):
        prior = PRIOR_WEIGHT * np.exp(-((spread / (3.0 * k**0.5)) ** 2) / 2) / (7.5 * k**0.5)
        share = counts[k] + prior + 1e-3
        bits[k] = np.minimum(-np.log2(share / share.sum()), MAX_SURPRISAL)
    return bits


def _looked_up(
    text: NDArray[np.int64],
    tables: tuple[NDArray[np.float32], ...],
    start: NDArray[np.int64],
    first: int,
) -> NDArray[np.float32]:
    """Return the bits of the symbol that leads to each note; 0 for the first ``first + 1`` notes."""
    if not len(text):
        return np.zeros(0, np.float32)
    symbols = len(tables[0])
    place, _ = _places(start)
    said = tables[ORDER][_codes(text, symbols, ORDER)]
    for order in range(ORDER):
        here = np.flatnonzero(place == first + order)
        said[here] = tables[order][_codes(text, symbols, order)[here]]
    said[place < first] = 0
    return _at_second_note(said, place)


def _at_second_note(said: NDArray[np.floating], place: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return what each step says at the note that it leads to; 0 at first notes."""
    bits = np.zeros(len(said), np.float32)
    bits[1:] = said[:-1]
    bits[place == 0] = 0
    return bits


def surprisal(
    rarity: Rarity, interval: NDArray[np.int8], start: NDArray[np.int64], own: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the surprisal of every note's pitch.

    Parameters
    ----------
    rarity : Rarity
        Of the library.
    interval : ndarray of int8, shape (notes,)
        Of melodies end to end.
    start : ndarray of int64, shape (melodies + 1,)
        Where each begins.
    own : ndarray of float32, shape (notes,)
        `own_surprisal`.

    Returns
    -------
    ndarray of float32, shape (notes,)
        Bits under the library's model or under the melody's own stock of intervals, whichever is
        less. The first note's of each melody is 0.
    """
    return np.minimum(_looked_up(_pitch_symbols(interval), rarity.pitch, start, 0), own)


def timing_surprisal(
    rarity: Rarity, ratio: NDArray[np.int8], start: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the surprisal of every note's timing, its ratio of inter-onset intervals.

    Even notes have next to no surprisal; a syncopation has some.

    Parameters
    ----------
    rarity : Rarity
        Of the library.
    ratio : ndarray of int8, shape (notes,)
        Of melodies end to end.
    start : ndarray of int64, shape (melodies + 1,)
        Where each begins.

    Returns
    -------
    ndarray of float32, shape (notes,)
        Bits; those of the first two notes of each melody, which have no ratio, are 0.
    """
    return _looked_up(ratio.astype(np.int64) + MAX_RATIO, rarity.timing, start, 1)


def own_surprisals(interval: NDArray[np.int8], start: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the surprisal of every note under its own melody's stock of intervals.

    In a voice that mostly repeats one note, or rocks between two, another repetition is no surprise,
    however rare it is elsewhere. Protein sequence search calls this low complexity (Wootton & Federhen
    1993).

    Parameters
    ----------
    interval : ndarray of int8, shape (notes,)
        Of melodies end to end.
    start : ndarray of int64, shape (melodies + 1,)
        Where each begins.

    Returns
    -------
    ndarray of float32, shape (notes,)
        Bits; the first of each melody is 0.
    """
    place, length = _places(start)
    prior = (PRIOR + 0.5) / (PRIOR + 0.5).sum()
    symbol = _pitch_symbols(interval)
    melody = np.repeat(np.arange(len(start) - 1), np.diff(start))
    inside = place < length - 1
    code = melody * _SYMBOLS + symbol
    counts = np.bincount(code[inside], minlength=(len(start) - 1) * _SYMBOLS).reshape(-1, _SYMBOLS)
    share = counts + OWN_PRIOR_WEIGHT * prior
    said = -np.log2(share / share.sum(axis=1, keepdims=True)).reshape(-1)[code]
    return _at_second_note(said, place)


def own_surprisal(sequence: Sequence) -> NDArray[np.float32]:
    """Return the surprisal of every note of one melody under its own stock of intervals.

    Returns
    -------
    ndarray of float32, shape (n,)
        Bits; the first is 0.
    """
    start = np.array([0, len(sequence)])
    return own_surprisals(np.append(sequence.interval, np.int8(0))[: len(sequence)], start)
