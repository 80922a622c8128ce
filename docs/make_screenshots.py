"""Take the pictures in docs/figures: ``uv run python docs/make_screenshots.py``.

Needs Chromium and Poppler (pdftoppm). A phone, a laptop and a printed page of the demo's report, an
index (also dark, and on a phone), and the web app with its songs to be afraid of.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import date
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from melodysim.checking import check
from melodysim.cli.commands.demo import COPY, ORIGINAL, SONG, fixtures_folder
from melodysim.library import Library
from melodysim.library.importers import import_builtin, import_paths
from melodysim.library.rights import Rights
from melodysim.library.store import Store
from melodysim.readers.read import read
from melodysim.report.html.index_page import index_html, row_of
from melodysim.report.html.track_page import track_html

FIGURES = Path(__file__).parent / "figures"
DAY = date(2026, 11, 23)
NAMES = (COPY, ORIGINAL, SONG, "twinkle.mid", "harbour-band.mid", "twinkle-piano.ogg")


def main() -> None:
    """Take them all."""
    if not (chromium := shutil.which("chromium")):
        sys.exit("there is no chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        place = Path(folder)
        library = demo_library(place / "library.db")
        reports = [check(read(fixtures_folder() / name), library, 5) for name in NAMES]
        holdings = library.holdings
        (place / "report.html").write_text(track_html(reports[0], when=DAY))
        rows = [
            replace(row_of(report, "#"), source=f"album/{name}")
            for report, name in zip(reports, NAMES, strict=True)
        ]
        rows += [replace(rows[2], source=f"album/takes/take {k}.mid", fresh=k == 3) for k in (2, 3)]
        rows[2] = replace(rows[2], group=1)
        rows[-2:] = [replace(row, group=1) for row in rows[-2:]]
        (place / "index.html").write_text(index_html(rows, holdings, f"{len(rows)} tracks", DAY))
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
        )
        laptop(browser, place / "report.html")
        phone(browser, place / "report.html")
        printed(browser, place / "report.html", place / "report.pdf")
        index = (place / "index.html").as_uri()
        picture(browser, index, "index", 1100, 960)
        picture(browser, index, "index-dark", 1100, 960, dark=True)
        picture(browser, index, "index-phone", 390, 844)
        web_app(browser, place)
        browser.close()


def demo_library(path: Path) -> Library:
    """Make the demo's library."""
    with Store(path, create=True) as store:
        import_builtin(store)
        import_paths(
            store,
            [fixtures_folder() / SONG],
            Rights("in-copyright", holder="the authors of melodysim"),
            title="Paper Lanterns",
            creator="the authors of melodysim",
        )
    return Library(path)


def picture(
    browser: Browser, address: str, name: str, width: int, height: int, dark: bool = False
) -> None:
    """Take one picture of a page."""
    page = browser.new_page(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
    )
    page.goto(address)
    page.wait_for_timeout(400)
    page.screenshot(path=FIGURES / f"{name}.png")
    page.close()


def laptop(browser: Browser, path: Path) -> None:
    """Take the top of a report, and a match while it plays."""
    page = browser.new_page(viewport={"width": 1180, "height": 800})
    page.goto(path.as_uri())
    page.screenshot(path=FIGURES / "report.png")
    page.set_viewport_size({"width": 1180, "height": 1240})
    page.click("#match-1 button[data-play=both]")
    page.evaluate("document.getElementById('match-1').scrollIntoView({ behavior: 'instant' })")
    page.wait_for_timeout(4500)
    page.screenshot(path=FIGURES / "match.png")
    page.close()


def phone(browser: Browser, path: Path) -> None:
    """Take the first screens of a report on a phone, side by side with the match below."""
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(path.as_uri())
    page.screenshot(path=FIGURES / "phone.png")
    page.close()


def printed(browser: Browser, path: Path, pdf: Path) -> None:
    """Take the first printed page."""
    page = browser.new_page()
    page.goto(path.as_uri())
    page.pdf(path=pdf, format="A4", print_background=False)
    page.close()
    command = ["pdftoppm", "-r", "60", "-png", "-f", "1", "-l", "1", "-singlefile", pdf]
    subprocess.run([*command, FIGURES / "print"], check=True)


def web_app(browser: Browser, place: Path) -> None:
    """Take the web app after two checks."""
    command = "from melodysim.cli import main; main()"
    arguments = ["serve", "--library", str(place / "library.db"), "--port", "0"]
    server = subprocess.Popen(
        [sys.executable, "-c", command, *arguments], stderr=subprocess.PIPE, text=True
    )
    address = server.stderr.readline().split(" ")[1].strip() if server.stderr else ""
    page = browser.new_page(viewport={"width": 1000, "height": 640})
    page.goto(address)
    for count, name in enumerate((COPY, "harbour-band.mid"), 1):
        page.set_input_files("#file", fixtures_folder() / name)
        page.locator("li[data-state=done]").nth(count - 1).wait_for(timeout=120_000)
    page.screenshot(path=FIGURES / "serve.png")
    page.goto(address + "suspects")
    page.fill("#title", "The song in the prompt")
    page.set_input_files("#file", fixtures_folder() / "twinkle-piano.ogg")
    page.locator("article.suspect svg").wait_for(timeout=60_000)
    page.screenshot(path=FIGURES / "suspects.png")
    page.close()
    server.send_signal(2)
    server.wait(20)


if __name__ == "__main__":
    main()
