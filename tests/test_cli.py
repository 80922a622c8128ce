import csv
import io
import json
import shutil
import sqlite3
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from conftest import FIXTURES, ROOT, small_library
from test_midi import midi, scale

from melodysim.cli import COMMANDS


def answer(done):
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout)


def test_check_answers_in_the_designed_json(run, library_path, fixtures):
    done = run("check", "--library", library_path, "--format", "json", "--top", 3,
               fixtures / "paper-lanterns.mid", fixtures / "harbour-band.mid")  # fmt: skip
    assert done.returncode == 1
    found = answer(done)
    assert found["schema"] == 1
    assert found["library"]["melodies"] > 12_700
    lanterns, harbour = found["tracks"]
    assert lanterns["verdict"] == "likely"
    assert lanterns["kind"] == "midi"
    assert len(lanterns["sha256"]) == 64
    best = lanterns["matches"][0]
    assert best["reference"]["id"] == "paper-lanterns.mid"
    assert best["reference"]["rights"]["status"] == "in-copyright"
    assert best["identity"] == 1.0
    assert best["transposition"] == 0
    assert best["path"] == [[k, k] for k in range(34)]
    assert best["query"]["notes"] == [0, 34]
    assert best["reference_span"]["beats"][0] == 0
    assert len(lanterns["matches"]) == 3
    assert harbour["verdict"] == "clear"
    assert harbour["melodies"][0]["voice"] == "Lead vocal"


def test_own_midi_of_an_imported_melody_is_the_first_match(run, library_path, tmp_path):
    exported = tmp_path / "out"
    assert (
        run(
            "library", "export", exported, "--text", "0301-0350#310", "--library", library_path
        ).returncode
        == 0
    )
    (file,) = exported.glob("*.mid")
    with (exported / "index.csv").open() as lines:
        (row,) = csv.DictReader(lines)
    track = answer(run("check", file, "--library", library_path, "--format", "json"))["tracks"][0]
    assert track["matches"][0]["reference"]["id"] == row["id"]


def test_text_puts_the_verdict_first(run, library_path, fixtures):
    done = run("check", "--library", library_path, fixtures / "paper-lanterns.mid")
    lines = done.stdout.splitlines()
    assert lines[0].endswith("paper-lanterns.mid")
    assert lines[1].startswith("  LIKELY: a mechanical licence is likely to be needed")
    assert "34 notes from 0:00 to" in done.stdout
    assert any(line.strip().startswith("track") for line in lines)
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_csv_has_a_line_a_match(run, library_path, fixtures):
    done = run("check", "--library", library_path, "--format", "csv", "--top", 2,
               fixtures / "twinkle.mid", fixtures / "greensleeves.musicxml")  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["rank"] for row in rows] == ["1", "2", "1", "2"]


def test_output_is_written_whole(run, library_path, fixtures, tmp_path):
    out = tmp_path / "r.json"
    done = run(
        "check", "--library", library_path, "--format", "json", "-o", out, fixtures / "twinkle.mid"
    )
    assert done.stdout == ""
    assert json.loads(out.read_text())["tracks"][0]["source"].endswith("twinkle.mid")
    nowhere = run(
        "check", "--library", library_path, "-o", tmp_path / "no" / "r", fixtures / "twinkle.mid"
    )
    assert nowhere.returncode == 2
    assert "cannot be written" in nowhere.stderr


def test_fail_on(run, library_path, fixtures):
    song = fixtures / "paper-lanterns.mid"
    assert run("check", "--library", library_path, "--fail-on", "never", song).returncode == 0
    assert run("check", "--library", library_path, "--fail-on", "review", song).returncode == 1
    bad = run("check", "--library", library_path, "--likely-rate", "0.5", song)
    assert bad.returncode == 2
    assert "--likely-rate" in bad.stderr


