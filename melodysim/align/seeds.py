"""The seed index: where turns of a few intervals occur, to find candidates in very large libraries.

An inverted index of interval n-grams, and a search in the manner of BLAST (Altschul et al. 1990; for
melodies Uitdenbogerd & Zobel 1999): turns that a query and a reference have in common, in the same
order and at the same distance, are chained along their diagonal. A chain earns what the newly covered
intervals say (`melodysim.rarity`), and loses by every interval that it passes over; the best chain of a
reference is its score. A turn of the query is also looked up with one of its notes left out, so that an
ornament costs no more than it must.

Conventions: a turn is `SEED` intervals; a posting is a melody and a note in 32 bits. Slots hold chains
while a query is chained: `SLOTS` a melody, by diagonal.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodysim.align.corpus import Melodies
from melodysim.rarity import Rarity, surprisal
from melodysim.sequence import MAX_INTERVAL, Sequence, fold_leaps

SEED = 5
"""Intervals of a turn."""
PLACE_BITS = 15
"""Bits of a posting that say at which note; later notes of a melody count as the last."""
MOST_MELODIES = 1 << (32 - PLACE_BITS)
"""Melodies that one seed index can hold."""
LEAST_BITS = 5.0
"""Turns that say less are not looked up: repeated notes and scales occur everywhere."""
PASSED_COST = 1.0
"""Bits lost by every interval of the query that a chain passes over."""
SLOTS, BAND = 4, 2
"""Chains kept a melody; diagonals are kept apart by 2 ** `BAND`."""
_SYMBOLS = 2 * MAX_INTERVAL + 1


@dataclass(frozen=True, eq=False)
class Seeds:
    """Where turns occur.

    Attributes
    ----------
    turn : ndarray of uint32, shape (turns,)
        Numbers of the turns that occur, increasing.
    begin : ndarray of uint32, shape (turns + 1,)
        First posting of each.
    posting : ndarray of uint32, shape (postings,)
        Melody and first note of every occurrence, in order within a turn.
    melodies : int
        In how many melodies was looked.
    """

    turn: NDArray[np.uint32]
    begin: NDArray[np.uint32]
    posting: NDArray[np.uint32]
    melodies: int


def turn_numbers(interval: NDArray[np.integer]) -> NDArray[np.uint32]:
    """Give a number to the turn that begins at every interval: [n] to [n - SEED + 1]."""
    count = max(len(interval) - SEED + 1, 0)
    number = np.zeros(count, np.uint32)
    for k in range(SEED):
        symbol = interval[k : k + count].astype(np.int64) + MAX_INTERVAL
        number = number * np.uint32(_SYMBOLS) + symbol.astype(np.uint32)
    return number


def build_seeds(notes: Melodies) -> Seeds:
    """Index the turns of melodies.

    Parameters
    ----------
    notes : Melodies
        At most `MOST_MELODIES`.

    Returns
    -------
    Seeds
    """
    lengths = notes.lengths
    number = turn_numbers(notes.interval)
    melody = np.repeat(np.arange(len(notes)), lengths)[: len(number)]
    place = np.arange(len(number)) - notes.start[melody]
    # The last entry of a melody leads nowhere: a turn must end before it.
    inside = np.flatnonzero(place + SEED < lengths[melody])
    last = (1 << PLACE_BITS) - 1
    posting = (melody[inside] << PLACE_BITS | np.minimum(place[inside], last)).astype(np.uint32)
    number = number[inside]
    order = np.argsort(number, kind="stable")
    turn, first = np.unique(number[order], return_index=True)
    begin = np.append(first, len(order)).astype(np.uint32)
    return Seeds(turn, begin, posting[order], len(notes))


def melodies_with(seeds: Seeds, interval: NDArray[np.integer]) -> NDArray[np.int64]:
    """Find the melodies in which a turn occurs.

    Parameters
    ----------
    seeds : Seeds
    interval : ndarray of int, shape (SEED,)
        The turn.

    Returns
    -------
    ndarray of int64
        Melodies, increasing.
    """
    number = turn_numbers(interval)[0]
    row = int(np.searchsorted(seeds.turn, number))
    if row == len(seeds.turn) or seeds.turn[row] != number:
        return np.zeros(0, np.int64)
    found = seeds.posting[seeds.begin[row] : seeds.begin[row + 1]] >> PLACE_BITS
    return np.unique(found).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Turns:
    """Turns of a query, to be looked up.

    Attributes
    ----------
    number : ndarray of uint32, shape (n,)
        Of the turns, by where they begin in the query.
    begin, end : ndarray of int32, shape (n,)
        Intervals of the query that each covers.
    worth : ndarray of float32, shape (intervals + 1,)
        What the intervals before each place say together, in bits.
    """

    number: NDArray[np.uint32]
    begin: NDArray[np.int32]
    end: NDArray[np.int32]
    worth: NDArray[np.float32]


def turns_of(query: Sequence, rarity: Rarity) -> Turns:
    """Choose the turns of a query that are worth looking up.

    Parameters
    ----------
    query : Sequence
    rarity : Rarity
        Of the library.

    Returns
    -------
    Turns
    """
    interval = query.interval.astype(np.int64)
    n = len(interval)
    padded = np.append(query.interval, np.int8(0))
    everything = np.full(len(padded), np.inf, np.float32)
    bits = surprisal(rarity, padded, np.array([0, len(padded)]), everything)[1:]
    worth = np.concatenate([[0.0], np.cumsum(bits, dtype=np.float64)]).astype(np.float32)
    numbers = [turn_numbers(interval)]
    begins: list[NDArray[np.int64]] = [np.arange(len(numbers[0]), dtype=np.int64)]
    ends = [begins[0] + SEED]
    # The same with a note left out: two intervals become one. At the ends it would be a shorter turn.
    for k in range(SEED):
        count = max(n - SEED, 0)
        rows = [interval[j + (j > k) : j + (j > k) + count] for j in range(SEED)]
        rows[k] = fold_leaps(rows[k] + interval[k + 1 : k + 1 + count]).astype(np.int64)
        shorter = np.zeros(count, np.int64)
        for row in rows:
            shorter = shorter * _SYMBOLS + row + MAX_INTERVAL
        numbers.append(shorter.astype(np.uint32))
        begins.append(np.arange(count))
        ends.append(begins[-1] + SEED + 1)
    number, begin, end = (np.concatenate(part) for part in (numbers, begins, ends))
    told = worth[end] - worth[begin] >= LEAST_BITS
    order = np.flatnonzero(told)[np.lexsort((number[told], begin[told]))]
    return Turns(
        number[order].astype(np.uint32),
        begin[order].astype(np.int32),
        end[order].astype(np.int32),
        worth,
    )


@cache
def _chain() -> Any:
    """Compile the kernel; numba is imported only by libraries that are large enough."""
    from melodysim.align.seed_kernels import chain

    return chain


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
    best = np.zeros(seeds.melodies, np.float32)
    if not len(seeds.turn) or not len(turns.number):
        return best
    nearest = np.minimum(np.searchsorted(seeds.turn, turns.number), len(seeds.turn) - 1)
    there = np.flatnonzero(seeds.turn[nearest] == turns.number)
    row = nearest[there]
    _chain()(
        seeds.begin[row],
        seeds.begin[row + 1],
        turns.begin[there],
        turns.end[there],
        turns.worth,
        seeds.posting,
        best,
    )
    return best
