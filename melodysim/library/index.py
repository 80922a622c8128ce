"""What a check needs of a library, ready in memory: packed arrays, made once and kept on disk.

The arrays are a cache. They are derived from the database, named after its content and this
module's format, and made again when either changes; written to a temporary name and renamed, so that
a torn file cannot be read. Where the library's folder is not writable, the user's cache folder is
used, and if that fails too the arrays live in memory only.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from melodysim.align.corpus import Corpus, build_corpus
from melodysim.align.scan import Lanes, lay_in_lanes
from melodysim.library.store import Store
from melodysim.melody import Melody
from melodysim.sequence import normalise

FORMAT = 3
"""Raised whenever the arrays, or how they are worked out, change."""


@dataclass(frozen=True, eq=False)
class Index:
    """All references of a library as the kernels read them.

    Attributes
    ----------
    ids : list of str
        In increasing order, so that results do not depend on the order of imports.
    corpus : Corpus
        Their melodies.
    lanes : Lanes
        The same for the first pass.
    first_pitch : ndarray of float32, shape (melodies,)
        MIDI note number of each melody's first note.
    """

    ids: list[str]
    corpus: Corpus
    lanes: Lanes
    first_pitch: NDArray[np.float32]

    def __len__(self) -> int:
        """Give the number of references."""
        return len(self.ids)


def load_index(store: Store) -> Index:
    """Load the packed arrays of a library, or make them.

    Parameters
    ----------
    store : Store
        Open.

    Returns
    -------
    Index
    """
    name = f"{store.version()}-{FORMAT}"
    places = list(_places(store.path))
    for place in places:
        index = _load(place, name)
        if index is not None:
            return index
    index = build_index(store)
    for place in places:
        if _save(place, name, index):
            break
    return index


def build_index(store: Store) -> Index:
    """Work the packed arrays out from the database."""
    return packed_index(store.melodies())


def packed_index(melodies: Iterable[tuple[str, Melody]]) -> Index:
    """Pack melodies, each with its id, for the kernels."""
    ids, sequences, first = [], [], []
    for identity, melody in melodies:
        ids.append(identity)
        sequences.append(normalise(melody))
        first.append(melody.pitch[0] if len(melody) else 0)
    corpus = build_corpus(sequences)
    return Index(ids, corpus, lay_in_lanes(corpus), np.array(first, np.float32))


def _places(path: Path) -> Iterator[Path]:
    """Where the cache may be, the best place first."""
    yield path.with_name(path.name + ".index.npz")
    from platformdirs import user_cache_path

    yield (
        user_cache_path("melodysim")
        / f"{path.stem}-{zlib.crc32(str(path.absolute()).encode()):08x}.index.npz"
    )


def _save(place: Path, name: str, index: Index) -> bool:
    """Write the arrays beside the library; False where that is not possible."""
    arrays = {f"corpus.{f.name}": getattr(index.corpus, f.name) for f in fields(Corpus)}
    arrays |= {f"lanes.{f.name}": getattr(index.lanes, f.name) for f in fields(Lanes)}
    ids = np.array("\n".join(index.ids).encode(), dtype=bytes)
    temporary = None
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=place.parent, prefix=place.name, suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            np.savez(
                file,
                name=np.array(name),
                ids=np.frombuffer(ids.tobytes(), np.uint8),
                first_pitch=index.first_pitch,
                **arrays,
            )
        Path(temporary).replace(place)
    except OSError:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        return False
    return True


def _load(place: Path, name: str) -> Index | None:
    """Read the arrays, if they are there and of this content."""
    try:
        with np.load(place) as stored:
            if str(stored["name"]) != name:
                return None
            joined = stored["ids"].tobytes().decode()
            ids = joined.split("\n") if joined else []
            corpus = Corpus(**{f.name: stored[f"corpus.{f.name}"] for f in fields(Corpus)})
            lanes = Lanes(**{f.name: stored[f"lanes.{f.name}"] for f in fields(Lanes)})
            return Index(ids, corpus, lanes, stored["first_pitch"])
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
