"""The innermost loops, and the choice of them: compiled in C, or the same functions in numba.

`_native` is made when the package is built, for the instruction sets that `instruction_set` knows.
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
FURTHEST = 3
"""Most notes that a move of the alignment of notes covers (`melodysim.align.dtw`)."""
DISPLACEMENT_REACH = 36
"""Semitones up and down that its table of rarities holds (`melodysim.align.surprisal`)."""


@cache
def kernels() -> ModuleType:
    """Return the module of kernels to use: `_native`, or `fallback`."""
    native = None if os.environ.get(CHOICE) == "numba" else compiled()
    if native is not None:
        return native
    from melodysim.kernels import fallback

    return fallback


def compiled() -> ModuleType | None:
    """Load the compiled kernels, if there are any for this processor."""
    try:
        native = import_module("melodysim.kernels._native")
    except ImportError:
        return None
    return native if native.instruction_set() else None


def description() -> str:
    """Describe the kernels in use in a few words."""
    used = kernels()
    if used.__name__.endswith("_native"):
        return f"compiled, {used.instruction_set()}"
    return "numba; the compiled ones are not there, or not for this processor"
