"""Small things that people expect of a command, through the real command line."""

import csv
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest
from conftest import FIXTURES, ROOT, small_library

import melodysim
from melodysim import Melody
from melodysim.cli.options import exit_status
from melodysim.report.note_files import midi_bytes

LANTERNS = FIXTURES / "paper-lanterns.mid"
TWINKLE = FIXTURES / "twinkle.mid"


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return small_library(tmp_path_factory.mktemp("courtesies") / "library.db")


@pytest.mark.parametrize(
    ("levels", "fail_on", "errors", "status"),
    [
        (["clear"], "likely", "fail", 0),
        (["clear", "error"], "likely", "fail", 2),
        (["clear", "error"], "likely", "ignore", 0),
        (["likely", "error"], "likely", "fail", 1),  # what was found goes before what failed
        (["likely", "unchecked"], "never", "fail", 2),
        (["review"], "likely", "fail", 0),
        (["review"], "review", "ignore", 1),
        (["unchecked"], "likely", "fail", 2),
        ([], "likely", "fail", 0),
    ],
)
def test_the_exit_status_has_a_precedence(levels, fail_on, errors, status):
    assert exit_status(levels, fail_on, errors) == status


def test_one_that_cannot_be_read_never_hides_one_that_is_likely(run, library):
    asked = LANTERNS, "missing.mid", "--library", library
    assert run("check", *asked).returncode == 1
    only = run("check", TWINKLE, "missing.mid", "--library", library)
    assert only.returncode == 2
    ignored = run("check", TWINKLE, "missing.mid", "--errors", "ignore", "--library", library)
    assert ignored.returncode == 0


def test_a_file_alone_is_checked(run, library, tmp_path):
    done = run(LANTERNS, "--library", library)
    assert done.returncode == 1
    assert "LIKELY" in done.stdout
    assert "no such file" in run("nothere.mp3", "--library", library).stderr
    assert "melodysim scan" in run(tmp_path).stderr


def test_a_command_that_is_nearly_one_is_named(run):
    done = run("chekc", LANTERNS)
    assert done.returncode == 2
    assert "Did you mean `melodysim check`?" in done.stderr
    assert "Did you mean" not in run("qqqq").stderr


