"""What scripts see: every public name of the API, as a script would use it."""

import copy
import json
import pickle
import re
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from conftest import FIXTURES, random_tune, small_library

import melodysim
from melodysim import CancelledError, InvalidNotesError, Library, LibraryError, Melody, ReadError
from melodysim.library.store import Store
from melodysim.readers.midi import read_midi
from melodysim.report.note_files import midi_bytes

PAPER = FIXTURES / "paper-lanterns.mid"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return small_library(tmp_path_factory.mktemp("scripting") / "library.db")


@pytest.fixture
def own(tmp_path):
    """A library that a test may change."""
    return small_library(tmp_path / "library.db")


def lanterns():
    return Melody.from_midi_bytes(PAPER.read_bytes())


def test_notes_in_matches_out(path):
    stolen = lanterns()
    report = melodysim.check_notes(
        stolen.onset * 1.3, stolen.duration * 1.3, stolen.pitch + 2, library=path, top=1
    )
    assert report.verdict.level == "likely"
    assert report.matches[0].reference.title == "Paper Lanterns"
    assert report.matches[0].transposition == 2
    assert len(report.matches) == 1


def test_every_way_of_giving_a_track_comes_to_the_same(path):
    library = Library.open(path)
    found = [
        library.check(given).matches[0]
        for given in (PAPER, str(PAPER), melodysim.read(PAPER), melodysim.read(PAPER).melodies[0])
    ]
    assert {match.reference.id for match in found} == {"paper-lanterns.mid"}
    assert len({match.score for match in found}) == 1


def test_reports_in_three_forms(path):
    report = Library.open(path).check(PAPER)
    assert json.loads(report.to_json()) == json.loads(json.dumps(report.to_dict()))
    assert report.to_dict()["verdict"] == "likely"
    assert report.to_html().startswith("<!doctype html>")


def test_melodies_to_midi_and_back():
    tune = random_tune(np.random.default_rng(0), 20)
    made = Melody.from_notes(tune.onset, tune.duration, tune.pitch)
    back = Melody.from_midi_bytes(made.to_midi())
    assert isinstance(back, Melody)
    assert back.pitch.tolist() == made.pitch.tolist()
    assert back.onset == pytest.approx(made.onset, abs=0.002)
    with pytest.raises(ReadError, match="MIDI"):
        Melody.from_midi_bytes(b"no midi")


def test_written_midi_stands_on_the_grid_of_its_source():
    piece = melodysim.read(PAPER)
    back = read_midi(Path("again.mid"), midi_bytes(piece.melodies)).parts[0]
    assert back.beat == pytest.approx(piece.melodies[0].beat, abs=0.01)
    assert back.onset == pytest.approx(piece.melodies[0].onset, abs=0.002)
    # Where there is no steady tempo, the times count.
    (line,) = piece.melodies
    swaying = Melody.from_notes(line.onset**1.1, line.duration, line.pitch, beat=line.beat)
    back = read_midi(Path("again.mid"), midi_bytes([swaying])).parts[0]
    assert back.onset == pytest.approx(swaying.onset, abs=0.002)


def test_what_things_are_is_said_in_a_line(path):
    report = Library.open(path).check(PAPER)
    for thing in (
        report,
        report.matches[0],
        report.piece,
        lanterns(),
        melodysim.compare(PAPER, PAPER, path),
    ):
        assert len(repr(thing)) < 250
        assert "\n" not in repr(thing)
    assert repr(report).startswith("<Report of ")
    assert "likely" in repr(report)


def test_what_is_no_track_is_an_error_of_ours(path):
    library = Library.open(path)
    for wrong in (
        lambda: library.check([1, 2]),
        lambda: library.add("song.mid", "Song"),
        lambda: melodysim.compare(5, 6, library),
    ):
        with pytest.raises(InvalidNotesError, match="Melody"):
            wrong()


def test_two_works(path):
    same = melodysim.compare(PAPER, lanterns(), path)
    other = melodysim.compare(PAPER, FIXTURES / "twinkle.mid", path)
    assert same.score > other.score
    assert same.match is not None


@pytest.mark.parametrize(
    "notes",
    [
        ([0, 1], [1, 1], [60]),
        ([0, float("nan"), 2], [1, 1, 1], [60, 62, 64]),
        ([0, 1, 2], [1, 0, 1], [60, 62, 64]),
        ([0, 1, 2], [1, 1, 1], [60, 62, 640]),
        (["a"], [1], [60]),
        ([[0, 1]], [[1, 1]], [[60, 62]]),
    ],
)
def test_what_are_no_notes(path, notes):
    with pytest.raises(InvalidNotesError):
        melodysim.check_notes(*notes, library=path)


