"""Neural networks that come inside other packages' wheels, run on ONNX Runtime."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from melodysim.errors import MissingDependencyError


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
        If ONNX Runtime is not installed.
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
    return onnxruntime.InferenceSession(model, sess_options=options, providers=["CPUExecutionProvider"])
