"""Weights from PyTorch's checkpoints, without PyTorch.

A checkpoint is a zip archive: a pickle that describes the tensors, and the bytes of each storage.
Unpickling could run code, so everything but the description of a tensor is refused.
"""

from __future__ import annotations

import collections
import pickle
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray


class _Unpickler(pickle.Unpickler):
    """Unpickler that reads tensors and refuses anything that could run code."""

    def __init__(self, file: BinaryIO, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(file)
        self._archive, self._root = archive, root

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name.endswith("Storage"):
            return name
        raise pickle.UnpicklingError(f"{module}.{name} does not belong in a file of weights")

    def persistent_load(self, pid: Any) -> NDArray:
        kinds = {"FloatStorage": np.float32, "LongStorage": np.int64, "DoubleStorage": np.float64}
        _, kind, key, _, _ = pid
        return np.frombuffer(self._archive.read(f"{self._root}/data/{key}"), kinds[kind])


def _tensor(storage: NDArray, offset: int, size: tuple, stride: tuple, *_: object) -> NDArray:
    """Rebuild a tensor from its storage."""
    strides = [step * storage.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], size, strides, writeable=False)


def read_weights(path: Path) -> dict[str, NDArray[np.float32]]:
    """Read the tensors of a PyTorch checkpoint.

    Parameters
    ----------
    path : Path
        A zip archive as `torch.save` writes it, with a dictionary "model" of tensors.

    Raises
    ------
    pickle.UnpicklingError
        If the pickle holds anything but tensors.
    """
    with zipfile.ZipFile(path) as archive:
        name = next(n for n in archive.namelist() if n.endswith("/data.pkl"))
        with archive.open(name) as file:
            content = _Unpickler(file, archive, name.removesuffix("/data.pkl")).load()  # type: ignore[arg-type]
    return dict(content["model"])