def test_notes_in_any_order_and_chords(path):
    tune = lanterns()
    order = np.random.default_rng(1).permutation(len(tune))
    bass = tune.pitch - 12
    report = melodysim.check_notes(
        np.concatenate([tune.onset[order], tune.onset]),
        np.concatenate([tune.duration[order], tune.duration]),
        np.concatenate([tune.pitch[order], bass]),
        library=path,
    )
    assert report.matches[0].identity == 1.0


def test_too_few_notes_are_not_clear(path):
    with pytest.raises(ReadError, match="too few"):
        melodysim.check_notes([0, 1], [1, 1], [60, 62], library=path)


def test_what_is_added_is_found(own):
    library = Library.open(own)
    tune = random_tune(np.random.default_rng(3), 40)
    before = len(library)
    # What is the same again changes nothing; another of the same name gets a name of its own.
    assert library.add(tune, "My hook", rights="own") == "My hook"
    assert library.add(tune, "My hook", rights="own") == "My hook"
    other = random_tune(np.random.default_rng(4), 40)
    assert library.add(other, "My hook", creator="Me") == "My hook~2"
    assert len(library) == before + 2
    assert library.check(tune).matches[0].reference.rights.status == "own"
    assert library.check(other).matches[0].reference.creator == "Me"
    assert len(Library.open(own)) == before + 2
    with pytest.raises(InvalidNotesError):
        library.add(tune, " ")
    with pytest.raises(melodysim.MelodysimError, match="status"):
        library.add(tune, "x", rights="mine")


def test_a_library_can_be_begun_from_nothing(tmp_path):
    with pytest.raises(LibraryError, match="no library there"):
        Library.open(tmp_path / "new.db")
    library = Library.open(tmp_path / "new.db", create=True)
    with pytest.raises(LibraryError, match="no melodies"):
        library.check(lanterns())
    library.add(lanterns(), "Paper Lanterns")
    assert library.check(lanterns()).matches[0].identity == 1.0


def test_progress_and_cancelling(path):
    library, stages = Library.open(path), []
    library.check(PAPER, progress=stages.append)
    assert stages[0] == "reading"
    assert stages[-1] == "describing matches"
    asked = []

    def cancelled():
        asked.append(None)
        return len(asked) > 2

    with pytest.raises(CancelledError):
        library.check(PAPER, cancelled=cancelled)
    assert len(asked) == 3
    heard = []
    with pytest.raises(CancelledError):
        library.check(
            FIXTURES / "copies-paper-lanterns.mp3",
            progress=heard.append,
            cancelled=lambda: "hearing" in heard,
        )


def test_eight_threads_get_what_one_gets(own):
    library = Library.open(own)
    rng = np.random.default_rng(6)
    tunes = [lanterns(), *(random_tune(rng, 30) for _ in range(7))]
    expected = [library.check(t).to_dict() for t in tunes]
    found = [[] for _ in tunes]

    def work(k):
        for _ in range(5):
            found[k].append(library.check(tunes[k]).to_dict())

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[report] * 5 for report in expected]


def test_checks_go_on_while_melodies_are_added(own):
    library = Library.open(own)
    rng = np.random.default_rng(7)
    wrong = []

    def work():
        for _ in range(20):
            try:
                if library.check(lanterns()).matches[0].reference.id != "paper-lanterns.mid":
                    wrong.append("another")
            except Exception as error:
                wrong.append(repr(error))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for k in range(10):
        library.add(random_tune(rng, 30), f"Idea {k}")
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(library) == 13


