"""Several arrays in one file, which is mapped into memory, not read: opening it takes no time.

A file begins with a line that says what it is, the length of a JSON header and the header: for each
array its name, type, shape and place. Arrays follow, each at a multiple of 64 bytes. Files are written
whole to a temporary name and renamed (`melodysim.util.atomic_files`), and never changed: the header
shows a torn or foreign file, and a checksum (CRC-32) of each array shows damage in a small one.
"""

from __future__ import annotations

import json
import mmap
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodysim.util.atomic_files import replaced

MAGIC = b"melodysim arrays 1\n"
_ALIGNED = 64
CHECKED_BYTES = 64 << 20
"""The checksums of files up to this size are verified when they are opened; for larger files that would
take too long."""


def write_arrays(
    path: Path, arrays: Mapping[str, NDArray], note: Mapping[str, Any] | None = None
) -> None:
    """Write arrays to a file.

    Parameters
    ----------
    path : Path
        Replaced if it is there.
    arrays : mapping of str to ndarray
        Of numbers.
    note : mapping, optional
        Whatever JSON can hold, kept in the header.

    Raises
    ------
    MelodysimError
        If it cannot be written.
    """
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    places, at = {}, 0
    for name, array in whole.items():
        sound = zlib.crc32(array.reshape(-1).view(np.uint8).data)
        places[name] = [array.dtype.newbyteorder("<").str, array.shape, at, sound]
        at += -(-array.nbytes // _ALIGNED) * _ALIGNED
    header = json.dumps({"note": dict(note or {}), "arrays": places}).encode()
    front = MAGIC + f"{len(header):12d}\n".encode() + header
    with replaced(path) as temporary, temporary.open("wb") as file:
        file.write(front.ljust(-(-len(front) // _ALIGNED) * _ALIGNED))
        for array in whole.values():
            little = array.astype(array.dtype.newbyteorder("<"), copy=False)
            file.write(little.reshape(-1).view(np.uint8).data)
            file.write(bytes(-array.nbytes % _ALIGNED))


def map_arrays(path: Path) -> tuple[dict[str, NDArray], dict[str, Any]]:
    """Map the arrays of a file into memory.

    Returns
    -------
    dict of str to ndarray
        Read-only; pages are read when they are touched.
    dict
        The note.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is not a file of arrays, or torn or damaged.
    """
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    after = len(MAGIC) + 13
    if mapped[: len(MAGIC)] != MAGIC:
        raise ValueError(f"{path}: no arrays in it")
    size = int(mapped[len(MAGIC) : after])
    header = json.loads(mapped[after : after + size])
    first = -(-(after + size) // _ALIGNED) * _ALIGNED
    arrays = {}
    small = len(mapped) <= CHECKED_BYTES
    for name, (kind, shape, at, sound) in header["arrays"].items():
        count = int(np.prod(shape))
        # An empty array has no place in the file.
        flat = np.frombuffer(mapped, kind, count, first + at) if count else np.frombuffer(b"", kind)
        if small and zlib.crc32(flat.view(np.uint8).data) != sound:
            raise ValueError(f"{path}: {name} is damaged")
        arrays[name] = flat.reshape(shape)
    return arrays, header["note"]
