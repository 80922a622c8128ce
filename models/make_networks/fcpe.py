"""FCPE's network, put together for ONNX Runtime from the weights in the `torchfcpe` wheel.

"Fast Context-based Pitch Estimation", github.com/CNChTu/FCPE, MIT licence: a stack of convolutional
conformer blocks over a mel spectrogram. The package itself needs PyTorch and is not imported.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from make_networks.graph import HALVED, Graph
from make_networks.upstream import WHEELS

MELS, BINS = 128, 360
LAYERS, WIDTH, GROUPS = 6, 512, 4


def fcpe_network(w: dict[str, NDArray[np.float32]]) -> bytes:
    """Build the network: mel spectrogram [1, 128, frames] to salience [1, frames, 360].

    Parameters
    ----------
    w : dict of str to ndarray of float32
        Weights, by the names that PyTorch gave them.

    Returns
    -------
    bytes
        An ONNX file with the input "mel" and the output "salience".
    """
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
    # From here on [frames, WIDTH]: a product of two matrices takes its bias along.
    x = g.add("Reshape", g.add("Transpose", x, perm=[0, 2, 1]), np.array([-1, WIDTH]))
    for layer in range(LAYERS):
        x = g.add("Add", x, _conformer(g, x, w, f"net.encoder_layers.{layer}.conformer.net."))
    x = g.add("LayerNormalization", x, w["norm.weight"], w["norm.bias"], axis=-1, epsilon=1e-5)
    direction = w["output_proj.weight_v"]
    # In double precision, so that the last bits do not hang on the processor.
    wide = direction.astype(np.float64)
    length = np.sqrt((wide**2).sum(axis=1, keepdims=True))
    out = (w["output_proj.weight_g"] * wide / length).astype(np.float32)
    x = g.add("Sigmoid", _dense(g, x, out, w["output_proj.bias"]))
    x = g.add("Reshape", x, np.array([1, -1, BINS]))
    return g.model(
        "fcpe",
        WHEELS["fcpe"].notice(HALVED),
        ("mel", (1, MELS, None)),
        {"salience": (x, (1, None, BINS))},
    )


def _dense(g: Graph, x: str, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> str:
    """Add a layer that sees one frame: [frames, inputs] to [frames, outputs]."""
    return str(g.add("Gemm", x, weight.T, bias))


def _conformer(g: Graph, x: str, w: dict[str, NDArray[np.float32]], at: str) -> str:
    """Add one block: norm, widen, gate, depthwise convolution over time, swish, narrow."""
    x = g.add("LayerNormalization", x, w[at + "0.weight"], w[at + "0.bias"], axis=-1, epsilon=1e-5)
    halves = zip(np.split(w[at + "2.weight"][:, :, 0], 2), np.split(w[at + "2.bias"], 2), strict=True)
    value, gate = (_dense(g, x, weight, bias) for weight, bias in halves)
    x = g.add("Mul", value, g.add("Sigmoid", gate))
    # ONNX Runtime has a fast depthwise convolution for pictures alone: this one is one pixel high.
    kernel = w[at + "4.conv.weight"][:, :, None]
    channels, half = kernel.shape[0], kernel.shape[3] // 2
    x = g.add("Transpose", g.add("Reshape", x, np.array([1, 1, -1, channels])), perm=[0, 3, 1, 2])
    x = g.add("Conv", x, kernel, w[at + "4.conv.bias"], pads=[0, half, 0, half], group=channels)
    x = g.add("Reshape", g.add("Transpose", x, perm=[0, 2, 3, 1]), np.array([-1, channels]))
    x = g.add("Mul", x, g.add("Sigmoid", x))
    return _dense(g, x, w[at + "6.weight"][:, :, 0], w[at + "6.bias"])
