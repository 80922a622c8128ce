import csv
import gzip
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import FIXTURES, random_tune
from test_midi import midi, scale

from melodysim.errors import MissingDependencyError
from melodysim.library.entries import Entry, Reference
from melodysim.library.importers import import_paths, run
from melodysim.library.importers.public_sets import RECORDS, known_set
from melodysim.library.rights import Rights
from melodysim.library.store import Store
from melodysim.melody import Melody
from melodysim.report.note_files import csv_text, midi_bytes


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


def imported(tmp_path, *paths, rights=None):
    """Import into a library; gives what was done, and its entries by id."""
    with Store(tmp_path / "l.db", create=True) as store:
        done = import_paths(store, paths, rights or Rights())
        return (
            done,
            {e.id: e for e in store.entries()},
            {e.id: store.melody(e.id) for e in store.entries()},
        )


def tune_file(path, seed, rng_notes=30):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(midi_bytes([random_tune(np.random.default_rng(seed), rng_notes)]))
    return path


def test_the_same_file_at_another_place_is_passed_over(tmp_path):
    for k in range(6):
        tune_file(tmp_path / "one" / f"{k}.mid", k)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    done, entries, _ = imported(tmp_path, tmp_path / "one", tmp_path / "two")
    assert (done.imported, done.duplicates, done.failed) == (6, 6, [])
    assert [(Path(a).parent.name, Path(b).parent.name) for a, b in done.same] == [("two", "one")] * 6
    assert all(Path(a).name == Path(b).name for a, b in done.same)
    assert len(entries) == 6


def test_an_import_that_was_stopped_goes_on(tmp_path, monkeypatch):
    for k in range(30):
        tune_file(tmp_path / "songs" / f"{k:02d}.mid", k)
    monkeypatch.setattr(run, "CHUNK_SECONDS", 0.0)

    def stop(done, total, name):
        if done == 12:
            raise KeyboardInterrupt

    with Store(tmp_path / "l.db", create=True) as store:
        with pytest.raises(KeyboardInterrupt):
            import_paths(store, [tmp_path / "songs"], Rights(), progress=stop)
        assert store.count() == 12
        done = import_paths(store, [tmp_path / "songs"], Rights())
        assert (done.imported, done.unchanged) == (18, 12)
        assert [e.id for e in store.entries()] == [f"{k:02d}.mid" for k in range(30)]


def test_a_worker_that_dies_costs_its_own_file_alone(tmp_path, monkeypatch):
    for k in range(8):
        tune_file(tmp_path / "songs" / f"{k}.mid", k)
    # Little time, and a pipe that never ends: its worker is killed.
    import os

    os.mkfifo(tmp_path / "songs" / "5.wav")
    monkeypatch.setattr(run, "FILE_SECONDS", 6.0)
    from melodysim.library.importers import jobs

    listed = jobs.file_jobs(tmp_path / "songs", Rights(), None, None)
    pipe = jobs.Job("5.wav", "file", tmp_path / "songs" / "5.wav", "5.wav", Rights())
    with Store(tmp_path / "l.db", create=True) as store:
        done = run.run_jobs(store, [*listed[:5], pipe, *listed[5:]])
        assert store.count() == 8
    assert [source for source, _ in done.failed] == ["5.wav"]


def test_tables_of_notes(tmp_path, run):
    tunes = [random_tune(np.random.default_rng(k), 20) for k in range(2)]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "one.csv").write_text(csv_text(tunes[0]))
    rows = ["id,title,creator,onset,duration,pitch"]
    for name, melody in zip("ab", tunes, strict=True):
        rows += [
            f"{name},Tune {name},Anna,{o},{d},{p}"
            for o, d, p in zip(melody.onset, melody.duration, melody.pitch, strict=True)
        ]
    (tmp_path / "mine" / "two.csv").write_text("\n".join(rows))
    notes = np.stack([tunes[1].onset, tunes[1].duration, tunes[1].pitch], axis=1).tolist()
    objects = [{"id": "x", "title": "X", "notes": notes}, {"id": "y", "notes": notes[:2]}]
    (tmp_path / "mine" / "three.json").write_text(json.dumps(objects))
    (tmp_path / "mine" / "lines.json").write_text("\n".join(json.dumps(o) for o in objects[:1]))
    (tmp_path / "mine" / "prices.csv").write_text("price\n3\n")
    (tmp_path / "mine" / "settings.json").write_text("{}")
    done, entries, melodies = imported(tmp_path, tmp_path / "mine")
    assert sorted(entries) == ["lines.json#x", "one.csv", "three.json#x", "two.csv#a", "two.csv#b"]
    assert (entries["two.csv#b"].title, entries["two.csv#b"].creator) == ("Tune b", "Anna")
    assert melodies["two.csv#b"].pitch.tolist() == melodies["three.json#x"].pitch.tolist()
    assert [source.rsplit("#")[-1] for source, _ in done.failed] == ["y"]
    assert "too few" in str(done.failed[0][1])
    # A table that is named but is none says what it lacks.
    bad = run("library", "import", tmp_path / "mine" / "prices.csv", "--library", tmp_path / "x.db")
    assert bad.returncode == 2
    assert "no column 'onset'" in bad.stdout + bad.stderr


