"""Rights in a reference melody, terms of protection, and what a status means for a verdict.

This is about the composition (the tune), never about a recording of it or an arrangement. The terms
are those of the statutes named in docs/rights.md; they are worked out to the year, since protection
ends with a calendar year everywhere. This is information, not legal advice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Literal, get_args

from melodysim.errors import RightsError

Status = Literal["in-copyright", "public-domain", "licensed", "own", "unknown"]
STATUSES: tuple[str, ...] = get_args(Status)

Territory = Literal["anywhere", "us", "eu", "uk", "life+50"]
TERRITORIES: tuple[str, ...] = get_args(Territory)
"""Where the track is to be released; "anywhere" applies the strictest of the other four."""

_PLACES: tuple[Territory, ...] = ("us", "eu", "uk", "life+50")
US_YEARS_FROM_PUBLICATION = 95
"""17 U.S.C. § 304: works published before 1978."""
US_LIFE_FROM = 1978
"""17 U.S.C. § 302: works created from this year on are protected for life and 70 years."""
LIFE_YEARS = {"us": 70, "eu": 70, "uk": 70, "life+50": 50}
"""After the death of the author who lived longest (Directive 2006/116/EC and 2011/77/EU; Copyright,
Designs and Patents Act 1988, s. 12; Berne Convention, art. 7)."""

_MEANING = {
    "in-copyright": "in copyright: using this passage needs a mechanical licence",
    "public-domain": "in the public domain: anybody may use the tune",
    "licensed": "licensed to you: covered as far as your licence goes",
    "own": "your own work",
    "unknown": "rights unknown: treated as protected until you know better",
}


@dataclass(frozen=True)
class Rights:
    """Rights in a composition.

    Attributes
    ----------
    status : {"in-copyright", "public-domain", "licensed", "own", "unknown"}
        What is known of the composition.
    holder, iswc, note : str or None
        Holder of the rights; International Standard Musical Work Code; any remark.
    published : int or None
        Year of first publication.
    died : int or None
        Year in which the last of its authors died.
    expires : str or None
        Last day of a licence, as YYYY-MM-DD.
    """

    status: Status = "unknown"
    holder: str | None = None
    iswc: str | None = None
    published: int | None = None
    note: str | None = None
    died: int | None = None
    expires: str | None = None

    @property
    def protected(self) -> bool:
        """Whether a match may raise a verdict: in copyright, or not known to be free."""
        return self.status in ("in-copyright", "unknown")

    @property
    def meaning(self) -> str:
        """The status in words that a musician understands."""
        return _MEANING[self.status]


def check_rights(rights: Rights) -> Rights:
    """Return rights unchanged, after checking that they are valid.

    Raises
    ------
    RightsError
        If the status, a year or the date is not valid.
    """
    if rights.status not in STATUSES:
        raise RightsError(f"{rights.status!r} is no status", f"choose one of {', '.join(STATUSES)}")
    for name, year in (("published", rights.published), ("died", rights.died)):
        if year is not None and not 1000 <= year <= date.today().year:
            raise RightsError(f"{name}: {year} is no year that has been")
    if rights.expires is not None:
        try:
            if date.fromisoformat(rights.expires).isoformat() != rights.expires:
                raise ValueError(rights.expires)  # 20271231 and 2027-W52-5 are dates, too
        except ValueError as error:
            raise RightsError(f"expires: {rights.expires!r} is no date such as 2027-12-31") from error
    return rights


def free_since(rights: Rights, territory: Territory) -> int | None:
    """Return the year in which a composition enters, or entered, the public domain.

    Parameters
    ----------
    rights : Rights
        With the year of publication, of death, or both, as far as known.
    territory : {"anywhere", "us", "eu", "uk", "life+50"}

    Returns
    -------
    int or None
        None where the known years do not decide. None also for works published after their authors'
        deaths, which have terms of their own; except, in the US, for those published before 1978, whose
        term depends on publication alone.

    Examples
    --------
    Published in 1930 by somebody who died in 1960:

    >>> old = Rights("in-copyright", published=1930, died=1960)
    >>> free_since(old, "us"), free_since(old, "eu"), free_since(old, "life+50")
    (2026, 2031, 2011)
    >>> free_since(old, "anywhere")
    2031
    """
    if territory == "anywhere":
        known = _known_years(rights)
        return max(known) if len(known) == len(_PLACES) else None
    if territory == "us" and rights.published is not None and rights.published < US_LIFE_FROM:
        return rights.published + US_YEARS_FROM_PUBLICATION + 1
    if rights.published is not None and rights.died is not None and rights.published > rights.died:
        return None
    if rights.died is None or (territory == "us" and rights.published is None):
        return None
    return rights.died + LIFE_YEARS[territory] + 1


def _known_years(rights: Rights) -> list[int]:
    """List the years in which a composition becomes free, of the territories where they are known."""
    years = (free_since(rights, place) for place in _PLACES)
    return [year for year in years if year is not None]


def effective(rights: Rights, territory: Territory = "anywhere", today: date | None = None) -> Rights:
    """Return rights as they stand in a territory on a day.

    "own" and "licensed" are kept, except for a licence that has run out. Otherwise the years decide
    where they are known, even against the status: a tune that is free in one country may be protected
    in another. Where they are not known, the status stands.

    Parameters
    ----------
    rights : Rights
    territory : {"anywhere", "us", "eu", "uk", "life+50"}, optional
    today : date, optional

    Returns
    -------
    Rights
        With another status, and a note that says why, where it changed.
    """
    day = today or date.today()
    if rights.status == "own":
        return rights
    if rights.status == "licensed":
        if rights.expires is None or day <= date.fromisoformat(rights.expires):
            return rights
        why = f"the licence ran out on {rights.expires}"
        rights = replace(rights, status="in-copyright", note=_noted(rights.note, why))
    since = free_since(rights, territory)
    if since is None and territory == "anywhere":
        # "Free" must be known of every territory; "protected", of one.
        since = max((year for year in _known_years(rights) if year > day.year), default=None)
    if since is None:
        return rights
    status: Status = "public-domain" if since <= day.year else "in-copyright"
    if status == rights.status:
        return rights
    elsewhere = ", but not known to be elsewhere" if status == "public-domain" else ""
    where = f"in “{territory}”{elsewhere}"
    if territory == "anywhere":
        where = "everywhere asked about" if status == "public-domain" else "in one place at least"
    word = "free" if status == "public-domain" else "protected until the end of"
    year = f"since {since}" if status == "public-domain" else f"{since - 1}"
    return replace(rights, status=status, note=_noted(rights.note, f"{word} {year} {where}"))


def _noted(note: str | None, why: str) -> str:
    return f"{note}; {why}" if note else why
