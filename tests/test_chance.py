"""What chance does among the works of a library: measured on the library itself."""

import json
from dataclasses import replace

import numpy as np
import pytest
from conftest import random_tune
from hypothesis import given
from hypothesis import strategies as st

from melodysim.library import Entry, Library, Reference
from melodysim.library.chance import SMALLEST_SCALE, TAIL_SCALE, Chance, typical_chance
from melodysim.library.packed.index_files import CHANCE_FILE, load_chance, save_chance
from melodysim.library.rights import Rights
from melodysim.library.store import Store
from melodysim.melody import Piece
from melodysim.search import own_works
from melodysim.search.own_works import chance_among_own_works, fit_chance, with_chance
from melodysim.search.pipeline import find_matches

WORKS = 140


def put(store, numbers):
    with store.transaction():
        for k in numbers:
            entry = Entry(f"work-{k}", f"Work {k}", None, f"{k}.mid", Rights("in-copyright"))
            melody = random_tune(np.random.default_rng(k), 30, low=60, high=72)
            store.put([Reference(entry, melody)], f"{k}.mid", str(k))


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    """A library of made-up songs, in copyright."""
    path = tmp_path_factory.mktemp("catalogue") / "library.db"
    with Store(path, create=True) as store:
        put(store, range(WORKS))
    return path


@pytest.mark.parametrize("related", [0.0, 0.03, 0.35])
def test_the_distribution_is_recovered_though_works_have_relatives(related):
    rng = np.random.default_rng(0)
    standings = rng.gumbel(6.5, 1.5, 2000)
    covers = rng.random(2000) < related
    standings[covers] = np.maximum(standings[covers], 6.5 + rng.exponential(14, covers.sum()))
    found = fit_chance(standings, typical_chance(7500))
    assert found.mode == pytest.approx(6.5, abs=0.2)
    assert found.scale == pytest.approx(1.5, rel=0.12)
    assert (found.works, found.measured) == (7500, True)


def test_standings_that_are_all_alike_have_a_least_spread():
    found = fit_chance(np.full(300, 7.0), typical_chance(500))
    assert found.scale >= SMALLEST_SCALE
    assert found.mode == pytest.approx(7.0, abs=0.5)


def test_too_few_queries_are_no_measurement():
    found = fit_chance(np.full(9, 9.0), typical_chance(300))
    assert (found.mode, found.scale) == (typical_chance(300).mode, typical_chance(300).scale)


def test_a_few_queries_move_the_typical_values_as_far_as_they_are_many():
    typical = typical_chance(30, 12_000)
    standings = np.random.default_rng(0).gumbel(4.0, 0.8, 30)
    found = fit_chance(standings, typical)
    assert typical.mode + 0.6 * (4 - typical.mode) < found.mode < 4.1
    assert (found.works, found.measured, found.beside_free) == (30, True, True)


def test_few_works_beside_free_ones_stand_higher_than_alone():
    """As was measured: from 1 to 95 songs beside folk tunes the mode rose from 0.4 to 3.2."""
    for works, mode in ((1, 0.4), (15, 2.1), (95, 3.2)):
        assert typical_chance(works, 12_764).mode == pytest.approx(mode, abs=0.05)
        assert typical_chance(works, 99).mode < typical_chance(works, 100).mode
    assert not typical_chance(100, 12_764).beside_free


def test_a_few_works_are_measured_too(tmp_path):
    path = tmp_path / "library.db"
    with Store(path, create=True) as store:
        put(store, range(12))
    chance = with_chance(Library(path)).chances[1]
    assert chance.measured
    assert chance.mode != typical_chance(12).mode


def test_works_of_one_table_are_measured_against_each_other(tmp_path):
    """A table or a tune book is one file, and holds many works; the tracks of a project are one."""
    path = tmp_path / "library.db"
    with Store(path, create=True) as store, store.transaction():
        references = []
        for k in range(110):
            entry = Entry(f"works.csv#{k}", f"Work {k}", None, "works.csv", Rights("in-copyright"))
            tune = random_tune(np.random.default_rng(k), 30, low=60, high=72)
            references.append(Reference(entry, tune))
        store.put(references, "works.csv", "0")
    chance = chance_among_own_works(Library(path).shelf)
    assert abs(chance.mode - typical_chance(110).mode) > 1e-6