def exported(tmp_path, run, fixtures):
    """Write out a library: a score, the same notes under another name, the line of a recording."""
    path = tmp_path / "l.db"
    rights = Rights("licensed", "Anna & Co", "T-1", 1999, "no. 1, signed", 2001, "2099-12-31")
    rng = np.random.default_rng(1)
    sung = Melody.from_notes(np.arange(9) / 3, np.full(9, 0.3), 60 + rng.normal(0, 3, 9))
    with Store(path, create=True) as store:
        import_paths(store, [fixtures / "twinkle.mid"], rights, 'A "star", twinkling', "Ünal, A.")
        with store.transaction():
            copy = replace(store.entries()[0], id="again", rights=Rights("own"), creator=None)
            same = Reference(copy, store.melody("twinkle.mid"))
            store.put([same, Reference(replace(copy, id="sung"), sung)], "somewhere", "")
    assert run("library", "export", tmp_path / "out", "--library", path).returncode == 0
    return path, tmp_path / "out"


def test_what_was_exported_keeps_its_names_and_rights(tmp_path, run, fixtures):
    _, folder = exported(tmp_path, run, fixtures)
    there, before, notes = imported(tmp_path, folder)
    assert (there.imported, there.unchanged, len(before)) == (0, 3, 3)  # into the same library
    done, entries, melodies = imported(folder, folder)
    assert (done.imported, done.failed) == (3, [])
    assert {k: replace(e, source="", voice="") for k, e in entries.items()} == {
        k: replace(e, source="", voice="") for k, e in before.items()
    }
    for name, melody in melodies.items():
        for array in ("onset", "duration", "pitch", "beat"):
            was, now = getattr(notes[name], array), getattr(melody, array)
            assert (was is None) == (now is None)
            assert was is None or np.array_equal(was, now)
    # Naming the index is naming the folder; a file that lies there too is a melody of its own.
    tune_file(folder / "mine.mid", 3)
    for named, ids in ((folder / "index.csv", set(before)), (folder, {*before, "mine.mid"})):
        _, entries, _ = imported(tmp_path / "new" / named.name, named)
        assert set(entries) == ids


@pytest.mark.parametrize(
    ("was", "now", "says"),
    [
        (b"000000-again", b"../l", "no name of a file beside"),
        (b"000000-again", b"gone", "gone.csv"),
        (b",own,", b",free,", "line 2"),
        (b",own,", b',"own,', "line"),
    ],
)
def test_a_damaged_export_says_where(tmp_path, run, fixtures, was, now, says):
    _, folder = exported(tmp_path, run, fixtures)
    index = folder / "index.csv"
    index.write_bytes(index.read_bytes().replace(was, now, 1 if len(was) > 1 else -1))
    tune_file(folder / "mine.mid", 3)
    done, entries, _ = imported(tmp_path / "new", folder)
    assert len(done.failed) == 1
    assert says in str(done.failed[0][1])
    assert set(entries) <= {
        "mine.mid",
        "sung",
        "twinkle.mid",
    }  # what is told to have failed is not half there
    assert "mine.mid" in entries


def test_an_index_may_be_saved_by_a_spreadsheet(tmp_path, run, fixtures):
    _, folder = exported(tmp_path, run, fixtures)
    index = folder / "index.csv"
    with index.open(newline="") as file:
        rows = [row[::-1] for row in csv.reader(file)]
    with index.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows(rows)
    for table in folder.glob("0*.csv"):
        table.write_bytes(table.read_bytes().replace(b"\n", b"\r\n"))
    done, entries, _ = imported(tmp_path / "new", folder)
    assert (done.failed, set(entries)) == ([], {"again", "sung", "twinkle.mid"})
    assert imported(tmp_path, folder)[0].unchanged == 3


def test_nothing_of_an_export_is_imported_twice(tmp_path, run, fixtures):
    path, folder = exported(tmp_path, run, fixtures)
    ids = {"again", "sung", "twinkle.mid"}
    # Named file by file; copied; left over from an earlier export to the same folder.
    assert set(imported(tmp_path / "1", *sorted(folder.iterdir()))[1]) == ids
    shutil.copytree(folder, tmp_path / "both" / "jan")
    shutil.copytree(folder, tmp_path / "both" / "feb")
    assert set(imported(tmp_path / "2", tmp_path / "both")[1]) == ids
    assert run("library", "export", folder, "--text", "sung", "--library", path).returncode == 0
    assert set(imported(tmp_path / "3", folder)[1]) == {"sung"}
    # Beside the file that it came from, whose rights it knows.
    shutil.copy(fixtures / "twinkle.mid", tmp_path / "both")
    _, entries, _ = imported(tmp_path / "4", tmp_path / "both")
    assert (set(entries), entries["twinkle.mid"].rights.holder) == (ids, "Anna & Co")


