"""The seed index: where turns occur in the references, to find candidates in very large libraries.

An inverted index of interval n-grams, and a search in the manner of BLAST (Altschul et al. 1990; for
melodies Uitdenbogerd & Zobel 1999): turns that a query and a reference have in common, in the same
order and at the same distance, are chained along their diagonal. A chain gains the surprisal of the
intervals it newly covers (`melodysim.align.surprisal`) and loses for every interval that it passes
over; the best chain of a reference is its score. Turns are indexed, and looked up, a second time with
the note in their middle left out: so a changed note, or one more or less, is bridged (a spaced seed,
Ma, Tromp & Li 2002).

Conventions: a turn is `SEED` intervals, of which the middle one may be a sum of two; a posting is a
melody and a note in 32 bits. Slots hold chains while a query is chained: `SLOTS` a melody, by diagonal.

The numbers below were chosen on songs of 300 notes from a model of pop songs that held 20 notes of one
of 100,000 melodies, a tenth to three tenths of them changed: by how many of those melodies were among
the first 400, 1,000, 4,000 and 10,000 (docs/research/performance.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from melodysim.align.corpus import PackedMelodies
from melodysim.align.surprisal import Rarity, surprisal
from melodysim.intervals import MAX_INTERVAL, Sequence, fold_leaps

SEED = 5
"""Intervals of a turn."""
PLACE_BITS = 15
"""Binary digits of a posting for the note; later notes of a melody count as the last."""
LEAST_BITS = 5.0
"""Turns of less surprisal are not looked up: repeated notes and scales occur everywhere."""
PASSED_COST = 1.0
"""Bits lost by every interval of the query that a chain passes over."""
BRIDGED_COST = 6.0
"""Bits taken off a turn with its middle note left out."""
SLOTS, BAND = 4, 1
"""Chains kept for each melody; 2 ** `BAND` neighbouring diagonals share one."""
_MIDDLE = SEED // 2
_SYMBOLS = 2 * MAX_INTERVAL + 1


@dataclass(frozen=True, eq=False)
class Seeds:
    """Where turns occur.

    Attributes
    ----------
    turn : ndarray of uint32, shape (turns,)
        Numbers of the turns that occur, increasing.
    begin : ndarray of uint32, shape (turns + 1,)
        First posting of each turn.
    bridged : ndarray of uint32, shape (turns,)
        First posting of each turn with its middle note left out; these come last.
    posting : ndarray of uint32, shape (postings,)
        Melody and first note of every occurrence, in order within a turn.
    melodies : int
        Number of melodies indexed.
    """

    turn: NDArray[np.uint32]
    begin: NDArray[np.uint32]
    bridged: NDArray[np.uint32]
    posting: NDArray[np.uint32]
    melodies: int


def turn_numbers(interval: NDArray[np.integer], *, bridged: bool = False) -> NDArray[np.uint32]:
    """Return the number of the turn that begins at each interval.

    Parameters
    ----------
    interval : ndarray of int, shape (n,)
        Within ± `MAX_INTERVAL`.
    bridged : bool, optional
        Whether the note in the middle is left out: then a turn covers one interval more.

    Returns
    -------
    ndarray of uint32, shape (max(n - `SEED` - bridged + 1, 0),)
    """
    count = max(len(interval) - SEED - bridged + 1, 0)
    number = np.zeros(count, np.uint32)
    for k in range(SEED):
        at = k + (bridged and k > _MIDDLE)
        symbol = interval[at : at + count].astype(np.int16)
        if bridged and k == _MIDDLE:
            symbol = fold_leaps(symbol + interval[at + 1 : at + 1 + count])
        number = number * np.uint32(_SYMBOLS) + (symbol + MAX_INTERVAL).astype(np.uint32)
    return number


def build_seeds(melodies: PackedMelodies) -> Seeds:
    """Index the turns of melodies.

    Parameters
    ----------
    melodies : PackedMelodies
        At most 131,072, as many as a posting can number.
    """
    lengths = melodies.lengths
    last = (1 << PLACE_BITS) - 1
    numbers, postings = [], []
    for bridged in (False, True):
        number = turn_numbers(melodies.interval, bridged=bridged)
        melody = np.repeat(np.arange(len(melodies)), lengths)[: len(number)]
        place = np.arange(len(number)) - melodies.start[melody]
        # The last entry of a melody leads nowhere: a turn must end before it.
        inside = np.flatnonzero(place + SEED + bridged < lengths[melody])
        numbers.append(number[inside])
        posting = melody[inside] << PLACE_BITS | np.minimum(place[inside], last)
        postings.append(posting.astype(np.uint32))
    number, plain = np.concatenate(numbers), len(numbers[0])
    order = np.argsort(number, kind="stable")
    turn, first = np.unique(number[order], return_index=True)
    begin = np.append(first, len(order)).astype(np.uint32)
    before = np.concatenate([[0], np.cumsum(order < plain)])
    bridged_from = begin[:-1] + (before[begin[1:]] - before[begin[:-1]])
    return Seeds(
        turn, begin, bridged_from.astype(np.uint32), np.concatenate(postings)[order], len(melodies)
    )


def melodies_with(seeds: Seeds, interval: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the numbers of the melodies in which a turn occurs, increasing.

    Parameters
    ----------
    seeds : Seeds
    interval : ndarray of int, shape (SEED,)
        The turn.
    """
    number = turn_numbers(interval)[0]
    row = int(np.searchsorted(seeds.turn, number))
    if row == len(seeds.turn) or seeds.turn[row] != number:
        return np.zeros(0, np.int64)
    found = seeds.posting[seeds.begin[row] : seeds.bridged[row]] >> PLACE_BITS
    return np.unique(found).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Turns:
    """Turns of a query, to be looked up, by where they begin in it.

    Attributes
    ----------
    number : ndarray of uint32, shape (n,)
        Of the turns.
    begin, end : ndarray of int32, shape (n,)
        Intervals of the query that each covers.
    cost : ndarray of float32, shape (n,)
        Bits taken off the surprisal of those intervals.
    worth : ndarray of float32, shape (intervals + 1,)
        Summed surprisal of the intervals before each place, in bits.
    """

    number: NDArray[np.uint32]
    begin: NDArray[np.int32]
    end: NDArray[np.int32]
    cost: NDArray[np.float32]
    worth: NDArray[np.float32]


