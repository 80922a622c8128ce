"""A library of the built-in melodies, for the benchmarks."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from melodysim.library import Library
from melodysim.library.importers import import_builtin, import_paths
from melodysim.library.rights import Rights
from melodysim.library.store import Store


@contextmanager
def builtin_library(path: Path | None, songs: Sequence[Path] = ()) -> Iterator[Library]:
    """Open a library of the built-in melodies and some songs in copyright; make it if need be.

    Without a path it is made in a temporary folder, and goes with it.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = path or Path(folder) / "library.db"
        if not path.exists():
            with Store(path, create=True) as store:
                import_builtin(store)
                if songs:
                    import_paths(store, list(songs), Rights("in-copyright"))
        yield Library(path)