def test_compare(run, library_path, fixtures):
    same = run("compare", "--library", library_path, "--format", "json",
               fixtures / "paper-lanterns.mid", fixtures / "paper-lanterns.mid")  # fmt: skip
    other = run("compare", "--library", library_path, "--format", "json",
                fixtures / "twinkle.mid", fixtures / "paper-lanterns.mid")  # fmt: skip
    assert (same.returncode, other.returncode) == (1, 0)
    assert answer(same)["score"] > answer(other)["score"] + 5
    assert answer(same)["match"]["notes"] == 34
    assert answer(same)["schema"] == 1


def test_compare_draws_what_follows_what(run, library_path, fixtures, tmp_path):
    picture = tmp_path / "alike.png"
    done = run("compare", "--library", library_path, "--plot", picture, "--fail-on", "never",
               fixtures / "copies-paper-lanterns.mp3", fixtures / "paper-lanterns.mid")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_two_recordings_are_as_alike_one_way_as_the_other(library_path, fixtures):
    from melodysim import compare, read
    from melodysim.library import Library

    library = Library(library_path)
    one = read(fixtures / "copies-paper-lanterns.mp3")
    other = read(fixtures / "copies-nothing.flac")
    there, back = compare(one, other, library), compare(other, one, library)
    assert there.score == pytest.approx(back.score)
    for report in (there, back):
        begin, end = report.match.query.seconds
        assert 0 <= begin < end <= report.new.duration + 0.5
        assert report.match.reference.source == report.earlier.source


def test_transcribe_writes_a_track_a_hypothesis(run, fixtures, tmp_path):
    done = run("transcribe", fixtures / "twinkle-piano.ogg", "-o", tmp_path / "heard.mid")
    assert done.returncode == 0
    from melodysim.readers.midi import read_midi

    score = read_midi(tmp_path, (tmp_path / "heard.mid").read_bytes())
    lines = {part.name: part for part in score.parts}
    assert {"tracked line", "top line"} <= set(lines) <= {"voice line", "tracked line", "top line"}
    # Twinkle, a fourth up: the top line of a bare piano begins with the tune's own notes.
    assert lines["top line"].pitch[:6].tolist() == [65, 65, 72, 72, 74, 74]


