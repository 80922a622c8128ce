"""Reports in a real browser: nothing is fetched, playing moves cursors, tables sort, print is whole."""

import json
import re

import numpy as np
import pytest
from conftest import FIXTURES
from test_html import HOLDINGS, HOSTILE, hostile
from test_report import reports

from melodysim.checking import check
from melodysim.readers.read import read
from melodysim.report.html.index_page import TrackRow, index_html, row_of
from melodysim.report.html.track_page import track_html


@pytest.fixture(scope="module")
def page_of_a_recording(library, tmp_path_factory):
    report = check(read(FIXTURES / "copies-paper-lanterns.mp3"), library, 4)
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(track_html(report, every=True))
    return path


@pytest.fixture
def opened(page, tmp_path):
    """Open a document from disk; whatever it asks for, and whatever goes wrong in it, is kept."""
    page.asked, page.wrong = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda message: page.wrong.append(message.text))
    page.on("pageerror", lambda error: page.wrong.append(str(error)))

    def open_(document):
        if isinstance(document, str):
            (tmp_path / "page.html").write_text(document)
            document = tmp_path / "page.html"
        page.goto(document.as_uri())
        return page

    return open_


def test_a_report_opens_from_disk_and_asks_for_nothing(opened, page_of_a_recording):
    page = opened(page_of_a_recording)
    page.wait_for_timeout(300)
    assert page.asked == [page_of_a_recording.as_uri()]
    assert page.wrong == []
    assert page.locator("h1").inner_text() == "copies-paper-lanterns.mp3"
    assert "licence is likely" in page.locator("#verdict").inner_text()
    for picture in ("svg.strip", "#match-1 .paper svg g.note", "#match-1 svg.roll rect.note"):
        assert page.locator(picture).first.bounding_box()["width"] > 0


@pytest.mark.parametrize("mode", ["track", "reference", "both"])
def test_playing_moves_the_cursors(opened, page_of_a_recording, mode):
    page = opened(page_of_a_recording)
    button = page.locator(f"#match-1 button[data-play={mode}]")
    seen = []
    button.click()
    page.wait_for_selector(f"#match-1 button[data-play={mode}][aria-pressed=true]")
    for _ in range(3):
        page.wait_for_timeout(500)
        at = [
            float(page.locator(f"#match-1 .cursor.{side}").get_attribute("x1"))
            for side in ("mine", "theirs")
        ]
        now = page.locator("#match-1 g.note.now").count(), page.locator("#match-1 rect.now").count()
        seen.append((*at, now))
    assert seen[0][0] < seen[1][0] < seen[2][0]
    assert seen[0][1] < seen[1][1] < seen[2][1]
    assert any(engraved and rolled for _, _, (engraved, rolled) in seen)
    page.keyboard.press("Escape")
    assert button.get_attribute("aria-pressed") == "false"
    assert page.locator(".playing").count() == 0
    assert page.wrong == []


def test_what_is_played_is_the_track_at_that_place(opened, page_of_a_recording):
    """The sound in the page, decoded by the browser, lies where the file has it: no codec delay."""
    soundfile = pytest.importorskip("soundfile")
    page = opened(page_of_a_recording)
    decoded = page.evaluate(
        """async () => {
            const stretch = JSON.parse(document.getElementById('page').textContent).stretches[0];
            const bytes = Uint8Array.from(atob(stretch.mp3), (c) => c.charCodeAt(0)).buffer;
            const buffer = await new OfflineAudioContext(1, 1, 8000).decodeAudioData(bytes);
            return Array.from(buffer.getChannelData(0));
        }"""
    )
    import soxr

    original, rate = soundfile.read(FIXTURES / "copies-paper-lanterns.mp3", always_2d=True)
    original = soxr.resample(original.mean(axis=1), rate, 8000)
    n = min(len(original), len(decoded))
    a, b = np.array(decoded[:n]), original[:n]
    spectrum = np.fft.rfft(a, 2 * n) * np.conj(np.fft.rfft(b, 2 * n))
    lag = int(np.argmax(np.fft.irfft(spectrum)))
    lag -= 2 * n if lag > n else 0
    assert abs(lag) / 8000 < 0.02


def test_notes_without_a_recording_can_be_played(opened):
    page = opened(track_html(reports()[0]))
    page.locator("#match-1 input.own").check()
    page.locator("#match-1 button[data-play=reference]").click()
    page.wait_for_timeout(700)
    assert page.locator("#match-1 rect.now").count() > 0
    page.locator("button[data-whole]").click()
    assert page.locator("#match-1.playing").count() == 0
    assert page.wrong == []


