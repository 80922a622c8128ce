"""Takes of one melody among the tracks themselves: two runs of one prompt, a song and its remix.

Every track's likeliest melody is matched, notes against notes, with those that share turns with it, by
the same alignment that compares it with a library; the tracks themselves are the background. Two tracks
are takes of one melody if chance hardly explains how much they share and if it is a good part of the
shorter one. Tracks that share too few turns are not looked at: takes share many, and a collection of a
hundred thousand would otherwise take hours.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodysim.align.seeds import SEED, turn_numbers
from melodysim.intervals import normalise
from melodysim.library import Entry, Reference, Shelf
from melodysim.library.chance import typical_chance
from melodysim.library.packed.index import packed_index
from melodysim.library.rights import Rights
from melodysim.library.shelf import NOTHING
from melodysim.melody import Melody, Piece
from melodysim.search.pipeline import matches_below

TAKES_VERSION = 4
"""Raised whenever other groups may be found than before: remembered pairs are stale then."""
TAKES_E_VALUE = 1e-4
"""E-value below which two tracks may be takes of one melody."""
TAKES_SHARE = 0.3
"""Share of the shorter melody's notes that takes have in common at least."""
SHARED_TURNS, SHARED_PART = 2, 0.04
"""Turns, and share of those of the track that has fewer, that two tracks must have in common to be
compared. Of 100 pairs of versions of pop songs the least had 37 % in common, of 200 pairs of different
songs one in ten had more than 4 %; a recording's transcribed line keeps fewer than a file of notes."""
BACKGROUND = 150
"""Most tracks in the background."""
NEIGHBOURS = 12
"""Of the tracks that share a turn, each is paired with so many of the next in order: a turn that
hundreds share links them in a chain, which is enough to group them."""
MOST_ALIKE = 50
"""Most tracks that a track is compared with."""
AT_A_TIME = 8
"""Tracks of a task: half a second of work."""
BYTES_PER_NOTE = 160
"""Memory that comparing takes at most, measured on 20,000 melodies of 300 notes: each process
that compares holds them all."""


def packed_melody(melody: Melody) -> bytes:
    """Pack the notes of a melody."""
    return struct.pack("<I", len(melody)) + zlib.compress(_content(melody))


def _content(melody: Melody) -> bytes:
    """Return the notes of a melody as bytes, the same on every machine."""
    arrays = (melody.onset.astype("<f8"), melody.duration.astype("<f4"), melody.pitch.astype("<f4"))
    return b"".join(array.tobytes() for array in arrays)


def unpacked_melody(packed: bytes) -> Melody:
    """Return the melody that `packed_melody` packed."""
    count = struct.unpack("<I", packed[:4])[0]
    content = zlib.decompress(packed[4:])
    onset = np.frombuffer(content, "<f8", count)
    duration = np.frombuffer(content, "<f4", count, 8 * count)
    pitch = np.frombuffer(content, "<f4", count, 12 * count)
    return Melody.from_notes(onset, duration, pitch)


def packed_melodies(packed: list[bytes]) -> bytes:
    """Join packed melodies into the content of one file, for workers to read."""
    return b"".join(struct.pack("<I", len(melody)) + melody for melody in packed)


def unpacked_melodies(content: bytes) -> list[Melody]:
    """Return the melodies that `packed_melodies` joined."""
    melodies, at = [], 0
    while at < len(content):
        end = at + 4 + struct.unpack_from("<I", content, at)[0]
        melodies.append(unpacked_melody(content[at + 4 : end]))
        at = end
    return melodies


@dataclass(frozen=True)
class Alike:
    """Two tracks that share a passage.

    Attributes
    ----------
    one, other : int
        Positions of the two tracks; `one` is the earlier.
    e_value : float
        Expected number of unrelated tracks of this collection that are as alike by chance.
    notes : int
        Number of aligned notes.
    share : float
        Share of the shorter melody's notes that are aligned.
    seconds, other_seconds : (float, float)
        Begin and end of the passage in each track.
    """

    one: int
    other: int
    e_value: float
    notes: int
    share: float
    seconds: tuple[float, float]
    other_seconds: tuple[float, float]


