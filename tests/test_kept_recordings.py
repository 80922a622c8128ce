"""Recordings as references: what was heard of them is kept, and compared with a track as a whole."""

import json
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import FIXTURES, random_tune
from test_schema import validator
from test_two_recordings import recording

import melodysim
from melodysim.checking import RECORDINGS, check, measure_recordings
from melodysim.errors import LibraryError
from melodysim.library import Entry, Library, Reference, Store
from melodysim.library.entries import Recording
from melodysim.library.importers import import_paths
from melodysim.library.rights import Rights
from melodysim.melody import Melody, Piece
from melodysim.packed_piece import pack_piece
from melodysim.search.likeness import recordings as comparing
from melodysim.search.likeness.listener import HeardChance, Listener
from melodysim.search.likeness.listeners import Listeners
from melodysim.search.likeness.pairs import passage_of_notes, passage_of_recordings
from melodysim.search.pipeline import RECORDINGS as PROMISING
from melodysim.transcribe import TRANSCRIPTION_VERSION

FREE, OWNED = 120, 12


def tune_of(number):
    return random_tune(np.random.default_rng(number), 40, low=60, high=76)


def song(number, take, shift=0):
    """A take of a song, of whose lines the likeliest is not the tune, and a third is wrong."""
    rng = np.random.default_rng([number, take])
    heard = recording(tune_of(1000 + number), rng, shift)
    accompaniment = replace(random_tune(rng, 40, low=50, high=64), voice="tracked")
    return replace(heard, melodies=(accompaniment, *heard.melodies[1:]))


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A library of free tunes, and of recordings that are somebody's."""
    path = tmp_path_factory.mktemp("kept") / "library.db"
    with Store(path, create=True) as store, store.transaction():
        for k in range(FREE):
            entry = Entry(f"tune {k}", f"Tune {k}", None, f"{k}.mid", Rights("public-domain"))
            store.put([Reference(entry, tune_of(k))], f"{k}.mid", f"tune {k}")
        for k in range(OWNED):
            take = song(k, 0)
            entry = Entry(f"song {k}", f"Song {k}", None, f"{k}.mp3", Rights("in-copyright"))
            packed = Recording(TRANSCRIPTION_VERSION, pack_piece(take))
            store.put([Reference(entry, take.melodies[0])], f"{k}.mp3", f"song {k}", heard=packed)
    measure_recordings(Library(path))
    return path


def with_lines_alone(path, tmp_path):
    """The same library as an older version made it."""
    old = tmp_path / "lines.db"
    shutil.copy(path, old)
    with sqlite3.connect(old) as db:
        db.execute("DELETE FROM recording")
        db.execute("UPDATE meta SET value = 'lines' WHERE name = 'content'")
    db.close()
    return Library(old)


def test_a_recording_is_found_where_its_line_is_not(kept, tmp_path):
    whole, line = Library(kept), with_lines_alone(kept, tmp_path)
    for number in range(4):
        again = song(number, 1, shift=3)
        found, before = (check(again, library, top=OWNED) for library in (whole, line))
        assert found.verdict.level in {"review", "likely"}
        assert found.closest.reference.id == f"song {number}"
        assert found.closest.recorded
        assert before.verdict.level == "clear"


def test_a_recording_of_another_song_stays_clear(kept):
    library = Library(kept)
    reports = [check(song(50 + k, 0), library) for k in range(5)]
    assert [report.verdict.level for report in reports].count("clear") >= 4
    assert all(report.verdict.level != "likely" for report in reports)


def test_notes_are_listened_for_in_the_recordings(kept):
    melody = tune_of(1002)
    written = Melody.from_notes(melody.onset * 0.8, melody.duration * 0.8, melody.pitch - 4)
    report = check(Piece("new.mid", "notes", (written,), written.end), Library(kept))
    assert report.verdict.level == "likely"
    assert report.closest.reference.id == "song 2"
    assert report.closest.recorded


