import shutil

import pytest
from test_midi import midi, scale

from melodysim.library.importers import import_paths
from melodysim.library.store import Store
from melodysim.rights import Rights


@pytest.fixture
def folder(tmp_path, fixtures):
    folder = tmp_path / "tunes ♪"
    (folder / "sub").mkdir(parents=True)
    shutil.copy(fixtures / "tunes.abc", folder)
    shutil.copy(fixtures / "twinkle.mid", folder / "sub")
    (folder / "broken.mid").write_bytes(b"MThd nonsense")
    (folder / "notes.txt").write_text("not music")
    return folder


def test_folders_are_walked_and_bad_files_reported(folder, tmp_path):
    with Store(tmp_path / "l.db", create=True) as store:
        done = import_paths(store, [folder], Rights("own"))
        ids = [e.id for e in store.entries()]
    assert done.imported == 3
    assert ids == ["sub/twinkle.mid", "tunes.abc#1", "tunes.abc#2"]
    assert [source for source, _ in done.failed] == [str(folder / "broken.mid")]


def test_importing_again_changes_nothing(folder, tmp_path):
    with Store(tmp_path / "l.db", create=True) as store:
        import_paths(store, [folder], Rights("own"))
        before = store.version()
        again = import_paths(store, [folder], Rights("unknown"))
        assert (again.imported, again.unchanged) == (0, 2)
        assert store.version() == before
        assert {e.rights.status for e in store.entries()} == {"own"}


def test_a_changed_file_is_read_again(tmp_path):
    file = tmp_path / "song.mid"
    file.write_bytes(midi([scale()]))
    with Store(tmp_path / "l.db", create=True) as store:
        import_paths(store, [file], Rights())
        file.write_bytes(midi([scale(notes=(60, 64, 67, 72, 76, 79))]))
        assert import_paths(store, [file], Rights()).imported == 1
        assert len(store.melody("song.mid")) == 6
        assert store.count() == 1


def test_titles_and_creators_can_be_given(fixtures, tmp_path):
    with Store(tmp_path / "l.db", create=True) as store:
        import_paths(store, [fixtures / "greensleeves.musicxml"], Rights(), creator="trad.")
        (entry,) = store.entries()
    assert (entry.title, entry.creator) == ("Greensleeves", "trad.")


def test_the_builtin_tunes_are_public_domain_and_complete(library_path):
    with Store(library_path) as store:
        stats = store.statistics()
        folk = store.melody("essenFolksong/han1#1")
    assert stats["totals"]["melodies"] > 12_700
    assert stats["rights"]["public-domain"] == stats["totals"]["melodies"] - 1
    # Renmin gongshe shizai hao, in C, 2/4, from its first bars: d4 A2 c2 | d4 d4
    assert folk.pitch[:5].tolist() == [74, 69, 72, 74, 74]
    assert folk.beat[:5].tolist() == [0, 1, 1.5, 2, 3]
