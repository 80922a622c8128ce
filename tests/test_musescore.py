"""MuseScore itself: what it writes is read, what is written for it opens, and our plugin runs in it."""

import os
import re
import shutil
import subprocess
from xml.etree import ElementTree

import numpy as np
import pytest
from conftest import FIXTURES, command_file, small_library

import melodysim
from melodysim.judge.verdict import LIKELY_RATE, REVIEW_RATE

PLUGIN = FIXTURES.parent / "musescore" / "melodysim_check.qml"
MUSESCORE = next((found for name in ("mscore3", "musescore3") if (found := shutil.which(name))), None)

needs_musescore = pytest.mark.skipif(MUSESCORE is None, reason="MuseScore 3 is not installed")


def test_musescore_is_there_where_everything_is_checked():
    if os.environ.get("MELODYSIM_BROWSER"):
        assert MUSESCORE


def test_the_plugin_has_the_rates_of_check():
    text = PLUGIN.read_text()
    found = [
        float(re.search(rf"property real {name}: ([0-9.]+)", text)[1]) for name in ("likely", "review")
    ]
    assert found == [LIKELY_RATE, REVIEW_RATE]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home of MuseScore's own, without a display, with a small library and the plugin."""
    path = tmp_path / "home"
    plugins = path / "Documents" / "MuseScore3" / "Plugins"
    plugins.mkdir(parents=True)
    for name, value in (
        ("HOME", path),
        ("XDG_RUNTIME_DIR", tmp_path),
        ("QT_QPA_PLATFORM", "offscreen"),
        ("MELODYSIM_LIBRARY", small_library(tmp_path / "library.db")),
    ):
        monkeypatch.setenv(name, str(value))
    for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_DOCUMENTS_DIR"):
        monkeypatch.delenv(variable, raising=False)
    (path / ".melodysim-command").write_text(f"{command_file(tmp_path)}\n")
    # The plugin changes the open score, which nobody saves here.
    kept = f'writeScore(curScore, "{tmp_path}/marked", "musicxml"); Qt.quit()'
    (plugins / PLUGIN.name).write_text(PLUGIN.read_text().replace("Qt.quit()", kept))
    return path


def musescore(*arguments):
    done = subprocess.run(
        [MUSESCORE, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def sounding(path):
    """Onsets in beats and pitches of all parts, in order."""
    melodies = melodysim.read(path).melodies
    rows = [np.stack([m.beat, m.pitch], axis=1) for m in melodies if m.beat is not None]
    return np.concatenate(rows)[np.lexsort(np.concatenate(rows).T[::-1])]


@needs_musescore
def test_what_musescore_writes_is_read_and_what_is_written_opens_in_it(home, run, tmp_path):
    score = tmp_path / "score.musicxml"
    musescore("-o", score, FIXTURES / "paper-lanterns.mid")
    library = tmp_path / "library.db"
    done = run("check", score, "--library", library, "--evidence", tmp_path / "evidence", "--quiet")
    assert done.returncode == 1, done.stderr
    (written, *_) = sorted((tmp_path / "evidence").glob("*.musicxml"))
    said = musescore("-o", tmp_path / "again.musicxml", written)
    assert "rror" not in said.replace("... success!", "")
    assert np.array_equal(sounding(tmp_path / "again.musicxml"), sounding(written))


@needs_musescore
def test_the_plugin_marks_the_open_score(home, tmp_path):
    score = tmp_path / "score.mscx"
    musescore("-o", score, FIXTURES / "paper-lanterns.mid")
    said = musescore("-p", PLUGIN.name, score)
    assert "LIKELY" in said
    assert re.search(r"melodysim likely: Paper Lanterns, .+, bars 1 to \d+", said)
    words = [each.text for each in ElementTree.parse(tmp_path / "marked.musicxml").iter("words")]
    assert words == ["melodysim likely: Paper Lanterns"]


@needs_musescore
def test_the_mark_stands_on_the_page_behind_a_repeat(home, tmp_path):
    """Two bars of rest are repeated: the tune is played from bar 5 on, and printed from bar 3 on."""
    score = tmp_path / "score.musicxml"
    musescore("-o", score, FIXTURES / "paper-lanterns.mid")
    tree = ElementTree.parse(score)
    part = tree.find("part")
    rests = "<note><rest measure='yes'/><duration>{}</duration></note>"
    attributes = part.find("measure/attributes")
    rests = rests.format(4 * int(attributes.findtext("divisions")))
    back = '<barline location="right"><repeat direction="backward"/></barline>'
    new = [ElementTree.fromstring(f"<measure>{rests}{end}</measure>") for end in ("", back)]
    part.find("measure").remove(attributes)
    new[0].insert(0, attributes)
    for k, measure in enumerate(new):
        part.insert(k, measure)
    for k, measure in enumerate(part.findall("measure"), 1):
        measure.set("number", str(k))
    tree.write(score)
    said = musescore("-p", PLUGIN.name, score)
    assert re.search(r"melodysim likely: Paper Lanterns, .+, bars 3 to \d+", said)
    marked = ElementTree.parse(tmp_path / "marked.musicxml").findall("part/measure")
    assert [k for k, bar in enumerate(marked, 1) if bar.find(".//words") is not None] == [3]


@needs_musescore
def test_a_second_check_replaces_the_marks_of_the_first(home, tmp_path):
    score = tmp_path / "score.mscx"
    musescore("-o", score, FIXTURES / "paper-lanterns.mid")
    text = score.read_text()
    # As an earlier check, of a title with marks of its own, has left it.
    old = "<StaffText><text>melodysim likely: Salt &amp;amp; &amp;lt;Pepper&amp;gt;</text></StaffText>"
    score.write_text(text.replace("<Chord>", f"{old}<Chord>", 1))
    musescore("-p", PLUGIN.name, score)
    words = [each.text for each in ElementTree.parse(tmp_path / "marked.musicxml").iter("words")]
    assert words == ["melodysim likely: Paper Lanterns"]
    assert not list(tmp_path.glob("**/melodysim-[0-9]*"))


@needs_musescore
def test_the_plugin_says_what_is_missing(home, tmp_path):
    score = tmp_path / "score.mscx"
    musescore("-o", score, FIXTURES / "paper-lanterns.mid")
    (home / ".melodysim-command").write_text("/nowhere/melodysim\n")
    assert "tells the path of its command" in musescore("-p", PLUGIN.name, score)
