"""How much a turn of a melody says: its surprisal under a model of melodies.

A scale run that thousands of tunes share proves nothing; a leap that none of them has says much. The
model is an interpolated n-gram model of intervals (Witten & Bell 1991, "The zero-frequency problem";
for melodies: Pearce & Wiggins 2004, "Improved methods for statistical modelling of monophonic
music"), fitted on the reference library itself and started from what folk tunes have in common, so
that a library of ten tunes is not a law of its own.

Conventions: surprisal is in bits; an interval's surprisal is that of arriving at its second note;
the first note of a melody has none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from melodysim.sequence import MAX_RATIO, Sequence

ORDER = 2
"""Intervals of context."""
MAX_SURPRISAL = 7.0
"""Bits; what the model has hardly ever seen is not proven to be any rarer."""
_REACH = 12
_SYMBOLS = 2 * _REACH + 1
PRIOR_WEIGHT = 1000.0
"""Notes that the prior counts for against the library's own."""
PRIOR = np.array(
    [3, 0, 2, 3, 5, 13, 1, 27, 43, 85, 197, 73, 151, 66, 154, 60, 36, 45, 1, 14, 5, 7, 4, 0, 6],
    dtype=np.float64,
)
"""Intervals of -12..12 semitones per thousand in 12,764 folk tunes (music21's corpora)."""
OWN_PRIOR_WEIGHT = 20.0
"""Notes that the prior counts for against a single melody's own."""
MAX_TIMING_SURPRISAL = 3.0
DISPLACEMENT_REACH = 36


def _symbols(sequence: Sequence) -> NDArray[np.int64]:
    return np.clip(sequence.interval.astype(np.int64), -_REACH, _REACH) + _REACH


def _predicted(
    texts: list[NDArray[np.int64]], symbols: int, prior: NDArray[np.float64]
) -> list[NDArray[np.float64]]:
    """Probability of each symbol of each text given the ones before it, learnt from all the others.

    The occurrence at hand is left out of the counts: a turn that occurs once must not predict itself.
    """
    lengths = np.array([len(text) for text in texts])
    text = np.concatenate(texts)
    position = np.concatenate([np.arange(n) for n in lengths])
    probability = prior[text] / prior.sum()
    for order in range(ORDER + 1):
        context = np.zeros(len(text), np.int64)
        for back in range(order, 0, -1):
            context = context * symbols + np.roll(text, back)
        known = position >= order
        code = context * symbols + text
        counts = np.bincount(code[known], minlength=symbols ** (order + 1)).astype(np.float64)
        table = counts.reshape(-1, symbols)
        others = counts[code] - 1
        seen = table.sum(axis=1)[context] - 1
        kinds = np.count_nonzero(table, axis=1)[context] - (others == 0)
        escape = np.maximum(kinds, 1.0) if order else PRIOR_WEIGHT
        mixed = (others + escape * probability) / np.maximum(seen + escape, 1.0)
        probability = np.where(known, mixed, probability)
    return np.split(probability, np.cumsum(lengths)[:-1])


def own_surprisal(sequence: Sequence) -> NDArray[np.float32]:
    """Surprisal of every note under the melody's own stock of intervals.

    A voice that does little but repeat one note, or rock between two, says little by doing so once
    more, however rare that is elsewhere: what search for protein sequences calls low complexity
    (Wootton & Federhen 1993).

    Parameters
    ----------
    sequence : Sequence

    Returns
    -------
    ndarray of float32, shape (n,)
        Bits; the first is 0.
    """
    text = _symbols(sequence)
    prior = PRIOR + 0.5
    counts = np.bincount(text, minlength=_SYMBOLS) + OWN_PRIOR_WEIGHT * prior / prior.sum()
    bits = -np.log2(counts[text] / counts.sum())
    return np.concatenate([[0.0], bits])[: len(sequence)].astype(np.float32)


def surprisal(sequences: list[Sequence]) -> list[NDArray[np.float32]]:
    """Surprisal of every note of every melody, under the model that all of them together give.

    Parameters
    ----------
    sequences : list of Sequence
        The reference library.

    Returns
    -------
    list of ndarray of float32, shape (n,)
        One a melody, one value a note, in bits: under the library's model or under the melody's own
        stock of intervals, whichever is less, and at most `MAX_SURPRISAL`. The first note's is 0.
    """
    if not sequences:
        return []
    predicted = _predicted([_symbols(s) for s in sequences], _SYMBOLS, PRIOR + 0.5)
    result = []
    for probability, sequence in zip(predicted, sequences, strict=True):
        bits = -np.log2(np.maximum(probability, 1e-12))
        bits = np.concatenate([[0.0], bits])[: len(sequence)]
        bits = np.minimum(np.minimum(bits, own_surprisal(sequence)), MAX_SURPRISAL)
        result.append(bits.astype(np.float32))
    return result


