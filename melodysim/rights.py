"""Rights in a reference melody, and what a status means for a verdict.

This is about the composition (the tune), never about a recording of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Status = Literal["in-copyright", "public-domain", "licensed", "own", "unknown"]
STATUSES: tuple[str, ...] = get_args(Status)

_MEANING = {
    "in-copyright": "in copyright: using this passage needs a mechanical licence",
    "public-domain": "in the public domain: anybody may use the tune",
    "licensed": "licensed to you: covered as far as your licence goes",
    "own": "your own work",
    "unknown": "rights unknown: treated as protected until you know better",
}


@dataclass(frozen=True)
class Rights:
    """Who may use a composition.

    Attributes
    ----------
    status : {"in-copyright", "public-domain", "licensed", "own", "unknown"}
        What is known of the composition.
    holder, iswc, note : str or None
        Who holds the rights; the work's international code; anything else.
    published : int or None
        Year of first publication.
    """

    status: Status = "unknown"
    holder: str | None = None
    iswc: str | None = None
    published: int | None = None
    note: str | None = None

    @property
    def protected(self) -> bool:
        """Whether a match may raise a verdict: in copyright, or not known to be free."""
        return self.status in ("in-copyright", "unknown")

    @property
    def meaning(self) -> str:
        """The status in words that a musician understands."""
        return _MEANING[self.status]
