"""Songs that a person named, and findings that were settled, through the real command line."""

import csv
import io
import json
import shutil

import numpy as np
import pytest
from conftest import FIXTURES, small_library, tune
from test_schema import validator

import melodysim
from melodysim.checking import check
from melodysim.errors import LibraryError, ReadError
from melodysim.judge.advice import trust_words
from melodysim.judge.verdict import Rates, Verdict, with_named
from melodysim.library import Library, Store, WatchList, finding_id
from melodysim.melody import Piece, SemitoneSalience
from melodysim.packed_piece import pack_piece, unpack_piece

LANTERNS, HARBOUR = FIXTURES / "paper-lanterns.mid", FIXTURES / "harbour-band.mid"


@pytest.fixture
def library_file(tmp_path):
    """Free tunes alone: whatever is found, is found because it was named."""
    from melodysim.library.importers import import_paths
    from melodysim.library.rights import Rights

    path = tmp_path / "library.db"
    with Store(path, create=True) as store:
        import_paths(store, [FIXTURES / "tunes.abc"], Rights("public-domain"))
    return path


def test_a_song_that_was_named_is_looked_for_by_itself(run, library_file, tmp_path):
    asked = "--library", library_file
    before = run("check", LANTERNS, *asked)
    assert before.returncode == 2
    assert "NOT CHECKED" in before.stdout
    added = run("suspect", "add", LANTERNS, "--title", "The feared song", *asked)
    assert added.returncode == 0, added.stderr
    assert "nothing is guessed" in added.stderr
    found = run("check", LANTERNS, *asked)
    assert found.returncode == 1
    assert "LIKELY: “The feared song”, which you named" in found.stdout
    assert found.stdout.index("The feared song") < found.stdout.index("none is protected")
    answer = json.loads(run("check", LANTERNS, "--format", "json", *asked).stdout)
    validator("check").validate(answer)
    (song,) = answer["tracks"][0]["named"]
    assert (song["title"], song["verdict"]) == ("The feared song", "likely")
    assert answer["tracks"][0]["closest"]["title"] == "The feared song"
    other = run("check", HARBOUR, *asked)
    assert other.returncode == 0
    assert "CLEAR: none of the songs you named is followed" in other.stdout
    page = tmp_path / "report.html"
    assert run("check", LANTERNS, "-o", page, *asked).returncode == 1
    text = page.read_text()
    assert text.index("Songs you named") < text.index("What was heard")
    assert "What to do next" in text


def test_a_recording_is_named_shown_corrected_and_taken_off(run, library_file, tmp_path):
    asked = "--library", library_file
    assert run("suspect", "add", FIXTURES / "twinkle-piano.ogg", *asked).returncode == 0
    again = run("suspect", "add", FIXTURES / "twinkle-piano.ogg", *asked)
    assert again.returncode == 2
    assert "watched for already" in again.stderr
    listed = json.loads(run("suspect", "list", "--format", "json", *asked).stdout)
    validator("suspects").validate(listed)
    assert listed["suspects"][0]["id"] == "twinkle-piano"
    assert listed["suspects"][0]["kind"] == "audio"
    heard = tmp_path / "heard.mid"
    shown = run("suspect", "show", "twinkle-piano", "--output", heard, *asked)
    assert shown.returncode == 0, shown.stderr
    assert len(melodysim.read(heard).melodies[0]) == listed["suspects"][0]["notes"]
    # Two recordings, or notes and a recording: either way round it is found.
    assert "LIKELY" in run("check", FIXTURES / "twinkle.mid", *asked).stdout
    assert "LIKELY" in run("check", FIXTURES / "twinkle-piano.ogg", *asked).stdout
    own = run("suspect", "correct", "twinkle-piano", heard, *asked)
    assert own.returncode == 0 and "are a transcript" in own.stderr
    assert run("suspect", "correct", "twinkle-piano", LANTERNS, *asked).returncode == 0
    corrected = json.loads(run("suspect", "list", "--format", "json", *asked).stdout)["suspects"][0]
    assert (corrected["id"], corrected["corrected"]) == ("twinkle-piano", True)
    assert "LIKELY" in run("check", LANTERNS, *asked).stdout
    again = run("suspect", "add", FIXTURES / "twinkle-piano.ogg", *asked)
    assert again.returncode == 2  # corrected or not, it is the song that was named
    assert run("suspect", "remove", "twinkle-piano", *asked).returncode == 0
    assert run("suspect", "show", "twinkle-piano", *asked).returncode == 2


