"""What a melody says for the first time, and what it says again.

A figure that is played four times is one figure: that two melodies share it is one piece of evidence
and not four. So each note has a freshness: 1 where the turn that leads to it is new, less where the
same turn has come before in the same melody, and next to nothing once that turn is a figure of several
intervals. An alignment earns the freshness of the fresher of its two notes (`melodysim.align.dtw`): a
refrain that comes back in the track may follow any of its places, but a figure that both works repeat
counts once.

Compression says the same: what a coder could have copied from what went before costs it no bits
(Ziv & Lempel 1977); models of melodic expectation call it the short-term model (Conklin & Witten 1995).

Conventions: a turn is a run of intervals; rhythm does not count, since a figure in another rhythm is
still the figure. Melodies lie end to end, as in `melodysim.align.corpus`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from melodysim.intervals import MAX_INTERVAL, Sequence

FRESHNESS = (1.0, 1.0, 1.0, 0.8, 0.375, 0.25)
"""Freshness of a note, by the number of intervals in the longest turn that leads to it and came before;
the last for all longer ones. Three intervals recur in any tune by chance, five do not
(docs/research/catalogue.md)."""
NEW = 0.5
"""Freshness from which a note counts as distinct."""
_SYMBOLS = 2 * MAX_INTERVAL + 1


def freshness(interval: NDArray[np.int8], start: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return how new each note is in its own melody.

    Parameters
    ----------
    interval : ndarray of int8, shape (notes,)
        From each note to the next, of melodies end to end; that of a melody's last note is not used.
    start : ndarray of int64, shape (melodies + 1,)
        Where each melody begins.

    Returns
    -------
    ndarray of float32, shape (notes,)
        1 for a note that no earlier turn leads to, down to the last of `FRESHNESS`.
    """
    return np.array(FRESHNESS, np.float32)[turns_before(interval, start)]


def own_freshness(sequence: Sequence) -> NDArray[np.float32]:
    """Return how new each note of one melody is: `freshness` of float32, shape (n,)."""
    start = np.array([0, len(sequence)])
    return freshness(np.append(sequence.interval, np.int8(0))[: len(sequence)], start)


def path_freshness(
    query: NDArray[np.float32], reference: NDArray[np.float32], path: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return how new each pair of aligned notes is: as the fresher of its two notes.

    Parameters
    ----------
    query, reference : ndarray of float32
        Freshness of the notes of either melody.
    path : ndarray of int64, shape (k, 2)
        Pairs of a note of the query and a note of the reference.

    Returns
    -------
    ndarray of float32, shape (k,)
        0 for the first pair, which no interval leads to.
    """
    fresh = np.maximum(query[path[:, 0]], reference[path[:, 1]])
    fresh[:1] = 0
    return fresh


def turns_before(interval: NDArray[np.int8], start: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the length of the longest turn that leads to each note and came before.

    Parameters
    ----------
    interval, start
        As for `freshness`.

    Returns
    -------
    ndarray of int64, shape (notes,)
        Intervals; 0 where even the last one is new, or `FRESHNESS` does not tell, and at most what it
        tells apart.
    """
    lengths = np.diff(start)
    place = np.arange(len(interval)) - np.repeat(start[:-1], lengths)
    melody = np.repeat(np.arange(len(lengths)), lengths)
    longest = np.zeros(len(interval), np.int64)
    # The interval that leads to each note, as a digit.
    digit = np.zeros(len(interval), np.int64)
    digit[1:] = interval[:-1].astype(np.int64) + MAX_INTERVAL
    code = np.zeros(len(interval), np.int64)
    for turn in range(1, min(len(FRESHNESS), len(interval))):
        back = turn - 1
        code[back:] += _SYMBOLS**back * digit[: len(digit) - back]
        if FRESHNESS[turn] == 1:
            continue
        ends = np.flatnonzero(place >= turn)
        text = melody[ends] * _SYMBOLS**turn + code[ends]
        order = np.argsort(text, kind="stable")
        again = text[order[1:]] == text[order[:-1]]
        longest[ends[order[1:][again]]] = turn
    return longest
