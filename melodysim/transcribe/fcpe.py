"""Salience of a voice in a mix, by FCPE's network.

basic-pitch hears every note of a mix alike; a tune is mostly sung. FCPE ("Fast Context-based Pitch
Estimation", github.com/CNChTu/FCPE) was trained to follow a singing voice, with other music added in
training, and outputs how likely each pitch is to be the voice's at each moment. Its weights come inside
the `torchfcpe` wheel. The package itself needs PyTorch and is not imported: the weights are read here
and the network (a stack of convolutional conformer blocks) is put together again for ONNX Runtime.

Conventions
-----------
Audio is mono float32 at `VOICE_RATE`. Frames are `VOICE_FRAME` seconds apart, the first centred on
sample 80. Bins are 20 cents apart.
"""

from __future__ import annotations

import collections
import pickle
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from melodysim.transcribe.hann import hann_window
from melodysim.transcribe.onnx_networks import Graph, packaged_file, prepared_session

VOICE_RATE = 16000
"""Samples per second that the network was trained on."""
HOP = 160
VOICE_FRAME = HOP / VOICE_RATE
"""Seconds from frame to frame."""
FRAME_OFFSET = 0.5 * VOICE_FRAME
"""Seconds at which the first frame is centred."""
BINS = 360
WINDOW = 1024
MELS = 128
FLOOR = 1e-5
"""Mel magnitudes below this are silence."""
LOWEST_HERTZ, HIGHEST_HERTZ = 32.70, 1975.5
"""Frequencies of the first and the last bin: C1 and B6."""

WINDOW_FRAMES, CONTEXT_FRAMES = 3000, 100
"""Frames kept of each run of the network, and added on both sides; its receptive field is 94."""
LAYERS, WIDTH, GROUPS = 6, 512, 4


def bin_pitches() -> NDArray[np.float64]:
    """Return the MIDI note number of each bin, with its fraction."""
    low, high = (69 + 12 * np.log2(hertz / 440) for hertz in (LOWEST_HERTZ, HIGHEST_HERTZ))
    return np.linspace(low, high, BINS)


def weights_path() -> Path:
    """Return the path of FCPE's weights inside the installed wheel.

    Raises
    ------
    MissingDependencyError
        If the package is not installed.
    """
    return packaged_file(
        "torchfcpe",
        "assets/fcpe_c_v001.pt",
        "hearing a voice in a recording needs FCPE's weights: run "
        "`pip install --no-deps torchfcpe==0.0.4`",
    )


class _Unpickler(pickle.Unpickler):
    """Unpickler of a PyTorch checkpoint that reads tensors and refuses anything that could run code."""

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
    """Read the tensors of a PyTorch checkpoint without PyTorch.

    Parameters
    ----------
    path : Path
        A zip archive as `torch.save` writes it, with a dictionary "model" of tensors.
    """
    with zipfile.ZipFile(path) as archive:
        name = next(n for n in archive.namelist() if n.endswith("/data.pkl"))
        with archive.open(name) as file:
            content = _Unpickler(file, archive, name.removesuffix("/data.pkl")).load()  # type: ignore[arg-type]
    return dict(content["model"])


def _model(w: dict[str, NDArray[np.float32]]) -> bytes:
    """Build the network: mel spectrogram [1, 128, frames] to salience [1, frames, 360]."""
    g = Graph()
    x = g.add("Conv", "mel", w["input_stack.0.weight"], w["input_stack.0.bias"], pads=[1, 1])
    # Group normalisation: groups as channels of an instance normalisation.
    x = g.add("Reshape", x, np.array([1, GROUPS, -1]))
    ones, zeros = np.ones(GROUPS, np.float32), np.zeros(GROUPS, np.float32)
    x = g.add("InstanceNormalization", x, ones, zeros, epsilon=1e-5)
    x = g.add("Reshape", x, np.array([1, WIDTH, -1]))
    x = g.add("Mul", x, w["input_stack.1.weight"].reshape(1, -1, 1))
    x = g.add("Add", x, w["input_stack.1.bias"].reshape(1, -1, 1))
    x = g.add("LeakyRelu", x, alpha=0.01)
    x = g.add("Conv", x, w["input_stack.3.weight"], w["input_stack.3.bias"], pads=[1, 1])
    x = g.add("Transpose", x, perm=[0, 2, 1])
    for layer in range(LAYERS):
        x = g.add("Add", x, _conformer(g, x, w, f"net.encoder_layers.{layer}.conformer.net."))
    x = g.add("LayerNormalization", x, w["norm.weight"], w["norm.bias"], axis=-1, epsilon=1e-5)
    direction = w["output_proj.weight_v"]
    length = np.linalg.norm(direction, axis=1, keepdims=True)
    x = g.add("MatMul", x, (w["output_proj.weight_g"] * direction / length).T)
    x = g.add("Sigmoid", g.add("Add", x, w["output_proj.bias"]))
    return g.model("fcpe", ("mel", (1, MELS, None)), {"salience": (x, (1, None, BINS))})