def test_libraries_exported_to_one_folder_do_not_replace_each_other(tmp_path, run):
    for seed, status in ((1, "own"), (2, "in-copyright")):
        tune_file(tmp_path / str(seed) / "hook.mid", seed)
        with Store(tmp_path / f"{seed}.db", create=True) as store:
            import_paths(store, [tmp_path / str(seed)], Rights(status))
        out = tmp_path / "out"
        assert run("library", "export", out, "--library", tmp_path / f"{seed}.db").returncode == 0
        _, entries, _ = imported(tmp_path, out)
    assert {name: entry.rights.status for name, entry in entries.items()} == {
        "hook.mid": "own",
        "hook.mid~2": "in-copyright",
    }


def test_exports_say_what_a_library_says(tmp_path, run):
    """Odd names, formulas, notes that hardly last, and rights that only an import knows."""
    onset = np.cumsum([0.1, 4e-7, 1 / 3, 1e3, 1e-9])
    melody = Melody.from_notes(onset, [1e-7, 1e-8, 0.3, 2, 1], [60, 60.123456, 127, 0, 61])
    rights = Rights("unknown", note="a\rb", holder="=SUM(1)")
    entry = Entry(' a,"b" ', "@title", "-Anna", "x", rights)
    path, out = tmp_path / "l.db", tmp_path / "out"
    with Store(path, create=True) as store, store.transaction():
        store.put([Reference(entry, melody)], "x", "")
        stored = store.melody(store.entries()[0].id)
    assert run("library", "export", out, "--library", path).returncode == 0
    given = Rights("licensed", holder="Bob", published=1999)
    done, entries, melodies = imported(tmp_path / "new", out, rights=given)
    (found,), (notes,) = entries.values(), melodies.values()
    assert (done.failed, found.id, found.title, found.creator) == ([], entry.id, "@title", "-Anna")
    assert found.rights == replace(rights, status="licensed", published=1999)
    assert np.array_equal(notes.onset, stored.onset)
    assert np.array_equal(notes.duration, stored.duration)
    assert np.array_equal(notes.pitch, stored.pitch)
    assert run("library", "rights", "--csv", out / "index.csv", "--library", path).returncode == 0


def test_folders_with_a_hash_in_their_names(tmp_path):
    for seed, key in enumerate(("C#", "C#m")):
        tune_file(tmp_path / key / "hook.mid", seed)
    _, entries, _ = imported(tmp_path, tmp_path / "C#", tmp_path / "C#m")
    assert set(entries) == {"hook.mid", "hook.mid~2"}


@pytest.mark.parametrize(
    ("beat", "kept"), [("0 1 2 3.5", True), ("0 1 2 1", False), ("1:1 1:2 1:3 2:1", False)]
)
def test_beats_count_only_if_they_go_on(tmp_path, beat, kept):
    rows = [f"{k},0.5,{60 + k},{b}" for k, b in enumerate(beat.split())]
    (tmp_path / "t.csv").write_text("\n".join(["onset,duration,pitch,beat", *rows]))
    _, _, melodies = imported(tmp_path, tmp_path / "t.csv")
    assert (melodies["t.csv"].beat is not None) == kept


NOTES = [[k, 0.5, 60 + k] for k in range(9)]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        (
            "t.json",
            json.dumps(
                [{"id": "a", "notes": NOTES}, {"id": "b", "title": 5}, {"id": "c", "notes": NOTES}]
            ),
            "melody b: it has no list of `notes`",
        ),
        (
            "t.json",
            json.dumps([{"id": "a", "notes": NOTES}, {"id": "b", "notes": [None] * 9}])[:-1]
            + f", {json.dumps({'id': 'c', 'notes': NOTES})}]",
            "melody b: a note is three numbers",
        ),
        (
            "t.json",
            "\n".join(
                [
                    json.dumps({"id": "a", "notes": NOTES}),
                    "{oh",
                    json.dumps({"id": "c", "notes": NOTES}),
                ]
            ),
            "melody 2: line 2: no JSON object",
        ),
        (
            "t.csv",
            "\n".join(
                ["id,onset,duration,pitch"]
                + [f"{name},{k},1,{60 + k}" for name in "abc" for k in range(9)]
                + ["b,10,1", "b,11,?,60"]
            ),
            "melody b: line 29: 10, 1, nothing is no note",
        ),
    ],
)
def test_one_record_of_a_table_costs_no_other(tmp_path, name, text, says):
    (tmp_path / name).write_text(text)
    done, entries, _ = imported(tmp_path, tmp_path / name)
    assert set(entries) == {f"{name}#a", f"{name}#c"}
    ((_, error),) = done.failed
    assert says in str(error)


