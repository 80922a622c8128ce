"""A library that is larger than a machine: its parts on the workers of a cluster.

Every part is asked on a worker of its own, which maps its file and keeps it: so the parts share the
memory of all machines. Questions are small and so are answers: a score a melody, or the notes of those
that are candidates. Numbers, frequencies of turns, backgrounds and E-values are those of the one
library, at the worker that asks: a result does not depend on where the parts are, to the bit.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from melodysim.align.corpus import PackedMelodies
from melodysim.align.seeds import Turns
from melodysim.errors import LibraryError
from melodysim.intervals import Sequence
from melodysim.library.shard import Shard, open_shard

if TYPE_CHECKING:
    from distributed import Client

_KEPT = 64
"""Parts that a worker keeps open; mapped, not read."""
_RETRIES = 3
_FIRST = 10
"""Priority of questions before new tracks, which would only ask more."""


@lru_cache(_KEPT)
def _opened(path: str) -> Shard:
    try:
        return open_shard(Path(path))
    except (OSError, ValueError, KeyError) as error:
        raise LibraryError(
            f"this worker cannot read it ({error})", "all must see the library's folder", path
        ) from error


def answer(path: str, question: str, *given: Any) -> Any:
    """Answer for a part, on the worker that has it."""
    return getattr(_opened(path), question)(*given)


class RemoteShard:
    """A part of a library on a worker (`melodysim.library.shard.Shard`).

    Parameters
    ----------
    client : distributed.Client
    path : Path
        Of the part; the same on every worker.
    number : int
        Which part it is: it says on which worker it is.
    size : int
        Number of melodies.
    """

    def __init__(self, client: Client, path: Path, number: int, size: int) -> None:
        self._client, self._path, self._number, self._size = client, path, number, size

    def _ask(self, question: str, *given: Any) -> Any:
        workers = sorted(self._client.nthreads())
        if not workers:
            raise LibraryError("no worker of the cluster is left to ask", path=self._path)
        # Where it is best asked; another may answer if that worker has died.
        home = workers[self._number % len(workers)]
        return self._client.submit(
            answer,
            str(self._path),
            question,
            *given,
            workers=[home],
            allow_other_workers=True,
            pure=False,
            retries=_RETRIES,
            priority=_FIRST,
        ).result()

    def __len__(self) -> int:
        """Give the number of melodies."""
        return self._size

    def scan(self, query: Sequence, threads: int) -> NDArray[np.int8]:
        """Score every melody, coarsely; with one thread, since workers have their own."""
        return self._ask("scan", query, 1)

    def seed_scores(self, turns: Turns) -> NDArray[np.float32]:
        """Score every melody by the turns that it shares with a query."""
        return self._ask("seed_scores", turns)

    def melodies_with(self, interval: NDArray[np.integer]) -> NDArray[np.int64]:
        """Find the melodies in which a turn occurs."""
        return self._ask("melodies_with", interval)

    def take(self, melodies: NDArray[np.int64]) -> PackedMelodies:
        """Give the notes of some melodies."""
        return self._ask("take", melodies)

    def name(self, melody: int) -> str:
        """Give the id of a melody."""
        return self._ask("name", melody)

    def serials(self) -> NDArray[np.int64]:
        """Give the serial number of every melody."""
        return self._ask("serials")

    def pitch_of_first(self, melody: int) -> float:
        """Give the MIDI note number of a melody's first note."""
        return self._ask("pitch_of_first", melody)