def _conformer(g: Graph, x: str, w: dict[str, NDArray[np.float32]], at: str) -> str:
    """Add one block: norm, widen, gate, depthwise convolution over time, swish, narrow."""
    x = g.add("LayerNormalization", x, w[at + "0.weight"], w[at + "0.bias"], axis=-1, epsilon=1e-5)
    x = g.add("Add", g.add("MatMul", x, w[at + "2.weight"][:, :, 0].T), w[at + "2.bias"])
    value, gate = g.add("Split", x, outputs=2, axis=-1, num_outputs=2)
    x = g.add("Mul", value, g.add("Sigmoid", gate))
    x = g.add("Transpose", x, perm=[0, 2, 1])
    kernel = w[at + "4.conv.weight"]
    half = kernel.shape[2] // 2
    x = g.add("Conv", x, kernel, w[at + "4.conv.bias"], pads=[half, half], group=kernel.shape[0])
    x = g.add("Mul", x, g.add("Sigmoid", x))
    x = g.add("Transpose", x, perm=[0, 2, 1])
    return g.add("Add", g.add("MatMul", x, w[at + "6.weight"][:, :, 0].T), w[at + "6.bias"])


@lru_cache(maxsize=2)
def _session(threads: int) -> Any:
    """Return the network, loaded once for each number of threads."""
    weights = weights_path()
    return prepared_session("fcpe", weights, __file__, lambda: _model(read_weights(weights)), threads)


@lru_cache(maxsize=1)
def _mel_filters() -> NDArray[np.float32]:
    """Return triangular filters of equal area on Slaney's mel scale, [513, 128]: 0 to 8 kHz."""

    def hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
        # Slaney (1998), "Auditory toolbox": linear to 1 kHz, logarithmic above.
        above = 1000.0 * np.exp(np.log(6.4) / 27.0 * (mel - 15.0))
        return np.where(mel < 15.0, mel * 200.0 / 3.0, above)

    top = 15.0 + np.log(VOICE_RATE / 2 / 1000.0) / (np.log(6.4) / 27.0)
    edges = hertz(np.linspace(0.0, top, MELS + 2))
    at = np.linspace(0, VOICE_RATE / 2, WINDOW // 2 + 1)[:, None]
    rising = (at - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - at) / np.diff(edges)[1:]
    area = 2.0 / (edges[2:] - edges[:-2])
    return (np.maximum(0, np.minimum(rising, falling)) * area).astype(np.float32)


def mel_spectrogram(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute the logarithmic mel spectrogram that the network was trained on.

    Parameters
    ----------
    audio : ndarray of float32, shape (samples,)
        Mono at `VOICE_RATE`.

    Returns
    -------
    ndarray of float32, shape (frames, 128)
        ``samples // 160`` frames, and at least one.
    """
    left = (WINDOW - HOP) // 2
    frames = max(1, len(audio) // HOP)
    right = max(0, (frames - 1) * HOP + WINDOW - left - len(audio))
    mode: Any = "reflect" if len(audio) > max(left, right) else "constant"
    padded = np.pad(audio, (left, right), mode=mode)
    window = hann_window(WINDOW)
    cuts = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:frames]
    mel = np.empty((frames, MELS), np.float32)
    for i in range(0, frames, WINDOW_FRAMES):  # bounds the memory of the spectra
        spectrum = np.fft.rfft(cuts[i : i + WINDOW_FRAMES] * window, axis=1).astype(np.complex64)
        magnitude = np.sqrt(spectrum.real**2 + spectrum.imag**2 + np.float32(1e-9))
        mel[i : i + WINDOW_FRAMES] = magnitude @ _mel_filters()
    return np.log(np.maximum(mel, FLOOR))


def voice_salience(audio: NDArray[np.float32], threads: int = 0) -> NDArray[np.float32]:
    """Return how likely each pitch is to be a voice's, at each moment.

    Parameters
    ----------
    audio : ndarray of float32, shape (samples,)
        Mono at `VOICE_RATE`.
    threads : int, optional
        Threads of ONNX Runtime; 0 lets it take all cores.

    Returns
    -------
    ndarray of float32, shape (frames, 360)
        In 0..1; `VOICE_FRAME` seconds a row, bins at `bin_pitches`.

    Raises
    ------
    MissingDependencyError
        If ONNX Runtime, onnx or the weights are not installed.
    """
    mel = mel_spectrogram(audio)
    network = _session(threads)
    parts = []
    for first in range(0, len(mel), WINDOW_FRAMES):
        lead = min(CONTEXT_FRAMES, first)
        window = mel[first - lead : first + WINDOW_FRAMES + CONTEXT_FRAMES]
        (found,) = network.run(None, {"mel": np.ascontiguousarray(window.T[None])})
        parts.append(found[0, lead : lead + WINDOW_FRAMES])
    return np.concatenate(parts)
