"""A library in parts gives what the same library in one part gives, to the bit."""

import datetime
import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from conftest import random_tune, tune
from hypothesis import given, settings
from hypothesis import strategies as st

from melodysim.intervals import normalise
from melodysim.library import Entry, Library, Reference, Store
from melodysim.library.packed import index as index_module
from melodysim.library.packed import index_files
from melodysim.library.packed.index import Index, order_shards, packed_index
from melodysim.library.packed.shard import pack_shard
from melodysim.library.rights import Rights
from melodysim.melody import Piece
from melodysim.search.pipeline import find_matches
from melodysim.util.array_files import map_arrays, write_arrays

MELODIES = 240


@pytest.fixture(scope="module")
def tunes():
    rng = np.random.default_rng(4)
    return [random_tune(rng, int(rng.integers(5, 60))) for _ in range(MELODIES)]


def reference(name, melody, status="unknown"):
    return Reference(Entry(name, name, None, f"{name}.mid", Rights(status)), melody)


def stored(path, tunes, numbers):
    with Store(path, writable=path.exists(), create=not path.exists()) as store, store.transaction():
        for k in numbers:
            status = "public-domain" if k % 3 else "unknown"
            store.put([reference(f"tune-{k}", tunes[k], status)], f"{k}.mid", str(k))


def answers(library, tunes):
    """What checks say, but for the paths."""
    rng = np.random.default_rng(5)
    found = []
    for k in (3, 77, 200):
        passage = tunes[k].pitch + rng.integers(0, 2, len(tunes[k])) * (rng.random(len(tunes[k])) < 0.1)
        query = tune(np.concatenate([random_tune(rng, 20).pitch, passage]))
        piece = Piece("query", "notes", (query,), query.end)
        found += [
            (m.reference.id, m.score, m.e_value, m.standardised, m.path.tolist(), str(m.turn))
            for m in find_matches(piece, library.shelf, 10)
        ]
    return found


def folder_of(path):
    return path.with_name(path.name + ".index")


def parts(path):
    return sorted(p.name for p in folder_of(path).glob("part-*"))


def test_parts_in_any_number_and_order_give_the_same(tmp_path, tunes, monkeypatch):
    whole, divided, late = tmp_path / "one.db", tmp_path / "many.db", tmp_path / "late.db"
    stored(whole, tunes, range(MELODIES))
    expected = answers(Library(whole), tunes)
    assert len(parts(whole)) == 1
    assert {row[0] for row in expected} >= {"tune-3", "tune-77", "tune-200"}

    monkeypatch.setattr(index_files, "MOST", 50)
    monkeypatch.setattr(index_files, "SMALL", 10)
    stored(divided, tunes, reversed(range(MELODIES)))
    assert answers(Library(divided), tunes) == expected
    assert len(parts(divided)) == 5

    # What comes later goes into a part of its own; the others stay as they are.
    stored(late, tunes, range(100))
    Library(late)
    before = parts(late)
    stored(late, tunes, range(100, MELODIES))
    assert answers(Library(late), tunes) == expected
    assert set(before) < set(parts(late))

    with Store(late) as store:
        monkeypatch.setattr(index_files, "MOST", 1000)
        assert index_files.compact(store) == (5, 1)
    assert answers(Library(late), tunes) == expected
    assert len(parts(late)) == 1


def test_what_is_taken_out_leaves_no_trace(tmp_path, tunes, monkeypatch):
    monkeypatch.setattr(index_files, "SMALL", 10)
    fewer, more = tmp_path / "fewer.db", tmp_path / "more.db"
    kept = [k for k in range(MELODIES) if k % 10 != 1]
    stored(fewer, tunes, kept)
    stored(more, tunes, range(MELODIES))
    Library(more)
    before = parts(more)
    with Store(more, writable=True) as store, store.transaction():
        for k in set(range(MELODIES)) - set(kept):
            store.remove(f"tune-{k}")
    assert answers(Library(more), tunes) == answers(Library(fewer), tunes)
    assert parts(more) == before
    # A part of which much was taken out is made anew.
    with Store(more, writable=True) as store, store.transaction():
        for k in kept[:90]:
            store.remove(f"tune-{k}")
    assert len(Library(more)) == len(kept) - 90
    assert parts(more) != before


