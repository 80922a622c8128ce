"""Choice of the kernels: those compiled in C, or the same functions in numba.

`_native` is compiled when the package is built, for the instruction sets that `instruction_set` knows.
Where it is missing, for want of a C compiler or on another processor, `fallback` has the same functions
in numba. Both take the same arrays and return the same results to the bit; the tests compare them.
"""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from types import ModuleType

CHOICE = "MELODYSIM_KERNELS"
"""Environment variable: set to ``numba`` to run the numba kernels."""


@cache
def kernels() -> ModuleType:
    """Return the module of kernels to use: `melodysim.align._native`, or `fallback` in this folder."""
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
    """Describe the kernels in use in a few words."""
    used = kernels()
    if used.__name__.endswith("_native"):
        return f"compiled, {used.instruction_set()}"
    return "numba; the compiled ones are not there, or not for this processor"
