"""The page over many tracks: counts, a histogram, and a table that sorts and filters."""

from __future__ import annotations

import posixpath
from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Any

from melodysim.judge.verdict import GRADES
from melodysim.judge.wording import GRADE_WORDS, clock, odds
from melodysim.library import Holdings
from melodysim.report.html.svg import histogram_svg
from melodysim.report.html.template import file_name, rendered_page, require_pages
from melodysim.report.reports import Report

PAGE_ROWS = 200
"""Rows shown at a time: laying out thousands takes a browser a second at every change."""
_NO_MATCH = 1e9
"""Stands for the E-value of a track without a match with a protected work."""
_WORDS = {
    "likely": "likely",
    "review": "to review",
    "uncertain": GRADE_WORDS["uncertain"],
    "accepted": "accepted",
    "clear": "clear",
    "unchecked": GRADE_WORDS["unchecked"],
    "error": "failed",
}
_ORDER = {grade: number for number, grade in enumerate(_WORDS)}
COLUMNS = (
    ("Track", "text", False), ("Folder", "text", False), ("Verdict", "number", False),
    ("Closest work", "text", False), ("Where", "number", False), ("By chance", "number", True),
)  # fmt: skip
"""Name, how it sorts, and whether it stands at the right."""


@dataclass(frozen=True)
class TrackRow:
    """Row of the table for one track.

    Attributes
    ----------
    source : str
        The track.
    level : str
        Verdict as people are shown it (`melodysim.judge.verdict.GRADES`), or "error".
    probability, e_value : float or None
        Of its best match with a protected work.
    title : str
        Of that work, or why the track could not be read.
    seconds : (float, float) or None
        The passage in the track.
    href : str or None
        The track's own page, from the index.
    group : int or None
        Number of the group of takes that it belongs to.
    fresh : bool
        Whether it is new since the last scan, or graver than then.
    accepted : tuple of str
        Notes of the findings in it that were accepted.
    """

    source: str
    level: str
    probability: float | None = None
    e_value: float | None = None
    title: str = ""
    seconds: tuple[float, float] | None = None
    href: str | None = None
    group: int | None = None
    fresh: bool = False
    accepted: tuple[str, ...] = ()


def row_of(report: Report, href: str | None = None) -> TrackRow:
    """Return the row of the table for a report."""
    if report.verdict is None:
        # Without the file name, which the row shows already.
        return TrackRow(report.source, "error", title=report.error.why if report.error else "")
    best = report.leading
    return TrackRow(
        report.source,
        report.verdict.grade,
        report.verdict.probability,
        best.e_value if best else None,
        best.reference.title if best else "",
        best.query.seconds if best else None,
        href,
        accepted=tuple(settled.note for settled in report.accepted.values()),
    )


def index_html(rows: list[TrackRow], holdings: Holdings, heading: str, when: date | None = None) -> str:
    """Make the page over many tracks: HTML that opens from disk and loads nothing.

    Parameters
    ----------
    rows : list of TrackRow
        Shown by verdict, the gravest first, then by E-value.
    holdings : Holdings
        What the tracks were compared with.
    heading : str
        Title of the page.
    when : date, optional
        Day of the check.
    """
    require_pages()
    from markupsafe import Markup

    counts = Counter(row.level for row in rows)
    read = [row for row in rows if row.level in GRADES]
    histogram = histogram_svg([row.level for row in read], [_e_value(row) for row in read])
    ordered = sorted(rows, key=lambda row: (_ORDER[row.level], _e_value(row)))
    takes: Counter[int | None] = Counter(row.group for row in rows if row.group is not None)
    common = _common_folder([_folder(row.source) for row in rows])
    return rendered_page(
        "index.html.j2",
        "table.js",
        heading=heading,
        when=when.isoformat() if when else "",
        holdings=holdings.sentences(),
        counts=[
            (level, _WORDS[level], counts[level])
            for level in _ORDER
            if counts[level] or level in {"likely", "review", "clear"}
        ],
        histogram=Markup(histogram),
        columns=COLUMNS,
        page_rows=PAGE_ROWS,
        rows=[_shown(row, takes, common) for row in ordered],
        fresh=sum(row.fresh for row in rows),
        takes=len(takes),
    )


def _e_value(row: TrackRow) -> float:
    return _NO_MATCH if row.e_value is None else row.e_value


def _folder(source: str) -> str:
    """Return the folder of a track, whichever system wrote its path."""
    return source.replace("\\", "/").rpartition("/")[0]


def _common_folder(folders: list[str]) -> str:
    """Return the path that all folders begin with; empty if there is none."""
    if len({folder.startswith("/") for folder in folders}) != 1:
        return ""
    return posixpath.commonpath(folders)


def _shown(row: TrackRow, takes: Counter[int | None], common: str) -> dict[str, Any]:
    folder = _folder(row.source)
    return {
        "level": row.level,
        "word": _WORDS[row.level],
        "folder": folder[len(common) :].lstrip("/") if folder.startswith(common) else folder,
        "group": "" if row.group is None else row.group,
        "takes": takes[row.group] if row.group is not None else 0,
        "fresh": row.fresh,
        "accepted": "; ".join(filter(None, row.accepted)) or "no note" if row.accepted else "",
        "order": _ORDER[row.level],
        "source": row.source,
        "name": file_name(row.source),
        "href": row.href,
        "title": row.title,
        "begin": "" if row.seconds is None else f"{row.seconds[0]:.2f}",
        "where": "" if row.seconds is None else f"{clock(row.seconds[0])} to {clock(row.seconds[1])}",
        "e_value": "" if row.e_value is None else f"{row.e_value:.4g}",
        "odds": "" if row.e_value is None else odds(row.e_value),
    }
