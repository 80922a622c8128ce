"""Find every place of a track that follows a passage: a refrain follows it more than once.

A track that takes the hook of a work mostly sings it in every refrain. The match is the best of these
places. The rest are found here by the same alignment, against the passage of the reference alone: the
best place is removed from the track and the remainder searched again, until nothing follows the
passage nearly as closely.
"""

from __future__ import annotations

import numpy as np

from melodysim.align.corpus import Corpus, corpus_of, lay_melodies
from melodysim.align.dtw import IN_TIME, Costs, align_path
from melodysim.align.salience_dtw import scan_heard, trace_heard
from melodysim.align.salience_evidence import prepare_evidence
from melodysim.align.surprisal import Rarity
from melodysim.intervals import normalise
from melodysim.melody import FEWEST_NOTES, Melody, SemitoneSalience

AS_CLOSELY = 0.7
"""Share of the passage's best score that another place must reach. Chance on one passage of 12 notes
reaches 0.4 of a score that is significant in a library of thousands."""
LEAST_FOLLOWED = 0.5
"""Share of the passage's notes that a place must follow."""
MOST_PLACES = 40


def _passage(reference: Melody, notes: tuple[int, int], rarity: Rarity) -> Corpus:
    """Return a corpus whose only reference is a passage of a reference."""
    return corpus_of(lay_melodies([normalise(reference[slice(*notes)])]), rarity)


def places_in_melody(
    melody: Melody, reference: Melody, notes: tuple[int, int], rarity: Rarity, costs: Costs = IN_TIME
) -> list[tuple[int, int]]:
    """Find every place of a melody that follows a passage.

    Parameters
    ----------
    melody : Melody
        Of the track.
    reference : Melody
    notes : (int, int)
        First note of the passage in the reference, and the one after the last.
    rarity : Rarity
        Of the library.
    costs : Costs, optional
        Costs of the alignment.

    Returns
    -------
    list of (int, int)
        First note in the melody, and the one after the last, in order; they do not overlap.
    """
    passage = _passage(reference, notes, rarity)
    least = 0.0
    found: list[tuple[int, int]] = []
    ranges = [(0, len(melody))]
    while ranges and len(found) < MOST_PLACES:
        low, high = ranges.pop()
        if high - low < FEWEST_NOTES:
            continue
        way = align_path(normalise(melody[low:high]), passage, 0, costs)
        if way.score < least or len(way.path) < LEAST_FOLLOWED * (notes[1] - notes[0]):
            continue
        # The first one found is the best of all.
        least = max(least, AS_CLOSELY * way.score)
        first, last = low + int(way.path[0, 0]), low + int(way.path[-1, 0]) + 1
        found.append((first, last))
        ranges += [(low, first), (last, high)]
    return sorted(found)


def places_in_recording(
    heard: SemitoneSalience, reference: Melody, notes: tuple[int, int], rarity: Rarity
) -> list[tuple[float, float]]:
    """Find every place of a recording in which a passage is heard.

    Parameters
    ----------
    heard : SemitoneSalience
        Of the recording.
    reference, notes, rarity
        As for `places_in_melody`.

    Returns
    -------
    list of (float, float)
        Seconds, in order; they do not overlap.
    """
    passage = _passage(reference, notes, rarity)
    least, found = 0, np.zeros((0, 2))
    while len(found) < MOST_PLACES:
        evidence = prepare_evidence(heard, silenced=found)
        best = scan_heard(passage, evidence, np.zeros(1, np.int64))[0]
        if best[0] <= 0 or best[0] < least:
            break
        least = max(least, int(AS_CLOSELY * best[0]))
        way = trace_heard(passage, evidence, heard, 0, best)
        if way.heard.sum() < LEAST_FOLLOWED * (notes[1] - notes[0]):
            break
        found = np.vstack([found, (way.begin[0], way.end[-1])])
    return [(float(begin), float(end)) for begin, end in found[np.argsort(found[:, 0])]]