def test_the_order_in_which_they_were_imported_changes_nothing(kept, tmp_path):
    turned = tmp_path / "turned.db"
    with Store(kept) as old, Store(turned, create=True) as store, store.transaction():
        for entry in reversed(old.entries()):
            heard = old.recording(entry.id) if entry.id.startswith("song") else None
            store.put([Reference(entry, old.melody(entry.id))], entry.source, entry.id, heard=heard)
    again = song(1, 1, shift=-2)
    one, two = (check(again, Library(path)).closest for path in (kept, turned))
    assert one.reference.id == two.reference.id == "song 1"
    assert one.e_value == pytest.approx(two.e_value)


def test_e_values_are_among_the_recordings(kept, tmp_path):
    """Eleven others less: the same p-value, a twelfth of the E-value."""
    few = tmp_path / "few.db"
    shutil.copy(kept, few)
    with Store(few, writable=True) as store, store.transaction():
        for k in range(OWNED - 1):
            store.set_rights(f"song {k}", Rights("own"))
    library, again = Library(few), song(OWNED - 1, 1, shift=1)
    assert library.holdings.recordings == 1
    promising = [_recorded(library, f"song {OWNED - 1}")]
    (alone,), (among,) = (
        comparing.compare_recorded(again, promising, count, Listeners(library.unrelated())).values()
        for count in (1, OWNED)
    )
    assert alone.match.recorded
    assert among.e_value == pytest.approx(OWNED * alone.e_value) == among.match.e_value


def _recorded(library, identity):
    from melodysim.checking import _recorded

    (found,) = _recorded(library, library.shelf, [identity])
    return found


def test_the_verdict_does_not_depend_on_how_much_is_shown(kept):
    library = Library(kept)
    for number in (*range(OWNED), 60, 61):
        track = song(number, 1, shift=2)
        few, many = (check(track, library, top=top) for top in (1, FREE))
        assert len(few.matches) == 1
        assert few.verdict.level == many.verdict.level
        if many.closest.e_value < 0.5:  # not by chance
            assert few.closest.reference.id == many.closest.reference.id
            assert few.closest.e_value == many.closest.e_value
            assert few.verdict == many.verdict


def test_the_melody_of_many_that_is_heard_is_the_one_that_is_shown(kept):
    """A file of notes may have more than ten melodies."""
    melodies = [tune_of(300 + k) for k in range(12)]
    melodies[11] = replace(tune_of(1003), voice="the tune")
    written = Piece("score.mid", "notes", tuple(melodies), melodies[0].end)
    library = Library(kept)
    found = passage_of_notes(written, Listeners(library.unrelated()).of(song(3, 0)))[1]
    assert (found.melody, found.voice) == (11, "the tune")


def test_a_recording_that_was_removed_meanwhile_costs_no_check(kept, tmp_path):
    copy = tmp_path / "copy.db"
    shutil.copy(kept, copy)
    library, again = Library(copy), song(3, 1)
    with Store(copy, writable=True) as store, store.transaction():
        store.remove("song 3")
    assert check(again, library, top=0).verdict.level in {"clear", "unchecked"}


def test_a_line_and_a_whole_are_two_chances():
    melody = tune_of(1)
    match = check(Piece("a", "notes", (melody,), melody.end), _tiny(melody)).matches[0]
    line, whole = replace(match, e_value=0.02), replace(match, e_value=0.004, recorded=True)
    name = line.reference.id
    by_id = {name: comparing.Compared(0.004, whole)}
    (both,) = comparing.with_recorded([line], {name: 0.02}, by_id)
    assert both.recorded
    assert both.e_value == pytest.approx(2 / (1 / 0.02 + 1 / 0.004))
    (kept,) = comparing.with_recorded([replace(line, e_value=1e-9)], {name: 1e-9}, by_id)
    assert not kept.recorded
    assert kept.e_value == pytest.approx(2e-9)
    # What chance explains is not traced, and is a chance that was given all the same.
    (kept,) = comparing.with_recorded([line], {name: 0.02}, {name: comparing.Compared(0.9, None)})
    assert kept.e_value == pytest.approx(2 / (1 / 0.02 + 1 / 0.9))
    # Whether the line's match was traced, for want of room, makes no difference.
    (kept,) = comparing.with_recorded([], {name: 0.02}, by_id)
    assert kept.recorded
    assert kept.e_value == both.e_value
    chance = {"another": comparing.Compared(0.9, None)}
    assert comparing.with_recorded([], {"another": np.inf}, chance) == []