NOTE_ROWS = [(0.5 * k, 0.5, 60 + k % 7) for k in range(12)]


@pytest.mark.parametrize("name", ["works.csv", "works.tsv", "works.json", "works.jsonl"])
def test_a_table_may_say_the_rights_of_its_melodies(tmp_path, name):
    """For what it leaves open, what the import says holds."""
    about = {"status": "licensed", "holder": "B", "published": 1990, "expires": "2999-12-31"}
    if name.endswith(("csv", "tsv")):
        separator = ";" if name.endswith("csv") else "\t"
        lines = [["id", "onset", "duration", "pitch", *about]]
        for identity, more in (("a", about.values()), ("b", [""] * 4)):
            lines += [[identity, *(str(x).replace(".", ",") for x in row), *more] for row in NOTE_ROWS]
        text = "\n".join(separator.join(map(str, line)) for line in lines)
    else:
        items = [{"id": "a", "notes": NOTE_ROWS, **about}, {"id": "b", "notes": NOTE_ROWS}]
        each = [json.dumps(item) for item in items]
        text = "\n".join(each) if name.endswith("l") else f"[{','.join(each)}]"
    (tmp_path / name).write_text(text)
    with Store(tmp_path / "library.db", create=True) as store:
        result = import_paths(store, [tmp_path / name], Rights("in-copyright", holder="C"))
        assert (result.imported, result.failed) == (2, [])
        one, other = store.entries()
        assert np.array_equal(store.melody(one.id).onset, [row[0] for row in NOTE_ROWS])
    assert one.rights == Rights("licensed", "B", published=1990, expires="2999-12-31")
    assert other.rights == Rights("in-copyright", "C")


def test_a_melody_of_a_table_with_wrong_rights_is_left_out_alone(tmp_path):
    items = [{"id": k, "notes": NOTE_ROWS, "status": s} for k, s in (("a", "mine"), ("b", "own"))]
    (tmp_path / "works.json").write_text(json.dumps(items))
    with Store(tmp_path / "library.db", create=True) as store:
        result = import_paths(store, [tmp_path / "works.json"], Rights())
    assert result.imported == 1
    assert "melody a" in str(result.failed[0][1])


@pytest.mark.parametrize(
    "rights",
    [
        {"holder": {"a": 1}}, {"holder": 5}, {"published": 1990.5}, {"published": True}, {"died": -5},
        {"published": "long ago"}, {"published": 10**30}, {"status": []}, {"expires": 20300101},
    ],
)  # fmt: skip
def test_rights_of_another_type_cost_their_melody_alone(tmp_path, rights):
    items = [{"id": "a", "notes": NOTE_ROWS, **rights}, {"id": "b", "notes": NOTE_ROWS}]
    (tmp_path / "works.json").write_text(json.dumps(items))
    with Store(tmp_path / "library.db", create=True) as store:
        result = import_paths(store, [tmp_path / "works.json"], Rights())
        assert [entry.id for entry in store.entries()] == ["works.json#b"]
    ((_, error),) = result.failed
    assert next(iter(rights)) in str(error)


def test_libraries_of_other_rights_are_merged_aloud(tmp_path, run):
    """The same melody, licensed to one and not to the other: what is there stays, and it is said."""
    for name, status in (("a", "in-copyright"), ("b", "licensed")):
        (tmp_path / name).mkdir()
        shutil.copy(FIXTURES / "twinkle.mid", tmp_path / name / "song.mid")
        library = tmp_path / f"{name}.db"
        run("library", "import", tmp_path / name, "--rights", status, "--library", library)
        run("library", "export", tmp_path / f"e{name}", "--library", library)
    for order in ("ab", "ba"):
        merged = tmp_path / f"{order}.db"
        done = run("library", "import", *(tmp_path / f"e{k}" for k in order), "--library", merged)
        assert "1 melody imported" in done.stdout
        kept = "in-copyright" if order[0] == "a" else "licensed"
        assert f"stays “{kept}”" in done.stdout
        with Store(merged) as store:
            assert [entry.rights.status for entry in store.entries()] == [kept]


def test_titles_and_creators_can_be_corrected(tmp_path, run):
    library = tmp_path / "library.db"
    run("library", "import", FIXTURES / "twinkle.mid", "--rights", "own", "--library", library)
    done = run("library", "rights", "twinkle.mid", "--title", "Star", "--library", library)
    assert "titles or creators changed: 1" in done.stderr
    (tmp_path / "names.csv").write_text("id;title;creator\ntwinkle.mid;Little Star;Trad.\n")
    done = run("library", "rights", "--csv", tmp_path / "names.csv", "--library", library)
    assert done.returncode == 0, done.stderr
    with Store(library) as store:
        (entry,) = store.entries()
    assert (entry.title, entry.creator, entry.rights.status) == ("Little Star", "Trad.", "own")