def test_python_runs_the_package(library):
    command = [sys.executable, "-m", "melodysim", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert melodysim.__version__ in done.stdout


def test_the_form_is_that_of_the_output(run, library, tmp_path):
    for name, begins in (
        ("a.json", "{"),
        ("a.csv", "source,"),
        ("a.html", "<!doctype"),
        ("a.txt", "/"),
    ):
        run("check", LANTERNS, "--library", library, "-o", tmp_path / name)
        assert (tmp_path / name).read_text().startswith(begins), name
    run("check", LANTERNS, "--library", library, "--format", "json", "-o", tmp_path / "odd.txt")
    assert json.loads((tmp_path / "odd.txt").read_text())["tracks"]
    shown = run("check", LANTERNS, "--library", library, "--html")
    assert shown.stdout.startswith("<!doctype html>")


def test_the_missing_track_is_named_before_the_missing_library(run, tmp_path):
    done = run("check", "nothere.mp3", "--library", tmp_path / "none.db")
    assert done.stderr.startswith("melodysim: nothere.mp3: no such file")
    assert "library" in run("check", LANTERNS, "--library", tmp_path / "none.db").stderr


@pytest.mark.parametrize("form", ["abc", "midi", "empty", "sound", "bytes"])
def test_a_melody_comes_from_standard_input(library, form):
    content = {
        "abc": b"X:1\nT:plan\nM:4/4\nL:1/4\nK:C\nCCGG|AAG2|FFEE|DDC2|GGFF|EED2|GGFF|EED2|\n",
        "midi": LANTERNS.read_bytes(),
        "empty": b"  \n",
        "sound": (FIXTURES / "twinkle-piano.ogg").read_bytes(),
        "bytes": b"\xff\xfb\x90\x00" + bytes(2000),
    }[form]
    command = [sys.executable, "-m", "melodysim", "check", "-", "--library", str(library)]
    done = subprocess.run(command, input=content, capture_output=True, check=False)
    said = (done.stdout + done.stderr).decode()
    assert "standard input" in said
    assert done.returncode == {"abc": 0, "midi": 1}.get(form, 2), said
    assert ("neither ABC nor MIDI" in said) is (form in {"sound", "bytes"})


def test_escape_sequences_never_reach_a_terminal(run, tmp_path):
    from melodysim.library import Store
    from melodysim.library.importers import import_paths
    from melodysim.library.rights import Rights

    evil = tmp_path / "evil\x1b[31m\x07.mid"
    evil.write_bytes(b"nothing")
    path = tmp_path / "library.db"
    song = tmp_path / "so\x1b[2Jng.mid"
    song.write_bytes(LANTERNS.read_bytes())
    with Store(path, create=True) as store:
        import_paths(store, [song], Rights("in-copyright", holder="A\x1b[5m Co", note="n\x07"))
        (identity,) = [entry.id for entry in store.entries()]
    asked = "--library", path
    for arguments in (
        ("check", evil, *asked),
        ("check", evil, LANTERNS, *asked),
        ("check", LANTERNS, "--format", "csv", *asked),
        ("check", evil, "--format", "csv", *asked),
        ("library", "show", identity, *asked),
        ("library", "list", *asked),
        ("library", "show", "\x1b[31mnone", *asked),
        ("\x1b[31mcommand",),
        ("library", "import", evil, *asked),
        ("scan", tmp_path, "-o", tmp_path / "out", *asked),
    ):
        done = run(*arguments)
        assert "\x1b" not in done.stdout + done.stderr, arguments
        assert "\x07" not in done.stdout + done.stderr, arguments


def test_progress_is_plain_lines_where_there_is_no_terminal(run, library, monkeypatch):
    from melodysim.cli import terminal

    monkeypatch.setattr(terminal, "LINE_SECONDS", 0.0)
    with terminal.progress("checking", quiet=False) as update:
        update(0, 2, "a.mp3: listening")
    with terminal.progress("checking", quiet=True) as update:
        update(0, 2, "b.mp3")


def test_stages_are_said(capfd, monkeypatch):
    from melodysim.cli import terminal

    monkeypatch.setattr(terminal, "LINE_SECONDS", 0.0)
    with terminal.progress("checking", quiet=False) as update:
        update(0, 2, "a.mp3: listening for every reference")
        update(1, 2, "b\x1b[31m.mp3")
    said = capfd.readouterr().err.splitlines()
    assert said[0] == "melodysim: checking 1 of 2: a.mp3: listening for every reference"
    assert "\x1b" not in said[1]


def test_a_clear_says_what_it_rests_on(run, library, tmp_path):
    answer = json.loads(run("check", TWINKLE, "--format", "json", "--library", library).stdout)
    (track,) = answer["tracks"]
    assert (track["verdict"], track["firm"], track["heard_share"]) == ("clear", True, 1.0)
    assert track["closest"]["title"] == "Paper Lanterns"
    done = run("check", TWINKLE, "--library", library)
    assert "(probability" not in done.stdout
    assert "The closest protected work is “Paper Lanterns”" in done.stdout
    every = run("check", TWINKLE, "--library", library, "--top", "3").stdout
    assert len(every.splitlines()) > len(done.stdout.splitlines())


def test_markers_stand_at_the_tracks_tempo(run, library, tmp_path):
    song = melodysim.read(LANTERNS).melodies[0]
    at_90 = Melody.from_notes(
        song.beat * 60 / 90 + 8 * 60 / 90, np.full(len(song), 0.3), song.pitch, beat=song.beat + 8
    )
    (tmp_path / "slow.mid").write_bytes(midi_bytes([at_90]))
    done = run(
        "check", tmp_path / "slow.mid", "--library", library, "--labels", tmp_path / "labels.mid"
    )
    assert done.returncode in {0, 1}, done.stderr
    written = mido.MidiFile(tmp_path / "labels.mid")
    now, markers, tempi = 0, [], []
    for message in mido.merge_tracks(written.tracks):
        now += message.time
        if message.type == "marker":
            markers.append(now / written.ticks_per_beat)
        elif message.type == "set_tempo":
            tempi.append(mido.tempo2bpm(message.tempo))
    assert tempi == [pytest.approx(90, abs=0.01)]
    assert markers[0] == pytest.approx(8 + song.beat[0], abs=0.05)


def test_labels_for_other_programs(run, library, tmp_path):
    for name in ("labels.txt", "labels.csv", "labels.mid"):
        done = run("check", LANTERNS, "--library", library, "--labels", tmp_path / name)
        assert done.returncode == 1, done.stderr
    begin, end, words = (tmp_path / "labels.txt").read_text().splitlines()[0].split("\t")
    assert float(begin) < float(end)
    assert words.startswith("Paper Lanterns (in-copyright")
    (row, *_) = csv.reader(io.StringIO((tmp_path / "labels.csv").read_text()))
    assert float(row[0]) == float(begin)
    assert float(row[1]) == pytest.approx(float(end) - float(begin), abs=1e-5)
    markers = [
        m
        for track in mido.MidiFile(tmp_path / "labels.mid").tracks
        for m in track
        if m.type == "marker"
    ]
    assert markers[0].text.startswith("Paper Lanterns")
    wrong = run("check", LANTERNS, "--library", library, "--labels", tmp_path / "labels.doc")
    assert wrong.returncode == 2


def test_reports_and_libraries_show_themselves_in_notebooks(library, monkeypatch):
    opened = melodysim.Library(library)
    report = opened.check(str(LANTERNS))
    shown = report._repr_html_()
    assert "LIKELY" in shown
    assert "<td>Paper Lanterns</td>" in shown
    assert "1 protected" in opened._repr_html_()
    assert "1 protected" in repr(opened)

    class Frame:
        def __init__(self, rows, columns):
            self.rows = [dict(zip(columns, row, strict=True)) for row in rows]
            self.columns = columns

    fake = type(sys)("pandas")
    fake.DataFrame = Frame
    monkeypatch.setitem(sys.modules, "pandas", fake)
    assert report.to_frame().rows[0]["title"] == "Paper Lanterns"
    assert {row["rights"] for row in opened.to_frame().rows} == {"public-domain", "in-copyright"}
    (first, *_) = report.matches
    assert report.to_frame().rows[0]["begin"] == first.query.seconds[0]
    # Without rows there are columns all the same.
    assert replace(report, matches=()).to_frame().columns == report.to_frame().columns
    assert opened.to_frame("zzzzqq").columns == opened.to_frame().columns
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(melodysim.MelodysimError, match="pip install pandas"):
        report.to_frame()


def test_the_github_action_is_valid():
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-actions"]
    done = subprocess.run([*command, ROOT / "action.yml"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_options_of_the_action_are_those_of_the_command(run):
    helped = run("scan", "--help").stdout
    action = Path(ROOT / "action.yml").read_text()
    for option in ("--library", "--output", "--fail-on", "--errors", "--html", "--only-new"):
        assert option in action
        assert option in helped
