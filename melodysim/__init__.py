"""Find out whether a track's melody already belongs to somebody.

Notes or recordings in, matches with a library of reference melodies out::

    import melodysim

    library = melodysim.Library.open()
    report = library.check("song.mid")
    report.verdict.level

Importing is quick and silent. The public names stand in ``__init__.pyi``, each once, with the module
that it comes from; a module loads when one of its names is first used (PEP 562).
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

from melodysim._version import __version__ as __version__

_STUB = Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8")
_HOMES = {name: home for home, name in re.findall(r"(?m)^from (\S+) import (\S+) as \2$", _STUB)}
__all__ = sorted(_HOMES)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'melodysim' has no attribute {name!r}")
    try:
        value = getattr(import_module(_HOMES[name]), name)
    except ImportError as error:
        if "once per process" not in str(error) and "subinterpreter" not in str(error):
            raise
        raise ImportError(
            f"numpy cannot be loaded a second time in this process ({error}): restart the host, or ask "
            "the daemon with melodysim/daemon/client.py, which needs no numpy"
        ) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