@dataclass(frozen=True)
class Task:
    """Pairs of melodies for one worker to compare.

    Attributes
    ----------
    pairs : list of (int, list of int)
        Melodies, each with the others that it is compared with.
    e_value : float
        Below which two are alike.
    """

    pairs: list[tuple[int, list[int]]]
    e_value: float


class Collection:
    """The melodies of all tracks, as references for each other.

    Parameters
    ----------
    melodies : list of Melody
        Each with at least two notes.
    """

    def __init__(self, melodies: list[Melody]) -> None:
        self._melodies = melodies
        # Chosen by content, not by position: the order of the tracks must not matter.
        contents = [zlib.crc32(_content(melody)) for melody in melodies]
        sample = np.sort(np.argsort(contents, kind="stable")[:BACKGROUND]).astype(np.int64)
        self._shelf = Shelf(
            packed_index((f"{k:08d}", melody) for k, melody in enumerate(melodies)),
            np.ones(len(melodies), bool),  # any may be what another was taken from
            (NOTHING, sample),
            (0, max(1, len(melodies) - 1)),
            self._look_up,
            (typical_chance(1), typical_chance(1)),  # pairs have E-values of their own
        )

    def _look_up(self, ids: list[str]) -> dict[str, Reference]:
        """Return melodies by their number as text."""
        return {
            i: Reference(Entry(i, i, None, i, Rights("unknown")), self._melodies[int(i)]) for i in ids
        }

    def _without(self, related: NDArray[np.int64]) -> Shelf:
        """Return the shelf without related tracks in its background, which measures chance."""
        background = NOTHING, np.setdiff1d(self._shelf.backgrounds[1], related)
        return replace(self._shelf, backgrounds=background)

    def alike(self, task: Task, threads: int = 1) -> list[Alike]:
        """Compare pairs of melodies, and return those that are alike, some from either side.

        Parameters
        ----------
        task : Task
        """
        found = []
        for k, others in task.pairs:
            melody, promising = self._melodies[k], np.array(others, np.int64)
            piece = Piece(str(k), "notes", (melody,), melody.end)
            shelf = self._without(np.append(promising, k))
            for other, match in matches_below(piece, shelf, task.e_value, promising, threads).items():
                share = match.notes / min(len(melody), len(self._melodies[other]))
                spans = match.query.seconds, match.reference_span.seconds
                spans = spans if k < other else spans[::-1]
                found.append(
                    Alike(min(k, other), max(k, other), match.e_value, match.notes, share, *spans)
                )
        return found


def find_alike(
    melodies: list[Melody],
    e_value: float,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
    spread: Callable[[list[Task]], Iterator[list[Alike]]] | None = None,
) -> list[Alike]:
    """Find pairs of melodies that share a passage.

    Parameters
    ----------
    melodies : list of Melody
        Each with at least two notes.
    e_value : float
        Pairs below it are returned.
    progress : callable, optional
        Called with how many melodies are done, of how many.
    spread : callable, optional
        Runs each task elsewhere, by `Collection.alike`, and yields the results in any order.

    Returns
    -------
    list of Alike
        By `one` and `other`, each pair once: with the better of its two E-values.
    """
    if len(melodies) < 2:
        return []
    others = [(k, found.tolist()) for k, found in promising_pairs(melodies).items()]
    tasks = [Task(others[a : a + AT_A_TIME], e_value) for a in range(0, len(others), AT_A_TIME)]
    if spread is None:
        collection = Collection(melodies)
        done: Iterable[list[Alike]] = (collection.alike(task, threads) for task in tasks)
    else:
        done = spread(tasks)
    found = _copies(melodies)
    for number, pairs in enumerate(done, 1):
        found += pairs
        if progress is not None:
            progress(min(number * AT_A_TIME, len(others)), len(others))
    best: dict[tuple[int, int], Alike] = {}
    # The better of a pair's two results, whichever came first.
    for pair in sorted(found, key=_order):
        best.setdefault((pair.one, pair.other), pair)
    return list(best.values())