def test_a_date_can_be_taken_away(tmp_path, run):
    library = tmp_path / "library.db"
    run("library", "import", FIXTURES / "twinkle.mid", "--rights", "own", "--library", library)
    for expires, kept in (("2999-01-01", "2999-01-01"), ("", None)):
        done = run("library", "rights", "twinkle.mid", "--expires", expires, "--library", library)
        assert done.returncode == 0, done.stderr
        with Store(library) as store:
            assert store.entries()[0].rights.expires == kept


def test_a_table_with_two_columns_of_one_name_is_refused(tmp_path):
    rows = [f"{k},1,{60 + k},99" for k in range(9)]
    (tmp_path / "t.csv").write_text("\n".join(["onset,duration,pitch,Pitch", *rows]))
    done, entries, _ = imported(tmp_path, tmp_path / "t.csv")
    assert not entries and "two columns are named 'pitch'" in str(done.failed[0][1])


def test_one_damaged_melody_of_a_table_costs_no_other(tmp_path):
    good = [[k, 0.5, 60 + k] for k in range(9)]
    found = [
        {"id": name, "notes": notes} for name, notes in (("a", good), ("b", [5, 6, 7, 8]), ("c", good))
    ]
    (tmp_path / "t.json").write_text(json.dumps(found))
    done, entries, _ = imported(tmp_path, tmp_path / "t.json")
    assert (set(entries), len(done.failed)) == ({"t.json#a", "t.json#c"}, 1)


def test_the_index_of_an_export_sets_rights(tmp_path, run, fixtures):
    path, folder = exported(tmp_path, run, fixtures)
    index = folder / "index.csv"
    index.write_text(index.read_text().replace(",own,", ",in-copyright,"))
    assert run("library", "rights", "--csv", index, "--library", path).returncode == 0
    with Store(path) as store:
        status = {entry.id: entry.rights.status for entry in store.entries()}
    assert status == {"again": "in-copyright", "sung": "in-copyright", "twinkle.mid": "licensed"}


def test_pop909(tmp_path):
    for name in ("001", "002"):
        tune_file(tmp_path / "POP909" / name / f"{name}.mid", int(name))
        tune_file(tmp_path / "POP909" / name / "versions" / f"{name}-v1.mid", 9)
    done, entries, _ = imported(tmp_path, tmp_path / "POP909")
    assert [s.name for s in done.sets] == ["POP909"]
    assert sorted(entries) == ["pop909/001", "pop909/002"]


def test_lakh(tmp_path, run):
    names = [f"{k:032x}" for k in range(3)]
    for k, name in enumerate(names):
        tune_file(tmp_path / "lmd_full" / "0" / f"{name}.mid", k)
    done = run("library", "import", tmp_path / "lmd_full", "--library", tmp_path / "l.db")
    assert done.returncode == 0
    assert "CC BY 4.0" in done.stderr
    with Store(tmp_path / "l.db") as store:
        assert [e.id for e in store.entries()] == [f"lakh/{name}" for name in names]


SETTING = {
    "tune_id": "55", "setting_id": "12", "name": "A reel of our own", "type": "reel", "meter": "4/4",
    "mode": "Edorian", "abc": "|:EBBA B2 EB|B2 AB dBAG|FDAD BDAD|FDAD dAFD:|", "date": "",
}  # fmt: skip


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_the_session(tmp_path, kind):
    path = tmp_path / f"tunes.{kind}"
    settings = [SETTING | {"setting_id": str(k)} for k in range(RECORDS + 3)]
    settings[4]["abc"] = "|||"
    if kind == "json":
        path.write_text(json.dumps(settings))
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, SETTING.keys())
            writer.writeheader()
            writer.writerows(settings)
    done, entries, melodies = imported(tmp_path, path)
    assert [s.name for s in done.sets] == ["The Session"]
    assert len(entries) == RECORDS + 2
    assert [source for source, _ in done.failed] == [f"{path}#thesession/55/4"]
    # E B B A in E dorian: F is sharp. Repeated, as its bar lines say.
    melody = melodies["thesession/55/0"]
    assert melody.pitch[:4].tolist() == [64, 71, 71, 69]
    assert 66 in melody.pitch.tolist()
    assert 65 not in melody.pitch.tolist()
    # What could not be read is tried, and told, again; the rest is there.
    again, _, _ = imported(tmp_path, path)
    assert (again.imported, again.unchanged, again.failed) == (RECORDS - 1, 1, done.failed)