def test_one_question_finds_what_drowns_among_many(tmp_path):
    # A passage of eight notes among 400 works and by itself.
    from conftest import random_tune
    from test_check import library_of

    rng = np.random.default_rng(12)
    feared = random_tune(rng, 60)
    copied = tune([*random_tune(rng, 30).pitch, *feared.pitch[20:30], *random_tune(rng, 30).pitch])
    library = library_of(tmp_path / "l.db", [feared, *(random_tune(rng, 60) for _ in range(400))])
    among = check(copied, library).closest
    with WatchList(library.path, writable=True) as watched:
        watched.add(Piece("feared.mid", "midi", (feared,), 60.0), "Feared")
    (song,) = check(copied, library).named
    assert song.match is not None
    assert among is None or song.match.e_value < among.e_value


def test_a_piece_is_unpacked_as_it_was_packed():
    rng = np.random.default_rng(3)
    strength = rng.random((50, 88)).astype(np.float16).astype(np.float32)
    heard = SemitoneSalience(strength, strength[::-1].copy(), 0.05, 0.3)
    piece = Piece(
        "a.mp3", "audio", (tune([60, 62, 64], voice="one"), tune([50, 53])), 3.0, "T", "C", "ab", heard,
        remarks=("odd",),
    )  # fmt: skip
    back = unpack_piece(pack_piece(piece))
    assert (back.source, back.kind, back.duration, back.title, back.sha256) == (
        "a.mp3", "audio", 3.0, "T", "ab"
    )  # fmt: skip
    assert [m.voice for m in back.melodies] == ["one", ""]
    assert np.array_equal(back.melodies[0].pitch, piece.melodies[0].pitch)
    assert np.array_equal(back.heard.strength, strength)
    assert (back.heard.frame, back.heard.separated, back.remarks) == (0.05, 0.3, ("odd",))
    for content in (b"", b"nothing", pack_piece(piece)[:-40]):
        with pytest.raises(ReadError, match="not a packed piece"):
            unpack_piece(content)


def test_trust_is_said_in_words():
    rng = np.random.default_rng(4)
    notes = tune(rng.integers(60, 72, 40))
    strength = np.zeros((4, 88), np.float32)

    def recorded(share, melody=notes):
        heard = SemitoneSalience(strength, strength, 0.05, share)
        return trust_words(Piece("a.wav", "audio", (melody,), 40.0, heard=heard))

    assert recorded(0.9).startswith("Good")
    assert recorded(0.2).startswith("Fair")
    assert recorded(0.0).startswith("Uncertain")
    assert recorded(None).startswith("Uncertain")
    assert recorded(0.9, tune([60, 62, 64, 65])).startswith("Poor")


def test_a_finding_is_settled_and_alarms_no_more(run, tmp_path):
    library = small_library(tmp_path / "library.db")
    asked = "--library", library
    found = json.loads(run("check", LANTERNS, "--format", "json", *asked).stdout)["tracks"][0]
    assert found["verdict"] == "likely"
    finding = found["closest"]["finding"]
    assert finding == finding_id(melodysim.read(LANTERNS), "paper-lanterns.mid")
    assert run("scan", "accept", "no-id", *asked).returncode == 2
    mistyped = run("scan", "accept", "0123456789", *asked)
    assert "0123456789: not among the results" in mistyped.stderr
    assert run("scan", "withdraw", "0123456789", *asked).returncode == 0
    settled = run("scan", "accept", finding, "--note", "licence 12", *asked)
    assert settled.returncode == 0, settled.stderr
    after = run("check", LANTERNS, "--format", "json", *asked)
    answer = json.loads(after.stdout)
    validator("check").validate(answer)
    track = answer["tracks"][0]
    assert track["verdict"] in {"clear", "unchecked"}
    assert after.returncode != 1
    assert track["accepted"][0]["note"] == "licence 12"
    assert any("licence 12" in reason for reason in track["reasons"])
    # Another track that follows the same work alarms as ever.
    shifted = tmp_path / "shifted.mid"
    from melodysim.report.note_files import midi_bytes

    notes = melodysim.read(LANTERNS).melodies[0]
    shifted.write_bytes(midi_bytes([tune(notes.pitch + 1, notes.duration)]))
    assert run("check", shifted, *asked).returncode == 1
    listed = json.loads(run("scan", "accepted", "--format", "json", *asked).stdout)
    validator("accepted").validate(listed)
    assert listed["accepted"][0]["id"] == finding
    assert run("scan", "withdraw", finding, *asked).returncode == 0
    assert run("check", LANTERNS, *asked).returncode == 1
    assert run("scan", "withdraw", finding, *asked).returncode == 2


