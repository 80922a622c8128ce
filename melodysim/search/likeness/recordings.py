"""The recordings of a library: each is compared with a track as a whole, not by its line alone.

The library keeps what was heard of a recording. A line of it is one of the library's melodies, but
that is a guess, and wrong in many notes. So those that are promising by their lines are compared with
the track as two works are (`pairs`). Their E-values are among the library's recordings: how many
of these would be so much like an unrelated track.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from melodysim.library import Entry
from melodysim.melody import Piece
from melodysim.search.e_values import harmonic_mean
from melodysim.search.likeness.listener import Standings
from melodysim.search.likeness.listeners import Listeners
from melodysim.search.likeness.pairs import passage_of_notes, passage_of_recordings
from melodysim.search.likeness.two_recordings import SMALLEST_P, likeness_one_way, lines_both_ways
from melodysim.search.match import DESCRIBED, Match

COMPARED = 4
"""Recordings that are listened to for the track's lines, of those that it was listened to for. Of 95
that come first among 72 by both, the track's own is among the best 4 by one."""


@dataclass(frozen=True, eq=False)
class Recorded:
    """A recording of the library.

    Attributes
    ----------
    entry : Entry
        As the library has it.
    piece : Piece
        As it was heard.
    digest : str
        Of what was heard.
    """

    entry: Entry
    piece: Piece
    digest: str


@dataclass(frozen=True, eq=False)
class Compared:
    """What came of comparing a track with a recording of the library.

    Attributes
    ----------
    e_value : float
        Recordings of the library that an unrelated track would be so much like.
    match : Match or None
        The passage in common; None where chance explains it, or there is none.
    """

    e_value: float
    match: Match | None


def compare_recorded(
    piece: Piece,
    promising: list[Recorded],
    among: int,
    listeners: Listeners,
    threads: int = 1,
    tick: Callable[[], None] = lambda: None,
) -> dict[str, Compared]:
    """Compare a track with the promising recordings of a library.

    Parameters
    ----------
    piece : Piece
        With at least one melody. Of notes, a recording is listened to for them alone: with its line
        they are aligned as with every melody of the library.
    promising : list of Recorded
    among : int
        Recordings of the library.
    listeners : Listeners
    threads : int, optional
    tick : callable, optional
        Called before each comparison; raises to stop.

    Returns
    -------
    dict of str to Compared
        By id.
    """
    compared, worth = {}, DESCRIBED / max(among, 1)
    for recording, there in _most_alike(piece, promising, listeners, threads, tick):
        tick()
        theirs, entry = listeners.of(recording.piece, recording.digest), recording.entry
        if piece.heard is not None:
            found = passage_of_recordings(listeners.of(piece), theirs, threads, worth, there)
        else:
            found = passage_of_notes(piece, theirs, threads, worth, there)
        e_value, match = found[0] * among, found[1]
        if match is not None:
            entry = replace(entry, voice=match.reference.voice)
            # How common a turn is was counted among the unrelated melodies, not in the library.
            match = replace(match, reference=entry, e_value=e_value, recorded=True, turn=None)
        compared[entry.id] = Compared(e_value, match)
    return compared


def with_recorded(
    matches: list[Match], lines: dict[str, float], compared: dict[str, Compared]
) -> list[Match]:
    """Put the matches of recordings as wholes beside those of their lines, the smallest E-value first.

    The harmonic mean of both E-values counts, as a recording is given two chances, and the better match
    is shown.

    Parameters
    ----------
    matches : list of Match
        Of lines.
    lines : dict of str to float
        E-value of the line of each recording, by id.
    compared : dict of str to Compared
        What came of comparing with recordings, by id.
    """
    by_line = {match.reference.id: match for match in matches}
    both = {name: match for name, match in by_line.items() if name not in compared}
    for name, whole in compared.items():
        found = [each for each in (by_line.get(name), whole.match) if each is not None]
        if found:
            e_value = harmonic_mean(np.maximum([lines[name], whole.e_value], SMALLEST_P))
            both[name] = replace(min(found, key=lambda each: each.e_value), e_value=e_value)
    return sorted(both.values(), key=lambda each: (each.e_value, -each.standardised))


def _most_alike(
    piece: Piece,
    promising: list[Recorded],
    listeners: Listeners,
    threads: int,
    tick: Callable[[], None],
) -> list[tuple[Recorded, Standings | None]]:
    """Choose the recordings to compare with a track in full: `COMPARED` of them.

    A recording is listened to for the lines of each; for notes, each of them is listened to. How all of
    that stands is returned as well.
    """
    if len(promising) <= COMPARED:
        return [(recording, None) for recording in promising]
    if piece.heard is not None:
        lines = [lines_both_ways(recording.piece) for recording in promising]
        tick()
        every = listeners.of(piece).standings([line for some in lines for line in some], threads)
        bounds = np.cumsum([0, *map(len, lines)])
        known = [every.taken(slice(lo, hi)) for lo, hi in pairwise(bounds)]
        promise = [likeness_one_way(there) for there in known]
    else:
        known = []
        for recording in promising:
            tick()
            listener = listeners.of(recording.piece, recording.digest)
            known.append(listener.standings(list(piece.melodies), threads))
        promise = [float(there.listened.max()) for there in known]
    best = np.argsort(-np.array(promise), kind="stable")[:COMPARED]
    return [(promising[k], known[k]) for k in best]
