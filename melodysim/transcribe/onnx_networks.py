"""Neural networks that come inside other packages' wheels, run on ONNX Runtime."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodysim.errors import MelodysimError, MissingDependencyError
from melodysim.transcribe import accelerators
from melodysim.util.atomic_files import make_folder, write_whole

Shape = tuple[int | None, ...]


def packaged_file(package: str, inside: str, missing: str) -> Path:
    """Find a file inside an installed package without importing the package.

    Parameters
    ----------
    package : str
        Its import name.
    inside : str
        Path of the file in the package.
    missing : str
        Text of the error if the file is not there.

    Raises
    ------
    MissingDependencyError
        If the package, or the file in it, is not installed.
    """
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / inside
        if path.is_file():
            return path
    raise MissingDependencyError(missing)


def inference_session(model: str | bytes, threads: int) -> Any:
    """Load a network into ONNX Runtime.

    Parameters
    ----------
    model : str or bytes
        Path of an ONNX file, or the bytes of one.
    threads : int
        0 lets it take all cores.

    Raises
    ------
    MissingDependencyError
        If ONNX Runtime is not installed, or not for the accelerator that was chosen.
    MelodysimError
        If it does not start there.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError(
            "reading audio needs ONNX Runtime: run `pip install 'melodysim[audio]'`"
        ) from error
    onnxruntime.set_default_logger_severity(3)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    where = accelerators.chosen()
    asked = accelerators.providers(where, onnxruntime.get_available_providers())
    session = onnxruntime.InferenceSession(model, sess_options=options, providers=asked)
    accelerators.require_running(where, session)
    return session


def available_accelerators() -> list[str]:
    """Return what the installed ONNX Runtime can run networks on; nothing if it is not installed."""
    try:
        import onnxruntime
    except ImportError:
        return []
    there = onnxruntime.get_available_providers()
    return [name for name, (provider, _) in accelerators.PROVIDERS.items() if provider in there]


def prepared_session(
    name: str, weights: Path, made_by: str, build: Callable[[], bytes], threads: int
) -> Any:
    """Load a network that has to be put together first: once, and from the user's cache folder then.

    Parameters
    ----------
    name : str
        Of the network.
    weights : Path
        File that its weights come from.
    made_by : str
        File of the code that puts it together: another version of it, or of the weights, makes it anew.
    build : callable
        Returns the bytes of an ONNX file; uses `Graph`.
    threads : int
        0 lets it take all cores.

    Raises
    ------
    MissingDependencyError
        If onnx, ONNX Runtime or the weights are not installed.
    """
    kept = _kept_network(name, weights, made_by)
    if kept.is_file():
        # One that is damaged is made again; ONNX Runtime's errors have no class in common.
        try:
            return inference_session(str(kept), threads)
        except MelodysimError:
            raise
        except Exception:
            kept.unlink(missing_ok=True)
    try:
        network = build()
    except ImportError as error:
        raise MissingDependencyError(
            f"reading audio needs {error.name}: run `pip install 'melodysim[audio]'`"
        ) from error
    # Without a place to keep it, it is made in every process.
    with contextlib.suppress(MelodysimError, OSError):
        make_folder(kept.parent)
        write_whole(kept, network)
        for older in set(kept.parent.glob(f"{name}-*.onnx")) - {kept}:
            older.unlink()
    return inference_session(network, threads)


def _kept_network(name: str, weights: Path, made_by: str) -> Path:
    """Return the file in the cache folder that a network is kept in."""
    from platformdirs import user_cache_path

    about = weights.stat()
    key = hashlib.sha256(f"{weights.resolve()} {about.st_size} {about.st_mtime_ns}".encode())
    for code in (__file__, made_by):
        key.update(Path(code).read_bytes())
    folder = user_cache_path("melodysim", appauthor=False) / "networks"
    return folder / f"{name}-{key.hexdigest()[:16]}.onnx"


class Graph:
    """An ONNX graph in the making: adds nodes, each with outputs of its own names."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def constant(self, value: NDArray) -> str:
        """Add an array; return its name."""
        from onnx import numpy_helper

        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

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
        from onnx import helper

        names = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        made = [f"n{len(self._nodes)}_{k}" for k in range(outputs)]
        self._nodes.append(helper.make_node(kind, names, made, **attributes))
        return made[0] if outputs == 1 else made

    def model(
        self, name: str, given: tuple[str, Shape], results: dict[str, tuple[str, Shape]]
    ) -> bytes:
        """Return the network as the bytes of an ONNX file.

        Parameters
        ----------
        name : str
            Of the network.
        given : (str, shape)
            Name and shape of the input; None where a length is free.
        results : dict of str to (str, shape)
            By the name of each output, the name that `add` gave it, and its shape.
        """
        from onnx import TensorProto, helper

        kind = TensorProto.FLOAT
        named = [helper.make_node("Identity", [made], [out]) for out, (made, _) in results.items()]
        graph = helper.make_graph(
            [*self._nodes, *named],
            name,
            [helper.make_tensor_value_info(given[0], kind, given[1])],
            [helper.make_tensor_value_info(out, kind, shape) for out, (_, shape) in results.items()],
            self._constants,
        )
        opset = [helper.make_opsetid("", 18)]
        return bytes(helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString())
