"""How alike two recordings are, when neither's melody is known.

A transcribed line of a recording is wrong in many notes, and which of its lines is the tune is a guess,
so no single comparison says much. Therefore each recording is listened to for each line of the other.
The lines' standardised scores are averaged so that the best of them count the most, and both directions
alike: that reduces the noise, and one line that is the tune is enough. Part of the score of the
*reversed* lines is subtracted: these have the same notes and rhythms but another tune, so they score
what key, range and repetition alone bring (the reverse null model of Karplus et al. 2005).
docs/research/hearing.md has the results of other ways.

No recordings of a few notes, or of one repeated note, were among those that chance was measured on. So
no two recordings are called more alike than the heard notes of a line are rare, and a line that is
followed backwards as well is no tune.
"""

from __future__ import annotations

import numpy as np

from melodysim.align.corpus import counts_of, lay_melodies
from melodysim.align.surprisal import rarity_of, surprisal
from melodysim.intervals import normalise
from melodysim.melody import Melody, Piece, without_overlap
from melodysim.search.e_values import Background
from melodysim.search.likeness.listener import Standings
from melodysim.search.match import Match

BACKWARDS, FOLLOWED = 0.5, 3.0
"""Share of the score of a reversed line that is subtracted; and the score from which it is followed
better than chance: what is above is subtracted in full."""
EVENNESS = 2.0
"""Difference in score at which one line counts a factor e more than another."""
CHANCE = Background(mode=0.26, per_log_length=0.0, scale=1.0)
"""Of the average among unrelated recordings: 3,464 pairs of real ones, rendered songs and hums."""
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
    average = (likeness_one_way(there) + likeness_one_way(back)) / 2
    return float(np.clip(CHANCE.p_value(average, 1), SMALLEST_P, 1))


def likeness_one_way(standings: Standings) -> float:
    """Return what the lines of a recording score in another, less part of what they score backwards.

    The average of a soft maximum: ``EVENNESS * log(mean(exp(score / EVENNESS)))``.

    Parameters
    ----------
    standings : Standings
        Of its lines in the other recording (`lines_both_ways`).
    """
    forwards, backwards = np.split(standings.listened, 2)
    by_chance = BACKWARDS * np.minimum(backwards, FOLLOWED) + np.maximum(backwards - FOLLOWED, 0)
    scores = (forwards - by_chance) / EVENNESS
    highest = scores.max()
    return float(EVENNESS * (highest + np.log(np.mean(np.exp(scores - highest)))))


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
