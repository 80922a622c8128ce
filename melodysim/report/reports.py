"""Reports of a check and of a comparison: the data that every output format shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from melodysim.errors import MelodysimError
from melodysim.judge.verdict import Rates, Verdict
from melodysim.library import Holdings
from melodysim.melody import Piece
from melodysim.search.match import Match
from melodysim.util.plain_text import counted


@dataclass(frozen=True, eq=False)
class Report:
    """Report of one checked track.

    Attributes
    ----------
    source : str
        The track.
    piece : Piece or None
        As it was read; None where it could not be.
    verdict : Verdict or None
        None where it could not be read.
    matches : tuple of Match
        Best first.
    error : MelodysimError or None
        Why it could not be checked.
    closest : Match or None
        The best match with a work that is, or may be, protected: what the verdict rests on.
    holdings : Holdings or None
        What the library holds that the track was compared with.
    rates : Rates
        Of false alarms, that the verdict was drawn with.
    """

    source: str
    piece: Piece | None = None
    verdict: Verdict | None = None
    matches: tuple[Match, ...] = ()
    error: MelodysimError | None = None
    closest: Match | None = None
    holdings: Holdings | None = None
    rates: Rates = field(default_factory=Rates)

    def __repr__(self) -> str:
        """Say what came of it, in a line."""
        if self.verdict is None:
            return f"<Report of {self.source!r}: {self.error}>"
        return (
            f"<Report of {self.source!r}: {self.verdict.level}, probability "
            f"{self.verdict.probability:.3f}, {counted(len(self.matches), 'match', 'matches')}>"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the report as ``melodysim check --format json`` has it in ``tracks``."""
        import melodysim

        return melodysim.track_dict(self)

    def to_json(self) -> str:
        """Return the report as JSON text; see `melodysim.track_json`."""
        import melodysim

        return melodysim.track_json(self)

    def to_html(self) -> str:
        """Return the report as a page that opens from disk; see `melodysim.track_html`."""
        import melodysim

        return melodysim.track_html(self)


@dataclass(frozen=True, eq=False)
class PairReport:
    """Report of two works compared.

    Attributes
    ----------
    new, earlier : Piece
        The works.
    score : float
        How much more alike they are than unrelated works, standardised; comparable between pairs.
    verdict : Verdict
        On the new work.
    match : Match or None
        The best passage of the new work that follows the earlier one.
    rates : Rates
        Of false alarms among unrelated pairs, that the verdict was drawn with.
    """

    new: Piece
    earlier: Piece
    score: float
    verdict: Verdict
    match: Match | None
    rates: Rates = field(default_factory=Rates)

    def __repr__(self) -> str:
        """Say what came of it, in a line."""
        return (
            f"<PairReport of {self.new.source!r} and {self.earlier.source!r}: {self.verdict.level}, "
            f"score {self.score:.1f}>"
        )