def test_tracks_of_one_project_are_one_work(tmp_path):
    path = tmp_path / "library.db"
    with Store(path, create=True) as store, store.transaction():
        for k in range(12):
            tune = random_tune(np.random.default_rng(0), 30)
            entries = [
                Entry(f"{k}.als#{part}", f"Set: {part}", None, "set.als", Rights("in-copyright"))
                for part in "ab"
            ]
            store.put([Reference(e, tune) for e in entries], "set.als", f"{k}")
    chance = chance_among_own_works(Library(path).shelf)
    assert chance == replace(typical_chance(2), measured=True)


def test_e_values_by_hand():
    chance = Chance(6.0, 2.0, 1000)
    # One work in all stands at the mode; two scale units above it e^-2 do.
    assert np.exp(chance.log_e([6.0, 10.0])) == pytest.approx([1.0, np.exp(-2)])
    # From 0.1 on the tail is heavier.
    start = 6.0 + 2.0 * np.log(10)
    assert chance.log_e(start + 4.0) == pytest.approx(-np.log(10) - 2.0 / TAIL_SCALE)
    assert np.exp(chance.log_e(-100.0)) == pytest.approx(1000)  # never more than there are
    assert np.exp(chance.log_e(10.0, tries=5)) == pytest.approx(5 * np.exp(-2))


@given(st.floats(-50, 200), st.floats(-50, 200), st.integers(1, 10**6))
def test_higher_standings_are_never_likelier_and_more_works_never_rarer(one, other, works):
    chance = typical_chance(works)
    low, high = sorted((one, other))
    assert chance.log_e(high) <= chance.log_e(low)
    assert chance.among(2 * works).log_e(one) >= chance.log_e(one)


def test_a_library_is_measured_once_and_what_was_found_is_kept(catalogue, monkeypatch):
    library = Library(catalogue)
    assert not library.shelf.chances[1].measured
    told = []
    shelf = with_chance(library, progress=lambda *at: told.append(at))
    assert told[-1] == (WORKS, WORKS)
    measured = shelf.chances[1]
    assert measured.measured
    assert library.shelf is shelf
    # In another process it is known.
    monkeypatch.setattr(own_works, "chance_among_own_works", lambda *_: pytest.fail("again"))
    again = Library(catalogue)
    assert again.shelf.chances[1] == measured
    assert with_chance(again) is again.shelf


def test_chance_is_carried_over_to_a_few_more_works_and_measured_anew_with_many(tmp_path):
    path = tmp_path / "library.db"
    with Store(path, create=True) as store:
        put(store, range(4))
        assert load_chance(store, 100, 0) is None
        Library(path)  # packs it
        assert save_chance(store, Chance(4.0, 1.2, 100))
        for works, known in ((79, False), (80, True), (100, True), (125, True), (126, False)):
            assert (load_chance(store, works, 0) is not None) is known
        kept = load_chance(store, 125, 0)
        # Nor where free works have come to stand in, as `library init` does after an import.
        assert load_chance(store, 80, 12_000) is None
        assert save_chance(store, replace(kept, works=80, beside_free=True))
        assert load_chance(store, 90, 12_000).beside_free
        assert load_chance(store, 90, 20) is None
        assert load_chance(store, 100, 12_000) is None
        assert save_chance(store, Chance(4.0, 1.2, 100))
    assert kept.among(125).mode > kept.mode
    assert kept.among(100) == kept
    # A file of another method, or a torn one, is none.
    (file,) = tmp_path.rglob(CHANCE_FILE)
    said = json.loads(file.read_text())
    for content in (json.dumps(said | {"method": 0}), "{", json.dumps({"method": said["method"]})):
        file.write_text(content)
        with Store(path) as store:
            assert load_chance(store, 100, 0) is None


