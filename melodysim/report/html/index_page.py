"""The page over many tracks: counts, a histogram, and a table that sorts and filters."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Any

from melodysim.judge.verdict import LEVELS
from melodysim.judge.wording import clock, odds
from melodysim.library import Holdings
from melodysim.report.html.svg import histogram_svg
from melodysim.report.html.template import file_name, rendered_page, require_pages
from melodysim.report.reports import Report

PAGE_ROWS = 200
"""Rows shown at a time: laying out thousands takes a browser a second at every change."""
_NO_MATCH = 1e9
"""Stands for the E-value of a track without a match with a protected work."""
_ORDER = {"likely": 0, "review": 1, "clear": 2, "error": 3}
_WORDS = {"likely": "likely", "review": "to review", "clear": "clear", "error": "not read"}
COLUMNS = (
    ("Track", "text", False), ("Verdict", "number", False), ("Probability", "number", True),
    ("Closest protected work", "text", False), ("Where", "number", False),
    ("By chance", "number", True),
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
        Verdict, or "error".
    probability, e_value : float or None
        Of its best match with a protected work.
    title : str
        Of that work, or why the track could not be read.
    seconds : (float, float) or None
        The passage in the track.
    href : str or None
        The track's own page, from the index.
    """

    source: str
    level: str
    probability: float | None = None
    e_value: float | None = None
    title: str = ""
    seconds: tuple[float, float] | None = None
    href: str | None = None


def row_of(report: Report, href: str | None = None) -> TrackRow:
    """Return the row of the table for a report."""
    if report.verdict is None:
        # Without the file name, which the row shows already.
        return TrackRow(report.source, "error", title=report.error.why if report.error else "")
    best = report.closest
    return TrackRow(
        report.source,
        report.verdict.level,
        report.verdict.probability,
        best.e_value if best else None,
        best.reference.title if best else "",
        best.query.seconds if best else None,
        href,
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
    read = [row for row in rows if row.level in LEVELS]
    histogram = histogram_svg([row.level for row in read], [_e_value(row) for row in read])
    ordered = sorted(rows, key=lambda row: (_ORDER[row.level], _e_value(row)))
    return rendered_page(
        "index.html.j2",
        "table.js",
        heading=heading,
        when=when.isoformat() if when else "",
        holdings=holdings.sentences(),
        counts=[
            (level, _WORDS[level], counts[level])
            for level in _ORDER
            if counts[level] or level != "error"
        ],
        histogram=Markup(histogram),
        columns=COLUMNS,
        page_rows=PAGE_ROWS,
        rows=[_shown(row) for row in ordered],
    )


def _e_value(row: TrackRow) -> float:
    return _NO_MATCH if row.e_value is None else row.e_value


def _shown(row: TrackRow) -> dict[str, Any]:
    return {
        "level": row.level,
        "order": _ORDER[row.level],
        "source": row.source,
        "name": file_name(row.source),
        "href": row.href,
        "probability": "" if row.probability is None else f"{row.probability:.6f}",
        "percent": "" if row.probability is None else f"{row.probability:.3f}",
        "title": row.title,
        "begin": "" if row.seconds is None else f"{row.seconds[0]:.2f}",
        "where": "" if row.seconds is None else f"{clock(row.seconds[0])} to {clock(row.seconds[1])}",
        "e_value": "" if row.e_value is None else f"{row.e_value:.4g}",
        "odds": "" if row.e_value is None else odds(row.e_value),
    }
