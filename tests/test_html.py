"""HTML reports as text: escaped, self-contained, complete."""

import base64
import re
from dataclasses import replace
from datetime import date
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from conftest import FIXTURES
from test_report import HOLDINGS, reports

from melodysim.checking import check
from melodysim.library import Holdings
from melodysim.readers.read import read
from melodysim.report.html.index_page import index_html, row_of
from melodysim.report.html.svg import png_bytes
from melodysim.report.html.track_page import pair_html, track_html
from melodysim.report.html.track_sound import sound_of
from melodysim.report.reports import PairReport

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&"


class Tags(HTMLParser):
    """Everything that a browser would load, run or show."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.links, self.text = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), (tag, name)
            if name in {"href", "src", "xlink:href", "srcset", "action"}:
                self.links.append(value)

    def handle_data(self, data):
        self.text.append(data)


def hostile(report):
    match = report.matches[0]
    entry = replace(
        match.reference,
        title=HOSTILE,
        creator=HOSTILE,
        rights=replace(match.reference.rights, holder=HOSTILE, note=HOSTILE),
    )
    piece = replace(report.piece, source=HOSTILE, title=HOSTILE)
    return replace(
        report,
        source=HOSTILE,
        piece=piece,
        holdings=Holdings(HOSTILE, 1, 1),
        matches=(replace(match, reference=entry), *report.matches[1:]),
    )


def test_a_page_asks_for_nothing_from_anywhere():
    for page in (
        track_html(reports()[0]),
        index_html([row_of(r, "tracks/a.html") for r in reports()], HOLDINGS, "3 tracks"),
    ):
        tags = Tags(page)
        for link in tags.links:
            assert link.startswith(("#", "data:")) or link == "tracks/a.html"
        assert "default-src 'none'" in unescape(page)
        assert "http://" not in re.sub(r'xmlns(:\w+)?="http://www\.w3\.org/[^"]+"', "", page)


def test_hostile_titles_stay_text():
    page = track_html(hostile(reports()[0]))
    assert Tags(page).tags.count("script") == Tags(track_html(reports()[0])).tags.count("script")
    assert "img" not in Tags(page).tags
    assert HOSTILE in "".join(Tags(page).text)
    index = index_html([row_of(hostile(reports()[0]), "a.html")], HOLDINGS, HOSTILE)
    assert "img" not in Tags(index).tags
    assert Tags(index).tags.count("script") == 1


def test_the_page_says_what_the_verdict_says():
    report = reports()[0]
    text = " ".join("".join(Tags(track_html(report, when=date(2026, 1, 2))).text).split())
    for reason in report.verdict.reasons:
        assert reason in text
    for word in (
        "in about 1 of 400,000 unrelated tracks",
        "12,900 melodies: 136 protected",
        "2026-01-02",
    ):
        assert word in text
    assert "Lyrics, chords" in text
    for match in report.matches:
        assert match.reference.title in text
        assert match.reference.rights.meaning.lower() in text.lower()


def test_downloads_hold_both_passages():
    import io

    import mido

    page = track_html(reports()[0])
    midi = base64.b64decode(re.search(r"data:audio/midi;base64,([^\"]+)", page).group(1))
    tracks = [
        [m.note for m in t if m.type == "note_on" and m.velocity]
        for t in mido.MidiFile(file=io.BytesIO(midi)).tracks
    ]
    heard = [t for t in tracks if t]
    assert heard == [
        [60, 67, 65, 71, 62, 69, 64, 72, 59, 66],
        [57, 64, 62, 68, 60, 66, 61, 69, 56, 63],
    ]
    assert "recordare.musicxml;base64," in page


def test_a_page_without_verovio_says_so(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "verovio", None)
    assert "melodysim[report]" in track_html(reports()[0])


def test_pages_without_jinja2_say_so(monkeypatch):
    import sys

    from melodysim.errors import MissingDependencyError
    from melodysim.report.html import template

    template._templates.cache_clear()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.setitem(sys.modules, "markupsafe", None)
    one = reports()[0]
    for made in (lambda: track_html(one), lambda: index_html([row_of(one)], HOLDINGS, "1")):
        with pytest.raises(MissingDependencyError, match=r"melodysim\[report\]"):
            made()


def test_a_track_that_could_not_be_read_has_a_row_but_no_page():
    broken = reports()[2]
    with pytest.raises(ValueError, match="could not be read"):
        track_html(broken)
    assert "cannot be decoded" in index_html([row_of(broken)], HOLDINGS, "1 track")


def test_a_pair_has_a_page():
    one = reports()[0]
    pair = PairReport(one.piece, replace(one.piece, title="Earlier"), 12.3, one.verdict, one.matches[0])
    page = pair_html(pair)
    assert "Song beside Earlier" in page
    assert "Likeness 12.3" in page
    assert "pairs of works" in page
    assert "No protected melody" not in page
    assert "Other works: only these two" in page
    assert "Nothing in the library shares a passage" in pair_html(replace(pair, match=None))


def test_sound_is_the_track_itself():
    soundfile = pytest.importorskip("soundfile")
    import io

    piece = read(FIXTURES / "copies-paper-lanterns.mp3")
    sound = sound_of(piece, [(3.0, 15.0)], Path(piece.source))
    assert len(sound.stretches) == 1
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(sound.stretches[0].mp3)))
    assert len(samples) / rate == pytest.approx(piece.duration, abs=0.1)
    original, _ = soundfile.read(FIXTURES / "copies-paper-lanterns.mp3", always_2d=True)
    power = [np.sqrt((x**2).mean()) for x in (samples, original.mean(axis=1))]
    assert power[0] == pytest.approx(power[1], rel=0.05)
    assert sound.loudness.max() == 1
    assert sound.loudness.shape == (1000,)


def test_sound_that_is_gone_is_said_to_be(tmp_path):
    piece = read(FIXTURES / "copies-paper-lanterns.mp3")
    gone = sound_of(piece, [], tmp_path / "gone.mp3")
    assert gone.stretches == ()
    assert "gone.mp3" in gone.missing


def test_of_a_long_track_only_the_passages_are_kept(monkeypatch):
    from melodysim.report.html import track_sound

    monkeypatch.setattr(track_sound, "WHOLE_SECONDS", 5.0)
    piece = read(FIXTURES / "copies-paper-lanterns.mp3")
    kept = sound_of(piece, [(8.0, 9.0), (1.0, 2.0), (3.0, 4.0)], Path(piece.source)).stretches
    assert [(s.begin, s.end) for s in kept] == [(0.0, 11.0)]
    kept = sound_of(piece, [(12.0, 13.0), (1.0, 2.0)], Path(piece.source)).stretches
    assert [(s.begin, s.end) for s in kept] == [(0.0, 4.0), (10.0, 15.0)]


def test_a_recording_shows_what_was_heard_behind_its_notes(library):
    report = check(read(FIXTURES / "copies-paper-lanterns.mp3"), library, 2)
    page = track_html(report)
    assert page.count('class="salience"') >= 1
    assert 'class="note outline"' in page


def test_a_png_is_read_back_as_it_was_written():
    import io

    image = pytest.importorskip("PIL.Image")
    ink = np.arange(35, dtype=np.uint8).reshape(5, 7) * 7
    back = np.asarray(image.open(io.BytesIO(png_bytes(ink))))
    assert (back[..., 1] == ink).all()
    assert (back[..., 0] == 0).all()
