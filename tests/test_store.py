import sqlite3
import threading

import numpy as np
import pytest
from conftest import random_tune

from melodysim.errors import LibraryError
from melodysim.library import Library
from melodysim.library.entries import Entry, Reference
from melodysim.library.rights import Rights
from melodysim.library.schema import SCHEMA
from melodysim.library.store import Store

RNG = np.random.default_rng(0)


def reference(name, status="unknown"):
    melody = random_tune(RNG, 12)
    return Reference(Entry(name, name.title(), None, "x.mid", Rights(status)), melody)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "lib é.db"
    with Store(path, create=True) as store, store.transaction():
        store.put([reference("a"), reference("b", "own")], "x.mid", "digest")
    return path


def test_what_goes_in_comes_out(path):
    stored = reference("c", "in-copyright")
    with Store(path, writable=True) as store:
        with store.transaction():
            store.put([stored], "y.mid", "other")
        assert store.count() == 3
        melody = store.melody("c")
        assert melody.pitch.tolist() == stored.melody.pitch.tolist()
        assert melody.onset.tolist() == stored.melody.onset.tolist()
        assert [e.id for e in store.entries()] == ["a", "b", "c"]
        assert [e.id for e in store.entries("C")] == ["c"]
        serials = store.protected()[0]
        assert {identity for _, identity, _ in store.melodies_of(serials)} == {"a", "c"}
        assert store.source_digests() == {"x.mid": "digest", "y.mid": "other"}


def test_a_failed_transaction_leaves_nothing(path):
    with Store(path, writable=True) as store:
        before = store.version()
        with pytest.raises(RuntimeError), store.transaction():
            store.put([reference("c")], "y.mid", "d")
            raise RuntimeError
        assert store.count() == 2
        assert store.version() == before


def test_the_version_changes_with_the_content_only(path):
    with Store(path, writable=True) as store:
        first = store.version()
        with store.transaction():
            pass
        assert store.version() == first
        with store.transaction():
            store.remove("a")
        assert store.version() != first


def test_importing_again_keeps_the_rights_that_somebody_set(path):
    with Store(path, writable=True) as store:
        with store.transaction():
            store.set_rights("a", Rights("licensed", holder="me", published=1999))
        with store.transaction():
            store.put([reference("a")], "x.mid", "new digest")
        rights = store.entries_by_id(["a"])["a"].rights
        assert (rights.status, rights.holder, rights.published) == ("licensed", "me", 1999)
        assert store.count() == 1  # "b" is no longer in its source


def test_unknown_ids_say_so(path):
    with Store(path, writable=True) as store:
        with pytest.raises(LibraryError, match="no melody with id 'zz'"):
            store.melody("zz")
        with pytest.raises(LibraryError, match="zz"), store.transaction():
            store.remove("zz")


def test_the_index_follows_the_library(path):
    assert len(Library(path)) == 2
    with Store(path, writable=True) as store, store.transaction():
        store.put([reference("c")], "y.mid", "d")
    assert Library(path).index.names == ["a", "b", "c"]
    assert Library(path).protected.tolist() == [True, False, True]


@pytest.mark.parametrize(
    "content", [b"not a database at all " * 100, b"", b"SQLite format 3\0" + bytes(50)]
)
def test_files_that_are_no_library(tmp_path, content):
    bad = tmp_path / "bad.db"
    bad.write_bytes(content)
    with pytest.raises(LibraryError, match=r"bad\.db"):
        Library(bad)


def test_other_databases_are_left_alone(tmp_path):
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE mine (x)")
    db.close()
    before = other.read_bytes()
    with pytest.raises(LibraryError, match="not a melodysim library"):
        Store(other, create=True)
    assert other.read_bytes() == before


def test_libraries_of_a_newer_version_are_left_alone(path):
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    db.close()
    with pytest.raises(LibraryError, match="newer melodysim"):
        Store(path)
    with pytest.raises(LibraryError, match="newer melodysim"):
        Store(path, writable=True)


def test_folders_and_missing_files(tmp_path):
    with pytest.raises(LibraryError, match="is a folder"):
        Store(tmp_path)
    with pytest.raises(LibraryError, match="library init"):
        Store(tmp_path / "none.db")


def test_a_locked_library_says_so(path, monkeypatch):
    monkeypatch.setattr("melodysim.library.schema.BUSY_SECONDS", 0.1)
    with Store(path, writable=True) as store, store.transaction():
        with (
            Store(path, writable=True) as second,
            pytest.raises(LibraryError, match="locked by another process"),
            second.transaction(),
        ):
            pass
        with Store(path) as reader:  # reading goes on meanwhile
            assert reader.count() == 2


def test_reading_needs_no_write_permission(path):
    with Store(path) as store:
        with pytest.raises(LibraryError, match="read-only"), store.transaction():
            store.remove("a")
        assert store.count() == 2


def test_threads_share_a_library(path):
    library, found = Library(path), []
    threads = [
        threading.Thread(target=lambda: found.append(library.melody("a").pitch.tolist()))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(notes == found[0] for notes in found)


def test_no_melody_is_lost_to_another_of_the_same_name(tmp_path):
    """A false "clear" would follow."""
    from conftest import FIXTURES

    from melodysim.library.importers import import_paths

    for name, source in (("a", "paper-lanterns.mid"), ("b", "twinkle.mid")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "song.mid").write_bytes((FIXTURES / source).read_bytes())
    with Store(tmp_path / "library.db", create=True) as store:
        import_paths(store, [tmp_path / "a" / "song.mid"], Rights("in-copyright"))
        import_paths(store, [tmp_path / "b" / "song.mid"], Rights("public-domain"))
        assert import_paths(store, [tmp_path / "b" / "song.mid"], Rights("own")).unchanged == 1
        assert {e.id: e.rights.status for e in store.entries()} == {
            "song.mid": "in-copyright", "song.mid~2": "public-domain"
        }  # fmt: skip
        # The same file at another place has moved: it keeps its id and its rights.
        (tmp_path / "a").rename(tmp_path / "c")
        import_paths(store, [tmp_path / "c" / "song.mid"], Rights("unknown"))
        assert {e.id: (e.rights.status, e.source) for e in store.entries()} == {
            "song.mid": ("in-copyright", str(tmp_path / "c" / "song.mid")),
            "song.mid~2": ("public-domain", str(tmp_path / "b" / "song.mid")),
        }
        assert len(store.source_digests()) == 2


def test_texts_are_found_whatever_their_case_and_accents(tmp_path):
    with Store(tmp_path / "l.db", create=True) as store, store.transaction():
        for name in ("Überlied", "U\u0308berlied 2", "100% Love", "Straße"):
            melody = random_tune(RNG, 12)
            entry = Entry(name, name, None, f"{name}.mid", Rights("own"))
            store.put([Reference(entry, melody)], f"{name}.mid", "")
    with Store(tmp_path / "l.db") as store:
        assert {e.id for e in store.entries("über")} == {"Überlied", "U\u0308berlied 2"}
        assert [e.id for e in store.entries("100%")] == ["100% Love"]
        assert [e.id for e in store.entries("STRASSE")] == ["Straße"]
        assert len(store.entries(None)) == len(store.entries("")) == 4
        assert [e.id for e in store.entries("_")] == []
