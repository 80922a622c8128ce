"""How alike two recordings are, when neither's melody is known.

A transcribed line of a recording is wrong in many notes, and which of its lines is the tune is a guess;
so no single comparison says much. Every one there is says a little: each recording listened to for each
line of the other, and each line of the one aligned with each of the other's. Their standardised scores
are averaged, which takes out what is luck in them. What the other's lines say *backwards* is taken off
in part: they have the same notes and rhythms but another tune, so that is what key, range and
repetition alone bring (the reverse null model of Karplus et al. 2005).

That is one test. Where one line of one recording is clean, the best single comparison is a better one,
so both are made and put together by their harmonic mean. docs/hearing.md has what other ways brought.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from melodysim.library import Entry, MemoryShelf, Reference
from melodysim.matching import standings
from melodysim.melody import Melody, Piece
from melodysim.rights import Rights
from melodysim.significance import Background, harmonic_mean

BACKWARDS = 0.5
"""Share of what the lines say backwards that is taken off."""
CHANCE = Background(mode=0.26, per_log_length=0.0, scale=0.55)
"""Of the average, among recordings that have nothing to do with each other: of 98 real pairs and 190 of
rendered songs."""
UNIT = Background(mode=0.0, per_log_length=0.0, scale=1.0)
"""Of standardised scores."""
SMALLEST_P = 1e-300


def p_value_of_likeness(
    one: Piece, other: Piece, best: float, background: list[Melody], threads: int = 1
) -> float:
    """Say how probable it is that unrelated recordings are so much alike.

    Parameters
    ----------
    one, other : Piece
        With `heard` and at least one melody.
    best : float
        The highest standardised score of either's likeliest line in the other.
    background : list of Melody
        Unrelated melodies to measure chance on.
    threads : int, optional
        Threads to use; the result does not depend on it.

    Returns
    -------
    float
        The same whichever recording comes first.
    """
    average = (
        _one_way(one, other, background, threads) + _one_way(other, one, background, threads)
    ) / 2
    together = float(CHANCE.p_value(average, 1))
    alone = 2 * float(UNIT.p_value(best, 1))  # the better of two
    return harmonic_mean(np.clip([together, alone], SMALLEST_P, 1))


def _one_way(query: Piece, work: Piece, background: list[Melody], threads: int) -> float:
    """Listen for the lines of a work, and align a query's with them; less what they say backwards."""
    lines = [*work.melodies, *(_retrograde(melody) for melody in work.melodies)]
    nobody = Entry("", "", None, work.source, Rights("unknown"))
    # An index is in the order of its ids.
    references = [Reference(replace(nobody, id=f"{k:03}"), line) for k, line in enumerate(lines)]
    shelf = MemoryShelf(references, background)
    mine = np.arange(len(lines))
    alone = [replace(query, heard=None, melodies=(melody,)) for melody in query.melodies]
    listened = standings(query, shelf, mine, threads)
    aligned = np.mean([standings(line, shelf, mine, threads) for line in alone], axis=0)
    forwards, backwards = np.split((listened + aligned) / 2, 2)
    return float(forwards.mean() - BACKWARDS * backwards.mean())


def _retrograde(melody: Melody) -> Melody:
    """Give a melody as it is when a recording of it is played backwards."""
    return Melody.from_notes(
        (melody.end - melody.onset - melody.duration)[::-1],
        melody.duration[::-1],
        melody.pitch[::-1],
        melody.confidence[::-1],
        voice=melody.voice,
    )