def _tiny(melody):
    """A stand-in for a library, of one work."""
    import tempfile

    path = Path(tempfile.mkdtemp()) / "one.db"
    library = Library.open(path, create=True)
    library.add(melody, "One", rights="in-copyright")
    return library


def test_chance_in_a_recording_is_measured_once(kept, monkeypatch, tmp_path):
    copy = tmp_path / "copy.db"
    shutil.copy(kept, copy)
    library, measured = Library(copy), []
    whole = Listener.of.__func__

    def counted(cls, piece, unrelated, threads=1, chance=None):
        measured.append(chance is None)
        return whole(cls, piece, unrelated, threads, chance)

    monkeypatch.setattr(Listener, "of", classmethod(counted))
    again = song(3, 1)
    first = check(again, library)
    assert sum(measured) == 1 + comparing.COMPARED  # the track's own, and those compared in full
    measured.clear()
    second = check(again, Library(copy))
    assert sum(measured) == 1
    assert first.closest.e_value == second.closest.e_value
    # A damaged file is measured anew, and so is what was measured on other melodies.
    for change in (lambda said: "{", lambda said: json.dumps({**said, "unrelated": ["x"]})):
        for file in Path(f"{copy}.index", "heard").iterdir():
            file.write_text(change(json.loads(file.read_text())))
        measured.clear()
        assert check(again, Library(copy)).closest.e_value == first.closest.e_value
        assert sum(measured) == 1 + comparing.COMPARED


def test_what_is_kept_of_chance_is_what_was_measured(kept):
    unrelated = Library(kept).unrelated()
    one = Listener.of(song(4, 0), unrelated)
    said = json.loads(json.dumps(one.chance.plain()))
    assert HeardChance.from_plain(said) == one.chance
    with pytest.raises((KeyError, TypeError)):
        HeardChance.from_plain({"lines": []})
    again = Listener.of(song(4, 0), unrelated, chance=HeardChance.from_plain(said))
    melodies = [tune_of(7), tune_of(1004)]
    assert np.array_equal(one.standings(melodies).listened, again.standings(melodies).listened)


def test_a_melody_stands_where_it_does_whatever_is_asked_beside_it(kept):
    listener = Listener.of(song(5, 0), Library(kept).unrelated())
    melodies = [tune_of(1005), tune_of(8), tune_of(9)]
    together = listener.standings(melodies)
    for k, melody in enumerate(melodies):
        alone = listener.standings([melody])
        assert alone.listened[0] == together.listened[k]
        assert alone.p_value[0] == together.p_value[k]
    assert together.listened[0] > together.listened[1:].max() + 4


def test_the_most_alike_are_compared_in_full(kept):
    """The cheap way must keep what the whole comparison puts first."""
    library = Library(kept)
    listeners = Listeners(library.unrelated())
    for number in (0, 6):
        again = song(number, 2, shift=5)
        every = [_recorded(library, f"song {k}") for k in range(OWNED)]
        mine = listeners.of(again)
        full = [passage_of_recordings(mine, listeners.of(r.piece, r.digest))[0] for r in every]
        best = every[int(np.argmin(full))].entry.id
        found = comparing.compare_recorded(again, every, OWNED, listeners)
        assert len(found) <= comparing.COMPARED < OWNED < PROMISING
        assert best == f"song {number}" == min(found, key=lambda name: found[name].e_value)


