"""The recordings that are compared in one check: each is prepared once, and its chance may be kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from melodysim.library import Unrelated
from melodysim.melody import Piece
from melodysim.search.likeness.listener import HeardChance, Listener

METHOD = 1
"""Raised whenever what is measured may differ; what was kept with another number is measured anew."""
IN_COMMON = 0.8
"""Share of the unrelated melodies that must be the same for what was measured on them to serve: what
chance does changes little when melodies are added to a library."""

Kept = Callable[[str], Iterable[dict[str, Any]]]
"""Returns what was kept of a recording by its name, the likeliest to serve first."""
Keep = Callable[[str, dict[str, Any]], None]
"""Keeps what was measured of a recording under its name."""


class Listeners:
    """Prepares recordings, each once.

    Parameters
    ----------
    unrelated : Unrelated
        What chance is measured on.
    threads : int, optional
    kept, keep : callable, optional
        See `Kept` and `Keep`.
    """

    def __init__(
        self,
        unrelated: Unrelated,
        threads: int = 1,
        kept: Kept = lambda _: (),
        keep: Keep = lambda *_: None,
    ) -> None:
        self.unrelated = unrelated
        self._threads, self._kept, self._keep = threads, kept, keep
        self._prepared: dict[int, Listener] = {}

    def of(self, piece: Piece, name: str | None = None) -> Listener:
        """Return the listener of a recording.

        Parameters
        ----------
        piece : Piece
            With `heard` and at least one melody.
        name : str, optional
            Names its content; what chance does in it is kept under this name.
        """
        there = self._prepared.get(id(piece))
        if there is None:
            there = self._prepared[id(piece)] = self._made(piece, name)
        return there

    def knows(self, name: str) -> bool:
        """Say whether what chance does in a recording was kept under a name."""
        return self._known(name) is not None

    def _made(self, piece: Piece, name: str | None) -> Listener:
        chance = None if name is None else self._known(name)
        made = Listener.of(piece, self.unrelated, self._threads, chance)
        if name is not None and chance is None:
            marks = sorted(self.unrelated.marks)
            self._keep(name, {"method": METHOD, "unrelated": marks, "chance": made.chance.plain()})
        return made

    def _known(self, name: str) -> HeardChance | None:
        """Return what was kept if it was measured so, on mostly these melodies."""
        for said in self._kept(name):
            try:
                before, now = set(said["unrelated"]), self.unrelated.marks
                if said["method"] == METHOD and len(before & now) >= IN_COMMON * len(before | now):
                    return HeardChance.from_plain(said["chance"])
            except (KeyError, TypeError, ValueError):
                continue  # damaged, or written otherwise: it is measured anew
        return None