def test_the_keyboard_reaches_everything(opened, page_of_a_recording):
    page = opened(page_of_a_recording)
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("(document.activeElement.dataset.play || document.activeElement.tagName)")
        )
    assert {"track", "reference", "both", "SUMMARY", "A", "INPUT"} <= reached


def test_a_hostile_title_runs_nothing(opened):
    page = opened(track_html(hostile(reports()[0])))
    page.on("dialog", lambda dialog: pytest.fail("a script ran"))
    page.wait_for_timeout(200)
    assert page.locator("h1").inner_text() == HOSTILE
    assert page.locator("img").count() == 0
    assert page.wrong == []


def test_a_script_that_got_in_would_not_run(opened):
    planted = track_html(reports()[0]).replace("</main>", "<script>document.title='x'</script></main>")
    page = opened(planted)
    assert page.title() != "x"
    assert any("Content Security Policy" in text for text in page.wrong)


def test_print_shows_every_section(opened, page_of_a_recording, tmp_path):
    page = opened(page_of_a_recording)
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    sections = ["#verdict", "svg.strip", "footer", "#match-1 .paper svg", "#match-1 svg.roll"]
    for section in sections:
        assert page.locator(section).first.is_visible(), section
    on_request = ["#match-1 table", "#match-4"]  # note by note, and what chance explains
    for hidden in (".player", ".downloads", *on_request):
        assert not page.locator(hidden).first.is_visible(), hidden
    wide = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert wide
    assert 1 <= printed_pages(page, tmp_path) <= 3
    page.emulate_media(media="screen")
    page.check("#print-all")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    for section in (*sections, *on_request):
        assert page.locator(section).first.is_visible(), section
    assert printed_pages(page, tmp_path) > 3


def printed_pages(page, folder):
    """Pages of a print on A4."""
    page.pdf(path=folder / "report.pdf", format="A4")
    content = (folder / "report.pdf").read_bytes()
    return max(map(int, re.findall(rb"/Count (\d+)", content)))


def test_a_phone_does_not_scroll_sideways(opened, page_of_a_recording):
    page = opened(page_of_a_recording)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for button in page.locator("#match-1 .player button").all():
        assert button.bounding_box()["height"] >= 40


def many(count):
    rng = np.random.default_rng(8)
    return [
        TrackRow(
            f"folder/track {k:05d}.mp3",
            ["clear", "review", "likely"][int(np.searchsorted([0.95, 0.98], rng.random()))],
            float(rng.random()),
            float(10 ** rng.uniform(-9, 2)),
            f"Reference {int(rng.integers(0, 900))}",
            (float(k % 200), float(k % 200 + 12)),
            f"tracks/{k:05d}.html",
        )
        for k in range(count)
    ]


def column(page, number):
    return page.locator(f"#table tbody tr:visible td:nth-child({number})").all_inner_texts()


def test_the_table_sorts_and_filters(opened):
    rows = [*many(60), row_of(reports()[2])]
    page = opened(index_html(rows, HOLDINGS, "61 tracks"))
    page.locator("th button", has_text="Track").click()
    names = column(page, 1)
    assert names == sorted(names)
    page.locator("th button", has_text="By chance").click()
    cells = "#table tbody tr td:nth-child(6)"
    sizes = page.eval_on_selector_all(cells, "cells => cells.map((cell) => cell.dataset.v)")
    sizes = [float(size) for size in sizes if size]
    assert sizes == sorted(sizes)
    page.locator("th button", has_text="By chance").click()
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("By chance")
    page.locator("th button", has_text="Where").click()
    assert column(page, 1)[-1] == "broken.mp3"
    page.locator("th button", has_text="Where").click()
    assert column(page, 1)[-1] == "broken.mp3"  # what has no value stands last either way
    page.fill("#filter", "track 00007")
    assert column(page, 1) == ["track 00007.mp3"]
    page.fill("#filter", "")
    for level in ("clear", "review", "likely"):
        page.uncheck(f"input.level[value={level}]")
    assert column(page, 1) == ["broken.mp3"]
    assert page.locator("#shown").inner_text() == "1 of 61 tracks"
    assert page.wrong == []


def test_an_index_of_5000_tracks_is_small_enough():
    page = index_html(many(5000), HOLDINGS, "5,000 tracks")
    assert len(page.encode()) < 10e6
    assert len(re.findall(r"<tr data-l", page)) == 5000


def test_the_data_in_a_page_is_json(page_of_a_recording):
    text = re.search(
        r'<script type="application/json" id="page">(.*?)</script>', page_of_a_recording.read_text()
    )
    data = json.loads(text.group(1))
    assert {"duration", "stretches", "matches"} <= data.keys()
    assert len(page_of_a_recording.read_bytes()) < 6e6


