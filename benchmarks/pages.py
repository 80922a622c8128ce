"""How large reports are, and how quickly they open and sort, in headless Chromium.

``uv run python benchmarks/pages.py [--track three-minutes.mp3] [--rounds 5]``

Opening is from navigation to the load event and the first frame after it; sorting is from the click to
the next frame. The machine, and what else it does, matter: look at the medians.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from builtin import builtin_library

from melodysim.checking import check
from melodysim.readers.read import read
from melodysim.report.html.index_page import TrackRow, index_html
from melodysim.report.html.track_page import track_html

OPENED = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
    const [entry] = performance.getEntriesByType('navigation');
    done([entry.domContentLoadedEventEnd, entry.loadEventEnd, performance.now()]);
})))"""
SORTED = """(column) => new Promise((done) => {
    const button = document.querySelectorAll('#table th button')[column];
    const began = performance.now();
    button.click();
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - began), 0));
})"""


def rows(count: int) -> list[TrackRow]:
    """Make rows for an index."""
    rng = np.random.default_rng(8)
    return [
        TrackRow(
            f"folder/album {k // 12:04d}/track {rng.integers(10**9):09d} - a title of usual length.mp3",
            ["clear", "review", "likely"][int(np.searchsorted([0.95, 0.98], rng.random()))],
            float(rng.random()),
            float(10 ** rng.uniform(-9, 2)),
            f"Reference number {int(rng.integers(0, 900))}",
            (float(k % 200), float(k % 200 + 12)),
            f"tracks/{k:05d}-track.html",
        )
        for k in range(count)
    ]


def main() -> None:
    """Print the figures."""
    from playwright.sync_api import sync_playwright

    fixtures = Path(__file__).parent.parent / "fixtures"
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--track", type=Path, default=fixtures / "copies-paper-lanterns.mp3")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--library", type=Path, help="made if it does not exist")
    options.add_argument("--tracks", type=int, default=5000)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as place, builtin_library(given.library) as library:
        report = check(read(given.track), library, 10)
        track, index = Path(place) / "track.html", Path(place) / "index.html"
        made = []
        for _ in range(given.rounds):
            began = time.perf_counter()
            page = track_html(report)
            made.append(time.perf_counter() - began)
        track.write_text(page)
        began = time.perf_counter()
        index.write_text(index_html(rows(given.tracks), library.holdings, "many tracks"))
        index_made = time.perf_counter() - began
        with sync_playwright() as playwright:
            chromium = shutil.which("chromium")
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            size = f"{track.stat().st_size / 1e6:.2f} MB"
            assert report.piece is not None
            print(f"{report.piece.duration:.0f} s, {len(report.matches)} matches: {size}")
            show("report made", made)
            show("report opens", [opened(browser, track) for _ in range(given.rounds)])
            size = f"{index.stat().st_size / 1e6:.2f} MB"
            print(f"{given.tracks} tracks: {size}, made in {index_made:.2f} s")
            show("index opens", [opened(browser, index) for _ in range(given.rounds)])
            document = browser.new_page(viewport={"width": 1280, "height": 900})
            document.goto(index.as_uri())
            for column, name in enumerate(
                ("name", "verdict", "probability", "work", "where", "chance")
            ):
                times = [document.evaluate(SORTED, column) / 1000 for _ in range(given.rounds)]
                show(f"sorts by {name}", times)
            browser.close()


def opened(browser: object, path: Path) -> float:
    """Seconds from navigation to the first frame after loading, in a fresh page."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})  # type: ignore[attr-defined]
    page.goto(path.as_uri())
    seconds = page.evaluate(OPENED)[2] / 1000
    page.close()
    return seconds


def show(what: str, seconds: list[float]) -> None:
    """Print a median and the range."""
    print(
        f"  {what:<22}{statistics.median(seconds):6.3f} s  ({min(seconds):.3f} to {max(seconds):.3f})"
    )


if __name__ == "__main__":
    main()
