"""How alike two recordings are, when neither's melody is known.

A transcribed line of a recording is wrong in many notes, and which of its lines is the tune is a guess,
so no single comparison says much. Therefore all comparisons are made: each recording is listened to for
each line of the other, and each line of one is aligned with each line of the other. Averaging their
standardised scores reduces the noise. Part of the score of the *reversed* lines is subtracted: these
have the same notes and rhythms but another tune, so they score what key, range and repetition alone
bring (the reverse null model of Karplus et al. 2005).

This is one test. Where one line of one recording is clean, the best single comparison is the better
test, so both are made and their p-values combined by the harmonic mean. docs/research/hearing.md has
the results of other ways.

Neither test was tried on recordings of a few notes, or of one repeated note. So no two recordings are
called more alike than the heard notes of a line are rare, and a line that is followed backwards as well
is no tune.
"""

from __future__ import annotations

import numpy as np

from melodysim.align.corpus import counts_of, lay_melodies
from melodysim.align.surprisal import rarity_of, surprisal
from melodysim.intervals import normalise
from melodysim.melody import Melody, Piece, without_overlap
from melodysim.search.e_values import Background, harmonic_mean
from melodysim.search.likeness.listener import Standings
from melodysim.search.match import Match

BACKWARDS = 0.5
"""Share of the score of the reversed lines that is subtracted."""
CHANCE = Background(mode=0.41, per_log_length=0.0, scale=0.53)
ALONE = Background(mode=1.22, per_log_length=0.0, scale=1.46)
"""Of the average, and of the better of the likeliest lines, among unrelated recordings: 60 pairs of
real ones and 60 of rendered songs."""
FOLLOWED = 3.0
"""Standardised score from which a reversed line is followed better than chance: what is above it is
subtracted in full, from the average and from the best single comparison."""
SMALLEST_P = 1e-300


def lines_both_ways(work: Piece) -> list[Melody]:
    """Return the lines of a recording, and then each as it is backwards."""
    return [*work.melodies, *(_retrograde(melody) for melody in work.melodies)]


def p_value_of_likeness(there: Standings, back: Standings) -> float:
    """Return the probability that unrelated recordings are so much alike.

    Parameters
    ----------
    there, back : Standings
        Of the lines of the one in the other (`lines_both_ways`), and the other way round. Which of them
        comes first makes no difference.
    """
    ways = [_one_way(standings) for standings in (there, back)]
    average = float(np.mean([said for said, _ in ways]))
    highest = max(most for _, most in ways)
    together = float(CHANCE.p_value(average, 1))
    alone = float(ALONE.p_value(highest, 1))
    return harmonic_mean(np.clip([together, alone], SMALLEST_P, 1))


def promise_of(standings: Standings) -> float:
    """Return how promising a recording is by one way of listening alone: the higher, the more alike.

    Parameters
    ----------
    standings : Standings
        Of its lines in the other recording (`lines_both_ways`).
    """
    average, most = _one_way(standings)
    return max(float(CHANCE.standardised(average, 1)), float(ALONE.standardised(most, 1)))


def p_value_of_notes(match: Match, background: list[Melody]) -> float:
    """Return the probability of the intervals between consecutive notes that were both heard.

    Parameters
    ----------
    match : Match
        Of a recording that was listened to.
    background : list of Melody
        Unrelated melodies: the interval model is fitted to them and the one that was heard.
    """
    assert match.listening is not None
    melody = match.reference_melody
    laid = lay_melodies([normalise(each) for each in (melody, *background)])
    rarity = rarity_of(counts_of(laid))
    bits = surprisal(rarity, laid.interval, laid.start, laid.own)[: len(melody)]
    heard = np.zeros(len(melody), bool)
    heard[match.listening.note[match.listening.heard]] = True
    said = float(bits[1:][heard[1:] & heard[:-1]].sum())
    return max(2.0**-said, SMALLEST_P)


def _one_way(standings: Standings) -> tuple[float, float]:
    """Return what lines score in a recording, less part of what they score backwards.

    First on average; then what the likeliest line scores by itself, less what it is followed backwards.
    """
    forwards, backwards = np.split((standings.listened + standings.aligned.mean(axis=0)) / 2, 2)
    turned = float(backwards.mean())
    by_chance = BACKWARDS * min(turned, FOLLOWED) + max(turned - FOLLOWED, 0)
    first, first_turned = standings.listened[0], standings.listened[len(forwards)]
    most = first - max(first_turned - FOLLOWED, 0)
    return float(forwards.mean()) - by_chance, float(most)


def _retrograde(melody: Melody) -> Melody:
    """Return a melody as it sounds when a recording of it is played backwards."""
    # Notes that sound on over the next would begin before it, or with it.
    _, duration = without_overlap(melody.onset, melody.duration)
    return Melody.from_notes(
        (melody.end - melody.onset - duration)[::-1],
        duration[::-1],
        melody.pitch[::-1],
        melody.confidence[::-1],
        voice=melody.voice,
    )