def test_small_parts_are_put_together(tmp_path, tunes):
    path = tmp_path / "library.db"
    for k in range(6):
        stored(path, tunes, [k])
        assert len(Library(path)) == k + 1
        assert len(parts(path)) == 1


def test_a_change_of_rights_leaves_the_parts_alone(tmp_path, tunes):
    path = tmp_path / "library.db"
    stored(path, tunes, range(20))
    assert Library(path).protected.sum() == 7
    before = {p.name: p.stat().st_mtime_ns for p in folder_of(path).iterdir() if "part" in p.name}
    with Store(path, writable=True) as store, store.transaction():
        store.set_rights("tune-0", Rights("own"))
    library = Library(path)
    assert library.protected.sum() == 6
    assert library.index.names[int(np.flatnonzero(~library.protected)[0])] == "tune-0"
    after = {p.name: p.stat().st_mtime_ns for p in folder_of(path).iterdir() if "part" in p.name}
    assert before == after


def test_licences_run_out_though_nobody_changes_the_library(tmp_path, tunes, monkeypatch):
    path = tmp_path / "library.db"
    stored(path, tunes, range(3))
    last = datetime.date.today() + datetime.timedelta(days=2)
    with Store(path, writable=True) as store, store.transaction():
        store.set_rights("tune-1", Rights("licensed", expires=last.isoformat()))
    where = Library(path).index.names.index("tune-1")
    assert not Library(path).protected[where]

    class Later(datetime.date):
        @classmethod
        def today(cls):
            return last + datetime.timedelta(days=1)

    for module in ("store", "packed.index_files"):
        monkeypatch.setattr(f"melodysim.library.{module}.date", Later)
    assert Library(path).protected[where]


def test_a_library_that_was_put_back_is_not_taken_for_what_it_became(tmp_path, tunes):
    """Otherwise a check would go through another library's notes: a false "clear"."""
    path = tmp_path / "library.db"
    stored(path, tunes, range(50))
    Library(path)
    with closing(sqlite3.connect(path)) as db, closing(sqlite3.connect(tmp_path / "backup.db")) as copy:
        db.backup(copy)
    stored(path, tunes, [60])
    Library(path)
    for left in tmp_path.glob("library.db-*"):
        left.unlink()
    shutil.copy(tmp_path / "backup.db", path)
    stored(path, tunes, [70])
    library = Library(path)
    assert "tune-60" not in library.index.names
    melody = tunes[70]
    piece = Piece("query", "notes", (melody,), melody.end)
    assert find_matches(piece, library.shelf, 1)[0].reference.id == "tune-70"
    # Made anew under the same name, with the old parts still there.
    path.unlink()
    for left in tmp_path.glob("library.db-*"):
        left.unlink()
    stored(path, tunes, range(100, 150))
    assert set(Library(path).index.names) == {f"tune-{k}" for k in range(100, 150)}


def test_what_is_packed_is_of_one_moment(tmp_path, tunes, monkeypatch):
    """Another process stores melodies and rights while a library is opened."""
    path = tmp_path / "library.db"
    stored(path, tunes, range(20))
    serials, protection = Store.serials, index_files.protection

    def late_serials(store):
        found = serials(store)
        stored(path, tunes, [3, 30])
        return found

    def late_protection(store, index, territory):
        stored(path, tunes, [0, 6])
        return protection(store, index, territory)

    monkeypatch.setattr(Store, "serials", late_serials)
    monkeypatch.setattr("melodysim.library.library.protection", late_protection)
    first = Library(path)
    assert len(first) == 20
    assert first.protected.sum() == 7
    monkeypatch.undo()
    now = Library(path)
    assert now.version != first.version
    assert len(now) == 21
    assert now.protected.sum() == 8


def test_blocks_of_zeros_are_noticed(tmp_path, tunes):
    path = tmp_path / "library.db"
    stored(path, tunes, range(40))
    expected = answers_of_one(Library(path))
    for file in folder_of(path).iterdir():
        content = file.read_bytes()
        if file.suffix == ".bin":
            file.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))
    assert answers_of_one(Library(path)) == expected


