"""The networks that melodysim listens with, as ONNX files.

melodysim runs the files. What they are, whose they are and how they are made stands in the README of
this package; their licences lie beside its metadata.
"""

from __future__ import annotations

from pathlib import Path

__version__ = "2.0.0"

SHA256 = {
    "basic_pitch": "3c4162c643a6d44abbae467da59b61621d8a67cef54a922e06b15bbde65ca6fc",
    "fcpe": "048b876fdeb4aae63e021ef53b38ee68e284fa0fb8c897ea639e9f5961c18433",
    "spleeter": "4f326c416ba1f92fc6788dbead825fd645016f4354dbd5b9e9740c95b0f4b49e",
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