def test_recordings_through_the_command_line(run, tmp_path):
    place = tmp_path / "library.db"
    asked = "--library", place
    with Store(place, create=True) as store:
        import_paths(store, [FIXTURES / "tunes.abc"], Rights("public-domain"))
    sound = tmp_path / "song.ogg"
    shutil.copy(FIXTURES / "twinkle-piano.ogg", sound)
    added = run("library", "import", sound, "--rights", "in-copyright", *asked)
    assert added.returncode == 0, added.stderr
    assert "1 melody imported" in added.stdout
    stats = json.loads(run("library", "stats", "--format", "json", *asked).stdout)
    validator("stats").validate(stats)
    assert stats["recordings"] == {"heard": 1, "line only": 0}
    again = run("library", "import", sound, *asked)
    assert "there already, unchanged" in again.stdout
    answer = json.loads(run("check", sound, "--format", "json", *asked).stdout)
    validator("check").validate(answer)
    (track,) = answer["tracks"]
    assert track["verdict"] == "likely"
    assert track["matches"][0]["reference"]["id"] == "song.ogg"
    page = tmp_path / "report.html"
    assert run("check", sound, "-o", page, *asked).returncode == 1
    assert "1 of the protected ones is kept as a recording" in page.read_text()


def test_importing_again_keeps_what_an_older_version_left_out(run, tmp_path):
    place, sound = tmp_path / "library.db", FIXTURES / "twinkle-piano.ogg"
    with Store(place, create=True) as store:
        import_paths(store, [sound], Rights("in-copyright"))
        with store.transaction():
            store.set_rights("twinkle-piano.ogg", Rights("licensed", note="licence 7"))
    for change in ("DELETE FROM recording", "UPDATE recording SET version = version - 1"):
        with sqlite3.connect(place) as db:
            db.execute(change)
        db.close()
        with Store(place, writable=True) as store:
            assert store.heard_by(TRANSCRIPTION_VERSION) == set()
            result = import_paths(store, [sound], Rights("unknown"))
            assert (result.imported, result.unchanged) == (1, 0)
            assert store.heard_by(TRANSCRIPTION_VERSION)
            (entry,) = store.entries()
            assert entry.rights.note == "licence 7"  # what a person has set stays
            assert import_paths(store, [sound], Rights("unknown")).unchanged == 1


def test_notes_with_the_name_of_a_recording_are_read_once(tmp_path):
    sound = tmp_path / "song.mp3"
    shutil.copy(FIXTURES / "twinkle.mid", sound)
    with Store(tmp_path / "library.db", create=True) as store:
        assert import_paths(store, [sound], Rights("unknown")).imported == 1
        version = store.version()
        assert import_paths(store, [sound], Rights("unknown")).unchanged == 1
        assert store.version() == version


def test_what_is_kept_of_chance_is_found_wherever_it_serves(tmp_path, monkeypatch):
    """Beside a library that cannot be written to, what is out of date must not hide what is not."""
    from melodysim.library.packed import index_files

    beside, own = tmp_path / "beside", tmp_path / "own"
    monkeypatch.setattr(index_files, "_folders", lambda _: iter([beside, own]))
    name = "a" * 64
    for folder, method in ((beside, 0), (own, 1)):
        (folder / "heard").mkdir(parents=True)
        (folder / "heard" / f"{name}.json").write_text(json.dumps({"method": method}))
    said = list(index_files.load_heard(tmp_path / "library.db", name))
    assert [each["method"] for each in said] == [0, 1]
    assert not list(index_files.load_heard(tmp_path / "library.db", "../own/heard/" + name))
    assert not index_files.save_heard(tmp_path / "library.db", "../out", {})


def test_what_was_heard_goes_with_its_melody(tmp_path):
    path, take = tmp_path / "library.db", song(0, 0)
    entry = Entry("song", "Song", None, "song.mp3", Rights("in-copyright"))
    with Store(path, create=True) as store:
        with store.transaction():
            packed = Recording(TRANSCRIPTION_VERSION, pack_piece(take))
            store.put([Reference(entry, take.melodies[0])], "song.mp3", "digest", heard=packed)
        assert store.recording("song").digest == packed.digest
        assert len(store.recordings()) == 1
        with store.transaction():
            store.remove("song")
        assert len(store.recordings()) == 0
        with pytest.raises(LibraryError, match="holds no recording"):
            store.recording("song")


def test_a_check_says_what_it_does_and_can_be_stopped(kept):
    stages = []
    check(song(0, 1), Library(kept), progress=stages.append)
    assert RECORDINGS in stages
    with pytest.raises(melodysim.CancelledError):
        check(song(0, 1), Library(kept), cancelled=lambda: RECORDINGS in stages)