def timing_surprisal(sequences: list[Sequence]) -> list[NDArray[np.float32]]:
    """Surprisal of the timing of every note: of its ratio of inter-onset intervals.

    Even notes go on evenly and say next to nothing; a syncopation says something.

    Parameters
    ----------
    sequences : list of Sequence
        The reference library.

    Returns
    -------
    list of ndarray of float32, shape (n,)
        Bits, at most `MAX_TIMING_SURPRISAL`; those of the first two notes, which have no ratio, are
        0.
    """
    if not sequences:
        return []
    symbols = 2 * MAX_RATIO + 1
    texts = [s.ratio[1:].astype(np.int64) + MAX_RATIO for s in sequences]
    prior = np.exp(-np.abs(np.arange(symbols) - MAX_RATIO))
    result = []
    for probability, sequence in zip(_predicted(texts, symbols, prior), sequences, strict=True):
        bits = np.minimum(-np.log2(np.maximum(probability, 1e-12)), MAX_TIMING_SURPRISAL)
        result.append(np.concatenate([[0.0, 0.0], bits])[: len(sequence)].astype(np.float32))
    return result


def displacement_surprisal(sequences: list[Sequence], furthest: int = 3) -> NDArray[np.float32]:
    """Surprisal of arriving at a pitch some notes later, whatever lies between.

    Parameters
    ----------
    sequences : list of Sequence
        The reference library.
    furthest : int, optional
        Most notes later.

    Returns
    -------
    ndarray of float32, shape (furthest + 1, 2 * DISPLACEMENT_REACH + 1)
        Row k, column d + `DISPLACEMENT_REACH`: bits of being d semitones away after k notes. Row 0
        is not used.
    """
    table = np.zeros((furthest + 1, 2 * DISPLACEMENT_REACH + 1), np.float32)
    spread = np.arange(-DISPLACEMENT_REACH, DISPLACEMENT_REACH + 1)
    for k in range(1, furthest + 1):
        counts = PRIOR_WEIGHT * np.exp(-((spread / (3.0 * k**0.5)) ** 2) / 2) / (7.5 * k**0.5)
        moves = [s.pitch[k:] - s.pitch[:-k] for s in sequences if len(s) > k]
        if moves:
            joined = np.clip(np.concatenate(moves), -DISPLACEMENT_REACH, DISPLACEMENT_REACH)
            counts = counts + np.bincount(
                joined.astype(np.int64) + DISPLACEMENT_REACH, minlength=len(spread)
            )
        share = (counts + 1e-3) / (counts + 1e-3).sum()
        table[k] = np.minimum(-np.log2(share), MAX_SURPRISAL)
    return table


def melodies_with_turn(
    interval: NDArray[np.int8], start: NDArray[np.int64], turn: NDArray[np.int8]
) -> int:
    """Count the melodies in which a turn occurs.

    Parameters
    ----------
    interval : ndarray of int8, shape (notes,)
        Intervals of many melodies end to end, with one entry a note, as in `Corpus`.
    start : ndarray of int64, shape (melodies + 1,)
        Where each melody begins.
    turn : ndarray of int8, shape (k,)
        Intervals in a row, at least one.

    Returns
    -------
    int
        Number of melodies.

    Examples
    --------
    Up a tone and down a tone, in the first and the last of three melodies:

    >>> steps = np.array([2, -2, 0, 2, 2, 0, 5, 2, -2, 0], np.int8)
    >>> melodies_with_turn(steps, np.array([0, 3, 6, 10]), np.array([2, -2], np.int8))
    2
    """
    count = len(interval) - len(turn) + 1
    if count <= 0:
        return 0
    here = np.ones(count, bool)
    for k, step in enumerate(turn):
        here &= interval[k : k + count] == step
    first = np.flatnonzero(here)
    melody = np.searchsorted(start, first, side="right") - 1
    # The last entry of a melody leads nowhere: a turn must end before it.
    inside = first + len(turn) < start[melody + 1]
    return len(np.unique(melody[inside]))