def test_the_order_of_the_works_does_not_matter(catalogue, tmp_path):
    path = tmp_path / "turned.db"
    with Store(path, create=True) as store:
        put(store, reversed(range(WORKS)))
    one, other = (chance_among_own_works(Library(p).shelf) for p in (catalogue, path))
    assert one.mode == pytest.approx(other.mode, abs=1e-6)
    assert one.scale == pytest.approx(other.scale, abs=1e-6)


def test_stopping_leaves_a_library_unmeasured(tmp_path):
    path = tmp_path / "library.db"
    with Store(path, create=True) as store:
        put(store, range(WORKS))
    library = Library(path)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        with_chance(library, progress=stop)
    assert not library.shelf.chances[1].measured
    assert not list(tmp_path.rglob(CHANCE_FILE))


def test_e_values_come_true_among_made_up_songs(catalogue):
    shelf = with_chance(Library(catalogue))
    smallest = []
    for seed in range(120):
        tune = random_tune(np.random.default_rng(10_000 + seed), 35, low=60, high=72)
        found = find_matches(Piece("new", "notes", (tune,), tune.end), shelf, 1)
        smallest.append(min(m.e_value for m in found))
    for level in (0.1, 0.3):
        share = float((np.array(smallest) < level).mean())
        assert share == pytest.approx(-np.expm1(-level), abs=0.13)


def test_another_take_of_a_work_is_no_chance_match(catalogue, tmp_path):
    """Entries of one title are one work, and are not measured against each other."""
    path = tmp_path / "takes.db"
    with Store(path, create=True) as store:
        put(store, range(WORKS))
        with store.transaction():
            for k in range(WORKS):
                entry = Entry(f"take-{k}", f"work {k}", None, f"t{k}", Rights("in-copyright"))
                melody = random_tune(np.random.default_rng(k), 30, low=60, high=72)
                store.put([Reference(entry, melody)], f"t{k}", f"t{k}")
    doubled = chance_among_own_works(Library(path).shelf)
    alone = chance_among_own_works(Library(catalogue).shelf)
    assert doubled.mode < alone.mode + 3


def test_works_that_nothing_tells_apart_are_no_measurement(tmp_path):
    """Entries that all have one title might all be one work: typical values stand in."""
    path = tmp_path / "library.db"
    with Store(path, create=True) as store, store.transaction():
        for k in range(110):
            entry = Entry(f"{k}", "Untitled", None, f"{k}.mid", Rights("in-copyright"))
            melody = random_tune(np.random.default_rng(k), 20)
            store.put([Reference(entry, melody)], f"{k}.mid", f"{k}")
    chance = chance_among_own_works(Library(path).shelf)
    assert chance == replace(typical_chance(110), measured=True)


def test_free_works_are_not_measured(tmp_path):
    path = tmp_path / "library.db"
    with Store(path, create=True) as store:
        put(store, range(WORKS))
        with store.transaction():
            for k in range(WORKS):
                store.set_rights(f"work-{k}", Rights("public-domain"))
    library = Library(path)
    assert with_chance(library) is library.shelf
    assert library.shelf.chances[1] == replace(typical_chance(0, WORKS), measured=False)


def test_an_import_measures_chance_before_the_first_check(run, tmp_path):
    works = []
    for k in range(110):
        melody = random_tune(np.random.default_rng(k), 24, low=60, high=72)
        notes = zip(melody.onset, melody.duration, melody.pitch, strict=True)
        works.append({"id": f"w{k}", "title": f"Work {k}", "notes": [[*map(float, n)] for n in notes]})
    table, library = tmp_path / "works.json", tmp_path / "library.db"
    table.write_text(json.dumps(works))
    done = run("library", "import", "--library", library, "--rights", "in-copyright", table)
    assert done.returncode == 0
    (file,) = tmp_path.rglob(CHANCE_FILE)
    assert json.loads(file.read_text())["works"] == 110
    written = file.stat().st_mtime_ns
    assert run("library", "compact", "--library", library).returncode == 0
    assert file.stat().st_mtime_ns == written  # the same works: nothing to measure
    assert Library(library).shelf.chances[1].measured
