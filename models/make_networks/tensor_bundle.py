"""Weights from TensorFlow's checkpoints, without TensorFlow.

A checkpoint is a "tensor bundle": an index, which is a sorted string table as LevelDB writes it, and a
file of the tensors' bytes. The index maps the name of each tensor to a protocol buffer with its type,
shape and place (tensorflow/core/util/tensor_bundle and tensorflow/core/protobuf/tensor_bundle.proto).
Nothing in either file is code.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FOOTER = 48
"""Bytes at the end of a table: where its index block is, and a mark."""
_UNCOMPRESSED = 0
_FLOAT = 1
"""DT_FLOAT in tensorflow/core/framework/types.proto."""
_TYPE, _SHAPE, _OFFSET, _SIZE = 1, 2, 4, 5
"""Fields of BundleEntryProto."""
_WIDTH = {1: 8, 5: 4}
"""Bytes of the wire types that are not lengths or varints."""


def read_tensors(prefix: Path) -> dict[str, NDArray[np.float32]]:
    """Read the 32-bit tensors of a checkpoint.

    Parameters
    ----------
    prefix : Path
        Of `prefix.index` and `prefix.data-00000-of-00001`.

    Returns
    -------
    dict of str to ndarray of float32

    Raises
    ------
    ValueError
        If the index is compressed or is no table.
    OSError
        If a file cannot be read.
    """
    table = prefix.with_name(prefix.name + ".index").read_bytes()
    content = np.fromfile(prefix.with_name(prefix.name + ".data-00000-of-00001"), np.uint8)
    _, _, offset, size = _varints(table[-_FOOTER:], 4)
    tensors = {}
    for _, place in _entries(_block(table, offset, size)):
        for name, entry in _entries(_block(table, *_varints(place, 2))):
            fields = _fields(entry)
            if name and fields.get(_TYPE) == [_FLOAT]:
                shape = [_fields(size).get(1, [0])[0] for size in _fields(fields[_SHAPE][0]).get(2, [])]
                (first,), (size,) = fields.get(_OFFSET, [0]), fields[_SIZE]
                tensors[name.decode()] = content[first : first + size].view("<f4").reshape(shape)
    return tensors


def _varint(content: bytes, place: int) -> tuple[int, int]:
    """Read a number of seven bits a byte, the lowest first; return it and the place after it."""
    value = shift = 0
    while True:
        byte = content[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7


def _varints(content: bytes, count: int) -> list[int]:
    """Read numbers from the beginning."""
    values, place = [], 0
    for _ in range(count):
        value, place = _varint(content, place)
        values.append(value)
    return values


def _block(table: bytes, offset: int, size: int) -> bytes:
    """Return a block of the table; its compression stands in the byte after it."""
    if len(table) <= offset + size or table[offset + size] != _UNCOMPRESSED:
        raise ValueError("the checkpoint's index is compressed or damaged")
    return table[offset : offset + size]


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values; of each key, what it shares with the one before it is left out."""
    (restarts,) = struct.unpack("<I", block[-4:])
    end = len(block) - 4 - 4 * restarts
    place, key = 0, b""
    while place < end:
        shared, place = _varint(block, place)
        own, place = _varint(block, place)
        size, place = _varint(block, place)
        key = key[:shared] + block[place : place + own]
        place += own
        yield key, block[place : place + size]
        place += size


def _fields(message: bytes) -> dict[int, list[Any]]:
    """Return the values of each field of a protocol buffer: numbers if they are varints, or bytes."""
    place = 0
    fields: defaultdict[int, list[Any]] = defaultdict(list)
    while place < len(message):
        tag, place = _varint(message, place)
        field, wire = tag >> 3, tag & 7
        if wire == 0:
            value, place = _varint(message, place)
            fields[field].append(value)
            continue
        if wire == 2:
            size, place = _varint(message, place)
        else:
            size = _WIDTH[wire]
        fields[field].append(message[place : place + size])
        place += size
    return fields
