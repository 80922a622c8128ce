"""basic-pitch's network, put together anew from the weights in the ONNX file of its wheel.

Bittner, Bosch, Rubinstein, Meseguer-Brocal & Ewert (2022), "A lightweight instrument-agnostic model for
polyphonic note transcription and multipitch estimation", ICASSP; Apache-2.0 licence. The network is the
published one, and its answers are the same but for rounding. It is laid out otherwise, because
processors multiply 8 or 16 channels at a time, and the published layers have 8 channels, or 1:

* a layer with few channels answers for several adjacent bins and frames at once, each in channels of
  its own (`_tiled`), so that no part of a vector is idle;
* real and imaginary parts of the constant-Q transform are one convolution for each octave;
* of frames near the ends of a window, which nobody asks for, no more than the spectrum is computed.

Near silence answers differ: a window without any sound is normalised to nothing here, not to the
rounding errors of its logarithms, which hang on the processor.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from make_networks.graph import Graph, Shape
from make_networks.upstream import WHEELS

CHANGE = "laid out anew, and without the frames at the ends of a window"
SAMPLES, FRAMES = 43844, 172
"""Of a window."""
EDGE = 15
"""Frames at either end of a window that are not kept: their surroundings leave the window."""
KEPT = FRAMES - 2 * EDGE
BINS, SEMITONES = 264, 88
HEARD_BINS = 309
"""Of the constant-Q transform: it goes on above the highest note, for its harmonics."""
OCTAVES, BINS_PER_OCTAVE = 9, 36
HOP, TAPS = 256, 256
"""Samples from frame to frame, and of each kernel of the transform."""
HARMONICS = (-36, 0, 36, 57, 72, 84, 93, 101)
"""Bins from a pitch to its overtones, the first an octave below."""
SMALLEST_POWER = 1e-10
LEAST_SPAN = 1e-3
"""Natural logarithm of the loudest over the quietest power of a window at least. In silence, logarithms
of the same number differ by a bit from place to place, and must not be stretched to the whole range."""
HALVED_AT_ONCE = 16
"""Samples of the next lower octave that one step of a convolution makes."""
ROWS, COLUMNS = 2, 8
"""Frames and bins that the layers with one channel answer for at once."""
GROUP = 4
"""Bins that the first layer of the contour, which has 8 channels, answers for at once."""

Kernel = NDArray[np.float32]


@dataclass(frozen=True)
class _Layer:
    """A convolution, as published.

    Attributes
    ----------
    kernel : ndarray of float32, shape (channels, channels of the input, frames, bins)
    bias : ndarray of float32, shape (channels,)
    """

    kernel: Kernel
    bias: NDArray[np.float32]


@dataclass(frozen=True)
class _Weights:
    """What was learnt, and what is fixed.

    Attributes
    ----------
    transform : ndarray of float32, shape (72, 1, 1, 256)
        Real, then imaginary parts of the highest octave's 36 bins.
    halving : ndarray of float32, shape (1, 1, 1, 256)
        The filter before every second sample is dropped.
    lengths : ndarray of float32, shape (309,)
        By which the magnitude of each bin is multiplied.
    scale, shift : float
        Of the batch normalisation of the spectrum.
    contour, contour_out, note, note_out, onset, onset_out : _Layer
    """

    transform: Kernel
    halving: Kernel
    lengths: NDArray[np.float32]
    scale: float
    shift: float
    contour: _Layer
    contour_out: _Layer
    note: _Layer
    note_out: _Layer
    onset: _Layer
    onset_out: _Layer


def _read(path: Path) -> _Weights:
    """Find the weights in the published file, by their shapes and by where they are used.

    Raises
    ------
    ValueError
        If it is not the network that is known here.
    """
    unknown = f"{path} is not basic-pitch's network of 2022"
    graph = onnx.load(str(path)).graph
    constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}

    def used(kind: str, output: str = "") -> list[list[NDArray]]:
        nodes = [node for node in graph.node if node.op_type == kind and output in node.output[0]]
        given = [[constants[name] for name in node.input if name in constants] for node in nodes]
        return [arrays for arrays in given if arrays]

    def convolutions(shape: tuple[int, ...]) -> list[list[NDArray]]:
        return [given for given in used("Conv") if given[0].shape == shape]

    def the(found: list[Any]) -> Any:
        if len(found) != 1:
            raise ValueError(unknown)
        return found[0]

    def layer(*shape: int) -> _Layer:
        kernel, bias = the(convolutions(shape))
        return _Layer(kernel, bias)

    parts = [given[0] for given in convolutions((BINS_PER_OCTAVE, 1, 1, TAPS))]
    halving = [given[0] for given in convolutions((1, 1, 1, TAPS))]
    # Which part is real does not matter: what is used is the power.
    different = [part for k, part in enumerate(parts) if not any((part == p).all() for p in parts[:k])]
    lengths = the([given[0] for given in used("Mul") if given[0].size == HEARD_BINS])
    ((scale,), (shift,)) = (the(used(kind, "FusedBatchNorm")) for kind in ("Mul", "Add"))
    counts = len(parts), len(different), len(halving)
    if counts != (2 * OCTAVES, 2, OCTAVES - 1) or any((x != halving[0]).any() for x in halving):
        raise ValueError(unknown)
    return _Weights(
        np.concatenate(different),
        halving[0],
        lengths.ravel(),
        float(scale[0]),
        float(shift[0]),
        layer(8, 8, 3, 39),
        layer(1, 8, 5, 5),
        layer(32, 1, 7, 7),
        layer(1, 32, 7, 3),
        layer(32, 8, 5, 5),
        layer(1, 33, 3, 3),
    )


def _tiled(kernel: Kernel, rows: int, columns: int, step: int = 1) -> Kernel:
    """Return the kernel that answers for a tile of adjacent places at once, each in its own channels.

    Parameters
    ----------
    kernel : ndarray, shape (channels, inputs, height, width)
    rows, columns : int
        Of the tile: a convolution with the new kernel moves on by so many.
    step : int, optional
        By which the convolution with the old kernel moves on from column to column.

    Returns
    -------
    ndarray, shape (rows * columns * channels, inputs, height + rows - 1, width + step * (columns - 1))
    """
    channels, inputs, height, width = kernel.shape
    taller, wider = height + rows - 1, width + step * (columns - 1)
    made = np.zeros((rows, columns, channels, inputs, taller, wider), kernel.dtype)
    for row, column in np.ndindex(rows, columns):
        at = step * column
        made[row, column, :, :, row : row + height, at : at + width] = kernel
    return made.reshape(-1, inputs, taller, wider)


def _over_groups(kernel: Kernel, group: int, before: int) -> tuple[Kernel, list[int]]:
    """Return the kernel for an input whose bins are side by side in channels, `group` at a time.

    Parameters
    ----------
    kernel : ndarray, shape (channels, inputs, height, width)
    group : int
    before : int
        Bins by which the input of the old kernel is padded on either side.

    Returns
    -------
    kernel : ndarray, shape (channels, group * inputs, height, groups)
    pads : list of int
        Groups by which the input of the new one is padded on either side.
    """
    channels, inputs, height, width = kernel.shape
    groups_before = -(-before // group)
    ahead = groups_before * group - before
    groups = -(-(ahead + width) // group)
    wide = np.zeros((channels, inputs, height, groups * group), kernel.dtype)
    wide[..., ahead : ahead + width] = kernel
    by_group = wide.reshape(channels, inputs, height, groups, group).transpose(0, 4, 1, 2, 3)
    return by_group.reshape(channels, -1, height, groups), [0, groups_before, 0, groups_before]


def _untiled(g: Graph, x: str, frames: int, bins: int) -> str:
    """Add what lays tiles out side by side: [n, ROWS * COLUMNS, rows, columns] to [n, frames, bins]."""
    shape = np.array([-1, ROWS, COLUMNS, frames // ROWS, bins // COLUMNS])
    x = g.add("Transpose", g.add("Reshape", x, shape), perm=[0, 3, 1, 4, 2])
    return str(g.add("Reshape", x, np.array([-1, frames, bins])))


def _cut(g: Graph, x: str, axis: int, first: int, last: int) -> str:
    """Add a cut along an axis."""
    return str(g.add("Slice", x, np.array([first]), np.array([last]), np.array([axis])))


def _half_rate(g: Graph, w: _Weights, x: str, length: int) -> tuple[str, int]:
    """Add the filter that leaves every second sample; return how many are left."""
    before = TAPS // 2 - 1
    left = (length + 2 * before - TAPS) // 2 + 1
    steps = -(-left // HALVED_AT_ONCE)
    kernel = _tiled(w.halving, 1, HALVED_AT_ONCE, step=2)
    needed = 2 * HALVED_AT_ONCE * (steps - 1) + kernel.shape[3]
    pads = [0, before, 0, needed - before - length]
    x = g.add("Conv", x, kernel, strides=[1, 2 * HALVED_AT_ONCE], pads=pads)
    x = g.add(
        "Reshape",
        g.add("Transpose", x, perm=[0, 2, 3, 1]),
        np.array([-1, 1, 1, steps * HALVED_AT_ONCE]),
    )
    return _cut(g, x, 3, 0, left), left


def _spectrum(g: Graph, w: _Weights) -> str:
    """Add the normalised constant-Q transform: [n, samples] to [n, 1, frames, HEARD_BINS]."""
    x, length = str(g.add("Reshape", "audio", np.array([-1, 1, 1, SAMPLES]))), SAMPLES
    octaves = []
    for octave in range(OCTAVES):
        if octave:
            x, length = _half_rate(g, w, x, length)
        around = np.array([0, 0, 0, TAPS // 2, 0, 0, 0, TAPS // 2])
        padded = g.add("Pad", x, around, mode="reflect")
        octaves.append(g.add("Conv", padded, w.transform, strides=[1, HOP >> octave]))
    x = g.add("Concat", *octaves[::-1], axis=2)
    parts = g.add("Split", g.add("Mul", x, x), outputs=2, axis=1, num_outputs=2)
    x = g.add("Transpose", g.add("Add", *parts), perm=[0, 2, 1, 3])
    x = g.add("Reshape", x, np.array([-1, OCTAVES * BINS_PER_OCTAVE, FRAMES]))
    x = g.add("Transpose", x, perm=[0, 2, 1])
    x = g.add("Reshape", x, np.array([-1, 1, FRAMES, OCTAVES * BINS_PER_OCTAVE]))
    x = _cut(g, x, 3, OCTAVES * BINS_PER_OCTAVE - HEARD_BINS, OCTAVES * BINS_PER_OCTAVE)
    x = g.add("Mul", x, np.square(w.lengths).reshape(1, 1, 1, -1))
    # Normalised to 0 to 1 within the window, so the unit of the logarithm does not matter.
    x = g.add("Log", g.add("Add", x, np.array([SMALLEST_POWER], np.float32)))
    where = np.array([1, 2, 3])
    lowest, highest = (g.add(f"Reduce{end}", x, where, keepdims=1) for end in ("Min", "Max"))
    span = g.add("Max", g.add("Sub", highest, lowest), np.array([LEAST_SPAN], np.float32))
    span = g.add("Div", span, np.array([w.scale], np.float32))
    x = g.add("Div", g.add("Sub", x, lowest), span)
    return str(g.add("Add", x, np.array([w.shift], np.float32)))


def _harmonics(g: Graph, spectrum: str) -> str:
    """Add what lays a pitch and its overtones side by side, as channels: [n, 8, frames, BINS]."""
    stack = []
    for shift in HARMONICS:
        first, last = max(0, shift), min(HEARD_BINS, BINS + shift)
        left = max(0, -shift)
        right = BINS - left - (last - first)
        part = _cut(g, spectrum, 3, first, last)
        silent = np.array([0, 0, 0, left, 0, 0, 0, right])
        stack.append(g.add("Pad", part, silent) if left or right else part)
    return str(g.add("Concat", *stack, axis=1))


def _answered(g: Graph, x: str, kernel: Kernel, bias: NDArray[np.float32], group: int = 1) -> str:
    """Add a layer of one channel, in tiles; its input has `group` bins side by side in channels."""
    tiled, pads = _over_groups(_tiled(kernel, ROWS, COLUMNS), group, before=kernel.shape[3] // 2)
    biases = np.tile(bias, ROWS * COLUMNS)
    return str(g.add("Conv", x, tiled, biases, strides=[ROWS, COLUMNS // group], pads=pads))


def _contour(g: Graph, w: _Weights, harmonics: str, frames: int) -> str:
    """Add the layers that hear exact pitch: to [n, frames, BINS]."""
    kernel, bias = _tiled(w.contour.kernel, 1, GROUP), np.tile(w.contour.bias, GROUP)
    side = w.contour.kernel.shape[3] // 2
    x = g.add("Conv", harmonics, kernel, bias, strides=[1, GROUP], pads=[0, side, 0, side])
    x = _answered(g, g.add("Relu", x), w.contour_out.kernel, w.contour_out.bias, GROUP)
    return _untiled(g, g.add("Sigmoid", x), frames, BINS)


def _note(g: Graph, w: _Weights, contour: str, frames: int) -> str:
    """Add the layers that hear which semitone sounds: to [n, frames, SEMITONES]."""
    x = g.add("Unsqueeze", contour, np.array([1]))
    x = g.add("Conv", x, w.note.kernel, w.note.bias, strides=[1, 3], pads=[0, 2, 0, 2])
    x = _answered(g, g.add("Relu", x), w.note_out.kernel, w.note_out.bias)
    return _untiled(g, g.add("Sigmoid", x), frames, SEMITONES)


def _onset(g: Graph, w: _Weights, harmonics: str, note: str, frames: int) -> str:
    """Add the layers that hear where a semitone begins: to [n, frames, SEMITONES]."""
    x = g.add("Conv", harmonics, w.onset.kernel, w.onset.bias, strides=[1, 3], pads=[0, 1, 0, 1])
    # The note is the first channel of the last layer's input: it has its share apart.
    of_note, of_onset = w.onset_out.kernel[:, :1], w.onset_out.kernel[:, 1:]
    x = _answered(g, g.add("Relu", x), of_onset, w.onset_out.bias)
    y = g.add("Unsqueeze", note, np.array([1]))
    y = _answered(g, y, of_note, np.zeros(1, np.float32))
    return _untiled(g, g.add("Sigmoid", g.add("Add", x, y)), frames, SEMITONES)


def basic_pitch_network(path: Path) -> bytes:
    """Build the network: windows of sound [n, 43844] to what sounds in their 142 middle frames.

    Parameters
    ----------
    path : Path
        The published ONNX file.

    Returns
    -------
    bytes
        An ONNX file with the input "audio" and the outputs "note", "onset" [n, 142, 88] and "contour"
        [n, 142, 264].

    Raises
    ------
    ValueError
        If the file is not the network that is known here.
    """
    w = _read(path)

    def half(layer: _Layer) -> int:
        return layer.kernel.shape[2] // 2

    # No layer pads its frames. So each needs some more of the one before, on either side of the kept
    # frames: from the last layer back to the spectrum.
    of_note = half(w.onset_out)
    of_contour = of_note + half(w.note_out) + half(w.note)
    of_harmonics = of_contour + half(w.contour_out) + half(w.contour)
    for_onset = of_note + half(w.onset)

    g = Graph(halved=False)
    spectrum = _cut(g, _spectrum(g, w), 2, EDGE - of_harmonics, FRAMES - EDGE + of_harmonics)
    harmonics = _harmonics(g, spectrum)
    contour = _contour(g, w, harmonics, KEPT + 2 * of_contour)
    note = _note(g, w, contour, KEPT + 2 * of_note)
    near = _cut(g, harmonics, 2, of_harmonics - for_onset, of_harmonics + KEPT + for_onset)
    onset = _onset(g, w, near, note, KEPT)

    results: dict[str, tuple[str, Shape]] = {
        "note": (_cut(g, note, 1, of_note, of_note + KEPT), (None, KEPT, SEMITONES)),
        "onset": (onset, (None, KEPT, SEMITONES)),
        "contour": (_cut(g, contour, 1, of_contour, of_contour + KEPT), (None, KEPT, BINS)),
    }
    return g.model(
        "basic_pitch", WHEELS["basic_pitch"].notice(CHANGE), ("audio", (None, SAMPLES)), results
    )