def _order(pair: Alike) -> tuple[Any, ...]:
    return pair.one, pair.other, pair.e_value, -pair.notes, pair.seconds, pair.other_seconds


def _copies(melodies: list[Melody]) -> list[Alike]:
    """Pair melodies that are the same to the bit, each with the next one."""
    pairs = []
    last: dict[bytes, int] = {}
    for k, melody in enumerate(melodies):
        content = _content(melody)
        if content in last:
            span = (float(melody.onset[0]), melody.end)
            pairs.append(Alike(last[content], k, 0.0, len(melody), 1.0, span, span))
        last[content] = k
    return pairs


def promising_pairs(melodies: list[Melody]) -> dict[int, NDArray[np.int64]]:
    """Find, for each melody, the others that share enough turns with it.

    Returns
    -------
    dict of int to ndarray of int64
        Of each melody that shares enough turns with another: which others, at most `MOST_ALIKE`, those
        with most turns in common.
    """
    turns = [_turns(melody) for melody in melodies]
    owner = np.repeat(np.arange(len(turns)), [len(t) for t in turns])
    turn = np.concatenate(turns) if turns else np.zeros(0, np.int64)
    order = np.lexsort((owner, turn))
    owner, turn = owner[order], turn[order]
    pairs = []
    for step in range(1, NEIGHBOURS + 1):
        same = turn[step:] == turn[:-step]
        pairs.append(owner[:-step][same] * len(melodies) + owner[step:][same])
    found, shared = np.unique(np.concatenate(pairs), return_counts=True)
    one, other = np.divmod(found, len(melodies))
    size = np.array([len(t) for t in turns])
    enough = np.maximum(SHARED_TURNS, SHARED_PART * np.minimum(size[one], size[other]))
    one, other, shared = (column[shared >= enough] for column in (one, other, shared))
    ends = np.concatenate([np.stack([one, other]), np.stack([other, one])], axis=1)
    weight = np.concatenate([shared, shared])
    order = np.lexsort((ends[1], -weight, ends[0]))
    mine, theirs = ends[:, order]
    if not len(mine):
        return {}
    starts = np.flatnonzero(np.diff(mine, prepend=-1))
    return {
        int(mine[a]): np.sort(theirs[a : min(b, a + MOST_ALIKE)])
        for a, b in zip(starts, np.append(starts[1:], len(mine)), strict=True)
    }


def _turns(melody: Melody) -> NDArray[np.uint32]:
    """Return the distinct turns of a melody as numbers, without those that mostly repeat a note."""
    interval = normalise(melody).interval
    if len(interval) < SEED:
        return np.zeros(0, np.uint32)
    moves = (np.lib.stride_tricks.sliding_window_view(interval, SEED) != 0).sum(axis=1)
    return np.unique(turn_numbers(interval)[moves > SEED // 2])


def takes(pairs: list[Alike], tracks: int) -> list[list[int]]:
    """Group tracks that are takes of one melody; a take of a member is a member.

    Parameters
    ----------
    pairs : list of Alike
    tracks : int
        How many there are.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    linked = [p for p in pairs if p.e_value < TAKES_E_VALUE and p.share >= TAKES_SHARE]
    ends = [pair.one for pair in linked], [pair.other for pair in linked]
    graph = coo_array((np.ones(len(linked), bool), ends), shape=(tracks, tracks))
    _, family = connected_components(graph, directed=False)
    groups: dict[int, list[int]] = {}
    for k, number in enumerate(family.tolist()):
        groups.setdefault(number, []).append(k)
    return [group for group in groups.values() if len(group) > 1]
