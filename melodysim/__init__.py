"""Find out whether a track's melody already belongs to somebody.

Notes or recordings in, matches with a library of reference melodies out::

    import melodysim

    library = melodysim.Library.open()
    report = library.check("song.mid")
    report.verdict.level

Importing is quick and silent: what is named here loads when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from melodysim.api import Library, Melody, Report, check_notes, compare, melody_of
    from melodysim.checking import PairReport, TrackReport, check
    from melodysim.errors import (
        CancelledError,
        InvalidNotesError,
        LibraryError,
        MelodysimError,
        MissingDependencyError,
        ReadError,
    )
    from melodysim.judge.verdict import Rates, Verdict, level_of
    from melodysim.library.rights import Rights
    from melodysim.melody import Piece
    from melodysim.readers.read import read
    from melodysim.report.html.track import Holdings, pair_html, track_html
    from melodysim.search.match import Match

_HOMES = {
    "check": "checking",
    "PairReport": "checking",
    "TrackReport": "checking",
    "CancelledError": "errors",
    "InvalidNotesError": "errors",
    "LibraryError": "errors",
    "MelodysimError": "errors",
    "MissingDependencyError": "errors",
    "ReadError": "errors",
    "Library": "api",
    "Melody": "api",
    "Report": "api",
    "check_notes": "api",
    "compare": "api",
    "melody_of": "api",
    "Match": "search.match",
    "Piece": "melody",
    "read": "readers.read",
    "Holdings": "report.html.track",
    "pair_html": "report.html.track",
    "track_html": "report.html.track",
    "Rights": "library.rights",
    "Rates": "judge.verdict",
    "Verdict": "judge.verdict",
    "level_of": "judge.verdict",
}

__all__ = [
    "CancelledError",
    "Holdings",
    "InvalidNotesError",
    "Library",
    "LibraryError",
    "Match",
    "Melody",
    "MelodysimError",
    "MissingDependencyError",
    "PairReport",
    "Piece",
    "Rates",
    "ReadError",
    "Report",
    "Rights",
    "TrackReport",
    "Verdict",
    "__version__",
    "check",
    "check_notes",
    "compare",
    "level_of",
    "melody_of",
    "pair_html",
    "read",
    "track_html",
]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'melodysim' has no attribute {name!r}")
    try:
        value = getattr(importlib.import_module(f"melodysim.{_HOMES[name]}"), name)
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
    return sorted([*globals(), *__all__])