@pytest.mark.parametrize("damage", ["part", "order", "manifest", "rights", "gone"])
@pytest.mark.parametrize("content", [b"", b"nonsense" * 99, None])
def test_damaged_files_are_made_again(tmp_path, tunes, damage, content):
    path = tmp_path / "library.db"
    stored(path, tunes, range(20))
    expected = Library(path).protected.tolist()
    for file in folder_of(path).iterdir():
        if damage == "gone":
            file.unlink()
        elif file.name.startswith(damage):
            file.write_bytes(file.read_bytes()[:-70] if content is None else content)
    library = Library(path)
    assert len(library) == 20
    assert library.protected.tolist() == expected
    assert len(library.index.whole) == 20
    # Next time, nothing has to be made.
    before = {p.name: p.stat().st_mtime_ns for p in folder_of(path).iterdir()}
    Library(path)
    assert before == {p.name: p.stat().st_mtime_ns for p in folder_of(path).iterdir()}


def test_a_folder_that_cannot_be_written(tmp_path, tunes, monkeypatch):
    path = tmp_path / "library.db"
    stored(path, tunes, range(20))
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder should be")
    monkeypatch.setattr(index_files, "_folders", lambda path: iter([blocked / "index"]))
    library = Library(path)
    assert len(library) == 20
    assert answers_of_one(library) == answers_of_one(library)
    shutil.rmtree(folder_of(path), ignore_errors=True)


def answers_of_one(library):
    melody = library.melody(library.index.names[0])
    piece = Piece("query", "notes", (melody,), melody.end)
    return [(m.reference.id, m.score) for m in find_matches(piece, library.shelf, 3)]


def test_seeds_find_what_the_first_pass_finds(tunes, monkeypatch):
    index = packed_index((f"{k:04d}", tune) for k, tune in enumerate(tunes))
    protected = np.arange(MELODIES) % 2 == 0
    for k in np.flatnonzero(index.lengths > 20)[:10]:  # those of fewer than six notes have no turn
        sequence = normalise(tunes[k])
        index.exhaustive = MELODIES
        full = index.scan(sequence, protected)
        index.exhaustive = 0
        some = index.scan(sequence, protected)
        assert some[k] == full[k] > 0
        assert ((some == full) | (some == 0)).all()
    # More protected references than may come from all are still there.
    monkeypatch.setattr(index_module, "SEEDED", 5)
    medley = normalise(tune(np.concatenate([t.pitch for t in tunes])))
    chosen = index._chosen(medley, np.arange(MELODIES) < 6, 2)
    assert 5 < len(chosen) <= 10
    assert (chosen < 6).sum() >= 5


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40))
@settings(max_examples=30, deadline=None)
def test_gathering_gives_what_was_asked_for_in_that_order(numbers):
    rng = np.random.default_rng(0)
    melodies = [(k, f"{9 - k}", random_tune(rng, 5 + k)) for k in range(4)]
    shards = [pack_shard(melodies[:1]), pack_shard(melodies[1:])]
    index = Index(shards, order_shards(shards))
    assert index.names == ["6", "7", "8", "9"]
    gathered = index.corpus(np.array(numbers))
    assert gathered.lengths.tolist() == [8 - k for k in numbers]
    for place, k in enumerate(numbers):
        low, high = gathered.start[place], gathered.start[place + 1]
        assert gathered.time[low:high].tolist() == melodies[3 - k][2].onset.tolist()
        assert index.name(k) == melodies[3 - k][1]
        assert index.first_pitch(k) == melodies[3 - k][2].pitch[0]


def test_arrays_come_back_as_they_were(tmp_path):
    arrays = {
        "a": np.arange(7, dtype=np.int16),
        "empty": np.zeros((0, 3), np.float32),
        "table": np.arange(12, dtype=np.float64).reshape(3, 4)[:, ::2],
    }
    write_arrays(tmp_path / "x.bin", arrays, {"until": "é"})
    back, note = map_arrays(tmp_path / "x.bin")
    assert note == {"until": "é"}
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        assert back[name].tolist() == array.tolist()
        with pytest.raises(ValueError, match="read-only"):
            back[name][...] = 0
