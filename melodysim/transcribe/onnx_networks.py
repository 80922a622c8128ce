"""Neural networks, run on ONNX Runtime; their files are in the package `melodysim-models`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from melodysim.errors import MissingDependencyError
from melodysim.transcribe import accelerators

_REMEDY = "run `pip install 'melodysim[audio]'`"


def network_path(name: str) -> Path:
    """Return the path of a network's file.

    Parameters
    ----------
    name : str
        "basic_pitch", "fcpe" or "spleeter".

    Raises
    ------
    MissingDependencyError
        If the package, or the file in it, is not installed.
    """
    missing = f"reading audio needs melodysim-models: {_REMEDY}"
    try:
        import melodysim_models
    except ImportError as error:
        raise MissingDependencyError(missing) from error
    path = melodysim_models.network_path(name)
    if not path.is_file():
        raise MissingDependencyError(missing)
    return path


def inference_session(name: str, threads: int) -> Any:
    """Load a network into ONNX Runtime.

    Parameters
    ----------
    name : str
        Of the network, as `network_path` takes it.
    threads : int
        0 lets it take all cores.

    Raises
    ------
    MissingDependencyError
        If the networks or ONNX Runtime are not installed, or not for the accelerator that was chosen.
    MelodysimError
        If it does not start there.
    """
    path = network_path(name)
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError(f"reading audio needs ONNX Runtime: {_REMEDY}") from error
    onnxruntime.set_default_logger_severity(3)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    where = accelerators.chosen()
    asked = accelerators.providers(where, onnxruntime.get_available_providers())
    session = onnxruntime.InferenceSession(str(path), sess_options=options, providers=asked)
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
