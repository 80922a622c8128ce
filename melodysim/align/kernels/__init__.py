"""Which kernels run: those compiled in C, or the same ones in numba.

`_native` is compiled when the package is built, for the instruction sets that `instruction_set` knows;
where there is none, for want of a C compiler or on another processor, `fallback` has the same functions
in numba. Both take the same arrays and give the same results to the bit; the tests hold them against
each other.
"""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from types import ModuleType

CHOICE = "MELODYSIM_KERNELS"
"""Environment variable: ``numba`` leaves the compiled kernels unused."""


@cache
def kernels() -> ModuleType:
    """Find the kernels to use.

    Returns
    -------
    module
        `melodysim.align._native` or `melodysim.align.kernels.fallback`.
    """
    native = None if os.environ.get(CHOICE) == "numba" else _native()
    if native is not None:
        return native
    from melodysim.align.kernels import fallback

    return fallback


def _native() -> ModuleType | None:
    """Load the compiled kernels, if there are any for this processor."""
    try:
        native = import_module("melodysim.align._native")
    except ImportError:
        return None
    return native if native.instruction_set() else None


def description() -> str:
    """Say in a word or two which kernels are in use."""
    used = kernels()
    if used.__name__.endswith("_native"):
        return f"compiled, {used.instruction_set()}"
    return "numba; the compiled ones are not there, or not for this processor"