def turns_of(query: Sequence, rarity: Rarity) -> Turns:
    """Choose the turns of a query that are worth looking up.

    Parameters
    ----------
    query : Sequence
    rarity : Rarity
        Of the library.
    """
    padded = np.append(query.interval, np.int8(0))
    unbounded = np.full(len(padded), np.inf, np.float32)
    bits = surprisal(rarity, padded, np.array([0, len(padded)]), unbounded)[1:]
    worth = np.concatenate([[0.0], np.cumsum(bits, dtype=np.float64)]).astype(np.float32)
    plain, bridged = (turn_numbers(query.interval, bridged=kind) for kind in (False, True))
    number = np.concatenate([plain, bridged])
    begin = np.concatenate([np.arange(len(plain)), np.arange(len(bridged))])
    is_bridged = np.arange(len(number)) >= len(plain)
    end = begin + SEED + is_bridged
    cost = np.where(is_bridged, BRIDGED_COST, 0.0)
    told = np.flatnonzero(worth[end] - worth[begin] - cost >= LEAST_BITS)
    order = told[np.lexsort((is_bridged[told], begin[told]))]
    return Turns(
        number[order],
        begin[order].astype(np.int32),
        end[order].astype(np.int32),
        cost[order].astype(np.float32),
        worth,
    )


def seed_scores(turns: Turns, seeds: Seeds) -> NDArray[np.float32]:
    """Score every melody by its best chain of turns.

    Parameters
    ----------
    turns : Turns
        Of the query.
    seeds : Seeds
        Of the references.

    Returns
    -------
    ndarray of float32, shape (melodies,)
        Bits; 0 where no turn is shared.
    """
    from melodysim.kernels.numba_seeds import chain

    best = np.zeros(seeds.melodies, np.float32)
    if not len(seeds.turn) or not len(turns.number):
        return best
    nearest = np.minimum(np.searchsorted(seeds.turn, turns.number), len(seeds.turn) - 1)
    there = np.flatnonzero(seeds.turn[nearest] == turns.number)
    row = nearest[there]
    chain(
        seeds.begin[row],
        seeds.begin[row + 1],
        turns.begin[there],
        turns.end[there],
        turns.cost[there],
        turns.worth,
        seeds.posting,
        (PLACE_BITS, BAND, PASSED_COST),
        SLOTS,
        best,
    )
    return best