def test_lead_sheets(tmp_path):
    steps = [0, 4, 7, 0, 11, 7, 4, 0]
    notes = [
        {"onset": k, "offset": k + 1, "octave": int(k == 3), "pitch_class": step}
        for k, step in enumerate(steps)
    ]
    sheets = {
        "abc-1": {
            "hooktheory": {"artist": "nobody-at-all", "song": "a-song"},
            "annotations": {"melody": notes, "harmony": []},
        },
        "none": {"annotations": {"melody": None}},
        "bad": {"annotations": {"melody": [{"onset": 0, "offset": 0, "octave": 0, "pitch_class": 1}]}},
    }
    path = tmp_path / "Hooktheory.json.gz"
    path.write_bytes(gzip.compress(json.dumps(sheets).encode()))
    done, entries, melodies = imported(tmp_path, path)
    assert "NC" in done.sets[0].licence
    assert sorted(entries) == ["hooktheory/abc-1"]
    assert (entries["hooktheory/abc-1"].title, entries["hooktheory/abc-1"].creator) == (
        "a song", "nobody at all"
    )  # fmt: skip
    melody = melodies["hooktheory/abc-1"]
    assert melody.pitch.tolist() == [60, 64, 67, 72, 71, 67, 64, 60]
    assert melody.beat.tolist() == list(range(8))
    assert [source for source, _ in done.failed] == [f"{path}#hooktheory/bad"]


MARC = """<?xml version="1.0"?>
<collection xmlns="http://www.loc.gov/MARC21/slim"><record>
<controlfield tag="001">455000000</controlfield>
<datafield tag="031"><subfield code="a">1</subfield><subfield code="b">1</subfield>
<subfield code="c">1</subfield><subfield code="g">G-2</subfield><subfield code="n">xF</subfield>
<subfield code="o">3/4</subfield><subfield code="p">'4G8ABCD/''4E'4B8AG/2.F//</subfield></datafield>
<datafield tag="031"><subfield code="a">1</subfield><subfield code="b">1</subfield>
<subfield code="c">2</subfield><subfield code="p">?!</subfield></datafield>
<datafield tag="100"><subfield code="a">Somebody, Anna</subfield><subfield code="d">1701-1760</subfield>
</datafield><datafield tag="240"><subfield code="a">Minuets</subfield></datafield>
</record></collection>"""