def test_a_long_table_is_turned_page_by_page_and_printed_whole(opened):
    page = opened(index_html(many(450), HOLDINGS, "450 tracks"))
    assert page.locator("#table tbody tr").count() == 200
    page.locator("th button", has_text="Track").click()
    assert column(page, 1)[0] == "track 00000.mp3"
    page.locator("#after").click()
    page.locator("#after").click()
    assert column(page, 1)[-1] == "track 00449.mp3"
    assert len(column(page, 1)) == 50
    assert page.locator("#after").is_disabled()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#table tbody tr:visible").count() == 450
    assert page.wrong == []


def test_without_scripts_every_row_is_there(browser, tmp_path):
    (tmp_path / "page.html").write_text(index_html(many(300), HOLDINGS, "300 tracks"))
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    assert page.locator("#table tbody tr:visible").count() == 300
    context.close()


def test_a_long_roll_scrolls_with_what_sounds(opened, library):
    report = check(read(FIXTURES / "copies-paper-lanterns.mp3"), library, 1)
    page = opened(track_html(report))
    page.set_viewport_size({"width": 390, "height": 844})
    page.locator("#match-1 button[data-play=both]").click()
    page.wait_for_timeout(7000)
    frame = page.locator("#match-1 figure .scroll").last
    assert frame.evaluate("e => e.scrollLeft") > 0
    assert page.wrong == []


def some_rows():
    """Three takes of one melody, two tracks of their own, of which one is new."""
    return [
        TrackRow("a/b/take 1.mp3", "likely", 0.9, 1e-9, "Theirs", (1.0, 9.0), "1.html", group=1),
        TrackRow("a/b/take 2.mp3", "likely", 0.9, 1e-8, "Theirs", (1.0, 9.0), "2.html", group=1),
        TrackRow("a/c/take 3.mp3", "review", 0.5, 1e-3, "Theirs", (1.0, 9.0), "3.html", group=1),
        TrackRow("a/c/alone.mp3", "review", 0.5, 2e-3, "Other", (1.0, 9.0), "4.html", fresh=True),
        TrackRow("a/near.mp3", "uncertain", 0.4, 0.02, "Near", (1.0, 9.0)),
        TrackRow("a/settled.mp3", "accepted", 0.1, 0.8, "Far", (1.0, 9.0), accepted=("l 12",)),
        TrackRow("a/nothing.mp3", "unchecked"),
    ]


def test_takes_fold_and_news_are_found(opened):
    page = opened(index_html(some_rows(), HOLDINGS, "7 tracks"))
    folded = [name.split(" 3 takes")[0].split(" NEW")[0] for name in column(page, 1)]
    assert folded == ["take 1.mp3", "alone.mp3", "near.mp3", "settled.mp3", "nothing.mp3"]
    page.locator("button.takes:visible").click()
    assert len(column(page, 1)) == 7
    assert page.locator("button.takes:visible").get_attribute("aria-expanded") == "true"
    page.locator("button.takes:visible").click()
    assert len(column(page, 1)) == 5
    page.uncheck("#fold")
    assert len(column(page, 1)) == 7
    page.check("#fresh")
    assert [name.split()[0] for name in column(page, 1)] == ["alone.mp3"]
    page.uncheck("#fresh")
    assert column(page, 2) == ["b", "b", "c", "c", "", "", ""]
    badges = page.locator("#table .badge").all_inner_texts()
    assert badges == [
        "likely", "likely", "to review", "to review", "not cleared", "accepted", "not checked"
    ]  # fmt: skip
    assert page.locator("[title='l 12'] .badge").inner_text() == "accepted"
    assert page.wrong == []


def test_rows_are_cards_on_a_phone(opened):
    page = opened(index_html(some_rows(), HOLDINGS, "7 tracks"))
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    row = page.locator("#table tbody tr:visible").first
    assert row.evaluate("e => getComputedStyle(e).display") == "block"
    box = row.locator("td").nth(3).bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    said = row.locator("td").nth(3).evaluate("e => getComputedStyle(e, '::before').content")
    assert said == '"Closest work"'


def test_a_page_of_a_track_links_back(opened, library):
    report = check(read(FIXTURES / "twinkle.mid"), library, 4)
    page = opened(track_html(report, back="../index.html"))
    assert page.locator("a", has_text="All tracks").get_attribute("href") == "../index.html"
    assert page.locator(".verdict.clear").count() == 1
    assert "probability" not in page.locator(".verdict").inner_text()