def test_neither_changes_what_the_library_is(tmp_path):
    library = Library(small_library(tmp_path / "library.db"))
    with WatchList(library.path, writable=True) as watched:
        watched.add(melodysim.read(LANTERNS))
        watched.accept("0123456789", "why")
    assert Library(library.path).version == library.version
    with WatchList(library.path) as watched, pytest.raises(LibraryError, match="no song of the name"):
        watched.suspect("nothing")


def test_a_library_of_before_is_brought_up_to_date(tmp_path):
    import sqlite3

    path = small_library(tmp_path / "library.db")
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE suspect")
        db.execute("DROP TABLE accepted")
        db.execute("DROP TABLE recording")
        db.execute("PRAGMA user_version = 3")
    db.close()
    assert Library(path).suspects() == []
    copy = tmp_path / "copy.db"
    shutil.copy(path, copy)
    assert Library(copy).accepted() == {}


def test_a_library_for_a_song_is_made_with_its_folder(run, tmp_path):
    place = tmp_path / "new" / "folder" / "library.db"
    done = run("suspect", "add", FIXTURES / "paper-lanterns.mid", "--library", place)
    assert done.returncode == 0, done.stderr
    assert place.exists()


def test_the_gravest_song_comes_first_and_is_in_every_answer(run, library_file, tmp_path):
    asked = ("--library", library_file)
    for song, title in ((FIXTURES / "twinkle.mid", "Another"), (LANTERNS, "The feared song")):
        assert run("suspect", "add", song, "--title", title, *asked).returncode == 0
    folder = tmp_path / "evidence"
    done = run("check", LANTERNS, "--format", "csv", "--evidence", folder, *asked)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert rows[-1]["title"] == "The feared song"
    assert (rows[-1]["rank"], rows[-1]["verdict"]) == ("", "likely")
    assert float(rows[-1]["e_value"]) < 1e-4
    assert "Another" not in {row["title"] for row in rows}
    assert any("feared" in path.name for path in folder.iterdir())
    (track,) = json.loads(run("check", LANTERNS, "--format", "json", *asked).stdout)["tracks"]
    assert track["reasons"][0].startswith("A song you named, “The feared song”")


def test_reasons_are_in_the_order_of_their_gravity(tmp_path):
    path = small_library(tmp_path / "l.db")
    match = check(LANTERNS, Library(path)).matches[0]
    near = Verdict("clear", 0.3, "", ("near",), near=True)
    grave = Verdict("likely", 0.99, "", ("grave",))
    base = Verdict("clear", 0.0, "", ("base",))
    found = with_named(base, [("A", near, match), ("B", grave, match)], Rates())
    assert found.level == "likely"
    assert found.reasons[0] == "A song you named, “B”: grave"
    assert "“B”" in found.headline


def test_none_of_several_songs_is_said_in_one_word(tmp_path):
    base, quiet = Verdict("clear", 0.0, "", ("base",)), Verdict("clear", 0.0, "", ("q",))
    found = with_named(base, [("A", quiet, None), ("B", quiet, None)], Rates())
    none = "None of the 2 songs you named is followed more closely than chance explains."
    assert found.reasons[-1] == none


def test_a_song_is_found_by_a_title_that_it_alone_has(tmp_path):
    path = small_library(tmp_path / "l.db")
    with WatchList(path, writable=True) as watched:
        for name in ("paper-lanterns.mid", "twinkle.mid"):
            watched.add(melodysim.read(FIXTURES / name), "Feared")
        assert watched.suspect("Feared").id == "Feared"
        watched.remove("Feared")
        assert watched.suspect("Feared").id == "Feared~2"
        watched.remove("Feared")
        with pytest.raises(LibraryError, match="no song of the name"):
            watched.suspect("Feared")


def test_accepting_again_keeps_the_note(tmp_path):
    path = small_library(tmp_path / "l.db")
    with WatchList(path, writable=True) as watched:
        watched.accept("0123456789", "licence 1", "a follows b")
        watched.accept("0123456789", "")
        assert watched.accepted()["0123456789"].note == "licence 1"
        assert watched.accepted()["0123456789"].about == "a follows b"
        watched.accept("0123456789", "licence 2")
        assert watched.accepted()["0123456789"].note == "licence 2"