def test_incipits_of_rism(tmp_path):
    path = tmp_path / "sources.xml"
    path.write_text(MARC)
    done, entries, melodies = imported(tmp_path, path)
    assert [s.name for s in done.sets] == ["RISM"]
    entry = entries["rism/455000000/1.1.1"]
    assert (entry.title, entry.creator, entry.rights.died) == ("Minuets", "Somebody, Anna", 1760)
    melody = melodies[entry.id]
    # G A B C D | E' B A G | F sharp, by the key
    assert melody.pitch.tolist() == [67, 69, 71, 60, 62, 76, 71, 69, 67, 66]
    assert melody.beat.tolist() == [0, 1, 1.5, 2, 2.5, 3, 4, 5, 5.5, 6]
    assert len(entries) == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tunes.json", b'[{"setting_id": 1, "abc": "x"'),
        ("Hooktheory.json", b'{"a": {"annotations": {"melody": [{"pitch_class": '),
        ("sources.xml", b'<collection xmlns="http://www.loc.gov/MARC21/slim"><record>'),
        ("Hooktheory.json.gz", b"no gzip at all"),
        ("list.json", b"[1, 2"),
    ],
)
def test_damaged_sets_say_so(tmp_path, run, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    done = run("library", "import", path, "--library", tmp_path / "l.db")
    assert done.returncode == 2
    assert name in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_musicxml_is_no_catalogue(fixtures):
    assert known_set(fixtures / "greensleeves.musicxml") is None
    assert known_set(fixtures) is None


def test_a_changed_set_keeps_rights_and_ids(tmp_path):
    path = tmp_path / "tunes.json"
    settings = [SETTING | {"setting_id": str(k)} for k in range(2 * RECORDS + 50)]
    path.write_text(json.dumps(settings))
    with Store(tmp_path / "l.db", create=True) as store:
        import_paths(store, [path], Rights("public-domain"))
        for k in (5, RECORDS, RECORDS + 1, 2 * RECORDS):
            with store.transaction():
                store.set_rights(f"thesession/55/{k}", Rights("in-copyright"))
        # One is gone, one is new: every part begins elsewhere.
        for changed in (settings[1:], [SETTING | {"setting_id": "new"}, *settings], settings[:100]):
            path.write_text(json.dumps(changed))
            import_paths(store, [path], Rights("public-domain"))
            entries = {e.id: e.rights.status for e in store.entries()}
            assert sorted(entries) == sorted(f"thesession/55/{s['setting_id']}" for s in changed)
            bound = {name for name, status in entries.items() if status == "in-copyright"}
            marked = {f"thesession/55/{k}" for k in (5, RECORDS, RECORDS + 1, 2 * RECORDS)}
            assert bound == marked & set(entries)
        # The same set at another place is the same set.
        (tmp_path / "copy").mkdir()
        shutil.copy(path, tmp_path / "copy")
        again = import_paths(store, [tmp_path / "copy" / "tunes.json"], Rights())
        assert (again.imported, again.duplicates) == (0, 1)


def test_no_two_melodies_of_one_source_are_one(tmp_path):
    rows = [random_tune(np.random.default_rng(k), 12) for k in range(5)]
    objects = [
        {"notes": np.stack([t.onset, t.duration, t.pitch], axis=1).tolist()}
        | ({"id": name} if name else {})
        for t, name in zip(rows, (None, None, "2", "a", "a"), strict=True)
    ]
    path = tmp_path / "table.json"
    path.write_text(json.dumps(objects))
    done, entries, _ = imported(tmp_path, path)
    assert done.imported == len(entries) == 5
    nameless = [SETTING | {"setting_id": None}] * 5
    (tmp_path / "tunes.json").write_text(json.dumps(nameless))
    done, entries, _ = imported(tmp_path, tmp_path / "tunes.json")
    assert (done.imported, len(entries)) == (5, 10)


def test_new_melodies_of_a_source_do_not_inherit_rights(tmp_path):
    def written(count):
        notes = [random_tune(np.random.default_rng(k), 12) for k in range(count)]
        return json.dumps(
            [
                {"id": str(k), "notes": np.stack([t.onset, t.duration, t.pitch], axis=1).tolist()}
                for k, t in enumerate(notes)
            ]
        )

    path = tmp_path / "mine.json"
    path.write_text(written(1))
    imported(tmp_path, path, rights=Rights("own"))
    path.write_text(written(5))
    _, entries, _ = imported(tmp_path, path, rights=Rights("in-copyright"))
    assert sorted(e.rights.status for e in entries.values()) == ["in-copyright"] * 4 + ["own"]


def test_a_folder_that_only_looks_like_a_set(tmp_path):
    tune_file(tmp_path / "cat" / "001" / "001.mid", 1)
    tune_file(tmp_path / "cat" / "hits" / "song.mid", 2)
    tune_file(tmp_path / "cat" / "other.mid", 3)
    done, entries, _ = imported(tmp_path, tmp_path / "cat")
    assert (done.sets, sorted(entries)) == ([], ["001/001.mid", "hits/song.mid", "other.mid"])


def test_sets_and_tables_in_a_folder_are_found(tmp_path):
    folder = tmp_path / "all"
    tune_file(folder / "a.mid", 1)
    (folder / "a.csv").write_text(csv_text(random_tune(np.random.default_rng(2), 12)))
    (folder / "tunes.json").write_text(json.dumps([SETTING]))
    (folder / "bad.json").write_text('[{"setting_id": 1, "abc": "x"')
    done, entries, _ = imported(tmp_path, folder)
    assert sorted(entries) == ["a.csv", "a.mid", "thesession/55/12"]
    assert [Path(source).name for source, _ in done.failed] == ["bad.json"]


def test_what_was_removed_can_be_imported_again(tmp_path):
    path = tune_file(tmp_path / "a.mid", 1)
    with Store(tmp_path / "l.db", create=True) as store:
        import_paths(store, [path], Rights())
        with store.transaction():
            store.remove("a.mid")
        assert import_paths(store, [path], Rights()).imported == 1


@pytest.mark.parametrize(
    "content",
    [
        '[{"notes": [1, 2, 3, 4]}]',
        '[{"notes": [null, null, null, null]}]',
        '[{"notes": [[0,1,60],[1,1,60],[2,1,60],[3,1,1' + "0" * 400 + "]]}]",
        '[{"notes": ' + "[" * 100_000,
        '[{"creator": ["a"], "title": {}, "id": "\\ud800x\\n\\u001b[31m", "notes":'
        " [[0,1,60],[1,1,62],[2,1,64],[3,1,65]]}]",
    ],
)
def test_hostile_tables_end_in_a_line(tmp_path, run, content):
    (tmp_path / "bad.json").write_text(content)
    tune_file(tmp_path / "good.mid", 1)
    done = run("library", "import", "bad.json", "good.mid", "--library", tmp_path / "l.db")
    assert done.returncode == (2 if "failed: " in done.stdout else 0), done.stderr
    assert "Traceback" not in done.stderr
    with Store(tmp_path / "l.db") as store:
        names = [e.id for e in store.entries()]
    assert "good.mid" in names
    assert all(name.isprintable() for name in names)


def test_one_bad_record_costs_no_other(tmp_path):
    records = [SETTING | {"setting_id": str(k)} for k in range(6)]
    records[2] = "no record"
    records[4] = records[4] | {"abc": ["x"], "mode": ["y"]}
    (tmp_path / "tunes.json").write_text(json.dumps(records))
    done, entries, _ = imported(tmp_path, tmp_path / "tunes.json")
    assert (len(entries), len(done.failed)) == (4, 2)
    # A reader that crashes takes one record with it.
    crash = "@clef:ZZZ\n@timesig:9999999999/0\n@data:4A"
    second = MARC.replace("</record></collection>", "</record>") + MARC[
        MARC.index("<record>") :
    ].replace("?!", crash).replace("455000000", "455000001")
    (tmp_path / "sources.xml").write_text(second)
    done, entries, _ = imported(tmp_path, tmp_path / "sources.xml")
    assert {"rism/455000000/1.1.1", "rism/455000001/1.1.1"} <= set(entries)


@pytest.mark.parametrize(
    ("dates", "year"),
    [
        ("1701-1760", 1760),
        ("1701-1760.", 1760),
        ("fl. 1700-1750", None),
        ("1650-1750 (active)", None),
        ("ca. 1950-9999", None),
        ("1950-9999", None),
        ("1760-1701", None),
        (None, None),
    ],
)
def test_years_of_death(dates, year):
    from melodysim.library.importers.public_sets import _year_of_death

    assert _year_of_death(dates) == year


def test_a_library_is_not_made_where_there_is_nothing_to_fill_it(tmp_path, monkeypatch):
    from melodysim.cli import cli

    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    path = tmp_path / "l.db"
    with pytest.raises(MissingDependencyError, match=r"melodysim\[score\]"):
        cli.main(["library", "init", "--library", str(path)], standalone_mode=False)
    assert not path.exists()


def test_a_folder_says_what_it_passes_over_and_leaves_hidden_files_alone(tmp_path):
    songs = tmp_path / "songs"
    (songs / ".hidden").mkdir(parents=True)
    tune = (FIXTURES / "twinkle.mid").read_bytes()
    for name in ("a.mid", "._a.mid", ".hidden/b.mid", "notes.txt", "c.mid.gz", "d.MID.gz", "e.caf"):
        (songs / name).write_bytes(tune)
    with Store(tmp_path / "l.db", create=True) as store:
        result = import_paths(store, [songs], Rights())
        assert store.count() == 1
    assert result.passed_over == {".txt": 1, ".mid.gz": 2, ".caf": 1}
    assert not result.failed


def test_a_table_with_chords_keeps_their_top_notes(tmp_path):
    notes = [
        [k * 0.5, 0.5, pitch]
        for k, top in enumerate((67, 69, 71, 72, 74))
        for pitch in (top - 4, top, top - 7)
    ]
    (tmp_path / "chords.json").write_text(json.dumps([{"id": "c", "title": "C", "notes": notes}]))
    with Store(tmp_path / "l.db", create=True) as store:
        result = import_paths(store, [tmp_path / "chords.json"], Rights())
        assert not result.failed
        (entry,) = store.entries()
        assert store.melody(entry.id).pitch.tolist() == [67, 69, 71, 72, 74]


def test_the_same_name_in_two_working_folders_is_two_works(tmp_path, monkeypatch):
    for seed, (name, status) in enumerate((("one", "own"), ("two", "in-copyright"))):
        tune_file(tmp_path / name / "01.mid", seed)
        monkeypatch.chdir(tmp_path / name)
        with Store(tmp_path / "l.db", create=True) as store:
            assert import_paths(store, [Path()], Rights(status)).imported == 1
    with Store(tmp_path / "l.db") as store:
        assert {e.id: e.rights.status for e in store.entries()} == {
            "01.mid": "own", "01.mid~2": "in-copyright",
        }  # fmt: skip
        assert all(Path(e.source).is_absolute() for e in store.entries())


def test_a_file_that_was_renamed_keeps_its_id_and_its_rights(tmp_path):
    folder = tmp_path / "songs"
    tune_file(folder / "a.mid", 1)
    shutil.copy(FIXTURES / "tunes.abc", folder)
    with Store(tmp_path / "l.db", create=True) as store:
        import_paths(store, [folder], Rights("own"))
        before = {e.id: e.rights.status for e in store.entries()}
        (folder / "a.mid").rename(folder / "b.mid")
        (folder / "sub").mkdir()
        (folder / "tunes.abc").rename(folder / "sub" / "new.abc")
        import_paths(store, [folder], Rights("unknown"))
        assert {e.id: e.rights.status for e in store.entries()} == before
        assert {Path(e.source).name for e in store.entries()} == {"b.mid", "new.abc"}


def test_a_link_that_leads_nowhere_is_said(tmp_path):
    tune_file(tmp_path / "songs" / "a.mid", 1)
    (tmp_path / "songs" / "gone.mid").symlink_to(tmp_path / "nothing.mid")
    done, _, _ = imported(tmp_path, tmp_path / "songs")
    assert done.imported == 1
    assert [Path(source).name for source, _ in done.failed] == ["gone.mid"]
