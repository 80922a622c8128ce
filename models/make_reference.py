"""What the original networks answer to made-up inputs: the reference that a test compares ours with.

Needs the originals, which nothing else needs, so each part is run in an environment of its own (the
README beside it has the commands) and adds its answers to the file that the test reads::

    python make_reference.py basic_pitch ../tests/networks_reference.npz
    python make_reference.py fcpe ../tests/networks_reference.npz
    python make_reference.py spleeter ../tests/networks_reference.npz
"""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FRAMES_APART, BINS_APART = 8, 8
"""Steps in which an answer is kept."""
NOTE_FRAMES_APART = 7
"""The same for basic-pitch, of which frames are computed in pairs: an odd step sees both."""


def played() -> NDArray[np.float32]:
    """Return two windows of sound, [2, 43844]: struck notes under a voice that glides, and a scale."""
    time = np.arange(43844) / 22050
    turn = 2 * np.pi
    voice = turn * (300 * time + 8 * np.sin(turn * 0.7 * time))
    glide = sum(np.sin(k * voice) / k for k in range(1, 8)) * np.sin(turn * time / 4)
    struck = sum(
        np.sin(turn * hertz * k * time) / k**2 * np.exp(-3 * (time % 0.5))
        for hertz in (110.0, 164.8, 220.0)
        for k in range(1, 6)
    )
    step = np.floor(time * 4)
    scale = sum(np.sin(turn * 196 * k * 2 ** (step / 12) * time) / k for k in range(1, 5))
    loud = np.stack([0.1 * glide + 0.1 * struck, 0.2 * scale * np.exp(-2 * (time % 0.25))])
    return loud.astype(np.float32)


def voice_mel() -> NDArray[np.float32]:
    """Return logarithmic mel magnitudes, [1, 128, 200], of harmonics that rise, fall and waver."""
    time = np.arange(200)[None, :]
    band = np.arange(128.0)[:, None]
    pitch = 20 + 6 * np.sin(time / 40) + 0.3 * np.sin(time / 3)
    loud = np.zeros((128, 200))
    for number in range(1, 9):
        loud += np.exp(-(((band - pitch - 24 * np.log2(number)) / 1.5) ** 2)) / number
    return np.log(loud + 1e-4)[None].astype(np.float32)


def mix_magnitudes() -> NDArray[np.float32]:
    """Return magnitudes, [1, 2, 128, 512], of a wavering voice over chords, louder on the left."""
    time = np.arange(128.0)[:, None]
    place = np.arange(512.0)[None, :]
    mix = np.zeros((128, 512))
    voice = 40 + 5 * np.sin(time / 20) + np.sin(time / 2)
    for number in range(1, 13):
        mix += 40 * np.exp(-(((place - number * voice) / 1.2) ** 2)) / number
    for tone in (12, 15, 18):
        for number in range(1, 20):
            struck = np.exp(-(time % 32) / 8)
            mix += 30 * struck * np.exp(-(((place - number * tone) / 0.8) ** 2)) / number
    return np.stack([mix, 0.8 * mix])[None].astype(np.float32)


def basic_pitch() -> dict[str, NDArray]:
    """Ask basic-pitch's own network, as it was published for ONNX Runtime."""
    import onnxruntime
    from basic_pitch import FilenameSuffix, build_icassp_2022_model_path

    path = build_icassp_2022_model_path(FilenameSuffix.onnx)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [f"StatefulPartitionedCall:{k}" for k in (1, 2, 0)]
    answers = session.run(names, {"serving_default_input_2:0": played()[:, :, None]})
    # melodysim's network leaves out the 15 frames at either end of a window.
    kept = [answer[:, 15:-15][:, ::NOTE_FRAMES_APART] for answer in answers]
    return dict(zip(("note", "onset", "contour"), kept, strict=True))


def fcpe() -> dict[str, NDArray]:
    """Ask torchfcpe's own network, in PyTorch."""
    import torch

    # Resampling is all that the package takes of torchaudio, and is not used here.
    for name in ("torchaudio", "torchaudio.transforms"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["torchaudio.transforms"].Resample = object  # type: ignore[attr-defined]
    from torchfcpe import spawn_bundled_infer_model

    network = spawn_bundled_infer_model("cpu").model
    with torch.no_grad():
        answer = network(torch.from_numpy(voice_mel().transpose(0, 2, 1)))
    return {"fcpe": answer.numpy()[:, ::FRAMES_APART]}


def spleeter() -> dict[str, NDArray]:
    """Ask Spleeter's own networks, in TensorFlow."""
    import os

    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    import spleeter as package
    import tensorflow
    from spleeter.model.functions.unet import unet

    v1 = tensorflow.compat.v1
    at = Path(package.__file__).parent / "pretrained_models" / "2stems" / "model"
    with tensorflow.Graph().as_default(), v1.Session() as session:
        given = v1.placeholder(tensorflow.float32, [1, 128, 512, 2])
        made = unet(given, ["vocals", "accompaniment"], {})
        v1.train.Saver().restore(session, str(at))
        answers = session.run(made, {given: mix_magnitudes().transpose(0, 2, 3, 1)})
    step = np.s_[:, :, ::FRAMES_APART, ::BINS_APART]
    names = {"voice": "vocals_spectrogram", "rest": "accompaniment_spectrogram"}
    return {ours: answers[theirs].transpose(0, 3, 1, 2)[step] for ours, theirs in names.items()}


if __name__ == "__main__":
    part, path = sys.argv[1], Path(sys.argv[2])
    parts = {"basic_pitch": basic_pitch, "fcpe": fcpe, "spleeter": spleeter}
    kept: dict[str, Any] = dict(np.load(path)) if path.exists() else {}
    np.savez_compressed(path, **kept | parts[part]())
