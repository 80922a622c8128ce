"""The reference library opened for checking."""

from __future__ import annotations

import copy
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from melodysim.errors import LibraryError
from melodysim.library.index import Index
from melodysim.library.index_files import load_index, part_files, protection
from melodysim.library.rights import Territory, effective
from melodysim.library.store import Entry, Reference, Store
from melodysim.melody import Melody

if TYPE_CHECKING:
    from distributed import Client


def default_library_path() -> Path:
    """Path of the user's library: ``MELODYSIM_LIBRARY``, or a file in the user's data folder."""
    named = os.environ.get("MELODYSIM_LIBRARY")
    if named:
        return Path(named)
    from platformdirs import user_data_path

    return user_data_path("melodysim", appauthor=False) / "library.db"


class Library:
    """A reference library opened for checking; safe to share between threads.

    Parameters
    ----------
    path : str or Path, optional
        The SQLite file; by default the user's own library.
    territory : {"anywhere", "us", "eu", "uk", "life+50"}, optional
        Where the tracks are to be released: which terms of protection count.
    exhaustive : bool, optional
        Compare with every reference, however many there are: slower, and nothing is lost.

    Raises
    ------
    LibraryError
        If it cannot be opened.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        territory: Territory = "anywhere",
        *,
        exhaustive: bool = False,
    ) -> None:
        self.territory: Territory = territory
        self.path = Path(path) if path is not None else default_library_path()
        with Store(self.path) as store, store.reading():
            self._index = load_index(store)
            self.version = store.version()
            self._protected, self._backgrounds = protection(store, self._index, territory)
        if exhaustive:
            self._index.exhaustive = len(self._index)

    @property
    def index(self) -> Index:
        """The packed melodies, as they were when the library was opened."""
        return self._index

    @property
    def protected(self) -> NDArray[np.bool_]:
        """Whether each reference of the index is in copyright, or not known to be free."""
        return self._protected

    @property
    def backgrounds(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """References that make the background of a query: of the free and of the protected ones.

        Two, because protected references are mostly of the query's own time and style, and score
        higher by chance than folk tunes do.
        """
        return self._backgrounds

    @property
    def search(self) -> str:
        """How references are chosen for alignment: "exhaustive", or by "seeds"."""
        return "seeds" if self._index.seeded else "exhaustive"

    @property
    def comparisons(self) -> tuple[int, int]:
        """With how many free and how many protected references a query is compared.

        Two, because they are two questions: whether a protected work is followed does not depend on how
        many folk tunes stand beside it.
        """
        protected = int(self._protected.sum())
        return len(self._index) - protected, protected

    def spread_over(self, client: Client) -> Library:
        """Give the same library with its parts on the workers of a Dask cluster.

        Parameters
        ----------
        client : distributed.Client
            Whose workers see the library under the same path.

        Returns
        -------
        Library
            Which gives the same results, for as long as the client lives.

        Raises
        ------
        LibraryError
            If the packed parts are not on disk.
        """
        from melodysim.library.remote_shards import spread_index

        with Store(self.path) as store:
            files = part_files(store)
        if len(files) != len(self._index.parts):
            raise LibraryError(
                f"{self.path}: its packed parts are not on disk; make its folder writable"
            )
        other = copy.copy(self)
        other._index = spread_index(self._index, files, client)
        return other

    def __len__(self) -> int:
        """Give the number of references."""
        return len(self._index)

    def background_melodies(self) -> list[Melody]:
        """Load the references that stand for the rest of the world when two works are compared."""
        with Store(self.path) as store:
            return [store.melody(self._index.name(k)) for sample in self._backgrounds for k in sample]

    def references(self, ids: list[str]) -> dict[str, Reference]:
        """Look up some references: rights as they stand today, and notes."""
        with Store(self.path) as store:
            return {
                identity: Reference(entry, store.melody(identity))
                for identity, entry in self._entries(store, ids).items()
            }

    def entries(self, ids: list[str]) -> dict[str, Entry]:
        """Look up what the library says of some references, rights as they stand today."""
        with Store(self.path) as store:
            return self._entries(store, ids)

    def _entries(self, store: Store, ids: list[str]) -> dict[str, Entry]:
        return {
            identity: replace(entry, rights=effective(entry.rights, self.territory))
            for identity, entry in store.entries_by_id(ids).items()
        }

    def melody(self, identity: str) -> Melody:
        """Load the notes of a reference."""
        with Store(self.path) as store:
            return store.melody(identity)
