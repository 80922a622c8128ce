"""Two works side by side: the passage that they have in common, and how probable it is by chance.

Works are judged by pitch alone, whatever the rhythm: other words force other rhythms, and published
comparisons of court cases (percent melodic identity; Savage et al. 2018) go by pitch too.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from melodysim.library import Entry, Reference, shelf_of_work
from melodysim.library.rights import Rights
from melodysim.melody import Melody, Piece
from melodysim.search.e_values import harmonic_mean, standardised_of
from melodysim.search.hypothesis import Hypothesis
from melodysim.search.likeness.listener import Listener, Standings
from melodysim.search.likeness.listeners import Listeners
from melodysim.search.likeness.two_recordings import (
    SMALLEST_P,
    lines_both_ways,
    p_value_of_likeness,
    p_value_of_notes,
)
from melodysim.search.match import Match, Span
from melodysim.search.pipeline import find_passage, trace_passage


def passage_in_common(
    new: Piece, earlier: Piece, listeners: Listeners, threads: int = 1
) -> Match | None:
    """Find the passage that a work has in common with an earlier one; None if there is none.

    Parameters
    ----------
    new, earlier : Piece
        Each with at least one melody.
    listeners : Listeners
        Prepares those that are recordings.
    threads : int, optional

    Returns
    -------
    Match or None
        Its E-value is the probability that unrelated works are so much alike; `standardised` is
        higher for more alike, and comparable between pairs.
    """
    if new.heard is not None and earlier.heard is not None:
        return passage_of_recordings(listeners.of(new), listeners.of(earlier), threads)[1]
    if new.heard is not None:
        return heard_passage(listeners.of(new), earlier, threads)
    match = _aligned_passage(new, earlier, listeners.unrelated.melodies, threads)
    if earlier.heard is None:
        return match
    # Its lines are a guess: it is listened to for the new work's notes too.
    turned = passage_of_notes(new, listeners.of(earlier), threads)[1]
    if turned is None:
        return match
    ways = [each.e_value if each else 1.0 for each in (match, turned)]
    p_value = harmonic_mean(np.clip(ways, SMALLEST_P, 1))
    best = match if match and ways[0] <= ways[1] else turned
    return replace(best, e_value=p_value, standardised=standardised_of(p_value))


def passage_of_recordings(
    new: Listener,
    earlier: Listener,
    threads: int = 1,
    worth: float = np.inf,
    there: Standings | None = None,
) -> tuple[float, Match | None]:
    """Listen to two recordings for each other's lines: which of them is transcribed better is luck.

    Parameters
    ----------
    new, earlier : Listener
    threads : int, optional
    worth : float, optional
        P-value from which a passage is not worth tracing.
    there : Standings, optional
        Of the earlier recording's `lines_both_ways` in the new one, if they are known.

    Returns
    -------
    p_value : float
        Probability that unrelated recordings are so much alike.
    passage : Match or None
        The passage that they have in common, if there is one.
    """
    there = there or new.standings(lines_both_ways(earlier.piece), threads)
    back = earlier.standings(lines_both_ways(new.piece), threads)
    p_value = p_value_of_likeness(there, back)
    if p_value >= worth:
        return p_value, None
    match = heard_passage(new, earlier.piece, threads, there)
    turned = heard_passage(earlier, new.piece, threads, back)
    passages = [found for found in (match, turned) if found]
    if not passages:  # without a passage in common there is no likeness
        return 1.0, None
    # The passage says where; all ways of listening together say how surely.
    background = new.unrelated.melodies
    p_value = max(p_value, min(p_value_of_notes(found, background) for found in passages))
    best = passages[0]
    if turned and (match is None or turned.standardised > match.standardised):
        best = _turned(turned, new.piece, earlier.piece)
    return p_value, replace(best, e_value=p_value, standardised=standardised_of(p_value))


def passage_of_notes(
    new: Piece,
    earlier: Listener,
    threads: int = 1,
    worth: float = np.inf,
    standings: Standings | None = None,
) -> tuple[float, Match | None]:
    """Listen to a recording for the melodies of a work of notes.

    Parameters
    ----------
    new : Piece
    earlier : Listener
    threads : int, optional
    worth : float, optional
        P-value from which a passage is not worth tracing.
    standings : Standings, optional
        Of the melodies in the recording, if they are known.

    Returns
    -------
    p_value : float
        Probability that one of so many unrelated melodies is heard so well.
    passage : Match or None
        The passage that they have in common, if there is one.
    """
    standings = standings or earlier.standings(list(new.melodies), threads)
    p_value = float(standings.p_value.min()) * len(new.melodies)
    if p_value >= worth:
        return p_value, None
    found = heard_passage(earlier, new, threads, standings)
    return p_value, None if found is None else _turned(found, new, earlier.piece)


def heard_passage(
    listener: Listener, work: Piece, threads: int = 1, standings: Standings | None = None
) -> Match | None:
    """Find the passage of a recording that follows a work best; None if it follows none.

    Parameters
    ----------
    listener : Listener
        The recording.
    work : Piece
        Of a recording, the likeliest line alone is looked for.
    threads : int, optional
    standings : Standings, optional
        Of those melodies, and maybe of others after them.
    """
    melodies = work.melodies if work.heard is None else work.melodies[:1]
    count = len(melodies)
    standings = standings or listener.standings(list(melodies), threads)
    chance = listener.chance.together
    reading = Hypothesis(
        np.arange(count),
        standings.scores[:count],
        standings.p_value[:count] * count,
        standings.listened[:count],
        (chance, chance),
        None,
        block=standings.block[:count],
    )
    references = [Reference(_entry(work, k), melody) for k, melody in enumerate(melodies)]
    shelf = shelf_of_work(references, listener.unrelated.melodies)
    return trace_passage(listener.piece, shelf, reading)


def _turned(match: Match, new: Piece, earlier: Piece) -> Match:
    """Swap the works in a match of the earlier recording with the new one.

    The earlier recording was listened to, so its notes are those that were heard: its transcribed lines
    may have none in that place.
    """
    heard = match.listening
    assert heard is not None
    sung, line = heard.heard, match.reference_melody
    notes = heard.note[sung]
    theirs = Melody.from_notes(
        heard.begin[sung],
        (heard.end - heard.begin)[sung],
        line.pitch[notes] + match.transposition,
        voice=match.voice,
    )
    return replace(
        match,
        reference=replace(_entry(earlier, 0), voice=match.voice),
        reference_melody=theirs,
        query=match.reference_span,
        reference_span=Span((0, len(theirs)), (float(heard.begin[0]), float(heard.end[-1]))),
        transposition=-match.transposition,
        tempo_ratio=1 / match.tempo_ratio,
        path=np.stack([notes, np.arange(len(theirs))], axis=1),
        melody=int(match.reference.id),
        voice=match.reference.voice,
        turn=None,
        places=(),  # turn and places are the earlier work's
        listening=None,
    )


def _entry(work: Piece, melody: int) -> Entry:
    """Make a library entry for a melody of a work that is in no library.

    An index is in the order of its ids: they sort as the melodies do.
    """
    title = work.title or Path(work.source).name
    voice = work.melodies[melody].voice
    return Entry(f"{melody:03}", title, work.creator, work.source, Rights("unknown"), voice)


def _aligned_passage(new: Piece, work: Piece, background: list[Melody], threads: int) -> Match | None:
    """Find the passage of a work of notes that follows another work best."""
    melodies = work.melodies if work.heard is None else work.melodies[:1]
    references = [Reference(_entry(work, k), melody) for k, melody in enumerate(melodies)]
    shelf = shelf_of_work(references, background)
    return find_passage(new, shelf, np.arange(len(references)), threads)
