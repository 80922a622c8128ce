"""Parts of a library on the workers of a Dask cluster, for libraries larger than one machine.

Every part is assigned to one worker, which maps its file and keeps it open: so the parts share the
memory of all machines. Calls and results are small: a score for each melody, or the notes of the
candidates. Numbering, frequencies of turns, backgrounds and E-values are those of the whole library,
worked out by the worker that calls: a result does not depend, to the bit, on where the parts are.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from melodysim.align.corpus import PackedMelodies
from melodysim.align.first_look import Glimpse
from melodysim.align.seeds import Turns
from melodysim.errors import LibraryError
from melodysim.intervals import Sequence
from melodysim.library.packed.shard import Shard, open_shard

if TYPE_CHECKING:
    from distributed import Client

_KEPT = 64
"""Parts that a worker keeps open; mapped, not read."""
_RETRIES = 3
_FIRST = 10
"""Priority of calls to parts over checks of new tracks, which would only make more calls."""


@lru_cache(_KEPT)
def _opened(path: str) -> Shard:
    try:
        return open_shard(Path(path))
    except (OSError, ValueError, KeyError) as error:
        raise LibraryError(
            f"this worker cannot read it ({error})", "all must see the library's folder", path
        ) from error


def answer(path: str, question: str, *given: Any) -> Any:
    """Call a part's method by name, on the worker that holds the part."""
    return getattr(_opened(path), question)(*given)


class RemoteShard:
    """A part of a library on a worker, with the methods of `melodysim.library.packed.shard.Shard`.

    Parameters
    ----------
    client : distributed.Client
    path : Path
        File of the part; the same on every worker.
    number : int
        Number of the part, which decides the worker that is called.
    size : int
        Number of melodies.
    """

    def __init__(self, client: Client, path: Path, number: int, size: int) -> None:
        self._client, self._path, self._number, self._size = client, path, number, size

    def _ask(self, question: str, *given: Any) -> Any:
        workers = sorted(self._client.nthreads())
        if not workers:
            raise LibraryError("no worker of the cluster is left to ask", path=self._path)
        # The worker that keeps the part open; another may answer if that one has died.
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
        """Return the number of melodies."""
        return self._size

    def scan(self, query: Sequence, threads: int) -> NDArray[np.int8]:
        """Score every melody against a query, coarsely; in one thread, as workers run in parallel."""
        return self._ask("scan", query, 1)

    def first_look(self, glimpses: list[Glimpse], threads: int) -> NDArray[np.uint8]:
        """Score every melody roughly against a recording; in one thread, as workers run in parallel."""
        return self._ask("first_look", glimpses, 1)

    def seed_scores(self, turns: Turns) -> NDArray[np.float32]:
        """Score every melody by the turns that it shares with a query."""
        return self._ask("seed_scores", turns)

    def melodies_with(self, interval: NDArray[np.integer]) -> NDArray[np.int64]:
        """Find the melodies in which a turn occurs."""
        return self._ask("melodies_with", interval)

    def take(self, melodies: NDArray[np.int64]) -> PackedMelodies:
        """Return the notes of some melodies, in the order given."""
        return self._ask("take", melodies)

    def name(self, melody: int) -> str:
        """Return the id of a melody."""
        return self._ask("name", melody)

    def serials(self) -> NDArray[np.int64]:
        """Return the serial number of every melody."""
        return self._ask("serials")

    def pitch_of_first(self, melody: int) -> float:
        """Return the MIDI note number of a melody's first note."""
        return self._ask("pitch_of_first", melody)
