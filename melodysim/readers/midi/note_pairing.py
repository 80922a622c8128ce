"""Notes from note-ons and note-offs, of which some may be missing, doubled or elsewhere.

A note-on that comes again while its note sounds ends the note. A note whose end is missing, or is the
beginning of another, ends with the next onset of its track or after a bar, whichever comes first: what
follows it in the file says more about its length than an end that belongs to another note.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from melodysim.readers.midi.events import TrackEvents

BAR = 4
"""Quarter notes after which a note without an end is over."""
_LATE = 0.125
"""Quarter notes by which the end of a note may come after the next note of its pitch has begun."""
_NEVER = np.int64(1) << 60
_NEVER_APART = np.int64(1) << 35
"""More than any tick: a key times this plus a tick sorts by both."""


@dataclass(frozen=True, eq=False)
class PairedNotes:
    """Notes of all tracks, in order of track, then of onset.

    Attributes
    ----------
    track, onset, end, channel, pitch, velocity : ndarray of int64, shape (n,)
        `onset` and `end` in ticks; a note of no length ends where it begins.
    unended : int
        How many had no note-off of their own.
    """

    track: NDArray[np.int64]
    onset: NDArray[np.int64]
    end: NDArray[np.int64]
    channel: NDArray[np.int64]
    pitch: NDArray[np.int64]
    velocity: NDArray[np.int64]
    unended: int


def pair_notes(tracks: tuple[TrackEvents, ...], quarter: float) -> PairedNotes:
    """Pair the note-ons and note-offs of all tracks.

    Parameters
    ----------
    tracks : tuple of TrackEvents
    quarter : float
        Ticks of a quarter note.
    """
    table = np.concatenate([np.zeros((0, 4), np.int64), *(track.notes for track in tracks)])
    track = np.repeat(np.arange(len(tracks)), [len(t.notes) for t in tracks])
    tick, channel, pitch, velocity = table.T
    key, on = (track * 16 + channel) * 128 + pitch, velocity > 0
    order = _sorted(tick, key, on)
    late, cut = _late_ends(tick[order], key[order], on[order], quarter)
    cut, order = cut[~late], order[~late]
    tick, key, on = tick[order], key[order], on[order]
    follows = np.append(key[1:] == key[:-1], False) if len(key) else np.zeros(0, bool)
    following = np.where(follows, np.append(tick[1:], _NEVER)[: len(tick)], _NEVER)
    ended = cut | (follows & np.append(~on[1:], False)[: len(on)])
    begins = np.flatnonzero(on)
    paired = _Columns(track[order[begins]], tick[begins], key[begins], following[begins])
    unended = np.flatnonzero(~ended[begins])
    if len(unended):
        spare = np.flatnonzero(~on & ~np.append(False, on[:-1] & follows[:-1]))
        elsewhere = np.full(len(unended), _NEVER)
        for here in np.unique(paired.track[unended]) if len(spare) else ():
            mine = paired.track[unended] == here
            other = spare[track[order[spare]] != here]
            elsewhere[mine] = _ends_elsewhere(paired, unended[mine], key[other], tick[other])
        paired.end[unended] = np.minimum(
            paired.end[unended],
            np.where(elsewhere < _NEVER, elsewhere, _by_next_onset(paired, unended, quarter)),
        )
        unended = unended[elsewhere == _NEVER]
    velocity = velocity[order[begins]]
    # Of two note-ons of a pitch in one moment, the one that is ended sounds.
    kept = np.append(np.diff(paired.key * _NEVER_APART + paired.onset) != 0, True)[: len(begins)]
    final = np.flatnonzero(kept)
    final = final[np.lexsort((-paired.key[final], paired.onset[final], paired.track[final]))]
    return PairedNotes(
        paired.track[final], paired.onset[final], paired.end[final],
        paired.key[final] // 128 % 16, paired.key[final] % 128, velocity[final],
        int(kept[unended].sum()),
    )  # fmt: skip


def _sorted(tick: NDArray[np.int64], key: NDArray[np.int64], on: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Order events by key, then by tick, and in one tick as they were meant.

    Where one note of a pitch ends as the next begins, files have the two events in either order: the
    end comes first. It comes last only where nothing sounds that it could end: a note of no length.
    """
    order = np.lexsort((on, tick, key))
    tick, key, on = tick[order], key[order], on[order]
    if len(order) < 2:
        return order
    same = key[:-1] == key[1:]
    pair = ~on[:-1] & on[1:] & same & (tick[:-1] == tick[1:]) & (order[:-1] > order[1:])
    for k in np.flatnonzero(pair).tolist():
        if k and on[k - 1] and same[k - 1]:
            continue  # it ends what sounds
        order[k], order[k + 1] = order[k + 1], order[k]
        on[k], on[k + 1] = True, False
    return order


def _late_ends(
    tick: NDArray[np.int64], key: NDArray[np.int64], on: NDArray[np.bool_], quarter: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Find note-offs that come just after the next note-on of their pitch: a legato of one pitch.

    Returns
    -------
    late : ndarray of bool, shape (n,)
        Note-offs that end the note before the one that they follow.
    cut : ndarray of bool, shape (n,)
        Note-ons of the notes that they end, and that the next note-on has cut off.
    """
    late, cut = np.zeros(len(on), bool), np.zeros(len(on), bool)
    if len(on) < 4:
        return late, cut
    near = quarter * _LATE
    soon = ~on[2:] & on[1:-1] & (key[2:] == key[:-2]) & (tick[2:] - tick[1:-1] <= near)
    soon &= tick[1:-1] - tick[:-2] > near
    for k in (np.flatnonzero(soon) + 2).tolist():
        ended = k - 2 if on[k - 2] else k - 3
        if (on[k - 2] or late[k - 2]) and k + 1 < len(on) and key[k + 1] == key[k]:
            late[k] = cut[ended] = True
    return late, cut


class _Columns(NamedTuple):
    """Notes while they are paired, in order of key (track, channel, pitch), then of onset."""

    track: NDArray[np.int64]
    onset: NDArray[np.int64]
    key: NDArray[np.int64]
    end: NDArray[np.int64]


def _ends_elsewhere(
    notes: _Columns, which: NDArray[np.intp], key: NDArray[np.int64], tick: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Find the note-offs that end some notes in another track of the same channel; else `_NEVER`.

    `key` and `tick` are of the note-offs that end nothing in their own track.
    """
    order = np.lexsort((tick, key % 2048))
    place = (key % 2048)[order] * _NEVER_APART + tick[order]
    wanted = notes.key[which] % 2048 * _NEVER_APART + notes.onset[which]
    found = np.searchsorted(place, wanted, side="right")
    inside = found < len(place)
    found = np.minimum(found, max(len(place) - 1, 0))
    if not len(place):
        return np.full(len(which), _NEVER)
    same = inside & (place[found] // _NEVER_APART == notes.key[which] % 2048)
    return np.where(same, tick[order][found], _NEVER)


def _by_next_onset(notes: _Columns, which: NDArray[np.intp], quarter: float) -> NDArray[np.int64]:
    """Return when some notes end if they end with the next onset of their track, or after a bar."""
    place = np.sort(notes.track * _NEVER_APART + notes.onset)
    wanted = notes.track[which] * _NEVER_APART + notes.onset[which]
    found = np.minimum(np.searchsorted(place, wanted, side="right"), len(place) - 1)
    later = place[found] - notes.track[which] * _NEVER_APART
    bar = notes.onset[which] + np.int64(BAR * quarter)
    return np.where((later > notes.onset[which]) & (later < bar), later, bar)
