"""What the networks run on: the processor, or an accelerator that ONNX Runtime has a provider for.

It is one choice for a process and those that it starts, so it is kept in the environment. What was
asked for runs, or there is an error: ONNX Runtime would go on with the processor and say nothing.
"""

from __future__ import annotations

import os
from typing import Any

from melodysim.errors import MelodysimError, MissingDependencyError

VARIABLE = "MELODYSIM_ACCELERATOR"
PROCESSOR = "cpu"
PROVIDERS = {
    PROCESSOR: ("CPUExecutionProvider", "onnxruntime"),
    "cuda": ("CUDAExecutionProvider", "onnxruntime-gpu"),
    "coreml": ("CoreMLExecutionProvider", "onnxruntime"),
    "directml": ("DmlExecutionProvider", "onnxruntime-directml"),
    "openvino": ("OpenVINOExecutionProvider", "onnxruntime-openvino"),
}
"""ONNX Runtime's name for each, and the package that has it, in place of onnxruntime."""


_SETTINGS = {
    # Exhaustive search times every kernel anew for each length of sound, which takes longer than the
    # network. Products of 19 bits would change what is heard.
    "CUDAExecutionProvider": {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"},
}


def chosen() -> str:
    """Return the accelerator that was chosen, by its name in `PROVIDERS`.

    Raises
    ------
    MelodysimError
        If the environment names none of them.
    """
    name = os.environ.get(VARIABLE, "").strip().lower() or PROCESSOR
    if name not in PROVIDERS:
        raise MelodysimError(f"no accelerator “{name}”", f"{VARIABLE} is one of {', '.join(PROVIDERS)}")
    return name


def at_once(processor: int, accelerator: int) -> int:
    """Return how much a network is given at once: an accelerator is only busy with more."""
    return processor if chosen() == PROCESSOR else accelerator


def providers(name: str, available: list[str]) -> list[tuple[str, dict[str, str]]]:
    """Return the providers to ask ONNX Runtime for, with their settings.

    The accelerator comes first, then the processor for what it cannot do.

    Parameters
    ----------
    name : str
        In `PROVIDERS`.
    available : list of str
        What the installed ONNX Runtime has.

    Raises
    ------
    MissingDependencyError
        If it lacks the accelerator.
    """
    provider, package = PROVIDERS[name]
    if provider not in available:
        raise MissingDependencyError(
            f"the installed ONNX Runtime does not run on {name}",
            f"run `pip uninstall onnxruntime` and `pip install {package}`, on a system that has it",
        )
    wanted = dict.fromkeys([provider, PROVIDERS[PROCESSOR][0]])
    return [(each, _SETTINGS.get(each, {})) for each in wanted]


def require_running(name: str, session: Any) -> None:
    """Raise `MelodysimError` if a network that was loaded does not run where it was asked to."""
    if session.get_providers()[0] != PROVIDERS[name][0]:
        raise MelodysimError(
            f"{name} was asked for, and ONNX Runtime could not start it",
            "its drivers may be missing; leave out --accelerator to run on the processor",
        )
