"""An ONNX file in the making."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Shape = tuple[int | None, ...]

HALVED = "put together for ONNX, with large weights in half precision"
"""What was changed of weights that a graph keeps as it does by default."""
HALVED_FROM = 1024
"""Constants of so many numbers or more are kept in half precision; others are shapes and biases."""
OPSET, IR_VERSION = 18, 9


class Graph:
    """An ONNX graph in the making: adds nodes, each with outputs of its own names.

    Large constants are kept as 16-bit floats and widened by a node of their own, which ONNX Runtime
    evaluates once, when it loads the network: half the bytes, and the same speed. Equal constants are
    kept once.

    Parameters
    ----------
    halved : bool, optional
        Keep them so; else all are kept as they are.
    """

    def __init__(self, halved: bool = True) -> None:
        self._halved = halved
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._names: dict[tuple[bool, str, tuple[int, ...], bytes], str] = {}

    def constant(self, value: NDArray) -> str:
        """Add an array; return its name."""
        halved = self._halved and value.dtype == np.float32 and value.size >= HALVED_FROM
        kept = np.ascontiguousarray(value.astype(np.float16) if halved else value)
        key = halved, kept.dtype.str, kept.shape, hashlib.sha256(kept.tobytes()).digest()
        if key not in self._names:
            name = f"c{len(self._constants)}"
            self._constants.append(numpy_helper.from_array(kept, name))
            self._names[key] = self.add("Cast", name, to=TensorProto.FLOAT) if halved else name
        return self._names[key]

    def add(self, kind: str, *inputs: str | NDArray, outputs: int = 1, **attributes: Any) -> Any:
        """Add an operator; return the name of its output, or a list of names if it has several.

        Parameters
        ----------
        kind : str
            As the ONNX standard names it.
        *inputs : str or ndarray
            Names of other outputs; arrays become constants.
        outputs : int, optional
            How many it has.
        **attributes
            Of the operator.
        """
        names = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        made = [f"n{len(self._nodes)}_{k}" for k in range(outputs)]
        self._nodes.append(helper.make_node(kind, names, made, **attributes))
        return made[0] if outputs == 1 else made

    def model(
        self, name: str, origin: str, given: tuple[str, Shape], results: dict[str, tuple[str, Shape]]
    ) -> bytes:
        """Return the network as the bytes of an ONNX file.

        Parameters
        ----------
        name : str
            Of the network.
        origin : str
            Whose it is, under which licence, and what was changed: the file says so itself.
        given : (str, shape)
            Name and shape of the input; None where a length is free.
        results : dict of str to (str, shape)
            By the name of each output, the name that `add` gave it, and its shape.
        """
        kind = TensorProto.FLOAT
        named = [helper.make_node("Identity", [made], [out]) for out, (made, _) in results.items()]
        graph = helper.make_graph(
            [*self._nodes, *named],
            name,
            [helper.make_tensor_value_info(given[0], kind, given[1])],
            [helper.make_tensor_value_info(out, kind, shape) for out, (_, shape) in results.items()],
            self._constants,
        )
        opset = [helper.make_opsetid("", OPSET)]
        made = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION, doc_string=origin)
        return bytes(made.SerializeToString(deterministic=True))