LIGHT = """
import sys, threading, os, signal, logging
modules, handlers = set(sys.modules), list(logging.getLogger().handlers)
before = os.getcwd(), signal.getsignal(signal.SIGINT)
import importlib, melodysim
importlib.reload(melodysim)
for name in [n for n in sys.modules if n.split(".")[0] == "melodysim"]:
    del sys.modules[name]
import melodysim
notes = [0.25 * k for k in range(32)], [0.25] * 32, [60, 62, 64, 65, 67, 69, 71, 72] * 4
report = melodysim.check_notes(*notes, library=sys.argv[1])
report.to_json()
library = melodysim.Library.open(sys.argv[1])
library.check(melodysim.melody_of(*notes))
heavy = {n.split(".")[0] for n in set(sys.modules) - modules} - set(sys.stdlib_module_names)
assert heavy <= {"melodysim", "numpy"}, heavy
assert (os.getcwd(), signal.getsignal(signal.SIGINT)) == before
assert logging.getLogger().handlers == handlers
assert threading.active_count() == 1
held = [os.path.realpath("/proc/self/fd/" + name) for name in os.listdir("/proc/self/fd")]
assert not [path for path in held if path.endswith((".db", "-wal", "-shm"))], held
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_check_of_notes_needs_numpy_and_nothing_else_and_leaves_nothing_behind(path):
    from melodysim import kernels

    if kernels.compiled() is None:
        pytest.skip("without compiled kernels numba is needed")
    done = subprocess.run(
        [sys.executable, "-c", LIGHT, str(path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_worked_examples(path, tmp_path, monkeypatch):
    import doctest
    import shutil

    shutil.copytree(path.parent, tmp_path, dirs_exist_ok=True)
    shutil.copy(PAPER, tmp_path / "song.mid")
    monkeypatch.chdir(tmp_path)
    guide = (FIXTURES.parent / "docs" / "scripting.md").read_text(encoding="utf-8")
    # What fences an example is no part of what it prints.
    (tmp_path / "guide.txt").write_text(re.sub("^```.*$", "", guide, flags=re.MULTILINE), "utf-8")
    tried = doctest.testfile(str(tmp_path / "guide.txt"), module_relative=False, encoding="utf-8")
    assert tried.attempted > 10
    assert tried.failed == 0
    assert (tmp_path / "report.html").exists()


def test_chords_that_are_played_are_chords(fixtures):
    song = melodysim.read(fixtures / "paper-lanterns.mid").melodies[0]
    o, d, p = song.onset, song.duration, song.pitch
    for late in (0.0, 0.001, 0.012):
        notes = np.r_[o, o + late, o + 2 * late], np.r_[d, d, d], np.r_[p, p - 4, p - 9]
        assert melodysim.melody_of(*notes).pitch.tolist() == p.tolist()
    legato = 1.15 * np.append(np.diff(o), 1.0)
    one_more = np.r_[o, o[:1]], np.r_[legato, d[:1]], np.r_[p, p[:1] - 12]
    for notes in ((o, legato, p), one_more):
        assert melodysim.melody_of(*notes).pitch.tolist() == p.tolist()


def test_masked_notes_are_refused_and_territories_are_known_in_capitals(library_path):
    onset = np.arange(12) * 0.5
    masked = np.ma.masked_array(60 + np.arange(12) % 7, mask=[True] + [False] * 11)
    with pytest.raises(melodysim.InvalidNotesError, match="masked"):
        Melody.from_notes(onset, np.full(12, 0.4), masked)
    assert len(Melody.from_notes(onset, np.full(12, 0.4), np.ma.masked_array(masked.data))) == 12
    assert Library.open(library_path, territory="US").territory == "us"


def test_what_is_asked_wrongly_is_said(library_path, fixtures):
    song = melodysim.read(fixtures / "paper-lanterns.mid").melodies[0]
    library = melodysim.Library.open(library_path)
    for top in (-1, 1.5, "3", True):
        with pytest.raises(melodysim.MelodysimError, match="give a number of matches"):
            library.check(song, top)
    with pytest.raises(melodysim.LibraryError, match="no territory “mars”; known are anywhere, us"):
        melodysim.Library.open(library_path, territory="mars")
    with pytest.raises(melodysim.InvalidNotesError, match="not numbers"):
        melodysim.check_notes([10**400, 1], [1, 1], [60, 62], library)
    for notes in (2, slice(None, None, -1)):
        with pytest.raises(melodysim.InvalidNotesError, match="a slice that goes forwards"):
            song[notes]
    assert melodysim.check(song, str(library_path)).verdict.level == "likely"


def test_times_before_zero_and_of_long_ago(library_path, fixtures):
    song = melodysim.read(fixtures / "paper-lanterns.mid").melodies[0]
    library = melodysim.Library.open(library_path)
    for shift in (-30.0, 1.7e9):
        moved = melodysim.melody_of(song.onset + shift, song.duration, song.pitch)
        report = library.check(moved)
        assert report.verdict.level == "likely"
        assert report.to_dict()["duration"] >= 0
        again = melodysim.Melody.from_midi_bytes(moved.to_midi())
        assert again.pitch.tolist() == song.pitch.tolist()
        assert np.allclose(np.diff(again.onset), np.diff(song.onset), atol=0.01)
    with pytest.raises(melodysim.InvalidNotesError, match="too long for a MIDI file"):
        melodysim.melody_of(song.onset * 1e9, song.duration, song.pitch).to_midi()


def test_an_open_library_does_not_take_another_work_for_one_that_was_removed(tmp_path, fixtures):
    rng = np.random.default_rng(4)
    song = melodysim.read(fixtures / "paper-lanterns.mid").melodies[0]
    path = tmp_path / "l.db"
    songs_in(path, song)
    held = melodysim.Library.open(path)
    for new in (None, random_tune(rng, 60), song[:12]):
        with Store(path) as store:
            there = store.entries_by_id(["lantern"])
        if there:
            remove(path, "lantern")
        if new is not None:
            melodysim.Library.open(path).add(new, "lantern", creator="Somebody Else", rights="own")
        found = melodysim.check(song, held)
        assert "lantern" not in {match.reference.id for match in found.matches}


def songs_in(path, song):
    """A library of the song and four others."""
    rng = np.random.default_rng(4)
    library = Library.open(path, create=True)
    for k in range(4):
        library.add(random_tune(rng, 30), f"other {k}", rights="in-copyright")
    library.add(song, "lantern", rights="in-copyright")
    return library


def remove(path, name):
    with Store(path, writable=True) as store, store.transaction():
        store.remove(name)


def test_an_open_library_knows_what_others_have_changed(tmp_path):
    song = lanterns()
    held = songs_in(tmp_path / "l.db", song)
    remove(held.path, "lantern")
    report = held.check(song)
    assert report.holdings.protected == 4 and report.closest.reference.id != "lantern"
    Library.open(held.path).add(song, "lantern", rights="public-domain")
    report = melodysim.check_notes(song.onset, song.duration, song.pitch, held)
    assert report.verdict.level != "likely" and report.matches[0].reference.id == "lantern"
    assert held.holdings.protected == 4 and len(held) == 5


def test_what_is_removed_does_not_hide_the_next_work(tmp_path):
    song = lanterns()
    library = songs_in(tmp_path / "l.db", song)
    library.add(
        Melody.from_notes(song.onset, song.duration, song.pitch + 1), "copy", rights="in-copyright"
    )
    best = melodysim.check(song, library, top=0).closest.reference.id
    held = Library.open(library.path)
    remove(held.path, best)
    for top in (0, 1, 10):
        report = melodysim.check(song, held, top)  # as it was when it was opened
        assert {best, report.closest.reference.id} == {"lantern", "copy"}
        assert report.verdict.level == "likely"


def test_a_library_stays_where_it_was_opened(tmp_path, monkeypatch):
    song = lanterns()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    songs_in(tmp_path / "a" / "l.db", song)
    Library.open(tmp_path / "b" / "l.db", create=True)
    monkeypatch.chdir(tmp_path / "a")
    library = Library.open("l.db")
    monkeypatch.chdir(tmp_path / "b")
    assert library.check(song).verdict.level == "likely"
    library.add(song[:20], "part")
    assert len(library) == 6 and len(Library.open("l.db")) == 0


def test_libraries_and_melodies_travel_to_other_processes(tmp_path):
    song = lanterns()
    library = songs_in(tmp_path / "l.db", song)
    for again in (pickle.loads(pickle.dumps((library, song))), copy.deepcopy((library, song))):
        assert again[0].path == library.path and again[0].check(again[1]).verdict.level == "likely"
        with pytest.raises(ValueError, match="read-only"):
            again[1].pitch[0] = 1


@pytest.mark.parametrize(
    "wrong",
    [
        lambda song, library: Library.open(5),
        lambda song, library: Library.open(""),
        lambda song, library: melodysim.check(song, 5),
        lambda song, library: melodysim.read(None),
        lambda song, library: melodysim.read(""),
        lambda song, library: melodysim.melody_of_midi(None),
        lambda song, library: melodysim.check(song, library, rates=0.1),
        lambda song, library: melodysim.compare(song, song, library, 5),
        lambda song, library: melodysim.Rates("a", "b"),
        lambda song, library: melodysim.check(song, library, threads="2"),
        lambda song, library: library.add(song, 5),
        lambda song, library: library.add(song, None),
        lambda song, library: library.add(song, "a\ud800"),
        lambda song, library: library.add(song, "a", creator=5),
        lambda song, library: library.add(song, "a", identity=5),
        lambda song, library: Melody.from_notes([0, 1], [1, 1], [10**400, 61]),
        lambda song, library: melodysim.melody_of(np.arange(5) + 0j, [1] * 5, [60] * 5),
        lambda song, library: melodysim.melody_of(
            np.arange(5).astype("datetime64[ms]"), [1] * 5, [60] * 5
        ),
        lambda song, library: melodysim.melody_of([0, 0], [1, -1], [70, 60]),
        lambda song, library: melodysim.melody_of([0, 0], [1, 1], [70, -5]),
    ],
)
def test_what_is_wrong_with_an_argument_is_said_in_a_line(path, wrong):
    library = Library.open(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(melodysim.MelodysimError) as raised:
            wrong(lanterns(), library)
    assert "\n" not in str(raised.value)
