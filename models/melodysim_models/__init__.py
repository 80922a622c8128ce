"""The networks that melodysim listens with, as ONNX files.

melodysim runs the files. What they are, whose they are and how they are made stands in the README of
this package; their licences lie beside its metadata.
"""

from __future__ import annotations

from pathlib import Path

__version__ = "1.1.0"

SHA256 = {
    "basic_pitch": "2255f34d1a2026c25c55b109a078ca361ae492f074ace7cda172735123ac5d26",
    "fcpe": "07d4c5df128efa31ba231956dc6f33d4a9ca5d95b980fd74f625dee34f730d80",
    "spleeter": "146325cef9d39779e2dbff95f04540b268e475941a5f18e6613191aecb0e21e1",
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
