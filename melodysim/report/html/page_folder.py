"""Reports of many tracks as a folder: an index, and a page a track."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from urllib.parse import quote

from melodysim.library import Holdings
from melodysim.report.html.index_page import TrackRow, index_html, row_of
from melodysim.report.html.track_page import track_html
from melodysim.report.reports import Report
from melodysim.util.atomic_files import file_stem, make_folder, write_whole
from melodysim.util.plain_text import counted

PAGES = "tracks"
"""Folder of the tracks' pages, beside the index."""


def link_of(page: str) -> str:
    """Return the link from the index to a track's page."""
    return f"{PAGES}/{quote(page)}"


def write_page(folder: Path, name: str, report: Report, recording: Path | None = None) -> None:
    """Write the page of one track.

    Parameters
    ----------
    folder : Path
        Folder of the index.
    name : str
        File name of the page.
    report : Report
        Of a track that could be read.
    recording : Path, optional
        Where the sound is, if not at the track's source.
    """
    page = track_html(report, date.today(), recording, back="../index.html")
    write_whole(folder / PAGES / name, page.encode())


def write_index(
    folder: Path, rows: list[TrackRow], holdings: Holdings, partly: int | None = None
) -> None:
    """Write the page over all tracks.

    Parameters
    ----------
    folder : Path
    rows : list of TrackRow
    holdings : Holdings
        What the tracks were compared with.
    partly : int, optional
        Number of all tracks, where only some are done so far.
    """
    heading = counted(len(rows), "track")
    if partly is not None:
        heading = f"{len(rows):,} of {counted(partly, 'track')} so far: the scan was stopped"
    page = index_html(rows, holdings, heading, date.today())
    write_whole(folder / "index.html", page.encode())


class PageFolder:
    """A folder of reports, written track by track so that none is kept in memory.

    Parameters
    ----------
    folder : Path
        Created if it does not exist.
    holdings : Holdings
        What the tracks are compared with.
    """

    def __init__(self, folder: Path, holdings: Holdings) -> None:
        self.folder, self.holdings = folder, holdings
        self.rows: list[TrackRow] = []
        make_folder(folder / PAGES)

    def add(self, report: Report) -> None:
        """Write the page of one track, if it could be read."""
        link = None
        if report.verdict is not None:
            name = f"{len(self.rows) + 1:05d}-{file_stem(report.source)[:80]}.html"
            write_page(self.folder, name, report)
            link = link_of(name)
        self.rows.append(row_of(report, link))

    def finish(self) -> None:
        """Write the index."""
        write_index(self.folder, self.rows, self.holdings)