def test_transcribe_draws_and_sounds_what_was_heard(run, fixtures, tmp_path):
    picture, sound = tmp_path / "heard.png", tmp_path / "heard.wav"
    track = fixtures / "twinkle-piano.ogg"
    done = run("transcribe", track, "--plot", picture, "--audio", sound, "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    ears, rate = soundfile.read(sound)
    assert (rate, ears.shape[1]) == (44100, 2)
    assert len(ears) == pytest.approx(soundfile.info(track).duration * rate, abs=rate // 100)
    assert np.abs(ears).max(axis=0).min() > 0.05
    notes = run("transcribe", fixtures / "twinkle.mid", "--audio", sound, "--plot", picture)
    assert notes.returncode == 0
    ears, _ = soundfile.read(sound)
    assert np.array_equal(ears[:, 0], ears[:, 1])


TUNE = "X:{n}\nT:Tune {n}\nL:1/4\nK:C\nCDEF GABc dcBA GFED\n\n"


def test_a_tune_book_is_no_track(run, library_path, tmp_path):
    (tmp_path / "book.abc").write_text(TUNE.format(n=1) + TUNE.format(n=2))
    (tmp_path / "one.abc").write_text(TUNE.format(n=1))
    done = run("check", "book.abc", "one.abc", "--library", library_path, "--format", "json")
    assert done.returncode == 2
    book, one = answer(done)["tracks"]
    assert "holds 2 tunes" in book["error"] and "library import" in book["error"]
    assert one["verdict"]
    assert "holds 2 tunes" in run("compare", "one.abc", "book.abc", "--library", library_path).stderr


def test_pages_of_one_track_go_to_a_folder_too(run, library_path, fixtures, tmp_path):
    track = fixtures / "twinkle.mid"
    for output, page in (("report.html", "report.html"), ("album", "album/index.html")):
        done = run("check", track, "--library", library_path, "--format", "html", "-o", output)
        assert done.returncode == 0, done.stderr
        assert "twinkle" in (tmp_path / page).read_text()
    done = run(
        "check", track, track, "--library", library_path, "--format", "html", "-o", "report.html"
    )
    assert done.returncode == 2
    assert "needs a folder" in done.stderr


def test_statistics_know_what_has_run_out(run, fixtures, tmp_path):
    where = ("--library", tmp_path / "l.db")
    run("library", "import", fixtures / "twinkle.mid", "--rights", "in-copyright", *where)
    done = run(
        "library", "rights", "twinkle.mid", "--status", "licensed", "--expires", "2020-01-01", *where
    )
    assert "has run out already: twinkle.mid" in done.stderr
    counts = answer(run("library", "stats", *where, "--format", "json"))
    assert counts["rights"] == {"in-copyright": 1}
    assert counts["collections"] == {"(no folder)": 1}


def test_a_scan_of_nowhere_writes_nothing(run, library_path, tmp_path):
    done = run("scan", "nowhere", "--output", "out", "--library", library_path)
    assert done.returncode == 2
    assert "nowhere: no such file or folder" in done.stderr
    assert not (tmp_path / "out").exists()


def test_check_of_a_folder_points_to_scan(run, library_path, tmp_path):
    done = run("check", tmp_path, "--library", library_path)
    assert done.returncode == 2
    assert "melodysim scan" in done.stderr


def test_list_never_cuts_an_id(run, library_path):
    done = run("library", "list", "--limit", "5", "--library", library_path, "--format", "json")
    ids = [entry["id"] for entry in answer(done)["entries"]]
    shown = run("library", "list", "--limit", "5", "--library", library_path).stdout.split()
    assert set(ids) <= set(shown)


def test_transcribe_wants_something_to_write(run, fixtures, tmp_path):
    assert run("transcribe", fixtures / "twinkle.mid").returncode == 2
    named = run("transcribe", fixtures / "twinkle.mid", "-o", tmp_path / "notes.txt")
    assert named.returncode == 2
    assert "name a .mid file" in named.stderr
    sound = run("transcribe", fixtures / "twinkle.mid", "--audio", tmp_path / "notes.mp3")
    assert sound.returncode == 2
    assert "name a .wav file" in sound.stderr
    assert not (tmp_path / "notes.txt").exists()
    nowhere = run("transcribe", fixtures / "twinkle.mid", "--audio", tmp_path / "no" / "x.wav")
    assert nowhere.returncode == 2
    assert "cannot be written" in nowhere.stderr


@pytest.fixture
def bad(tmp_path):
    """One of every kind of bad track."""
    rate, rng = 22050, np.random.default_rng(0)
    files = {
        "missing.mp3": None,
        "empty.mp3": b"",
        "text.mp3": b"this is a text file, not music\n" * 50,
        "text.mid": b"this is a text file, not music\n",
        "cut.mid": midi([scale()])[:30],
        "none.mid": midi([[]]),
        "drums.mid": midi([scale(9, (36, 42, 38, 42, 36))]),
        "bad.musicxml": b"<score-partwise><part>",
        "empty.abc": b"X:1\nT:nothing\nK:C\n",
        "what.xyz": b"123",
        "bad.m4a": b"not m4a",
    }
    for name, content in files.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
    noise = rng.normal(size=rate * 4) * 0.1
    for name, sound in {
        "short.wav": noise[: int(0.3 * rate)],
        "noise.wav": noise,
        "silence.wav": noise * 0,
    }.items():
        soundfile.write(tmp_path / name, sound, rate)
        files[name] = b""
    return {name: tmp_path / name for name in files}


def test_every_bad_track_gets_one_clear_line(run, library_path, bad, fixtures):
    done = run(
        "check",
        "--library",
        library_path,
        "--format",
        "json",
        *bad.values(),
        fixtures / "twinkle.mid",
    )
    assert done.returncode == 2
    tracks = answer(done)["tracks"]
    for path, track in zip(bad.values(), tracks, strict=False):
        assert str(path) in track["error"], track
        assert "\n" not in track["error"]
        assert "verdict" not in track
    assert tracks[-1]["verdict"] == "clear"
    errors = {name: track["error"] for name, track in zip(bad, tracks, strict=False)}
    assert "no such file" in errors["missing.mp3"]
    assert "empty" in errors["empty.mp3"]
    assert "cannot be decoded" in errors["text.mp3"]
    assert "drums" in errors["drums.mid"]
    assert "too short" in errors["short.wav"]
    assert "no melody was heard" in errors["noise.wav"]
    assert "no melody was heard" in errors["silence.wav"]
    assert "unknown kind" in errors["what.xyz"]


@pytest.mark.parametrize("name", ["missing.mp3", "text.mp3", "silence.wav", "cut.mid"])
def test_a_single_bad_track_is_one_line_and_status_2(run, library_path, bad, name):
    done = run("check", "--library", library_path, bad[name])
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("melodysim: ")
    assert name in line


def test_odd_but_good_tracks_are_read(run, library_path, fixtures, tmp_path):
    mono, rate = soundfile.read(fixtures / "twinkle-piano.ogg")
    hifi = np.repeat(np.repeat(mono[:, None], 2, axis=1), 4, axis=0)[: 96_000 * 8]
    named = tmp_path / "ein Lied — 歌 (1).wav"
    soundfile.write(named, hifi, 96_000)  # stereo, 96 kHz, played a little faster
    assert rate == 22050
    done = run("check", "--library", library_path, "--format", "json", named)
    track = answer(done)["tracks"][0]
    assert track["source"] == str(named)
    assert track["duration"] == pytest.approx(8.0, abs=0.01)
    assert track["verdict"] == "clear"


def test_bad_libraries_get_one_clear_line(run, fixtures, tmp_path):
    song = fixtures / "twinkle.mid"
    text, newer = tmp_path / "text.db", tmp_path / "newer.db"
    text.write_text("not a database " * 100)
    assert run("library", "import", song, "--library", newer).returncode == 0
    with sqlite3.connect(newer) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    for path, says in (
        (tmp_path, "folder"),
        (text, "not a melodysim"),
        (newer, "newer"),
        (tmp_path / "no.db", "init"),
    ):
        done = run("check", song, "--library", path)
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert str(path) in line
        assert says in line


def test_the_library_from_the_command_line(run, fixtures, tmp_path):
    db = tmp_path / "l.db"
    files = fixtures / "tunes.abc", fixtures / "twinkle.mid"
    into = "--library", db, "--rights", "own", "--format", "json"
    first = answer(run("library", "import", *files, *into))
    assert first == {
        "schema": 1,
        "imported": 3,
        "unchanged": 0,
        "duplicates": 0,
        "skipped": 0,
        "failed": [],
        "passed_over": {},
        "remarks": [],
    }
    again = answer(
        run("library", "import", fixtures / "tunes.abc", "--library", db, "--format", "json")
    )
    assert (again["imported"], again["unchanged"]) == (0, 1)
    listed = answer(run("library", "list", "green", "--library", db, "--format", "json"))
    assert [entry["id"] for entry in listed["entries"]] == ["tunes.abc#2"]
    assert (
        run(
            "library",
            "rights",
            "tunes.abc#2",
            "--status",
            "licensed",
            "--holder",
            "A & B",
            "--library",
            db,
        ).returncode
        == 0
    )
    shown = answer(run("library", "show", "tunes.abc#2", "--library", db, "--format", "json"))
    assert shown["rights"] == {"status": "licensed", "holder": "A & B"}
    assert shown["melody"]["pitch"][:3] == [69.0, 72.0, 74.0]
    assert run("library", "remove", "twinkle.mid", "--library", db).returncode == 0
    stats = answer(run("library", "stats", "--library", db, "--format", "json"))
    assert stats["totals"]["melodies"] == 2
    assert stats["rights"] == {"own": 1, "licensed": 1}
    missing = run("library", "show", "zzz", "--library", db)
    assert missing.returncode == 2
    assert "zzz" in missing.stderr
    failed = run("library", "import", tmp_path / "none", "--library", db)
    assert failed.returncode == 2


def test_a_small_library_says_that_chance_was_not_measured(run, fixtures, tmp_path):
    db = tmp_path / "small.db"
    run("library", "import", fixtures / "paper-lanterns.mid", "--library", db)
    track = answer(run("check", fixtures / "paper-lanterns.mid", "--library", db, "--format", "json"))[
        "tracks"
    ][0]
    assert track["verdict"] == "likely"
    assert "typical values stand in" in " ".join(track["reasons"])


def test_doctor(run):
    done = run("doctor", "--format", "json")
    found = answer(done)
    assert found["packages"]["numpy"]["version"]
    assert found["models"]["notes"].endswith("basic_pitch.onnx")
    assert found["models"]["voice"].endswith("fcpe.onnx")
    assert "no library there" in found["library"]["error"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(run, shell):
    assert "_MELODYSIM_COMPLETE" in run("completion", shell).stdout


def test_every_command_has_help_and_stands_in_the_docs(run):
    text = (ROOT / "docs" / "commands.md").read_text()
    for command, summary in COMMANDS.items():
        done = run(command, "--help")
        assert done.returncode == 0
        assert summary
        assert f"melodysim {command}" in text
    for command in ("init", "import", "list", "show", "rights", "remove", "export", "stats"):
        assert run("library", command, "--help").returncode == 0
        assert f"melodysim library {command}" in text


def test_bad_usage_is_status_2(run):
    assert run("check").returncode == 2
    assert run("nonsense").returncode == 2
    assert run("check", "x.mid", "--format", "xml").returncode == 2


def test_importing_is_silent_and_light():
    code = (
        "import sys, melodysim; melodysim.__dir__();"
        "heavy = {'numpy', 'numba', 'music21', 'onnxruntime', 'soundfile', 'rich', 'click'};"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_check_for_a_program_loads_what_it_needs_alone(library_path):
    code = (
        "import sys; from melodysim.cli import _run; sys.stdout = open(__import__('os').devnull, 'w');"
        f"sys.argv = ['melodysim', 'check', {str(FIXTURES / 'twinkle.mid')!r}, '--format', 'json',"
        f" '--library', {str(library_path)!r}]; _run();"
        "others = {'rich', 'numba', 'onnxruntime', 'melodysim.readers.abc',"
        " 'melodysim.readers.projects', 'melodysim.readers.scores.kern_score'} & set(sys.modules);"
        "assert 'melodysim.readers.midi' in sys.modules; sys.exit(str(others) if others else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_public_names_are_there():
    import melodysim

    for name in melodysim.__all__:
        assert getattr(melodysim, name) is not None
    with pytest.raises(AttributeError):
        melodysim.nonsense  # noqa: B018


def test_the_page_of_commands_is_what_the_commands_say():
    import importlib.util

    spec = importlib.util.spec_from_file_location("make_commands", ROOT / "docs" / "make_commands.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "commands.md").read_text() == module.commands_page()


def test_a_picture_is_of_the_kind_that_its_name_asks_for(run, tmp_path):
    for name, magic in (("heard.png", b"\x89PNG"), ("heard.pdf", b"%PDF"), ("heard.svg", b"<?xml")):
        done = run("transcribe", FIXTURES / "twinkle.mid", "--plot", tmp_path / name)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / name).read_bytes().startswith(magic)
    done = run("transcribe", FIXTURES / "twinkle.mid", "--plot", tmp_path / "heard.jpg")
    assert done.returncode == 2
    assert ".png, .svg or .pdf" in done.stderr


def test_what_is_read_is_not_written_over(run, library_path, fixtures, tmp_path):
    track = tmp_path / "song.mid"
    track.write_bytes((fixtures / "twinkle.mid").read_bytes())
    before = track.read_bytes()
    for words in (
        ("check", track, "--library", library_path, "-o", track),
        ("transcribe", track, "-o", tmp_path / "." / "song.mid"),
        ("compare", track, fixtures / "twinkle.mid", "--library", library_path, "-o", track),
    ):
        done = run(*words)
        assert done.returncode == 2
        assert "would be written over" in done.stderr
        assert track.read_bytes() == before
    size = library_path.stat().st_size
    done = run("library", "stats", "--library", library_path, "-o", library_path)
    assert done.returncode == 2
    assert library_path.stat().st_size == size


@pytest.mark.parametrize("arguments", [["check", "--format", "json"], ["transcribe"], ["scan"]])
def test_a_full_disk_is_said_in_every_command(run, tmp_path, arguments):
    library = small_library(tmp_path / "library.db")
    track = FIXTURES / "paper-lanterns.mid"
    command = [sys.executable, "-c", FULL, *arguments[:1], track, *arguments[1:]]
    out = tmp_path / "out"
    command += ["--output", out] if arguments[0] != "transcribe" else ["--output", tmp_path / "a.mid"]
    command += ["--library", library] if arguments[0] != "transcribe" else []
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "the disk is full" in done.stderr
    assert "Traceback" not in done.stderr
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


# Whatever is written behaves as on a disk without room.
FULL = """
import errno, os, pathlib
def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")
os.fsync = full
from melodysim.cli import main
main()
"""


def test_an_empty_name_is_no_file(run, library_path, tmp_path):
    for command in (
        ("check", ""),
        ("check", "song.mid", "--stem", ""),
        ("scan", ""),
        ("compare", "", "x"),
    ):
        done = run(*command, "--library", library_path)
        assert done.returncode == 2
        assert "the name of the file is empty" in done.stderr
    assert not (tmp_path / "melodysim-scan").exists()


def test_no_text_is_written_under_a_name_of_another_kind(run, library_path, fixtures, tmp_path):
    for ending, command in ((".pdf", "check"), (".docx", "check"), (".csv", "compare")):
        output = tmp_path / f"out{ending}"
        tracks = [fixtures / "twinkle.mid"] * (2 if command == "compare" else 1)
        done = run(command, *tracks, "--library", library_path, "--output", output)
        assert done.returncode == 2
        assert f"nothing is written as {ending}; end it in .json" in done.stderr
        assert not output.exists()
    done = run(
        "compare", fixtures / "twinkle.mid", fixtures / "twinkle.mid", "--library", library_path,
        "--output", tmp_path / "pair.log",
    )  # fmt: skip
    assert "LIKELY" in (tmp_path / "pair.log").read_text()
    assert f"written to {tmp_path / 'pair.log'}" in done.stderr


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("song.ly", "\\relative c' { c4 d e f }", "is a file of LilyPond"),
        ("song.flp", "FLhd", "is a file of FL Studio"),
        ("song.mscx", '<?xml version="1.0"?><museScore version="4.0"/>', "as MusicXML"),
    ],
)
def test_files_of_other_programs_are_named_and_what_to_do(
    run, tmp_path, library_path, name, content, says
):
    (tmp_path / name).write_text(content)
    done = run("check", tmp_path / name, "--library", library_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert "MusicXML" in done.stderr


def test_a_quiet_import_says_what_was_imported_and_what_failed(run, tmp_path):
    (tmp_path / "bad.mid").write_text("no music")
    shutil.copy(FIXTURES / "twinkle.mid", tmp_path / "one.mid")
    shutil.copy(FIXTURES / "twinkle.mid", tmp_path / "two.mid")
    done = run("library", "import", tmp_path, "-q", "--library", tmp_path / "library.db")
    first, second = done.stdout.splitlines()
    assert "1 melody imported" in first
    assert "bad.mid" in second
    assert done.stderr == ""
