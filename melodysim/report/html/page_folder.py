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


class Pages:
    """A folder of reports, written track by track so that none has to be kept.

    Parameters
    ----------
    folder : Path
        Is made if it does not exist.
    holdings : Holdings
        What the tracks are compared with.
    """

    def __init__(self, folder: Path, holdings: Holdings) -> None:
        self.folder, self.holdings = folder, holdings
        self.rows: list[TrackRow] = []
        make_folder(folder / "tracks")

    def add(self, report: Report) -> None:
        """Write the page of one track, if it could be read."""
        href = None
        if report.verdict is not None:
            name = f"{len(self.rows) + 1:05d}-{file_stem(report.source)[:80]}.html"
            page = track_html(report, date.today())
            write_whole(self.folder / "tracks" / name, page.encode())
            href = f"tracks/{quote(name)}"
        self.rows.append(row_of(report, href))

    def finish(self) -> None:
        """Write the index."""
        heading = f"{len(self.rows):,} tracks"
        page = index_html(self.rows, self.holdings, heading, date.today())
        write_whole(self.folder / "index.html", page.encode())
