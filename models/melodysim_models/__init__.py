"""The networks that melodysim listens with, as ONNX files.

melodysim runs the files. What they are, whose they are and how they are made stands in the README of
this package; their licences lie beside its metadata.
"""

from __future__ import annotations

from pathlib import Path

__version__ = "2.0.0"

SHA256 = {
    "basic_pitch": "1b77c27b0556bf16e43d8ab3b707424c0f2310072d5db4e8031706203d548f44",
    "fcpe": "852d871c3525321ac3363a1ec6e4ccf9b2c9a89b51dfe526e2932ff5134b0908",
    "spleeter": "3576a2bb577388c85901e33964772e933feaf36ccefa80374c989d27547bbb53",
}
"""Hash of each file, by the name of the network."""


def network_path(name: str) -> Path:
    """Return the path of a network's ONNX file.

    Parameters
    ----------
    name : str
        In `SHA256`.

    Raises
    ------
    KeyError
        If there is no network of that name.
    """
    if name not in SHA256:
        raise KeyError(f"no network “{name}”; there are {', '.join(SHA256)}")
    return Path(__file__).parent / f"{name}.onnx"
